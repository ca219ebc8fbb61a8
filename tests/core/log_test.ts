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
    log.debug("debug", {});
    log.info("info", {});
    log.warn("warn", {});
    log.error("error", {});
    await running.close();
    assert.deepEqual(lines().map((line) => JSON.parse(line).event), LOG_LEVELS.slice(i));
    assert.deepEqual(lines().map((line) => JSON.parse(line).level), LOG_LEVELS.slice(i));
  }
});

Deno.test("a writer that takes a few bytes at a time gets every byte", async () => {
  const { write, lines } = writer(undefined, 7);
  const running = startLog({ level: "info", format: "json", write });
  log.info("first", { value: "äöü€😀".repeat(10) });
  log.info("second", {});
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
  log.info("afterwards", {});
  await running.close();
  assert.equal(lines().filter(isDropRecord).length, 1);
  assert.equal(JSON.parse(lines().at(-1) ?? "").event, "afterwards");
});

Deno.test("a record that is larger than the whole buffer is dropped and counted", async () => {
  const { write, lines } = writer();
  const running = startLog({ level: "info", format: "json", write });
  log.info("giant", { filler: "x".repeat(MIB) });
  log.info("small", {});
  await running.close();
  assert.deepEqual(lines().map((line) => JSON.parse(line).event).sort(), ["log_records_dropped", "small"]);
});

Deno.test("a writer that fails is tried again until it works: nothing is lost, and both are said once", async () => {
  const working = writer();
  let failures = 3;
  const running = startLog({
    level: "info",
    format: "json",
    retryMs: 1,
    write: (bytes) =>
      failures-- > 0 ? Promise.reject(new Error("No space left (os error 28)")) : working.write(bytes),
  });
  for (const event of ["one", "two", "three"]) {
    log.info(event, {});
    await nextTurn();
  }
  while (!working.lines().some((line) => line.includes("log_works_again"))) await nextTurn();
  await running.close();
  const records = working.lines().map((line) => JSON.parse(line));
  const own = records.filter(({ event }) => !event.startsWith("log_"));
  assert.deepEqual(own.map(({ event }) => event), ["one", "two", "three"]);
  const about = records.filter(({ event }) => event.startsWith("log_"));
  assert.deepEqual(about.map(({ event, log: name }) => [event, name]), [
    ["log_failing", "stderr"],
    ["log_works_again", "stderr"],
  ]);
  assert.equal(about[0].reason, "no space left");
  assert.equal(about[1].dropped, 0);
});

/** A log whose records of sessions have a writer of their own. */
function withSessions(
  writeSessions: LogOptions["write"],
): ReturnType<typeof startLog> & { ordinary: Writer } {
  const ordinary = writer();
  const options = { level: "info", format: "json", retryMs: 1, sessionsName: "/var/log/s.log" } as const;
  return Object.assign(startLog({ ...options, write: ordinary.write, writeSessions }), { ordinary });
}

Deno.test("a session log that fails or stalls keeps no other record waiting", async () => {
  for (const writeSessions of [() => Promise.reject(new Error("EIO")), () => new Promise<number>(() => {})]) {
    const running = withSessions(writeSessions);
    log.session("info", { id: 1 });
    await nextTurn();
    log.info("ready", {});
    while (!running.ordinary.lines().some((line) => line.includes('"ready"'))) await nextTurn();
    await running.close();
  }
});

Deno.test("an ordinary log that fails or stalls keeps no record of a session waiting", async () => {
  for (const write of [() => Promise.reject(new Error("EPIPE")), () => new Promise<number>(() => {})]) {
    const sessions = writer();
    const running = startLog({
      level: "info",
      format: "json",
      write,
      writeSessions: sessions.write,
      retryMs: 1,
    });
    log.info("ready", {});
    await nextTurn();
    log.session("info", { id: 1 });
    while (sessions.lines().length === 0) await nextTurn();
    await running.close();
    assert.equal(JSON.parse(sessions.lines()[0] ?? "").id, 1);
  }
});

Deno.test("records of sessions that are lost at the end are counted in the ordinary log", async () => {
  const running = withSessions(() => Promise.reject(new Error("No space left on device")));
  for (let id = 0; id < 7; id++) log.session("info", { id });
  await running.close();
  const lost = running.ordinary.lines().map((line) => JSON.parse(line))
    .find(({ event }) => event === "log_records_lost");
  assert.deepEqual([lost.log, lost.count, running.dropped], ["/var/log/s.log", 7, 7]);
});

Deno.test("what does not fit into memory while the session log fails is counted, and said in both logs", async () => {
  const working = writer();
  let isFull = true;
  const running = withSessions((bytes) => {
    return isFull ? Promise.reject(new Error("No space left on device")) : working.write(bytes);
  });
  for (let id = 0; id < 4_000; id++) log.session("info", { id, filler: "x".repeat(1_000) });
  await nextTurn();
  assert.ok(running.dropped > 0);
  isFull = false;
  while (!running.ordinary.lines().some((line) => line.includes("log_works_again"))) await nextTurn();
  await running.close();
  const again = running.ordinary.lines().map((line) => JSON.parse(line))
    .find(({ event }) => event === "log_works_again");
  const written = working.lines().filter((line) => !isDropRecord(line)).length;
  assert.equal(written + again.dropped, 4_000);
  assert.equal(again.dropped, running.dropped);
  assert.deepEqual(working.lines().filter(isDropRecord).map((line) => JSON.parse(line).count), [
    again.dropped,
  ]);
});

Deno.test("what the log says about itself goes to the recorder that asked for it", async () => {
  const heard: string[] = [];
  let failures = 1;
  const running = withSessions((bytes) => {
    return failures-- > 0 ? Promise.reject(new Error("EIO")) : Promise.resolve(bytes.length);
  });
  running.reportTo({ warn: (event, fields) => void heard.push(`${event} ${fields.log}`) });
  log.session("info", { id: 1 });
  while (heard.length < 2) await nextTurn();
  await running.close();
  assert.deepEqual(heard, ["log_failing /var/log/s.log", "log_works_again /var/log/s.log"]);
});

Deno.test("closing may be said twice, and needs no record", async () => {
  const { write, lines } = writer();
  const running = startLog({ level: "info", format: "text", write });
  await running.close();
  log.info("one", {});
  await running.close();
  await running.close();
  assert.equal(lines().length, 1);
});

Deno.test("closing waits at most a second for a writer that never returns", async () => {
  const running = startLog({ level: "info", format: "text", write: () => new Promise(() => {}) });
  log.info("nobody reads this", {});
  const begunMs = performance.now();
  await running.close();
  const tookMs = performance.now() - begunMs;
  assert.ok(tookMs > 500 && tookMs < 2_500, `it took ${tookMs} ms`);
});

Deno.test("a log that is started anew writes to its own writer only", async () => {
  const [first, second] = [writer(), writer()];
  const one = startLog({ level: "info", format: "text", write: first.write });
  const two = startLog({ level: "info", format: "text", write: second.write });
  log.info("hello", {});
  await Promise.all([one.close(), two.close()]);
  assert.deepEqual([first.lines().length, second.lines().length], [0, 1]);
});
