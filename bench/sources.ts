/**
 * Ten million sources appear at a listener that limits them: what one costs, and that the memory stays the same.
 *
 *     deno run --no-prompt bench/sources.ts
 */

import type { ListenerRow } from "../lib/pool/row.ts";
import { SourceLedger } from "../lib/pool/source_ledger.ts";
import { SourceTable } from "../lib/pool/source_table.ts";

const MILLIONS = 10;
const RATE = { intervalUs: 100_000, burst: 10 };

function say(text: string): void {
  const mib = Deno.memoryUsage().rss / 1024 / 1024;
  Deno.stdout.writeSync(new TextEncoder().encode(`${text.padEnd(40)} ${mib.toFixed(1)} MiB\n`));
}

say("before");
const sources = new SourceLedger(new SourceTable());
const source = new Uint32Array(2);
for (let million = 1; million <= MILLIONS; million++) {
  const startedMs = performance.now();
  for (let i = 0; i < 1_000_000; i++) {
    source[0] = Math.random() * 2 ** 32;
    source[1] = Math.random() * 2 ** 32;
    const place = sources.take(1 as ListenerRow, source, 2, 100);
    sources.table.charge(place, RATE, Date.now() * 1_000);
    sources.giveBack(place);
  }
  say(`${million} million sources, ${(performance.now() - startedMs).toFixed(0)} ns each`);
}
