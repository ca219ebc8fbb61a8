import assert from "node:assert/strict";
import { readDocument } from "../../lib/config/document.ts";
import { editorJsonSchema } from "../../lib/config/editor_schema.ts";
import { configJsonSchema } from "../../lib/config/schema.ts";

/** As much of a JSON Schema as the configuration's uses. */
interface Schema {
  readonly description?: string;
  readonly properties?: Record<string, Schema>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
}

/** Every key that a schema describes, as `pools.*.backends[].name`, with its schema. */
function keysOf(schema: Schema, path = ""): [string, Schema][] {
  const own = Object.entries(schema.properties ?? {}).flatMap(([key, it]): [string, Schema][] => {
    const child = path === "" ? key : `${path}.${key}`;
    return [[child, it], ...keysOf(it, child)];
  });
  const { additionalProperties: other, items, anyOf = [] } = schema;
  if (typeof other === "object") own.push(...keysOf(other, `${path}.*`));
  if (items !== undefined) own.push(...keysOf(items, `${path}[]`));
  return [...own, ...anyOf.flatMap((it) => keysOf(it, path))];
}

/** Every key that a document has; what stands below `pools` are names. */
function keysIn(value: unknown, path = ""): string[] {
  if (Array.isArray(value)) return value.flatMap((it) => keysIn(it, `${path}[]`));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, it]) => {
    const child = path === "" ? key : `${path}.${path === "pools" ? "*" : key}`;
    return [...(path === "pools" ? [] : [child]), ...keysIn(it, child)];
  });
}

const schema = configJsonSchema() as Schema;

Deno.test("the JSON Schema is of draft 2020-12 and can be written as JSON", () => {
  const whole = configJsonSchema();
  assert.equal(whole.$schema, "https://json-schema.org/draft/2020-12/schema");
  assert.deepEqual(JSON.parse(JSON.stringify(whole)), whole);
  assert.equal(whole.type, "object");
  assert.deepEqual(whole.required, ["listeners", "pools"]);
});

Deno.test("the sample shows every key that there is, some in a comment, and the schema has every key of it", async () => {
  const text = await Deno.readTextFile(new URL("../../balancer.yaml", import.meta.url));
  const known = new Set(keysOf(schema).map(([key]) => key));
  const used = new Set(keysIn(readDocument(text).value));
  assert.deepEqual([...used.difference(known)], []);
  const ofOthers = [...known].filter((path) => /^defaults\.\w+\./.test(path));
  const comments = new Set([...text.matchAll(/# .*/g)].flatMap(([comment]) => comment.split(/\W+/)));
  const others = [...known.difference(used).difference(new Set(ofOthers))].map((path) =>
    path.replace(/.*\./, "")
  );
  assert.deepEqual(others.filter((key) => !comments.has(key)), []);
});

Deno.test("defaults have the keys of a listener and of a pool, but those that each has for itself", () => {
  const keys = keysOf(schema).map(([key]) => key);
  const below = (start: string): string[] => {
    return keys.filter((key) => key.startsWith(start)).map((key) => key.slice(start.length));
  };
  assert.deepEqual(
    [...below("defaults.listener."), "name", "listen"].toSorted(),
    below("listeners[].").toSorted(),
  );
  const ofPools = below("pools.*.").filter((key) => !key.startsWith("backends"));
  assert.deepEqual(below("defaults.pool."), ofPools);
});

Deno.test("every key has a description", () => {
  const without = keysOf(schema).filter(([, it]) => (it.description ?? "") === "").map(([key]) => key);
  assert.deepEqual(without, []);
});

Deno.test("no map takes a key that is not described", () => {
  const open: string[] = [];
  const visit = (it: Schema, path: string): void => {
    if (it.properties !== undefined && it.additionalProperties !== false) open.push(path);
  };
  visit(schema, "");
  for (const [key, it] of keysOf(schema)) {
    for (const inner of [it, it.items, ...(it.items?.anyOf ?? []), it.additionalProperties]) {
      if (typeof inner === "object") visit(inner, key);
    }
  }
  assert.deepEqual(open, []);
});

Deno.test("for an editor a value may be a variable, whatever else it has to be", () => {
  const { properties = {}, ...whole } = editorJsonSchema() as Schema & { required: string[] };
  assert.deepEqual(whole.required, ["listeners", "pools"]);
  assert.deepEqual(keysOf({ properties }).map(([key]) => key), keysOf(schema).map(([key]) => key));
  const { backlog, idle_timeout } = properties.listeners?.items?.properties ?? {};
  for (const key of [backlog, idle_timeout, properties.log?.properties?.level]) {
    const variable = JSON.stringify(key).includes("anyOf") ? patternOf(key?.anyOf?.at(-1)) : undefined;
    assert.ok(variable?.test("${PORT}") && variable.test("a${PORT:-5}") && !variable.test("$${PORT}"));
  }
  assert.equal(properties.pools?.anyOf, undefined);
});

function patternOf(schema: Schema | undefined): RegExp {
  return new RegExp((schema as { pattern?: string } | undefined)?.pattern ?? "$.");
}
