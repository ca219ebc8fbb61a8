/** A check that sends a datagram and waits for another one. */

import { isIPv6Address, type UdpAddress } from "../core/address.ts";
import { compileExpectation } from "../core/expectation.ts";
import { canonicalHost } from "../core/overlap.ts";
import { withoutZone } from "../core/zone.ts";
import { describeDialFault, isAddressMissing, shortageOf } from "../engine/dial_fault.ts";
import { hasIPv6 } from "../engine/runtime/ipv6.ts";
import {
  type CheckResult,
  type CheckTiming,
  excerpt,
  type Probe,
  type UdpCheck,
  whereChecked,
  within,
} from "./check.ts";
import { type Deadline, startDeadline } from "./deadline.ts";

/** No answer is longer (RFC 768). */
const MAX_DATAGRAM_BYTES = 65_535;

/** What is made of the first answer. */
type Judge = (answer: Uint8Array) => CheckResult;

/**
 * Prepares a check by datagrams, as `prepareProbe` does. The first answer decides; what comes from others than the backend is no answer.
 *
 * The runtime does not tell of ICMP messages, so a port on which nothing listens is noticed by its silence.
 *
 * @throws {InputError} as `compileExpectation` does.
 */
export function prepareUdpProbe(
  check: CheckTiming & UdpCheck,
  onShortage: (what: string) => void,
): Probe {
  const datagram = bytesOf(check.send);
  const judge = prepareJudge(check.expect);
  return async (backend, stop, report, others = []) => {
    using deadline = startDeadline(check.timeoutMs, stop);
    const addresses = [backend, ...others].flatMap((it) => {
      const address = whereChecked(it, check);
      return address.transport === "udp" ? [address] : [];
    });
    const found = await ask(addresses, datagram, judge, deadline);
    if (found === undefined || stop.aborted) return;
    if (typeof found === "string") return onShortage(found);
    const isOurs = !found.ok && !deadline.isTimeUp && deadline.hasStoodStill;
    if (!isOurs) report(found);
  };
}

/**
 * Asks at the first of these addresses that can be sent to.
 *
 * @return What was found, or what this machine lacks in a few words; undefined when checking was stopped.
 */
async function ask(
  addresses: readonly UdpAddress[],
  datagram: Uint8Array,
  judge: Judge,
  deadline: Deadline,
): Promise<CheckResult | string | undefined> {
  let failed: unknown;
  for (const address of addresses) {
    if (deadline.signal.aborted) break;
    const socket = openSocket(address);
    if (typeof socket === "string") return socket;
    const close = (): void => socket.close();
    deadline.signal.addEventListener("abort", close);
    try {
      const { host: hostname, port } = address;
      // deno-lint-ignore no-await-in-loop -- another address is tried when this one cannot be sent to
      await socket.send(datagram, { transport: "udp", hostname, port });
      // deno-lint-ignore no-await-in-loop -- as above
      return judge(await answerFrom(address, socket));
    } catch (error) {
      failed = error;
    } finally {
      deadline.signal.removeEventListener("abort", close);
      if (!deadline.signal.aborted) socket.close();
    }
  }
  if (deadline.isTimeUp) return { ok: false, saw: `no answer ${within(deadline.timeoutMs)}` };
  if (deadline.signal.aborted) return undefined;
  const isWithoutIPv6 = isAddressMissing(failed) && addresses.every(isIPv6Address) && !hasIPv6();
  if (isWithoutIPv6) return { ok: false, saw: "this machine has no IPv6" };
  if (failed instanceof Deno.errors.NotCapable) return "sockbal was started without permission to dial it";
  return shortageOf(failed) ?? { ok: false, saw: describeDialFault(failed) };
}

/** A socket on a port of the system's choice, which the caller closes; or what is missing for it. */
function openSocket(address: UdpAddress): Deno.DatagramConn | string {
  const hostname = isIPv6Address(address) ? "::" : "0.0.0.0";
  try {
    return Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) return describeDialFault(error);
    const host = hostname === "::" ? "[::]" : hostname;
    return `sockbal was started without permission to open UDP sockets (--allow-net=${host}:0)`;
  }
}

/** Rejects when the socket is closed. */
async function answerFrom(address: UdpAddress, socket: Deno.DatagramConn): Promise<Uint8Array> {
  const host = canonicalHost(withoutZone(address.host));
  const buffer = new Uint8Array(MAX_DATAGRAM_BYTES);
  for (;;) {
    // deno-lint-ignore no-await-in-loop -- until the backend answers
    const [answer, from] = await socket.receive(buffer);
    const { hostname, port } = from as Deno.NetAddr;
    if (port === address.port && canonicalHost(hostname) === host) return answer;
  }
}

function prepareJudge(expect: string | undefined): Judge {
  const isExpected = expect === undefined ? () => true : compileExpectation(expect);
  return (answer) => {
    const text = textOf(answer);
    const saw = `answered ${excerpt(text)}`;
    return isExpected(text) ? { ok: true, saw } : { ok: false, saw: `${saw}, not as expected` };
  };
}

/** Each character is a byte; a configuration has no others. */
function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

function textOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
