import assert from "node:assert/strict";
import {
  type MisbehaviourFlags,
  misbehaviourNotes,
  misbehaviourOf,
} from "../../lib/cli/misbehaviour_flags.ts";
import { GOOD, type Misbehaviour } from "../../lib/core/misbehaviour.ts";
import { flags, refusal } from "./arguments.ts";

const SERVER = "--role server";

function asked(line: string, isUdp = false): Misbehaviour | undefined {
  return misbehaviourOf(flags(`${SERVER} ${line}`.trim()).misbehaviour as MisbehaviourFlags, isUdp);
}

Deno.test("a server that is told nothing does not misbehave, and one flag is enough", () => {
  assert.equal(asked(""), undefined);
  const forms: [string, Partial<Misbehaviour>][] = [
    ["--delay 10ms", { delay: { kind: "range", fromMs: 10, toMs: 10 } }],
    ["--delay=10ms..50ms", { delay: { kind: "range", fromMs: 10, toMs: 50 } }],
    ["--delay p99=200ms", { delay: { kind: "p99", p99Ms: 200 } }],
    ["--delay 0s", { delay: { kind: "range", fromMs: 0, toMs: 0 } }],
    ["--fail-rate 0.1", { failRate: 0.1 }],
    ["--fail-rate=0", { failRate: 0 }],
    ["--fail-how hang", { failHow: "hang" }],
    ["--limit-rate 1MiB", { bytesPerSecond: 1024 * 1024 }],
    ["--close-after 3", { closeAfter: 3 }],
    ["--flap up=10s,down=5s", { flap: { upMs: 10_000, downMs: 5_000 } }],
    ["--seed 4294967295", { seed: 4294967295 }],
  ];
  for (const [line, wrong] of forms) assert.deepEqual(asked(line), { ...GOOD, ...wrong }, line);
});

Deno.test("a value that is wrong is refused with the flag and what to write", () => {
  const wrong: [string, string][] = [
    ["--delay 10", '--delay: "10" is not a duration; add the unit, as 10s or 10ms'],
    ["--fail-rate 10%", '--fail-rate: "10%" is not a number from 0 to 1; write 0.1'],
    ["--fail-how resett", '--fail-how: "resett" is not known; did you mean reset?'],
    [
      "--fail-how x",
      '--fail-how: "x" is not known; use refuse, reset, close-early, hang, garbage, slow-read, slow-write',
    ],
    ["--limit-rate 1M", '--limit-rate: "1M" is not a size; write it as 1MiB'],
    ["--close-after 0", '--close-after: "0" is not a whole number from 1 to 999999999'],
    ["--flap 10s", '--flap: "10s" is not known; write up=10s,down=5s'],
    ["--seed x", '--seed: "x" is not a whole number from 0 to 4294967295'],
    ["--seed", "--seed needs a value, N"],
  ];
  for (const [line, sentence] of wrong) assert.equal(refusal(`${SERVER} ${line}`), sentence);
  assert.equal(refusal("--role client --connect :1 --delay 1s").split("\n").length, 1);
});

Deno.test("how connections fail is noted where none does, unless that was said", () => {
  const notes = (line: string): string[] => {
    return misbehaviourNotes(flags(`${SERVER} ${line}`).misbehaviour as MisbehaviourFlags);
  };
  assert.deepEqual(notes("--fail-how hang"), [
    "--fail-how hang without --fail-rate: nothing fails until a line on stdin says fail-rate",
  ]);
  for (const line of ["--fail-how hang --fail-rate 0", "--fail-rate 0.1", "--delay 1s"]) {
    assert.deepEqual(notes(line), [], line);
  }
});

Deno.test("with UDP an answer may be late, lost or garbage, and what is for connections is refused", () => {
  const udp = "--listen udp::53";
  assert.deepEqual(asked(`${udp} --fail-rate 0.1`, true), { ...GOOD, failRate: 0.1, failHow: "hang" });
  assert.equal(
    asked(`${udp} --fail-rate 0.1 --fail-how garbage --delay 1s --seed 2`, true)?.failHow,
    "garbage",
  );
  const wrong: [string, string][] = [
    ["--fail-how reset", "--fail-how reset is for connections, and UDP has none; use hang or garbage"],
    ["--limit-rate 1KiB", "--limit-rate is for connections, and UDP has none; leave it out"],
    ["--close-after 1", "--close-after is for connections, and UDP has none; leave it out"],
    ["--flap up=1s,down=1s", "--flap is for connections, and UDP has none; leave it out"],
  ];
  for (const [line, sentence] of wrong) assert.equal(refusal(`${SERVER} ${udp} ${line}`), sentence);
});

Deno.test("a server misbehaves with the engine runtime alone", () => {
  assert.equal(
    refusal(`${SERVER} --engine epoll --delay 1s`),
    "a server misbehaves with the engine runtime alone; leave --engine out",
  );
  assert.deepEqual(asked("--engine runtime --fail-rate 0.1", false), { ...GOOD, failRate: 0.1 });
});
