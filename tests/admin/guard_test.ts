// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { refuseForeign } from "../../lib/admin/guard.ts";
import { targetOf } from "../../lib/admin/target.ts";
import { parseListenAddress } from "../../lib/core/address.ts";
import { writeAll } from "../../lib/core/connection.ts";
import { bytes, readAll, text } from "../support/bytes.ts";
import { bearer, connectTo } from "./http_client.ts";
import { startTestAdmin } from "./test_admin.ts";

const RELOAD = { method: "POST", path: "/api/reload" };

function isLetIn(listen: string, authority: string, needsToken = false): boolean {
  const request = { method: "GET", authority, origin: null, secFetchSite: null };
  return refuseForeign(request, parseListenAddress(listen), needsToken) === undefined;
}

Deno.test("on a loopback address only names that no DNS decides about are let in, with any port", () => {
  const own = ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:9901", "[0:0::1]"];
  const foreign = [
    "evil.example",
    "evil.example:9901",
    "localhost.evil.example",
    "192.168.1.5",
    "[::2]",
    "",
    ":9901",
  ];
  const tricks = [
    "127.0.0.1@evil.example",
    "evil.example#127.0.0.1",
    "localhost/",
    "a b",
    "[",
    "127.0.0.1:x",
    "\\",
  ];
  for (const listen of ["127.0.0.1:9901", "[::1]:9901", "localhost:9901", "127.0.0.53:9901"]) {
    for (const host of own) assert.ok(isLetIn(listen, host), `${listen} ${host}`);
    for (const host of [...foreign, ...tricks]) {
      assert.ok(!isLetIn(listen, host), `${listen} ${host}`);
      assert.ok(!isLetIn(listen, host, true), `${listen} ${host} with a token`);
    }
  }
  assert.ok(isLetIn("127.0.0.53:9901", "127.0.0.53:9901"));
  assert.ok(!isLetIn("127.0.0.1:9901", "127.0.0.53:9901"));
});

Deno.test("a link-local address is let in with its zone and without", () => {
  for (const host of ["[fe80::1]:9901", "[fe80::1%eth0]:9901", "[fe80::1%25eth0]"]) {
    assert.ok(isLetIn("[fe80::1%eth0]:9901", host, true), host);
  }
  for (const host of ["evil.example%]", "[evil.example%eth0]", "%]"]) {
    assert.ok(!isLetIn("[fe80::1%eth0]:9901", host, true), host);
  }
});

Deno.test("on other addresses an IP address is let in, and a name only where a token protects", () => {
  for (const listen of [":9901", "0.0.0.0:9901", "[::]:9901", "192.0.2.1:9901", "[2001:db8::1]:9901"]) {
    for (const host of ["192.0.2.1", "192.0.2.9:80", "[2001:db8::1]:9901", "127.0.0.1", "localhost:9901"]) {
      assert.ok(isLetIn(listen, host), `${listen} ${host}`);
    }
    for (const host of ["evil.example", "balancer:9901", "192.0.2.1.evil.example"]) {
      assert.ok(!isLetIn(listen, host), `${listen} ${host}`);
      assert.ok(isLetIn(listen, host, true), `${listen} ${host} with a token`);
    }
    for (const host of ["", "[", "a b", "evil.example/x"]) assert.ok(!isLetIn(listen, host, true), host);
  }
  assert.ok(isLetIn("balancer.lan:9901", "Balancer.LAN:80"));
  assert.ok(!isLetIn("balancer.lan:9901", "evil.example"));
});

Deno.test("on a Unix socket any name is let in: no browser comes there", () => {
  for (const host of ["localhost", "", "evil.example", "["]) assert.ok(isLetIn("unix:/run/admin.sock", host));
});

Deno.test("what changes something may come from a page of the same host, or from no page", () => {
  const listen = parseListenAddress("127.0.0.1:9901");
  const cases: [string | null, string | null, boolean][] = [
    [null, null, true],
    ["http://127.0.0.1:9901", null, true],
    ["https://127.0.0.1:9901", "same-origin", true],
    ["HTTP://127.0.0.1:9901", "none", true],
    [null, "same-origin", true],
    ["http://127.0.0.1", null, false],
    ["http://127.0.0.1:9902", null, false],
    ["http://localhost:9901", null, false],
    ["http://evil.example", null, false],
    ["http://127.0.0.1:9901.evil.example", null, false],
    ["null", null, false],
    ["", null, false],
    ["file://", null, false],
    ["127.0.0.1:9901", null, false],
    ["http://127.0.0.1:9901, http://evil.example", null, false],
    ["http://127.0.0.1:9901", "cross-site", false],
    ["http://127.0.0.1:9901", "same-site", false],
    [null, "cross-site", false],
    [null, "", false],
  ];
  for (const [origin, secFetchSite, isIn] of cases) {
    const request = { authority: "127.0.0.1:9901", origin, secFetchSite };
    for (const method of ["POST", "PUT", "DELETE", "post", "FOO"]) {
      const refused = refuseForeign({ ...request, method }, listen, true);
      assert.equal(refused === undefined, isIn, `${method} ${origin} ${secFetchSite}`);
    }
    for (const method of ["GET", "HEAD", "OPTIONS"]) {
      assert.equal(refuseForeign({ ...request, method }, listen, false), undefined);
    }
  }
});

Deno.test("the port that a scheme implies is the same as the one that is written", () => {
  const listen = parseListenAddress("0.0.0.0:80");
  for (
    const [origin, authority] of [["http://10.0.0.1", "10.0.0.1:80"], ["https://10.0.0.1", "10.0.0.1:443"]]
  ) {
    const request = {
      method: "POST",
      authority: authority ?? "",
      origin: origin ?? null,
      secFetchSite: null,
    };
    assert.equal(refuseForeign(request, listen, false), undefined);
  }
});

Deno.test("a request by a foreign name, or from a foreign page, is 403 and changes nothing", async () => {
  await using admin = await startTestAdmin({ token: "t" });
  const foreign = [
    [["Host", "evil.example"]],
    [["Host", "localhost, evil.example"]],
    [["Origin", "http://evil.example"]],
    [["Origin", "null"]],
    [["Sec-Fetch-Site", "cross-site"]],
    [["Origin", `http://${admin.address}`], ["Origin", "http://evil.example"]],
  ] as [string, string][][];
  for (const headers of foreign) {
    const answer = await admin.ask({ ...RELOAD, headers: [...headers, bearer("t")] });
    assert.equal(answer.status, 403, String(headers));
    assert.equal(answer.headers.get("content-type"), "application/problem+json");
  }
  assert.ok(!admin.operations.isTouched);
  const own: [string, string][] = [["Origin", `http://${admin.address}`], ["Sec-Fetch-Site", "same-origin"]];
  assert.equal((await admin.ask({ ...RELOAD, headers: [...own, bearer("t")] })).status, 200);
});

Deno.test("whoever watches over the program may ask for health by any name", async () => {
  await using admin = await startTestAdmin();
  for (const path of ["/healthz", "/readyz"]) {
    assert.equal((await admin.ask({ path, headers: [["Host", "balancer.lan"]] })).status, 200);
  }
});

Deno.test("the Host header counts, not a target in absolute form; without either there is no browser", async () => {
  await using admin = await startTestAdmin();
  const send = async (head: string): Promise<string> => {
    using conn = await connectTo(admin.address);
    await writeAll(conn, bytes(`${head}\r\nConnection: close\r\n\r\n`));
    return text(await readAll(conn)).slice(9, 12);
  };
  assert.equal(await send(`GET http://localhost/api/status HTTP/1.1\r\nHost: evil.example`), "403");
  assert.equal(await send(`GET http://evil.example/api/status HTTP/1.1`), "403");
  assert.equal(await send(`GET http://evil.example/api/status HTTP/1.1\r\nHost: localhost`), "200");
  assert.equal(await send("GET /api/status HTTP/1.0"), "200");
  assert.equal(await send(`GET /api/status HTTP/1.1\r\nHost: a\r\nHost: localhost`), "403");
});

Deno.test("a target is taken apart as the client sent it", () => {
  const cases = {
    "http://a:1/b/../c?d=e?f": { authority: "a:1", path: "/b/../c", query: "d=e?f" },
    "http://a:1": { authority: "a:1", path: "/", query: "" },
    "http://a?b#c": { authority: "a", path: "/", query: "b" },
    "http://[/x#y?z": { authority: "[", path: "/x", query: "" },
    "http+unix://localhost/x": { authority: "localhost", path: "/x", query: "" },
    "http://a//b/x": { authority: "a", path: "//b/x", query: "" },
    "http://a/*": { authority: "a", path: "/*", query: "" },
    "nonsense": { authority: "", path: "/", query: "" },
  };
  for (const [url, target] of Object.entries(cases)) assert.deepEqual(targetOf(url), target);
});
