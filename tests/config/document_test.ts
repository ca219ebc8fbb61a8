import assert from "node:assert/strict";
import { readDocument } from "../../lib/config/document.ts";
import type { Path } from "../../lib/config/place.ts";

const TEXT = `# a comment
listeners:
  - listen: "127.0.0.1:1" # quoted
    pool: web
  - { listen: ':2', pool: web }
pools:
  web:
    backends: [a:1, b:2]
    'quoted key': it
empty:
log:
    level:   info
`;

function placeOf(text: string, path: Path): string {
  const { line, column } = readDocument(text).placeOf(path);
  return `${line}:${column}`;
}

function placeOfKey(text: string, path: Path): string {
  const { line, column } = readDocument(text).placeOfKey(path);
  return `${line}:${column}`;
}

Deno.test("every value knows where it stands; a quoted one stands at its quote, an empty one at its key", () => {
  const places: [Path, string][] = [
    [[], "2:1"],
    [["listeners"], "3:3"],
    [["listeners", 0], "3:5"],
    [["listeners", 0, "listen"], "3:13"],
    [["listeners", 0, "pool"], "4:11"],
    [["listeners", 1], "5:5"],
    [["listeners", 1, "listen"], "5:15"],
    [["listeners", 1, "pool"], "5:27"],
    [["pools"], "7:3"],
    [["pools", "web", "backends"], "8:15"],
    [["pools", "web", "backends", 1], "8:21"],
    [["pools", "web", "quoted key"], "9:19"],
    [["empty"], "10:1"],
    [["log"], "12:5"],
    [["log", "level"], "12:14"],
  ];
  for (const [path, place] of places) assert.equal(placeOf(TEXT, path), place, JSON.stringify(path));
});

Deno.test("every key knows where it stands", () => {
  const places: [Path, string][] = [
    [["listeners"], "2:1"],
    [["listeners", 0, "listen"], "3:5"],
    [["listeners", 1, "pool"], "5:21"],
    [["pools", "web"], "7:3"],
    [["pools", "web", "quoted key"], "9:5"],
    [["empty"], "10:1"],
  ];
  for (const [path, place] of places) assert.equal(placeOfKey(TEXT, path), place, JSON.stringify(path));
});

Deno.test("what is missing stands where its parent does", () => {
  assert.equal(placeOf(TEXT, ["pools", "web", "algorithm"]), "8:5");
  assert.equal(placeOf(TEXT, ["pools", "other", "backends", 3]), "7:3");
  assert.equal(placeOf(TEXT, ["workers"]), "2:1");
  assert.equal(placeOfKey(TEXT, ["pools", "web", "algorithm"]), "8:5");
});

Deno.test("an empty item of a list stands at its dash", () => {
  const text = "list:\n  - a # a dash - in a comment\n  -\n  - b\n  -\n";
  assert.equal(placeOf(text, ["list", 1]), "3:3");
  assert.equal(placeOf(text, ["list", 3]), "5:3");
});

Deno.test("lines are counted alike whether they end in LF, CRLF or CR", () => {
  for (const end of ["\n", "\r\n", "\r"]) {
    const text = TEXT.replaceAll("\n", end);
    assert.equal(placeOf(text, ["listeners", 1, "pool"]), "5:27");
    assert.equal(placeOf(text, ["log", "level"]), "12:14");
    assert.deepEqual(readDocument(text).value, readDocument(TEXT).value);
  }
});

Deno.test("plain words are read by the core schema, as far as a configuration needs it", () => {
  const words: [string, unknown][] = [
    ["", null],
    ["~", null],
    ["null", null],
    ["true", true],
    ["false", false],
    ["0", 0],
    ["42", 42],
    ["-5", -5],
    ["+5", 5],
    ["007", 7],
    ["999999999999999", 999999999999999],
    ["9999999999999999", "9999999999999999"],
    ["1.5", "1.5"],
    ["1e3", "1e3"],
    ["0x10", "0x10"],
    ["yes", "yes"],
    ["Null", null],
    ["True", true],
    ["FALSE", false],
    ["tRUE", "tRUE"],
    ["30s", "30s"],
    ["2026-01-01", "2026-01-01"],
    ["127.0.0.1:8001", "127.0.0.1:8001"],
    [":80", ":80"],
    ["'42'", "42"],
    ['"true"', "true"],
    ["''", ""],
    ["'it''s'", "it's"],
    [String.raw`"a\tb\u00fc"`, "a\tbü"],
    ["[a, 1, {b: c}]", ["a", 1, { b: "c" }]],
    ["|\n  two\n  lines\n", "two\nlines\n"],
    [">-\n  two\n  lines\n", "two lines"],
  ];
  for (const [text, value] of words) {
    const document = readDocument(`key: ${text}`);
    assert.deepEqual(document.faults, [], text);
    assert.deepEqual(document.value, { key: value }, text);
  }
});

Deno.test("a key is its text, whatever it looks like", () => {
  const document = readDocument("8001: a\ntrue: b\n~: c\n'': d\n\"q k\": e\nnull: f\n? g\n: h\n");
  assert.deepEqual(document.faults, []);
  assert.deepEqual(document.value, {
    8001: "a",
    true: "b",
    "~": "c",
    "": "d",
    "q k": "e",
    null: "f",
    g: "h",
  });
});

Deno.test("a document may begin with --- and a directive and end with ...", () => {
  for (const text of ["---\na: 1\n", "# x\n---\na: 1\n...\n", "%YAML 1.2\n---\na: 1\n", "\n\n  a: 1"]) {
    const document = readDocument(text);
    assert.deepEqual(document.faults, [], text);
    assert.deepEqual(document.value, { a: 1 }, text);
  }
});

Deno.test("a syntax error is the only fault, with its place", () => {
  const broken: [string, string, string][] = [
    ["a: b: c\n", "1:5", "not valid YAML: "],
    ["a: 1\nb: [1, 2\nc: 3\n", "3:1", "not valid YAML: "],
    ["a: 1\n  b: 2\n", "2:4", "not valid YAML: "],
    ['a: "x\nb: 1\n', "2:1", "not valid YAML: "],
    ["a: [1, , 2]\n", "1:8", "not valid YAML: "],
    ["a:\n\tb: 1\n", "2:1", "a tab cannot indent YAML; use spaces"],
    ["a:\n  b: 1\n\tc: 2\n", "3:1", "a tab cannot indent YAML; use spaces"],
    ["a: \x01\n", "1:4", "not valid YAML: "],
    [`${"[".repeat(40)}`, "1:32", "not valid YAML: "],
  ];
  for (const [text, place, start] of broken) {
    const document = readDocument(text);
    const [fault, ...others] = document.faults;
    assert.equal(document.value, undefined, text);
    assert.deepEqual(others, [], text);
    assert.ok(fault?.message.startsWith(start), `${text}: ${fault?.message}`);
    assert.equal(`${fault?.line}:${fault?.column}`, place, text);
    assert.deepEqual(document.placeOf(["x"]), { line: 1, column: 1 });
  }
});

Deno.test("a tab between a key and its value indents nothing", () => {
  assert.deepEqual(readDocument("a:\t1\n").value, { a: 1 });
});

Deno.test("the first of duplicate keys counts, and the rest of the document is still read", () => {
  const document = readDocument("a: 1\na: [x, { y: 2 }]\nb: 3\n");
  assert.deepEqual(document.value, { a: 1, b: 3 });
  assert.equal(document.faults.length, 1);
  assert.deepEqual(document.placeOf(["a"]), { line: 1, column: 4 });
  assert.deepEqual(document.placeOf(["b"]), { line: 3, column: 4 });
});
