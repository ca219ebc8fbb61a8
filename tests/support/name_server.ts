/** A real name server, dnsmasq, with the records of the test. */

import { RunningCommand } from "./command.ts";
import { findProgram, type Found, pathOf } from "./packages.ts";
import { whenAccepting } from "./peers.ts";
import { refusedPort } from "./ports.ts";

export const DNSMASQ: Found = await findProgram("dnsmasq", "dnsmasq-base");

export class NameServer implements AsyncDisposable {
  readonly port = refusedPort();
  #running: AsyncDisposable | undefined;

  /** `127.0.0.1:port`. */
  get address(): { readonly transport: "tcp"; readonly host: string; readonly port: number } {
    return { transport: "tcp", host: "127.0.0.1", port: this.port };
  }

  /** Serves these records, options of dnsmasq such as `host-record=a.internal,10.0.0.1`, and no others. */
  async serve(records: readonly string[]): Promise<void> {
    await this.stop();
    const dnsmasq = new RunningCommand([
      pathOf(DNSMASQ),
      "--keep-in-foreground",
      "--no-resolv",
      "--no-hosts",
      `--port=${this.port}`,
      "--listen-address=127.0.0.1",
      "--bind-interfaces",
      "--user=root",
      "--pid-file",
      "--conf-file=/dev/null",
      "--local=/internal/",
      ...records.map((it) => `--${it}`),
    ]);
    this.#running = await whenAccepting(dnsmasq, this.port);
  }

  async stop(): Promise<void> {
    await this.#running?.[Symbol.asyncDispose]();
    this.#running = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
