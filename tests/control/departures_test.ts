import assert from "node:assert/strict";
import { Departures } from "../../lib/control/leaving.ts";
import { Names } from "../../lib/control/names.ts";
import { makePlan, type Plan } from "../../lib/control/plan.ts";
import { RowBook } from "../../lib/control/rows.ts";
import type { BackendRow } from "../../lib/pool/row.ts";
import { Scoreboard } from "../../lib/pool/scoreboard.ts";
import { testConfig } from "../support/balancer.ts";
import { refusedPort } from "../support/ports.ts";

const PORT = refusedPort();

class World {
  readonly scoreboard = new Scoreboard();
  readonly rows = new RowBook(this.scoreboard);
  /** Plans of other generations that are in use. */
  readonly others: Plan[] = [];
  readonly departures = new Departures(this.rows, (row) => this.scoreboard.count(row));

  planOf(...ports: number[]): Promise<Plan> {
    const backends = ports.map((port) => `127.0.0.1:${port}`);
    return makePlan(
      testConfig({ backends, listener: { listen: `127.0.0.1:${PORT}` } }),
      this.rows,
      new Names(),
    );
  }

  get rowsThatLeft(): BackendRow[] {
    return this.departures.all.map(({ backend }) => backend.row);
  }

  /** The same workers go by another plan. */
  async adjust(before: Plan, ...ports: number[]): Promise<Plan> {
    const after = await this.planOf(...ports);
    this.departures.note(before, [after, ...this.others]);
    this.rows.drop(before.rows);
    this.departures.welcome(after);
    return after;
  }

  /** Rows of the first backend of a plan. */
  rowOf({ pools: [pool] }: Plan, backend = 0): BackendRow {
    return pool?.backends[backend]?.row ?? assert.fail();
  }
}

const yes = (): Promise<boolean> => Promise.resolve(true);

Deno.test("a backend that left without sessions is gone with the next look, and its row is new again", async () => {
  const world = new World();
  const first = await world.planOf(1);
  const row = world.rowOf(first);
  world.scoreboard.addFailure(row);
  const second = await world.adjust(first, 2);
  assert.deepEqual(world.rowsThatLeft, [row]);
  assert.equal(await world.departures.sweep(yes), true);
  assert.deepEqual(world.rowsThatLeft, []);
  const third = await world.adjust(second, 2, 3);
  assert.equal(world.rowOf(third, 1), row);
  assert.equal(world.scoreboard.addFailure(row), 1);
});

Deno.test("one with sessions stays, and one whose workers have not confirmed", async () => {
  const world = new World();
  const first = await world.planOf(1, 2);
  world.scoreboard.raise(world.rowOf(first, 1), 0);
  await world.adjust(first, 3);
  assert.equal(await world.departures.sweep(() => Promise.resolve(false)), false);
  assert.equal(world.departures.all.length, 2);
  assert.equal(await world.departures.sweep(yes), true);
  assert.deepEqual(world.departures.all.map(({ backend }) => backend.name), ["127.0.0.1:2"]);
  assert.equal(await world.departures.sweep(() => assert.fail("nobody need be asked")), false);
});

Deno.test("a session that came while the workers were asked keeps its backend here", async () => {
  const world = new World();
  const first = await world.planOf(1);
  const row = world.rowOf(first);
  await world.adjust(first, 2);
  const confirm = (): Promise<boolean> => {
    world.scoreboard.raise(row, 0);
    return yes();
  };
  assert.equal(await world.departures.sweep(confirm), false);
  assert.equal(world.departures.all.length, 1);
});

Deno.test("one that returns is no longer here, has its row, and may leave again", async () => {
  const world = new World();
  const first = await world.planOf(1);
  const row = world.rowOf(first);
  world.scoreboard.raise(row, 0);
  const second = await world.adjust(first, 2);
  const third = await world.adjust(second, 2, 1);
  assert.equal(world.rowOf(third, 1), row);
  assert.deepEqual(world.rowsThatLeft, []);
  await world.adjust(third, 2);
  assert.deepEqual(world.rowsThatLeft, [row]);
  world.scoreboard.lower(row, 1);
  assert.equal(await world.departures.sweep(yes), true);
  assert.equal(world.departures.all.length, 0);
});

Deno.test("a row that an older generation uses as well stays when it is no longer here", async () => {
  const world = new World();
  const old = await world.planOf(1);
  const row = world.rowOf(old);
  const first = await world.planOf(1);
  world.others.push(old);
  const second = await world.adjust(first, 2);
  assert.deepEqual(world.rowsThatLeft, [], "it leaves with the older one");
  assert.notEqual(world.rowOf(await world.planOf(3)), row);
  world.scoreboard.raise(row, 0);
  world.departures.note(old, [second]);
  world.rows.drop(old.rows);
  assert.deepEqual(world.rowsThatLeft, [row]);
  assert.notEqual(world.rowOf(await world.planOf(4)), row);
  world.scoreboard.lower(row, 1);
  assert.equal(await world.departures.sweep(yes), true);
  assert.equal(world.rowOf(await world.planOf(5)), row);
});
