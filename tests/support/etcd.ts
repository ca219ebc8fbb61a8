/** A real etcd, alone in its cluster. */

import { encode, EtcdClient, type EtcdOptions } from "../../lib/discovery/etcd_client.ts";
import { RunningCommand } from "./command.ts";
import { findProgram, type Found, pathOf, skipWithout } from "./packages.ts";
import { whenAccepting } from "./peers.ts";
import { refusedPort } from "./ports.ts";

export const ETCD: Found = await findProgram("etcd", "etcd-server");

export class Etcd implements AsyncDisposable {
  readonly port = refusedPort();
  readonly #peerPort = refusedPort();
  readonly #folder = Deno.makeTempDirSync();
  readonly #flags: readonly string[];
  readonly #scheme: "http" | "https";
  #command: RunningCommand | undefined;
  #running: AsyncDisposable | undefined;

  /** @param flags Further ones, as those of TLS. */
  constructor(flags: readonly string[] = [], scheme: "http" | "https" = "http") {
    this.#flags = flags;
    this.#scheme = scheme;
  }

  get endpoint(): string {
    return `${this.#scheme}://127.0.0.1:${this.port}`;
  }

  /** Starts it, with what it knew before. */
  async start(): Promise<void> {
    const etcd = new RunningCommand([
      pathOf(ETCD),
      ...["--name", "test", "--data-dir", `${this.#folder}/data`, "--logger", "zap", "--log-level", "error"],
      ...["--listen-client-urls", this.endpoint, "--advertise-client-urls", this.endpoint],
      ...["--listen-peer-urls", `http://127.0.0.1:${this.#peerPort}`],
      ...["--initial-advertise-peer-urls", `http://127.0.0.1:${this.#peerPort}`],
      ...["--initial-cluster", `test=http://127.0.0.1:${this.#peerPort}`],
      ...["--unsafe-no-fsync", ...this.#flags],
    ], { env: { ETCD_UNSUPPORTED_ARCH: Deno.build.arch === "aarch64" ? "arm64" : "" } });
    this.#command = etcd;
    this.#running = await whenAccepting(etcd, this.port);
  }

  /** Sends it a signal, as SIGSTOP. */
  signal(signal: Deno.Signal): void {
    this.#command?.kill(signal);
  }

  async stop(): Promise<void> {
    await this.#running?.[Symbol.asyncDispose]();
    this.#running = undefined;
  }

  /** Forgets everything. */
  async clear(): Promise<void> {
    await this.stop();
    await Deno.remove(`${this.#folder}/data`, { recursive: true });
  }

  /** Calls a method of its API, as `kv/put`. */
  async call(method: string, body: unknown, options: Partial<EtcdOptions> = {}): Promise<unknown> {
    const stop = AbortSignal.timeout(10_000);
    using client = await EtcdClient.open(this.endpoint, { endpoints: [], ...options }, stop);
    return await client.call(method, body, stop);
  }

  async put(key: string, value: string, more: Record<string, unknown> = {}): Promise<void> {
    await this.call("kv/put", { key: encode(key), value: encode(value), ...more });
  }

  async delete(key: string): Promise<void> {
    await this.call("kv/deleterange", { key: encode(key) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** Registers a test with an etcd of its own, where there is one. */
export function testWithEtcd(sentence: string, run: (etcd: Etcd) => Promise<void>): void {
  const { ignore, why } = skipWithout(ETCD);
  Deno.test({
    name: `${sentence}${why}`,
    ignore,
    fn: async () => {
      await using etcd = new Etcd();
      await etcd.start();
      await run(etcd);
    },
  });
}
