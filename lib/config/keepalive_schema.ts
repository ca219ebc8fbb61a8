/** When the system asks the peers of a listener's sessions for a sign of life. */

import { count, section, wholeSeconds } from "./fields.ts";

/** What TCP of Linux allows (tcp(7)). */
const MAX_PROBES = 127;

export const keepalive = section("keepalive", {
  idle: wholeSeconds("How long a peer is silent before the first probe; 0s sends none.", 0).prefault("60s"),
  interval: wholeSeconds("Between two probes; at least 1s.", 1_000).prefault("10s"),
  count: count(1, MAX_PROBES, "So many probes without an answer, and the connection is over.").prefault(6),
}, "write keepalive: { idle: 60s }, or { idle: 0s } for none").transform((it) => ({
  idleMs: it.idle,
  intervalMs: it.interval,
  count: it.count,
}))
  .meta({
    description:
      "Probes of TCP, to clients and backends, so that a peer that vanished is noticed. With the engine runtime only whether there are any.",
  }).prefault({});

/** What a listener has that says nothing about it. */
export const DEFAULT_KEEPALIVE = keepalive.parse({});
