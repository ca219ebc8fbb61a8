// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** What etcd alone has: leases, revisions, several endpoints, users, TLS. */

import assert from "node:assert/strict";
import { etcdSource, type EtcdSourceOptions } from "../../lib/discovery/etcd_source.ts";
import { until } from "../support/balancer.ts";
import { makeCertificate } from "../support/certificates.ts";
import { ETCD, Etcd, testWithEtcd } from "../support/etcd.ts";
import { findProgram, skipWithout } from "../support/packages.ts";
import { FastClock, Followed, parseMember } from "./followed.ts";
import { refusedPort } from "../support/ports.ts";

const { ignore, why } = skipWithout(ETCD, await findProgram("openssl", "openssl"));

function follow(etcd: Etcd, more: Partial<EtcdSourceOptions> = {}): Followed {
  const { pause } = new FastClock();
  return new Followed(
    etcdSource({ endpoints: [etcd.endpoint], prefix: "/web/", parse: parseMember, pause, ...more }),
  );
}

testWithEtcd("a member whose lease runs out is gone, and keys beside the prefix are none", async (etcd) => {
  const { ID } = await etcd.call("lease/grant", { TTL: "1" }) as { ID: string };
  await etcd.put("/web/a", "10.0.0.1:80", { lease: ID });
  await etcd.put("/web/b", "10.0.0.2:80");
  await etcd.put("/webs/c", "10.0.0.3:80");
  await etcd.put("/weaver", "10.0.0.4:80");
  await using followed = follow(etcd);
  await followed.sees("10.0.0.1:80", "10.0.0.2:80");
  await followed.sees("10.0.0.2:80");
});

testWithEtcd("a value that is no member is left out with its reason, and the others stay", async (etcd) => {
  await etcd.put("/web/a", "10.0.0.1:80");
  await etcd.put("/web/b", "nonsense");
  await using followed = follow(etcd);
  await followed.sees("10.0.0.1:80");
  assert.deepEqual(followed.found.at(-1)?.refused, ['key "/web/b": nonsense is no member']);
  await etcd.put("/web/b", "10.0.0.2:80");
  await followed.sees("10.0.0.1:80", "10.0.0.2:80");
  assert.deepEqual(followed.found.at(-1)?.refused, []);
});

testWithEtcd(
  "a watch that breaks goes on where it broke",
  async (etcd) => {
    await etcd.put("/web/a", "10.0.0.1:80");
    await using followed = follow(etcd);
    await followed.sees("10.0.0.1:80");
    await etcd.stop();
    await followed.trouble();
    await etcd.start();
    await etcd.delete("/web/a");
    await etcd.put("/web/b", "10.0.0.2:80");
    await followed.sees("10.0.0.2:80");
  },
);

testWithEtcd("changes that were compacted while the watch was broken are read anew", async (etcd) => {
  await etcd.put("/web/a", "10.0.0.1:80");
  // Between two tries there is time for all of this.
  let isHeld = false;
  const clock = new FastClock();
  await using followed = follow(etcd, {
    pause: async (ms, stop) => {
      do await clock.pause(ms, stop); while (isHeld && !stop.aborted);
    },
  });
  await followed.sees("10.0.0.1:80");
  isHeld = true;
  await etcd.stop();
  await until(() => followed.troubles.length > 0, "it has noticed");
  await etcd.start();
  await etcd.delete("/web/a");
  for (let i = 0; i < 3; i++) await etcd.put("/web/b", `10.0.0.${i + 2}:80`);
  await etcd.call("kv/compaction", { revision: "6", physical: true });
  isHeld = false;
  await followed.sees("10.0.0.4:80");
});

testWithEtcd("an etcd that has lost everything is read anew", async (etcd) => {
  await etcd.put("/web/a", "10.0.0.1:80");
  await etcd.put("/web/b", "10.0.0.2:80");
  await using followed = follow(etcd);
  await followed.sees("10.0.0.1:80", "10.0.0.2:80");
  await etcd.clear();
  await followed.trouble();
  await etcd.start();
  await followed.sees();
  await etcd.put("/web/c", "10.0.0.3:80");
  await followed.sees("10.0.0.3:80");
});

testWithEtcd("another endpoint is asked at once when one cannot be, and that is no trouble", async (etcd) => {
  await etcd.put("/web/a", "10.0.0.1:80");
  const dead = `http://127.0.0.1:${refusedPort()}`;
  const clock = new FastClock();
  await using followed = follow(etcd, { endpoints: [dead, etcd.endpoint], pause: clock.pause });
  await followed.sees("10.0.0.1:80");
  assert.deepEqual([followed.troubles, clock.pauses], [[], []]);
});

Deno.test("that no endpoint can be asked is trouble, after each round of all", async () => {
  const dead = [refusedPort(), refusedPort()].map((port) => `http://127.0.0.1:${port}`);
  const clock = new FastClock();
  await using followed = new Followed(
    etcdSource({ endpoints: dead, prefix: "/web/", parse: parseMember, pause: clock.pause }),
  );
  await until(() => clock.pauses.length >= 2, "all were asked twice");
  assert.deepEqual(clock.pauses.slice(0, 2), [1_000, 2_000]);
  const why = `cannot ask ${dead[1]}: connection refused`;
  assert.deepEqual(followed.troubles.slice(0, 2), [why, why]);
});

testWithEtcd("a watch that is silent is opened anew, and misses nothing", async (etcd) => {
  await etcd.put("/web/a", "10.0.0.1:80");
  await using followed = follow(etcd, { quietMs: 30 });
  await until(() => followed.found.length >= 4, "it was opened again");
  await etcd.put("/web/b", "10.0.0.2:80");
  await followed.sees("10.0.0.1:80", "10.0.0.2:80");
  assert.deepEqual(followed.troubles, []);
});

testWithEtcd("a burst of a thousand changes is followed to its end", async (etcd) => {
  await using followed = follow(etcd);
  await followed.sees();
  for (let round = 0; round < 10; round++) {
    const puts = Array.from({ length: 100 }, (_, i) => etcd.put(`/web/${i}`, `10.0.${round}.${i}:80`));
    await Promise.all(puts);
  }
  await followed.sees(...Array.from({ length: 100 }, (_, i) => `10.0.9.${i}:80`));
});

testWithEtcd("more members than a pool may have are refused", async (etcd) => {
  const put = (i: number): unknown => {
    return { request_put: { key: btoa(`/web/${i}`), value: btoa("10.0.0.1:80") } };
  };
  for (let first = 0; first < 10_001; first += 100) {
    await etcd.call("kv/txn", { success: Array.from({ length: 100 }, (_, i) => put(first + i)) });
  }
  await using followed = follow(etcd);
  assert.match(await followed.trouble(), /^there are more than 10000 members/);
});

testWithEtcd("a user has to log in, and a wrong password is said", async (etcd) => {
  const folder = await Deno.makeTempDir();
  const passwordFile = `${folder}/password`;
  await Deno.writeTextFile(passwordFile, "secret\n");
  await etcd.put("/web/a", "10.0.0.1:80");
  await etcd.call("auth/user/add", { name: "root", password: "secret" });
  await etcd.call("auth/role/add", { name: "root" });
  await etcd.call("auth/user/grant", { user: "root", role: "root" });
  await etcd.call("auth/enable", {});
  {
    await using followed = follow(etcd, { user: "root", passwordFile });
    await followed.sees("10.0.0.1:80");
    await etcd.call("kv/put", { key: btoa("/web/b"), value: btoa("10.0.0.2:80") }, {
      user: "root",
      passwordFile,
    });
    await followed.sees("10.0.0.1:80", "10.0.0.2:80");
  }
  await using stranger = follow(etcd);
  assert.match(await stranger.trouble(), /refuses: .*user name is empty/);
  await Deno.writeTextFile(passwordFile, "wrong");
  await using liar = follow(etcd, { user: "root", passwordFile });
  assert.match(await liar.trouble(), /refuses: .*authentication failed/);
  await Deno.remove(folder, { recursive: true });
});

Deno.test({
  name: `by TLS, each side shows the other its certificate${why}`,
  ignore,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const ca = await makeCertificate(folder, "authority", { isAuthority: true });
    const server = await makeCertificate(folder, "server", { names: ["IP:127.0.0.1"], issuer: ca });
    const client = await makeCertificate(folder, "client", { issuer: ca });
    {
      await using etcd = new Etcd([
        ...["--cert-file", server.cert, "--key-file", server.key],
        ...["--client-cert-auth", "--trusted-ca-file", ca.cert],
      ], "https");
      await etcd.start();
      await etcd.call("kv/put", { key: btoa("/web/a"), value: btoa("10.0.0.1:80") }, {
        ca: ca.cert,
        ...client,
      });
      await using followed = follow(etcd, { ca: ca.cert, ...client });
      await followed.sees("10.0.0.1:80");
      await using stranger = follow(etcd, { ca: ca.cert });
      assert.match(await stranger.trouble(), /^cannot ask https:/);
    }
    await Deno.remove(folder, { recursive: true });
  },
});

const HEADER = { revision: "5", cluster_id: "1" };

/** A server that answers as the test says: what is read at first, and what is watched then. */
function startFake(
  answers: { readonly range?: () => string; readonly watch?: () => string | Promise<string> },
): AsyncDisposable & { readonly endpoint: string } {
  const { range = () => JSON.stringify({ header: HEADER }), watch = range } = answers;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async ({ url }) => new Response(await (url.endsWith("/v3/watch") ? watch() : range())),
  );
  return {
    endpoint: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

function line(...changes: readonly { readonly key: string; readonly value: string }[]): string {
  const events = changes.map(({ key, value }) => {
    return { kv: { key: btoa(key), value: btoa(value), mod_revision: HEADER.revision } };
  });
  return `${JSON.stringify({ result: { header: HEADER, events } })}\n`;
}

const STRANGE = [
  "hello",
  "null",
  '"hello"',
  "[]",
  "{}",
  '{"header":{}}',
  '{"header":{"revision":"many","cluster_id":"1"}}',
  '{"header":{"revision":"1","cluster_id":"1"},"kvs":5}',
  '{"header":{"revision":"1","cluster_id":"1"},"kvs":[null]}',
  '{"header":{"revision":"1","cluster_id":"1"},"kvs":[{"key":"no base64!"}]}',
];
const STRANGE_LINES = [
  ...STRANGE.slice(0, 5),
  '{"result":{}}',
  '{"result":{"header":{"revision":"1","cluster_id":"1"},"events":5}}',
  '{"result":{"header":{"revision":"1","cluster_id":"1"},"events":[{}]}}',
];

Deno.test("a server that is no etcd is refused with a sentence", async () => {
  for (
    const [what, answers] of [
      ...STRANGE.map((it) => [it, { range: () => it }] as const),
      ...STRANGE_LINES.map((it) => [it, { watch: () => `${it}\n` }] as const),
    ]
  ) {
    await using server = startFake(answers);
    const { endpoint } = server;
    const { pause } = new FastClock();
    await using followed = new Followed(
      etcdSource({ endpoints: [endpoint], prefix: "/web/", parse: parseMember, pause }),
    );
    assert.equal(await followed.trouble(), `${endpoint} does not answer as etcd does`, what);
  }
});

Deno.test("a watch that is lost again and again is opened after growing pauses", async () => {
  await using server = startFake({ watch: () => line() });
  const clock = new FastClock();
  await using followed = new Followed(
    etcdSource({ endpoints: [server.endpoint], prefix: "/web/", parse: parseMember, pause: clock.pause }),
  );
  await until(() => clock.pauses.length >= 4, "it was opened often enough");
  assert.deepEqual(clock.pauses.slice(0, 4), [1_000, 2_000, 4_000, 8_000]);
  assert.ok(followed.found.length > 0);
});

Deno.test("a watch that breaks goes on at the next endpoint at once, and that is no trouble", async () => {
  const held = Promise.withResolvers<string>();
  const watched = Promise.withResolvers<void>();
  await using broken = startFake({ watch: () => line() });
  await using good = startFake({
    watch: () => {
      watched.resolve();
      return held.promise;
    },
  });
  using stack = new DisposableStack();
  stack.defer(() => held.resolve(""));
  const endpoints = [broken.endpoint, good.endpoint];
  const clock = new FastClock();
  await using followed = new Followed(
    etcdSource({ endpoints, prefix: "/web/", parse: parseMember, pause: clock.pause }),
  );
  await watched.promise;
  assert.deepEqual([followed.troubles, clock.pauses], [[], []]);
  assert.ok(followed.found.length > 0);
});

Deno.test("a server that hangs when a watch is opened is trouble", async () => {
  const held = Promise.withResolvers<string>();
  await using server = startFake({ watch: () => held.promise });
  using stack = new DisposableStack();
  stack.defer(() => held.resolve(""));
  const { endpoint } = server;
  const { pause } = new FastClock();
  await using followed = new Followed(
    etcdSource({ endpoints: [endpoint], prefix: "/web/", parse: parseMember, pause, timeoutMs: 50 }),
  );
  assert.equal(await followed.trouble(), `${endpoint} has not answered within 50ms`);
});

Deno.test("what a watch adds is bounded in number and size, and the last members stay", async () => {
  const many = Array.from({ length: 10_001 }, (_, i) => ({ key: `/web/${i}`, value: "10.0.0.2:80" }));
  const large = Array.from({ length: 10 }, (_, i) => ({ key: `/web/${i}`, value: "x".repeat(1_000_000) }));
  const kvs = [{ key: btoa("/web/a"), value: btoa("10.0.0.1:80"), mod_revision: "1" }];
  const cases = [[many, 5_001, /^there are more than 10000/], [large, 1, /larger than 8 MiB$/]] as const;
  for (const [changes, members, sentence] of cases) {
    // In several answers, none of which is too large.
    const half = changes.length / 2;
    const answers = line(...changes.slice(0, half)) + line(...changes.slice(half));
    await using server = startFake({
      range: () => JSON.stringify({ header: HEADER, kvs }),
      watch: () => answers,
    });
    const { pause } = new FastClock();
    await using followed = new Followed(
      etcdSource({ endpoints: [server.endpoint], prefix: "/web/", parse: parseMember, pause }),
    );
    assert.match(await followed.trouble(), sentence);
    await until(() => followed.troubles.length >= 2, "all is read again");
    // Those of the answer before are none too many.
    assert.equal(followed.addresses.length, members);
  }
});

Deno.test("what is said of a value is short, however long that is", async () => {
  const kvs = [{
    key: btoa("/web/a".padEnd(5_000, "a")),
    value: btoa("x".repeat(100_000)),
    mod_revision: "1",
  }];
  await using server = startFake({ range: () => JSON.stringify({ header: HEADER, kvs }) });
  const { pause } = new FastClock();
  await using followed = new Followed(
    etcdSource({ endpoints: [server.endpoint], prefix: "/web/", parse: parseMember, pause }),
  );
  await until(() => followed.found.length > 0, "it is read");
  assert.equal(followed.found[0]?.refused[0]?.length, 500);
});
