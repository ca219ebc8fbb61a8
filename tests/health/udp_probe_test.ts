import assert from "node:assert/strict";
import { asUdp, type UdpAddress } from "../../lib/core/address.ts";
import type { CheckResult, CheckTiming, UdpCheck } from "../../lib/health/check.ts";
import { prepareProbe } from "../../lib/health/probe.ts";
import { startBackend } from "../support/backend.ts";
import { local, probeAt, tcpCheck } from "./checks.ts";

interface UdpBackend {
  readonly address: UdpAddress;
  /** What it was sent, in order. */
  readonly heard: Uint8Array[];
  stop(): Promise<void>;
}

/** Answers each datagram with these, if any. */
function udpBackend(
  answers: (heard: Uint8Array) => readonly Uint8Array[],
  hostname = "127.0.0.1",
): UdpBackend {
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  const heard: Uint8Array[] = [];
  const serving = (async () => {
    for await (const [datagram, from] of socket) {
      heard.push(datagram.slice());
      // deno-lint-ignore no-await-in-loop -- in order
      for (const answer of answers(datagram)) await socket.send(answer, from);
    }
  })();
  const { port } = socket.addr as Deno.NetAddr;
  return {
    address: { transport: "udp", host: hostname, port },
    heard,
    stop: () => {
      socket.close();
      return serving;
    },
  };
}

function udpCheck(send: string, expect?: string, timing: Partial<CheckTiming> = {}): CheckTiming & UdpCheck {
  const usual = { intervalMs: 1_000, timeoutMs: 10_000, rise: 2, fall: 3, port: undefined };
  return { ...usual, ...timing, type: "udp", send, expect };
}

function probeUdp(
  { address }: Pick<UdpBackend, "address">,
  check: CheckTiming & UdpCheck,
): Promise<CheckResult | undefined> {
  return probeAt(address, prepareProbe(check));
}

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

Deno.test("udp: a datagram of any bytes is sent, and its answer looked at byte by byte", async () => {
  const backend = udpBackend(() => [bytes(0x81, 0x80, 0xff, 0x0a)]);
  const send = "\x12\x34\x01\0\xff";
  assert.deepEqual(await probeUdp(backend, udpCheck(send, "\x81\x80")), {
    ok: true,
    saw: String.raw`answered "\u0081\u0080\u00ff\n"`,
  });
  assert.equal((await probeUdp(backend, udpCheck(send, "/^\x81[\x80-\x8f]\xff\n$/")))?.ok, true);
  assert.deepEqual(await probeUdp(backend, udpCheck(send, "\x81\x83")), {
    ok: false,
    saw: String.raw`answered "\u0081\u0080\u00ff\n", not as expected`,
  });
  assert.deepEqual(await probeUdp(backend, udpCheck(send)), {
    ok: true,
    saw: String.raw`answered "\u0081\u0080\u00ff\n"`,
  });
  for (const heard of backend.heard) assert.deepEqual(heard, bytes(0x12, 0x34, 1, 0, 0xff));
  await backend.stop();
});

Deno.test("udp: the first answer decides, the empty one as well", async () => {
  const backend = udpBackend(() => [bytes(), bytes(0x61)]);
  assert.deepEqual(await probeUdp(backend, udpCheck("x")), { ok: true, saw: 'answered ""' });
  assert.deepEqual(await probeUdp(backend, udpCheck("x", "a")), {
    ok: false,
    saw: 'answered "", not as expected',
  });
  await backend.stop();
});

Deno.test("udp: a backend that is silent, or a port on which nothing listens, fails at the timeout", async () => {
  const silent = udpBackend(() => []);
  const short = udpCheck("x", undefined, { timeoutMs: 50 });
  const failed = { ok: false, saw: "no answer within 50ms" };
  assert.deepEqual(await probeUdp(silent, short), failed);
  await silent.stop();
  assert.deepEqual(await probeUdp(silent, short), failed);
});

Deno.test("udp: what comes from others than the backend is no answer", async () => {
  const stranger = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const backend = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = backend.addr as Deno.NetAddr;
  const result = probeUdp({ address: asUdp(local(port)) }, udpCheck("x"));
  const [, from] = await backend.receive();
  await stranger.send(bytes(0x62), { ...from as Deno.NetAddr, hostname: "127.0.0.1" });
  await backend.send(bytes(0x61), { ...from as Deno.NetAddr, hostname: "127.0.0.1" });
  assert.deepEqual(await result, { ok: true, saw: 'answered "a"' });
  stranger.close();
  backend.close();
});

Deno.test("udp: a backend is asked over IPv6, however its address is written, and at the port of the check", async () => {
  const backend = udpBackend((heard) => [heard], "::1");
  const check = udpCheck("x", "x", { port: backend.address.port });
  const address = { transport: "udp", host: "0:0:0:0:0:0:0:1", port: 1 } as const;
  assert.deepEqual(await probeAt(address, prepareProbe(check)), { ok: true, saw: 'answered "x"' });
  await backend.stop();
});

Deno.test("udp: the largest datagram is asked with, and answered by", async () => {
  const backend = udpBackend((heard) => [heard]);
  const most = "\xfe".repeat(65_507);
  assert.equal((await probeUdp(backend, udpCheck(most, "/^\xfe+$/")))?.ok, true);
  assert.equal(backend.heard[0]?.length, 65_507);
  await backend.stop();
});

Deno.test("udp: a check that is stopped reports nothing, and leaves nothing open", async () => {
  const silent = udpBackend(() => []);
  const stop = new AbortController();
  const result = probeAt(silent.address, prepareProbe(udpCheck("x")), stop.signal);
  stop.abort();
  assert.equal(await result, undefined);
  assert.equal(await probeAt(silent.address, prepareProbe(udpCheck("x")), stop.signal), undefined);
  await silent.stop();
});

Deno.test("udp: what cannot be expected is refused before any check", () => {
  for (const expect of ["", "/(/"]) {
    assert.throws(() => prepareProbe(udpCheck("x", expect)), { name: "InputError" }, expect);
  }
});

Deno.test("a backend of datagrams may be checked over TCP", async () => {
  const backend = startBackend(() => Promise.resolve());
  const { port } = backend;
  const connected = { ok: true, saw: "connected" };
  assert.deepEqual(await probeAt(asUdp(local(port)), prepareProbe(tcpCheck())), connected);
  assert.deepEqual(await probeAt(asUdp(local(1)), prepareProbe(tcpCheck({ port }))), connected);
  await backend.stop();
});
