// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** A balancer whose log nobody reads. */

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import { startBackend } from "../support/backend.ts";
import { ask, bytes, readAll, text } from "../support/bytes.ts";
import { SOCKBAL } from "../support/command.ts";

Deno.test("while the reader of the log stalls traffic goes on, and what was dropped is counted when it reads again", async () => {
  const backend = startBackend(async (conn) => {
    await writeAll(conn, await readAll(conn));
  });
  const [program = "", ...args] = SOCKBAL;
  const balancer = new Deno.Command(program, {
    args: [...args, "--role", "balancer", "--listen", "127.0.0.1:0", "--backend", backend.address],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const reader = balancer.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let log = "";
  while (!/ ready /.test(log)) log += (await reader.read()).value ?? "";
  const port = Number(/listening address=127.0.0.1:(\d+)/.exec(log)?.[1]);

  // Far more records than the pipe and the buffer behind it hold: 9,000 of about 200 bytes.
  for (let i = 0; i < 90; i++) {
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask(port, bytes("hello"))));
    assert.ok(answers.every((answer) => text(answer) === "hello"));
  }

  balancer.kill("SIGTERM");
  for (let part = await reader.read(); !part.done; part = await reader.read()) log += part.value;
  assert.equal((await balancer.status).code, 0);
  const written = log.match(/ session /g)?.length ?? 0;
  const dropped = [...log.matchAll(/ log_records_dropped count=(\d+)/g)].reduce(
    (sum, it) => sum + Number(it[1]),
    0,
  );
  assert.ok(dropped > 0, "nothing was dropped; the buffer is larger than this test believes");
  assert.ok(written + dropped >= 9_000, `${written} written and ${dropped} dropped of 9000`);
  await backend.stop();
});
