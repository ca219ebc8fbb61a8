/** What is written to etcd: keys, alone or under a lease, and several at once on a condition. Each throws an error with one sentence. */

import { encode, type EtcdClient } from "./etcd_client.ts";

/** A key to put, or without a value to delete. */
export interface EtcdWrite {
  readonly key: string;
  readonly value?: string | undefined;
  /** The lease with which the key goes; undefined: it stays until it is deleted. */
  readonly lease?: string | undefined;
}

/** A key is as it was when it was read. */
export interface EtcdCondition {
  readonly key: string;
  /** That of its last change; "0": there is no such key. */
  readonly revision: string;
}

export interface EtcdLease {
  readonly id: string;
  /** How long it lives without being kept, in seconds. */
  readonly ttlS: number;
}

/**
 * Writes all of it in one step, or nothing when one of the conditions does not hold.
 *
 * @returns The revision with which it was written, which all of these keys have now; undefined: nothing was written.
 */
export async function writeIf(
  client: EtcdClient,
  conditions: readonly EtcdCondition[],
  writes: readonly EtcdWrite[],
  stop: AbortSignal,
): Promise<string | undefined> {
  const body = { compare: conditions.map(compareOf), success: writes.map(requestOf) };
  const { succeeded, header } = await client.call("kv/txn", body, stop) as {
    succeeded?: boolean;
    header: { revision: string };
  };
  return succeeded ? header.revision : undefined;
}

/** Begins a lease. What is put under it goes when it has not been kept for so long. */
export async function grantLease(client: EtcdClient, ttlS: number, stop: AbortSignal): Promise<EtcdLease> {
  const { ID, TTL } = await client.call("lease/grant", { TTL: String(ttlS) }, stop) as {
    ID: string;
    TTL: string;
  };
  return { id: ID, ttlS: Number(TTL) };
}

/** Has a lease live for another TTL. @returns Whether it was still there. */
export async function keepLease(client: EtcdClient, id: string, stop: AbortSignal): Promise<boolean> {
  const { result } = await client.call("lease/keepalive", { ID: id }, stop) as { result?: { TTL?: string } };
  // A lease that is gone has no TTL, or 0.
  return Number(result?.TTL ?? 0) > 0;
}

/** Ends a lease, and all keys under it. One that is gone already is a refusal of etcd. */
export async function revokeLease(client: EtcdClient, id: string, stop: AbortSignal): Promise<void> {
  await client.call("lease/revoke", { ID: id }, stop);
}

function compareOf({ key, revision }: EtcdCondition): unknown {
  return { key: encode(key), target: "MOD", result: "EQUAL", mod_revision: revision };
}

function requestOf({ key, value, lease = "0" }: EtcdWrite): unknown {
  return value === undefined
    ? { request_delete_range: { key: encode(key) } }
    : { request_put: { key: encode(key), value: encode(value), lease } };
}
