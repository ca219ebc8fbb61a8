/** The operator adds, changes and removes members of pools. */

import type { MemberChanged } from "../admin/operations.ts";
import { readMemberMap } from "../config/member_list.ts";
import type { BackendConfig } from "../config/pool_schema.ts";
import { formatAddress } from "../core/address.ts";
import { InputError, reasonOf } from "../core/errors.ts";
import type { Balancer } from "./balancer.ts";
import type { Joined } from "./members.ts";

export class MemberOrders {
  readonly #balancer: Balancer;

  constructor(balancer: Balancer) {
    this.#balancer = balancer;
  }

  /** @param value As a backend in the file, without its name. */
  async set(pool: string, name: string, value: unknown): Promise<MemberChanged> {
    const { journal } = this.#balancer;
    let isNew = false;
    const read = (joined: Joined): BackendConfig => {
      isNew = !joined.members.get(pool)?.has(name);
      return readMember(name, value);
    };
    return await this.#change(pool, name, read, ({ address: written, weight }) => {
      const address = formatAddress(written);
      journal.info(isNew ? "backend_added" : "backend_changed", { pool, backend: name, address });
      return `${name}: ${isNew ? "added" : "changed"}; it is ${address}, of weight ${weight}`;
    });
  }

  async remove(pool: string, name: string): Promise<MemberChanged> {
    const { membership, journal } = this.#balancer;
    return await this.#change(pool, name, (joined) => this.#checkRemoval(pool, name, joined), (_, after) => {
      const isBack = after.members.get(pool)?.has(name) ?? false;
      journal.info("backend_removed", { pool, backend: name });
      if (!isBack) membership.wishes.forget(pool, name);
      return isBack ? `${name}: as it was before it was changed here` : `${name}: removed`;
    });
  }

  #checkRemoval(pool: string, name: string, { members, origins }: Joined): undefined {
    if (this.#balancer.membership.added.get(pool, name) !== undefined) return undefined;
    if (!members.get(pool)?.has(name)) {
      throw new Refusal(
        "missing",
        `There is no backend ${JSON.stringify(name)} in the pool ${JSON.stringify(pool)}.`,
      );
    }
    const where = origins.get(pool)?.get(name) === undefined ? "the configuration" : "its source";
    throw new Refusal("conflict", `${name} was not added here: take it out of ${where}, or disable it.`);
  }

  /**
   * Looks, changes and puts into force when its turn comes, so that of two orders, or an order and a reload, the later one finds what
   * the earlier one has left. When it cannot be done, nothing has changed.
   *
   * @param read Gives the member, or undefined to remove it, from what there is before; throws a refusal.
   * @param done Called when it is in force, with what there was right after the change; gives the message.
   */
  async #change<M extends BackendConfig | undefined>(
    pool: string,
    name: string,
    read: (before: Joined) => M,
    done: (member: M, after: Joined) => string,
  ): Promise<MemberChanged> {
    const { membership } = this.#balancer;
    const put = (it: BackendConfig | undefined): void => {
      if (it === undefined) membership.added.remove(pool, name);
      else membership.added.put(pool, it);
    };
    const join = (): Joined => membership.join(membership.written);
    try {
      let [member, after]: [M?, Joined?] = [];
      await this.#balancer.applyMembers(() => {
        if (!Object.hasOwn(membership.written.pools, pool)) {
          throw new Refusal("missing", `There is no pool ${JSON.stringify(pool)}.`);
        }
        const [before, joined] = [membership.added.get(pool, name), join()];
        const known = joined.refused.get(pool) ?? [];
        member = read(joined);
        put(member);
        after = join();
        // Neither may it be left out, nor another one for it.
        const why = member &&
          after.refused.get(pool)?.find((it) => it.startsWith(`${name}: `) || !known.includes(it));
        if (why !== undefined) {
          put(before);
          throw new Refusal("conflict", `${why}.`);
        }
        return () => put(before);
      });
      return { message: done(member as M, after as unknown as Joined) };
    } catch (error) {
      if (error instanceof Refusal) return { refused: error.kind, message: error.message };
      return { refused: "conflict", message: `${reasonOf(error)}; nothing has changed.` };
    }
  }
}

/** Why an order is not carried out. */
class Refusal extends Error {
  readonly kind: NonNullable<MemberChanged["refused"]>;

  constructor(kind: NonNullable<MemberChanged["refused"]>, message: string) {
    super(message);
    this.kind = kind;
  }
}

function readMember(name: string, value: unknown): BackendConfig {
  try {
    return readMemberMap({ ...value as Record<string, unknown>, name });
  } catch (error) {
    throw error instanceof InputError ? new Refusal("invalid", error.message) : error;
  }
}
