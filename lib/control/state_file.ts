/** What the operator wants, as a file: `state_file`. */

import { z } from "zod";
import { readMemberMap } from "../config/member_list.ts";
import type { BackendConfig } from "../config/pool_schema.ts";
import { formatAddress } from "../core/address.ts";
import { writeAll } from "../core/connection.ts";
import { reasonOf } from "../core/errors.ts";
import type { Wish } from "./wishes.ts";

/** By pool and backend. */
export interface OperatorState {
  readonly wishes: readonly { readonly pool: string; readonly backend: string; readonly wish: Wish }[];
  readonly added: readonly { readonly pool: string; readonly member: BackendConfig }[];
  /** What the fleet may not know. */
  readonly unshared: readonly UnsharedWish[];
}

/** A wish for all balancers of the fleet, which etcd may not have: a key of it, in parts, and its value. */
export interface UnsharedWish {
  readonly pool: string;
  readonly backend: string;
  readonly what: "state" | "weight";
  readonly value: string;
}

const wish = z.strictObject({
  operator: z.enum(["draining", "disabled"]).optional(),
  weight: z.int().min(0).max(256).optional(),
  over: z.int().min(0).max(256).optional(),
});

const stateSchema = z.strictObject({
  version: z.literal(1),
  wishes: z.record(z.string(), z.record(z.string(), wish)),
  added: z.record(z.string(), z.record(z.string(), z.unknown())),
  unshared: z.array(z.strictObject({
    pool: z.string(),
    backend: z.string(),
    what: z.enum(["state", "weight"]),
    value: z.string(),
  })).prefault([]),
});

/** Far more than ten thousand wishes. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * Reads the file.
 *
 * @return Undefined where there is none yet.
 * @throws {Error} with one sentence.
 */
export async function readStateFile(path: string): Promise<OperatorState | undefined> {
  let text: string;
  try {
    if ((await Deno.stat(path)).size > MAX_BYTES) throw new RangeError("it is larger than 16 MiB");
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new Error(`${path}: cannot be read: ${reasonOf(error)}`, { cause: error });
  }
  try {
    const { wishes, added, unshared } = stateSchema.parse(JSON.parse(text));
    return {
      wishes: entriesOf(wishes).map(([pool, backend, { operator, weight, over }]) => ({
        pool,
        backend,
        wish: {
          ...(operator === undefined ? {} : { operator }),
          ...(weight === undefined ? {} : { weight }),
          ...(over === undefined ? {} : { over }),
        },
      })),
      added: entriesOf(added).map(([pool, name, value]) => {
        return { pool, member: readMemberMap({ ...value as Record<string, unknown>, name }) };
      }),
      unshared,
    };
  } catch (error) {
    throw new Error(`${path}: is no state that sockbal has written`, { cause: error });
  }
}

/**
 * Writes it anew beside the old one and puts it in its place when the disk has it, so that it is always whole, be it the old or the
 * new one.
 */
export async function writeStateFile(
  path: string,
  { wishes, added, unshared }: OperatorState,
): Promise<void> {
  const state = {
    version: 1,
    wishes: nested(wishes.map(({ pool, backend, wish }) => [pool, backend, wish])),
    added: nested(added.map(({ pool, member }) => [pool, member.name, {
      address: formatAddress(member.address),
      weight: member.weight,
      max_connections: member.maxConnections,
      backup: member.backup,
    }])),
    ...(unshared.length === 0 ? {} : { unshared }),
  };
  const next = newStateFile(path);
  {
    using file = await Deno.open(next, { write: true, create: true, truncate: true, mode: 0o600 });
    await writeAll(file, new TextEncoder().encode(JSON.stringify(state, null, 2) + "\n"));
    await file.sync();
  }
  await Deno.rename(next, path);
}

/**
 * Moves one that could not be read out of the way of the next, so that what is in it is not lost.
 *
 * @return Where it is now; undefined where there is none.
 * @throws {Error} with one sentence, when it stays where it is, and may not be overwritten.
 */
export async function keepAside(path: string): Promise<string | undefined> {
  const aside = unreadStateFile(path);
  const found = await infoOf(path);
  if (found === undefined) return undefined;
  if (found.isDirectory) throw new Error(`${path}: is a directory`);
  if (await infoOf(aside) !== undefined) {
    throw new Error(
      `${path} could not be read, and is not overwritten; ${aside} is another such one: move one of them away`,
    );
  }
  await Deno.rename(path, aside);
  return aside;
}

/** Where the next one is written until it is whole. */
export function newStateFile(path: string): string {
  return `${path}.new`;
}

/** Where one is kept that could not be read. */
export function unreadStateFile(path: string): string {
  return `${path}.unread`;
}

async function infoOf(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function entriesOf<T>(pools: Record<string, Record<string, T>>): [pool: string, backend: string, value: T][] {
  return Object.entries(pools).flatMap(([pool, backends]) => {
    return Object.entries(backends).map(([backend, value]): [string, string, T] => [pool, backend, value]);
  });
}

function nested(
  entries: readonly (readonly [string, string, unknown])[],
): Record<string, Record<string, unknown>> {
  const pools = Object.groupBy(entries, ([pool]) => pool);
  return Object.fromEntries(
    Object.entries(pools).map(([pool, list = []]) => {
      return [pool, Object.fromEntries(list.map(([, backend, value]) => [backend, value]))];
    }),
  );
}
