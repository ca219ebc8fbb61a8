// deno-lint-ignore-file no-console -- its report is the product

/**
 * Sends datagrams that are answered, from many flows, each with so many on their way: the next one goes when an answer comes. After so
 * many answers a flow ends, and another one begins; 0 lets it go on. Says when it is ready, begins with a byte on stdin, and prints what came
 * of it as JSON.
 *
 *   deno run --allow-ffi bench/udp_load.ts PORT FLOWS WINDOW ANSWERS SECONDS
 */

import { BATCH, makeBuffers, Messages } from "../lib/engine/epoll/datagrams/messages.ts";
import { SystemError } from "../lib/engine/epoll/errno.ts";
import { openLibc } from "../lib/engine/epoll/libc.ts";
import {
  AF_INET,
  EPOLL_CTL_ADD,
  EPOLLIN,
  EVENT_DATA,
  EVENT_WORDS,
  SO_RCVBUF,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOL_SOCKET,
  SYS_RECVMMSG,
  SYS_SENDMMSG,
} from "../lib/engine/epoll/linux.ts";
import { setOption } from "../lib/engine/epoll/options.ts";
import { encodeAddress } from "../lib/engine/epoll/sockaddr.ts";

/** Of each datagram, as of a question for a name. */
const DATAGRAM_BYTES = 100;

/** A flow that had no answer for so long has lost what was on its way. */
const SILENCE_MS = 1_000;

const MAX_EVENTS = 256;

const [port = 0, flowCount = 1, windowSize = 1, answersEach = 0, seconds = 1] = Deno.args.map(Number);

interface Flow {
  readonly fd: number;
  /** Numbers of the next datagram, and of the next answer. */
  next: number;
  expected: number;
  /** When the last answer came. */
  answeredMs: number;
}

const libc = openLibc();
const { bytes: address } = encodeAddress({ transport: "udp", host: "127.0.0.1", port });
const epoll = checked(libc.epoll_create1(0));
const change = new Int32Array(new ArrayBuffer(EVENT_WORDS * 4));
const events = new Int32Array(new ArrayBuffer(MAX_EVENTS * EVENT_WORDS * 4));

const buffers = makeBuffers();
/** The first word of each is its number. */
const numbers = buffers.map((buffer) => new Uint32Array(buffer.buffer, buffer.byteOffset, 1));
const received = new Messages(libc, buffers, false);
const sent = new Messages(libc, buffers, false);
for (let i = 0; i < BATCH; i++) sent.setLength(i, DATAGRAM_BYTES);

let answers = 0;
let lost = 0;

function checked(result: number): number {
  if (result < 0) throw new SystemError(libc.errno());
  return result;
}

function openFlow(): Flow {
  const fd = checked(libc.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
  setOption(libc, fd, SOL_SOCKET, SO_RCVBUF, 1024 * 1024);
  checked(libc.connect(fd, address, address.length));
  change[0] = EPOLLIN;
  change[EVENT_DATA] = fd;
  checked(libc.epoll_ctl(epoll, EPOLL_CTL_ADD, fd, change));
  return { fd, next: 0, expected: 0, answeredMs: performance.now() };
}

/** In the place of one that has had its answers. */
function replace(flow: Flow): void {
  libc.close(flow.fd);
  const next = openFlow();
  flows[flows.indexOf(flow)] = next;
  byDescriptor[next.fd] = next;
  fill(next);
}

/** Sends as many as there is room for in its window. */
function fill(flow: Flow): void {
  for (let room = windowSize - (flow.next - flow.expected); room > 0;) {
    const count = Math.min(room, BATCH);
    for (let i = 0; i < count; i++) (numbers[i] as Uint32Array)[0] = flow.next + i;
    const taken = libc.sendmmsg(SYS_SENDMMSG, flow.fd, sent.from[0] as Uint8Array<ArrayBuffer>, count, 0);
    if (taken <= 0) return;
    flow.next += taken;
    room -= taken;
  }
}

function receive(flow: Flow, nowMs: number): void {
  const count = libc.recvmmsg(
    SYS_RECVMMSG,
    flow.fd,
    received.from[0] as Uint8Array<ArrayBuffer>,
    BATCH,
    0,
    null,
  );
  for (let i = 0; i < count; i++) {
    const number = (numbers[i] as Uint32Array)[0] as number;
    // What comes after it was counted as lost is late, and does not count.
    if (number < flow.expected) continue;
    lost += number - flow.expected;
    flow.expected = number + 1;
    answers++;
  }
  if (count > 0) flow.answeredMs = nowMs;
  if (answersEach > 0 && flow.expected >= answersEach) replace(flow);
  else fill(flow);
}

const flows = Array.from({ length: flowCount }, openFlow);
const byDescriptor: Flow[] = [];
for (const flow of flows) byDescriptor[flow.fd] = flow;

let lookMs = 0;

/** Receives what there is, after a short wait at most, and looks after flows that have lost all that was on its way. */
function round(nowMs: number): void {
  const count = libc.epoll_wait(epoll, events, MAX_EVENTS, 10);
  for (let i = 0; i < count; i++) {
    receive(byDescriptor[events[i * EVENT_WORDS + EVENT_DATA] as number] as Flow, nowMs);
  }
  if (nowMs < lookMs) return;
  lookMs = nowMs + SILENCE_MS / 4;
  for (const flow of flows) {
    if (nowMs - flow.answeredMs < SILENCE_MS) continue;
    lost += flow.next - flow.expected;
    flow.expected = flow.next;
    flow.answeredMs = nowMs;
    fill(flow);
  }
}

for (const flow of flows) fill(flow);
// What it takes to begin a flow is measured with flows that have one answer each.
while (answersEach === 0 && flows.some(({ expected }) => expected === 0)) round(performance.now());
console.log("ready");
Deno.stdin.readSync(new Uint8Array(1));

answers = lost = 0;
const startedMs = performance.now();
let nowMs = startedMs;
for (const flow of flows) flow.answeredMs = startedMs;
for (; nowMs < startedMs + seconds * 1_000; nowMs = performance.now()) round(nowMs);
console.log(JSON.stringify({ seconds: (nowMs - startedMs) / 1_000, answers, lost }));
