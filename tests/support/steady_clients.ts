// deno-lint-ignore-file no-await-in-loop -- each client does one thing after the other

/** Clients that go on while a balancer is replaced: some open connection after connection, some keep one. */

import { bytes, text } from "./bytes.ts";

export interface SteadyClients {
  /** Connections that were opened, answered and closed so far. */
  readonly answered: number;
  /** Ends them; resolves with what has gone wrong. */
  stop(): Promise<readonly string[]>;
}

/** Clients at a server that echoes, each of which opens the next connection when the last one was answered. */
export function startSteadyClients(port: number, clients = 4): SteadyClients {
  const faults: string[] = [];
  let answered = 0;
  let isStopped = false;
  const client = async (name: number): Promise<void> => {
    for (let round = 0; !isStopped; round++) {
      try {
        using conn = await Deno.connect({ hostname: "127.0.0.1", port });
        await converse(conn, `${name}:${round}`);
        answered++;
      } catch (error) {
        faults.push(String(error));
        return;
      }
    }
  };
  const running = Array.from({ length: clients }, (_, i) => client(i));
  return {
    get answered() {
      return answered;
    },
    stop: async () => {
      isStopped = true;
      await Promise.all(running);
      return faults;
    },
  };
}

/** Says something to a server that echoes. Throws when it does not come back. */
export async function converse(conn: Deno.Conn, what: string): Promise<void> {
  await conn.write(bytes(what));
  const buffer = new Uint8Array(64);
  let heard = "";
  while (heard.length < what.length) {
    const count = await conn.read(buffer);
    if (count === null) throw new Error(`ended before ${what} came back`);
    heard += text(buffer.subarray(0, count));
  }
  if (heard !== what) throw new Error(`${heard} instead of ${what}`);
}
