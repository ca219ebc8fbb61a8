import assert from "node:assert/strict";
import type { HealthCheckConfig } from "../../lib/config/health_check_schema.ts";
import { parseConfig } from "../../lib/config/parse.ts";
import { assertFaults, type ExpectedFault, withPoolLine } from "./faults.ts";

/** The check that a pool has when it has this on line 8, from column 21. */
function checkOf(keys: string): HealthCheckConfig | undefined {
  return parseConfig(withPoolLine(`health_check: { ${keys} }`), "f").pools.web?.healthCheck;
}

/** The faults of a check that has these keys on line 8, from column 21. */
function assertCheckFaults(keys: string, ...expected: ExpectedFault[]): void {
  const whole = expected.map(([place, part]): ExpectedFault => [
    place.replace(" ", " pools.web.health_check."),
    part,
  ]);
  assertFaults(withPoolLine(`health_check: { ${keys} }`), ...whole);
}

const DEFAULTS = { intervalMs: 2_000, timeoutMs: 1_000, rise: 2, fall: 3, port: undefined };

Deno.test("a check without keys connects every two seconds", () => {
  assert.deepEqual(checkOf(""), { type: "tcp", ...DEFAULTS });
});

Deno.test("an HTTP check asks for / and takes any success or redirection, unless it says otherwise", () => {
  assert.deepEqual(checkOf("type: http"), {
    type: "http",
    ...DEFAULTS,
    path: "/",
    host: undefined,
    expectStatus: [{ from: 200, to: 399 }],
  });
  assert.deepEqual(
    checkOf("type: http, path: '/health?full=1', host: 'example.com:80', expect_status: 204"),
    {
      type: "http",
      ...DEFAULTS,
      path: "/health?full=1",
      host: "example.com:80",
      expectStatus: [{ from: 204, to: 204 }],
    },
  );
});

Deno.test("a check may send text and expects text or a regular expression", () => {
  assert.deepEqual(checkOf("type: expect, expect: SSH-2.0"), {
    type: "expect",
    ...DEFAULTS,
    send: "",
    expect: "SSH-2.0",
    quit: "",
  });
  assert.deepEqual(checkOf(`type: expect, send: "PING\\r\\n", expect: "/^[+]PONG/", quit: "QUIT\\r\\n"`), {
    type: "expect",
    ...DEFAULTS,
    send: "PING\r\n",
    expect: "/^[+]PONG/",
    quit: "QUIT\r\n",
  });
});

Deno.test("statuses are one, a range, or a list of these", () => {
  const forms: [string, [number, number][]][] = [
    ["100", [[100, 100]]],
    ["599", [[599, 599]]],
    ["200-299", [[200, 299]]],
    ["'200-299'", [[200, 299]]],
    ["204-204", [[204, 204]]],
    ["[200]", [[200, 200]]],
    ["[200, 301-308, 404]", [[200, 200], [301, 308], [404, 404]]],
  ];
  for (const [written, ranges] of forms) {
    const check = checkOf(`type: http, expect_status: ${written}`);
    assert.ok(check?.type === "http");
    assert.deepEqual(check.expectStatus, ranges.map(([from, to]) => ({ from, to })), written);
  }
});

Deno.test("a status that is none is refused, in a list too", () => {
  const wanted = "write a status as 200, a range as 200-399, or a list of these";
  const values: [string, string][] = [
    ["99", "99 is not a status; write 100 to 599"],
    ["600", "600 is not a status; write 100 to 599"],
    ["-200", "-200 is not a status; write 100 to 599"],
    ["'200'", `"200" is text because of its quotes; ${wanted}`],
    ["200-", `"200-" is not a status; ${wanted}`],
    ["2xx", `"2xx" is not a status; ${wanted}`],
    ["200 - 299", `"200 - 299" is not a status; ${wanted}`],
    ["2.5", `"2.5" is not a status; ${wanted}`],
    ["200-600", '"200-600" is not a range of statuses; they are 100 to 599'],
    ["099-200", '"099-200" is not a range of statuses; they are 100 to 599'],
    ["399-200", '"399-200" ends before it begins; write it as 200-399'],
    ["true", `true is not a status; ${wanted}`],
    ["{ from: 200 }", `{"from":200} is not a status; ${wanted}`],
    ["~", `empty; ${wanted}`],
    ["''", `"" is not a status; ${wanted}`],
  ];
  for (const [value, part] of values) {
    assertCheckFaults(`type: http, expect_status: ${value}`, ["8:48 expect_status", part]);
    assertCheckFaults(`type: http, expect_status: [200, ${value}]`, ["8:54 expect_status[1]", part]);
  }
  assertCheckFaults("type: http, expect_status: []", ["8:48 expect_status", `empty; ${wanted}`]);
  assertCheckFaults("type: http, expect_status: [[200]]", [
    "8:49 expect_status[0]",
    `[200] is not a status; ${wanted}`,
  ]);
  assertCheckFaults(
    "type: http, expect_status: [1, 200, x]",
    ["8:49 expect_status[0]", "1 is not a status"],
    ["8:57 expect_status[2]", '"x" is not a status'],
  );
});

Deno.test("a check cannot be endless nor without pause", () => {
  assertCheckFaults("interval: 0s", ["8:31 interval", '"0s" is too short; write at least 100ms']);
  assertCheckFaults("interval: 99ms, timeout: 50ms", ["8:31 interval", "write at least 100ms"]);
  assertCheckFaults("timeout: 0s", ["8:30 timeout", '"0s" is too short; write at least 1ms']);
  assert.equal(checkOf("interval: 100ms, timeout: 1ms")?.intervalMs, 100);
});

Deno.test("a path or host that would not stand well in a request is refused", () => {
  const path = "is not a path; begin it with /, and write spaces and other special characters as %20";
  for (const value of ["''", "health", "'/a b'", '"/a\\r\\nb"', '"/\\0"', "/ü", "'5'", "5", "[]"]) {
    assertCheckFaults(`type: http, path: ${value}`, ["8:39 path", path]);
  }
  const host = "is not a host; write it as example.com or example.com:8080";
  for (const value of ["''", "a b", '"a\\r\\nb: c"', '"a\\tb"', "ü.de", "5", "[]", "x".repeat(256)]) {
    assertCheckFaults(`type: http, host: ${value}`, ["8:39 host", host]);
  }
  assertCheckFaults("type: http, path: , host: ", ["8:33 path", "empty; "], ["8:41 host", "empty; "]);
});

Deno.test("a key of another type is a fault that says to which type it belongs", () => {
  for (const [key, value] of [["path", "/"], ["host", "a"], ["expect_status", "200"]]) {
    assertCheckFaults(`${key}: ${value}`, [
      `8:21 ${key}`,
      `${key} belongs to type http; this check has type tcp`,
    ]);
    assertCheckFaults(`type: expect, expect: a, ${key}: ${value}`, [
      `8:46 ${key}`,
      `${key} belongs to type http; this check has type expect`,
    ]);
  }
  for (const key of ["send", "expect"]) {
    assertCheckFaults(`type: tcp, ${key}: a`, [
      `8:32 ${key}`,
      `${key} belongs to type expect or udp; this check has type tcp`,
    ]);
    assertCheckFaults(`type: http, ${key}: a`, [
      `8:33 ${key}`,
      `${key} belongs to type expect or udp; this check has type http`,
    ]);
  }
});

Deno.test("a key of another type is reported beside all other faults; of an unknown type no key is blamed", () => {
  assertCheckFaults(
    "interval: 5, path: x",
    ["8:31 interval", "add the unit"],
    ["8:34 path", "belongs to type http"],
    ["8:40 path", "is not a path"],
  );
  assertCheckFaults("type: htpp, path: /, send: a", [
    "8:27 type",
    'unknown type "htpp"; did you mean http?',
  ]);
});

Deno.test("a check that expects needs to know what", () => {
  const wanted = "write the text that the answer contains, or /regex/";
  assertCheckFaults("type: expect", ["8:19 expect", `missing; ${wanted}`]);
  assertCheckFaults("type: expect, rise: 0", ["8:19 expect", `missing; ${wanted}`], [
    "8:41 rise",
    "too small",
  ]);
  assertCheckFaults("type: expect, expect: ''", ["8:43 expect", "an empty text is in every answer"]);
  assertCheckFaults("type: expect, expect: ~", ["8:43 expect", `empty; ${wanted}`]);
  assertCheckFaults("type: expect, expect: 220", ["8:43 expect", `220 is not text; ${wanted}, in quotes`]);
  assertCheckFaults("type: expect, expect: a, send: 5", ["8:52 send", "5 is not text; put it in quotes"]);
});

Deno.test("a regular expression that is none, or that could take for ever, is refused where it stands", () => {
  const slow = "which cannot be matched in linear time";
  const values: [string, string][] = [
    ["'/(/'", '"/(/" is not a regular expression of RE2'],
    ["'/[z-a]/'", '"/[z-a]/" is not a regular expression of RE2'],
    ["'/(a+)\\1/'", slow],
    ["'/a(?=b)/'", slow],
    ["'/(?<!a)b/'", slow],
    ["/ok/i", "flags do not follow a regular expression"],
    ["//", "is in every answer"],
  ];
  for (const [value, part] of values) {
    assertCheckFaults(`type: expect, expect: ${value}`, ["8:43 expect", part]);
  }
});
