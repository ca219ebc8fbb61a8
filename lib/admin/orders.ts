/** Orders about backends, read from requests. */

import { parseDurationMs } from "../core/duration.ts";
import { InputError } from "../core/errors.ts";
import type { Order } from "./operations.ts";
import { Refusal } from "./problem.ts";

/** The last part of the path of an order that is a POST. */
export const ACTIONS = ["enable", "drain", "disable", "kill"] as const;
export type Action = typeof ACTIONS[number];

const MAX_WEIGHT = 256;

/**
 * The order that an action, its query and its body make.
 *
 * @throws {Refusal} 400 for anything that would otherwise be ignored without a word.
 */
export function readOrder(action: Action, query: URLSearchParams, body: unknown): Order {
  refuseContent(body);
  const known = action === "drain" ? ["deadline"] : [];
  for (const name of query.keys()) {
    if (!known.includes(name)) {
      throw new Refusal(400, `${JSON.stringify(name)} is no parameter of ${action}.`);
    }
  }
  if (action !== "drain") return { do: action };
  const deadline = singleParameter(query, "deadline");
  return { do: "drain", deadlineMs: deadline === undefined ? undefined : readDuration(deadline) };
}

/**
 * The order that the body of a PUT makes: `{ "weight": 0 to 256 }` and nothing else.
 *
 * @throws {Refusal} 400 that says what to write.
 */
export function readWeight(body: unknown): Order {
  const entries = Object.entries(typeof body === "object" && body !== null ? body : {});
  const [key, weight] = entries[0] ?? [];
  const isOnlyWeight = entries.length === 1 && key === "weight";
  if (!isOnlyWeight || !Number.isInteger(weight) || weight < 0 || weight > MAX_WEIGHT) {
    throw new Refusal(
      400,
      `The body has to be {"weight": N} and nothing else, N a whole number from 0 to ${MAX_WEIGHT}.`,
    );
  }
  // Minus zero is a whole number, too.
  return { do: "weight", weight: Math.abs(weight) };
}

/**
 * The body of a PUT that adds a backend, as far as it has to be a map; what it says is read by those who know backends.
 *
 * @throws {Refusal} 400 that says what to write.
 */
export function readMember(body: unknown): Record<string, unknown> {
  const isMap = typeof body === "object" && body !== null && !Array.isArray(body);
  if (!isMap) {
    throw new Refusal(400, 'The body has to be a backend, as {"address": "10.0.0.1:80", "weight": 2}.');
  }
  if ("name" in body) {
    throw new Refusal(400, "The name of the backend stands in the path; leave it out of the body.");
  }
  return { ...body };
}

/**
 * The body with which a hand-over is finished: addresses that are not used, as text.
 *
 * @throws {Refusal} 400 that says what to write.
 */
export function readUnused(body: unknown): readonly string[] {
  const unused = typeof body === "object" && body !== null && "unused" in body ? body.unused : undefined;
  if (Array.isArray(unused) && unused.every((it) => typeof it === "string")) return unused;
  throw new Refusal(400, 'The body has to say what is not used, as {"unused": ["127.0.0.1:80"]}.');
}

/**
 * Refuses the body of a request that takes none; `{}` is as good as none.
 *
 * @throws {Refusal} 400.
 */
export function refuseContent(body: unknown): void {
  if (body !== undefined && JSON.stringify(body) !== "{}") throw new Refusal(400, "This takes no body.");
}

/**
 * The value of a parameter; undefined when it is not there.
 *
 * @throws {Refusal} 400 when it is there twice.
 */
export function singleParameter(query: URLSearchParams, name: string): string | undefined {
  const values = query.getAll(name);
  if (values.length > 1) throw new Refusal(400, `${name} is there ${values.length} times; write it once.`);
  return values[0];
}

function readDuration(text: string): number {
  try {
    return parseDurationMs(text);
  } catch (error) {
    if (error instanceof InputError) throw new Refusal(400, `deadline: ${error.message}.`);
    throw error;
  }
}
