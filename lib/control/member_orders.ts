/** The operator adds, changes and removes members of pools. */

import type { MemberChanged } from "../admin/operations.ts";
import { readMemberMap } from "../config/member_list.ts";
import type { BackendConfig } from "../config/pool_schema.ts";
import { formatAddress } from "../core/address.ts";
import { InputError, reasonOf } from "../core/errors.ts";
import type { Balancer } from "./balancer.ts";

export class MemberOrders {
  readonly #balancer: Balancer;

  constructor(balancer: Balancer) {
    this.#balancer = balancer;
  }

  /** @param value As a backend in the file, without its name. */
  async set(pool: string, name: string, value: unknown): Promise<MemberChanged> {
    const { membership, journal } = this.#balancer;
    let isNew = false;
    const read = (): BackendConfig => {
      isNew = membership.backend(pool, name) === undefined;
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
    return await this.#change(pool, name, () => this.#checkRemoval(pool, name), () => {
      const isBack = membership.backend(pool, name) !== undefined;
      journal.info("backend_removed", { pool, backend: name });
      return isBack ? `${name}: as it was before it was changed here` : `${name}: removed`;
    });
  }

  #checkRemoval(pool: string, name: string): undefined {
    const { membership } = this.#balancer;
    if (membership.backend(pool, name) === undefined) {
      throw new Refusal(
        "missing",
        `There is no backend ${JSON.stringify(name)} in the pool ${JSON.stringify(pool)}.`,
      );
    }
    if (membership.added.get(pool, name) !== undefined) return undefined;
    const where = membership.originOf(pool, name) === "file" ? "the configuration" : "its source";
    throw new Refusal("conflict", `${name} was not added here: take it out of ${where}, or disable it.`);
  }

  /**
   * Looks, changes and puts into force when its turn comes, so that of two orders, or an order and a reload, the later one finds what
   * the earlier one has left. When it cannot be done, nothing has changed.
   *
   * @param read Gives the member, or undefined to remove it; throws a refusal.
   * @param done Called when it is in force; gives the message.
   */
  async #change<M extends BackendConfig | undefined>(
    pool: string,
    name: string,
    read: () => M,
    done: (member: M) => string,
  ): Promise<MemberChanged> {
    const { membership } = this.#balancer;
    const put = (it: BackendConfig | undefined): void => {
      if (it === undefined) membership.added.remove(pool, name);
      else membership.added.put(pool, it);
    };
    const refused = (): readonly string[] => membership.join(membership.written).refused.get(pool) ?? [];
    try {
      let member: M | undefined;
      await this.#balancer.applyMembers(() => {
        if (!Object.hasOwn(membership.written.pools, pool)) {
          throw new Refusal("missing", `There is no pool ${JSON.stringify(pool)}.`);
        }
        const before = membership.added.get(pool, name);
        const known = refused();
        member = read();
        put(member);
        // Neither may it be left out, nor another one for it.
        const why = member && refused().find((it) => it.startsWith(`${name}: `) || !known.includes(it));
        if (why !== undefined) {
          put(before);
          throw new Refusal("conflict", `${why}.`);
        }
        return () => put(before);
      });
      return { message: done(member as M) };
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
