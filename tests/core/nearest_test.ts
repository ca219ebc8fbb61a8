import assert from "node:assert/strict";
import fc from "fast-check";
import { nearest } from "../../lib/core/nearest.ts";

const KEYS = ["listen", "pool", "pools", "max_connections", "idle_timeout"];

Deno.test("a slip of the finger finds the word that was meant", () => {
  const slips: [string, string][] = [
    ["listen", "listen"],
    ["listn", "listen"],
    ["listten", "listen"],
    ["lisetn", "listen"],
    ["lixten", "listen"],
    ["pol", "pool"],
    ["maxconnections", "max_connections"],
    ["max_conections", "max_connections"],
    ["idel_timeout", "idle_timeout"],
    ["idletimeuot", "idle_timeout"],
  ];
  for (const [slip, meant] of slips) assert.equal(nearest(slip, KEYS), meant, slip);
});

Deno.test("of several near words the nearest is found, of equally near ones the first", () => {
  assert.equal(nearest("pools", ["pool", "pools"]), "pools");
  assert.equal(nearest("poolz", ["pool", "pools"]), "pool");
  assert.equal(nearest("poolz", ["pools", "pool"]), "pools");
});

Deno.test("a word that is near to none finds none", () => {
  for (const word of ["", "weight", "health_check", "timeout_idle"]) {
    assert.equal(nearest(word, KEYS), undefined, word);
  }
  assert.equal(nearest("listen", []), undefined);
});

Deno.test("a word that has no letter in common with any finds none", () => {
  assert.equal(nearest("xy", ["ab", "cd"]), undefined);
});

Deno.test("what is found is always one of the known words, and a known word finds itself", () => {
  const words = fc.array(fc.string({ maxLength: 12 }), { maxLength: 6 });
  fc.assert(fc.property(fc.string({ maxLength: 12 }), words, (word, known) => {
    const found = nearest(word, known);
    assert.ok(found === undefined || known.includes(found));
    assert.equal(nearest(word, [...known, word]), word);
  }));
});
