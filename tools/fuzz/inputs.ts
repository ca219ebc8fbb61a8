/** Inputs for the readers of bytes: recorded ones, changed here and there, and made-up ones. */

import fc from "fast-check";

/** What is done to an input; positions and lengths wrap around, so that every change fits every input. */
type Change = (bytes: Uint8Array) => Uint8Array;

const MAX_INPUT_BYTES = 32 * 1024;

const position = fc.nat(4095);
const interesting = fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 3, 4, 13, 10, 16, 22, 32, 43, 127, 128, 255));

/** A byte or two set to something, which is mostly a length, a type or a version. */
const setting = fc.tuple(position, interesting).map(([at, byte]): Change => (bytes) => {
  const changed = bytes.slice();
  if (changed.length > 0) changed[at % changed.length] = byte;
  return changed;
});

const nudging = fc.tuple(position, fc.integer({ min: -3, max: 3 })).map(([at, by]): Change => (bytes) => {
  const changed = bytes.slice();
  if (changed.length > 0) changed[at % changed.length] = (changed[at % changed.length] ?? 0) + by;
  return changed;
});

const flipping = fc.tuple(position, fc.nat(7)).map(([at, bit]): Change => (bytes) => {
  const changed = bytes.slice();
  if (changed.length > 0) changed[at % changed.length] = (changed[at % changed.length] ?? 0) ^ 1 << bit;
  return changed;
});

const cutting = position.map((at): Change => (bytes) => bytes.slice(0, at % (bytes.length + 1)));

const removing = fc.tuple(position, fc.nat(40)).map(([at, length]): Change => (bytes) => {
  const from = at % (bytes.length + 1);
  return Uint8Array.from([...bytes.subarray(0, from), ...bytes.subarray(from + length)]);
});

const repeating = fc.tuple(position, fc.nat(600), fc.nat(8)).map(([at, length, times]): Change => (bytes) => {
  const from = at % (bytes.length + 1);
  const part = bytes.subarray(from, from + length);
  const all = [bytes.subarray(0, from), ...Array.from({ length: times }, () => part), bytes.subarray(from)];
  return Uint8Array.from(all.flatMap((it) => [...it]).slice(0, MAX_INPUT_BYTES));
});

const inserting = fc.tuple(position, fc.uint8Array({ maxLength: 12 })).map(
  ([at, more]): Change => (bytes) => {
    const from = at % (bytes.length + 1);
    return Uint8Array.from([...bytes.subarray(0, from), ...more, ...bytes.subarray(from)]);
  },
);

/** The payload of the first record, as far as there is one, in records of another size. */
const recutting = fc.integer({ min: 1, max: 200 }).map((payloadBytes): Change => (bytes) => {
  const records: number[] = [];
  for (let at = 5; at < bytes.length; at += payloadBytes) {
    const part = bytes.subarray(at, at + payloadBytes);
    records.push(22, 3, 1, part.length >> 8, part.length & 255, ...part);
  }
  return Uint8Array.from(records.slice(0, MAX_INPUT_BYTES));
});

const change = fc.oneof(
  { arbitrary: setting, weight: 4 },
  { arbitrary: nudging, weight: 4 },
  { arbitrary: flipping, weight: 2 },
  cutting,
  removing,
  repeating,
  inserting,
  recutting,
);

/** Text that is nearly a line of version 1. */
const line = fc.array(
  fc.constantFrom(
    "PROXY ",
    "TCP4 ",
    "TCP6 ",
    "UNKNOWN",
    "192.0.2.1 ",
    "::1 ",
    "1 ",
    "65535",
    " ",
    "\r\n",
    "\r",
    "0",
    "::",
  ),
  { maxLength: 12 },
).map((parts) => new TextEncoder().encode(parts.join("")));

/** Recorded inputs with up to eight changes, and made-up ones. It shrinks to few changes. */
export function inputsFrom(recorded: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const changed = fc.tuple(fc.constantFrom(...recorded), fc.array(change, { maxLength: 8 }))
    .map(([bytes, changes]) => changes.reduce((soFar, one) => one(soFar), bytes));
  const madeUp = fc.tuple(fc.constantFrom(...recorded), position, fc.uint8Array({ maxLength: 300 }))
    .map(([bytes, at, rest]) => Uint8Array.from([...bytes.subarray(0, at % 80), ...rest]));
  return fc.oneof({ arbitrary: changed, weight: 8 }, madeUp, line);
}
