/** An engine in the thread of the test, with a listener whose connections it relays to one backend. */

import assert from "node:assert/strict";
import type { EngineName } from "../../lib/config/engine_names.ts";
import type { Address } from "../../lib/core/address.ts";
import type {
  ClientSocket,
  Direction,
  Engine,
  Listener,
  RelayEvents,
  Socket,
} from "../../lib/engine/contract.ts";
import { describeDialFault } from "../../lib/engine/dial_fault.ts";
import { Descriptors } from "../../lib/engine/epoll/descriptors.ts";
import { EpollEngine } from "../../lib/engine/epoll/engine.ts";
import { EpollHost } from "../../lib/engine/epoll/host.ts";
import type { Libc } from "../../lib/engine/epoll/libc.ts";
import { RuntimeEngine } from "../../lib/engine/runtime/engine.ts";
import { until } from "./balancer.ts";
import type { TestBackend } from "./backend.ts";
import { refusedPort } from "./ports.ts";

/** An engine, and what has to be given back after it. */
export interface RiggedEngine {
  readonly engine: Engine;
  listen(address: Address): Promise<Listener>;
  /** Bytes that it holds back for peers that have not taken them; undefined where it does not tell. */
  heldBytes(): number | undefined;
  close(): Promise<void>;
}

/** @param libc What epoll calls, instead of the C library itself. */
export function makeRigged(name: EngineName, libc?: Libc): RiggedEngine {
  if (name === "runtime") {
    const engine = new RuntimeEngine({ size: 1 });
    return {
      engine,
      listen: (address) => engine.listen([address], 100),
      heldBytes: () => undefined,
      close: () => engine.close(),
    };
  }
  const host = new EpollHost();
  const share = host.enter();
  const engine = new EpollEngine({
    ...share,
    maxSleepMs: 0,
    ...(libc === undefined ? {} : { libc }),
  });
  const listening: number[] = [];
  return {
    engine,
    listen: (address) => {
      const keepalive = { idleMs: 60_000, intervalMs: 10_000, count: 6 };
      const fd = address.transport === "udp"
        ? host.openDatagrams(address, true)
        : host.listen(address, { backlog: 100, keepalive });
      listening.push(fd);
      return engine.listen([address], 100, [fd]);
    },
    heldBytes: () => engine.heldBytes,
    close: async () => {
      await engine.close();
      assert.ok(new Descriptors(share.descriptors).isEmpty, "the engine has left a descriptor open");
      for (const fd of listening) host.closeListening(fd);
      await host.close();
    },
  };
}

/** A session without all that is no matter of the engine; it ends as a session does. */
export class RigSession implements RelayEvents {
  readonly client: ClientSocket;
  backend: Socket | undefined;
  /** What was told, in order; bytes that moved are counted instead. */
  readonly told: string[] = [];
  readonly counted: Record<Direction, number> = { in: 0, out: 0 };
  pendingWrites = 0;
  readonly finishedOnce: Promise<void>;
  readonly #finished = Promise.withResolvers<void>();
  isOver = false;

  constructor(client: ClientSocket) {
    this.client = client;
    this.finishedOnce = this.#finished.promise;
  }

  /** Dials and relays. */
  begin(engine: Engine, backend: Address): void {
    this.client.readAhead(this);
    engine.dial([backend], {
      connected: (socket) => {
        // The client may have left meanwhile.
        if (this.isOver) return socket.close();
        this.backend = socket;
        engine.relay(this.client, socket, this);
      },
      dialFailed: (error) => {
        this.told.push(`dialFailed: ${describeDialFault(error, backend)}`);
        this.end();
      },
      fault: (fault) => this.fault(fault),
    });
  }

  end(): void {
    this.isOver = true;
    this.client.close();
    this.backend?.close();
    this.#finished.resolve();
  }

  writesPending(change: 1 | -1): void {
    this.pendingWrites += change;
  }

  moved(direction: Direction, bytes: number): void {
    this.counted[direction] += bytes;
  }

  answerLost(): void {
    this.told.push("answer lost");
  }

  directionEnded(direction: Direction): void {
    this.told.push(`${direction} ended`);
  }

  clientGone(): void {
    if (this.isOver) return;
    this.told.push("client gone");
    const isRelaying = this.backend !== undefined;
    this.isOver = true;
    this.client.close();
    this.backend?.reset();
    if (!isRelaying) this.#finished.resolve();
  }

  backendGone(): void {
    this.told.push("backend gone");
  }

  clientTold(): void {
    this.told.push("client told");
  }

  finished(): void {
    this.told.push("finished");
    if (this.told.includes("backend gone")) this.client.reset();
    this.end();
  }

  fault(fault: unknown): void {
    this.told.push(`fault: ${fault}`);
    this.end();
  }
}

export interface Rig extends AsyncDisposable {
  readonly engine: Engine;
  readonly port: number;
  /** In the order in which they came in. */
  readonly sessions: RigSession[];
  heldBytes(): number | undefined;
  /** The session that came in as the `index`th, as soon as it is there. */
  session(index: number): Promise<RigSession>;
}

export interface RigOptions {
  readonly libc?: Libc;
  /** Told of trouble with accepting. */
  readonly onTrouble?: (event: string) => void;
}

/** Listens and relays to a backend until it is disposed of; then nothing is left open. */
export async function startRig(
  name: EngineName,
  backend: Pick<TestBackend, "port"> | Address,
  { libc, onTrouble = () => {} }: RigOptions = {},
): Promise<Rig> {
  const rigged = makeRigged(name, libc);
  const { engine } = rigged;
  const port = refusedPort();
  const at: Address = { transport: "tcp", host: "127.0.0.1", port };
  const listener = await rigged.listen(at);
  const target: Address = "transport" in backend
    ? backend
    : { transport: "tcp", host: "127.0.0.1", port: backend.port };
  const sessions: RigSession[] = [];
  const stop = new AbortController();
  const accepting = listener.accept({
    limiter: { enter: () => true, leave: () => {}, freed: () => Promise.resolve() },
    serve: (client) => {
      const session = new RigSession(client);
      sessions.push(session);
      session.begin(engine, target);
    },
    stop: stop.signal,
    onTrouble,
  });
  return {
    engine,
    port,
    sessions,
    heldBytes: rigged.heldBytes,
    session: async (index) => {
      await until(() => sessions.length > index, `session ${index} has come in`);
      return sessions[index] ?? assert.fail();
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await accepting;
      for (const session of sessions) if (!session.isOver) session.end();
      await Promise.all(sessions.map((session) => session.finishedOnce));
      await rigged.close();
    },
  };
}
