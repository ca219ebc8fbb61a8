// deno-lint-ignore-file no-await-in-loop -- a condition is looked at again and again

/** The whole program as a balancer with a listener for datagrams. */

import assert from "node:assert/strict";
import type { EngineName } from "../../lib/config/engine_names.ts";
import type { LiveSessionFacts } from "../../lib/dataplane/messages.ts";
import { type Finished, runCommand, RunningCommand, sockbalOn } from "./command.ts";
import type { UdpAddress } from "../../lib/core/address.ts";
import { freePort, refusedPort } from "./ports.ts";
import { udpAt, type UdpBackend } from "./udp.ts";

const PATIENCE_MS = 15_000;

export interface UdpProgram extends AsyncDisposable {
  readonly command: RunningCommand;
  readonly address: UdpAddress;
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
  /** By their names. */
  readonly backends: Readonly<Record<string, UdpBackend>>;
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
  const [firstPort, admin] = [freePort(), `127.0.0.1:${refusedPort()}`];
  const write = async (
    { backends, listener = "", port = firstPort, more = "" }: UdpConfig,
  ): Promise<void> => {
    const members = Object.entries(backends).map(([name, { address }]) =>
      `{ name: ${name}, address: ${address} }`
    );
    await Deno.writeTextFile(
      file,
      `listeners:
  - { name: game, listen: "udp:127.0.0.1:${port}", pool: game, ${listener} }
pools: { game: { backends: [${members.join(", ")}] } }
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
    address: udpAt(firstPort),
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
