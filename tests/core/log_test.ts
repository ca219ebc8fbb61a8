// deno-lint-ignore-file no-await-in-loop -- there is one log in a process, so its cases run one after the other
import assert from "node:assert/strict";
import { log, LOG_LEVELS, type LogOptions, startLog } from "../../lib/core/log.ts";

const MIB = 1024 * 1024;

interface Writer {
  readonly write: LogOptions["write"];
  /** The lines written so far. */
  lines(): string[];
}

/** Takes at most so many bytes at a time, once `ready` resolves. */
function writer(ready: Promise<void> = Promise.resolve(), mostBytes = Infinity): Writer {
  const parts: Uint8Array[] = [];
  return {
    write: async (bytes) => {
      await ready;
      const taken = bytes.slice(0, mostBytes);
      parts.push(taken);
      return taken.length;
    },
    lines: () => {
      const decoder = new TextDecoder();
      return parts.map((part) => decoder.decode(part, { stream: true })).join("").split("\n").slice(0, -1);
    },
  };
}

function isDropRecord(line: string): boolean {
  return line.includes("log_records_dropped");
}

/** Lets the log begin to write what it has. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("records are written in order, in the format that was asked for", async () => {
  for (const format of ["text", "json"] as const) {
    const { write, lines } = writer();
    const running = startLog({ level: "info", format, write });
    log.info("one", { n: 1 });
    log.warn("two", { who: "it's me" });
    await running.close();
    assert.equal(lines().length, 2);
    if (format === "json") assert.equal(JSON.parse(lines()[1] ?? "").who, "it's me");
    else assert.match(lines()[1] ?? "", / warn {2}two who="it's me"$/);
  }
});

Deno.test("a record below the level is not written", async () => {
  for (const [i, level] of LOG_LEVELS.entries()) {
    const { write, lines } = writer();
    const running = startLog({ level, format: "json", write });
    log.debug("debug");
    log.info("info");
    log.warn("warn");
    log.error("error");
    await running.close();
    assert.deepEqual(lines().map((line) => JSON.parse(line).event), LOG_LEVELS.slice(i));
    assert.deepEqual(lines().map((line) => JSON.parse(line).level), LOG_LEVELS.slice(i));
  }
});

Deno.test("a writer that takes a few bytes at a time gets every byte", async () => {
  const { write, lines } = writer(undefined, 7);
  const running = startLog({ level: "info", format: "json", write });
  log.info("first", { value: "äöü€😀".repeat(10) });
  log.info("second");
  await running.close();
  assert.deepEqual(lines().map((line) => JSON.parse(line).event), ["first", "second"]);
  assert.equal(JSON.parse(lines()[0] ?? "").value, "äöü€😀".repeat(10));
});

Deno.test("while the writer stalls memory is bounded, and what was dropped is counted when it goes on", async () => {
  const reader = Promise.withResolvers<void>();
  const { write, lines } = writer(reader.promise);
  const running = startLog({ level: "info", format: "json", write });
  const total = 20_000;
  for (let n = 0; n < total; n++) {
    log.info("record", { n, filler: "x".repeat(1_000) });
    // The first write begins meanwhile, so that one part is with the writer and another waits.
    if (n % 1_000 === 0) await Promise.resolve();
  }
  await nextTurn();
  reader.resolve();
  await running.close();

  const written = lines();
  const kept = written.filter((line) => !isDropRecord(line)).map((line) => JSON.parse(line).n);
  const keptChars = written.reduce((sum, line) => sum + line.length + 1, 0);
  assert.ok(keptChars > MIB / 2, `only ${keptChars} characters were kept`);
  assert.ok(keptChars < 2.1 * MIB, `${keptChars} characters were kept`);
  assert.deepEqual(kept, kept.map((_, n) => n), "the oldest are kept, in order");
  const drops = written.filter(isDropRecord).map((line) => JSON.parse(line));
  assert.equal(drops.length, 1);
  assert.equal(drops[0].level, "warn");
  assert.equal(drops[0].count, total - kept.length);
  assert.ok(isDropRecord(written.at(-1) ?? ""), "the count stands where the records are missing");
});

Deno.test("after a stall records flow again and are not counted twice", async () => {
  const reader = Promise.withResolvers<void>();
  const { write, lines } = writer(reader.promise);
  const running = startLog({ level: "info", format: "json", write });
  for (let n = 0; n < 2_000; n++) log.info("record", { filler: "x".repeat(1_000) });
  reader.resolve();
  await nextTurn();
  log.info("afterwards");
  await running.close();
  assert.equal(lines().filter(isDropRecord).length, 1);
  assert.equal(JSON.parse(lines().at(-1) ?? "").event, "afterwards");
});

Deno.test("a record that is larger than the whole buffer is dropped and counted", async () => {
  const { write, lines } = writer();
  const running = startLog({ level: "info", format: "json", write });
  log.info("giant", { filler: "x".repeat(MIB) });
  log.info("small");
  await running.close();
  assert.deepEqual(lines().map((line) => JSON.parse(line).event).sort(), ["log_records_dropped", "small"]);
});

Deno.test("a writer that fails disturbs nobody, and is tried again with the next record", async () => {
  const working = writer();
  let failures = 2;
  const running = startLog({
    level: "info",
    format: "text",
    write: (bytes) => failures-- > 0 ? Promise.reject(new Error("Broken pipe")) : working.write(bytes),
  });
  for (const event of ["lost", "lost too", "arrives"]) {
    log.info(event);
    await nextTurn();
  }
  await running.close();
  assert.equal(working.lines().length, 1);
  assert.match(working.lines()[0] ?? "", / arrives$/);
});

Deno.test("closing may be said twice, and needs no record", async () => {
  const { write, lines } = writer();
  const running = startLog({ level: "info", format: "text", write });
  await running.close();
  log.info("one");
  await running.close();
  await running.close();
  assert.equal(lines().length, 1);
});

Deno.test("closing waits at most a second for a writer that never returns", async () => {
  const running = startLog({ level: "info", format: "text", write: () => new Promise(() => {}) });
  log.info("nobody reads this");
  const begunMs = performance.now();
  await running.close();
  const tookMs = performance.now() - begunMs;
  assert.ok(tookMs > 500 && tookMs < 2_500, `it took ${tookMs} ms`);
});

Deno.test("a log that is started anew writes to its own writer only", async () => {
  const [first, second] = [writer(), writer()];
  const one = startLog({ level: "info", format: "text", write: first.write });
  const two = startLog({ level: "info", format: "text", write: second.write });
  log.info("hello");
  await Promise.all([one.close(), two.close()]);
  assert.deepEqual([first.lines().length, second.lines().length], [0, 1]);
});
