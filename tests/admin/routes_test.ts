// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { fakeStatus } from "./fake_operations.ts";
import { type Answer, JSON_TYPE } from "./http_client.ts";
import { json, startTestAdmin } from "./test_admin.ts";

const DRAIN = "/api/pools/web/backends/a/drain";

function assertProblem(answer: Answer, status: number, title: string): void {
  assert.equal(answer.status, status);
  assert.equal(answer.headers.get("content-type"), "application/problem+json");
  const { detail, ...rest } = json(answer);
  assert.deepEqual(rest, { type: "about:blank", title, status });
  assert.match(detail, /^[A-Z"a-z].{5,}[.]$/);
}

Deno.test("the page comes with a nonce of its own and a policy that lets nothing else run", async () => {
  await using admin = await startTestAdmin();
  const [one, two] = [await admin.ask({}), await admin.ask({})];
  assert.equal(one.status, 200);
  assert.equal(one.headers.get("content-type"), "text/html; charset=utf-8");
  const nonce = /nonce="([A-Za-z0-9+/=]{24})"/.exec(one.body)?.[1];
  assert.equal(
    one.headers.get("content-security-policy"),
    `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'; connect-src 'self'; ` +
      "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  );
  assert.notEqual(one.body, two.body);
});

Deno.test("status, configuration and sessions are given as they are", async () => {
  await using admin = await startTestAdmin();
  assert.deepEqual(json(await admin.ask({ path: "/api/status" })), fakeStatus());
  assert.deepEqual(json(await admin.ask({ path: "/api/config" })), { listeners: [] });
  const sessions = await admin.ask({ path: "/api/sessions" });
  assert.equal(sessions.headers.get("content-type"), "application/json");
  assert.deepEqual(json(sessions).map((it: { client: string }) => it.client), ["127.0.0.1:5"]);
  await admin.ask({ path: "/api/sessions?limit=1" });
  await admin.ask({ path: "/api/sessions?limit=10000&unknown=1" });
  assert.deepEqual(admin.operations.limits, [100, 1, 10_000]);
});

Deno.test("a limit that is none is refused", async () => {
  await using admin = await startTestAdmin();
  for (const limit of ["0", "10001", "-1", "1.5", "", "abc", "1e3", "99999999999", "%31x", "5&limit=6"]) {
    assertProblem(await admin.ask({ path: `/api/sessions?limit=${limit}` }), 400, "Bad Request");
  }
  assert.ok(!admin.operations.isTouched);
});

Deno.test("each order reaches the balancer and says what was done", async () => {
  await using admin = await startTestAdmin();
  const base = { pool: "web", backend: "a" };
  const orders = [
    ["a/enable", { ...base, order: { do: "enable" } }],
    ["a/disable", { ...base, order: { do: "disable" } }],
    ["a/kill", { ...base, order: { do: "kill" } }],
    ["a/drain", { ...base, order: { do: "drain", deadlineMs: undefined } }],
    ["a/drain?deadline=1m30s", { ...base, order: { do: "drain", deadlineMs: 90_000 } }],
    ["*/drain", { ...base, backend: "*", order: { do: "drain", deadlineMs: undefined } }],
    ["%2A/enable", { ...base, backend: "*", order: { do: "enable" } }],
    ["unix:%2Frun%2fb.sock/kill", { ...base, backend: "unix:/run/b.sock", order: { do: "kill" } }],
  ] as const;
  for (const [path, order] of orders) {
    const answer = await admin.ask({ method: "POST", path: `/api/pools/web/backends/${path}` });
    assert.equal(answer.status, 200);
    assert.deepEqual(json(answer), { message: `${order.order.do} web ${order.backend}` });
    assert.deepEqual(admin.operations.orders.at(-1), order);
  }
  for (const weight of [0, 1, 256]) {
    const body = JSON.stringify({ weight });
    const path = "/api/pools/web/backends/a/weight";
    assert.equal((await admin.ask({ method: "PUT", path, body, headers: [JSON_TYPE] })).status, 200);
    assert.deepEqual(admin.operations.orders.at(-1), { ...base, order: { do: "weight", weight } });
  }
});

Deno.test("names are decoded once, and what looks like another path is none", async () => {
  await using admin = await startTestAdmin();
  for (
    const [pool, backend] of [["w%252Fb", "%25"], ["..", "."], ["%2e%2e", "a%2F..%2Fb"], [
      "%E2%82%AC",
      "%C3%BC%20",
    ]] as const
  ) {
    const path = `/api/pools/${pool}/backends/${backend}/kill`;
    assertProblem(await admin.ask({ method: "POST", path }), 404, "Not Found");
    const order = admin.operations.orders.at(-1);
    assert.equal(order?.pool, decodeURIComponent(pool));
    assert.equal(order.backend, decodeURIComponent(backend));
  }
});

Deno.test("an unknown pool or backend is 404", async () => {
  await using admin = await startTestAdmin();
  for (const path of ["nope/backends/a", "web/backends/nope", "nope/backends/*", "Web/backends/a"]) {
    const answer = await admin.ask({ method: "POST", path: `/api/pools/${path}/enable` });
    assertProblem(answer, 404, "Not Found");
    const weight = { path: `/api/pools/${path}/weight`, headers: [JSON_TYPE], body: '{"weight":1}' };
    assertProblem(await admin.ask({ method: "PUT", ...weight }), 404, "Not Found");
  }
});

Deno.test("a deadline that is none, twice, or not for a drain is refused", async () => {
  await using admin = await startTestAdmin();
  const paths = ["", "=", "=30", "=-1s", "=1d", "=9999h", "=1s&deadline=2s", "=%20"].map((it) =>
    `${DRAIN}?deadline${it}`
  );
  const kill = "/api/pools/web/backends/a/kill";
  for (const path of [...paths, `${DRAIN}?dedline=1s`, `${kill}?deadline=1s`, `${kill}?x`]) {
    assertProblem(await admin.ask({ method: "POST", path }), 400, "Bad Request");
  }
  assert.ok(!admin.operations.isTouched);
});

Deno.test("a reload says that it was done, or what the faults are", async () => {
  await using admin = await startTestAdmin();
  const done = await admin.ask({ method: "POST", path: "/api/reload" });
  assert.deepEqual([done.status, json(done)], [200, { message: "Reloaded.", notes: [] }]);
  const faults = ["balancer.yaml:1:1 empty", "balancer.yaml:2:2 missing"];
  admin.operations.reloaded = { ok: false, message: "There are 2 faults.", faults };
  const failed = await admin.ask({ method: "POST", path: "/api/reload" });
  assert.equal(failed.headers.get("content-type"), "application/problem+json");
  const title = "Unprocessable Content";
  assert.deepEqual(json(failed), {
    type: "about:blank",
    title,
    status: 422,
    detail: "There are 2 faults.",
    faults,
  });
});

Deno.test("a hand-over that is refused says why, and one that is finished says what is not used", async () => {
  await using admin = await startTestAdmin();
  const refused = await admin.ask({ method: "POST", path: "/api/hand-over" });
  const { detail } = json(refused) as { detail: string };
  assert.deepEqual([refused.status, detail], [409, "Nothing is handed over: it is a fake."]);
  const finish = (body: string): Promise<{ status: number }> => {
    return admin.ask({ method: "POST", path: "/api/hand-over/finish", headers: [JSON_TYPE], body });
  };
  assert.equal((await finish('{"unused":["127.0.0.1:80"]}')).status, 200);
  for (const body of ["{}", '{"unused":[1]}', '{"unused":"all"}']) {
    assert.equal((await finish(body)).status, 400);
  }
  assert.deepEqual(admin.operations.unused, [["127.0.0.1:80"]]);
});

Deno.test("health and readiness are one word, or say why not", async () => {
  await using admin = await startTestAdmin();
  const health = await admin.ask({ path: "/healthz" });
  assert.deepEqual([health.status, health.body], [200, "ok"]);
  const ready = await admin.ask({ path: "/readyz" });
  assert.deepEqual([ready.status, ready.body], [200, "ready"]);
  const [pool] = fakeStatus().pools;
  assert.ok(pool !== undefined);
  for (
    const [facts, why] of [
      [{ workers: [] }, "Not ready: no worker runs."],
      [{ state: "starting" }, "Not ready: starting."],
      [{ state: "stopping" }, "Not ready: stopping."],
      [
        { pools: [{ ...pool, available: 0 }, pool] },
        "Not ready: 1 of 2 pools have no backend that may be picked.",
      ],
    ] as const
  ) {
    admin.operations.statusNow = fakeStatus({ ready: false, ...facts });
    const answer = await admin.ask({ path: "/readyz" });
    assertProblem(answer, 503, "Service Unavailable");
    assert.equal(json(answer).detail, why);
    assert.equal((await admin.ask({ path: "/healthz" })).status, 200);
  }
});

Deno.test("metrics are text for Prometheus", async () => {
  await using admin = await startTestAdmin();
  const { status, headers, body } = await admin.ask({ path: "/metrics" });
  assert.equal(status, 200);
  assert.equal(headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  assert.match(body, /^sockbal_build_info\{version="0.1.0"\} 1$/m);
});

const GETS = [
  "/",
  "/api/status",
  "/api/sessions",
  "/api/config",
  "/api/events",
  "/metrics",
  "/healthz",
  "/readyz",
];
const POSTS = [
  "/api/reload",
  DRAIN,
  ...["enable", "disable", "kill"].map((it) => `/api/pools/web/backends/*/${it}`),
];
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];

Deno.test("what is no method of HTTP is 400, and changes nothing", async () => {
  await using admin = await startTestAdmin();
  for (const method of ["get", "FOO"]) {
    assert.equal((await admin.ask({ method, path: "/api/reload" })).status, 400);
  }
  assert.ok(!admin.operations.isTouched);
});

Deno.test("a path takes its own methods only, and nothing is changed by another", async () => {
  await using admin = await startTestAdmin();
  const rows = [
    ...GETS.map((path) => [path, "GET, HEAD"] as const),
    ...POSTS.map((path) => [path, "POST"] as const),
    ["/api/pools/web/backends/a/weight", "PUT"] as const,
    ["/api/pools/web/backends/a", "DELETE, PUT"] as const,
  ];
  for (const [path, allow] of rows) {
    for (const method of METHODS.filter((it) => !allow.split(", ").includes(it))) {
      const answer = await admin.ask({ method, path });
      assert.equal(answer.status, 405, `${method} ${path}`);
      assert.equal(answer.headers.get("allow"), allow);
      assert.equal(answer.headers.get("access-control-allow-origin"), null);
      if (method !== "HEAD") assertProblem(answer, 405, "Method Not Allowed");
    }
  }
  assert.ok(!admin.operations.isTouched);
});

Deno.test("HEAD is GET without the body", async () => {
  await using admin = await startTestAdmin();
  for (const path of GETS) {
    const head = await admin.ask({ method: "HEAD", path });
    assert.deepEqual([head.status, head.body], [200, ""], path);
    if (path === "/api/events") assert.equal(admin.operations.hearers.size, 0);
    else {assert.equal(
        head.headers.get("content-type"),
        (await admin.ask({ path })).headers.get("content-type"),
      );}
  }
});

Deno.test("any other path is 404, by any method", async () => {
  await using admin = await startTestAdmin();
  const paths = [
    "/nope",
    "/api",
    "/api/",
    "/api/status/",
    "//api/status",
    "/API/status",
    "/api/status%2F",
    "/metrics/",
  ];
  const orders = [
    "/api/pools//backends/a/kill",
    "/api/pools/web/backends//kill",
    "/api/pools/web/backends/a/explode",
  ];
  for (const path of [...paths, ...orders, "/api/pools/web/backends/a/b/kill", "/*", "/..", "/%00"]) {
    for (const method of ["GET", "POST", "PUT"]) {
      assertProblem(await admin.ask({ method, path }), 404, "Not Found");
    }
  }
  assert.ok(!admin.operations.isTouched);
});

Deno.test("broken percent-encoding is 400, wherever it stands", async () => {
  await using admin = await startTestAdmin();
  for (const path of ["/%", "/api/status?%zz", "/%ff", "/api/sessions?limit=%c3", "/%E0%80%80"]) {
    assertProblem(await admin.ask({ path }), 400, "Bad Request");
  }
  const order = { method: "POST", path: "/api/pools/web/backends/%zz/kill" };
  assertProblem(await admin.ask(order), 400, "Bad Request");
  assert.ok(!admin.operations.isTouched);
});

Deno.test("no answer is kept, sniffed or told where it came from, and none is for other sites", async () => {
  await using admin = await startTestAdmin();
  for (const path of [...GETS.filter((it) => it !== "/api/events"), "/nope", "/%", "/api/reload"]) {
    const { headers } = await admin.ask({ path, headers: [["Origin", "http://evil.example"]] });
    assert.equal(headers.get("cache-control"), "no-store", path);
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("referrer-policy"), "no-referrer");
    assert.ok(![...headers.keys()].some((name) => name.startsWith("access-control-")));
  }
});

Deno.test("a fault of our own is 500 without a stack, and the log says what it was", async () => {
  await using admin = await startTestAdmin();
  for (const thrown of [new Error("secret inside"), "secret text", undefined]) {
    admin.operations.status = () => {
      throw thrown;
    };
    const answer = await admin.ask({ path: "/api/status" });
    assertProblem(answer, 500, "Internal Server Error");
    assert.ok(!answer.body.includes("secret") && !answer.body.includes("at "));
  }
  assert.deepEqual(
    admin.log.events.filter((it) => it.event === "admin_request_failed").map((it) => it.fields.reason),
    ["secret inside", "secret text", "undefined"],
  );
});

Deno.test("sessions are found by what is known of them, and ended one by one", async () => {
  await using admin = await startTestAdmin();
  const query = "limit=5&listener=in&pool=web&backend=a%2Fb&client=127.0.0.1";
  assert.equal((await admin.ask({ path: `/api/sessions?${query}` })).status, 200);
  assert.deepEqual(admin.operations.filters, [
    { listener: "in", pool: "web", backend: "a/b", client: "127.0.0.1" },
  ]);
  const killed = await admin.ask({ method: "POST", path: "/api/sessions/run-1-7/kill" });
  assert.equal(killed.status, 200);
  assert.equal(json(killed).message, "session run-1-7 ended");
  const gone = await admin.ask({ method: "POST", path: "/api/sessions/run-1-8/kill" });
  assertProblem(gone, 404, "Not Found");
  assert.equal(json(gone).detail, 'There is no session "run-1-8"; it may have ended.');
  assert.deepEqual(admin.operations.killed, ["run-1-7", "run-1-8"]);
});

Deno.test("a backend is put with a map and taken back without one, and what became of it is the answer", async () => {
  await using admin = await startTestAdmin();
  const path = "/api/pools/web/backends/%5B::1%5D:80";
  const body = '{"address":"10.0.0.1:80","weight":2}';
  const put = await admin.ask({ method: "PUT", path, headers: [JSON_TYPE], body });
  assert.deepEqual([put.status, json(put)], [200, { message: "Changed." }]);
  assert.equal((await admin.ask({ method: "DELETE", path })).status, 200);
  const at = { pool: "web", name: "[::1]:80" };
  assert.deepEqual(admin.operations.members, [{ ...at, value: { address: "10.0.0.1:80", weight: 2 } }, at]);
  for (
    const [refused, status, title] of [
      ["invalid", 422, "Unprocessable Content"],
      ["missing", 404, "Not Found"],
      ["conflict", 409, "Conflict"],
    ] as const
  ) {
    admin.operations.memberChanged = { refused, message: "It cannot be done." };
    assertProblem(await admin.ask({ method: "PUT", path, headers: [JSON_TYPE], body }), status, title);
  }
});

Deno.test("a body that is no backend is refused", async () => {
  await using admin = await startTestAdmin();
  const path = "/api/pools/web/backends/b";
  for (const body of ["", "[]", "7", '"10.0.0.1:80"', '{"name":"b","address":"10.0.0.1:80"}']) {
    assertProblem(await admin.ask({ method: "PUT", path, headers: [JSON_TYPE], body }), 400, "Bad Request");
  }
  assertProblem(
    await admin.ask({ method: "DELETE", path, headers: [JSON_TYPE], body: '{"a":1}' }),
    400,
    "Bad Request",
  );
  assert.ok(!admin.operations.isTouched);
});
