import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse.ts";
import { configDigest } from "../../lib/control/config_digest.ts";
import { MINIMAL } from "../config/faults.ts";

Deno.test("two balancers whose names and admin sides alone are others have one digest", () => {
  const digest = (text: string): string => configDigest(parseConfig(text, "f"));
  const as = (name: string, rest = ""): string => {
    return `${MINIMAL}fleet: { etcd: { endpoints: ["http://10.0.0.5:2379"], prefix: /lb/ }, name: ${name}, advertise: 10.0.0.2:9901 }\nadmin: { listen: "127.0.0.1:${name.length}" }\n${rest}`;
  };
  assert.match(digest(as("lb1")), /^[0-9a-f]{16}$/);
  assert.equal(digest(as("lb1")), digest(as("other")));
  assert.notEqual(digest(as("lb1")), digest(as("lb1", "shutdown_timeout: 31s\n")));
  assert.notEqual(digest(as("lb1")), digest(as("lb1").replace("8001", "8002")));
});
