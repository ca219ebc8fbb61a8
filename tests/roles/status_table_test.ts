import assert from "node:assert/strict";
import fc from "fast-check";
import type { Status } from "../../lib/admin/status.ts";
import { statusTable, whyNotReady } from "../../lib/roles/status_table.ts";
import { cutMiddle } from "../../lib/roles/text_table.ts";
import {
  fakeBackend,
  fakeCertificate,
  fakeFleet,
  fakeListener,
  fakeStatus,
} from "../admin/fake_operations.ts";

type Pool = Status["pools"][number];

function pool(facts: Partial<Pool>): Pool {
  return {
    ...{
      name: "web",
      algorithm: "first",
      queued: 0,
      queue_size: 0,
      available: 1,
      leaving: false,
      certificates: [],
      discovery: null,
      backends: [],
    },
    ...{ sessions_total: 0, refused_total: 0, retries_total: 0 },
    ...facts,
  };
}

function withPools(...pools: Pool[]): Status {
  return { ...fakeStatus(), pools, ready: pools.every(({ available }) => available > 0) };
}

Deno.test("whatever the names and numbers are, no line is wider than 80 columns", () => {
  const big = fc.nat({ max: Number.MAX_SAFE_INTEGER });
  const name = fc.string({ minLength: 1, maxLength: 128 });
  const state = fc.constantFrom("up", "down", "ejected", "draining", "disabled" as const);
  fc.assert(
    fc.property(
      name,
      name,
      name,
      state,
      big,
      fc.nat({ max: 1_000_000 }),
      fc.boolean(),
      (a, b, reason, state, n, most, backup) => {
        const traffic = { active: most, max_connections: most, sessions_total: n, bytes_in: n, bytes_out: n };
        const backend = fakeBackend(a, {
          ...{
            ...traffic,
            state,
            reason,
            backup,
            dial_failures_total: n,
            weight: 256,
            effective_weight: 12.34,
          },
        });
        const status = withPools(
          pool({
            certificates: [fakeCertificate({ subject: a })],
            name: b,
            queue_size: most,
            queued: most,
            refused_total: n,
            backends: [backend],
          }),
        );
        const certificates = [fakeCertificate({ subject: reason })];
        const listener = {
          name: a,
          address: b,
          pools: [reason, a],
          ...traffic,
          max_flows: 0,
          refused_total: n,
          refused_by: {},
          max_connections_per_source: 0,
          rate_limit: { in: 0, out: 0, total_in: 0, total_out: 0 },
          datagrams_dropped: { rate_limit: 0, no_room: 0 },
          leaving: backup,
          certificates,
        };
        for (const line of statusTable({ ...status, config: a + b, listeners: [listener] }).split("\n")) {
          assert.ok(line.length <= 80, `${line.length}: ${line}`);
        }
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("backends that need a look come first in their pool, the others stay in the order of the file", () => {
  const states = [["u1", "up"], ["dr", "draining"], ["u2", "up"], ["dn", "down"], ["ej", "ejected"], [
    "di",
    "disabled",
  ]];
  const backends = states.map(([name = "", state]) => fakeBackend(name, { state: state as "up" }));
  const names = statusTable(withPools(pool({ backends }))).split("\n")
    .map((line) => /^(u1|u2|dr|dn|ej|di) /.exec(line)?.[1]).filter((name) => name !== undefined);
  assert.deepEqual(names, ["dn", "ej", "di", "dr", "u1", "u2"]);
});

Deno.test("a listener on UDP has its address and its flows, of how many there may be", () => {
  const listener = {
    ...fakeListener("dns", "dns"),
    address: "udp:127.0.0.1:53",
    active: 7,
    max_flows: 16_384,
  };
  assert.match(
    statusTable({ ...withPools(pool({})), listeners: [listener] }),
    /\ndns +udp:127\.0\.0\.1:53 +dns +7\/16\.4k /,
  );
});

Deno.test("why and for how long stands below a backend that is not up", () => {
  const since = "2026-11-23T18:57:02.000Z";
  const down = fakeBackend("a", { state: "down", reason: "connection refused", since });
  const status = {
    ...withPools(pool({ backends: [down, fakeBackend("b")] })),
    now: "2026-11-23T19:00:02.000Z",
  };
  assert.match(statusTable(status), /\na +down .*\n {2}down for 3 min: connection refused\nb +up /);
});

Deno.test("a wide terminal shows names whole", () => {
  const name = "a-backend-with-a-name-that-is-rather-long-17";
  const status = withPools(pool({ backends: [fakeBackend(name)] }));
  assert.ok(!statusTable(status).includes(name));
  assert.ok(statusTable(status, 200).includes(name));
});

Deno.test("what is cut keeps both ends, by which names differ", () => {
  assert.equal(cutMiddle("a-very-long-name-17", 11), "a-ver…me-17");
  assert.equal(cutMiddle("short", 5), "short");
  assert.equal(cutMiddle("shorter", 6), "sho…er");
});

Deno.test("a balancer that is not ready says which pools have no backend, or that it starts or stops", () => {
  const one = pool({});
  const none = (name: string): Pool => pool({ name, available: 0 });
  assert.equal(whyNotReady(withPools(one)), undefined);
  assert.equal(whyNotReady(withPools(one, none("api"))), "pool api has no backend that may be picked");
  assert.equal(whyNotReady(withPools(none("a"), none("b"))), "pools a, b have no backend that may be picked");
  assert.equal(
    whyNotReady(withPools(...["a", "b", "c", "d", "e"].map(none))),
    "pools a, b, c and 2 more have no backend that may be picked",
  );
  assert.equal(whyNotReady({ ...withPools(one), state: "stopping", ready: false }), "it is stopping");
  assert.equal(whyNotReady({ ...withPools(one), state: "starting", ready: false }), "it is starting");
  assert.equal(whyNotReady({ ...withPools(one), ready: false, workers: [] }), "no worker runs");
});

Deno.test("a pool without a backend stands out", () => {
  assert.match(
    statusTable(withPools(pool({ available: 0, backends: [fakeBackend("a", { state: "down" })] }))),
    /^sockbal .*, NOT READY\nNOT READY: pool web has no backend that may be picked\n[^]*\nPOOL web: 0 OF 1 AVAILABLE, first\n/,
  );
});

Deno.test("what is gone from the configuration keeps no balancer from being ready, and is called leaving", () => {
  const gone = pool({ name: "old", available: 0, leaving: true });
  const status = { ...withPools(pool({}), gone), ready: true };
  assert.equal(whyNotReady(status), undefined);
  assert.match(
    statusTable(status),
    /\nPOOL old: gone from the configuration, until its last session has ended\n/,
  );
  const leaving = fakeBackend("z", { state: "leaving", leaving: true, reason: "" });
  const text = statusTable(withPools(pool({ backends: [fakeBackend("a"), leaving] })));
  assert.match(text, /\nPOOL web: 1 of 1 available, first\n[^]*\nz +leaving .*\na +up /);
});

Deno.test("refusals of a pool, and a weight that differs from the file, are shown", () => {
  const weighed = fakeBackend("a", { weight: 5, effective_weight: 5, configured_weight: 1 });
  const text = statusTable(withPools(pool({ refused_total: 12, backends: [weighed] })));
  assert.match(text, /\nPOOL web: 1 of 1 available, first, 12 refused\n/);
  assert.match(text, /\n {2}weight 5 was set by the operator; the configuration says 1\n/);
});

Deno.test("below a listener or pool stand the certificates that expire soon, or else the first that will", () => {
  const [one, two, three] = ["one", "two", "three"].map((name, i) => {
    return fakeCertificate({
      subject: `CN=${name}`,
      not_after: `2026-12-0${i + 2}T18:58:03.500Z`,
      state: "valid",
    });
  });
  assert.ok(one !== undefined && two !== undefined && three !== undefined);
  const linesOf = (...certificates: (typeof one)[]): string[] => {
    const listener = { ...fakeListener("in", "web"), certificates };
    const shown = statusTable({ ...withPools(pool({ certificates })), listeners: [listener] }).split("\n");
    const lines = shown.filter((line) => line.startsWith("  certificate "));
    assert.deepEqual(lines.slice(lines.length / 2), lines.slice(0, lines.length / 2), "of listener and pool");
    return lines.slice(lines.length / 2);
  };
  assert.deepEqual(linesOf(), []);
  assert.deepEqual(linesOf(three, two), ['  certificate expires in 10 days, on 2026-12-03: "CN=two"']);
  const soon = { ...two, state: "expires_soon" } as const;
  const expired = { ...one, not_after: "2026-11-20T18:58:02.500Z", state: "expired", subject: "" } as const;
  assert.deepEqual(linesOf(three, soon, expired), [
    '  certificate EXPIRED 3 days ago, on 2026-11-20: "www.example.com"',
    '  certificate expires in 10 days, on 2026-12-03: "CN=two"',
  ]);
  const long = linesOf({ ...two, subject: `CN=${"n".repeat(100)}` })[0] ?? "";
  assert.match(long, /^ {2}certificate expires in 10 days, on 2026-12-03: "CN=n+…n+"$/);
  assert.equal(long.length, 80);
  const forged = { ...one, subject: "CN=a\n\x9b2J" };
  assert.match(linesOf(forged)[0] ?? "", /"CN=a\\n\\u009b2J"$/);
});

Deno.test("what workers are confined by, and what not, is wrapped and not cut", () => {
  const text = statusTable({
    ...withPools(pool({})),
    confined: "landlock,seccomp",
    not_confined_by:
      "landlock of the network (it has not been there before Linux 6.7), and more that is long",
  });
  assert.match(
    text,
    /\nworkers confined by landlock,seccomp, not by landlock of the network \(it has not\n {2}been there before Linux 6\.7\), and more that is long\n/,
  );
});

Deno.test("an older balancer, which says nothing of certificates, is shown without", () => {
  const { certificates: _, ...old } = fakeListener("in", "web");
  const status = { ...withPools(pool({})), listeners: [old] } as unknown as Status;
  assert.match(statusTable(status), /\nin +127\.0\.0\.1:5678 /);
});

Deno.test("a source of backends has a line, which says what keeps it from working", () => {
  const { started_at: since } = fakeStatus();
  const line = (trouble: string, refused: readonly string[] = []): string | undefined => {
    const discovery = { source: "dns a:1", members: 3, since, trouble, refused };
    const table = statusTable(withPools(pool({ discovery })), 100);
    return table.split("\n").find((it) => it.includes("dns a:1"));
  };
  assert.equal(line(""), "  dns a:1: 3 discovered");
  assert.equal(line("connection refused"), "  dns a:1: FAILING for 60 s: connection refused");
  assert.equal(line("", ["b: twice"]), "  dns a:1: 3 discovered, 1 left out: b: twice");
});

Deno.test("a configuration in etcd says what became of its last change, and since when etcd is away", () => {
  const shown = (rollout: Partial<NonNullable<Status["rollout"]>>): string[] => {
    const whole = {
      ...{ digest: "0123456789ab", revision: "7", state: "in_force" as const, reason: "", canaries: [] },
      ...{ since: "2026-11-23T18:57:02.500Z", trouble: "", trouble_since: null },
    };
    const lines = statusTable(fakeStatus({ rollout: { ...whole, ...rollout } })).split("\n");
    return lines.filter((line) => /^(digest|ETCD|WAITING|STOPPED)/.test(line));
  };
  const canaries = [{ name: "lb1", result: "trying" as const }];
  const since = "2026-11-23T18:56:02.500Z";
  assert.deepEqual(shown({}), ["digest 0123456789ab, revision 7 in etcd: in force"]);
  assert.deepEqual(shown({ revision: null, trouble: "it is away", trouble_since: since }), [
    "digest 0123456789ab: in force",
    "ETCD FAILING for 2 min: it is away",
  ]);
  assert.match(shown({ state: "waiting", canaries })[1] ?? "", /WAITING for lb1 /);
  assert.match(shown({ state: "stopped", reason: "bad" })[1] ?? "", /STOPPED, .*: bad$/);
});

Deno.test("a fleet has a table of the others: who differs, and who was lost; and says since when etcd is away", () => {
  const table = (fleet: Status["fleet"]): string => statusTable({ ...withPools(pool({})), fleet }, 100);
  assert.match(
    table(fakeFleet()),
    new RegExp(
      "\\nFLEET, this is lb1: etcd answers for 60 s\\nBALANCER +ADDRESS +VERSION +CONFIGURATION +STATE\\n" +
        "lb2 +10\\.0\\.0\\.2:9901 +0\\.1\\.0 +d +alike\\nlb3 .* e +other configuration\\nlb4 .* LOST for 60 s\\n",
    ),
  );
  const away = table(fakeFleet({ connected: false, trouble: "cannot ask x", unshared: 1, others: [] }));
  assert.match(
    away,
    /\nFLEET, this is lb1: ETCD DOES NOT ANSWER for 60 s, cannot ask x, 1 not yet shared\nno other balancer\n/,
  );
  assert.doesNotMatch(table(null), /FLEET/);
});
