// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { watchConfig } from "../../lib/control/watch_config.ts";
import { configFolder, listenerText, poolText } from "../config/config_folder.ts";
import { until } from "../support/balancer.ts";

const MAIN = `${listenerText("web", 1)}include: [pools.d/*.yaml, named.yaml]\n`;
const FILES = {
  "balancer.yaml": MAIN,
  "pools.d/a.yaml": `${poolText("web", 1)}include: [../deep/*.yaml]\n`,
  "named.yaml": poolText("named", 1),
};

Deno.test("a change of any file is seen, and files that come and go, also where a fault is", async () => {
  await using it = await configFolder(FILES);
  const stop = new AbortController();
  let changes = 0;
  const watching = watchConfig(`${it.path}/balancer.yaml`, () => changes++, stop.signal, { lookEveryMs: 10 });
  await new Promise((resolve) => setTimeout(resolve, 200));
  const steps: [what: string, step: () => Promise<void>][] = [
    ["an included file", () => it.write({ "pools.d/a.yaml": `${FILES["pools.d/a.yaml"]}# changed\n` })],
    ["a file that is named", () => it.write({ "named.yaml": poolText("named", 2) })],
    ["a new file", () => it.write({ "pools.d/b.yaml": "nonsense" })],
    ["a file with a fault is mended", () => it.write({ "pools.d/b.yaml": poolText("b", 1) })],
    ["a file is gone", () => Deno.remove(`${it.path}/pools.d/b.yaml`)],
    ["a new file in a new folder, of an included file", () => it.write({ "deep/x.yaml": poolText("x", 1) })],
    ["the file itself is no YAML", () => it.write({ "balancer.yaml": "a: [" })],
    ["and is mended", () => it.write({ "balancer.yaml": MAIN })],
    ["an included file after that", () => it.write({ "deep/x.yaml": poolText("x", 2) })],
    [
      "a file that is not there yet is named",
      () => it.write({ "balancer.yaml": MAIN.replace("]", ", late.yaml]") }),
    ],
    ["and is there", () => it.write({ "late.yaml": poolText("late", 2) })],
  ];
  for (const [what, step] of steps) {
    const before = changes;
    await step();
    await until(() => changes > before, what);
    assert.equal(changes, before + 1, what);
  }
  stop.abort();
  await watching;
});

Deno.test("a file that is named and gone for a moment has not changed, and one that is not meant is not looked at", async () => {
  await using it = await configFolder(FILES);
  const stop = new AbortController();
  let changes = 0;
  const watching = watchConfig(`${it.path}/balancer.yaml`, () => changes++, stop.signal, { lookEveryMs: 10 });
  await new Promise((resolve) => setTimeout(resolve, 200));
  await it.write({ "pools.d/a.yaml.swp": "x", "pools.d/.a.yaml": "x", "other.yaml": "x" });
  await Deno.remove(`${it.path}/named.yaml`);
  await new Promise((resolve) => setTimeout(resolve, 100));
  await it.write({ "named.yaml": FILES["named.yaml"] });
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(changes, 0);
  await it.write({ "named.yaml": poolText("named", 9) });
  await until(() => changes === 1, "the change is seen");
  // The file that is no longer named may go before the other one says so.
  await Deno.remove(`${it.path}/named.yaml`);
  await it.write({ "balancer.yaml": MAIN.replace(", named.yaml", "") });
  await until(() => changes === 2, "the other file is seen");
  stop.abort();
  await watching;
});

Deno.test("a folder is watched for what comes to it", async () => {
  await using it = await configFolder({ "a.yaml": poolText("web", 1) + listenerText("web", 1) });
  const stop = new AbortController();
  let changes = 0;
  const watching = watchConfig(it.path, () => changes++, stop.signal, { lookEveryMs: 10 });
  await new Promise((resolve) => setTimeout(resolve, 200));
  await it.write({ "b.yaml": poolText("b", 1) });
  await until(() => changes === 1, "a new file is seen");
  await Deno.rename(`${it.path}/b.yaml`, `${it.path}/b.off`);
  await until(() => changes === 2, "that it is gone is seen");
  stop.abort();
  await watching;
});
