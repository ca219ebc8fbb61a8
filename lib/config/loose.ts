/** A document of any shape, looked at as if it had the right one: what has not is passed over, since the schema reports it. */

import type { Address } from "../core/address.ts";

export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function asMap(value: unknown): Record<string, unknown> {
  return isMap(value) ? value : {};
}

export function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Whether it could be the path of a file. */
export function isPath(value: unknown): value is string {
  return typeof value === "string" && value !== "" && !value.includes("\0");
}

/** Undefined for what is no address. */
export function parsedAddress(text: unknown, parse: (text: string) => Address): Address | undefined {
  if (typeof text !== "string") return undefined;
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}
