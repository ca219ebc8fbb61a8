import assert from "node:assert/strict";
import fc from "fast-check";
import { dump } from "js-yaml";
import { readDocument } from "../../lib/config/document.ts";
import { ConfigError, parseConfig } from "../../lib/config/parse.ts";

const SAMPLE = await Deno.readTextFile(new URL("../../balancer.yaml", import.meta.url));

/** A text is a configuration, or there is a list of faults that each stand somewhere and say something. */
function assertIsReadOrRefused(text: string): void {
  try {
    parseConfig(text, "f.yaml");
  } catch (error) {
    assert.ok(error instanceof ConfigError, `${error instanceof Error ? error.stack : error}`);
    assert.ok(error.faults.length > 0);
    const lines = text.split(/\r\n|\r|\n/).length;
    for (const { line, column, message } of error.faults) {
      assert.ok(Number.isInteger(line) && line >= 1 && line <= lines, `line ${line} of ${lines}`);
      assert.ok(Number.isInteger(column) && column >= 1, `column ${column}`);
      assert.ok(message.trim() !== "" && !message.includes("\n"), JSON.stringify(message));
    }
    assert.equal(error.message.split("\n").length, error.faults.length);
    const places = error.faults.map((it) => it.line * 1e6 + it.column);
    assert.deepEqual(places, places.toSorted((a, b) => a - b), "in the order of the file");
  }
}

const yamlish = fc.string({
  unit: fc.constantFrom(
    ..."ab:-?[]{},#&*!|>'\"%@`~ \n\t\r1.",
    "\n  ",
    ": ",
    "- ",
    "---\n",
    "...\n",
    "&a ",
    "*a",
    "!t ",
    "${A}",
    "${A:-1}",
    "$${",
    "${",
  ),
  maxLength: 60,
});

Deno.test("any text is a configuration or has faults with places", () => {
  const text = fc.oneof(yamlish, fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }));
  fc.assert(fc.property(text, assertIsReadOrRefused), { numRuns: 1_000 });
});

Deno.test("a damaged copy of the sample is a configuration or has faults with places", () => {
  const position = fc.nat(SAMPLE.length);
  const lines = SAMPLE.split("\n");
  const damaged = fc.oneof(
    position.map((end) => SAMPLE.slice(0, end)),
    position.map((start) => SAMPLE.slice(start)),
    fc.tuple(position, position).map(([a, b]) =>
      SAMPLE.slice(0, Math.min(a, b)) + SAMPLE.slice(Math.max(a, b))
    ),
    fc.tuple(fc.nat(lines.length - 1), fc.nat(lines.length))
      .map(([from, to]) => lines.toSpliced(to, 0, lines[from] ?? "").join("\n")),
    fc.shuffledSubarray(lines, { minLength: 1 }).map((some) => some.join("\n")),
    fc.tuple(position, yamlish).map(([at, text]) => SAMPLE.slice(0, at) + text + SAMPLE.slice(at)),
    fc.tuple(position, fc.string({ unit: "binary" })).map(([at, text]) =>
      SAMPLE.slice(0, at) + text + SAMPLE.slice(at)
    ),
  );
  fc.assert(fc.property(damaged, assertIsReadOrRefused), { numRuns: 2_000 });
});

Deno.test("any value, written as YAML, is a configuration or has faults with places", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => assertIsReadOrRefused(dump(value))), { numRuns: 500 });
});

Deno.test("any value in any place of a configuration is read or has faults with places", () => {
  const { value, any } = fc.letrec<{ value: unknown; any: unknown }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom(
        "web",
        "5s",
        "127.0.0.1:8001",
        ":80",
        "auto",
        "info",
        "http",
        "expect",
        "maglev",
        "source_ip",
        "sni",
        "*.example.com",
        "h2",
        "1.2",
        "v2",
        "unix",
        "10.0.0.0/8",
        "::ffff:0:0/96",
        "a.pem",
        "${NAME}",
        "${NAME:-5s}",
        "200-399",
        "/(a+)+$/",
        "",
        null,
        true,
        0,
        5,
        -1,
        1.5,
        2 ** 60,
      ),
      fc.jsonValue({ maxDepth: 1 }),
      fc.array(tie("value"), { maxLength: 3 }),
      tie("value"),
    ),
    value: fc.dictionary(
      fc.constantFrom(
        ..."listeners pools log workers shutdown_timeout name listen pool backlog idle_timeout backends"
          .split(" "),
        ..."address algorithm retries dial_timeout level web __proto__ constructor".split(" "),
        ..."defaults listener include hash_key weight backup queue size timeout slow_start health_check type interval"
          .split(" "),
        ..."routes sni alpn tls certificates cert key client_ca min_version proxy_protocol from".split(" "),
        ..."handshake_timeout send_proxy_protocol version checksum ca server_name verify".split(" "),
        ..."path host expect_status send expect outlier_detection max_ejected_percent".split(" "),
      ),
      tie("any"),
      { maxKeys: 6 },
    ),
  }));
  const nested = fc.record({
    listeners: fc.oneof(fc.array(value, { maxLength: 3 }), any),
    pools: fc.oneof(fc.dictionary(fc.constantFrom("web", "api", "8001", "a b"), value), any),
    defaults: fc.oneof(fc.record({ listener: value, pool: value }), any),
  }, { requiredKeys: ["listeners", "pools"] });
  fc.assert(fc.property(nested, (it) => assertIsReadOrRefused(dump(it))), { numRuns: 1_000 });
});

Deno.test("a variable moves no other value, wherever it stands in a list", () => {
  const item = fc.constantFrom("a", "'b'", '"c"', "${A}", "${A:-x}", "x${A}y", '"${A}"', "'${A:-y}'", "1");
  fc.assert(fc.property(fc.array(item, { minLength: 1, maxLength: 5 }), (items) => {
    const block = readDocument(items.map((it) => `- ${it}\n`).join(""), () => "v");
    const flow = readDocument(`[${items.join(", ")}]`, () => "v");
    assert.deepEqual(flow.faults, []);
    assert.deepEqual(flow.value, block.value);
    items.forEach((it, i) => {
      const at = items.slice(0, i).reduce((sum, before) => sum + before.length + 2, 2);
      assert.deepEqual(flow.placeOf([i]), { line: 1, column: at });
      assert.equal(flow.fromEnvironment([i]) !== undefined, it.includes("${"));
    });
  }));
});
