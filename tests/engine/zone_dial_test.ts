import assert from "node:assert/strict";
import type { Address } from "../../lib/core/address.ts";
import { type Libc, openLibc } from "../../lib/engine/epoll/libc.ts";
import { makeRigged } from "../support/engine_rig.ts";

/** Where struct sockaddr_in6 has the interface. */
const ZONE_AT_BYTE = 24;

Deno.test("a backend is dialled at its interface though there was none at first", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  const real = openLibc();
  let isMissing = true;
  const zones: (number | undefined)[] = [];
  const libc: Libc = {
    ...real,
    ioctl: (...args) => isMissing ? -1 : real.ioctl(...args),
    connect: (...args) => {
      zones.push((args[1] as Uint8Array)[ZONE_AT_BYTE]);
      return real.connect(...args);
    },
  };
  const rigged = makeRigged("epoll", libc);
  const address: Address = { transport: "tcp", host: "fe80::1%lo", port: 1 };
  for (isMissing of [true, false]) {
    const fail = (): void => assert.fail();
    rigged.engine.dial([address], { connected: fail, dialFailed: () => {}, fault: fail })();
  }
  assert.equal(zones[0], 0);
  assert.notEqual(zones[1], 0);
  await rigged.close();
});
