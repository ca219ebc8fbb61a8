import type { TlsClientOptions } from "../core/tls_options.ts";
import type { TlsFacts, TlsKeys } from "../engine/tls_contract.ts";
import { RuntimeEngine } from "../engine/runtime/engine.ts";
import type { RuntimeSocket } from "../engine/runtime/socket.ts";

/** How a conversation opens TLS. */
export interface TlsTalk extends TlsClientOptions {
  readonly keys: TlsKeys;
  /** Told once TLS is open. */
  readonly onOpen?: (facts: TlsFacts) => void;
}

/** TLS was not opened, for a reason that stands in its message: plain words about the peer. */
export class TlsRefusal extends Error {
  override readonly name = "TlsRefusal";
}

/**
 * Opens TLS on a connection, which from then on carries what is read and written.
 *
 * @param host Where it was dialled, if that is a name or an IP address.
 * @param signal Ends the attempt when it is aborted.
 * @throws {TlsRefusal} when it is not opened, or whatever has ended the connection.
 */
export function startTls(
  conn: RuntimeSocket,
  { keys, onOpen, ...options }: TlsTalk,
  host: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    // Nothing is told any more once the connection is closed.
    const giveUp = (): void => reject(signal.reason);
    signal.addEventListener("abort", giveUp, { once: true });
    if (signal.aborted) giveUp();
    const then = (call: () => void): void => {
      signal.removeEventListener("abort", giveUp);
      call();
    };
    conn.startTls(new RuntimeEngine(new Set()).tlsClient(options, keys), host, {
      opened: (facts) =>
        then(() => {
          onOpen?.(facts);
          resolve();
        }),
      tlsFailed: (why) => then(() => reject(new TlsRefusal(why))),
      fault: (fault) => then(() => reject(fault)),
    });
  });
}
