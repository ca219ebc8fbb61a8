/** Several addresses of one peer: the first that answers is used (RFC 8305). */

import type { Address } from "../../core/address.ts";
import { dialFaultWeight } from "../dial_fault.ts";

/** A connection, which the caller closes. */
interface Closable {
  close(): void;
}

/** So long the earlier addresses have for themselves before the next is dialled beside them (RFC 8305, 5). */
const NEXT_ADDRESS_MS = 250;

/**
 * Dials the addresses in their order: the next one when one has failed, or after 250 ms beside those that have not answered
 * yet. One address alone costs nothing.
 *
 * @param dial Dials one address until its signal is aborted.
 * @return The first connection; others that may still come are closed.
 * @throws What says most of all that was thrown; see {@linkcode dialFaultWeight}.
 */
export function dialEach<Conn extends Closable>(
  addresses: readonly Address[],
  dial: (address: Address, signal: AbortSignal) => Promise<Conn>,
  signal: AbortSignal,
): Promise<Conn> {
  const [first] = addresses;
  if (first !== undefined && addresses.length === 1) return dial(first, signal);
  const { promise, resolve, reject } = Promise.withResolvers<Conn>();
  const won = new AbortController();
  const either = AbortSignal.any([signal, won.signal]);
  let next = 0;
  let failures = 0;
  let worst: { error: unknown; weight: number } | undefined;
  let isDone = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const finish = (): void => {
    isDone = true;
    clearTimeout(timer);
  };
  const dialNext = (): void => {
    clearTimeout(timer);
    const address = addresses[next++];
    if (address === undefined) return;
    if (next < addresses.length) timer = setTimeout(dialNext, NEXT_ADDRESS_MS);
    dial(address, either).then(
      (conn) => {
        if (isDone) return conn.close();
        finish();
        won.abort();
        resolve(conn);
      },
      (error) => {
        if (isDone) return;
        const weight = dialFaultWeight(error, address);
        if (worst === undefined || weight >= worst.weight) worst = { error, weight };
        if (++failures === addresses.length || signal.aborted) {
          finish();
          return reject(worst.error);
        }
        dialNext();
      },
    );
  };
  dialNext();
  return promise;
}
