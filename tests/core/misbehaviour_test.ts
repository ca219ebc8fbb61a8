import assert from "node:assert/strict";
import { InputError } from "../../lib/core/errors.ts";
import {
  checkForUdp,
  formatDelay,
  formatFlap,
  GOOD,
  misbehaviourFields,
  parseDelay,
  parseFlap,
  parseOrder,
  parseRate,
  parseSeed,
  parseShare,
} from "../../lib/core/misbehaviour.ts";

/** The sentence with which something is refused. */
function refusal(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof InputError, String(error));
    return error.message;
  }
  assert.fail("it was accepted");
}

Deno.test("a delay is one time, two bounds, or what 99 of 100 answers keep, and is written as it was read", () => {
  assert.deepEqual(parseDelay("10ms"), { kind: "range", fromMs: 10, toMs: 10 });
  assert.deepEqual(parseDelay("10ms..1s"), { kind: "range", fromMs: 10, toMs: 1_000 });
  assert.deepEqual(parseDelay("0s"), { kind: "range", fromMs: 0, toMs: 0 });
  assert.deepEqual(parseDelay("p99=200ms"), { kind: "p99", p99Ms: 200 });
  for (const text of ["10ms", "10ms..1s", "p99=1m30s", "0s"]) {
    assert.equal(formatDelay(parseDelay(text)), text);
  }
});

Deno.test("times for which a server is up and down are written as they were read", () => {
  assert.deepEqual(parseFlap("up=10s,down=500ms"), { upMs: 10_000, downMs: 500 });
  assert.equal(formatFlap(parseFlap("up=10s,down=500ms")), "up=10s,down=500ms");
});

Deno.test("what is wrong in a value is refused with what to write", () => {
  const wrong: [() => unknown, string][] = [
    [() => parseDelay("10"), '"10" is not a duration; add the unit, as 10s or 10ms'],
    [() => parseDelay(""), '"" is not a duration; write it as 250ms, 30s, 1m30s or 2h'],
    [() => parseDelay("1s.."), '"" is not a duration; write it as 250ms, 30s, 1m30s or 2h'],
    [() => parseDelay("50ms..10ms"), '"50ms..10ms" ends before it begins; write 10ms..50ms'],
    [() => parseDelay("1s..2s..3s"), '"1s..2s..3s" is not a delay; write 10ms, 10ms..50ms or p99=200ms'],
    [() => parseDelay("p99=x"), '"x" is not a duration; write it as 250ms, 30s, 1m30s or 2h'],
    [() => parseShare("1.5"), '"1.5" is not a number from 0 to 1; write 0.1 for one in ten'],
    [() => parseShare("-0.1"), '"-0.1" is not a number from 0 to 1; write 0.1 for one in ten'],
    [() => parseShare("20%"), '"20%" is not a number from 0 to 1; write 0.2'],
    [() => parseShare("1e-3"), '"1e-3" is not a number from 0 to 1; write 0.1 for one in ten'],
    [() => parseFlap("10s,5s"), '"10s,5s" is not known; write up=10s,down=5s'],
    [() => parseFlap("up=1s"), '"up=1s" has no down; write up=10s,down=5s'],
    [() => parseFlap("down=1s"), '"down=1s" has no up; write up=10s,down=5s'],
    [() => parseFlap("up=1s,"), '"up=1s," is not known; write up=10s,down=5s'],
    [() => parseFlap("up=0s,down=5s"), '"up=0s,down=5s" has a time of 0s; write up=10s,down=5s'],
    [() => parseRate("0B"), '"0B" lets nothing through; write 1KiB or more'],
    [() => parseRate("1024"), '"1024" is not a size; add the unit, as 1024B or 1024KiB'],
    [() => parseSeed("4294967296"), '"4294967296" is not a whole number from 0 to 4294967295'],
    [() => parseSeed("-1"), '"-1" is not a whole number from 0 to 4294967295'],
  ];
  for (const [read, sentence] of wrong) assert.equal(refusal(read), sentence);
  assert.deepEqual([parseShare("0"), parseShare("1"), parseShare("0.001"), parseShare("1.0")], [
    0,
    1,
    0.001,
    1,
  ]);
  assert.deepEqual([parseSeed("0"), parseSeed("4294967295")], [0, 4294967295]);
});

Deno.test("a line asks for what a flag of its name asks for, to go down, or to come up", () => {
  const lines: [string, unknown][] = [
    ["", undefined],
    ["  \t ", undefined],
    ["down", "down"],
    [" up\r", "up"],
    ["delay 50ms", { delay: { kind: "range", fromMs: 50, toMs: 50 } }],
    ["delay   p99=1s ", { delay: { kind: "p99", p99Ms: 1_000 } }],
    ["delay off", { delay: undefined }],
    ["fail-rate 0.2", { failRate: 0.2 }],
    ["fail-how reset", { failHow: "reset" }],
    ["limit-rate 1MiB", { bytesPerSecond: 1024 * 1024 }],
    ["limit-rate off", { bytesPerSecond: 0 }],
    ["close-after 3", { closeAfter: 3 }],
    ["close-after off", { closeAfter: 0 }],
    ["flap up=1s,down=2s", { flap: { upMs: 1_000, downMs: 2_000 } }],
    ["flap off", { flap: undefined }],
  ];
  for (const [line, order] of lines) assert.deepEqual(parseOrder(line), order, line);
});

Deno.test("a line that is wrong is refused with one sentence", () => {
  const wrong: [string, string][] = [
    ["dwn", '"dwn" is not known; did you mean down?'],
    [
      "constructor",
      '"constructor" is not known; write up, down, delay, fail-rate, fail-how, limit-rate, close-after, flap',
    ],
    ["down now", "down takes no value; write down alone"],
    ["delay", "delay takes one value, as the flag --delay does"],
    ["delay 1s 2s", "delay takes one value, as the flag --delay does"],
    ["delay 1", 'delay: "1" is not a duration; add the unit, as 1s or 1ms'],
    ["fail-rate off", 'fail-rate: "off" is not a number from 0 to 1; write 0.1 for one in ten'],
    ["fail-how resett", 'fail-how: "resett" is not known; did you mean reset?'],
    ["close-after 0", 'close-after: "0" is not a whole number from 1 to 999999999'],
    [
      "\u001b[31m",
      '"\\u001b[31m" is not known; write up, down, delay, fail-rate, fail-how, limit-rate, close-after, flap',
    ],
  ];
  for (const [line, sentence] of wrong) assert.equal(refusal(() => parseOrder(line)), sentence);
});

Deno.test("with UDP only what a datagram can have is wrong", () => {
  checkForUdp({ delay: parseDelay("1s"), failRate: 1, failHow: "hang", seed: 4 });
  checkForUdp({ failHow: "garbage" });
  checkForUdp({ bytesPerSecond: 0, closeAfter: 0, flap: undefined });
  assert.equal(
    refusal(() => checkForUdp({ failHow: "reset" })),
    "fail-how reset is for connections, and UDP has none; use hang or garbage",
  );
  for (
    const [name, change] of Object.entries({
      "limit-rate": { bytesPerSecond: 1 },
      "close-after": { closeAfter: 1 },
      "flap": { flap: { upMs: 1, downMs: 1 } },
    })
  ) {
    assert.equal(
      refusal(() => checkForUdp(change)),
      `${name} is for connections, and UDP has none; leave it out`,
    );
  }
});

Deno.test("the log is told what is wrong, and nothing of what is not", () => {
  assert.deepEqual(misbehaviourFields(GOOD), { seed: 1 });
  assert.deepEqual(
    misbehaviourFields({
      delay: parseDelay("10ms..50ms"),
      failRate: 0.1,
      failHow: "hang",
      bytesPerSecond: 1024,
      closeAfter: 2,
      flap: { upMs: 1_000, downMs: 500 },
      seed: 9,
    }),
    {
      delay: "10ms..50ms",
      fail_rate: 0.1,
      fail_how: "hang",
      limit_rate: "1KiB",
      close_after: 2,
      flap: "up=1s,down=500ms",
      seed: 9,
    },
  );
});
