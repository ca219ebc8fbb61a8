import assert from "node:assert/strict";
import { daytime, whoami } from "../../lib/respond/announce.ts";
import { text } from "../support/bytes.ts";
import { answerTo, CONTEXT, memoryConnection } from "./memory_connection.ts";

Deno.test("whoami says its name on one line, whatever comes", async () => {
  assert.equal(text(await answerTo(whoami)), "one\n");
  assert.equal(text(await answerTo(whoami, "who are you?\n")), "one\n");
  const connection = memoryConnection();
  await whoami(connection, { ...CONTEXT, name: "Straße 😀" });
  assert.equal(text(connection.received()), "Straße 😀\n");
});

Deno.test("daytime says the time on one line, in ISO 8601", async () => {
  assert.equal(text(await answerTo(daytime, "ignored")), "2026-01-02T03:04:05.678Z\n");
});
