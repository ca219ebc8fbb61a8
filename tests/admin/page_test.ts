import assert from "node:assert/strict";
import { certificateWords } from "../../lib/admin/page/certificates.js";
import {
  formatByteRate,
  formatBytes,
  formatCount,
  formatMs,
  formatRate,
  formatSpan,
} from "../../lib/admin/page/format.js";
import { append, emptyHistory, joinHistory } from "../../lib/admin/page/history.js";
import { inOrder, nextOrder } from "../../lib/admin/page/order.js";
import { pageHtml } from "../../lib/admin/page/page.ts";
import { ratesBetween } from "../../lib/admin/page/rates.js";
import { certificateTitle } from "../../lib/core/certificate_title.ts";
import { fakeCertificate } from "./fake_operations.ts";

const NONCE = "q83vEjRWeJC+/w==";

/** The tags of the document as they are written; what stands in its styles and its script is left out. */
function tags(html: string): string[] {
  const markup = html.replaceAll(/(<(style|script)\b[^>]*>).*?<\/\2>/gs, "$1");
  return markup.match(/<[a-z][^>]*>/g) ?? [];
}

function content(html: string, element: "style" | "script"): string {
  const [, text = ""] = new RegExp(`<${element}\\b[^>]*>(.*?)</${element}>`, "s").exec(html) ?? [];
  return text;
}

Deno.test("pageHtml() gives the nonce to every style and script", () => {
  const found = tags(pageHtml(NONCE)).filter((tag) => /^<(style|script|link)\b/.test(tag));
  const [icon = "", ...rest] = found;
  assert.match(icon, /^<link rel="icon"\s+href="data:image\/svg\+xml;base64,/);
  assert.deepEqual(rest, [`<style nonce="${NONCE}">`, `<script nonce="${NONCE}" type="module">`]);
});

Deno.test("pageHtml() refuses a nonce that could end its attribute", () => {
  for (const nonce of ["", '"', "a b", "abc\n", "<script>", "ab=c", "é"]) {
    assert.throws(() => pageHtml(nonce), RangeError, nonce);
  }
});

Deno.test("the page has neither inline styles nor inline handlers", () => {
  for (const tag of tags(pageHtml(NONCE))) assert.doesNotMatch(tag, /\s(style|on[a-z]+)\s*=/i);
});

Deno.test("the page asks nobody but its own origin", () => {
  const html = pageHtml(NONCE);
  for (const tag of tags(html)) assert.doesNotMatch(tag, /\s(src|srcset|action|formaction|background)=/i);
  const links = tags(html).flatMap((tag) => /\shref="([^"]*)"/.exec(tag)?.[1] ?? []);
  assert.deepEqual(links.filter((link) => !/^(#|data:)/.test(link)), []);
  assert.doesNotMatch(content(html, "style"), /@import|url\(/);
  const addresses = html.match(/(https?|wss?):\/\/[^\s"'`)]*/g) ?? [];
  assert.deepEqual(addresses.filter((it) => it !== "https://github.com/leeoniya/uPlot"), []); // in a comment
});

Deno.test("the page sets texts only as texts", () => {
  const script = content(pageHtml(NONCE), "script");
  const own = script.slice(script.indexOf("// @ts-check"));
  assert.doesNotMatch(own, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/);
});

Deno.test("the modules of the page fit into one script", () => {
  const script = content(pageHtml(NONCE), "script");
  assert.doesNotMatch(script, /^(import|export)\b/m);
  const names = [...script.matchAll(/^(?:async )?(?:function|const|let|class) (\w+)/gm)].map(([, name]) =>
    name
  );
  assert.ok(names.length > 50);
  assert.deepEqual(names.filter((name, i) => names.indexOf(name) !== i), []);
  new Function(`"use strict"; return async () => {${script}};`); // throws when it is not a script
});

Deno.test("figures have units and three digits", () => {
  const figures: [string, string][] = [
    [formatCount(1234567), "1,234,567"],
    [formatCount(null), "–"],
    [formatRate(0), "0 /s"],
    [formatRate(3.24), "3.2 /s"],
    [formatRate(99.96), "100 /s"],
    [formatBytes(999), "999 B"],
    [formatBytes(1000), "1.0 KiB"],
    [formatBytes(1536), "1.5 KiB"],
    [formatBytes(320 * 2 ** 20), "320 MiB"],
    [formatBytes(2 ** 60), "1,024 PiB"],
    [formatByteRate(0), "0 B/s"],
    [formatMs(0.42), "0.42 ms"],
    [formatMs(4.2), "4.2 ms"],
    [formatMs(null), "–"],
    [formatSpan(59.9), "59 s"],
    [formatSpan(-3), "0 s"],
    [formatSpan(3 * 60), "3 min"],
    [formatSpan(4 * 3600 + 300), "4 h 5 min"],
    [formatSpan(6 * 86_400 + 7 * 3600), "6 d 7 h"],
  ];
  for (const [actual, wanted] of figures) assert.equal(actual.replaceAll("\u00a0", " "), wanted);
});

Deno.test("a counter that went back or is new has no rate", () => {
  const before = { timeMs: 1_000, counters: new Map([["a", [10, 100]], ["gone", [5]]]) };
  const after = { timeMs: 3_000, counters: new Map([["a", [14, 3]], ["new", [7]]]) };
  assert.deepEqual(ratesBetween(before, after), new Map([["a", [2, null]]]));
});

function second(
  time: number,
  active: number,
  dial_ms: Record<string, number | null> = {},
): Parameters<typeof append>[1] {
  return {
    time,
    active,
    sessions_per_s: 0,
    refused_per_s: {},
    retries_per_s: 0,
    bytes_in_per_s: 0,
    bytes_out_per_s: 0,
    dial_ms,
  };
}

Deno.test("the history keeps ten minutes, interrupts its lines at gaps and takes no second twice", () => {
  const history = emptyHistory();
  for (let time = 1; time <= 700; time++) append(history, second(time, time));
  append(history, second(700, 0));
  assert.deepEqual([history.times[0], history.times.at(-1), history.active.at(-1)], [100, 700, 700]);
  append(history, second(710, 1, { "web/a": 2 }));
  assert.deepEqual(history.times.slice(-3), [700, 701, 710]);
  assert.deepEqual(history.active.slice(-3), [700, null, 1]);
  assert.deepEqual(history.dial_ms["web/a"]?.slice(-3), [null, null, 2]);
  assert.equal(history.dial_ms["web/a"]?.length, history.times.length);
});

Deno.test("a balancer that was started anew does not wipe out what was seen before", () => {
  const known = emptyHistory();
  for (let time = 1; time <= 10; time++) append(known, second(time, 5, { "web/a": 1 }));
  const sent = emptyHistory();
  for (let time = 9; time <= 12; time++) append(sent, second(time, 7, { "web/b": 2 }));
  const joined = joinHistory(known, sent);
  assert.deepEqual(joined.times, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  assert.deepEqual(joined.active, [5, 5, 5, 5, 5, 5, 5, 5, 7, 7, 7, 7]);
  assert.deepEqual(joined.dial_ms["web/b"], [null, null, null, null, null, null, null, null, 2, 2, 2, 2]);
  assert.deepEqual(joinHistory(known, emptyHistory()), known);
});

Deno.test("a click on a column sorts, the next one turns it round, the third gives the order back", () => {
  const first = nextOrder(null, "active");
  const other = nextOrder(first, "active");
  assert.deepEqual([first?.direction, other?.direction], ["descending", "ascending"]);
  assert.equal(nextOrder(other, "active"), null);
  assert.equal(nextOrder(first, "name")?.direction, "ascending");
});

Deno.test("rows without a value come last, and equal ones keep their order", () => {
  type Row = Parameters<typeof inOrder>[0][number];
  const rows = [["b10", 1, 4], ["b2", 1, null], ["b1", 3, 9]].map(([name, active, dial_ms]) =>
    ({ backend: { name, active, dial_ms }, rates: {} }) as unknown as Row
  );
  const sorted = (order: Parameters<typeof inOrder>[1]): string[] =>
    inOrder(rows, order).map((it) => it.backend.name);
  assert.deepEqual(sorted({ key: "active", direction: "descending" }), ["b1", "b10", "b2"]);
  assert.deepEqual(sorted({ key: "dial", direction: "descending" }), ["b1", "b10", "b2"]);
  assert.deepEqual(sorted({ key: "dial", direction: "ascending" }), ["b10", "b1", "b2"]);
  assert.deepEqual(sorted({ key: "name", direction: "ascending" }), ["b1", "b2", "b10"]);
  assert.deepEqual(sorted(null), ["b10", "b2", "b1"]);
});

Deno.test("of several certificates the one that soon expires is called as everywhere else", () => {
  const nowMs = Date.parse("2027-01-20T00:00:00Z");
  const soon = { state: "expires_soon", not_after: "2027-01-29T00:00:00.000Z" } as const;
  for (const subject of ["CN=www.example.com", ""]) {
    const first = fakeCertificate({ subject, ...soon });
    assert.equal(
      certificateWords([first, fakeCertificate()], nowMs),
      `certificate ${certificateTitle(first)} expires in 9\u00a0days`,
    );
  }
  assert.equal(certificateWords([fakeCertificate(soon)], nowMs), "certificate expires in 9\u00a0days");
});
