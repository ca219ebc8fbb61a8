/** Where a configuration comes from when it is not a file: the command line, or the built-in sample. */

import sample from "../../balancer.yaml" with { type: "text" };
import { type Address, formatAddress } from "../core/address.ts";
import { InputError } from "../core/errors.ts";
import { parseConfig } from "./parse.ts";
import type { AlgorithmName } from "./pool_schema.ts";
import { type Config, configSchema } from "./schema.ts";

/** The sample configuration of the source tree, which is also the default. */
export function sampleConfig(): Config {
  return parseConfig(sample, "the built-in balancer.yaml");
}

/** What the command line says instead of a configuration; whatever is left out is as in the sample. */
export interface ShortConfig {
  readonly listen: Address | undefined;
  readonly backends: readonly Address[];
  readonly algorithm: AlgorithmName | undefined;
}

/**
 * One listener in front of one pool.
 *
 * @throws {InputError} when a backend is named twice, or cannot have what the listener takes.
 */
export function configOf(short: ShortConfig): Config {
  const backends = short.backends.length > 0
    ? short.backends.map(formatAddress)
    : ["127.0.0.1:8001", "127.0.0.1:8002", "127.0.0.1:8003"];
  const repeated = backends.find((backend, i) => backends.indexOf(backend) < i);
  if (repeated !== undefined) {
    throw new InputError(`--backend: the address "${repeated}" is used a second time`);
  }
  if (short.listen?.transport === "udp" && short.backends.some(({ transport }) => transport === "unix")) {
    throw new InputError(
      "--backend: a Unix socket takes connections, and --listen takes datagrams; write host:port",
    );
  }
  const listen = short.listen === undefined ? "127.0.0.1:5678" : formatAddress(short.listen);
  const config = configSchema.parse({
    listeners: [{ listen, pool: "backends" }],
    pools: { backends: { algorithm: short.algorithm, backends } },
  });
  return { ...config, notes: [] };
}
