/** The engine `runtime` with a listener that opens TLS, or a backend to which it is opened, or both. */

import assert from "node:assert/strict";
import type { TlsClientOptions, TlsServerOptions } from "../../lib/core/tls_options.ts";
import type { Engine } from "../../lib/engine/contract.ts";
import type { TlsClient, TlsFacts, TlsKeys, TlsServer } from "../../lib/engine/tls_contract.ts";
import { RuntimeEngine } from "../../lib/engine/runtime/engine.ts";
import { ClientHelloReader, type HelloAnswer, MAX_CLIENT_HELLO_BYTES } from "../../lib/wire/client_hello.ts";
import { until } from "./balancer.ts";
import { RigSession } from "./engine_rig.ts";
import { refusedPort } from "./ports.ts";

export interface TlsRigOptions {
  /** Opens TLS for clients. */
  readonly server?: Partial<TlsServerOptions> & { readonly keys: TlsKeys };
  /** Opens TLS to the backend. */
  readonly client?: Partial<TlsClientOptions> & { readonly keys?: TlsKeys; readonly host?: string };
  /** Sent to the backend first. */
  readonly preface?: Uint8Array;
  /** The backend's port; without it sessions are not dialled for. */
  readonly port?: number;
}

export interface TlsRig extends AsyncDisposable {
  readonly port: number;
  /** In the order in which they came in. */
  readonly sessions: TlsSession[];
  readonly server: TlsServer | undefined;
  readonly client: TlsClient | undefined;
  session(index: number): Promise<TlsSession>;
}

/** Those who trust one authority, and show nothing. */
export function trusting(authorities: string): TlsKeys {
  return { pairs: [], authorities };
}

/** Greets its client by TLS, and its backend, and relays. */
export class TlsSession extends RigSession {
  /** What TLS with the client has found. */
  facts: TlsFacts | undefined;
  backendFacts: TlsFacts | undefined;
}

export async function startTlsRig(options: TlsRigOptions): Promise<TlsRig> {
  const engine: Engine = new RuntimeEngine({ size: 1 });
  const { server: ins, client: outs, preface } = options;
  const server = ins === undefined
    ? undefined
    : engine.tlsServer({ alpn: [], minVersion: "1.2", ...ins }, ins.keys);
  const client = outs === undefined ? undefined : engine.tlsClient(
    { serverName: undefined, alpn: [], verify: true, ...outs },
    outs.keys ?? { pairs: [], authorities: undefined },
  );
  const port = refusedPort();
  const listener = await engine.listen([{ transport: "tcp", host: "127.0.0.1", port }], 100);
  const stop = new AbortController();
  const sessions: TlsSession[] = [];
  const fault = (session: TlsSession) => (fault: unknown): void => session.fault(fault);
  const dial = (session: TlsSession): void => {
    const { port } = options;
    if (port === undefined) return;
    engine.dial([{ transport: "tcp", host: "127.0.0.1", port }], {
      connected: (socket) => {
        if (session.isOver) return socket.close();
        session.backend = socket;
        if (preface !== undefined) socket.preface(preface);
        const relay = (): void => engine.relay(session.client, socket, session);
        if (client === undefined) return relay();
        socket.startTls(client, outs?.host, {
          opened: (facts) => {
            session.backendFacts = facts;
            relay();
          },
          tlsFailed: (why) => {
            session.told.push(`backend: ${why}`);
            session.end();
          },
          fault: fault(session),
        });
      },
      dialFailed: () => session.end(),
      fault: fault(session),
    });
  };
  const accepting = listener.accept({
    limiter: { enter: () => true, leave: () => {}, freed: () => Promise.resolve() },
    serve: (socket) => {
      const session = new TlsSession(socket);
      sessions.push(session);
      socket.readAhead(session);
      if (server === undefined) return dial(session);
      const open = (serverName: string | undefined): void =>
        socket.openTls(server, serverName, {
          opened: (facts) => {
            session.facts = facts;
            session.told.push("opened");
            dial(session);
          },
          tlsFailed: (why) => {
            session.told.push(`client: ${why}`);
            session.end();
          },
          fault: fault(session),
        });
      const reader = new ClientHelloReader();
      let answer: HelloAnswer = "incomplete";
      const refuse = (): void => {
        session.told.push("client: no ClientHello");
        session.end();
      };
      socket.firstBytes(
        (bytes) => (answer = reader.take(bytes)) !== "incomplete",
        {
          // What is no hello is left to the engine, which is not to be harmed by it.
          enough: () =>
            open(typeof answer === "object" && "serverName" in answer ? answer.serverName : undefined),
          tooFew: refuse,
          clientGone: () => session.clientGone(),
          fault: fault(session),
        },
        MAX_CLIENT_HELLO_BYTES,
      );
    },
    stop: stop.signal,
    onTrouble: () => {},
  });
  return {
    port,
    sessions,
    server,
    client,
    session: async (index) => {
      await until(() => sessions.length > index, `session ${index} has come in`);
      return sessions[index] ?? assert.fail();
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await accepting;
      for (const session of sessions) if (!session.isOver) session.end();
      await Promise.all(sessions.map((session) => session.finishedOnce));
    },
  };
}
