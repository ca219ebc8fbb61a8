// deno-lint-ignore-file no-await-in-loop -- a condition is looked at again and again

/** The whole program as a balancer with a listener for datagrams, its backends, and clients that wait for their answers. */

import assert from "node:assert/strict";
import type { EngineName } from "../../lib/config/engine_names.ts";
import type { LiveSessionFacts } from "../../lib/dataplane/messages.ts";
import { refusedPort } from "./backend.ts";
import { text } from "./bytes.ts";
import { type Finished, runCommand, RunningCommand, sockbalOn } from "./command.ts";
import { freeUdpPort, UdpPeer } from "./udp_peer.ts";

/** A backend that answers with its name and what was asked, and knows who asked it. */
export interface NamedUdpBackend extends Disposable {
  readonly name: string;
  /** As a member of a pool, in YAML. */
  readonly member: string;
  /** How many datagrams each port has sent. */
  readonly ports: ReadonlyMap<number, number>;
}

export function startNamedUdp(name: string): NamedUdpBackend {
  const peer = new UdpPeer();
  const ports = new Map<number, number>();
  peer.onDatagram = ({ bytes, from }) => {
    peer.received.length = 0;
    ports.set(from.port, (ports.get(from.port) ?? 0) + 1);
    const answer = new Uint8Array(Math.min(name.length + 1 + bytes.length, 65_507));
    answer.set(new TextEncoder().encode(`${name} `));
    answer.set(bytes.subarray(0, answer.length - name.length - 1), name.length + 1);
    void peer.send(answer, { port: from.port });
  };
  const member = `{ name: ${name}, address: "127.0.0.1:${peer.address.port}" }`;
  return { name, member, ports, [Symbol.dispose]: () => peer[Symbol.dispose]() };
}

/** A client with a port of its own. */
export class UdpClient implements Disposable {
  readonly #peer = new UdpPeer();
  readonly #to: { readonly port: number };

  constructor(port: number) {
    this.#to = { port };
  }

  /** As sessions name it. */
  get name(): string {
    return `127.0.0.1:${this.#peer.address.port}`;
  }

  async send(bytes: Uint8Array | string): Promise<void> {
    await this.#peer.send(bytes, this.#to);
  }

  /** Sends it once, and gives the answer. Fails when none comes. */
  async ask(question: string): Promise<string> {
    await this.send(question);
    return await this.answer(question);
  }

  /** The next answer. */
  async answer(to = "what was asked"): Promise<string> {
    const { promise: lost, reject } = Promise.withResolvers<never>();
    const patience = setTimeout(() => reject(new Error(`Cannot find an answer to ${to}`)), PATIENCE_MS);
    try {
      return text((await Promise.race([this.#peer.next(), lost])).bytes);
    } finally {
      clearTimeout(patience);
    }
  }

  [Symbol.dispose](): void {
    this.#peer[Symbol.dispose]();
  }
}

const PATIENCE_MS = 15_000;

export interface UdpProgram extends AsyncDisposable {
  readonly command: RunningCommand;
  readonly port: number;
  readonly admin: string;
  /** Writes the configuration anew, as {@linkcode startUdpProgram} does at first. */
  write(options: UdpConfig): Promise<void>;
  /** Reloads by a signal, and waits until new workers are in force. */
  reload(generation: number): Promise<void>;
  api(path: string, method?: "GET" | "POST"): Promise<unknown>;
  sessions(query?: string): Promise<readonly LiveSessionFacts[]>;
  /** Waits until the metrics have such a line: workers hand over what they count a few times a second. */
  hasMetric(line: RegExp): Promise<void>;
  status(): Promise<Finished>;
}

export interface UdpConfig {
  readonly backends: readonly NamedUdpBackend[];
  /** More keys of the listener, in YAML. */
  readonly listener?: string;
  /** Of the listener, where it is not the one that it had at first. */
  readonly port?: number;
  /** More lines of the configuration. */
  readonly more?: string;
}

/** Starts a balancer, whose listener and pool are called `game`, with two workers. */
export async function startUdpProgram(engine: EngineName, options: UdpConfig): Promise<UdpProgram> {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/balancer.yaml`;
  const [firstPort, admin] = [freeUdpPort(), `127.0.0.1:${refusedPort()}`];
  const write = async (
    { backends, listener = "", port = firstPort, more = "" }: UdpConfig,
  ): Promise<void> => {
    await Deno.writeTextFile(
      file,
      `listeners:
  - { name: game, listen: "udp:127.0.0.1:${port}", pool: game, ${listener} }
pools: { game: { backends: [${backends.map(({ member }) => member).join(", ")}] } }
admin: { listen: ${admin} }
engine: ${engine}
workers: 2
${more}
`,
    );
  };
  await write(options);
  const balancer = ["--role", "balancer", "--config", file];
  const command = new RunningCommand([...sockbalOn(engine), ...balancer]);
  await command.sees(/ ready .*\n/);
  const api = async (path: string, method: "GET" | "POST" = "GET"): Promise<unknown> => {
    const response = await fetch(`http://${admin}${path}`, { method });
    assert.ok(response.ok, `${path}: ${response.status}`);
    return await response.json();
  };
  return {
    command,
    port: firstPort,
    admin,
    write,
    reload: async (generation) => {
      command.kill("SIGHUP");
      await command.sees(new RegExp(`reloaded .* workers=replaced generation=${generation}\\b`));
    },
    api,
    sessions: async (query = "") => {
      return await api(`/api/sessions?limit=1000${query}`) as readonly LiveSessionFacts[];
    },
    hasMetric: async (line) => {
      const startedMs = performance.now();
      for (;;) {
        const metrics = await (await fetch(`http://${admin}/metrics`)).text();
        if (line.test(metrics)) return;
        if (performance.now() - startedMs > PATIENCE_MS) {
          throw new Error(`Cannot find ${line} in:\n${metrics}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    },
    status: () => runCommand([...sockbalOn(engine), ...balancer, "--status"]),
    [Symbol.asyncDispose]: async () => {
      await command[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}
