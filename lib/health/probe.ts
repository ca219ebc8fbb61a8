/** One check of one backend. */

import { type Address, isIPv6Address } from "../core/address.ts";
import { writeAll } from "../core/connection.ts";
import { describeDialFault, isAddressMissing, shortageOf } from "../engine/dial_fault.ts";
import { dial } from "../engine/runtime/dial.ts";
import { hasIPv6 } from "../engine/runtime/ipv6.ts";
import type { RuntimeSocket } from "../engine/runtime/socket.ts";
import type { IntroductionOptions } from "../pool/pool.ts";
import {
  type CheckResult,
  type HealthCheck,
  type Probe,
  type StreamCheck,
  whereChecked,
  within,
} from "./check.ts";
import { type Conversation, converse } from "./conversation.ts";
import { type Deadline, startDeadline } from "./deadline.ts";
import { prepareExpect } from "./expect_probe.ts";
import { prepareHttp } from "./http_probe.ts";
import { prepareUdpProbe } from "./udp_probe.ts";
import { endTls, startTls, type TlsOpening } from "./tls_opening.ts";
import { writeOwnHeader } from "../wire/write_proxy_header.ts";

/** What comes before the check itself, as it does in sessions. */
export interface Opening {
  /** A header of the PROXY protocol, which names no client. */
  readonly introduction?: IntroductionOptions | undefined;
  /** Undefined: there is none. */
  readonly tls?: TlsOpening | undefined;
}

/**
 * Prepares a check, once for all backends that are checked in the same way.
 *
 * @param onShortage Told what this machine lacked for a check, which then finds nothing.
 * @throws {InputError} when a check expects what cannot be compiled.
 * @throws {RangeError} when path or host of an `http` check cannot stand in a request.
 */
export function prepareProbe(
  check: HealthCheck,
  { introduction, tls }: Opening = {},
  onShortage: (what: string) => void = () => {},
): Probe {
  if (check.type === "udp") return prepareUdpProbe(check, onShortage);
  const conversationWith = prepareConversation(check);
  const preface = introduction === undefined
    ? new Uint8Array()
    : writeOwnHeader(introduction.version, introduction.checksum);
  return async (backend, stop, report, others = []) => {
    using deadline = startDeadline(check.timeoutMs, stop);
    const address = whereChecked(backend, check);
    const addresses = [address, ...others.map((it) => whereChecked(it, check))] as const;
    const conn = await connect(addresses, preface, deadline, onResult, onShortage);
    if (conn === undefined) return;
    const opened = tls === undefined ? undefined : await startTls(conn, tls, deadline);
    if (typeof opened === "string") {
      conn.close();
      return onResult({ ok: false, saw: opened });
    }
    const conversation = conversationWith(address);
    if (conversation !== undefined) return await converse(conn, conversation, deadline, onResult);
    // The connection is the answer.
    if (opened === undefined) conn.close();
    onResult({ ok: true, saw: opened === undefined ? "connected" : `connected, ${opened.version}` });
    if (opened !== undefined) await endTls(conn, deadline);

    function onResult(result: CheckResult): void {
      const isOurs = !result.ok && !deadline.isTimeUp && deadline.hasStoodStill;
      if (!stop.aborted && !isOurs) report(result);
    }
  };
}

function prepareConversation(check: StreamCheck): (address: Address) => Conversation | undefined {
  switch (check.type) {
    case "tcp":
      return () => undefined;
    case "http":
      return prepareHttp(check);
    case "expect": {
      const conversation = prepareExpect(check);
      return () => conversation;
    }
  }
}

/** Undefined when there is no connection; why has been told. */
async function connect(
  addresses: readonly [Address, ...Address[]],
  preface: Uint8Array,
  deadline: Deadline,
  report: (result: CheckResult) => void,
  onShortage: (what: string) => void,
): Promise<RuntimeSocket | undefined> {
  try {
    const conn = await dial(addresses, deadline.signal);
    // It fits what the system holds for a new connection. One that is gone by now is noticed by what follows.
    await writeAll(conn, preface).catch(() => {});
    return conn;
  } catch (error) {
    const [address] = addresses;
    const isWithoutIPv6 = isAddressMissing(error) && isIPv6Address(address) &&
      !hasIPv6();
    const shortage = isWithoutIPv6 ? undefined : lackOf(error, address);
    if (shortage !== undefined) onShortage(shortage);
    else report({ ok: false, saw: isWithoutIPv6 ? "this machine has no IPv6" : describe(error, deadline) });
    return undefined;
  }
}

/** What is missing here, and says nothing about the backend. */
function lackOf(error: unknown, address: Address): string | undefined {
  if (error instanceof Deno.errors.NotCapable) return "sockbal was started without permission to dial it";
  return shortageOf(error, address);
}

function describe(error: unknown, { isTimeUp, timeoutMs }: Deadline): string {
  return isTimeUp ? `no connection ${within(timeoutMs)}` : describeDialFault(error);
}
