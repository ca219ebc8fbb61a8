import type { Flap } from "../core/misbehaviour.ts";

/** Calls once, after so many milliseconds; what it returns takes that back. */
export type Later = (ms: number, call: () => void) => () => void;

/**
 * Says in turn when a server is to go down and come up. It begins with the time for which it is up.
 *
 * @return Ends it.
 */
export function flapping(
  { upMs, downMs }: Flap,
  later: Later,
  turn: (to: "up" | "down") => void,
): () => void {
  let cancel = (): void => {};
  const after = (ms: number, to: "up" | "down"): void => {
    cancel = later(ms, () => {
      after(to === "up" ? upMs : downMs, to === "up" ? "down" : "up");
      turn(to);
    });
  };
  after(upMs, "down");
  return () => cancel();
}
