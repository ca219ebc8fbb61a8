// deno-lint-ignore-file no-console -- the report is for people

/**
 * A million inputs for the readers in lib/wire: `deno task fuzz --inputs 1000000 --seed 7`.
 *
 * Recorded ClientHellos and PROXY headers are changed at random. Whatever comes of it, there must be an answer, the same however
 * the bytes come, without a read beyond them. Exit status 1 when not; fast-check then shows the smallest input that does it.
 */

import { parseArgs } from "node:util";
import fc from "fast-check";
import recorded from "../../tests/wire/recorded.json" with { type: "json" };
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
Deno.exit(fuzz() ? 0 : 1);

function fuzz(): boolean {
  const hexes = [...recorded.hellos, ...recorded.headers].map(({ hex }) => Uint8Array.fromHex(hex));
  const counts = new Map<string, number>();
  const count = (what: string): unknown => counts.set(what, (counts.get(what) ?? 0) + 1);
  let checked = 0;
  const start = performance.now();
  const result = fc.check(
    fc.property(inputsFrom(hexes), fc.nat(4095), (bytes, splitAt) => {
      const { header, hello } = checkInput(bytes, splitAt, checked++ % TRAPPED_EVERY === 0);
      count(`header: ${header}`);
      count(`hello: ${hello}`);
    }),
    { numRuns: inputs, seed },
  );
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const found = [...counts].toSorted().map(([what, times]) => `${what} ${times}`).join(", ");
  if (result.failed) console.error(fc.defaultReportMessage(result));
  console.log(
    `fuzz: --inputs ${inputs} --seed ${seed}: ${result.failed ? "FAILED" : "ok"} in ${seconds} s (${found})`,
  );
  return !result.failed;
}
