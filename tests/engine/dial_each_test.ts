import assert from "node:assert/strict";
import type { Address, TcpAddress } from "../../lib/core/address.ts";
import { dialEach } from "../../lib/engine/runtime/dial_each.ts";

function at(host: string): TcpAddress {
  return { transport: "tcp", host, port: 80 };
}

class Conn {
  isClosed = false;
  constructor(readonly address: string) {}
  close(): void {
    this.isClosed = true;
  }
}

/** Dials that end when the test says so, or when they are aborted. */
class Dials {
  readonly begun: string[] = [];
  readonly #ends = new Map<string, PromiseWithResolvers<Conn>>();

  readonly dial = (to: Address, signal: AbortSignal): Promise<Conn> => {
    assert.ok(to.transport === "tcp");
    const address = to.host;
    this.begun.push(address);
    const end = Promise.withResolvers<Conn>();
    this.#ends.set(address, end);
    signal.addEventListener("abort", () => end.reject(signal.reason), { once: true });
    return end.promise;
  };

  connect(address: string): Conn {
    const conn = new Conn(address);
    this.#ends.get(address)?.resolve(conn);
    return conn;
  }

  fail(address: string): void {
    this.#ends.get(address)?.reject(new Error(`${address} refused`));
  }
}

/** Lets everything that is settled be noticed. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("one address is dialled as it is", async () => {
  const dials = new Dials();
  const dialled = dialEach([at("a")], dials.dial, new AbortController().signal);
  const conn = dials.connect("a");
  assert.equal(await dialled, conn);
});

Deno.test("the next address is dialled at once when one fails, and the first that connects is used", async () => {
  const dials = new Dials();
  const dialled = dialEach(["a", "b", "c"].map(at), dials.dial, new AbortController().signal);
  assert.deepEqual(dials.begun, ["a"]);
  dials.fail("a");
  await settled();
  assert.deepEqual(dials.begun, ["a", "b"]);
  const conn = dials.connect("b");
  assert.equal(await dialled, conn);
  assert.deepEqual(dials.begun, ["a", "b"]);
});

Deno.test("an address that does not answer is not waited for; what comes second is closed", async () => {
  const connA = Promise.withResolvers<Conn>();
  const begun: string[] = [];
  const dialled = dialEach(["a", "b"].map(at), (to) => {
    assert.ok(to.transport === "tcp");
    const address = to.host;
    begun.push(address);
    return address === "a" ? connA.promise : Promise.resolve(new Conn("b"));
  }, new AbortController().signal);
  assert.equal((await dialled).address, "b");
  assert.deepEqual(begun, ["a", "b"]);
  const late = new Conn("a");
  connA.resolve(late);
  await settled();
  assert.ok(late.isClosed);
});

Deno.test("of all failures the one is told that says most about the backend, or about this machine", async () => {
  const [v4, v6] = ["127.0.0.1", "::1"];
  const cases: [[string, string], [string, string], string][] = [
    [[v4, "ECONNREFUSED"], [v6, "EADDRNOTAVAIL"], "ECONNREFUSED"],
    [[v6, "EADDRNOTAVAIL"], [v4, "ECONNREFUSED"], "ECONNREFUSED"],
    [[v6, "ECONNREFUSED"], [v4, "EADDRNOTAVAIL"], "EADDRNOTAVAIL"],
    [[v4, "EADDRNOTAVAIL"], [v6, "ECONNREFUSED"], "EADDRNOTAVAIL"],
    [[v4, "EMFILE"], [v6, "ECONNREFUSED"], "EMFILE"],
    [[v6, "ECONNREFUSED"], [v4, "EMFILE"], "EMFILE"],
    [[v6, "EHOSTUNREACH"], [v4, "ECONNREFUSED"], "ECONNREFUSED"],
  ];
  for (const [one, other, told] of cases) {
    const codes = new Map([one, other]);
    const dial = (to: Address): Promise<Conn> => {
      assert.ok(to.transport === "tcp");
      return Promise.reject(Object.assign(new Error("failed"), { code: codes.get(to.host) }));
    };
    const dialled = dialEach([...codes.keys()].map(at), dial, new AbortController().signal);
    // deno-lint-ignore no-await-in-loop -- one case after the other
    await assert.rejects(dialled, { code: told }, JSON.stringify([one, other]));
  }
});

Deno.test("when all have failed in one way, the last failure is told", async () => {
  const dials = new Dials();
  const dialled = dialEach(["a", "b"].map(at), dials.dial, new AbortController().signal);
  dials.fail("a");
  await settled();
  dials.fail("b");
  await assert.rejects(dialled, /b refused/);
});

Deno.test("an abort ends all dials, and none begins after it", async () => {
  const dials = new Dials();
  const stop = new AbortController();
  const dialled = dialEach(["a", "b", "c"].map(at), dials.dial, stop.signal);
  dials.fail("a");
  await settled();
  stop.abort(new Error("stopped"));
  await assert.rejects(dialled, /stopped/);
  assert.deepEqual(dials.begun, ["a", "b"]);
});
