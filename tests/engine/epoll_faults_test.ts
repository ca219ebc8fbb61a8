// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Every call of the system may fail, at any time, in every way that its manual tells. */

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import { Descriptors } from "../../lib/engine/epoll/descriptors.ts";
import { type Libc, openLibc } from "../../lib/engine/epoll/libc.ts";
import { EPOLL_CTL_ADD } from "../../lib/engine/epoll/linux.ts";
import { startBackend } from "../support/backend.ts";
import { pattern, readExactly, same } from "../support/bytes.ts";
import { startRig } from "../support/engine_rig.ts";

const ERRNO = {
  ENOENT: 2,
  EINTR: 4,
  EAGAIN: 11,
  ENOMEM: 12,
  ENFILE: 23,
  EMFILE: 24,
  ENOSPC: 28,
  EPIPE: 32,
  EPROTO: 71,
  EADDRNOTAVAIL: 99,
  ENETUNREACH: 101,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ENOBUFS: 105,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EHOSTUNREACH: 113,
};
type Errno = keyof typeof ERRNO;
type Call = Exclude<keyof Libc, "errno" | "path" | "unload">;

/** The errors of each call that a session makes; those in `mild` cost no session. */
const CASES: readonly {
  readonly call: Call;
  readonly mild: readonly Errno[];
  readonly hard: readonly Errno[];
}[] = [
  { call: "epoll_wait", mild: ["EINTR"], hard: [] },
  {
    call: "accept4",
    mild: ["EINTR", "EAGAIN", "ECONNABORTED", "EPROTO", "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"],
    hard: [],
  },
  { call: "socket", mild: [], hard: ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"] },
  {
    call: "connect",
    mild: [],
    hard: ["EADDRNOTAVAIL", "ECONNREFUSED", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"],
  },
  { call: "recv", mild: ["EINTR"], hard: ["ECONNRESET", "ETIMEDOUT", "EHOSTUNREACH"] },
  {
    call: "send",
    mild: ["EINTR", "ENOBUFS", "ENOMEM"],
    hard: ["EPIPE", "ECONNRESET", "ETIMEDOUT", "EHOSTUNREACH"],
  },
  { call: "epoll_ctl", mild: [], hard: ["ENOMEM", "ENOSPC"] },
  { call: "setsockopt", mild: ["ENOMEM"], hard: [] },
  { call: "shutdown", mild: [], hard: ["ENOTCONN"] },
];

/** The C library, with one call that fails every so often while `isOn`. */
function failing(
  call: Call,
  errno: number,
  often: number,
): { readonly libc: Libc; isOn: boolean; failed: number } {
  const real = openLibc();
  let hasFailed = false;
  let calls = 0;
  const faulty = {
    isOn: false,
    failed: 0,
    libc: {
      ...real,
      errno: (): number => hasFailed ? errno : real.errno(),
      [call]: (...args: never[]): number => {
        hasFailed = faulty.isOn && ++calls % often === 0;
        if (hasFailed) faulty.failed++;
        return hasFailed ? -1 : (real[call] as (...args: never[]) => number)(...args);
      },
    } as Libc,
  };
  // What another call says is its own.
  for (const other of Object.keys(real) as Call[]) {
    const { [other]: it } = faulty.libc;
    if (other === call || typeof it !== "function" || ["errno", "unload"].includes(other)) continue;
    Object.assign(faulty.libc, {
      [other]: (...args: never[]) => {
        hasFailed = false;
        return (it as (...args: never[]) => unknown)(...args);
      },
    });
  }
  return faulty;
}

/** Whether the session was served as it should be; it may be refused, cut or ended, but never wrong. */
async function exchange(port: number, seed: number): Promise<boolean> {
  const data = pattern(20_000, seed);
  try {
    using client = await Deno.connect({ hostname: "127.0.0.1", port });
    for (let i = 0; i < 3; i++) {
      await writeAll(client, data);
      const echoed = await readExactly(client, data.length);
      assert.ok(same(echoed, data), "other bytes came back");
    }
    await client.closeWrite();
    return await client.read(new Uint8Array(1)) === null;
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    return false;
  }
}

for (const { call, mild, hard } of CASES) {
  for (const name of [...mild, ...hard]) {
    const isMild = mild.includes(name);
    const sentence = isMild ? "no session is lost" : "sessions end, others go on, and nothing is left open";
    Deno.test(`when ${call} fails with ${name}, ${sentence}`, async () => {
      const backend = startBackend(async (conn) => {
        const buffer = new Uint8Array(65_536);
        for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
          await writeAll(conn, buffer.subarray(0, n));
        }
      });
      const faulty = failing(call, ERRNO[name], 5);
      {
        await using rig = await startRig("epoll", backend, { libc: faulty.libc });
        faulty.isOn = true;
        const served = await Promise.all(Array.from({ length: 12 }, (_, i) => exchange(rig.port, i + 1)));
        assert.ok(faulty.failed > 0, "it has not failed");
        if (isMild) assert.ok(served.every((it) => it), `served: ${served}`);
        faulty.isOn = false;
        assert.ok(await exchange(rig.port, 99), "it does not work afterwards");
      }
      await backend.stop();
    });
  }
}

Deno.test("a listener that cannot be watched again after a pause is tried again", async () => {
  const backend = startBackend((conn) => writeAll(conn, pattern(10)));
  const real = openLibc();
  /** What fails next: accepting, then watching the listener again. */
  let failing: "accept4" | "epoll_ctl" | undefined;
  let errno = 0;
  const failOnce = (call: typeof failing, then: typeof failing, number: number): number => {
    assert.equal(call, failing);
    [failing, errno] = [then, number];
    return -1;
  };
  const libc: Libc = {
    ...real,
    errno: () => {
      const number = errno === 0 ? real.errno() : errno;
      errno = 0;
      return number;
    },
    accept4: (...args) =>
      failing === "accept4" ? failOnce("accept4", "epoll_ctl", ERRNO.EMFILE) : real.accept4(...args),
    epoll_ctl: (...args) => {
      const isAdding = args[1] === EPOLL_CTL_ADD;
      return failing === "epoll_ctl" && isAdding
        ? failOnce("epoll_ctl", undefined, ERRNO.ENOSPC)
        : real.epoll_ctl(...args);
    },
  };
  {
    await using rig = await startRig("epoll", backend, { libc });
    failing = "accept4";
    using client = await Deno.connect({ hostname: "127.0.0.1", port: rig.port });
    assert.ok(same(await readExactly(client, 10), pattern(10)));
    assert.equal(failing, undefined);
  }
  await backend.stop();
});

Deno.test("a descriptor is closed once, or it is a fault", () => {
  const descriptors = new Descriptors(new SharedArrayBuffer(64));
  descriptors.opened(7);
  descriptors.closing(7);
  assert.throws(() => descriptors.closing(7), /Cannot close descriptor 7/);
});
