/** What every packed form of the program is started with. */

import project from "../deno.json" with { type: "json" };

/** Every role needs the network; a balancer its files; of the environment is read what a configuration names. */
export const PERMISSIONS: readonly string[] = [
  "--no-prompt",
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-env",
];

/** A small young generation: sessions leave little garbage, and the space would be kept by each worker (docs/benchmarks.md). */
export const V8_FLAGS = "--v8-flags=--max-semi-space-size=4";

/** What the bundle needs besides, which has no deno.json beside it. */
export const UNSTABLE: readonly string[] = project.unstable.map((feature) => `--unstable-${feature}`);
