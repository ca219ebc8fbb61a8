import assert from "node:assert/strict";
import { Handover } from "../../lib/dataplane/handover.ts";
import type { FromWorker, ListenerOptions } from "../../lib/dataplane/messages.ts";
import { asRow } from "../support/rows.ts";

const LISTENER: ListenerOptions = {
  row: asRow(1),
  sessionsRow: asRow(2),
  name: "dns",
  address: { transport: "udp", host: "192.0.2.1", port: 53 },
  pool: asRow(3),
  flows: { maxFlows: 10, responses: 0 },
  maxConnections: 0,
  backlog: 0,
  keepalive: { idleMs: 0, intervalMs: 0, count: 0 },
  limits: { idleTimeoutMs: 0, halfCloseTimeoutMs: 0, maxSessionDurationMs: 0 },
};
const DNS = "udp:192.0.2.1:53";
const CLIENT = { transport: "udp", host: "198.51.100.7", port: 4_711 } as const;

interface Rig {
  readonly handover: Handover;
  readonly told: FromWorker[];
  /** The turn ends. */
  endTurn(): void;
}

function rig(): Rig {
  const told: FromWorker[] = [];
  const later: (() => void)[] = [];
  return {
    handover: new Handover({
      later: (_ms, call) => {
        later.push(call);
        return () => {};
      },
      tell: (message) => told.push(message),
    }),
    told,
    endTurn: () => {
      for (const call of later.splice(0)) call();
    },
  };
}

/** How many datagrams were passed on so far. */
function passed(told: readonly FromWorker[]): number {
  return told.reduce((sum, it) => it.type === "pass_on" ? sum + it.datagrams.length : sum, 0);
}

Deno.test("what is for a flow of another worker is passed on, with all that comes in the same turn", () => {
  const { handover, told, endTurn } = rig();
  const passOn = handover.passOnAt(LISTENER);
  assert.equal(passOn(CLIENT, new Uint8Array([1])), false, "no one has it");
  handover.learn([{ listener: DNS, clients: ["198.51.100.7:4711"] }]);
  const buffer = new Uint8Array([2]);
  assert.equal(passOn(CLIENT, buffer), true);
  buffer[0] = 3;
  assert.equal(passOn(CLIENT, buffer), true);
  assert.equal(passOn({ ...CLIENT, port: 4_712 }, buffer), false);
  assert.deepEqual(told, []);
  endTurn();
  const datagram = { listener: DNS, client: CLIENT };
  assert.deepEqual(told, [{
    type: "pass_on",
    datagrams: [{ ...datagram, bytes: new Uint8Array([2]) }, { ...datagram, bytes: new Uint8Array([3]) }],
  }]);
  handover.forget([{ listener: DNS, clients: ["198.51.100.7:4711"] }]);
  assert.equal(passOn(CLIENT, buffer), false);
});

Deno.test("a control plane that takes nothing costs bounded memory, and gets more when it goes on", () => {
  const { handover, told, endTurn } = rig();
  const passOn = handover.passOnAt(LISTENER);
  handover.learn([{ listener: DNS, clients: ["198.51.100.7:4711"] }]);
  for (let i = 0; i < 5_000; i++) assert.equal(passOn(CLIENT, new Uint8Array(1)), true);
  endTurn();
  assert.equal(passed(told), 1_024);
  handover.passedOn(64);
  for (let i = 0; i < 100; i++) passOn(CLIENT, new Uint8Array(1));
  endTurn();
  assert.equal(passed(told), 1_024 + 64);
});

Deno.test("flows that are over, and room that is wanted, are told at the end of the turn", () => {
  const { handover, told, endTurn } = rig();
  handover.over(LISTENER, "198.51.100.7:1");
  handover.over(LISTENER, "198.51.100.7:2");
  handover.wantRoom(LISTENER);
  handover.wantRoom(LISTENER);
  endTurn();
  assert.deepEqual(told, [
    { type: "flows_over", flows: [{ listener: DNS, clients: ["198.51.100.7:1", "198.51.100.7:2"] }] },
    { type: "room_wanted", listener: DNS, count: 2 },
  ]);
  endTurn();
  assert.equal(told.length, 2);
});
