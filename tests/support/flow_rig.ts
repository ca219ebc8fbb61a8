/** An engine in the thread of the test, with a listener for datagrams whose flows it relays to one backend. */

import type { EngineName } from "../../lib/config/engine_names.ts";
import type { UdpAddress } from "../../lib/core/address.ts";
import type { AcceptOptions, ClientSocket, Engine, Listener } from "../../lib/engine/contract.ts";
import type { Libc } from "../../lib/engine/epoll/libc.ts";
import { until } from "./balancer.ts";
import { makeRigged, RigSession } from "./engine_rig.ts";
import { freePort } from "./ports.ts";

export interface FlowRigOptions extends Partial<AcceptOptions<ClientSocket>> {
  readonly libc?: Libc;
  /** Where it listens. */
  readonly host?: string;
  /** What each session does, in place of dialling the backend at once. */
  readonly begin?: (session: RigSession) => void;
}

export interface FlowRig extends AsyncDisposable {
  readonly engine: Engine;
  readonly listener: Listener;
  readonly port: number;
  /** In the order in which they came in; those that are over too. */
  readonly sessions: RigSession[];
  /** Resolves when the listener accepts no more. */
  readonly accepting: Promise<void>;
  stop(): void;
  session(index: number): Promise<RigSession>;
}

/** Until it is disposed of; then nothing is left open. */
export async function startFlowRig(
  name: EngineName,
  backend: UdpAddress,
  { libc, host = "127.0.0.1", begin, ...options }: FlowRigOptions = {},
): Promise<FlowRig> {
  const rigged = makeRigged(name, libc);
  const { engine } = rigged;
  const port = freePort(host);
  const listener = await rigged.listen({ transport: "udp", host, port });
  const sessions: RigSession[] = [];
  const stop = new AbortController();
  const accepting = listener.accept({
    limiter: { enter: () => true, leave: () => {}, freed: () => Promise.resolve() },
    serve: (client) => {
      const session = new RigSession(client);
      sessions.push(session);
      if (begin === undefined) session.begin(engine, backend);
      else begin(session);
    },
    stop: stop.signal,
    onTrouble: () => {},
    ...options,
  });
  return {
    engine,
    listener,
    port,
    sessions,
    accepting,
    stop: () => stop.abort(),
    session: async (index) => {
      await until(() => sessions.length > index, `session ${index} has come in`);
      return sessions[index] as RigSession;
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await accepting;
      for (const session of sessions) if (!session.isOver) session.end();
      await rigged.close();
    },
  };
}
