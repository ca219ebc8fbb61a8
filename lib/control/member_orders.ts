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
    if (!Object.hasOwn(membership.written.pools, pool)) return noPool(pool);
    let member: BackendConfig;
    try {
      member = readMemberMap({ ...value as Record<string, unknown>, name });
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      return { refused: "invalid", message: error.message };
    }
    const isNew = membership.backend(pool, name) === undefined;
    const refused = await this.#change(pool, name, member);
    if (refused !== undefined) return refused;
    const address = formatAddress(member.address);
    journal.info(isNew ? "backend_added" : "backend_changed", { pool, backend: name, address });
    return {
      message: `${name}: ${isNew ? "added" : "changed"}; it is ${address}, of weight ${member.weight}`,
    };
  }

  async remove(pool: string, name: string): Promise<MemberChanged> {
    const { membership, journal } = this.#balancer;
    if (!Object.hasOwn(membership.written.pools, pool)) return noPool(pool);
    if (membership.backend(pool, name) === undefined) {
      const message = `There is no backend ${JSON.stringify(name)} in the pool ${JSON.stringify(pool)}.`;
      return { refused: "missing", message };
    }
    if (membership.added.get(pool, name) === undefined) {
      const message = `${name} was not added here: take it out of ${
        membership.originOf(pool, name) === "file" ? "the configuration" : "its source"
      }, or disable it.`;
      return { refused: "conflict", message };
    }
    const refused = await this.#change(pool, name, undefined);
    if (refused !== undefined) return refused;
    const isBack = membership.backend(pool, name) !== undefined;
    journal.info("backend_removed", { pool, backend: name });
    return { message: isBack ? `${name}: as it was before it was changed here` : `${name}: removed` };
  }

  /** @return Why it cannot be done; then nothing has changed. */
  async #change(
    pool: string,
    name: string,
    member: BackendConfig | undefined,
  ): Promise<MemberChanged | undefined> {
    const { membership } = this.#balancer;
    const before = membership.added.get(pool, name);
    const put = (it: BackendConfig | undefined): void => {
      if (it === undefined) membership.added.remove(pool, name);
      else membership.added.put(pool, it);
    };
    put(member);
    try {
      const refused = membership.join(membership.written).refused.get(pool) ?? [];
      const why = member && refused.find((it) => it.startsWith(`${name}: `));
      if (why !== undefined) {
        put(before);
        return { refused: "conflict", message: `${why}.` };
      }
      await this.#balancer.applyMembers();
      return undefined;
    } catch (error) {
      put(before);
      return { refused: "conflict", message: `${reasonOf(error)}; nothing has changed.` };
    }
  }
}

function noPool(pool: string): MemberChanged {
  return { refused: "missing", message: `There is no pool ${JSON.stringify(pool)}.` };
}
