/** An admin side of the real kind on a free port, with a balancer behind it that only remembers. */

import { parseListenAddress } from "../../lib/core/address.ts";
import type { SocketFile } from "../../lib/core/socket_file.ts";
import { startAdmin } from "../../lib/admin/server.ts";
import { type MemoryLog, memoryLog } from "../support/memory_log.ts";
import { FakeOperations } from "./fake_operations.ts";
import { type Answer, type Asking, request } from "./http_client.ts";

export interface TestAdmin extends AsyncDisposable {
  readonly address: string;
  readonly operations: FakeOperations;
  readonly log: MemoryLog;
  /** Sends one request and reads the whole answer. */
  ask(asking: Asking): Promise<Answer>;
  stop(): Promise<void>;
}

export interface TestAdminOptions {
  readonly listen?: string;
  readonly file?: SocketFile;
  readonly token?: string;
  readonly page?: (nonce: string) => string;
  readonly maxConnections?: number;
  readonly operations?: FakeOperations;
}

export async function startTestAdmin(options: TestAdminOptions = {}): Promise<TestAdmin> {
  const operations = options.operations ?? new FakeOperations();
  const log = memoryLog();
  const { address, stop } = await startAdmin({
    listen: parseListenAddress(options.listen ?? "127.0.0.1:0"),
    file: options.file,
    token: options.token,
    operations,
    page: options.page ?? ((nonce) => `<!doctype html><script nonce="${nonce}"></script>`),
    log: log.log,
    ...(options.maxConnections === undefined ? {} : { maxConnections: options.maxConnections }),
  });
  const ask = (asking: Asking): Promise<Answer> => request(address, asking);
  return { address, operations, log, ask, stop, [Symbol.asyncDispose]: stop };
}

/** The JSON of an answer. */
// deno-lint-ignore no-explicit-any -- what is in it is what a test is about
export function json({ body }: Answer): any {
  return JSON.parse(body);
}
