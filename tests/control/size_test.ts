import assert from "node:assert/strict";
import { Names } from "../../lib/control/names.ts";
import { makePlan } from "../../lib/control/plan.ts";
import { RowBook } from "../../lib/control/rows.ts";
import { countRows, whyTooLarge } from "../../lib/control/size.ts";
import { QUEUE_CELLS } from "../../lib/pool/queue.ts";
import { MAX_ROWS, rowsFor, Scoreboard } from "../../lib/pool/scoreboard.ts";
import { testConfig } from "../support/balancer.ts";
import { sockbal } from "../support/command.ts";

Deno.test("the rows that are counted are those that a plan takes", async () => {
  for (const queue of [{ size: 0 }, { size: 5 }]) {
    const config = testConfig({ backends: ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"], pool: { queue } });
    // deno-lint-ignore no-await-in-loop -- one after the other
    const { rows } = await makePlan(config, new RowBook(new Scoreboard()), new Names());
    const inQueue = queue.size === 0 ? 0 : rowsFor(QUEUE_CELLS) - 1;
    assert.equal(countRows(config), rows.length + inQueue);
  }
});

Deno.test("a configuration is too large from the first row that there is not", () => {
  const { listeners, pools } = testConfig({ backends: ["127.0.0.1:1"] });
  const [web] = Object.values(pools);
  const [backend] = web?.backends ?? [];
  assert.ok(web && backend);
  const withBackends = (count: number): string | undefined => {
    return whyTooLarge({ listeners, pools: { web: { ...web, backends: Array(count).fill(backend) } } });
  };
  assert.equal(withBackends(MAX_ROWS - 4), undefined);
  assert.match(
    withBackends(MAX_ROWS - 3) ?? "",
    /^too many listeners, pools, queues and backends: they take 65537 rows/,
  );
});

Deno.test("--check refuses with its place what is too large to be started", async () => {
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  const backends = Array.from(
    { length: MAX_ROWS },
    (_, i) => `    - 127.${i >> 16}.${i >> 8 & 255}.${i & 255}:1\n`,
  );
  await Deno.writeTextFile(
    file,
    `listeners: [{ listen: ":1", pool: p }]\npools:\n  p:\n    backends:\n${backends.join("")}`,
  );
  for (const more of [["--check"], []]) {
    // deno-lint-ignore no-await-in-loop -- one after the other
    const { status, stderr } = await sockbal("--role", "balancer", "--config", file, ...more);
    assert.equal(status, 2);
    assert.ok(stderr.startsWith(`${file}:3:3 pools: too many listeners, pools, queues and backends`), stderr);
  }
  await Deno.remove(file);
});
