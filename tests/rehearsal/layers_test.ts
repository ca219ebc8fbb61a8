import assert from "node:assert/strict";
import { readDocument } from "../../lib/config/document.ts";
import { asList, asMap } from "../../lib/config/loose.ts";
import { LayeredDocument } from "../../lib/rehearsal/layers.ts";
import { mergePatch } from "../../lib/rehearsal/merge_patch.ts";

const TEXT = `balancer:
  listeners: [{ listen: a:1, pool: web }]
  pools:
    web: { backends: [one, { address: two, name: second }, 127.0.0.1:80, "unix:/s"] }
change:
  pools:
    web: { retries: 1 }
`;
const document = readDocument(TEXT);
const { balancer, change } = asMap(document.value);
const ADDRESSES = new Map([["one", "127.0.0.1:4001"], ["two", "127.0.0.1:4002"]]);

function layered(addresses = ADDRESSES): LayeredDocument {
  const layers = [{ path: ["balancer"], value: balancer }, { path: ["change"], value: change }];
  return new LayeredDocument(document, layers, addresses);
}

Deno.test("maps are merged, and everything else takes the place of what was there", () => {
  const target = { a: { b: 1, c: [1, 2] }, d: 1 };
  assert.deepEqual(mergePatch(target, { a: { c: [3] }, d: { e: 2 } }), { a: { b: 1, c: [3] }, d: { e: 2 } });
  assert.deepEqual(mergePatch(target, {}), target);
  assert.deepEqual(mergePatch(1, { a: 1 }), { a: 1 });
  assert.deepEqual(target, { a: { b: 1, c: [1, 2] }, d: 1 });
});

Deno.test("a value stands where the last layer has it", () => {
  const { value } = layered();
  assert.deepEqual(asMap(asMap(asMap(value).pools).web).retries, 1);
  assert.deepEqual(layered().placeOf(["pools", "web", "retries"]), { line: 7, column: 21 });
  assert.deepEqual(layered().placeOf(["pools", "web", "backends", 1, "address"]), { line: 4, column: 39 });
  assert.deepEqual(layered().placeOfKey(["listeners"]), { line: 2, column: 3 });
  assert.deepEqual(layered().inPlan(["listeners", 0, "pool"]), ["balancer", "listeners", 0, "pool"]);
});

Deno.test("what is missing stands where it is missing from", () => {
  assert.deepEqual(layered().placeOf(["admin", "listen"]), { line: 2, column: 3 });
  assert.deepEqual(layered().inPlan(["pools", "web", "tls"]), ["change", "pools", "web", "tls"]);
});

Deno.test("servers that are named as backends have their addresses, and whatever is an address stays one", () => {
  assert.deepEqual(asList(asMap(asMap(asMap(layered().value).pools).web).backends), [
    { name: "one", address: "127.0.0.1:4001" },
    { name: "second", address: "127.0.0.1:4002" },
    "127.0.0.1:80",
    "unix:/s",
  ]);
  assert.deepEqual(layered().unknownServers, []);
});

Deno.test("a name that no server has is told once, where it stands", () => {
  const { unknownServers } = layered(new Map([["one", "127.0.0.1:4001"]]));
  assert.deepEqual(unknownServers, [{
    path: ["pools", "web", "backends", 1, "address"],
    message: 'there is no server "two"; use one',
  }]);
});
