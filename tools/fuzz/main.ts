// deno-lint-ignore-file no-console -- the report is for people

/**
 * A million inputs for the readers in lib/wire: `deno task fuzz --inputs 1000000 --seed 7`.
 *
 * Recorded ClientHellos, PROXY headers and answers of name servers are changed at random. Whatever comes of it, there must be an answer,
 * the same however the bytes come, without a read beyond them. Exit status 1 when not; fast-check then shows the smallest input that
 * does it.
 */

import { parseArgs } from "node:util";
import fc from "fast-check";
import { ANSWERS, HEADERS, HELLOS } from "../../tests/wire/recorded.ts";
import { checkDnsInput } from "./dns_properties.ts";
import { inputsFrom } from "./inputs.ts";
import { checkInput } from "./properties.ts";

/** Every so many inputs, each read is watched. */
const TRAPPED_EVERY = 16;

const { values } = parseArgs({
  args: Deno.args,
  options: { inputs: { type: "string", default: "1000000" }, seed: { type: "string" } },
});
const inputs = Number(values.inputs);
const seed = Number(values.seed ?? Date.now() % 1_000_000);
if (!Number.isInteger(inputs) || inputs < 1 || !Number.isInteger(seed)) {
  console.error("fuzz: --inputs takes a whole number from 1, --seed a whole number");
  Deno.exit(2);
}
const counts = new Map<string, number>();
let checked = 0;
const isGood = [fuzzFirstBytes, fuzzAnswers].map((fuzz) => fuzz()).every((it) => it);
Deno.exit(isGood ? 0 : 1);

/** Of clients: a header, or a hello. */
function fuzzFirstBytes(): boolean {
  const recorded = [...HELLOS, ...HEADERS].map(({ bytes }) => bytes);
  return check(
    "first bytes",
    fc.property(inputsFrom(recorded), fc.nat(4095), (bytes, splitAt) => {
      const { header, hello } = checkInput(bytes, splitAt, isTrapped());
      count(`header: ${header}`);
      count(`hello: ${hello}`);
    }),
  );
}

/** Of name servers, to the question that was recorded with each. */
function fuzzAnswers(): boolean {
  const inputs = ANSWERS.map(({ bytes, question }) =>
    inputsFrom([bytes]).map((changed) => ({ bytes: changed, question }))
  );
  return check(
    "answers",
    fc.property(fc.oneof(...inputs), fc.nat(4095), ({ bytes, question }, splitAt) => {
      count(`dns: ${checkDnsInput(bytes, question, splitAt, isTrapped())}`);
    }),
  );
}

function check(what: string, property: fc.IProperty<unknown>): boolean {
  const start = performance.now();
  counts.clear();
  const result = fc.check(property, { numRuns: inputs, seed });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const found = [...counts].toSorted().map(([what, times]) => `${what} ${times}`).join(", ");
  if (result.failed) console.error(fc.defaultReportMessage(result));
  const outcome = result.failed ? "FAILED" : "ok";
  console.log(`fuzz: ${what}: --inputs ${inputs} --seed ${seed}: ${outcome} in ${seconds} s (${found})`);
  return !result.failed;
}

function isTrapped(): boolean {
  return checked++ % TRAPPED_EVERY === 0;
}

function count(what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}
