// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Every call that moves datagrams may fail, at any time, in every way that its manual tells. */

import assert from "node:assert/strict";
import { type Libc, openLibc } from "../../lib/engine/epoll/libc.ts";
import { until } from "../support/balancer.ts";
import { startFlowRig } from "../support/flow_rig.ts";
import { startUdpEcho, UdpPeer } from "../support/udp.ts";

const ERRNO = {
  EPERM: 1,
  EINTR: 4,
  EAGAIN: 11,
  ENOMEM: 12,
  EINVAL: 22,
  EMFILE: 24,
  ENOSPC: 28,
  EMSGSIZE: 90,
};
const UNREACHABLE = {
  EADDRNOTAVAIL: 99,
  ENETUNREACH: 101,
  ENOBUFS: 105,
  ECONNREFUSED: 111,
  EHOSTUNREACH: 113,
};
const ALL = { ...ERRNO, ...UNREACHABLE };
type Call = Exclude<keyof Libc, "errno" | "path" | "unload" | "addressOf">;

const CASES: readonly { readonly call: Call; readonly errors: readonly (keyof typeof ALL)[] }[] = [
  {
    call: "recvmmsg",
    errors: ["EINTR", "EAGAIN", "ENOMEM", "ENOBUFS", "ECONNREFUSED", "EHOSTUNREACH", "EMSGSIZE"],
  },
  { call: "sendmmsg", errors: ["EINTR", "EAGAIN", "ENOBUFS", "EPERM", "EMSGSIZE", "ENETUNREACH", "EINVAL"] },
  {
    call: "send",
    errors: ["EINTR", "EAGAIN", "ENOBUFS", "EPERM", "EMSGSIZE", "ECONNREFUSED", "EHOSTUNREACH"],
  },
  { call: "socket", errors: ["EMFILE", "ENOBUFS"] },
  { call: "connect", errors: ["EAGAIN", "EADDRNOTAVAIL", "ENETUNREACH"] },
  { call: "epoll_ctl", errors: ["ENOMEM", "ENOSPC"] },
];

/** The C library, with one call that fails every so often while `isOn`. */
function failing(call: Call, errno: number): { readonly libc: Libc; isOn: boolean; failed: number } {
  const real = openLibc();
  let hasFailed = false;
  let calls = 0;
  const faulty = {
    isOn: false,
    failed: 0,
    libc: {
      ...real,
      errno: (): number => hasFailed ? errno : real.errno(),
      [call]: (...args: unknown[]): unknown => {
        hasFailed = faulty.isOn && ++calls % 3 === 0;
        if (hasFailed) faulty.failed++;
        return hasFailed ? -1 : (real[call] as (...all: unknown[]) => unknown)(...args);
      },
    } as Libc,
  };
  // Any other call that fails tells the truth.
  for (const [name, it] of Object.entries(real)) {
    if (name === call || typeof it !== "function" || ["errno", "unload", "addressOf"].includes(name)) {
      continue;
    }
    (faulty.libc as unknown as Record<string, unknown>)[name] = (...args: unknown[]): unknown => {
      hasFailed = false;
      return (it as (...all: unknown[]) => unknown)(...args);
    };
  }
  return faulty;
}

for (const { call, errors } of CASES) {
  for (const code of errors) {
    Deno.test({
      name: `when ${call} fails with ${code}, datagrams may be lost, others go on, and nothing is left open`,
      ignore: Deno.build.os !== "linux",
      fn: async () => {
        using backend = startUdpEcho();
        const faulty = failing(call, ALL[code]);
        await using rig = await startFlowRig("epoll", backend.address, { libc: faulty.libc });
        faulty.isOn = true;
        const clients = Array.from({ length: 8 }, () => new UdpPeer());
        for (let round = 0; round < 100 && faulty.failed < 4; round++) {
          // Bursts as well as single ones: they go by different calls.
          for (const [i, client] of clients.entries()) {
            await Promise.all(Array.from({ length: 1 + i % 3 }, () => client.send(`${round}`, rig)));
          }
          if (round % 4 === 0) { for (const session of rig.sessions) if (!session.isOver) session.end(); }
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
        assert.ok(faulty.failed >= 4, `it failed ${faulty.failed} times`);
        faulty.isOn = false;
        if (/^send/.test(call) && ["EAGAIN", "ENOBUFS", "EMSGSIZE"].includes(code)) {
          const dropped = rig.sessions.reduce((sum, { client }) => sum + (client.dropped ?? 0), 0);
          assert.ok(dropped > 0, "what was dropped is counted");
        }
        for (const client of clients) {
          let isAnswered = false;
          // What was under way when it failed may still end a flow.
          for (let tried = 0; tried < 50 && !isAnswered; tried++) {
            await client.send("well again", rig);
            await new Promise((resolve) => setTimeout(resolve, 2 + tried));
            isAnswered = client.received.some(({ bytes }) => bytes.length === 10);
          }
          assert.ok(isAnswered, "it is served again");
          client[Symbol.dispose]();
        }
        assert.deepEqual(rig.sessions.flatMap(({ told }) => told.filter((it) => it.startsWith("fault"))), []);
      },
    });
  }
}

for (const call of ["send", "sendmmsg"] as const) {
  for (const code of ["ECONNREFUSED", "ENETUNREACH", "EHOSTUNREACH", "EPERM"] as const) {
    Deno.test({
      name:
        `when ${call} fails with ${code}, the backend is gone: the next datagram could not be sent either`,
      ignore: Deno.build.os !== "linux",
      fn: async () => {
        // One that answers would have sendmmsg fail for an answer.
        using backend = new UdpPeer();
        const faulty = failing(call, ALL[code]);
        await using rig = await startFlowRig("epoll", backend.address, { libc: faulty.libc });
        using client = new UdpPeer();
        await client.send("begin", rig);
        const session = await rig.session(0);
        await backend.next();
        faulty.isOn = true;
        const isGone = (): boolean => session.told.includes("backend gone");
        for (let round = 0; round < 100 && !isGone(); round++) {
          await Promise.all(Array.from({ length: call === "send" ? 1 : 3 }, () => client.send("on", rig)));
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
        faulty.isOn = false;
        assert.deepEqual(session.told, ["backend gone", "finished"]);
        // What comes next is another flow's.
        await client.send("again", rig);
        await until(() => backend.received.some(({ bytes }) => bytes.length === 5), "it is passed on");
      },
    });
  }
}
