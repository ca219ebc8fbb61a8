import assert from "node:assert/strict";
import { Figures } from "../../lib/load/figures.ts";
import { type Second, Seconds } from "../../lib/load/seconds.ts";

function requests(count: number): ReturnType<Figures["take"]> {
  const figures = new Figures();
  figures.requests = count;
  return figures.take();
}

/** Number, requests, all requests so far, open connections; and whether it was whole. */
function rows(threads: number): { seconds: Seconds; told: [number, number, number, number, boolean][] } {
  const told: [number, number, number, number, boolean][] = [];
  const onSecond = ({ number, figures, total, open, isWhole }: Second): void => {
    told.push([number, figures.requests, total.requests, open, isWhole]);
  };
  return { seconds: new Seconds(threads, onSecond), told };
}

Deno.test("a second is told when all threads have told it, and what is left is told last", () => {
  const { seconds, told } = rows(2);
  seconds.add(0, 0, requests(5), 1);
  assert.deepEqual(told, []);
  seconds.add(1, 0, requests(6), 2);
  seconds.done(0, requests(1));
  seconds.done(1, requests(2));
  seconds.end();
  assert.deepEqual(told, [[0, 11, 11, 3, true], [1, 3, 14, 0, false]]);
});

Deno.test("a thread that is done does not keep back the seconds of those that go on", () => {
  const { seconds, told } = rows(3);
  seconds.done(1, requests(0));
  seconds.add(0, 0, requests(5), 1);
  seconds.add(2, 0, requests(5), 1);
  seconds.done(0, requests(3));
  seconds.add(2, 1, requests(6), 1);
  seconds.add(2, 2, requests(7), 1);
  seconds.done(2, requests(0));
  seconds.end();
  assert.deepEqual(told, [[0, 10, 10, 2, true], [1, 9, 19, 1, true], [2, 7, 26, 1, true]]);
});
