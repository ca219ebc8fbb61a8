// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import { prepareProbe } from "../../lib/health/probe.ts";
import { startBackend, type TestBackend } from "../support/backend.ts";
import { bytes, readAll, readExactly } from "../support/bytes.ts";
import { drippingBackend, expectCheck, local, probe, probeAt, writePieces } from "./checks.ts";

/** Speaks first, in these pieces, and then waits until the other side goes. */
function greetingBackend(...pieces: readonly (string | Uint8Array)[]): TestBackend {
  return startBackend(async (conn) => {
    conn.setNoDelay(true);
    await writePieces(conn, pieces);
    await readAll(conn);
  });
}

/** What a check sees of a backend that speaks first. */
async function seen(expect: string, ...pieces: readonly (string | Uint8Array)[]): Promise<string> {
  const backend = greetingBackend(...pieces);
  const result = await probe(backend.port, expectCheck("", expect));
  await backend.stop();
  return `${result?.ok ? "well" : "unwell"}: ${result?.saw}`;
}

Deno.test("expect: what is sent is answered as expected", async () => {
  const backend = startBackend(async (conn) => {
    const ping = await readExactly(conn, 6);
    await writeAll(conn, bytes(new TextDecoder().decode(ping) === "PING\r\n" ? "+PONG\r\n" : "-ERR\r\n"));
    await readAll(conn);
  });
  const ok = await probe(backend.port, expectCheck("PING\r\n", "+PONG"));
  assert.deepEqual(ok, { ok: true, saw: String.raw`answered "+PONG\r\n"` });
  const bad = await probe(backend.port, expectCheck("GNIP\r\n", "+PONG", { timeoutMs: 250 }));
  assert.deepEqual(bad, { ok: false, saw: String.raw`answered "-ERR\r\n", not as expected within 250ms` });
  await backend.stop();
});

Deno.test("expect: nothing is sent to a server that speaks first", async () => {
  const { promise: heard, resolve } = Promise.withResolvers<Uint8Array>();
  const backend = startBackend(async (conn) => {
    await writeAll(conn, bytes("220 mail ready\r\n"));
    resolve(await readAll(conn));
  });
  const result = await probe(backend.port, expectCheck("", "220 "));
  assert.deepEqual(result, { ok: true, saw: String.raw`answered "220 mail ready\r\n"` });
  assert.equal((await heard).length, 0);
  await backend.stop();
});

Deno.test("expect: a text is found anywhere, letter by letter, also when it comes in pieces", async () => {
  assert.equal(await seen("ready", "220 mail ready\r\n"), String.raw`well: answered "220 mail ready\r\n"`);
  assert.match(await seen("ready", ..."220 mail ready"), /^well: answered "220 mail ready"$/);
  assert.match(await seen("+OK [.]*", "+OK [.]*"), /^well: /);
});

Deno.test("expect: a regular expression is found in what has come so far", async () => {
  assert.match(await seen(String.raw`/^\+(OK|PONG)/`, "+PO", "NG"), /^well: answered "\+PONG"$/);
  assert.match(await seen("/(?i)^220 .* READY/", ..."220 mail ready"), /^well: answered "220 mail ready"$/);
  assert.match(await seen(String.raw`/\d{3}/`, "4", "2", "1"), /^well: answered "421"$/);
});

Deno.test("expect: a character of several bytes may come in pieces", async () => {
  const answer = bytes("→ prêt ✓");
  const pieces = Array.from(answer, (_, i) => answer.subarray(i, i + 1));
  assert.equal(await seen("prêt ✓", ...pieces), String.raw`well: answered "\u2192 pr\u00eat \u2713"`);
  assert.match(await seen("/^→ .{4} ✓$/", ...pieces), /^well: /);
});

Deno.test("expect: bytes that are no text do not hide the text among them", async () => {
  const banner = new Uint8Array([74, 0, 0, 0, 10, 255, ...bytes("8.0.36"), 0, 254]);
  assert.equal(
    await seen("8.0.", banner),
    String.raw`well: answered "J\u0000\u0000\u0000\n\ufffd8.0.36\u0000\ufffd"`,
  );
});

Deno.test("expect: an end before the expected text is told apart from one without any answer", async () => {
  const backend = startBackend((conn) => writeAll(conn, bytes("-ERR busy\r\n")));
  const result = await probe(backend.port, expectCheck("", "+OK"));
  assert.deepEqual(result, { ok: false, saw: String.raw`answered "-ERR busy\r\n", then closed` });
  await backend.stop();
});

Deno.test("expect: no more than 16 KiB are looked at", async () => {
  const filler = "x".repeat(16 * 1024 - 3);
  assert.match(await seen("+OK", `${filler}+OK`), /^well: answered "x{40}…"$/);
  assert.match(
    await seen("+OK", `${filler}x+OK`),
    /^unwell: answered "x{40}…", not as expected in 16 KiB$/,
  );
});

Deno.test("expect: a backend that answers without an end does not use up more than its timeout", async () => {
  const backend = drippingBackend("a");
  const startedMs = performance.now();
  // Each look at such an answer takes a matcher that backtracks twice as long as the one before.
  const result = await probe(backend.port, expectCheck("", "/(a+)+[bc]/", { timeoutMs: 250 }));
  assert.ok(performance.now() - startedMs < 3_000);
  assert.match(result?.saw ?? "", /^answered "a+…?", not as expected within 250ms$/);
  await backend.stop();
});

Deno.test("expect: what cannot be expected is refused before any check", () => {
  for (const expect of ["", "//", "/(/", String.raw`/(a)\1/`, "/(?=a)/", "/ready/i"]) {
    assert.throws(() => prepareProbe(expectCheck("", expect)), { name: "InputError" }, expect);
  }
});

Deno.test("expect: a prepared check keeps nothing of one answer for the next", async () => {
  const check = prepareProbe(expectCheck("", "/^ab$/"));
  const backends = [greetingBackend("a", "b"), greetingBackend("ab"), greetingBackend("a", "b")];
  for (const { port } of [...backends, ...backends]) {
    assert.deepEqual(await probeAt(local(port), check), { ok: true, saw: `answered "ab"` });
  }
  for (const backend of backends) await backend.stop();
});
