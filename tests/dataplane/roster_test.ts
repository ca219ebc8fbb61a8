import assert from "node:assert/strict";
import fc from "fast-check";
import { Roster } from "../../lib/dataplane/roster.ts";

Deno.test("a roster holds those who have come and not gone, whatever the order", () => {
  fc.assert(fc.property(fc.array(fc.nat({ max: 9 }), { maxLength: 60 }), (steps) => {
    const people = Array.from({ length: 10 }, (_, name) => ({ name, place: -1 }));
    const roster = new Roster<typeof people[number]>();
    const present = new Set<typeof people[number]>();
    for (const step of steps) {
      const person = people[step];
      if (person === undefined) continue;
      if (present.delete(person)) roster.remove(person);
      else {
        present.add(person);
        roster.add(person);
      }
      const names = roster.all().map(({ name }) => name).sort();
      assert.deepEqual(names, [...present].map(({ name }) => name).sort());
      assert.deepEqual(roster.size, present.size);
    }
  }));
});
