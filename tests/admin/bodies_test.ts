// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { MAX_BODY_BYTES } from "../../lib/admin/body.ts";
import { writeAll } from "../../lib/core/connection.ts";
import { bytes, readExactly, text } from "../support/bytes.ts";
import { type Asking, connectTo, JSON_TYPE } from "./http_client.ts";
import { json, startTestAdmin } from "./test_admin.ts";

const WEIGHT = { method: "PUT", path: "/api/pools/web/backends/a/weight" };
const RELOAD = { method: "POST", path: "/api/reload" };
const KILL = { method: "POST", path: "/api/pools/web/backends/a/kill" };

Deno.test("a weight is a whole number from 0 to 256, alone in an object", async () => {
  await using admin = await startTestAdmin();
  const bad = ["-1", "257", "1.5", '"1"', "null", "true", "[1]", "{}", "1e400"].map((it) =>
    `{"weight":${it}}`
  );
  for (
    const body of [
      ...bad,
      ...["{}", "[]", "[1]", "1", "null", '"weight"', '{"Weight":1}', '{"weight":1,"x":1}'],
      ...['{"weight":1,"__proto__":{}}', '{"__proto__":{"weight":1}}', ""],
    ]
  ) {
    const answer = await admin.ask({ ...WEIGHT, headers: [JSON_TYPE], body });
    assert.equal(answer.status, 400, body);
    const wanted = 'The body has to be {"weight": N} and nothing else, N a whole number from 0 to 256.';
    assert.equal(json(answer).detail, wanted);
  }
  assert.equal((await admin.ask(WEIGHT)).status, 400);
  assert.ok(!admin.operations.isTouched);
});

Deno.test("what is no JSON is 400, whatever it is", async () => {
  await using admin = await startTestAdmin();
  const invalid = new Uint8Array([0x22, 0xff, 0x22]);
  for (const body of ['{"weight":1', "{weight:1}", "\0", " ", '{"weight":1}{"weight":2}', "NaN", invalid]) {
    for (const to of [WEIGHT, RELOAD, KILL]) {
      const answer = await admin.ask({ ...to, headers: [JSON_TYPE], body });
      assert.equal(answer.status, 400);
      assert.equal(json(answer).detail, "The body is not JSON in UTF-8.");
    }
  }
  assert.ok(!admin.operations.isTouched);
});

Deno.test("a body of another type is 415, so that no form of another site can send one", async () => {
  await using admin = await startTestAdmin();
  const types = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""];
  for (const type of [...types, "text/json", "application/jsonp", "x, application/json"]) {
    for (const to of [WEIGHT, RELOAD, KILL]) {
      const headers: Asking["headers"] = type === "" ? [] : [["Content-Type", type]];
      const answer = await admin.ask({ ...to, headers, body: '{"weight":1}' });
      assert.equal(answer.status, 415, type);
    }
  }
  assert.ok(!admin.operations.isTouched);
  for (const type of ["application/json", "Application/JSON; charset=utf-8", "application/json ;x=y"]) {
    const answer = await admin.ask({ ...WEIGHT, headers: [["Content-Type", type]], body: '{"weight":1}' });
    assert.equal(answer.status, 200, type);
  }
});

Deno.test("where no body is taken an empty one is none, and any other is refused", async () => {
  await using admin = await startTestAdmin();
  for (const body of ["", "{}", " { } "]) {
    for (const to of [RELOAD, KILL]) {
      assert.equal((await admin.ask({ ...to, headers: [JSON_TYPE], body })).status, 200, body);
    }
  }
  // What curl -d '' sends.
  const form: Asking["headers"] = [["Content-Type", "application/x-www-form-urlencoded"]];
  assert.equal((await admin.ask({ ...RELOAD, headers: form, body: "" })).status, 200);
  const refused = await admin.ask({ ...KILL, headers: [JSON_TYPE], body: '{"deadline":"1s"}' });
  assert.deepEqual([refused.status, json(refused).detail], [400, "This takes no body."]);
});

Deno.test("a body may have 16 KiB and no more, whether its length is told before or not", async () => {
  await using admin = await startTestAdmin();
  const body = (length: number): string => '{"weight":1}'.padEnd(length);
  assert.equal(
    (await admin.ask({ ...WEIGHT, headers: [JSON_TYPE], body: body(MAX_BODY_BYTES) })).status,
    200,
  );
  const chunked: Asking["headers"] = [JSON_TYPE, ["Transfer-Encoding", "chunked"]];
  for (const length of [MAX_BODY_BYTES + 1, 10_000_000]) {
    const told = await admin.ask({ ...WEIGHT, headers: [JSON_TYPE], body: body(length) });
    assert.deepEqual([told.status, json(told).title], [413, "Content Too Large"]);
  }
  using conn = await connectTo(admin.address);
  const head = `PUT ${WEIGHT.path} HTTP/1.1\r\nHost: ${admin.address}\r\nConnection: close\r\n`;
  await writeAll(
    conn,
    bytes(head + chunked.map(([name, value]) => `${name}: ${value}\r\n`).join("") + "\r\n"),
  );
  // Its end is not waited for.
  for (let i = 0; i < 17; i++) await writeAll(conn, bytes(`400\r\n${" ".repeat(1024)}\r\n`));
  assert.equal(text(await readExactly(conn, 12)), "HTTP/1.1 413");
  assert.equal(admin.operations.orders.length, 1);
});

Deno.test("a body that breaks off changes nothing", async () => {
  await using admin = await startTestAdmin();
  const conn = await connectTo(admin.address);
  const length = "Content-Length: 100\r\nContent-Type: application/json\r\n";
  await writeAll(
    conn,
    bytes(`PUT ${WEIGHT.path} HTTP/1.1\r\nHost: ${admin.address}\r\n${length}\r\n{"weight":1}`),
  );
  conn.close();
  assert.equal((await admin.ask({ path: "/healthz" })).status, 200);
  assert.ok(!admin.operations.isTouched);
});
