/** What a rehearsal is: its servers, its balancer, its load, what happens, and what must hold. Types. */

import type { Misbehaviour } from "../core/misbehaviour.ts";
import type { BalancerSource } from "./balancer_source.ts";
import type { Bounds } from "./bounds.ts";
import type { LoadSettings, ServerSettings } from "./plan_schema.ts";

export interface Plan {
  /** How messages call its file. */
  readonly name: string;
  readonly servers: readonly ServerSettings[];
  readonly load: LoadSettings;
  /** At least one; each is a run. */
  readonly variants: readonly Variant[];
  readonly bounds: Bounds;
}

/** The same rehearsal with another configuration of the balancer. */
export interface Variant {
  /** Undefined where a plan has only one. */
  readonly name: string | undefined;
  readonly balancer: BalancerSource;
  /** In the order of their times. */
  readonly events: readonly PlannedEvent[];
}

/** Something that happens so many milliseconds after the load has begun. */
export type PlannedEvent =
  & { readonly atMs: number }
  & (
    | { readonly do: "down" | "up" | "drain" | "enable"; readonly server: string }
    | { readonly do: "set"; readonly server: string; readonly change: Partial<Misbehaviour> }
    | { readonly do: "reload"; readonly source: BalancerSource }
  );
