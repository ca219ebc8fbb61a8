/**
 * What it costs a session that a listener has access lists, by how long they are.
 *
 *     deno run --no-prompt bench/access.ts
 */

import { parseIPRange } from "../lib/core/ip_range.ts";
import { admissionOf } from "../lib/dataplane/admission.ts";
import type { ListenerRow } from "../lib/pool/row.ts";

const SESSIONS = 200_000;
const ROUNDS = 7;

const part = (): number => Math.floor(Math.random() * 256);
const group = (): string => Math.floor(Math.random() * 65_536).toString(16);

const FAMILIES = {
  IPv4: {
    range: () => `${1 + part() % 223}.${part()}.${part()}.0/24`,
    host: () => `10.${part()}.${part()}.7`,
  },
  IPv6: {
    range: () => `2001:db8:${group()}::/48`,
    host: () => `2001:db8:${group()}:${group()}::${group()}`,
  },
};

for (const [family, { range, host }] of Object.entries(FAMILIES)) {
  const clients = Array.from({ length: 1_024 }, () => {
    return { transport: "tcp" as const, host: host(), port: 4_711 };
  });
  for (const rules of [10, 1_000, 100_000]) {
    const deny = Array.from({ length: rules }, () => parseIPRange(range()));
    const admission = admissionOf({ allow: [], deny }, 1 as ListenerRow, undefined);
    const rounds = Array.from({ length: ROUNDS }, () => {
      const startedMs = performance.now();
      for (let i = 0; i < SESSIONS; i++) {
        admission.enter(clients[i % clients.length] ?? { transport: "unix" });
      }
      return (performance.now() - startedMs) / SESSIONS * 1e6;
    }).sort((a, b) => a - b);
    const median = (rounds[Math.floor(ROUNDS / 2)] ?? NaN).toFixed(0);
    const line = `${family}, ${String(rules).padStart(6)} rules: ${median} ns a session\n`;
    Deno.stdout.writeSync(new TextEncoder().encode(line));
  }
}
