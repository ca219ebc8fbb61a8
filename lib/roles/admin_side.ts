/** The admin side of a balancer: started with it, and never in its way. */

import type { Operations } from "../admin/operations.ts";
import type { RunningAdmin } from "../admin/server.ts";
import type { Config } from "../config/schema.ts";
import { formatAddress } from "../core/address.ts";
import { reasonOf, RunError } from "../core/errors.ts";
import type { Recorder } from "../core/log.ts";

type AdminConfig = NonNullable<Config["admin"]>;

/** A token shorter than this could be guessed. */
const MIN_TOKEN_CHARS = 16;

export class AdminSide {
  readonly #log: Recorder;
  #config: AdminConfig | undefined;
  #running: RunningAdmin | undefined;

  constructor(log: Recorder) {
    this.#log = log;
  }

  /** Where it is; undefined when it does not run. */
  get address(): string | undefined {
    return this.#running?.address;
  }

  /** Runs as this configuration says from now on. What goes wrong is logged; traffic goes on in any case. */
  async follow(config: AdminConfig | undefined, operations: Operations): Promise<void> {
    if (this.#running !== undefined && isSame(config, this.#config)) return;
    await this.stop();
    this.#config = config;
    if (config === undefined) return;
    try {
      this.#running = await start(config, operations, this.#log);
      this.#log.info("admin_listening", { address: this.#running.address });
    } catch (error) {
      this.#log.error("admin_failed", { address: formatAddress(config.listen), reason: reasonOf(error) });
    }
  }

  async stop(): Promise<void> {
    await this.#running?.stop();
    this.#running = undefined;
  }
}

/** Loaded only when it is wanted: nobody else should pay for it. */
async function start(config: AdminConfig, operations: Operations, log: Recorder): Promise<RunningAdmin> {
  const token = config.tokenFile === undefined ? undefined : await readToken(config.tokenFile);
  const [{ startAdmin }, { pageHtml }] = await Promise.all([
    import("../admin/server.ts"),
    import("../admin/page/page.ts"),
  ]);
  return await startAdmin({ listen: config.listen, token, operations, page: pageHtml, log });
}

/**
 * Reads a token: the only line of a file.
 *
 * @throws {RunError} when it cannot be read, or is none.
 */
export async function readToken(path: string): Promise<string> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound ? "no such file" : "cannot be read";
    throw new RunError(`${path}: ${why}`, { cause: error });
  }
  const token = text.trim();
  if (token.length >= MIN_TOKEN_CHARS && /^[\x21-\x7e]+$/.test(token)) return token;
  throw new RunError(
    `${path}: a token is one line of at least ${MIN_TOKEN_CHARS} letters, digits and signs, without spaces`,
  );
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
