import assert from "node:assert/strict";
import fc from "fast-check";
import { type Asking, request } from "./http_client.ts";
import { startTestAdmin } from "./test_admin.ts";

const NAMES = [
  "web",
  "a",
  "*",
  "%2A",
  "unix:%2Frun%2Fb.sock",
  "..",
  ".",
  "%",
  "%zz",
  "%00",
  "%25",
  "%2F",
  "ü",
  "",
];
const ACTIONS = ["enable", "drain", "disable", "kill", "weight", "", "*", ":action", "kill/", "KILL"];

const name = fc.oneof(fc.constantFrom(...NAMES), fc.string({ maxLength: 8 }));

/** Paths that are ours, nearly ours, or nothing; without what would end the request line. */
const path = fc.oneof(
  fc.constantFrom(
    "/",
    "/api/status",
    "/api/sessions",
    "/api/config",
    "/api/reload",
    "/metrics",
    "/readyz",
    "/%",
    "*",
  ),
  fc.tuple(name, name, fc.constantFrom(...ACTIONS)).map(([pool, backend, action]) =>
    `/api/pools/${pool}/backends/${backend}/${action}`
  ),
  fc.webPath(),
  fc.string({ maxLength: 20 }).map((it) => `/${it}`),
).map((it) => it.replace(/[^!-~]/g, "~"));

const query = fc.oneof(
  { weight: 3, arbitrary: fc.constant("") },
  fc.constantFrom(
    "?deadline=5s",
    "?deadline=",
    "?deadline=-1",
    "?limit=5",
    "?limit=x",
    "?%",
    "?&&=&",
    "?limit=1&limit=2",
  ),
  fc.webQueryParameters().map((it) => `?${it}`),
);

const value = fc.oneof(
  fc.constantFrom(
    "application/json",
    "text/plain",
    "evil.example",
    "null",
    "localhost",
    "cross-site",
    "Bearer t",
    "",
  ),
  fc.string({ maxLength: 30 }).map((it) => it.replace(/[^ -~]/g, "~")),
);
const header = fc.tuple(
  fc.constantFrom(
    "Content-Type",
    "Host",
    "Origin",
    "Sec-Fetch-Site",
    "Authorization",
    "Accept",
    "Range",
    "Expect",
  ),
  value,
);

const body = fc.oneof(
  { weight: 2, arbitrary: fc.constant(undefined) },
  fc.constantFrom("{}", '{"weight":1}', '{"weight":-1}', "null", "["),
  fc.json(),
  fc.string({ unit: "binary", maxLength: 100 }),
  fc.uint8Array({ maxLength: 100 }),
  fc.constant("x".repeat(16_385)),
);

const method = fc.constantFrom(
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "OPTIONS",
  "PATCH",
  "TRACE",
  "get",
  "X",
);

const asking: fc.Arbitrary<Asking> = fc.record({
  method,
  path: fc.tuple(path, query).map(([path, query]) => path + query),
  headers: fc.uniqueArray(header, { maxLength: 4, selector: ([name]) => name }),
  body,
}).map(({ body, ...rest }) => body === undefined ? rest : { ...rest, body });

for (const token of [undefined, "t"]) {
  Deno.test(`whatever comes is answered, never with 500${token === undefined ? "" : ", with a token too"}`, async () => {
    await using admin = await startTestAdmin(token === undefined ? {} : { token });
    await fc.assert(
      fc.asyncProperty(asking, async (asked) => {
        const before = admin.operations.orders.length + admin.operations.reloads;
        const { status, headers, body } = await request(admin.address, asked);
        assert.ok(status >= 200 && status < 500, `${status}`);
        // What the HTTP parser of the runtime refuses has no body.
        if (status >= 400 && body !== "") {
          assert.equal(headers.get("content-type"), "application/problem+json");
          assert.equal(JSON.parse(body).status, status);
        }
        const isOrder = admin.operations.orders.length + admin.operations.reloads > before;
        if (isOrder) assert.ok(asked.method === "POST" || asked.method === "PUT", asked.method);
      }),
      { numRuns: 1_500 },
    );
    assert.deepEqual(admin.log.events.filter((it) => it.event === "admin_request_failed"), []);
  });
}
