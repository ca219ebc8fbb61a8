import assert from "node:assert/strict";
import { FlowTable } from "../../lib/engine/epoll/datagrams/flow_table.ts";
import { encodeAddress } from "../../lib/engine/epoll/sockaddr.ts";

interface Named {
  readonly name: Int32Array<ArrayBuffer>;
}

function named(host: string, port: number): Named {
  const name = new Uint8Array(32);
  name.set(encodeAddress({ transport: "udp", host, port }).bytes);
  return { name: new Int32Array(name.buffer) };
}

Deno.test("flows are found while others come and go, of both families, and no other is found", () => {
  const table = new FlowTable<Named>();
  const there = new Set<Named>();
  const all = Array.from({ length: 3_000 }, (_, i) => {
    const [high, low] = [i >> 8, i & 0xff];
    return i % 2 === 0
      ? named(`10.0.${high}.${low}`, 1_000 + i % 3)
      : named(`fe80::${i.toString(16)}`, 1_000 + i % 3);
  });
  let state = 7;
  const random = (below: number): number => (state = Math.imul(state, 48_271) >>> 1) % below;
  for (let step = 0; step < 20_000; step++) {
    const flow = all[random(all.length)] ?? assert.fail();
    assert.equal(table.find(flow.name, 0), there.has(flow) ? flow : undefined);
    if (there.has(flow)) table.remove(flow);
    else table.add(flow);
    if (!there.delete(flow)) there.add(flow);
    assert.equal(table.size, there.size);
  }
  for (const flow of all) assert.equal(table.find(flow.name, 0), there.has(flow) ? flow : undefined);
});

Deno.test("a client is known by address and port, whatever its flow label or zone", () => {
  const table = new FlowTable<Named>();
  const flow = named("fe80::1", 53);
  table.add(flow);
  const names = new Int32Array(16);
  names.set(named("fe80::1", 53).name, 8);
  [names[9], names[14]] = [5, 7];
  assert.equal(table.find(names, 8), flow);
  assert.equal(table.find(named("fe80::1", 54).name, 0), undefined);
  assert.equal(table.find(named("fe80::2", 53).name, 0), undefined);
  assert.equal(table.find(named("0.0.0.1", 53).name, 0), undefined);
});
