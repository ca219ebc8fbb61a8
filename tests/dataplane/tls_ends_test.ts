/** With what the listeners and pools of a worker open TLS. */

import assert from "node:assert/strict";
import type { AllTlsKeys, ListenerOptions } from "../../lib/dataplane/messages.ts";
import { TlsEnds } from "../../lib/dataplane/tls_ends.ts";
import type { TlsKeys, TlsServer } from "../../lib/engine/tls_contract.ts";
import { sharePool } from "../pool/shared_pool.ts";
import { FakeEngine } from "./fake_engine.ts";

const SERVER = { alpn: [], minVersion: "1.2" } as const;
const CLIENT = { serverName: undefined, alpn: [], verify: true };

/** Notes the keys that it is given, by whom it makes ends for. */
class NotingEngine extends FakeEngine {
  readonly noted: string[] = [];

  override tlsServer(_options: unknown, keys: TlsKeys): TlsServer {
    return this.#make("server", keys);
  }

  override tlsClient(_options: unknown, keys: TlsKeys): TlsServer {
    return this.#make("client", keys);
  }

  #make(side: string, keys: TlsKeys): TlsServer {
    const note = ({ authorities, pairs }: TlsKeys): void => {
      if (authorities === "bad") throw new TypeError("Cannot open TLS: it is damaged");
      this.noted.push(`${side} ${authorities} ${pairs.map(({ cert }) => cert)}`);
    };
    note(keys);
    return { renew: note };
  }
}

function keys(authorities: string | undefined, ...certs: readonly string[]): TlsKeys {
  return { authorities, pairs: certs.map((cert) => ({ cert, key: "secret" })) };
}

const KEYS: AllTlsKeys = {
  listeners: new Map([["front", keys(undefined, "one")]]),
  pools: new Map([["secure", keys("ca", "mine")]]),
};

/** A worker with these listeners, and two pools, one of which is spoken to by TLS. */
function make(
  listeners: readonly Pick<ListenerOptions, "name" | "greeting" | "opensTls">[],
): { engine: NotingEngine; ends: TlsEnds } {
  const engine = new NotingEngine();
  const { one } = sharePool({ a: {} });
  const pools = [one.options, { ...one.options, name: "secure", tls: CLIENT }];
  const ends = new TlsEnds({ listeners: listeners as readonly ListenerOptions[], pools, keys: KEYS }, engine);
  return { engine, ends };
}

const greeting = { timeoutMs: 1_000, proxies: undefined, routes: [], looksAtHello: false };
const FRONT = { name: "front", opensTls: true, greeting: { ...greeting, tls: SERVER } };
const PASSING = { name: "passing", greeting: { ...greeting, tls: undefined } };

Deno.test("listeners and pools that open TLS do so with their keys, and no others do", () => {
  const { engine, ends } = make([FRONT, PASSING]);
  assert.deepEqual(engine.noted, ["server undefined one", "client ca mine"]);
  assert.ok(ends.ofListener("front") !== undefined && ends.ofPool("secure") !== undefined);
  assert.equal(ends.ofListener("passing"), undefined);
});

Deno.test("a worker none of whose listeners opens TLS makes nothing, and dials no pool without the TLS that it needs", () => {
  const { engine, ends } = make([PASSING]);
  assert.deepEqual(engine.noted, []);
  assert.throws(() => ends.ofPool("secure"), TypeError);
});

Deno.test("keys are renewed by name; those that cannot be used are refused, and hold up no others", () => {
  const { engine, ends } = make([FRONT]);
  const refused: unknown[] = [];
  engine.noted.length = 0;
  ends.renew(
    { listeners: new Map([["front", keys("bad")]]), pools: new Map([["secure", keys("ca2")]]) },
    (it) => {
      refused.push(it);
    },
  );
  assert.deepEqual(engine.noted, ["client ca2 "]);
  assert.deepEqual(refused, [{ listener: "front", reason: "Cannot open TLS: it is damaged" }]);
});
