// deno-lint-ignore-file no-await-in-loop -- a burst is one thing after the other

/** What is done to the balancer and its backends while clients talk through it. */

import type { EchoBackend } from "./backend.ts";
import type { Balancer } from "./balancer.ts";
import { pause } from "./client.ts";
import type { Random } from "./random.ts";

export interface Scene {
  readonly balancer: Balancer;
  readonly backends: readonly EchoBackend[];
  readonly random: Random;
  readonly port: number;
  readonly adminPort: number;
  /** Writes another configuration, which a reload then finds. */
  readonly rewrite: () => Promise<void>;
  /** The same, but only backends differ, which workers can be told while they work. */
  readonly rewriteMembers: () => Promise<void>;
}

export type Fault = (scene: Scene) => Promise<void>;

export const FAULTS: Readonly<Record<string, Fault>> = {
  "a backend dies and comes back": async ({ backends, random }) => {
    const backend = backends[random.below(backends.length)];
    backend?.die();
    await pause(200 + random.below(1_500));
    backend?.comeBack();
  },
  "a backend stalls": ({ backends, random }) => {
    backends[random.below(backends.length)]?.stall(200 + random.below(2_000));
    return Promise.resolve();
  },
  "a reload": async ({ balancer, rewrite }) => {
    await rewrite();
    balancer.signal("SIGHUP");
  },
  "a burst of reloads": async ({ balancer, rewrite, random }) => {
    for (let i = 0; i < 20; i++) {
      await rewrite();
      balancer.signal("SIGHUP");
      await pause(random.below(20));
    }
  },
  "members come and go": async ({ balancer, rewriteMembers, random }) => {
    for (let i = 0; i < 20; i++) {
      await rewriteMembers();
      balancer.signal("SIGHUP");
      await pause(random.below(60));
    }
  },
  "signals for the log": ({ balancer, random }) => {
    balancer.signal(random.of(["SIGUSR1", "SIGUSR2"]));
    return Promise.resolve();
  },
  "the process stands still": async ({ balancer, random }) => {
    balancer.signal("SIGSTOP");
    await pause(500 + random.below(3_000));
    balancer.signal("SIGCONT");
  },
  "idle connections to the admin side": async ({ adminPort }) => {
    const idle = await connectAll(adminPort, 60);
    await pause(1_000);
    for (const conn of idle) conn.close();
  },
  "more connections than open files": async ({ port }) => {
    const idle = await connectAll(port, 200);
    await pause(1_500);
    for (const conn of idle) conn.close();
  },
  "the operator steers": async ({ balancer, random }) => {
    const action = random.of(["drain", "disable", "kill", "enable"]);
    await settle(balancer.ask("POST", `/api/pools/web/backends/*/${action}`));
    await pause(random.below(500));
    await settle(balancer.ask("POST", "/api/pools/web/backends/*/enable"));
  },
};

async function connectAll(port: number, count: number): Promise<Deno.Conn[]> {
  const tries = Array.from({ length: count }, () => Deno.connect({ hostname: "127.0.0.1", port }));
  const settled = await Promise.allSettled(tries);
  return settled.flatMap((it) => it.status === "fulfilled" ? [it.value] : []);
}

/** A balancer that stands still, or whose admin side is full, does not answer; that is no fault of its own. */
async function settle(asking: Promise<Response>): Promise<void> {
  try {
    await (await asking).body?.cancel();
  } catch {
    // Not answered.
  }
}
