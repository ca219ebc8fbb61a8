import assert from "node:assert/strict";
import { type Backend, Pool } from "../../lib/pool/pool.ts";
import { Scoreboard } from "../../lib/pool/scoreboard.ts";

const BACKENDS: readonly Backend[] = ["a", "b", "c"].map((name, row) => ({
  row,
  name,
  address: { transport: "tcp", host: "127.0.0.1", port: 8001 + row },
}));
const OPTIONS = {
  row: 0,
  name: "web",
  algorithm: "round_robin",
  backends: BACKENDS,
  dialTimeoutMs: 5_000,
  retries: 2,
} as const;

/** A pool in each of two workers, on one scoreboard. */
function setUp(): { board: Scoreboard; one: Pool; two: Pool } {
  const board = new Scoreboard({ workers: 2, listeners: 0, pools: 1, backends: 3 });
  return { board, one: new Pool(OPTIONS, board, 0), two: new Pool(OPTIONS, board, 1) };
}

function active(board: Scoreboard): number[] {
  return BACKENDS.map(({ row }) => board.active(row));
}

Deno.test("the pools of all workers take their turns together", () => {
  const { one, two } = setUp();
  const taken = [one, two, two, one, two].map((pool) => pool.take([])?.name);
  assert.deepEqual(taken, ["a", "b", "c", "a", "b"]);
});

Deno.test("a slot is taken with the pick and stays until it is given back", () => {
  const { board, one, two } = setUp();
  const first = one.take([]);
  two.take([]);
  two.take([]);
  two.take([]);
  assert.deepEqual(active(board), [2, 1, 1]);
  assert.ok(first !== undefined);
  one.release(first);
  assert.deepEqual(active(board), [1, 1, 1]);
});

Deno.test("what was tried is not taken again, and has no slot taken", () => {
  const { board, one } = setUp();
  const tried: Backend[] = [];
  for (const name of ["a", "b", "c"]) {
    const backend = one.take(tried);
    assert.ok(backend !== undefined);
    assert.equal(backend.name, name);
    one.release(backend);
    tried.push(backend);
  }
  assert.equal(one.take(tried), undefined);
  assert.deepEqual(active(board), [0, 0, 0]);
});

Deno.test("a worker that dies gives back the slots of its pools, and no others", () => {
  const { board, one, two } = setUp();
  for (const pool of [one, two, one, two, two]) pool.take([]);
  board.forgetWorker(1);
  assert.deepEqual(active(board), [1, 0, 1]);
});

Deno.test("two pools take turns by themselves, even over the same backends", () => {
  const board = new Scoreboard({ workers: 1, listeners: 0, pools: 2, backends: 3 });
  const web = new Pool(OPTIONS, board, 0);
  const api = new Pool({ ...OPTIONS, row: 1, name: "api" }, board, 0);
  assert.deepEqual([web, web, api, web, api].map((pool) => pool.take([])?.name), ["a", "b", "a", "c", "b"]);
  assert.deepEqual(active(board), [2, 2, 1]);
});

Deno.test("a pool without backends takes nothing", () => {
  const { board } = setUp();
  assert.equal(new Pool({ ...OPTIONS, backends: [] }, board, 0).take([]), undefined);
});
