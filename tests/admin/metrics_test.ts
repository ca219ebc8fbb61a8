import assert from "node:assert/strict";
import { findProgram, pathOf, skipWithout } from "../support/packages.ts";
import { Exposition, labels } from "../../lib/admin/exposition.ts";
import { renderMetrics } from "../../lib/admin/metrics.ts";
import type { Counts } from "../../lib/admin/operations.ts";
import type { Status } from "../../lib/admin/status.ts";
import { BOUNDS_SECONDS } from "../../lib/pool/histogram.ts";
import { text } from "../support/bytes.ts";
import {
  fakeBackend,
  fakeCertificate,
  fakeCounts,
  fakeFleet,
  fakeListener,
  fakePool,
  fakeStatus,
  fakeTotals,
  histogramOf,
} from "./fake_operations.ts";

function rendered(status: Status, counts: Counts): string {
  return text(renderMetrics(status, counts));
}

/** The lines of a metric, without those of others that begin with the same letters. */
function samples(text: string, name: string): string[] {
  return text.split("\n").filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
}

Deno.test("a configuration in etcd has its state, and whether etcd can be asked", () => {
  const rollout = {
    ...{ digest: "0123456789ab", revision: "7", state: "stopped" as const, reason: "lb1: it is bad" },
    ...{ since: "2026-11-23T18:57:02.500Z", canaries: [{ name: "lb1", result: "failed" as const }] },
    ...{ trouble: "it is away", trouble_since: "2026-11-23T18:57:02.500Z" },
  };
  const shown = rendered(fakeStatus({ rollout }), fakeCounts());
  assert.deepEqual(samples(shown, "sockbal_config_store_up"), ["sockbal_config_store_up 0"]);
  const states = samples(shown, "sockbal_rollout_state");
  assert.equal(states.length, 6);
  assert.deepEqual(states.filter((line) => line.endsWith(" 1")), [
    'sockbal_rollout_state{state="stopped"} 1',
  ]);
});

Deno.test("every metric shows what the snapshots say", () => {
  const shown = rendered(fakeStatus(), fakeCounts());
  const a = 'pool="web",backend="a"';
  const b = 'pool="web",backend="unix:/run/b.sock"';
  const expected: Record<string, string[]> = {
    sockbal_build_info: ['{version="0.1.0"} 1'],
    sockbal_engine_info: ['{engine="runtime",confined="permissions"} 1'],
    sockbal_generation: [" 3"],
    sockbal_log_records_dropped_total: [" 4"],
    sockbal_worker_loop_lag_seconds: ['{worker="0"} 0.0015'],
    sockbal_reloads_total: ['{result="ok"} 1', '{result="failed"} 2'],
    sockbal_process_resident_memory_bytes: [" 50000000"],
    sockbal_process_cpu_seconds_total: [" 1.25"],
    sockbal_open_files: [" 20"],
    sockbal_max_open_files: [" 1024"],
    sockbal_process_start_time_seconds: [` ${Date.parse("2026-11-23T18:57:02.500Z") / 1_000}`],
    sockbal_sessions_active: ['{listener="in"} 3'],
    sockbal_certificate_expiry_timestamp_seconds: [],
    sockbal_pool_available_backends: ['{pool="web"} 1'],
    sockbal_queue_length: ['{pool="web"} 1'],
    sockbal_retries_total: ['{pool="web"} 4'],
    sockbal_backend_up: [`{${a}} 1`, `{${b}} 0`],
    sockbal_backend_weight: [`{${a}} 1`, `{${b}} 1`],
    sockbal_backend_active_sessions: [`{${a}} 2`, `{${b}} 2`],
    sockbal_backend_max_sessions: [`{${a}} 10`, `{${b}} 10`],
    sockbal_dial_failures_total: [`{${a}} 1`, `{${b}} 0`],
    sockbal_dials_short_total: [`{${a}} 4`, `{${b}} 0`],
    sockbal_health_checks_total: [
      `{${a},result="ok"} 8`,
      `{${a},result="failed"} 2`,
      `{${a},result="short"} 1`,
    ],
    sockbal_backend_ejections_total: [`{${a}} 1`],
    sockbal_backend_state_changes_total: [`{${a}} 3`],
    sockbal_bytes_in_total: [`{listener="in",${a}} 100`, '{listener="in",pool="web",backend=""} 100'],
    sockbal_bytes_out_total: [`{listener="in",${a}} 200`, '{listener="in",pool="web",backend=""} 200'],
    sockbal_sessions_total: [
      `{listener="in",${a},end="done"} 5`,
      `{listener="in",${a},end="dial_failed"} 1`,
      '{listener="in",pool="web",backend="",end="done"} 5',
      '{listener="in",pool="web",backend="",end="dial_failed"} 1',
    ],
    sockbal_session_seconds_count: ['{listener="in",pool="web"} 4'],
    sockbal_session_seconds_sum: ['{listener="in",pool="web"} 6'],
    sockbal_queue_wait_seconds_count: ['{pool="web"} 0'],
    sockbal_dial_seconds_count: [`{${a}} 3`, `{${b}} 0`],
  };
  for (const [name, lines] of Object.entries(expected)) {
    assert.deepEqual(samples(shown, name), lines.map((line) => name + line));
    const family = name.replace(/_(count|sum)$/, "");
    assert.equal(shown.split("\n").filter((line) => line.startsWith(`# TYPE ${family} `)).length, 1);
  }
  const families = shown.split("\n").filter((line) => line.startsWith("# TYPE ")).map((line) =>
    line.split(" ")[2]
  );
  const tested = new Set(Object.keys(expected).map((name) => name.replace(/_(count|sum)$/, "")));
  assert.deepEqual(families.filter((name) => !tested.has(name ?? "")), ["sockbal_backend_state"]);
});

Deno.test("datagrams that were dropped are told where a listener takes them, or has taken them", () => {
  const ofDatagrams = (shown: string): string[] => samples(shown, "sockbal_datagrams_dropped_total");
  assert.deepEqual(ofDatagrams(rendered(fakeStatus(), fakeCounts())), []);
  const dropped = { datagrams_over_limit: 7, datagrams_without_room: 8 };
  const totals = [{ ...fakeTotals("in", "web", "a"), ...dropped }, fakeTotals("tcp", "web", "a")];
  const expected = (overLimit: number, noRoom: number): string[] =>
    [["rate_limit", overLimit], ["no_room", noRoom]].map(([reason, count]) =>
      `sockbal_datagrams_dropped_total{listener="in",pool="web",backend="a",reason="${reason}"} ${count}`
    );
  assert.deepEqual(ofDatagrams(rendered(fakeStatus(), fakeCounts({ totals }))), expected(7, 8));
  const listeners = [{ ...fakeListener("in", "web"), max_flows: 5 }];
  const none = { totals: [fakeTotals("in", "web", "a")] };
  assert.deepEqual(ofDatagrams(rendered(fakeStatus({ listeners }), fakeCounts(none))), expected(0, 0));
});

Deno.test("a backend is in one state, and each state has a line", () => {
  for (const state of ["up", "down", "ejected", "draining", "disabled"] as const) {
    const [pool] = fakeStatus().pools;
    assert.ok(pool !== undefined);
    const status = fakeStatus({ pools: [{ ...pool, backends: [fakeBackend("a", { state })] }] });
    const lines = samples(rendered(status, fakeCounts()), "sockbal_backend_state");
    assert.equal(lines.length, 6);
    const current = lines.filter((line) => line.endsWith(" 1"));
    assert.deepEqual(current, [`sockbal_backend_state{pool="web",backend="a",state="${state}"} 1`]);
  }
});

Deno.test("a histogram counts up to +Inf, which is all, and is added up over listeners", () => {
  const totals = [
    fakeTotals("in", "web", "a"),
    fakeTotals("other", "web", "a"),
    fakeTotals("in", "web", "a"),
  ];
  const shown = rendered(fakeStatus(), fakeCounts({ totals }));
  const lines = samples(shown, "sockbal_dial_seconds_bucket").filter((line) => line.includes('backend="a"'));
  const bounds = lines.map((line) => /le="([^"]+)"/.exec(line)?.[1]);
  assert.deepEqual(bounds, [...BOUNDS_SECONDS.map(String), "+Inf"]);
  const counts = lines.map((line) => Number(line.split(" ").at(-1)));
  // 0.1 ms, 2 ms and two hours, three times.
  const expected = BOUNDS_SECONDS.map((bound) => bound < 0.002 ? 3 : 6);
  assert.deepEqual(counts, [...expected, 9]);
  assert.deepEqual(samples(shown, "sockbal_dial_seconds_count")[0]?.split(" ")[1], "9");
  const sum = Number(samples(shown, "sockbal_dial_seconds_sum")[0]?.split(" ")[1]);
  assert.ok(Math.abs(sum - 3 * 7_200.0021) < 1e-6);
  assert.match(shown, /^sockbal_session_seconds_count\{listener="other",pool="web"\} 2$/m);
});

Deno.test("what nobody has used yet has histograms of zeros, and what is gone keeps its counts", () => {
  const shown = rendered(fakeStatus(), fakeCounts({ totals: [fakeTotals("gone", "old", "x")] }));
  assert.equal(samples(shown, "sockbal_dial_seconds_bucket").length, 3 * (BOUNDS_SECONDS.length + 1));
  assert.match(shown, /^sockbal_session_seconds_bucket\{listener="in",pool="web",le="\+Inf"\} 0$/m);
  assert.match(shown, /^sockbal_session_seconds_sum\{listener="in",pool="web"\} 0$/m);
  assert.match(shown, /^sockbal_retries_total\{pool="old"\} 2$/m);
  assert.match(shown, /^sockbal_dial_seconds_count\{pool="old",backend="x"\} 3$/m);
});

Deno.test("open file descriptors are left out where they are not known", () => {
  const status = fakeStatus({
    process: { memory_bytes: 1, cpu_seconds: 1, open_files: null, max_open_files: null },
  });
  assert.ok(!rendered(status, fakeCounts()).includes("open_files"));
});

Deno.test("label values are escaped, and numbers are written as Prometheus reads them", () => {
  assert.equal(labels({ a: 'x"y\\z\nü', b: "" }), 'a="x\\"y\\\\z\\nü",b=""');
  assert.equal(labels({}), "");
  const to = new Exposition();
  to.family("m", "gauge", "Help.");
  for (const value of [0, -1.5, 1e21, 1e-7, Infinity, -Infinity, NaN]) to.sample("", value);
  to.histogram('a="b"', histogramOf(0.2));
  const [help, type, ...lines] = text(to.bytes()).split("\n");
  assert.deepEqual([help, type], ["# HELP m Help.", "# TYPE m gauge"]);
  assert.deepEqual(lines.slice(0, 7), ["m 0", "m -1.5", "m 1e+21", "m 1e-7", "m +Inf", "m -Inf", "m NaN"]);
  assert.deepEqual(lines.slice(-4), [
    'm_bucket{a="b",le="+Inf"} 1',
    'm_sum{a="b"} 0.2',
    'm_count{a="b"} 1',
    "",
  ]);
});

/** How long rendering takes is bounded loosely, for machines that are slow or busy; bench it to know. */
Deno.test("a thousand backends behind twenty listeners are rendered in little time", () => {
  const pools = Array.from({ length: 20 }, (_, i) => `pool-${i}`);
  const names = Array.from({ length: 50 }, (_, i) => `10.0.0.${i}:8080`);
  const checks = { checks_ok: 1, checks_failed: 2, checks_short: 1, ejections: 3, state_changes: 4 };
  const status = fakeStatus({
    listeners: pools.map((name) => fakeListener(`in-${name}`, name)),
    pools: pools.map((name) => fakePool(name, { backends: names.map((it) => fakeBackend(it)) })),
  });
  const counts = fakeCounts({
    totals: pools.flatMap((name) => names.map((it) => fakeTotals(`in-${name}`, name, it))),
    backends: pools.flatMap((name) => names.map((backend) => ({ pool: name, backend, ...checks }))),
  });
  const timesMs = Array.from({ length: 15 }, () => {
    const begin = performance.now();
    assert.ok(renderMetrics(status, counts).length > 3_000_000);
    return performance.now() - begin;
  }).toSorted((a, b) => a - b);
  assert.ok((timesMs[7] ?? 0) < 200, `${timesMs[7]} ms`);
});

const promtool = await findProgram("promtool", "prometheus");
const skip = skipWithout(promtool);

Deno.test({
  name: `promtool has no complaint${skip.why}`,
  ignore: skip.ignore,
  fn: async () => {
    const hostile = fakeTotals('in"\\\n', "web", "a{}");
    const cases = [
      rendered(fakeStatus(), fakeCounts()),
      rendered(fakeStatus(), fakeCounts({ totals: [hostile] })),
      rendered(
        fakeStatus({ listeners: [], pools: [], workers: [] }),
        fakeCounts({ totals: [], backends: [] }),
      ),
    ];
    await Promise.all(cases.map(async (text) => {
      const child = new Deno.Command(pathOf(promtool), {
        args: ["check", "metrics"],
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(text));
      await writer.close();
      const { code, stdout, stderr } = await child.output();
      const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
      assert.deepEqual([code, said], [0, ""]);
    }));
  },
});

Deno.test("a certificate has the time of its end, by listener or pool; of two with one name, that of the first to expire", () => {
  const [first, second] = ["2027-01-30T00:00:00.500Z", "2027-02-01T00:00:00.000Z"];
  const rsa = fakeCertificate({ not_after: second });
  const ecdsa = fakeCertificate({ not_after: first });
  const nameless = fakeCertificate({ subject: "", names: ["a.example"], not_after: second });
  const forged = fakeCertificate({ subject: 'CN=a"\n\\', not_after: second });
  const shown = rendered(
    fakeStatus({
      listeners: [{ ...fakeListener("in", "web"), certificates: [rsa, ecdsa, nameless] }],
      pools: [fakePool("web", { certificates: [forged] })],
    }),
    fakeCounts(),
  );
  assert.deepEqual(samples(shown, "sockbal_certificate_expiry_timestamp_seconds"), [
    `sockbal_certificate_expiry_timestamp_seconds{listener="in",subject="CN=www.example.com"} ${
      Date.parse(first) / 1_000
    }`,
    `sockbal_certificate_expiry_timestamp_seconds{listener="in",subject="a.example"} ${
      Date.parse(second) / 1_000
    }`,
    `sockbal_certificate_expiry_timestamp_seconds{pool="web",subject="CN=a\\"\\n\\\\"} ${
      Date.parse(second) / 1_000
    }`,
  ]);
});

Deno.test("a source of backends that cannot be used is 0, with as many members as it has named", () => {
  const source = { source: "dns a:1", members: 3, since: "2026-11-23T18:57:02.216Z", refused: [] };
  const shown = rendered(
    fakeStatus({
      pools: [
        fakePool("web", { discovery: { ...source, trouble: "" } }),
        fakePool("api", { discovery: { ...source, trouble: "no" } }),
        fakePool("plain"),
      ],
    }),
    fakeCounts(),
  );
  assert.deepEqual(samples(shown, "sockbal_discovery_up"), [
    'sockbal_discovery_up{pool="web"} 1',
    'sockbal_discovery_up{pool="api"} 0',
  ]);
  assert.deepEqual(samples(shown, "sockbal_discovered_backends"), [
    'sockbal_discovered_backends{pool="web"} 3',
    'sockbal_discovered_backends{pool="api"} 3',
  ]);
});

Deno.test("a fleet shows who is there, who differs and who was lost, and since when etcd is away", () => {
  const shown = rendered(
    fakeStatus({ fleet: fakeFleet({ connected: false, since: "1970-01-01T00:01:00.000Z", unshared: 2 }) }),
    fakeCounts(),
  );
  const fleetLines = (text: string): string[] =>
    text.split("\n").filter((it) => it.startsWith("sockbal_fleet_"));
  assert.deepEqual(fleetLines(shown), [
    "sockbal_fleet_connected 0",
    "sockbal_fleet_connection_change_timestamp_seconds 60",
    "sockbal_fleet_members 3",
    "sockbal_fleet_lost_members 1",
    "sockbal_fleet_differing_members 1",
    "sockbal_fleet_unshared_wishes 2",
  ]);
  assert.deepEqual(fleetLines(rendered(fakeStatus(), fakeCounts())), []);
});
