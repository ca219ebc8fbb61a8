import assert from "node:assert/strict";
import { Buffers } from "../../lib/engine/runtime/buffers.ts";
import type { RuntimeConn } from "../../lib/engine/runtime/runtime_conn.ts";
import { RuntimeTlsClient } from "../../lib/engine/runtime/tls_client.ts";
import { TlsConn } from "../../lib/engine/runtime/tls_conn.ts";
import { describeTlsFault } from "../../lib/engine/runtime/tls_fault.ts";
import { bytes } from "../support/bytes.ts";
import { noOpenssl } from "../support/certificates.ts";
import { startTlsBackend } from "../support/tls_backend.ts";
import { testCertificates } from "../support/tls_certificates.ts";

/** A connection of a peer that is gone once TLS is open: what it has sent is read only after a write has failed. */
class LostConn {
  isOpen = false;
  readonly #conn: Deno.TcpConn;
  readonly #written = Promise.withResolvers<void>();

  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  get localAddr(): Deno.Addr {
    return this.#conn.localAddr;
  }

  get remoteAddr(): Deno.Addr {
    return this.#conn.remoteAddr;
  }

  async read(into: Uint8Array): Promise<number | null> {
    const filled = await this.#conn.read(into);
    if (this.isOpen) await this.#written.promise;
    return filled;
  }

  write(chunk: Uint8Array): Promise<number> {
    if (!this.isOpen) return this.#conn.write(chunk);
    this.#written.resolve();
    return Promise.reject(new Deno.errors.BrokenPipe("Broken pipe"));
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  close(): void {
    this.#conn.close();
  }
}

Deno.test({
  name: `the alert of a peer that is gone is told, although a write has failed before${noOpenssl.why}`,
  ignore: noOpenssl.ignore,
  fn: async () => {
    const { a, authority } = await testCertificates();
    const needed = { ca: authority.pair.cert, requestCert: true, rejectUnauthorized: true };
    await using backend = await startTlsBackend({ ...a.pair, ...needed }, () => {});
    const lost = new LostConn(await Deno.connect({ hostname: "127.0.0.1", port: backend.port }));
    const buffers = new Buffers();
    const tls = new RuntimeTlsClient(
      { serverName: "a.example", alpn: [], verify: true },
      { pairs: [], authorities: authority.pair.cert },
      buffers,
    );
    const conn = new TlsConn(lost as RuntimeConn, buffers);
    await tls.connect(conn, undefined);
    lost.isOpen = true;
    const reading = conn.read(new Uint8Array(10)).then(() => "read", describeTlsFault);
    await assert.rejects(conn.write(bytes("hi")), Deno.errors.BrokenPipe);
    assert.equal(await reading, "it wants to be shown a certificate");
    conn.close();
  },
});
