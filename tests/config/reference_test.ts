import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse.ts";
import { ALGORITHMS } from "../../lib/config/pool_schema.ts";
import { configurationReference } from "../../tools/configuration_docs.ts";
import { withPoolLine } from "./faults.ts";

const root = new URL("../../", import.meta.url);

Deno.test("docs/configuration.md is what the schema says", async () => {
  const written = await Deno.readTextFile(new URL("docs/configuration.md", root));
  assert.ok(written === configurationReference(), "run `deno task docs`");
});

Deno.test("the reference is formatted as everything else is", async () => {
  const fmt = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--check", "--ext=md", "-"],
    cwd: root.pathname,
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
  await new Blob([configurationReference()]).stream().pipeTo(fmt.stdin);
  assert.equal((await fmt.status).code, 0);
});

Deno.test("the configurations in the reference are right, and have nothing to note", () => {
  const blocks = [...configurationReference().matchAll(/^```yaml\n([^]*?)^```$/gm)];
  assert.equal(blocks.length, 2);
  for (const [, text = ""] of blocks) assert.deepEqual(parseConfig(text, "f").notes, []);
});

Deno.test("the reference explains every algorithm, and shows a note as it is said", () => {
  const reference = configurationReference();
  for (const name of ALGORITHMS) assert.ok(reference.includes(`\n- \`${name}\`: `), name);
  const [note = ""] = parseConfig(withPoolLine("health_check: { timeout: 3s }"), "f").notes;
  assert.ok(reference.includes(note.slice(note.indexOf("pools."))), note);
});
