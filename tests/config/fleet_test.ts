import assert from "node:assert/strict";
import { placeText } from "../../lib/config/read.ts";
import { configFolder } from "./config_folder.ts";
import { faultsOf, withRootLine } from "./faults.ts";

const ETCD = 'etcd: { endpoints: ["http://10.0.0.5:2379"], prefix: /lb/ }';
const ADVERTISE = "advertise: 10.0.0.2:9901";

Deno.test("a fleet needs an etcd, a name and an address, and says what is wrong with them", () => {
  const withEtcd = (etcd: string): string => `{ etcd: { ${etcd} }, name: lb1, ${ADVERTISE} }`;
  for (
    const [written, place, part] of [
      [`{ name: lb1, ${ADVERTISE} }`, "etcd", "missing; etcd is a map of endpoints, prefix, user, …"],
      [`{ ${ETCD}, name: lb1 }`, "advertise", "missing; write host:port"],
      [`{ ${ETCD}, ${ADVERTISE} }`, "name", "missing; use letters"],
      [`{ ${ETCD}, name: "l b", ${ADVERTISE} }`, "name", '"l b" is not a name'],
      [`{ ${ETCD}, name: lb1, advertise: "unix:/a.sock" }`, "advertise", "a Unix socket cannot be reached"],
      [`{ ${ETCD}, name: lb1, ${ADVERTISE}, lease: 3s }`, "lease", 'unknown key "lease"'],
      [`{ ${ETCD}, name: lb1, ${ADVERTISE}, rollout: { canary: 0 } }`, "rollout.canary", "write 1 to 1000"],
      [`{ ${ETCD}, name: lb1, ${ADVERTISE}, rollout: { wait: 1ms } }`, "rollout.wait", "at least 1s"],
      [withEtcd("endpoints: [], prefix: /lb/"), "etcd.endpoints", "empty; list at least one server"],
      [withEtcd('endpoints: ["http://a:1"]'), "etcd.prefix", "as /sockbal/fleet/"],
      [
        withEtcd('endpoints: ["http://a:1"], prefix: /lb/, user: u'),
        "etcd.password_file",
        "missing; user needs password_file",
      ],
    ] as const
  ) {
    const faults = faultsOf(withRootLine(`fleet: ${written}`));
    assert.equal(faults.length, 1, faults.join("\n"));
    const [, at = "", said = ""] = /^8:\d+ fleet\.(\S+): (.*)$/.exec(faults[0] ?? "") ?? [];
    assert.equal(at, place, faults[0]);
    assert.ok(said.includes(part), faults[0]);
  }
});

Deno.test("rollout has defaults, and a note where the configuration is not in etcd", async () => {
  const text = withRootLine(`fleet: { ${ETCD}, name: lb1, ${ADVERTISE}, rollout: {} }`);
  const { config } = await placeText("etcd://a/b", text);
  assert.deepEqual([config.fleet?.rollout, config.notes], [{ canary: 1, waitMs: 30_000 }, []]);
  await using folder = await configFolder({ "balancer.yaml": text });
  const notes = (await folder.read("balancer.yaml")).config.notes;
  assert.match(notes.join("\n"), /:8:\d+ fleet\.rollout: note: it is about a configuration in etcd/);
});
