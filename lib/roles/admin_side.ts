/** The admin side of a balancer: started with it, and never in its way. */

import type { Operations } from "../admin/operations.ts";
import type { RunningAdmin } from "../admin/server.ts";
import type { Config } from "../config/schema.ts";
import { type Address, formatAddress } from "../core/address.ts";
import { reasonOf, RunError } from "../core/errors.ts";
import type { Recorder } from "../core/log.ts";

/** A token shorter than this could be guessed. */
const MIN_TOKEN_CHARS = 16;

/** What the admin side needs, read and ready. */
export interface AdminPlan {
  readonly listen: Address;
  readonly token: string | undefined;
}

/**
 * Reads what a configuration says about the admin side.
 *
 * @throws {RunError} when the token cannot be read, or is none.
 */
export async function planAdmin(config: Config): Promise<AdminPlan | undefined> {
  if (config.admin === undefined) return undefined;
  const { listen, tokenFile } = config.admin;
  return { listen, token: tokenFile === undefined ? undefined : await readToken(tokenFile) };
}

export class AdminSide {
  readonly #log: Recorder;
  #plan: AdminPlan | undefined;
  #running: RunningAdmin | undefined;
  /** Changes follow one another. */
  #changing: Promise<void> = Promise.resolve();

  constructor(log: Recorder) {
    this.#log = log;
  }

  /** Where it is; undefined when it does not run. */
  get address(): string | undefined {
    return this.#running?.address;
  }

  /** Runs as this plan says from now on. What goes wrong is logged; traffic goes on in any case. Never rejects. */
  follow(plan: AdminPlan | undefined, operations: Operations): Promise<void> {
    return this.#changing = this.#changing.then(() => this.#change(plan, operations));
  }

  async stop(): Promise<void> {
    await this.#changing;
    await this.#running?.stop();
    this.#running = undefined;
  }

  async #change(plan: AdminPlan | undefined, operations: Operations): Promise<void> {
    if (this.#running !== undefined && isSame(plan, this.#plan)) return;
    try {
      await this.#running?.stop();
      this.#running = undefined;
      this.#plan = plan;
      if (plan !== undefined) this.#running = await start(plan, operations, this.#log);
    } catch (error) {
      const address = plan === undefined ? undefined : formatAddress(plan.listen);
      this.#log.error("admin_failed", { address, reason: reasonOf(error) });
    }
  }
}

/** Loaded only when it is wanted: nobody else should pay for it. */
async function start(plan: AdminPlan, operations: Operations, log: Recorder): Promise<RunningAdmin> {
  const [{ startAdmin }, { pageHtml }] = await Promise.all([
    import("../admin/server.ts"),
    import("../admin/page/page.ts"),
  ]);
  return await startAdmin({ ...plan, operations, page: pageHtml, log });
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
