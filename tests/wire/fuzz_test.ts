import assert from "node:assert/strict";
import fc from "fast-check";
import { inputsFrom } from "../../tools/fuzz/inputs.ts";
import { checkDnsInput } from "../../tools/fuzz/dns_properties.ts";
import { checkInput } from "../../tools/fuzz/properties.ts";
import { readAnswer } from "../../lib/wire/dns_message.ts";
import { trapped } from "../../tools/fuzz/trapped.ts";
import { ANSWERS, HEADERS, HELLOS } from "./recorded.ts";

Deno.test("whatever comes has an answer, the same however it comes, in linear time, without a read beyond it", () => {
  const recorded = [...HELLOS, ...HEADERS].map(({ bytes }) => bytes);
  fc.assert(
    fc.property(inputsFrom(recorded), fc.nat(4095), fc.boolean(), (bytes, splitAt, isTrapped) => {
      checkInput(bytes, splitAt, isTrapped);
    }),
    { numRuns: 4_000 },
  );
});

Deno.test("every recorded hello and header passes the checks of the fuzzer, split anywhere", () => {
  for (const { bytes } of [...HELLOS, ...HEADERS]) {
    for (let at = 0; at <= bytes.length; at += 7) checkInput(bytes, at, true);
  }
});

Deno.test("whatever a name server answers is an answer to the question or none, in linear time, without a read beyond it", () => {
  for (const { bytes, question } of ANSWERS) {
    const inputs = inputsFrom([bytes]);
    fc.assert(
      fc.property(inputs, fc.nat(4095), fc.boolean(), (bytes, splitAt, isTrapped) => {
        checkDnsInput(bytes, question, splitAt, isTrapped);
      }),
      { numRuns: 500 },
    );
  }
});

Deno.test("every recorded answer of a name server is read as what it is, and none of its parts as another", () => {
  const read = ANSWERS.map(({ from, bytes, question }) => {
    for (let at = 0; at < bytes.length; at++) checkDnsInput(bytes, question, at, true);
    const answer = readAnswer(bytes, question);
    if (!("addresses" in answer)) return `${from}: ${answer.reason}`;
    const { addresses, services, exists } = answer;
    return `${from}: ${exists} ${[...addresses, ...services.map((it) => `${it.target}:${it.port}`)].sort()}`;
  });
  const of = (program: string): string[] => [
    `${program}, addresses: true 192.0.2.7,192.0.2.8`,
    `${program}, an address of IPv6: true 2001:db8::7`,
    `${program}, aliases: true 192.0.2.7,192.0.2.8`,
    `${program}, a service: true d1.example:5432,www.example:5433`,
  ];
  const refused = "the name server answers REFUSED";
  assert.deepEqual(read, [
    ...of("Knot 3.2"),
    "Knot 3.2, no such name: false ",
    `Knot 3.2, not its own: ${refused}`,
    ...of("dnsmasq 2.90"),
    `dnsmasq 2.90, no such name: ${refused}`,
    `dnsmasq 2.90, not its own: ${refused}`,
  ]);
});

Deno.test("an answer whose names are pointers to pointers is read in linear time", () => {
  // Each points to the one before, and each record begins with the last of them. They stand in a record that is skipped.
  const { question } = ANSWERS[0] ?? assert.fail();
  const asked = [3, 119, 119, 119, 7, ...new TextEncoder().encode("example"), 0];
  const pointer = (to: number): number[] => [0xc0 | to >> 8, to & 0xff];
  const start = 40;
  const chain = Array.from({ length: 8_000 }, (_, i) => pointer(i === 0 ? 12 : start + 2 * (i - 1))).flat();
  const record = [...pointer(start + chain.length - 2), 0, 1, 0, 1, 0, 0, 0, 0, 0, 0];
  const records = Array.from({ length: 4_000 }, () => record).flat();
  const header = [0x12, 0x34, 0x81, 0x80, 0, 1, 0x0f, 0xa1, 0, 0, 0, 0];
  const room = [0, 0, 99, 0, 1, 0, 0, 0, 0, chain.length >> 8, chain.length & 0xff];
  const bytes = Uint8Array.from([...header, ...asked, 0, 1, 0, 1, ...room, ...chain, ...records]);
  checkDnsInput(bytes, question, 0, true);
});

Deno.test("a read beyond the end springs the trap", () => {
  const { view, reads } = trapped(Uint8Array.of(1, 2, 3));
  assert.equal(view[2], 3);
  assert.throws(() => view[3], /A read at 3 of 3/);
  assert.throws(() => view.subarray(1, 2)[1], /A read at 1 of 1/);
  assert.equal(reads(), 1);
});
