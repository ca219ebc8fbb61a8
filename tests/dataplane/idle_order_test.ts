import assert from "node:assert/strict";
import fc from "fast-check";
import { IdleOrder, type Linked } from "../../lib/dataplane/idle_order.ts";

class Item implements Linked<Item> {
  longer: Item | undefined;
  shorter: Item | undefined;
  constructor(readonly name: number) {}
}

Deno.test("an order is that of a list, whatever is added to it and removed from it", () => {
  const step = fc.record({ item: fc.nat(5), isAdded: fc.boolean() });
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const items = Array.from({ length: 6 }, (_, i) => new Item(i));
    const order = new IdleOrder<Item>();
    let list: Item[] = [];
    for (const { item: index, isAdded } of steps) {
      const item = items[index] ?? assert.fail();
      order.remove(item);
      list = list.filter((it) => it !== item);
      if (isAdded) {
        order.add(item);
        list.push(item);
      }
      assert.deepEqual(Array.from(order.all(), ({ name }) => name), list.map(({ name }) => name));
      assert.equal(order.longest, list[0]);
    }
  }));
});
