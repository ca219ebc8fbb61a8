import type { Connection } from "../core/connection.ts";
import { whoami } from "./announce.ts";
import type { HandlerContext } from "./handler.ts";
import { http } from "./http.ts";

/** A request line (RFC 9112, 3), which every client sends in one piece. */
const REQUEST_LINE = /^[A-Z]+ \S+ HTTP\/1\.[01]\r\n/;

/** Says its name in the way that was asked: as an HTTP answer to an HTTP request, else as {@linkcode whoami} does. */
export async function whoamiOrHttp(connection: Connection, context: HandlerContext): Promise<void> {
  const first = new Uint8Array(1024);
  const filled = await connection.read(first) ?? 0;
  const start = String.fromCharCode(...first.subarray(0, filled));
  if (!REQUEST_LINE.test(start)) return await whoami(connection, context);
  await http(withStart(connection, first.subarray(0, filled)), context);
}

/** The connection with bytes put back at its start. */
function withStart(connection: Connection, start: Uint8Array): Connection {
  let rest = start;
  return {
    read: (buffer) => {
      if (rest.length === 0) return connection.read(buffer);
      const taken = Math.min(rest.length, buffer.length);
      buffer.set(rest.subarray(0, taken));
      rest = rest.subarray(taken);
      return Promise.resolve(taken);
    },
    write: (bytes) => connection.write(bytes),
    closeWrite: () => connection.closeWrite(),
  };
}
