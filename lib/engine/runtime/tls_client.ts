import { isIP } from "../../core/is_ip.ts";
import { connect, createSecureContext, type SecureContext } from "node:tls";
import { subjectText } from "../../core/certificate_text.ts";
import type { TlsClientOptions } from "../../core/tls_options.ts";
import type { TlsClient, TlsFacts, TlsKeys } from "../tls_contract.ts";
import type { Buffers } from "./buffers.ts";
import { checkPair } from "./tls_certificates.ts";
import type { TlsConn } from "./tls_conn.ts";
import { describeCertificateFault, TlsFault } from "./tls_fault.ts";

/** For a peer that is asked for no name: with an IP address none is sent. */
const NO_NAME = "0.0.0.0";

/**
 * TLS towards the backends of a pool, by `node:tls` over the connections that the engine has dialled. `Deno.startTls` adds to the
 * authorities that the runtime brings, and knows no client certificates (Deno 2.9.6).
 */
export class RuntimeTlsClient implements TlsClient {
  readonly buffers: Buffers;
  readonly #options: TlsClientOptions;
  #context: SecureContext;

  /** @throws {TypeError} as {@linkcode renew}. */
  constructor(options: TlsClientOptions, keys: TlsKeys, buffers: Buffers) {
    this.#options = options;
    this.#context = makeContext(keys);
    this.buffers = buffers;
  }

  renew(keys: TlsKeys): void {
    this.#context = makeContext(keys);
  }

  /** Opens TLS on a connection. @throws What `describeTlsFault` knows to explain. */
  async connect(conn: TlsConn, host: string | undefined): Promise<TlsFacts> {
    const { serverName = host, alpn, verify } = this.#options;
    const secureContext = this.#context;
    const isNamed = serverName !== undefined && !isIP(serverName);
    const socket = await conn.open((stream, opened, failed) => {
      const socket = connect({
        socket: stream,
        secureContext,
        ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
        ...(isNamed ? { servername: serverName } : { host: serverName ?? NO_NAME }),
        // It is decided below, where more is known of the reason.
        rejectUnauthorized: false,
      });
      socket.once("secureConnect", () => opened(socket));
      socket.on("error", failed);
    });
    // A resumed session would not have been verified for this name. There are none, as each connection begins with an empty store.
    if (verify && (!socket.authorized || socket.isSessionReused() || serverName === undefined)) {
      throw new TlsFault(describeCertificateFault(socket, serverName));
    }
    const { alpnProtocol } = socket;
    return {
      version: socket.getProtocol() ?? "",
      serverName: isNamed ? serverName : undefined,
      alpn: typeof alpnProtocol === "string" ? alpnProtocol : undefined,
      subject: verify ? subjectText(socket.getPeerX509Certificate()?.subject ?? "") : undefined,
    };
  }
}

function makeContext({ pairs: [pair], authorities }: TlsKeys): SecureContext {
  if (pair !== undefined) checkPair(pair);
  return createSecureContext({ ...(authorities === undefined ? {} : { ca: authorities }), ...pair });
}
