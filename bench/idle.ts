// deno-lint-ignore-file no-await-in-loop -- sessions are opened in groups, one after the other

/** Sessions that have moved a hundred bytes and then rest. */

/** Opened at once; more would overrun the backlogs on the way. */
const GROUP = 200;

export interface IdleSessions {
  close(): void;
}

/** Opens sessions to an echo behind a port; each sends 100 bytes and reads them back. The caller closes them. */
export async function openIdleSessions(port: number, count: number): Promise<IdleSessions> {
  const conns: Deno.Conn[] = [];
  const message = new Uint8Array(100).fill(120);
  while (conns.length < count) {
    const group = Math.min(GROUP, count - conns.length);
    conns.push(
      ...await Promise.all(Array.from({ length: group }, async () => {
        const conn = await Deno.connect({ hostname: "127.0.0.1", port });
        await conn.write(message);
        const buffer = new Uint8Array(100);
        for (let filled = 0; filled < message.length;) {
          const n = await conn.read(buffer.subarray(filled));
          if (n === null) throw new Error("Cannot hold the session: it was closed");
          filled += n;
        }
        return conn;
      })),
    );
  }
  return {
    close: () => {
      for (const conn of conns) conn.close();
    },
  };
}
