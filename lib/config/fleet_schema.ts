/** `fleet`: what several balancers of one service share through etcd. */

import type { z } from "zod";
import { formatAddress } from "../core/address.ts";
import { etcd, type EtcdConfig } from "./etcd_schema.ts";
import { dialAddress, name, section } from "./fields.ts";
import { rollout, type RolloutConfig } from "./rollout_schema.ts";

/** A fleet that was checked. */
export interface FleetConfig {
  readonly etcd: EtcdConfig;
  readonly name: string;
  /** As `10.0.0.2:9901`. */
  readonly advertise: string;
  /** Undefined: a change of the configuration comes to all at once. */
  readonly rollout?: RolloutConfig | undefined;
}

export const fleet: z.ZodType<FleetConfig, unknown> = section("fleet", {
  etcd: etcd("What the keys of the fleet begin with: the same for all its balancers.", "/sockbal/fleet/")
    .meta({
      description: "Where the fleet is kept.",
    }),
  name: name("What this balancer is called: unlike all others of the fleet."),
  advertise: dialAddress("Where its page is, as shown to people who look at another one.")
    .refine(({ transport }) => transport !== "unix", {
      error: "a Unix socket cannot be reached from another machine; write host:port",
    }),
  rollout: rollout.meta({
    description:
      "How a change of a configuration that is in etcd comes to the balancers: some try it before the others have it.",
  }).optional(),
}).transform(({ advertise, ...it }) => ({ ...it, advertise: formatAddress(advertise) }));
