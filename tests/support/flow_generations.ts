/** Generations of workers with listeners for datagrams, without a balancer around them. */

import type { EngineName } from "../../lib/config/engine_names.ts";
import { asUdp } from "../../lib/core/address.ts";
import { type EngineHost, makeEngineHost } from "../../lib/control/engine_host.ts";
import type { Generation } from "../../lib/control/generation.ts";
import { Generations } from "../../lib/control/generations.ts";
import type { Plan } from "../../lib/control/plan.ts";
import { NO_TLS_KEYS } from "../../lib/dataplane/messages.ts";
import type { SessionRecord } from "../../lib/dataplane/record.ts";
import { testConfig, until } from "./balancer.ts";
import { type TestWorker, Workshop } from "./generation.ts";
import { freePort } from "./ports.ts";
import type { UdpBackend } from "./udp.ts";

export interface FlowSetting {
  readonly backend: UdpBackend;
  /** The ports at which datagrams are listened for. */
  readonly ports: readonly number[];
  readonly maxFlows?: number;
  readonly workers?: number;
}

export class FlowGenerations implements AsyncDisposable {
  readonly shop: Workshop;
  readonly generations: Generations;
  /** The numbers of those that have drained. */
  readonly drained: number[] = [];
  readonly #host: EngineHost;

  constructor(engine: EngineName, worker?: TestWorker) {
    this.#host = hostOf(engine);
    this.shop = new Workshop(worker, this.#host);
    this.generations = new Generations({
      deps: this.shop.deps,
      onDrained: ({ number }) => this.drained.push(number),
      stop: this.shop.stop.signal,
    });
  }

  /** Starts the first generation, or puts another one in the place of the current one. */
  async run(setting: FlowSetting): Promise<void> {
    const options = {
      backends: [{ name: "a", address: setting.backend.address }],
      otherListeners: setting.ports.slice(1).map((_, i) => ({ name: `other${i}` })),
      workers: setting.workers ?? 2,
    };
    const before = this.generations.current;
    const plan = overUdp(await this.shop.planOf(options), setting);
    const introduce = (): void => this.shop.introduce(plan, options);
    await this.generations.start(plan, testConfig(options), NO_TLS_KEYS, introduce);
    if (before !== undefined) await this.generations.retire(before, plan, Infinity);
  }

  records(): SessionRecord[] {
    return this.shop.log.events.filter((it) => it.event === "session")
      .map((it) => it.fields as unknown as SessionRecord);
  }

  /** Waits until a generation has drained. */
  async waitForDrained(number: number): Promise<void> {
    await until(() => this.drained.includes(number), `generation ${number} has drained`);
  }

  /** Lets the workers of a generation die, which are "mortal_flow". */
  kill(generation: Generation): void {
    const orders = new BroadcastChannel("mortal_flow_worker");
    for (const { id } of generation.lags()) orders.postMessage(`data-plane-${id}`);
    orders.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.generations.drain(0);
    await this.#host.close();
  }
}

/** So many ports for datagrams on which nothing listens. */
export function freePorts(count: number): number[] {
  return Array.from({ length: count }, () => freePort());
}

/** What workers may do is a matter of the plan; here they may answer clients on the loopback. */
function hostOf(engine: EngineName): EngineHost {
  const host = makeEngineHost(engine);
  if (engine !== "runtime") return host;
  const permitted: EngineHost = {
    ...host,
    hostOf: () => permitted,
    permissions: () => ({ net: ["127.0.0.0/8", "0.0.0.0:0"], read: [], write: [] }),
  };
  return permitted;
}

function overUdp(plan: Plan, { ports, maxFlows = 100 }: FlowSetting): Plan {
  return {
    ...plan,
    listeners: plan.listeners.map((listener, i) => ({
      ...listener,
      address: { transport: "udp", host: "127.0.0.1", port: ports[i] ?? 0 },
      flows: { maxFlows, responses: 0 },
      limits: { ...listener.limits, idleTimeoutMs: 60_000 },
    })),
    pools: plan.pools.map((pool) => ({
      ...pool,
      backends: pool.backends.map((it) =>
        it.address.transport === "tcp" ? { ...it, address: asUdp(it.address) } : it
      ),
    })),
  };
}
