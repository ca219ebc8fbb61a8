/** TLS on the connection of a check. */

import { reasonOf } from "../core/errors.ts";
import type { TlsFacts } from "../engine/tls_contract.ts";
import type { RuntimeSocket } from "../engine/runtime/socket.ts";
import { describeTlsFault } from "../engine/runtime/tls_fault.ts";
import type { RuntimeTlsClient } from "../engine/runtime/tls_client.ts";
import { within } from "./check.ts";
import type { Deadline } from "./deadline.ts";

/** How long a backend may take to end TLS that we have ended. */
const LEAVE_MS = 250;

/** How a pool opens TLS to a backend. */
export interface TlsOpening {
  /** What it is opened with by now. */
  readonly client: () => RuntimeTlsClient;
  /** What the backend is called: a name or an IP address; undefined where it has neither. */
  readonly host: string | undefined;
}

/** What a check has seen, with what to do about it. */
function tlsFailure(why: string): string {
  const advice = why === "it wants to be shown a certificate"
    ? "; write cert and key in tls of the pool"
    : "";
  return `TLS: ${why}${advice}`;
}

/** With TLS 1.3 a backend may refuse only after TLS was opened, with an alert; undefined when an error is none. */
export function describeAlert(error: unknown): string | undefined {
  return reasonOf(error).includes("fatal alert") ? tlsFailure(describeTlsFault(error)) : undefined;
}

/** Opens it. Resolves with what was found, or with a few words that say why not; the caller closes the socket. Never rejects. */
export async function startTls(
  socket: RuntimeSocket,
  { client, host }: TlsOpening,
  { signal, timeoutMs }: Deadline,
): Promise<TlsFacts | string> {
  const { promise, resolve, reject } = Promise.withResolvers<TlsFacts | string>();
  const onEnd = (): void => resolve(`no TLS ${within(timeoutMs)}`);
  signal.addEventListener("abort", onEnd);
  if (signal.aborted) onEnd();
  try {
    const tlsFailed = (why: string): void => resolve(tlsFailure(why));
    socket.startTls(client(), host, { opened: resolve, tlsFailed, fault: reject });
    return await promise;
  } catch (error) {
    return `TLS: ${error instanceof Error ? error.message : "it cannot be opened"}`;
  } finally {
    signal.removeEventListener("abort", onEnd);
  }
}

/** Ends it as it should be, since a backend may take one that is cut off for an attack. Closes the socket. Never rejects. */
export async function endTls(socket: RuntimeSocket, { signal }: Deadline): Promise<void> {
  const close = (): void => socket.close();
  const timer = setTimeout(close, LEAVE_MS);
  signal.addEventListener("abort", close);
  if (signal.aborted) close();
  try {
    await socket.closeWrite();
    const buffer = new Uint8Array(1024);
    // deno-lint-ignore no-await-in-loop -- until its end, or ours
    while (await socket.read(buffer) !== null);
  } catch {
    // It is gone, or too slow; the check is over in any case.
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", close);
    close();
  }
}
