import assert from "node:assert/strict";
import { meantBy, sameAs } from "../../lib/core/other_names.ts";

const ALGORITHMS = ["round_robin", "least_connections", "random_two", "random", "first", "maglev"];

Deno.test("the same word with other signs or in capitals is meant", () => {
  for (const word of ["round-robin", "RoundRobin", "ROUND ROBIN", "roundrobin"]) {
    assert.equal(sameAs(word, ALGORITHMS), "round_robin");
  }
});

Deno.test("a name of another program goes before what only looks alike", () => {
  assert.equal(meantBy("source", ["source_ip", "maglev"]), "maglev");
  assert.equal(meantBy("ip_hash", ALGORITHMS), "maglev");
});

Deno.test("a mistyped word is the nearest, whatever its letters", () => {
  assert.equal(meantBy("MAGLEW", ALGORITHMS), "maglev");
  assert.equal(meantBy("whoam", ["echo", "whoami"]), "whoami");
});

Deno.test("a name of something that is not among the known words means nothing", () => {
  assert.equal(meantBy("ip_hash", ["debug", "info"]), undefined);
  assert.equal(sameAs("", ALGORITHMS), undefined);
  assert.equal(meantBy("---", ALGORITHMS), undefined);
});
