import assert from "node:assert/strict";
import { datagramHandlers } from "../../lib/respond/datagram_handlers.ts";
import type { HandlerName } from "../../lib/respond/handlers.ts";
import { bytes, text } from "../support/bytes.ts";
import { CONTEXT } from "./memory_connection.ts";

/** What a handler answers; undefined where it does not. */
function answer(name: HandlerName, datagram: string | Uint8Array, chance = 0): string | undefined {
  const sent = typeof datagram === "string" ? bytes(datagram) : datagram;
  const received = datagramHandlers[name]?.(sent, { ...CONTEXT, random: () => chance });
  return received === undefined ? undefined : text(received);
}

Deno.test("each handler gives one answer to a datagram, or none", () => {
  const answers: [HandlerName, string, string | undefined][] = [
    ["echo", "häl\0lo\n", "häl\0lo\n"],
    ["echo", "", ""],
    ["upper", "straße\n", "STRASSE\n"],
    ["upper", "", ""],
    ["reverse", "hello\n", "olleh\n"],
    ["reverse", "a😀b\r\ncd", "b😀a\r\ndc"],
    ["reverse", "", ""],
    ["discard", "hello", undefined],
    ["discard", "", undefined],
    ["daytime", "", "2026-01-02T03:04:05.678Z\n"],
    ["daytime", "ignored", "2026-01-02T03:04:05.678Z\n"],
    ["whoami", "", "one\n"],
    ["whoami", "who?", "one\n"],
  ];
  for (const [name, sent, expected] of answers) {
    assert.equal(answer(name, sent), expected, `${name} of ${JSON.stringify(sent)}`);
  }
});

Deno.test("chargen answers with 0 to 512 characters, as chance has it", () => {
  assert.equal(answer("chargen", "x", 0), "");
  assert.equal(answer("chargen", "x", 0.5)?.length, 256);
  assert.equal(answer("chargen", "x", 1 - Number.EPSILON)?.length, 512);
  assert.ok(answer("chargen", "", 0.9)?.startsWith(" !\"#$%&'"));
});

Deno.test("bytes that are no text are answered as text that says so, and echoed as they are", () => {
  const noText = new Uint8Array([0x61, 0xff]);
  assert.equal(answer("upper", noText), "A\ufffd");
  assert.equal(answer("reverse", noText), "\ufffda");
  assert.equal(datagramHandlers.echo?.(noText, { ...CONTEXT, random: Math.random }), noText);
});

Deno.test("http alone has no meaning for datagrams", () => {
  const without = Object.entries(datagramHandlers).flatMap(([name, it]) => it === undefined ? [name] : []);
  assert.deepEqual(without, ["http"]);
});
