import assert from "node:assert/strict";
import type { Reach } from "../../lib/engine/confinement.ts";
import { AUDIT_ARCH, compileFilter } from "../../lib/engine/epoll/confine/bpf.ts";
import { allowedCalls } from "../../lib/engine/epoll/confine/calls.ts";
import { portRules, rulesetAttributes } from "../../lib/engine/epoll/confine/landlock.ts";

const REACH: Reach = { hasDatagrams: false, ports: [80, 443, 80], mayDialUnix: false, mayBind: false };
const PID = 4711;

const ALLOW = 0x7fff0000;
const EPERM = 0x00050001;
const ENOSYS = 0x00050026;

/** Runs a filter as the kernel does, on the 64 bytes of struct seccomp_data; gives what it returns. */
function run(filter: Uint8Array<ArrayBuffer>, arch: number, number: number, args: bigint[] = []): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, number, true);
  data.setUint32(4, arch, true);
  args.forEach((argument, i) => data.setBigUint64(16 + 8 * i, BigInt.asUintN(64, argument), true));
  const program = new DataView(filter.buffer);
  let accumulator = 0;
  for (let at = 0;; at += 8) {
    const operand = program.getUint32(at + 4, true);
    switch (program.getUint16(at, true)) {
      case 0x20:
        accumulator = data.getUint32(operand, true);
        break;
      case 0x54:
        accumulator = (accumulator & operand) >>> 0;
        break;
      case 0x15:
        at += 8 * program.getUint8(at + (accumulator === operand ? 2 : 3));
        break;
      case 0x06:
        return operand;
      default:
        throw new Error(`Cannot run the instruction at ${at}`);
    }
  }
}

/** Numbers of calls on x86-64 and arm64. */
const ALLOWED: Readonly<Record<string, readonly [number | undefined, number]>> = {
  epoll_wait: [232, 22],
  recvfrom: [45, 207],
  accept4: [288, 242],
  connect: [42, 203],
  futex: [202, 98],
  mmap: [9, 222],
  mprotect: [10, 226],
  exit: [60, 93],
};
const REFUSED: Readonly<Record<string, readonly [number | undefined, number]>> = {
  open: [2, 56],
  openat2: [437, 437],
  execve: [59, 221],
  fork: [57, 220],
  ptrace: [101, 117],
  kill: [62, 129],
  mount: [165, 40],
  bind: [49, 200],
  listen: [50, 201],
  sendmsg: [46, 211],
  recvmsg: [47, 212],
  recvmmsg: [299, 243],
  sendmmsg: [307, 269],
  pidfd_getfd: [438, 438],
  prctl: [157, 167],
  "a number of the x32 interface": [0x40000000 + 45, 0x40000000 + 207],
};

for (const [column, arch] of (["x86_64", "aarch64"] as const).entries()) {
  const filter = compileFilter(AUDIT_ARCH[arch], allowedCalls(arch, REACH, PID));
  const verdict = (number: number, ...args: bigint[]): number => run(filter, AUDIT_ARCH[arch], number, args);

  Deno.test(`the filter for ${arch} allows what a thread needs and refuses all else`, () => {
    for (const [name, numbers] of Object.entries(ALLOWED)) {
      assert.equal(verdict(numbers[column] ?? -1), ALLOW, name);
    }
    for (const [name, numbers] of Object.entries(REFUSED)) {
      assert.equal(verdict(numbers[column] ?? -1), EPERM, name);
    }
    // The C library uses clone when there is no clone3.
    assert.equal(verdict(435), ENOSYS);
    const isAllowed = (it: number): boolean => verdict(it) === ALLOW;
    assert.ok(Array.from({ length: 600 }, (_, i) => i).filter(isAllowed).length < 55);
  });

  Deno.test(`the filter for ${arch} looks at arguments`, () => {
    const call = (x86: number, arm: number): number => column === 0 ? x86 : arm;
    const socket = call(41, 198);
    const [inet, inet6, unix] = [2n, 10n, 1n];
    const stream = 0o2004001n;
    assert.equal(verdict(socket, inet, stream, 0n), ALLOW);
    assert.equal(verdict(socket, inet6, stream, 6n), ALLOW);
    assert.equal(verdict(socket, unix, stream, 0n), EPERM);
    assert.equal(verdict(socket, inet, 2n, 0n), EPERM);
    assert.equal(verdict(socket, inet, stream, 262n), EPERM);
    const sendto = call(44, 206);
    assert.equal(verdict(sendto, 5n, 99n, 4n, 0n, 0n, 0n), ALLOW);
    assert.equal(verdict(sendto, 5n, 99n, 4n, 0n, 1n, 16n), EPERM);
    assert.equal(verdict(sendto, 5n, 99n, 4n, 0n, 1n << 40n, 16n), EPERM);
    const clone = call(56, 220);
    assert.equal(verdict(clone, 0x3d0f00n), ALLOW);
    assert.equal(verdict(clone, 17n), EPERM);
    const tgkill = call(234, 131);
    assert.equal(verdict(tgkill, BigInt(PID), 9n, 6n), ALLOW);
    assert.equal(verdict(tgkill, 1n, 1n, 6n), EPERM);
  });

  Deno.test(`the filter for ${arch} lets a thread dial Unix sockets, or bind, only where it has to`, () => {
    const [socket, bind] = column === 0 ? [41, 49] : [198, 200];
    const reach: Reach = { ...REACH, mayDialUnix: true, mayBind: true };
    const wider = compileFilter(AUDIT_ARCH[arch], allowedCalls(arch, reach, PID));
    assert.equal(run(wider, AUDIT_ARCH[arch], socket, [1n, 1n, 0n]), ALLOW);
    assert.equal(run(wider, AUDIT_ARCH[arch], bind), ALLOW);
  });

  Deno.test(`the filter for ${arch} lets a thread have connections or datagrams, never both`, () => {
    const [socket, accept4, recvfrom, shutdown] = column === 0 ? [41, 288, 45, 48] : [198, 242, 207, 210];
    const [recvmmsg, sendmmsg] = column === 0 ? [299, 307] : [243, 269];
    const reach: Reach = { ...REACH, hasDatagrams: true, mayDialUnix: true };
    const other = compileFilter(AUDIT_ARCH[arch], allowedCalls(arch, reach, PID));
    const verdictOf = (number: number, ...args: bigint[]): number =>
      run(other, AUDIT_ARCH[arch], number, args);
    const [inet, inet6, unix] = [2n, 10n, 1n];
    const [stream, datagram] = [0o2004001n, 0o2004002n];
    for (const family of [inet, inet6]) {
      for (const protocol of [0n, 17n]) assert.equal(verdictOf(socket, family, datagram, protocol), ALLOW);
      assert.equal(verdictOf(socket, family, datagram, 136n), EPERM, "UDP-Lite");
      assert.equal(verdictOf(socket, family, stream, 0n), EPERM);
      assert.equal(verdict(socket, family, datagram, 17n), EPERM);
    }
    assert.equal(verdictOf(socket, unix, datagram, 0n), EPERM);
    for (const number of [recvmmsg, sendmmsg]) assert.equal(verdictOf(number), ALLOW);
    for (const number of [accept4, recvfrom, shutdown]) assert.equal(verdictOf(number), EPERM);
  });

  Deno.test(`the filter for ${arch} lets a thread that makes load set its alarm, and accept nothing`, () => {
    const [accept4, recvfrom, recvmmsg, timerfdSettime] = column === 0
      ? [288, 45, 299, 286]
      : [242, 207, 243, 86];
    assert.equal(verdict(timerfdSettime), EPERM);
    for (const hasDatagrams of [false, true]) {
      const calls = allowedCalls(arch, { ...REACH, hasDatagrams, makesLoad: true }, PID);
      const load = compileFilter(AUDIT_ARCH[arch], calls);
      for (const number of [timerfdSettime, recvfrom]) {
        assert.equal(run(load, AUDIT_ARCH[arch], number), ALLOW);
      }
      for (const number of [accept4, recvmmsg]) assert.equal(run(load, AUDIT_ARCH[arch], number), EPERM);
    }
  });

  Deno.test(`the filter for ${arch} refuses every call of another architecture's interface`, () => {
    for (const other of [0x40000003, AUDIT_ARCH[arch === "x86_64" ? "aarch64" : "x86_64"]]) {
      for (let number = 0; number < 600; number++) assert.equal(run(filter, other, number), EPERM);
    }
  });
}

Deno.test("Landlock is asked for what its version knows, and no more", () => {
  assert.deepEqual([...rulesetAttributes(1, REACH)], [0x1fffn]);
  assert.deepEqual([...rulesetAttributes(3, REACH)], [0x7fffn]);
  assert.deepEqual([...rulesetAttributes(4, REACH)], [0x7fffn, 3n]);
  assert.deepEqual([...rulesetAttributes(5, { ...REACH, ports: "any" })], [0xffffn, 1n]);
  assert.deepEqual([...rulesetAttributes(7, REACH)], [0xffffn, 3n, 3n]);
});

Deno.test("Landlock allows each port once, and the system's choice of a local one", () => {
  const rules = (reach: Reach): bigint[][] => portRules(reach).map((rule) => [...rule]);
  assert.deepEqual(rules(REACH), [[2n, 80n], [2n, 443n]]);
  assert.deepEqual(rules({ ...REACH, ports: "any", mayBind: true }), [[1n, 0n]]);
});
