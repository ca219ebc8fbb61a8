// deno-lint-ignore-file no-await-in-loop -- one part after the other

/** docs/rehearsal.md: its plans are read as they stand there, and it explains every key. */

import assert from "node:assert/strict";
import { z } from "zod";
import { TIMES } from "../../lib/rehearsal/bounds.ts";
import { ACTIONS } from "../../lib/rehearsal/plan_checks.ts";
import { planSchema } from "../../lib/rehearsal/plan_schema.ts";
import { readPlan } from "../../lib/rehearsal/read_plan.ts";

const root = new URL("../../", import.meta.url);
const text = await Deno.readTextFile(new URL("docs/rehearsal.md", root));
const plans = [...text.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, yaml = ""]) => yaml);

/** A plan in which the parts of another one take the place of its own. */
function withParts(plan: string, parts: string): string {
  const keys = [...parts.matchAll(/^(\w+):/gm)].map(([, key = ""]) => key);
  const kept = plan.split(/^(?=\w)/m).filter((part) => !keys.some((key) => part.startsWith(`${key}:`)));
  return kept.join("") + parts;
}

Deno.test("the first plan of the document is the one that ships", async () => {
  assert.equal(plans[0], await Deno.readTextFile(new URL("rehearsals/backend-dies.yaml", root)));
});

Deno.test("the parts of plans that the document shows can stand in that plan", async () => {
  const [whole = "", ...parts] = plans;
  assert.ok(parts.length >= 2);
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  for (const part of parts) {
    await Deno.writeTextFile(file, withParts(whole, part));
    await readPlan(file, () => "runtime");
  }
  await Deno.remove(file);
});

Deno.test("the document explains every key of a plan, and names every plan that ships", async () => {
  const schema = JSON.stringify(z.toJSONSchema(planSchema, { io: "input", unrepresentable: "any" }));
  const maps = [...schema.matchAll(/"properties":(\{)/g)].flatMap(({ index }) => keysAt(schema, index + 13));
  assert.ok(maps.includes("fail_how") && maps.includes("tolerance"));
  for (const key of [...maps, ...TIMES, ...ACTIONS]) assert.match(text, new RegExp(`\\b${key}\\b`), key);
  for await (const { name } of Deno.readDir(new URL("rehearsals/", root))) {
    assert.ok(text.includes(`sockbal --rehearse rehearsals/${name}\n`), name);
  }
});

/** The keys of the map that begins there in a JSON text. */
function keysAt(json: string, start: number): string[] {
  let depth = 0;
  for (let i = start;; i++) {
    if (json[i] === "{") depth++;
    else if (json[i] === "}" && --depth === 0) return Object.keys(JSON.parse(json.slice(start, i + 1)));
  }
}
