import assert from "node:assert/strict";
import fc from "fast-check";
import { formatRecord } from "../../lib/core/log.ts";

const TIME_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 6);
const CONTROL_CHARACTERS = Array.from({ length: 0xa0 }, (_, i) => String.fromCharCode(i))
  .filter((it) => /\p{Cc}/u.test(it)).join("");

function textOf(fields: Record<string, unknown>): string {
  return formatRecord({ level: "info", event: "e", ...fields }, TIME_MS, "text");
}

Deno.test("a text record is its time, level, event and fields on one line", () => {
  assert.equal(
    formatRecord(
      { level: "warning", event: "listening", address: "[::1]:80", n: 3, ok: true },
      TIME_MS,
      "text",
    ),
    "2026-01-02T03:04:05.006Z warn  listening address=[::1]:80 n=3 ok=true\n",
  );
  assert.equal(
    formatRecord({ level: "error", event: "x" }, TIME_MS, "text"),
    "2026-01-02T03:04:05.006Z error x\n",
  );
});

Deno.test("a JSON record is one object on one line", () => {
  const line = formatRecord(
    { level: "warning", event: "x", a: "b\nc", list: [1], gone: undefined },
    TIME_MS,
    "json",
  );
  assert.equal(line.indexOf("\n"), line.length - 1);
  assert.deepEqual(JSON.parse(line), {
    time: "2026-01-02T03:04:05.006Z",
    level: "warn",
    event: "x",
    a: "b\nc",
    list: [1],
  });
});

Deno.test("a value that could be misread is quoted, and a field without one is left out", () => {
  const shown: [unknown, string][] = [
    ["plain", "plain"],
    ["/run/a.sock", "/run/a.sock"],
    [0, "0"],
    [null, "null"],
    [["a", 1], `"a, 1"`],
    ["", `""`],
    ["two words", `"two words"`],
    ["x=1", `"x=1"`],
    [`a"b`, String.raw`"a\"b"`],
    ["a\nb", String.raw`"a\nb"`],
    ["\x1b[31m", String.raw`"\u001b[31m"`],
    ["ünïcödé", `"ünïcödé"`],
  ];
  for (const [value, text] of shown) {
    assert.equal(textOf({ k: value }), `2026-01-02T03:04:05.006Z info  e k=${text}\n`);
  }
  assert.equal(textOf({ k: undefined }), "2026-01-02T03:04:05.006Z info  e\n");
});

Deno.test("no value forges a line or a field: each field can be read back", () => {
  const nasty = fc.string({ unit: fc.constantFrom(..."a =\"\\\n\r\t\x1b\0{}[],:'"), maxLength: 20 });
  fc.assert(fc.property(fc.oneof(fc.string(), nasty), fc.oneof(fc.string(), nasty), (one, two) => {
    const line = textOf({ one, two });
    const fields = /^\S+ info {2}e one=("(?:[^"\\]|\\.)*"|[^\s"=]+) two=("(?:[^"\\]|\\.)*"|[^\s"=]+)\n$/.exec(
      line,
    );
    assert.ok(fields !== null, line);
    const read = [fields[1], fields[2]].map((it = "") => it.startsWith('"') ? JSON.parse(it) : it);
    assert.deepEqual(read, [one, two]);
  }));
});

Deno.test("no control character of a value reaches a terminal, not even DEL and the 8-bit ones", () => {
  for (const format of ["text", "json"] as const) {
    const line = formatRecord({ level: "info", event: "e", k: CONTROL_CHARACTERS }, TIME_MS, format);
    assert.doesNotMatch(line.slice(0, -1), /\p{Cc}/u, format);
  }
});
