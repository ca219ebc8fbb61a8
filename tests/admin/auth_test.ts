// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { parseListenAddress } from "../../lib/core/address.ts";
import { startAdmin } from "../../lib/admin/server.ts";
import { memoryLog } from "../support/memory_log.ts";
import { FakeOperations } from "./fake_operations.ts";
import { type Asking, basic, bearer } from "./http_client.ts";
import { json, startTestAdmin } from "./test_admin.ts";

const TOKEN = "s3cret-Token";
const RELOAD = { method: "POST", path: "/api/reload" };

Deno.test("the token opens everything, as a Bearer or as the password of any user", async () => {
  await using admin = await startTestAdmin({ token: TOKEN });
  const shown = [bearer(TOKEN), basic("", TOKEN), basic("admin", TOKEN), basic("ü", TOKEN)];
  for (const header of [...shown, ["authorization", `bEARER   ${TOKEN}`] as const]) {
    assert.equal((await admin.ask({ headers: [header] })).status, 200);
    assert.equal((await admin.ask({ ...RELOAD, headers: [header] })).status, 200);
  }
});

Deno.test("a token may have colons and letters of any script", async () => {
  for (const token of ["a:b:c", "pässwörd-鍵", "with space, and comma"]) {
    await using admin = await startTestAdmin({ token });
    const utf8 = String.fromCharCode(...new TextEncoder().encode(token));
    for (const header of [bearer(utf8), basic("x", token)]) {
      assert.equal((await admin.ask({ headers: [header] })).status, 200, token);
    }
  }
});

const WRONG: Record<string, Asking["headers"]> = {
  "none": [],
  "an empty header": [["Authorization", ""]],
  "an empty Bearer": [["Authorization", "Bearer "]],
  "no scheme": [["Authorization", TOKEN]],
  "another scheme": [["Authorization", `Token ${TOKEN}`]],
  "Digest": [["Authorization", `Digest username="x", response="${TOKEN}"`]],
  "no space": [["Authorization", `Bearer${TOKEN}`]],
  "a tab for the space": [["Authorization", `Bearer\t${TOKEN}`]],
  "a prefix": [bearer(TOKEN.slice(0, -1))],
  "a longer one": [bearer(TOKEN + "x")],
  "another case": [bearer(TOKEN.toUpperCase())],
  "quotes": [bearer(`"${TOKEN}"`)],
  "two words": [bearer(`${TOKEN} ${TOKEN}`)],
  "two headers": [bearer(TOKEN), bearer(TOKEN)],
  "a wrong header before the right one": [bearer("x"), bearer(TOKEN)],
  "a right header before a wrong one": [bearer(TOKEN), basic("x", "y")],
  "Basic, wrong password": [basic("admin", "wrong")],
  "Basic, no password": [basic("admin", "")],
  "Basic, token as user": [basic(TOKEN, "")],
  "Basic, no colon": [["Authorization", `Basic ${btoa(TOKEN)}`]],
  "Basic, no Base64": [["Authorization", `Basic :${TOKEN}!`]],
  "Basic, token as it stands": [["Authorization", `Basic ${TOKEN}`]],
  "Basic, as a Bearer": [["Authorization", `Bearer ${btoa(`x:${TOKEN}`)}`]],
  "letters that are not ASCII": [bearer(`${TOKEN}\xfc\xff`)],
  "a huge one": [bearer(TOKEN.repeat(400))],
  "in the query": [["X-Token", TOKEN], ["Cookie", `token=${TOKEN}`]],
};

for (const [name, headers] of Object.entries(WRONG)) {
  Deno.test(`a token that is wrong is 401: ${name}`, async () => {
    await using admin = await startTestAdmin({ token: TOKEN });
    for (const asking of [{}, RELOAD, { path: "/metrics" }, { path: "/nope" }, { method: "OPTIONS" }]) {
      const answer = await admin.ask({ ...asking, headers: headers ?? [] });
      assert.equal(answer.status, 401);
      assert.equal(answer.headers.get("content-type"), "application/problem+json");
      assert.equal(json(answer).title, "Unauthorized");
      // A header each: browsers do not look for a second challenge in one.
      const challenges = answer.head.split("\r\n").filter((line) => /^www-authenticate:/i.test(line));
      assert.deepEqual(challenges.map((line) => line.replace(/^[^:]*: /, "")), [
        'Basic realm="sockbal", charset="UTF-8"',
        'Bearer realm="sockbal"',
      ]);
    }
    assert.ok(!admin.operations.isTouched);
  });
}

Deno.test("health and readiness need no token, and the token in the query opens nothing", async () => {
  await using admin = await startTestAdmin({ token: TOKEN });
  assert.equal((await admin.ask({ path: "/healthz" })).status, 200);
  assert.equal((await admin.ask({ path: "/readyz", headers: [bearer("wrong")] })).status, 200);
  for (
    const path of [`/?token=${TOKEN}`, "/healthz/", "//healthz", "/healthz/../", "/%68ealthz", "/HEALTHZ"]
  ) {
    assert.equal((await admin.ask({ path })).status, 401, path);
  }
});

Deno.test("without a token nothing is asked for", async () => {
  await using admin = await startTestAdmin();
  for (const headers of [[], [bearer("anything")]]) {
    assert.equal((await admin.ask({ ...RELOAD, headers })).status, 200);
  }
});

Deno.test("an empty token is refused at the start", async () => {
  const listen = parseListenAddress("127.0.0.1:0");
  const options = { listen, operations: new FakeOperations(), page: () => "", log: memoryLog().log };
  await assert.rejects(startAdmin({ ...options, token: "" }), RangeError);
});
