// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** A configuration in an etcd that knows its users, and shows a certificate. */

import assert from "node:assert/strict";
import { parseEtcdUrl } from "../../lib/config/etcd_url.ts";
import { etcdOptionsOf, readStoredText } from "../../lib/control/stored_config.ts";
import { etcdAgreement } from "../../lib/fleet/agreement.ts";
import { canariesOf, keysBeside } from "../../lib/fleet/trial.ts";
import type { Values } from "../../lib/discovery/etcd_keys.ts";
import { until } from "../support/balancer.ts";
import { makeCertificate } from "../support/certificates.ts";
import { ETCD, Etcd } from "../support/etcd.ts";
import { findProgram, skipWithout } from "../support/packages.ts";

const { ignore, why } = skipWithout(ETCD, await findProgram("openssl", "openssl"));
const PATH = "/sockbal/balancer.yaml";

Deno.test({
  name:
    `a user with no more rights than the document says reads it by TLS, and takes part in a rollout${why}`,
  ignore,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const ca = await makeCertificate(folder, "authority", { isAuthority: true });
    const server = await makeCertificate(folder, "server", { names: ["IP:127.0.0.1"], issuer: ca });
    {
      await using etcd = new Etcd(["--cert-file", server.cert, "--key-file", server.key], "https");
      await etcd.start();
      const call = (method: string, body: unknown): Promise<unknown> =>
        etcd.call(method, body, { ca: ca.cert });
      await call("kv/put", { key: btoa(PATH), value: btoa("a") });
      await call("auth/role/add", { name: "balancer" });
      for (const [permType, key] of [["READ", PATH], ["READWRITE", `${PATH}.`]] as const) {
        const end = key.slice(0, -1) + String.fromCharCode(key.charCodeAt(key.length - 1) + 1);
        await call("auth/role/grant", {
          name: "balancer",
          perm: { permType, key: btoa(key), range_end: btoa(end) },
        });
      }
      for (const user of ["root", "balancer"]) {
        await call("auth/user/add", { name: user, password: "secret" });
        if (user === "root") await call("auth/role/add", { name: user });
        await call("auth/user/grant", { user, role: user });
      }
      await call("auth/enable", {});
      await Deno.writeTextFile(`${folder}/password`, "secret\n");

      const where = `127.0.0.1:${etcd.port}${PATH}`;
      const url = parseEtcdUrl(`etcds://balancer@${where}?password_file=${folder}/password&ca=${ca.cert}`);
      const stop = new AbortController();
      assert.equal(await readStoredText(url, stop.signal), "a");
      await assert.rejects(
        readStoredText(parseEtcdUrl(`etcds://${where}?ca=${ca.cert}`), stop.signal),
        /^RunError: etcds:\S+balancer\.yaml: cannot be read: https:\S+ refuses: .*user name is empty/,
      );

      const agreement = etcdAgreement({ ...etcdOptionsOf(url), path: url.path });
      let seen: Values = new Map();
      const following = agreement.follow(
        (values) => seen = values,
        (trouble) => assert.fail(trouble),
        stop.signal,
      );
      await until(() => seen.has(PATH), "it is seen");
      const revision = seen.get(PATH)?.revision ?? "";
      await agreement.enter(revision, { slot: 1, name: "lb1", id: "1" }, [], stop.signal);
      await until(() => canariesOf(seen, PATH, revision).length === 1, "it is a canary");
      const [canary] = canariesOf(seen, PATH, revision);
      assert.ok(canary !== undefined);
      await agreement.tell(revision, canary, "passed", stop.signal);
      await agreement.keepPassed(revision, "a", stop.signal);
      await until(() => seen.has(keysBeside(PATH).passed), "it is kept");
      stop.abort();
      await following;
    }
    await Deno.remove(folder, { recursive: true });
  },
});
