/** Tests of what moves bytes run on every engine. */

import assert from "node:assert/strict";
import type { EngineName } from "../../lib/config/engine_names.ts";
import type { Connection } from "../../lib/core/connection.ts";
import { joined } from "./bytes.ts";

/** Those that this machine can have. */
export const ENGINES: readonly EngineName[] = Deno.build.os === "linux" ? ["runtime", "epoll"] : ["runtime"];

/** Registers a test for each engine. */
export function onEachEngine(sentence: string, test: (engine: EngineName) => Promise<void>): void {
  for (const engine of ENGINES) Deno.test(`${sentence} (${engine})`, () => test(engine));
}

/**
 * Everything until the balancer cuts the session: epoll resets the connection after all that came before, the runtime can only end
 * it. Fails when it is the other way.
 */
export async function readUntilCut(conn: Pick<Connection, "read">, engine: EngineName): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const buffer = new Uint8Array(64 * 1024);
  const read = async (): Promise<"bytes" | "end" | "reset"> => {
    try {
      const filled = await conn.read(buffer);
      if (filled === null) return "end";
      parts.push(buffer.slice(0, filled));
      return "bytes";
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionReset) return "reset";
      throw error;
    }
  };
  let how = await read();
  // deno-lint-ignore no-await-in-loop -- a stream is read in order
  while (how === "bytes") how = await read();
  assert.equal(how, engine === "epoll" ? "reset" : "end");
  return joined(parts);
}
