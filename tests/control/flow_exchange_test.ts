import assert from "node:assert/strict";
import { FlowExchange, type FlowWorker } from "../../lib/control/flow_exchange.ts";
import type { PassedDatagram } from "../../lib/dataplane/messages.ts";

const DNS = "udp:192.0.2.1:53";

/** Notes what it is told, in a few words. */
class NotedWorker implements FlowWorker {
  told: string[] = [];

  takeOver(flows: Parameters<FlowWorker["takeOver"]>[0]): void {
    this.told.push(`take over ${flows.flatMap(({ clients }) => clients).join(" ")}`.trim());
  }

  flowsOver(flows: Parameters<FlowWorker["flowsOver"]>[0]): void {
    this.told.push(`over ${flows.flatMap(({ clients }) => clients).join(" ")}`);
  }

  makeRoom(_listener: string, count: number): void {
    this.told.push(`make room ${count}`);
  }

  deliver(datagrams: readonly PassedDatagram[]): void {
    this.told.push(`deliver ${datagrams.map(({ bytes }) => bytes.join()).join(" ")}`);
  }
}

function from(port: number, ...content: number[]): PassedDatagram {
  const client = { transport: "udp", host: "198.51.100.7", port } as const;
  return { listener: DNS, client, bytes: new Uint8Array(content) };
}

function at(...ports: number[]): { listener: string; clients: string[] }[] {
  return [{ listener: DNS, clients: ports.map((port) => `198.51.100.7:${port}`) }];
}

Deno.test("datagrams find the worker that has their flow, over any number of reloads", () => {
  const exchange = new FlowExchange();
  const [first, second, third] = [new NotedWorker(), new NotedWorker(), new NotedWorker()];
  exchange.join(first);
  exchange.leave(first);
  exchange.handedOver(first, at(1, 2));
  exchange.join(second);
  exchange.leave(second);
  exchange.handedOver(second, at(3));
  exchange.join(third);
  exchange.passOn(third, [from(1, 10), from(3, 30), from(2, 20), from(1, 11)]);
  assert.deepEqual(first.told, ["take over", "deliver 10 20 11"]);
  assert.deepEqual(second.told.slice(1), ["deliver 30"]);
  assert.deepEqual(third.told, ["take over 198.51.100.7:1 198.51.100.7:2 198.51.100.7:3"]);
});

Deno.test("when a flow is over, those who read are told, and what they had passed on comes back to them", () => {
  const exchange = new FlowExchange();
  const [old, reader] = [new NotedWorker(), new NotedWorker()];
  exchange.join(old);
  exchange.leave(old);
  exchange.handedOver(old, at(1, 2));
  exchange.join(reader);
  exchange.over(old, at(1));
  exchange.passOn(reader, [from(1, 1), from(2, 2)]);
  exchange.ended(old);
  exchange.passOn(reader, [from(2, 3)]);
  assert.deepEqual(old.told, ["take over", "deliver 2"]);
  assert.deepEqual(reader.told.slice(1), [
    "over 198.51.100.7:1",
    "deliver 1",
    "over 198.51.100.7:2",
    "deliver 3",
  ]);
});

Deno.test("flows that are handed over late are told to those who read by then", () => {
  const exchange = new FlowExchange();
  const [late, reader] = [new NotedWorker(), new NotedWorker()];
  exchange.join(late);
  exchange.leave(late);
  exchange.join(reader);
  exchange.handedOver(late, at(1));
  assert.deepEqual([late.told, reader.told], [["take over"], ["take over", "take over 198.51.100.7:1"]]);
});

Deno.test("room is made by older workers first, and otherwise by those beside", () => {
  const exchange = new FlowExchange();
  const workers = [new NotedWorker(), new NotedWorker(), new NotedWorker(), new NotedWorker()] as const;
  const [older, old, one, two] = workers;
  for (const worker of [older, old]) {
    exchange.join(worker);
    exchange.leave(worker);
  }
  exchange.handedOver(older, at(1));
  exchange.handedOver(old, at(2, 3, 4));
  exchange.join(one);
  exchange.join(two);
  exchange.makeRoom(one, DNS, 3);
  exchange.ended(older);
  exchange.ended(old);
  exchange.makeRoom(one, DNS, 3);
  assert.deepEqual(workers.map(({ told }) => told.filter((it) => it.startsWith("make"))), [
    ["make room 1"],
    ["make room 2"],
    [],
    ["make room 3"],
  ]);
});

Deno.test("no more room is made than was asked for, and each worker has its turn", () => {
  const exchange = new FlowExchange();
  const workers = Array.from({ length: 4 }, () => new NotedWorker());
  const [asking = assert.fail(), ...others] = workers;
  for (const worker of workers) exchange.join(worker);
  for (let i = 0; i < 3; i++) exchange.makeRoom(asking, DNS, 1);
  exchange.makeRoom(asking, DNS, 7);
  assert.deepEqual(others.map(({ told }) => told.slice(1)), [
    ["make room 1", "make room 3"],
    ["make room 1", "make room 2"],
    ["make room 1", "make room 2"],
  ]);
  assert.deepEqual(asking.told, ["take over"]);
});

Deno.test("a worker that comes late does not end a flow that another has by now", () => {
  const exchange = new FlowExchange();
  const [late, keeper, reader] = [new NotedWorker(), new NotedWorker(), new NotedWorker()];
  for (const worker of [late, keeper]) exchange.join(worker);
  exchange.leave(late);
  exchange.handedOver(late, at(1));
  exchange.leave(keeper);
  exchange.handedOver(keeper, at(1));
  exchange.join(reader);
  exchange.over(late, at(1));
  exchange.passOn(reader, [from(1, 1)]);
  assert.deepEqual(keeper.told.at(-1), "deliver 1");
  assert.deepEqual(reader.told, ["take over 198.51.100.7:1"]);
});

Deno.test("what there is too much of is ended by older workers, each its share, and no more than they have", () => {
  const exchange = new FlowExchange();
  const [first, second, third] = [new NotedWorker(), new NotedWorker(), new NotedWorker()];
  for (const [worker, ports] of [[first, [1, 2, 3, 4, 5, 6]], [second, [7, 8, 9]]] as const) {
    exchange.join(worker);
    exchange.leave(worker);
    exchange.handedOver(worker, at(...ports));
  }
  exchange.join(third);
  const toldOf = (surplus: number): string[][] => {
    for (const worker of [first, second, third]) worker.told = [];
    exchange.shrink(DNS, surplus);
    return [first, second, third].map(({ told }) => told);
  };
  assert.deepEqual(toldOf(-5), [[], [], []]);
  assert.deepEqual(toldOf(0), [[], [], []]);
  assert.deepEqual(toldOf(4), [["make room 2"], ["make room 2"], []]);
  assert.deepEqual(toldOf(6), [["make room 4"], ["make room 2"], []]);
  assert.deepEqual(toldOf(100), [["make room 6"], ["make room 3"], []]);
  exchange.shrink("udp:192.0.2.1:54", 5);
});
