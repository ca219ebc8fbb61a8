import assert from "node:assert/strict";
import { ALGORITHM_NAMES, ENGINE_NAMES, HANDLER_NAMES } from "../../lib/cli/flags.ts";
import { ENGINES } from "../../lib/config/engine_names.ts";
import { ALGORITHMS } from "../../lib/config/schema.ts";
import { handlers } from "../../lib/respond/handlers.ts";
import { shown } from "./arguments.ts";

Deno.test("what --handler can name are the handlers", () => {
  assert.deepEqual([...HANDLER_NAMES].sort(), Object.keys(handlers).sort());
});

Deno.test("what --algorithm can name are the algorithms of the configuration", () => {
  assert.deepEqual([...ALGORITHM_NAMES], [...ALGORITHMS]);
});

Deno.test("what --engine can name is what the configuration can", () => {
  assert.deepEqual([...ENGINE_NAMES], [...ENGINES]);
});

Deno.test("the help names every handler and every algorithm", () => {
  const words = (line: string): string[] => shown(line).split(/[^\w]+/);
  for (const name of HANDLER_NAMES) assert.ok(words("--role server --help").includes(name), name);
  for (const name of ALGORITHM_NAMES) assert.ok(words("--role balancer --help").includes(name), name);
});
