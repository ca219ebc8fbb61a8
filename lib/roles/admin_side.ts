/** The admin side of a balancer: started with it, and never in its way. */

import type { Operations } from "../admin/operations.ts";
import type { AdminOptions, RunningAdmin } from "../admin/server.ts";
import type { Config } from "../config/schema.ts";
import { readToken } from "../config/token_file.ts";
import { isOneFile } from "../control/worker_entry.ts";
import { type Address, formatAddress, type StreamAddress } from "../core/address.ts";
import { groupNumber } from "../core/groups.ts";
import { setSocketFile, type SocketFile } from "../core/socket_file.ts";
import { reasonOf } from "../core/errors.ts";
import type { Recorder } from "../core/log.ts";

/** What the admin side needs, read and ready. */
export interface AdminPlan {
  readonly listen: StreamAddress;
  readonly tokenFile: string | undefined;
  readonly token: string | undefined;
  /** Who may connect to its Unix socket; undefined: as the umask has it. */
  readonly file: SocketFile | undefined;
  /** What the configuration says of that. */
  readonly guard: Pick<NonNullable<Config["admin"]>, "mode" | "group">;
}

/**
 * Reads what a configuration says about the admin side.
 *
 * @throws {RunError} when the token cannot be read, or is none, or there is no such group.
 */
export async function planAdmin(config: Config): Promise<AdminPlan | undefined> {
  if (config.admin === undefined) return undefined;
  const { listen, tokenFile, ...guard } = config.admin;
  const { mode, group } = guard;
  const file = mode === undefined && group === undefined
    ? undefined
    : { mode, group: typeof group === "string" ? await groupNumber(group) : group };
  const token = tokenFile === undefined ? undefined : await readToken(tokenFile);
  return { listen, tokenFile, token, file, guard };
}

export class AdminSide {
  readonly #log: Recorder;
  /** What runs; undefined while nothing does. */
  #plan: AdminPlan | undefined;
  #running: RunningAdmin | undefined;
  /** Changes follow one another. */
  #changing: Promise<unknown> = Promise.resolve();
  /** Those that were replaced and still answer their last requests. */
  readonly #leaving = new Set<Promise<void>>();

  constructor(log: Recorder) {
    this.#log = log;
  }

  /** Where it is; undefined when it does not run. */
  get address(): string | undefined {
    return this.#running?.address;
  }

  /** What is in force, as a configuration says it. */
  get inForce(): Config["admin"] {
    return this.#plan === undefined
      ? undefined
      : { listen: this.#plan.listen, tokenFile: this.#plan.tokenFile, ...this.#plan.guard };
  }

  /**
   * Begins. What a user asked for is there, or the start fails.
   *
   * @param replaces Whether its Unix socket takes the place of one that is answered.
   * @throws {RunError} when it cannot listen.
   */
  async start(plan: AdminPlan | undefined, operations: Operations, replaces = false): Promise<void> {
    if (plan === undefined) return;
    const starting = this.#changing.then(() => this.#take(plan, operations, replaces));
    this.#changing = starting.catch(() => {});
    await starting;
  }

  /**
   * Runs as this plan says from now on; does not wait until the requests before it are answered. What goes wrong is logged;
   * traffic goes on in any case. Never rejects.
   *
   * @return Why it does not run as the plan says, and what runs instead; undefined when it does.
   */
  follow(plan: AdminPlan | undefined, operations: Operations): Promise<string | undefined> {
    const changing = this.#changing.then(() => this.#change(plan, operations));
    this.#changing = changing.then(({ rest }) => rest?.());
    return changing.then(({ note }) => note);
  }

  async stop(): Promise<void> {
    await this.#changing;
    this.#leave();
    await Promise.all(this.#leaving);
  }

  async #change(plan: AdminPlan | undefined, operations: Operations): Promise<Changed> {
    const before = this.#plan;
    const isInPlace = await this.#running?.isInPlace() ?? true;
    if (isSame(plan, before) && isInPlace) return {};
    if (plan === undefined) {
      this.#leave();
      return {};
    }
    if (this.#running !== undefined && isSame(plan.listen, before?.listen)) {
      // Only a new file is as the system makes it.
      if (!isInPlace || saysLess(plan, before)) {
        return { note: await this.#move(plan, operations, isInPlace) };
      }
      this.#running.setToken(plan.token);
      this.#plan = plan;
      return guarded(plan);
    }
    if (before === undefined || !isSamePort(plan.listen, before.listen)) {
      return { note: await this.#move(plan, operations) };
    }
    // The old one has to go first, and has a request to answer that waits for this.
    const [from, to] = [before, plan].map(({ listen }) => formatAddress(listen));
    const note = `it moves from ${from} to ${to} in a moment; the log says when it cannot`;
    return { note, rest: () => this.#exchange(plan, before, operations) };
  }

  /** The address is taken before the old one is given up, so that a failure leaves the operator with something. */
  async #take(plan: AdminPlan, operations: Operations, replaces = false): Promise<void> {
    await Promise.all(this.#leaving);
    const next = await start({ ...plan, operations, replaces, log: this.#log });
    this.#leave();
    this.#running = next;
    this.#plan = plan;
  }

  async #move(plan: AdminPlan, operations: Operations, replaces = false): Promise<string | undefined> {
    try {
      await this.#take(plan, operations, replaces);
      return undefined;
    } catch (error) {
      const reason = reasonOf(error);
      this.#log.error("admin_failed", { address: formatAddress(plan.listen), reason, remains: this.address });
      return `${reason}; ${this.address === undefined ? "there is none" : `it remains on ${this.address}`}`;
    }
  }

  /** From one address to another with the same port. When that fails, the old one is taken again. */
  async #exchange(plan: AdminPlan, before: AdminPlan, operations: Operations): Promise<void> {
    this.#leave();
    if (await this.#move(plan, operations) !== undefined) await this.#move(before, operations);
  }

  /** What runs answers the requests under way, and ends. */
  #leave(): void {
    const running = this.#running;
    this.#running = undefined;
    this.#plan = undefined;
    if (running === undefined) return;
    const leaving = running.stop().finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }
}

/** What became of a change. */
interface Changed {
  /** Why it is not, or not yet, as it was wanted. */
  readonly note?: string | undefined;
  /** What is left to be done, before the next change. */
  readonly rest?: () => Promise<void>;
}

/** Whether the one before said what the next says no more: a mode, or a group. */
function saysLess({ file }: AdminPlan, before: AdminPlan | undefined): boolean {
  return (["mode", "group"] as const).some((key) => {
    return before?.file?.[key] !== undefined && file?.[key] === undefined;
  });
}

/** Sets the mode and the group of its socket, which is there already. */
function guarded({ listen, file }: AdminPlan): Changed {
  if (listen.transport !== "unix" || file === undefined) return {};
  try {
    setSocketFile(listen.path, file);
    return {};
  } catch (error) {
    return { note: reasonOf(error) };
  }
}

/** Whether one of two addresses may have to be free before the other can be listened on. */
function isSamePort(one: Address, other: Address): boolean {
  return one.transport === "tcp" && other.transport === "tcp" && one.port !== 0 && one.port === other.port;
}

/**
 * Loads the modules of the admin side as they are now, for a reload that may turn it on when the files have been replaced by
 * another version. Where the program is one file that has been done already. Never rejects.
 */
export async function keepAdminCode(): Promise<void> {
  if (isOneFile || Deno.build.standalone) return;
  // What cannot be loaded is said when it is wanted.
  await loadAdmin().catch(() => {});
}

/** Loaded only when it is wanted, or may be later: it takes 4 MB and 25 ms. */
function loadAdmin(): Promise<[typeof import("../admin/server.ts"), typeof import("../admin/page/page.ts")]> {
  return Promise.all([import("../admin/server.ts"), import("../admin/page/page.ts")]);
}

async function start(options: Omit<AdminOptions, "page">): Promise<RunningAdmin> {
  const [{ startAdmin }, { pageHtml }] = await loadAdmin();
  return await startAdmin({ ...options, page: pageHtml });
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
