/** Where a configuration is in etcd, as the command line says it. */

import assert from "node:assert/strict";
import { resolve } from "node:path";
import { isEtcdUrl, parseEtcdUrl } from "../../lib/config/etcd_url.ts";
import { InputError } from "../../lib/core/errors.ts";

Deno.test("servers, key and settings are read, and messages say neither user nor settings", () => {
  assert.deepEqual(
    parseEtcdUrl("etcds://reader@10.0.0.5,[::1]:2380/a/b%3F.yaml?password_file=p&ca=/ca.pem&cert=c&key=k"),
    {
      name: "etcds://10.0.0.5:2379,[::1]:2380/a/b%3F.yaml",
      endpoints: ["https://10.0.0.5:2379", "https://[::1]:2380"],
      servers: ["10.0.0.5:2379", "[::1]:2380"],
      path: "/a/b?.yaml",
      user: "reader",
      passwordFile: resolve("p"),
      ca: "/ca.pem",
      cert: resolve("c"),
      key: resolve("k"),
    },
  );
  const plain = parseEtcdUrl("etcd://etcd.internal:1/x@y");
  assert.deepEqual([plain.endpoints, plain.path, plain.user], [
    ["http://etcd.internal:1"],
    "/x@y",
    undefined,
  ]);
  assert.deepEqual(["etcd://h/k", "etcds://h/k", "etcd.yaml", "./etcd://x"].map(isEtcdUrl), [
    true,
    true,
    false,
    false,
  ]);
});

Deno.test("what is wrong is one sentence that says what to write", () => {
  const cases: [url: string, why: RegExp][] = [
    ["etcd://h:2379", /there is no key in it; write it as etcd:\/\//],
    ["etcd://h:2379/", /there is no key in it/],
    ["etcd:///k", /there is no server in it/],
    ["etcd://a,,b/k", /there is no server in it/],
    ["etcd://h:0/k", /"h:0" is not the address of a server/],
    ["etcd://h/k?password=secret", /"password" is not known; use password_file, /],
    ["etcd://h/k?pasword_file=x", /"pasword_file" is not known; did you mean password_file\?/],
    ["etcd://h/k?zzz=x", /"zzz" is not known; use password_file, ca, cert, key/],
    ["etcd://h/k?ca=x", /ca belongs to TLS; write etcds:\/\//],
    ["etcds://h/k?cert=x", /cert needs \?key=FILE/],
    ["etcds://h/k?ca=", /ca is empty/],
    ["etcd://u@h/k", /user needs \?password_file=FILE/],
    ["etcd://h/k?password_file=x", /password_file needs the name of a user/],
    ["etcd://h/k%", /write it as %25/],
  ];
  for (const [url, why] of cases) {
    const fault = faultOf(url);
    assert.match(fault, why);
    // Without the settings, in which a secret may stand.
    assert.ok(fault.startsWith(`--config ${url.replace(/\?.*/, "")}: `), fault);
    assert.doesNotMatch(fault, /secret/);
  }
});

Deno.test("a password is refused, and not repeated", () => {
  for (
    const url of ["etcd://u:secret@h/k", "etcd://u:sec/ret@h/k", "etcd://u:1secret@h:1/k", "etcd://u:@h/k"]
  ) {
    assert.match(faultOf(url), /^--config: a password is seen by every user .*\?password_file=FILE$/);
  }
});

function faultOf(url: string): string {
  try {
    parseEtcdUrl(url);
  } catch (error) {
    assert.ok(error instanceof InputError, String(error));
    return error.message;
  }
  return assert.fail(`${url} was read`);
}
