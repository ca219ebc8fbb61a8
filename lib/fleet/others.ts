/** The other balancers of a fleet: who is there, who differs, who was lost. Pure. */

import { parseRegistration, type Registration } from "./registration.ts";

/** In what another balancer is unlike this one. */
export type Difference = "version" | "configuration";

export interface OtherBalancer extends Registration {
  /** Lost: it was seen, and has gone without a word. */
  readonly state: "present" | "lost";
  /** Since when, in milliseconds since 1970, as it was noticed here. */
  readonly sinceMs: number;
}

/** What has become of one. */
export interface News {
  readonly kind: "joined" | "left" | "lost";
  readonly who: Registration;
}

/** As many that were lost are known, and for so long: names may be made up anew with each start. */
const MAX_LOST = 100;
const LOST_FOR_MS = 24 * 3_600_000;

export class Others {
  readonly #byName = new Map<string, OtherBalancer>();

  /** A key has changed; without a value it was deleted. @return What is new; undefined when that is only what one says of itself. */
  learn(name: string, value: string | undefined, nowMs: number): News | undefined {
    const before = this.#byName.get(name);
    if (value === undefined) return before?.state === "present" ? this.#go(before, nowMs) : undefined;
    const who = parseRegistration(name, value);
    if (who === undefined) return undefined;
    const isBack = before?.state !== "present";
    this.#byName.set(name, { ...who, state: "present", sinceMs: isBack ? nowMs : before.sinceMs });
    return isBack ? { kind: "joined", who } : undefined;
  }

  /** All keys were read: who is missing has gone meanwhile. */
  learnAll(values: ReadonlyMap<string, string>, nowMs: number): News[] {
    const gone = [...this.#byName.keys()].filter((name) => !values.has(name));
    return [
      ...gone.map((name) => this.learn(name, undefined, nowMs)),
      ...[...values].map(([name, value]) => this.learn(name, value, nowMs)),
    ].filter((it) => it !== undefined);
  }

  /** By name. */
  all(nowMs: number): OtherBalancer[] {
    return [...this.#byName.values()].filter((it) =>
      it.state === "present" || nowMs - it.sinceMs < LOST_FOR_MS
    )
      .toSorted((a, b) => a.name < b.name ? -1 : 1);
  }

  #go(before: OtherBalancer, nowMs: number): News {
    const { name } = before;
    if (before.isLeaving) {
      this.#byName.delete(name);
      return { kind: "left", who: before };
    }
    // To the end, so that the first of them was lost first.
    this.#byName.delete(name);
    this.#byName.set(name, { ...before, state: "lost", sinceMs: nowMs });
    const lost = [...this.#byName.values()].filter(({ state }) => state === "lost");
    for (const oldest of lost.slice(0, -MAX_LOST)) this.#byName.delete(oldest.name);
    return { kind: "lost", who: before };
  }
}

/** In what one is unlike another. One that is lost is not compared. */
export function differences(
  own: Pick<Registration, "version" | "digest">,
  { state, version, digest }: OtherBalancer,
): Difference[] {
  if (state === "lost") return [];
  return [
    ...(version === own.version ? [] : ["version" as const]),
    ...(digest === own.digest ? [] : ["configuration" as const]),
  ];
}
