/** What the service manager is told of the life of the program (sd_notify(3)): datagrams to the socket that it names. */

import { reasonOf } from "../core/errors.ts";
import type { Recorder } from "../core/log.ts";
import type { Reloads } from "../control/operations.ts";
import { variable } from "./activation.ts";

/** Where it listens; undefined when it is not to be told, or the environment may not be read. */
export function notifySocket(): string | undefined {
  return variable("NOTIFY_SOCKET");
}

export interface ServiceManagerOptions {
  readonly log: Pick<Recorder, "warn">;
  /** The time of the system's clock that is never set, in microseconds; undefined where it is not known. */
  readonly monotonicUs: () => number | undefined;
}

export class ServiceManager {
  readonly #options: ServiceManagerOptions;
  readonly #path: string | undefined;
  /** Messages follow one another. */
  #telling: Promise<void> = Promise.resolve();
  #reloads = 0;

  constructor(options: ServiceManagerOptions) {
    this.#options = options;
    // An abstract address is written with @ in the place of its first byte, a zero (unix(7)).
    this.#path = notifySocket()?.replace(/^@/, "\0");
  }

  /** It serves. @param isTakenOver Whether another process was the main one of the service before. */
  ready(status: string, isTakenOver = false): void {
    this.#tell([...(isTakenOver ? [`MAINPID=${Deno.pid}`] : []), "READY=1", `STATUS=${status}`]);
  }

  /** A reload begins; with the last of several that go on, it is ready again. */
  async during<T>(reload: Promise<T>, statusAfter: (done: T) => string): Promise<T> {
    const timeUs = this.#options.monotonicUs();
    this.#reloads++;
    this.#tell(["RELOADING=1", ...(timeUs === undefined ? [] : [`MONOTONIC_USEC=${timeUs}`])]);
    try {
      const done = await reload;
      if (this.#reloads === 1) this.ready(statusAfter(done));
      return done;
    } finally {
      this.#reloads--;
    }
  }

  stopping(): void {
    this.#tell(["STOPPING=1", "STATUS=Lets sessions finish"]);
  }

  /** Resolves when all has been told. */
  async told(): Promise<void> {
    await this.#telling;
  }

  #tell(lines: readonly string[]): void {
    const path = this.#path;
    if (path === undefined) return;
    this.#telling = this.#telling.then(() => send(path, lines.join("\n"))).catch((error) => {
      this.#options.log.warn("service_manager_not_told", { reason: reasonOf(error) });
    });
  }
}

/** Reloads that the service manager is told of. */
export function reloadsTold(manager: ServiceManager, reloads: Reloads): Reloads {
  return {
    counts: reloads.counts,
    request: () =>
      manager.during(reloads.request(), (done) => done.ok ? "Serves" : `Not reloaded: ${done.faults[0]}`),
  };
}

/** The runtime sends from a bound socket only; an abstract address leaves no file. */
async function send(path: string, text: string): Promise<void> {
  const from = `\0sockbal-notify-${crypto.randomUUID()}`;
  using socket = Object.assign(Deno.listenDatagram({ transport: "unixpacket", path: from }), {
    [Symbol.dispose](): void {
      socket.close();
    },
  });
  await socket.send(new TextEncoder().encode(text), { transport: "unixpacket", path });
}
