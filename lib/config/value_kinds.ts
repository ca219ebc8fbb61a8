/** What kind of value stands at a path, as the JSON Schema calls it. */

import type { Path } from "./place.ts";
import { configJsonSchema } from "./schema.ts";

/** As much of a JSON Schema as is looked at. */
interface Schema {
  readonly title?: string;
  readonly type?: string;
  readonly enum?: unknown;
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
}

/** Kinds of text that hold no secret; a kind that is not here may. */
const OPEN_KINDS = [
  "address",
  "duration",
  "IP address",
  "name",
  "name of a pool",
  "path",
  "range of IP addresses",
  "server name",
  "size",
  "subnet",
];

let root: Schema | undefined;

/** Whether the value at a path is of this kind, or may be. */
export function isOfKind(path: Path, kind: string): boolean {
  return schemasAt(path).some(({ title }) => title === kind);
}

/** Whether the value at a path is a text that may be a password, as what a health check sends. */
export function mayBeSecret(path: Path): boolean {
  return schemasAt(path).some(({ title, type, enum: words, const: only }) => {
    return type === "string" && words === undefined && only === undefined &&
      !OPEN_KINDS.includes(title ?? "");
  });
}

function schemasAt(path: Path): Schema[] {
  root ??= configJsonSchema() as Schema;
  let found = alternatives(root);
  for (const step of path) {
    found = found.flatMap(({ properties, additionalProperties: other, items }) => {
      const own = properties !== undefined && Object.hasOwn(properties, step) ? properties[step] : undefined;
      const next = typeof step === "number" ? items : own ?? (typeof other === "object" ? other : undefined);
      return next === undefined ? [] : alternatives(next);
    });
  }
  return found;
}

function alternatives(schema: Schema): Schema[] {
  return [schema, ...(schema.anyOf ?? []).flatMap(alternatives)];
}
