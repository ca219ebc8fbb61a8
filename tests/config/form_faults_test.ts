import assert from "node:assert/strict";
import { assertFaults, faultsOf, MINIMAL, withListenerLine, withRootLine } from "./faults.ts";

Deno.test("an empty file is told what it needs", () => {
  for (const text of ["", "\n\n", "# only\n  # comments\n", "   ", "\uFEFF"]) {
    assertFaults(text, ["1:1", "the file is empty; at least listeners and pools are needed"]);
  }
});

Deno.test("a document without anything in it is empty", () => {
  for (const text of ["---\n", "null\n", "---\n...\n"]) assertFaults(text, ["1:1", "empty; "]);
});

Deno.test("a document that is no map is told what a configuration is", () => {
  const wanted = "is not a map; the configuration is a map of listeners, pools, admin, …";
  assertFaults("hello\n", ["1:1", `"hello" ${wanted}`]);
  assertFaults("\n  42\n", ["2:3", `42 ${wanted}`]);
  assertFaults("true\n", ["1:1", `true ${wanted}`]);
  assertFaults("- a\n- b\n", ["1:1", `["a","b"] ${wanted}`]);
  assertFaults("[]\n", ["1:1", `[] ${wanted}`]);
});

Deno.test("an empty map is told everything that it needs", () => {
  assertFaults("{}\n", ["1:1 listeners", "missing; "], ["1:1 pools", "missing; "]);
});

Deno.test("each duplicate key is a fault where it stands again", () => {
  assertFaults(withListenerLine("pool: other"), [
    "4:5 listeners[0].pool",
    'the key "pool" stands here a second time',
  ]);
  assertFaults(withRootLine("pools: {}\n'listeners': []"), ["8:1 pools", 'the key "pools"'], [
    "9:1 listeners",
    'the key "listeners"',
  ]);
  assertFaults(withRootLine("log: { level: info, level: loud }"), ["8:21 log.level", 'the key "level"']);
});

Deno.test("aliases, anchors and tags are faults where they stand, all of them", () => {
  const alias = "YAML aliases (*name) are not allowed";
  const anchor = "YAML anchors (&name) are not allowed";
  const tag = "YAML tags (!name) are not allowed";
  assertFaults(withListenerLine("name: *a"), ["4:11 listeners[0].name", alias]);
  assertFaults(withListenerLine("name: &a web"), ["4:11 listeners[0].name", anchor]);
  assertFaults(withListenerLine("name: !!str web"), ["4:11 listeners[0].name", tag]);
  assertFaults(withListenerLine("name: !local web"), ["4:11 listeners[0].name", tag]);
  assertFaults(withListenerLine("name: &a !t web"), ["4:11 listeners[0].name", anchor], [
    "4:14 listeners[0].name",
    tag,
  ]);
  assertFaults(withRootLine("log: &x { level: info }\nworkers: *x"), ["8:6 log", anchor], [
    "9:10 workers",
    alias,
  ]);
});

Deno.test("a tagged or anchored key is a fault of the map that it stands in", () => {
  assertFaults(withRootLine("&a workers: 1"), ["8:1", "YAML anchors (&name) are not allowed"]);
  assertFaults(withListenerLine("!t name: web"), ["4:5 listeners[0]", "YAML tags (!name) are not allowed"]);
});

Deno.test("a fault within the value of a duplicate key shows the path that is written in the file", () => {
  assertFaults(
    withRootLine("log: {}\nlog: { level: &x info }"),
    ["9:1 log", 'the key "log"'],
    ["9:15 log.level", "YAML anchors (&name) are not allowed"],
  );
});

Deno.test("a merge key has no meaning here", () => {
  assertFaults(withListenerLine("<<: { backlog: 5 }"), ["4:5 listeners[0].<<", 'unknown key "<<"']);
});

Deno.test("a key must be text", () => {
  assertFaults(withRootLine("? [a, b]\n: c"), ["8:3", "a key must be plain text"]);
});

Deno.test("a tab that indents is named, at its line", () => {
  assertFaults(MINIMAL.replace("    pool", "\tpool"), ["3:1", "a tab cannot indent YAML; use spaces"]);
  assertFaults(withRootLine("log:\n\tlevel: info"), ["9:1", "a tab cannot indent YAML; use spaces"]);
});

Deno.test("a second document is a fault where it begins", () => {
  const sentence = "a configuration is one YAML document; remove what follows here";
  assertFaults(`${MINIMAL}---\na: 1\n`, ["8:1", sentence]);
  assertFaults(`${MINIMAL}---\n`, ["8:1", sentence]);
  assertFaults(`---\n${MINIMAL}---\na: 1\n---\nb: 2\n`, ["9:1", sentence]);
  assertFaults(MINIMAL.replaceAll("\n", "\r\n") + "---\r\na: 1\r\n", ["8:1", sentence]);
});

Deno.test("the --- that begins the first document is not taken for the second", () => {
  assertFaults(`# a comment\n---\n${MINIMAL}---\na: 1\n`, ["10:1", "one YAML document"]);
});

Deno.test("a second document is found also when only ... stands between them", () => {
  const [fault, ...others] = faultsOf(`${MINIMAL}...\na: 1\n`);
  assert.deepEqual(others, []);
  assert.match(fault ?? "", /^[89]:1 a configuration is one YAML document/);
});

Deno.test("__proto__ cannot be a key, and nothing happens to any prototype", () => {
  const sentence = '"__proto__" cannot be a key';
  assertFaults(withRootLine("__proto__: { polluted: 1 }"), ["8:1", sentence]);
  assertFaults(withRootLine("log: { '__proto__': 1 }"), ["8:8 log", sentence]);
  assertFaults(MINIMAL.replaceAll("web", "__proto__"), ["5:3 pools", sentence]);
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
});

Deno.test("other names of Object.prototype are ordinary unknown keys, and may name a pool", () => {
  assertFaults(withListenerLine("constructor: 1"), [
    "4:5 listeners[0].constructor",
    'unknown key "constructor"',
  ]);
  assertFaults(withRootLine("hasOwnProperty: 1"), ["8:1 hasOwnProperty", 'unknown key "hasOwnProperty"']);
  assertFaults(MINIMAL.replaceAll("web", "constructor"));
  assertFaults(MINIMAL.replace("pool: web", "pool: toString"), [
    "3:11 listeners[0].pool",
    "there is no pool",
  ]);
});
