// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import type { Confinement, Reach } from "../../lib/engine/confinement.ts";
import { writeAll } from "../../lib/core/connection.ts";
import { startBackend, type TestBackend } from "../support/backend.ts";
import { startTestBalancer } from "../support/balancer.ts";
import { ask, bytes, readAll, text } from "../support/bytes.ts";
import { startUdpEcho, UdpPeer } from "../support/udp.ts";
import type { Order } from "../support/workers/self_confining_worker.ts";

const ignore = Deno.build.os !== "linux";

/** What a worker leaves open is closed a second after its end. */
const LATE_TIMER = { sanitizeOps: false, sanitizeResources: false };

function echoBackend(): TestBackend {
  return startBackend(async (conn) => {
    await writeAll(conn, await readAll(conn));
  });
}

/** All that {@linkcode prepareAttempts} tries and that is refused whole. */
const REFUSED_BY_SECCOMP = [
  ...[
    "open",
    "openat",
    "unlink",
    "execv",
    "kill",
    "mount",
    "openat2",
    "fork",
    "execveat",
    "unshare",
    "setns",
  ],
  ...["ptrace", "process_vm_readv", "pidfd_open", "bpf", "io_uring_setup", "keyctl", "memfd_create"],
  ...["send to another port", "bind", "listen", "datagram socket", "raw socket", "MPTCP socket"],
  ...["Unix socket", "netlink socket", "packet socket"],
  ...["IPv6 datagram socket", "datagrams to another port", "bind for datagrams"],
  ...["UDP-Lite socket", "ping socket", "Unix datagram socket"],
];

/** What of that a worker for datagrams may do. Landlock knows no ports of UDP, so that it can send to any. */
const ALLOWED_WITH_DATAGRAMS = ["datagram socket", "IPv6 datagram socket", "datagrams to another port"];

function outcomes(names: readonly string[], outcome: string): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, outcome]));
}

Deno.test({
  name:
    "the kernel refuses a worker every file, program, process, port and kind of socket that it does not need",
  ignore,
  ...LATE_TIMER,
  fn: async () => {
    const backend = echoBackend();
    await using balancer = await startTestBalancer({
      backends: [backend.address],
      engine: "epoll",
      workers: 1,
      workerEntry: import.meta.resolve("../support/workers/grabby_worker.ts"),
    });
    const { fields } = await balancer.log.waitFor("attempted");
    assert.deepEqual(fields, {
      ...outcomes(REFUSED_BY_SECCOMP, "EPERM"),
      "connect to a backend": "allowed",
      // Landlock knows ports, not addresses. No one listens there.
      "connect to the port of a backend elsewhere": "ECONNREFUSED",
      "connect to another port": "EACCES",
      "IPv6 socket": "allowed",
    });
    assert.equal(text(await ask(balancer.port, bytes("and it works"))), "and it works");
    const ready = await balancer.log.waitFor("ready");
    assert.equal(ready.fields.confined, "landlock,seccomp");
    // This thread has given up nothing.
    assert.ok((await Deno.readTextFile("/etc/passwd")).length > 0);
    await backend.stop();
  },
});

Deno.test({
  name: "the kernel refuses a worker for datagrams all but sockets for UDP, on no port of its choice",
  ignore,
  ...LATE_TIMER,
  fn: async () => {
    using backend = startUdpEcho();
    await using balancer = await startTestBalancer({
      backends: [`127.0.0.1:${backend.address.port}`],
      listener: { listen: "udp:127.0.0.1:0", idle_timeout: "1s" },
      engine: "epoll",
      confinement: "required",
      workers: 1,
      workerEntry: import.meta.resolve("../support/workers/grabby_worker.ts"),
    });
    const { fields } = await balancer.log.waitFor("attempted");
    const streams = [
      ...["connect to a backend", "connect to the port of a backend elsewhere", "connect to another port"],
      "IPv6 socket",
    ];
    assert.deepEqual(fields, {
      ...outcomes([...REFUSED_BY_SECCOMP, ...streams], "EPERM"),
      ...outcomes(ALLOWED_WITH_DATAGRAMS, "allowed"),
    });
    using client = new UdpPeer();
    await client.send("and it works", balancer);
    assert.equal(await client.nextText(), "and it works");
  },
});

Deno.test({
  name: "a confined worker goes on to collect garbage, compile, set timers and send messages under load",
  ignore,
  ...LATE_TIMER,
  fn: async () => {
    const backend = echoBackend();
    await using balancer = await startTestBalancer({
      backends: [backend.address],
      engine: "epoll",
      workers: 1,
      workerEntry: import.meta.resolve("../support/workers/laden_worker.ts"),
    });
    const untilMs = performance.now() + LOAD_MS;
    const client = async (): Promise<number> => {
      let asked = 0;
      for (; performance.now() < untilMs; asked++) {
        assert.equal(text(await ask(balancer.port, bytes("still there"))), "still there");
      }
      return asked;
    };
    const asked = await Promise.all(Array.from({ length: 8 }, client));
    const bouts = balancer.log.events.filter(({ event }) => event === "worked").length;
    assert.ok(bouts > LOAD_MS / 1_000, `${bouts} bouts`);
    assert.ok(Math.min(...asked) > 0);
    assert.equal(balancer.log.events.find(({ event }) => event === "worker_died"), undefined);
    await backend.stop();
  },
});

/** SOCKBAL_CONFINED_LOAD_MS makes it longer. */
const LOAD_MS = Number(Deno.env.get("SOCKBAL_CONFINED_LOAD_MS") ?? 4_000);

async function confinedWorker(
  order: Pick<Order, "without"> & { reach?: Partial<Reach> },
): Promise<{ confinement: Confinement; outcomes: Record<string, string> }> {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/s`;
  using backend = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using _unix = Deno.listen({ transport: "unix", path });
  const worker = new Worker(import.meta.resolve("../support/workers/self_confining_worker.ts"), {
    type: "module",
  });
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
      worker.postMessage(
        {
          reach: {
            hasDatagrams: false,
            ports: [backend.addr.port],
            mayDialUnix: false,
            mayBind: false,
            ...order.reach,
          },
          without: order.without,
          ports: {
            permitted: backend.addr.port,
            other: other.addr.port,
            isHarmless: order.without === "seccomp",
          },
          path,
        } satisfies Order,
      );
    });
  } finally {
    worker.terminate();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test({
  name: "without seccomp Landlock alone refuses files and ports",
  ignore,
  fn: async () => {
    const { confinement, outcomes } = await confinedWorker({ without: "seccomp" });
    assert.deepEqual(confinement, { by: ["landlock"], missing: "seccomp: this kernel does not have it" });
    const { open, openat, execv, bind } = outcomes;
    assert.deepEqual([open, openat, execv, bind], ["EACCES", "EACCES", "EACCES", "EACCES"]);
    assert.equal(outcomes["connect to a backend"], "allowed");
    assert.equal(outcomes["connect to another port"], "EACCES");
  },
});

Deno.test({
  name: "without Landlock seccomp alone refuses all but ports",
  ignore,
  fn: async () => {
    const { confinement, outcomes: seen } = await confinedWorker({ without: "landlock" });
    assert.deepEqual(confinement, { by: ["seccomp"], missing: "landlock: this kernel does not have it" });
    assert.deepEqual(seen, {
      ...outcomes(REFUSED_BY_SECCOMP, "EPERM"),
      ...outcomes(["connect to a backend", "connect to another port", "IPv6 socket"], "allowed"),
      "connect to a path": "EPERM",
      "connect to the port of a backend elsewhere": "ECONNREFUSED",
    });
  },
});

Deno.test({
  name: "a worker with Unix backends, with any port or with local addresses may do that much more",
  ignore,
  fn: async () => {
    const unix = (await confinedWorker({ without: undefined, reach: { mayDialUnix: true } })).outcomes;
    assert.equal(unix["Unix socket"], "allowed");
    assert.equal(unix["connect to a path"], "allowed");
    assert.equal(unix["connect to another port"], "EACCES");
    for (const name of REFUSED_BY_SECCOMP.filter((it) => it !== "Unix socket")) {
      assert.equal(unix[name], "EPERM", `${name}, with Unix backends`);
    }

    const anyPort = (await confinedWorker({ without: undefined, reach: { ports: "any" } })).outcomes;
    assert.equal(anyPort["connect to another port"], "allowed");
    assert.equal(anyPort.bind, "EPERM");

    const { outcomes: udp } = await confinedWorker({ without: undefined, reach: { hasDatagrams: true } });
    assert.equal(udp["datagram socket"], "allowed");
    assert.equal(udp["connect to a backend"], "EPERM");
    assert.equal(udp["send to another port"], "EPERM");

    const binding = (await confinedWorker({ without: undefined, reach: { mayBind: true } })).outcomes;
    assert.equal(binding.bind, "allowed");
    assert.equal(binding.listen, "EPERM");
    assert.equal(binding["connect to another port"], "EACCES");
  },
});
