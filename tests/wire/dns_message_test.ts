import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Answer,
  NoAnswer,
  type Question,
  readAnswer,
  writeQuestion,
} from "../../lib/wire/dns_message.ts";
import { Malformed } from "../../lib/wire/malformed.ts";

const A: Question = { id: 0x1234, name: "api.internal", type: "A" };

/** A name as bytes, without pointers. */
function name(text: string): number[] {
  const labels = text === "" ? [] : text.split(".");
  return [...labels.flatMap((label) => [label.length, ...new TextEncoder().encode(label)]), 0];
}

function record(owner: number[], type: number, ttl: number, data: number[]): number[] {
  return [...owner, 0, type, 0, 1, ...[24, 16, 8, 0].map((it) => ttl >> it & 0xff), 0, data.length, ...data];
}

/** An answer to a question, with these records. */
function answer({ id, name: asked, type }: Question, records: number[][], flags = 0x8180): Uint8Array {
  const types = { A: 1, AAAA: 28, SRV: 33 };
  return Uint8Array.from([
    ...[id >> 8, id & 0xff, flags >> 8, flags & 0xff, 0, 1, 0, records.length, 0, 0, 0, 0],
    ...[...name(asked), 0, types[type], 0, 1],
    ...records.flat(),
  ]);
}

/** The name of the question, by a pointer to it. */
const ASKED = [0xc0, 12];

function read(bytes: Uint8Array, question = A): Answer {
  const answer = readAnswer(bytes, question);
  if (answer instanceof NoAnswer || answer instanceof Malformed) assert.fail(answer.reason);
  return answer;
}

function refusal(bytes: Uint8Array, question = A): string {
  const answer = readAnswer(bytes, question);
  return answer instanceof NoAnswer || answer instanceof Malformed
    ? answer.reason
    : assert.fail("it was read");
}

Deno.test("a question is written as RFC 1035 has it, and wants recursion", () => {
  const bytes = writeQuestion(A);
  assert.deepEqual([...bytes], [
    0x12,
    0x34,
    1,
    0,
    0,
    1,
    0,
    0,
    0,
    0,
    0,
    0,
    ...name("api.internal"),
    0,
    1,
    0,
    1,
  ]);
  assert.deepEqual(writeQuestion({ ...A, name: "api.internal." }), bytes);
});

Deno.test("addresses come with the shortest life among them, each once", () => {
  const records = [[10, 0, 0, 1], [10, 0, 0, 2], [10, 0, 0, 1]].map((it, i) => record(ASKED, 1, 60 - i, it));
  assert.deepEqual(read(answer(A, records)), {
    addresses: ["10.0.0.1", "10.0.0.2"],
    services: [],
    exists: true,
    ttlSeconds: 58,
  });
});

Deno.test("an address of IPv6 is in its short form", () => {
  const asked = { ...A, type: "AAAA" } as const;
  const data = [0x20, 1, 0xd, 0xb8, ...new Array(11).fill(0), 1];
  assert.deepEqual(read(answer(asked, [record(ASKED, 28, 5, data)]), asked).addresses, ["2001:db8::1"]);
});

Deno.test("aliases are followed in whatever order they stand, and their lives count", () => {
  const records = [
    record(name("b.internal"), 1, 300, [10, 0, 0, 1]),
    record(name("A.internal"), 5, 7, name("b.Internal")),
    record(ASKED, 5, 300, name("a.internal")),
    record(name("other.internal"), 1, 1, [10, 9, 9, 9]),
  ];
  assert.deepEqual(read(answer(A, records)), {
    addresses: ["10.0.0.1"],
    services: [],
    exists: true,
    ttlSeconds: 7,
  });
});

Deno.test("aliases in a circle are refused", () => {
  const records = [record(ASKED, 5, 1, name("a.internal")), record(name("a.internal"), 5, 1, ASKED)];
  assert.equal(refusal(answer(A, records)), "the answer has too many aliases in a row");
});

Deno.test("a dot within a label is no end of one: such a name is another one", () => {
  const asked = { ...A, name: "_db._tcp.internal", type: "SRV" } as const;
  const [dotted, split] = [[7, ...new TextEncoder().encode("a.b\\.c."), 0], name("a.b")];
  const records = [dotted, split].map((target) => record(ASKED, 33, 30, [0, 1, 0, 1, 0, 80, ...target]));
  const targets = read(answer(asked, records), asked).services.map(({ target }) => target);
  assert.deepEqual(targets, ["a\\.b\\\\\\.c\\.", "a.b"]);
  const owner = [12, ...new TextEncoder().encode("api.internal"), 0];
  assert.deepEqual(read(answer(A, [record(owner, 1, 30, [10, 0, 0, 1])])).addresses, []);
});

Deno.test("services have priority, weight, port and target", () => {
  const asked = { ...A, name: "_db._tcp.internal", type: "SRV" } as const;
  const data = [0, 10, 1, 0, 0x15, 0x38, ...name("D1.internal")];
  assert.deepEqual(read(answer(asked, [record(ASKED, 33, 30, data)]), asked), {
    addresses: [],
    services: [{ priority: 10, weight: 256, port: 5432, target: "d1.internal" }],
    exists: true,
    ttlSeconds: 30,
  });
});

Deno.test("no records, and no such name, are answers; a name server that fails gives none", () => {
  const none = { addresses: [], services: [], ttlSeconds: undefined };
  assert.deepEqual(read(answer(A, [])), { ...none, exists: true });
  assert.deepEqual(read(answer(A, [], 0x8183)), { ...none, exists: false });
  assert.equal(refusal(answer(A, [], 0x8182)), "the name server answers SERVFAIL");
  assert.equal(refusal(answer(A, [], 0x8185)), "the name server answers REFUSED");
  assert.equal(refusal(answer(A, [], 0x8189)), "the name server answers error 9");
});

Deno.test("what answers another question is refused", () => {
  const records = [record(ASKED, 1, 60, [10, 0, 0, 1])];
  assert.equal(refusal(answer({ ...A, id: 1 }, records)), "it is no answer to the question");
  assert.equal(refusal(writeQuestion(A)), "it is no answer to the question");
  assert.equal(refusal(answer({ ...A, name: "evil.internal" }, records)), "it answers another question");
  assert.equal(refusal(answer({ ...A, type: "SRV" }, records)), "it answers another question");
});

Deno.test("a record of the wrong length or class is none, and a life with its highest bit is over", () => {
  const other = record(ASKED, 1, 60, [10, 0, 0, 1]);
  other[5] = 3;
  const records = [record(ASKED, 1, 60, [10, 0, 0]), other, record(ASKED, 1, 2 ** 31, [10, 0, 0, 2])];
  const { addresses, ttlSeconds } = read(answer(A, records));
  assert.deepEqual([addresses, ttlSeconds], [["10.0.0.2"], 0]);
});

Deno.test("an answer that is cut off anywhere is refused", () => {
  const whole = answer(A, [
    record(ASKED, 5, 9, name("b.internal")),
    record(name("b.internal"), 1, 9, [1, 2, 3, 4]),
  ]);
  read(whole);
  for (let length = 0; length < whole.length; length++) {
    assert.ok(refusal(whole.subarray(0, length)).length > 0, `${length} bytes`);
  }
});

Deno.test("names that lead in a circle, or are too long, are refused", () => {
  const own = answer(A, [[0xc0, 30, 0, 1, 0, 1]]);
  assert.equal(refusal(own), "the answer is cut off");
  const long = Array.from({ length: 5 }, () => [63, ...new Array(63).fill(97)]).flat();
  assert.equal(refusal(answer(A, [record([...long, 0], 1, 1, [1, 2, 3, 4])])), "the answer is cut off");
});

Deno.test("whatever the bytes are, reading them ends, and gives addresses or a sentence", () => {
  const good = answer(A, [
    record(ASKED, 5, 9, name("b.internal")),
    record(name("b.internal"), 1, 9, [1, 2, 3, 4]),
  ]);
  const change = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 8 });
  fc.assert(fc.property(change, (changes) => {
    const bytes = good.slice();
    for (const [at, value] of changes) bytes[at] = value;
    const answer = readAnswer(bytes, A);
    if (answer instanceof NoAnswer || answer instanceof Malformed) assert.ok(answer.reason.length > 0);
    else assert.ok(answer.addresses.every((it) => it.length > 0));
  }));
});
