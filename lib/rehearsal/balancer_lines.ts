/** What the balancer says of itself, as lines of a timeline. Pure. */

/** An event of the balancer's log. */
export interface BalancerEvent {
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

type Fields = BalancerEvent["fields"];

/** Those that matter in a rehearsal. */
const SENTENCES: Readonly<Record<string, (fields: Fields) => string>> = {
  backend_down: (it) => `${it.backend} is down: ${it.reason}`,
  backend_up: (it) => `${it.backend} is up: ${it.reason}`,
  backend_ejected: (it) => `${it.backend} is ejected for ${it.for_ms} ms: ${it.reason}`,
  backend_returned: (it) => `${it.backend} is no longer ejected`,
  backend_draining: (it) => `${it.backend} is drained`,
  backend_enabled: (it) => `${it.backend} is enabled`,
  pool_down: (it) => `no backend of ${it.pool} can be picked`,
  pool_up: (it) => `${it.pool} has ${it.available} of ${it.backends} backends again`,
  worker_died: (it) => `a worker has died: ${it.reason}`,
  worker_restarted: () => "a worker was started in its place",
  generation_drained: (it) => `the workers before have ended, with ${it.closed_sessions} sessions closed`,
};

/** Undefined for what no rehearsal is about. */
export function balancerLine({ event, fields }: BalancerEvent): string | undefined {
  return Object.hasOwn(SENTENCES, event) ? SENTENCES[event]?.(fields) : undefined;
}
