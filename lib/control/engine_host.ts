/** What the control plane does for the engine of its workers; see lib/engine/contract.ts. */

import type { EngineChoice, EngineName } from "../config/engine_names.ts";
import { RunError } from "../core/errors.ts";
import type { EngineOptions, ListenerOptions } from "../dataplane/messages.ts";
import { EpollHost } from "../engine/epoll/host.ts";
import { findLibc, openLibc, whyNoLibc } from "../engine/epoll/libc.ts";
import { hasAddress } from "../engine/epoll/source.ts";
import { countOpenable } from "../engine/runtime/listen.ts";
import { reachOf } from "./confinement.ts";
import { EpollSockets, HeldByBook } from "./epoll_sockets.ts";
import type { GenerationSockets } from "./generation_sockets.ts";
import { mayPermitSubnets, type Permissions, type Permitted, socketPermissions } from "./permissions.ts";
import { HeldByRuntime, type PortHold } from "./port_hold.ts";
import { SocketBook } from "./socket_book.ts";
import { type OwnFiles, UnixSockets } from "./unix_sockets.ts";

/** What one worker is given. */
export interface EngineOfWorker {
  readonly options: EngineOptions;
  /** Call it when the worker has ended: closes what it had open. */
  readonly reclaim: () => void;
}

export interface EngineHost {
  readonly name: EngineName;
  /** Why the engine epoll could not be had at the start; undefined when it could. */
  readonly whyNoEpoll: string | undefined;
  /** Whether several workers can read the datagrams of one address. */
  readonly sharesDatagrams: boolean;
  /** Whether its workers open TLS. */
  readonly opensTls: boolean;
  /** Its listening sockets, where they can come from another process and go to one; undefined where they cannot. */
  readonly book: SocketBook | undefined;
  /** The time of the system's clock that is never set, in microseconds; undefined where that cannot be found out. */
  monotonicUs(): number | undefined;
  /** Call it after each message to a worker, which may be asleep where it hears none. */
  readonly ring: () => void;
  /** Whose workers serve a listener: this one's, or those of another engine, where it needs what this one cannot do. */
  hostOf(listener: ListenerOptions): EngineHost;
  /** The sockets of the listeners of a generation. */
  sockets(listeners: readonly ListenerOptions[]): GenerationSockets;
  holdPorts(): PortHold;
  /** @param isConfinementRequired Whether it is not to start where the kernel lacks a part of its confinement. */
  forWorker(permitted: Permitted, isConfinementRequired: boolean): EngineOfWorker;
  permissions(permitted: Permitted): Permissions;
  /** Whether workers may be permitted a subnet. */
  readonly permitsSubnets: boolean;
  /** How many descriptors can be opened now, at most `wanted`; undefined where that cannot be found out. */
  countFree(wanted: number): number | undefined;
  /** Descriptors that are open, and how many there may be; undefined where that cannot be found out. */
  openFiles(): { readonly open: number; readonly max: number } | undefined;
  /** Call it when no worker is left. */
  close(): Promise<void>;
}

/**
 * Makes the host of an engine.
 *
 * @throws {RunError} when the engine cannot be had here.
 */
export function makeEngineHost(choice: EngineChoice): EngineHost {
  return engineFor(choice) === "epoll" ? new EpollEngineHost() : runtimeHost(whyNoEpoll());
}

/** What a choice stands for here: giving the permission for foreign functions is how epoll is asked for. */
export function engineFor(choice: EngineChoice): EngineName {
  if (choice !== "auto") return choice;
  return whyNoEpoll() === undefined ? "epoll" : "runtime";
}

/** Why the engine epoll cannot be had here, as a part of a sentence; undefined when it can. */
function whyNoEpoll(): string | undefined {
  return Deno.build.os === "linux" ? whyNoLibc() : `it needs Linux, and this is ${Deno.build.os}`;
}

/** Why the engine that was chosen cannot be had here; undefined when it can. */
export function whyNoEngine(choice: EngineChoice): string | undefined {
  const missing = choice === "epoll" ? whyNoEpoll() : undefined;
  return missing === undefined ? undefined : `the engine epoll cannot be used: ${missing}`;
}

/** Which of these IP addresses this machine does not have now; none where the engine epoll cannot be had. */
export function missingAddresses(hosts: ReadonlySet<string>): ReadonlySet<string> {
  if (hosts.size === 0 || whyNoEpoll() !== undefined) return new Set();
  const libc = openLibc();
  const missing = new Set([...hosts].filter((host) => hasAddress(libc, host) === false));
  libc.unload();
  return missing;
}

/** What an engine needs to be permitted, beside sockets. */
export async function enginePermissions(engine: EngineName): Promise<Pick<Permissions, "ffi">> {
  return engine === "epoll" ? { ffi: libraries(await findLibc()) } : {};
}

/** A permission cannot name a library that has no path. */
function libraries(path: string | undefined): readonly string[] | "all" {
  return path?.startsWith("/") ? [path] : "all";
}

function runtimeHost(whyNoEpoll: string | undefined): EngineHost {
  const files: OwnFiles = new Map();
  const host: EngineHost = {
    name: "runtime",
    sharesDatagrams: false,
    opensTls: true,
    whyNoEpoll,
    book: undefined,
    monotonicUs: () => undefined,
    ring: () => {},
    hostOf: () => host,
    sockets: (listeners) => new UnixSockets(listeners, files),
    holdPorts: () => new HeldByRuntime(),
    forWorker: () => ({ options: { kind: "runtime" }, reclaim: () => {} }),
    permissions: socketPermissions,
    permitsSubnets: mayPermitSubnets(),
    countFree: countOpenable,
    openFiles: () => undefined,
    close: () => Promise.resolve(),
  };
  return host;
}

class EpollEngineHost implements EngineHost {
  readonly name = "epoll";
  readonly sharesDatagrams = true;
  readonly opensTls = false;
  readonly whyNoEpoll = undefined;
  /** The kernel knows ports alone. */
  readonly permitsSubnets = true;
  readonly ring: () => void;
  readonly book: SocketBook;
  readonly #host: EpollHost;
  /** For what is beyond epoll. */
  readonly #runtime = runtimeHost(undefined);

  constructor() {
    const missing = whyNoEngine("epoll");
    if (missing !== undefined) throw new RunError(missing);
    this.#host = new EpollHost();
    this.book = new SocketBook(this.#host);
    this.ring = this.#host.ring;
  }

  /** TLS is the runtime's. */
  hostOf({ opensTls }: ListenerOptions): EngineHost {
    return opensTls === true ? this.#runtime : this;
  }

  sockets(listeners: readonly ListenerOptions[]): GenerationSockets {
    return new EpollSockets(this.book, listeners);
  }

  holdPorts(): PortHold {
    const [ours, runtimes] = [new HeldByBook(this.book), this.#runtime.holdPorts()];
    return {
      hold: (address, options) => (options.opensTls === true ? runtimes : ours).hold(address, options),
      release: async () => {
        await ours.release();
        await runtimes.release();
      },
    };
  }

  forWorker(permitted: Permitted, isConfinementRequired: boolean): EngineOfWorker {
    const share = this.#host.enter();
    const reach = reachOf(permitted);
    return {
      options: {
        kind: "epoll",
        ...share,
        reach,
        isConfinementRequired,
      },
      reclaim: () => this.#host.leave(share),
    };
  }

  /** The sockets are reached by calls of the system, not of the runtime. */
  permissions(): Permissions {
    return { net: [], read: [], write: [], ffi: libraries(this.#host.libraryPath) };
  }

  monotonicUs(): number {
    return this.#host.monotonicUs;
  }

  countFree(wanted: number): number | undefined {
    const files = this.openFiles();
    return files === undefined ? undefined : Math.min(Math.max(0, files.max - files.open), wanted);
  }

  openFiles(): { open: number; max: number } | undefined {
    const { openFiles: open, maxDescriptors: max } = this.#host;
    return open === undefined ? undefined : { open, max };
  }

  async close(): Promise<void> {
    await this.#host.close();
  }
}
