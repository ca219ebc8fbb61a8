import assert from "node:assert/strict";
import { StopRequests } from "../../lib/core/stop_requests.ts";

Deno.test("the first request stops, the second hurries, the third exits", () => {
  const stops = new StopRequests();
  assert.equal(stops.stop.aborted, false);
  assert.equal(stops.receive(0), "stop");
  assert.deepEqual([stops.stop.aborted, stops.hurry.aborted], [true, false]);
  assert.equal(stops.receive(1_000), "hurry");
  assert.equal(stops.hurry.aborted, true);
  assert.equal(stops.receive(2_000), "exit");
});

Deno.test("one signal that is delivered twice is one request", () => {
  const stops = new StopRequests();
  assert.equal(stops.receive(100), "stop");
  assert.equal(stops.receive(600), "repeated");
  assert.equal(stops.hurry.aborted, false);
  assert.equal(stops.receive(601), "hurry");
  assert.equal(stops.receive(1_100), "repeated");
});
