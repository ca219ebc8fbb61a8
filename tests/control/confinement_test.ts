import assert from "node:assert/strict";
import { checkConfinement, confinementFields, reachOf } from "../../lib/control/confinement.ts";
import type { Address } from "../../lib/core/address.ts";
import { RunError } from "../../lib/core/errors.ts";
import { parseSubnet } from "../../lib/core/subnet.ts";
import type { Confinement } from "../../lib/engine/confinement.ts";
import { confine, type ConfineCalls } from "../../lib/engine/epoll/confine/confine.ts";
import { startTestBalancer } from "../support/balancer.ts";

const WHOLE: Confinement = { by: ["landlock", "seccomp"], missing: undefined };

function tcp(port: number): Address {
  return { transport: "tcp", host: "127.0.0.1", port };
}

Deno.test("workers reach the ports of their backends and subnets, not those of their listeners", () => {
  const listens = [tcp(1)];
  const unix: Address = { transport: "unix", path: "/run/a.sock" };
  assert.deepEqual(reachOf({ listens, dials: [tcp(2), tcp(3), tcp(2)], subnets: [] }), {
    hasDatagrams: false,
    ports: [2, 3],
    mayDialUnix: false,
    mayBind: false,
  });
  const subnets = [parseSubnet("10.0.0.0/8:80")];
  assert.deepEqual(reachOf({ listens: [unix], dials: [tcp(2)], subnets }).ports, [2, 80]);
  assert.equal(reachOf({ listens: [unix], dials: [tcp(2)], subnets }).mayDialUnix, false);
  assert.equal(reachOf({ listens, dials: [unix], subnets }).mayDialUnix, true);
  const udp: Address = { transport: "udp", host: "127.0.0.1", port: 4 };
  // There is no way to forbid the other ports of UDP, and none to reach those of TCP.
  assert.deepEqual(reachOf({ listens: [udp], dials: [udp], subnets: [] }), {
    hasDatagrams: true,
    ports: [],
    mayDialUnix: false,
    mayBind: false,
  });
  const anyPort = [...subnets, parseSubnet("10.0.0.0/8")];
  assert.equal(reachOf({ listens, dials: [tcp(2)], subnets: anyPort }).ports, "any");
});

Deno.test("what is said is what holds for every worker, and why it is no more", () => {
  const partly: Confinement = { by: ["seccomp"], missing: "landlock: this kernel does not have it" };
  const none: Confinement = { by: [], missing: "no_new_privs: operation not permitted" };
  assert.deepEqual(confinementFields([WHOLE, WHOLE]), { confined: "landlock,seccomp" });
  assert.deepEqual(confinementFields([WHOLE, partly]), {
    confined: "seccomp",
    not_confined_by: partly.missing,
  });
  assert.deepEqual(confinementFields([none]), { confined: "none", not_confined_by: none.missing });
});

/** A C library on a kernel that knows a version of Landlock, and perhaps no filters. */
function kernel({ abi, hasSeccomp }: { abi: number; hasSeccomp: boolean }): ConfineCalls {
  return {
    prctl: () => 0,
    prctl_buffer: () => hasSeccomp ? 0 : -1,
    landlock_create_ruleset: (_, attributes) => attributes === null ? (abi === 0 ? -1 : abi) : 9,
    landlock_add_rule: () => 0,
    landlock_restrict_self: () => 0,
    addressOf: () => 0n,
    close: () => 0,
    errno: () => 38,
  };
}

Deno.test("a thread is confined as far as the kernel can, and says what is missing", () => {
  const on = (abi: number, hasSeccomp: boolean): Confinement => {
    return confine(kernel({ abi, hasSeccomp }), {
      hasDatagrams: false,
      ports: [80],
      mayDialUnix: false,
      mayBind: false,
    });
  };
  assert.deepEqual(on(7, true), WHOLE);
  assert.deepEqual(on(3, true), {
    by: ["landlock_files", "seccomp"],
    missing: "landlock: version 3 of this kernel knows no ports",
  });
  assert.deepEqual(on(0, true), { by: ["seccomp"], missing: "landlock: this kernel does not have it" });
  assert.deepEqual(on(0, false), {
    by: [],
    missing: "landlock: this kernel does not have it, seccomp: this kernel does not have it",
  });
});

Deno.test("confinement by the kernel cannot be required of the engine runtime", async () => {
  checkConfinement("epoll", "required");
  checkConfinement("runtime", "best_effort");
  assert.throws(() => checkConfinement("runtime", "required"), RunError);
  await assert.rejects(
    startTestBalancer({ backends: ["127.0.0.1:1"], engine: "runtime", confinement: "required" }),
    {
      name: "RunError",
      message: /^cannot confine the workers .*: only the engine epoll is confined by the kernel/,
    },
  );
});

Deno.test({
  name: "a balancer does not start where the kernel lacks a part that is required, and says so",
  ignore: Deno.build.os !== "linux",
  // What a worker leaves open is closed a second after its end.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const options = {
      backends: ["127.0.0.1:1"],
      engine: "epoll",
      workers: 1,
      workerEntry: import.meta.resolve("../support/workers/unconfinable_worker.ts"),
    } as const;
    await assert.rejects(startTestBalancer({ ...options, confinement: "required" }), {
      name: "RunError",
      message: "cannot confine a worker as the configuration requires: seccomp: this kernel does not have it",
    });
    await using balancer = await startTestBalancer(options);
    const { fields } = await balancer.log.waitFor("ready");
    assert.deepEqual(fields, {
      workers: 1,
      engine: "epoll",
      confined: "landlock",
      not_confined_by: "seccomp: this kernel does not have it",
    });
  },
});
