/** One check of one backend. */

import type { Address } from "../core/address.ts";
import { type CheckResult, type HealthCheck, within } from "./check.ts";
import { connect, describeFailure, isDescriptorShortage } from "./connect.ts";
import { type Conversation, converse } from "./conversation.ts";
import { type Deadline, startDeadline } from "./deadline.ts";
import { prepareExpect } from "./expect_probe.ts";
import { prepareHttp } from "./http_probe.ts";

/**
 * Checks a backend, by IP address or path of its socket.
 *
 * Never rejects, leaves no connection behind, and ends at the timeout of the check or as soon as `stop` is aborted.
 *
 * @return Undefined when nothing was found out about the backend: checking was stopped, or this process has no file
 * descriptor left to ask with.
 */
export type Probe = (backend: Address, stop: AbortSignal) => Promise<CheckResult | undefined>;

/**
 * Prepares a check, once for all backends that are checked in the same way.
 *
 * @throws {InputError} when an `expect` check expects what cannot be compiled.
 * @throws {RangeError} when path or host of an `http` check cannot stand in a request.
 */
export function prepareProbe(check: HealthCheck): Probe {
  const conversationWith = prepareConversation(check);
  return async (backend, stop) => {
    using deadline = startDeadline(check.timeoutMs, stop);
    const address = addressToCheck(backend, check.port);
    const result = await ask(address, conversationWith(address), deadline);
    return stop.aborted ? undefined : result;
  };
}

function prepareConversation(check: HealthCheck): (address: Address) => Conversation | undefined {
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

/** Sessions go on using the address of the backend, so the port is not changed there. */
function addressToCheck(backend: Address, port: number | undefined): Address {
  return backend.transport === "tcp" && port !== undefined ? { ...backend, port } : backend;
}

/** Without a conversation, the connection is the answer. */
async function ask(
  address: Address,
  conversation: Conversation | undefined,
  deadline: Deadline,
): Promise<CheckResult | undefined> {
  let conn: Deno.Conn;
  try {
    conn = await connect(address, deadline.signal);
  } catch (error) {
    if (isDescriptorShortage(error)) return undefined;
    const time = within(deadline.timeoutMs);
    return { ok: false, saw: deadline.isTimeUp ? `no connection ${time}` : describeFailure(error) };
  }
  if (conversation !== undefined) return await converse(conn, conversation, deadline);
  conn.close();
  return { ok: true, saw: "connected" };
}
