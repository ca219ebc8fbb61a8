/** What is said about a session: while it lasts, and when it is over. */

import { formatEndpoint } from "../core/endpoint.ts";
import type { Greeting } from "./greeting.ts";
import type { LiveSessionFacts, LiveSessionFilter } from "./messages.ts";
import type { SessionRecord } from "./record.ts";
import type { Session } from "./session.ts";

/** What can be said about it while it lasts. */
export function factsOf(session: Session): LiveSessionFacts {
  return {
    id: session.id,
    listener: session.listener.name,
    pool: session.pool?.name ?? null,
    client: formatEndpoint(session.source),
    backend: session.backend?.name ?? null,
    age_ms: Math.round(session.ageMs),
    bytes_in: session.activity.bytesIn,
    bytes_out: session.activity.bytesOut,
    rate_limited: session.isPaced,
  };
}

/** Of the sessions that fit, the oldest first. */
export function oldestFacts(
  sessions: readonly Session[],
  limit: number,
  filter: LiveSessionFilter,
): LiveSessionFacts[] {
  const found: LiveSessionFacts[] = [];
  for (const session of sessions.toSorted((a, b) => a.activity.startedMs - b.activity.startedMs)) {
    if (found.length === limit) break;
    const facts = factsOf(session);
    if (fits(facts, filter)) found.push(facts);
  }
  return found;
}

function fits(facts: LiveSessionFacts, { listener, pool, backend, client }: LiveSessionFilter): boolean {
  return (listener === undefined || facts.listener === listener) &&
    (pool === undefined || facts.pool === pool) &&
    (backend === undefined || facts.backend === backend) &&
    (client === undefined || facts.client.includes(client));
}

/** What a session that is over leaves behind. */
export function recordOf(session: Session): SessionRecord {
  const local = session.backendSocket?.local;
  const record: SessionRecord = {
    id: session.id,
    listener: session.listener.name,
    client: formatEndpoint(session.source),
    pool: session.pool?.name,
    backend: session.backend?.name,
    local: local === undefined || local.transport === "unix" ? undefined : formatEndpoint(local),
    bytes_in: session.activity.bytesIn,
    bytes_out: session.activity.bytesOut,
    queue_ms: session.queuedMs === undefined ? undefined : roundMs(session.queuedMs),
    dial_ms: roundMs(session.diallingMs),
    duration_ms: roundMs(session.ageMs),
    attempts: session.attempts,
    failed: session.failedDials?.map(({ backend, failure }) => `${backend.name}: ${failure}`),
    end: session.endReason,
  };
  return session.greeting === undefined ? record : { ...record, ...greetingFacts(session, session.greeting) };
}

/** The names are the client's word, but for a subject, which was verified. */
function greetingFacts({ why }: Session, { via, hello, tls }: Greeting): Partial<SessionRecord> {
  return {
    ...(via === undefined ? {} : { via: formatEndpoint(via) }),
    ...(hello?.serverName === undefined ? {} : { server_name: hello.serverName }),
    ...(hello === undefined || hello.alpn.length === 0 ? {} : { alpn: shortened(hello.alpn) }),
    ...(tls === undefined ? {} : { tls: tls.version }),
    ...(tls?.subject === undefined ? {} : { subject: tls.subject }),
    ...(why === undefined ? {} : { why }),
  };
}

/** A client can offer thousands of protocols, and a record is not to be as long as its ClientHello. */
const MAX_ALPN_CHARS = 256;

/** As many as fit; `…` in place of those that do not. */
function shortened(protocols: readonly string[]): readonly string[] {
  let chars = 0;
  const tooMany = protocols.findIndex((protocol) => (chars += protocol.length) > MAX_ALPN_CHARS);
  return tooMany === -1 ? protocols : [...protocols.slice(0, tooMany), "…"];
}

/** Microseconds are as much as the clock is good for. */
function roundMs(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
