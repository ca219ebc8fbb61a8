/** How a balancer lets another process take its place: it passes its listening sockets, and stops when that process listens with them. */

import type { HandOverOffer } from "../admin/operations.ts";
import { type Address, formatAddress } from "../core/address.ts";
import { reasonOf } from "../core/errors.ts";
import { handOverAt } from "../core/socket_file.ts";
import { socketsOf } from "../dataplane/messages.ts";
import type { Balancer } from "./balancer.ts";

export interface HandOverOptions {
  readonly balancer: Balancer;
  /** Where the admin side is; undefined where it is not. */
  readonly admin: () => Address | undefined;
  /** Resolves when what the operator wants is in the state file. */
  readonly keepState: () => Promise<void>;
  /** Called when another process has all that it takes: nothing comes into force any more, and what is left here is to drain. */
  readonly onDone: () => void;
}

export class HandOver {
  readonly #options: HandOverOptions;
  /** What was passed last, as formatted addresses. */
  #passed: ReadonlySet<string> = new Set();
  #isDone = false;

  constructor(options: HandOverOptions) {
    this.#options = options;
  }

  /** Passes all listening sockets to the process that waits beside the admin's; all goes on here. */
  async offer(): Promise<HandOverOffer | { readonly refused: string }> {
    const { balancer, admin, keepState } = this.#options;
    const at = admin();
    const { book, name } = balancer.engine;
    if (book === undefined) {
      return { refused: `the engine ${name} cannot pass its sockets; this needs epoll` };
    }
    if (at?.transport !== "unix") return { refused: "the admin side is not at a Unix socket" };
    const busy = this.#whyNot();
    if (busy !== undefined) return { refused: busy };
    await keepState();
    const open = book.open;
    try {
      if (!book.pass(handOverAt(at))) return { refused: "it is run by another user" };
    } catch (error) {
      return { refused: `the sockets cannot be passed at ${handOverAt(at).path}: ${reasonOf(error)}` };
    }
    this.#passed = new Set(open.map(({ address }) => formatAddress(address)));
    const { listeners, settled } = balancer.plan;
    const own = listeners.flatMap(socketsOf).map(formatAddress).filter((it) => !this.#passed.has(it));
    return {
      sockets: [
        ...open.map(({ address, descriptors, isManaged, made, guard }) => {
          const count = descriptors.length;
          return { address: formatAddress(address), count, is_managed: isManaged, made, guard };
        }),
        // TLS is opened there.
        ...own.map((address) => ({ address, count: 0, is_managed: false })),
      ],
      settled: [...settled].map(([key, at]) => ({ key, addresses: at.map(formatAddress) })),
      pid: Deno.pid,
    };
  }

  /**
   * Another process listens: stops accepting, and begins to drain. Resolves when no worker accepts any more.
   *
   * @param unused Addresses of what was passed that it does not use: they are closed here too.
   * @return Why nothing has been done; undefined when it has.
   */
  async finish(unused: readonly string[]): Promise<string | undefined> {
    const { balancer, onDone } = this.#options;
    if (this.#passed.size === 0) return "no sockets have been passed";
    const busy = this.#whyNot();
    if (busy !== undefined) return busy;
    this.#isDone = true;
    const taken = this.#passed.difference(new Set(unused));
    const left = balancer.leaveTo(taken);
    onDone();
    await left;
    balancer.journal.info("handed_over", { sockets: taken.size });
    return undefined;
  }

  #whyNot(): string | undefined {
    if (this.#isDone) return "another process has its place";
    const { state } = this.#options.balancer;
    return state === "running" ? undefined : `it is ${state}`;
  }
}
