/** The program as a process of its own: started, listened to, signalled. */

import type { EngineName } from "../../lib/config/engine_names.ts";

const root = new URL("../../", import.meta.url).pathname;

/** The program from the source tree, with the permissions of `deno task sockbal`. */
export const SOCKBAL: readonly string[] = [
  Deno.execPath(),
  ...[
    "run",
    "--no-prompt",
    "--v8-flags=--max-semi-space-size=4",
    "--config",
    `${root}deno.json`,
    "--allow-net",
    "--allow-read",
    "--allow-write",
    "--allow-env",
  ],
  `${root}main.ts`,
];

/** The program from the source tree, with these permissions and no others. */
export function sockbalWith(permissions: readonly string[]): string[] {
  const own = SOCKBAL.filter((part) => !part.startsWith("--allow-"));
  return [...own.slice(0, -1), ...permissions, ...own.slice(-1)];
}

/** As {@linkcode SOCKBAL}, and with the permission that the engine epoll needs. */
export const SOCKBAL_EPOLL: readonly string[] = sockbalWith([
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-ffi",
]);

/** The program with the permissions for an engine, which it then has. */
export function sockbalOn(engine: EngineName): readonly string[] {
  return engine === "epoll" ? SOCKBAL_EPOLL : SOCKBAL;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  /** What the program reads from stdin; nothing by default. */
  readonly input?: Uint8Array;
  /** Whether its stdin stays open, for {@linkcode RunningCommand.type}. */
  readonly isTyped?: boolean;
  readonly clearEnv?: boolean;
}

export interface Finished {
  readonly status: number;
  readonly signal: Deno.Signal | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that runs. */
export class RunningCommand implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #out: Heard;
  readonly #err: Heard;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array> | undefined;
  readonly finished: Promise<Finished>;

  constructor(command: readonly string[], options: CommandOptions = {}) {
    const [program = "", ...args] = command;
    this.#child = new Deno.Command(program, {
      args,
      stdin: options.input === undefined && options.isTyped !== true ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
      env: { NO_COLOR: "1", ...options.env },
      clearEnv: options.clearEnv ?? false,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    }).spawn();
    this.#out = new Heard(this.#child.stdout);
    this.#err = new Heard(this.#child.stderr);
    if (options.isTyped) this.#stdin = this.#child.stdin.getWriter();
    if (options.input !== undefined) void this.#feed(options.input);
    this.finished = this.#finish();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Resolves with the match as soon as stdout, or stderr, has a part that fits. */
  sees(pattern: RegExp, stream: "stdout" | "stderr" = "stderr"): Promise<RegExpMatchArray> {
    return (stream === "stdout" ? this.#out : this.#err).sees(pattern);
  }

  /** Writes lines to its stdin. */
  async type(lines: string): Promise<void> {
    await this.#stdin?.write(new TextEncoder().encode(lines));
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Ends the program if it has not ended, and waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.finished;
  }

  async #feed(input: Uint8Array): Promise<void> {
    try {
      const writer = this.#child.stdin.getWriter();
      await writer.write(input);
      await writer.close();
    } catch {
      // The program did not want all of it.
    }
  }

  async #finish(): Promise<Finished> {
    const [{ code, signal }, stdout, stderr] = await Promise.all([
      this.#child.status,
      this.#out.all,
      this.#err.all,
    ]);
    await this.#stdin?.close().catch(() => {});
    return { status: code, signal, stdout, stderr };
  }
}

/** Runs a program to its end. */
export async function runCommand(command: readonly string[], options?: CommandOptions): Promise<Finished> {
  return await new RunningCommand(command, options).finished;
}

/** Runs sockbal to its end. */
export function sockbal(...args: string[]): Promise<Finished> {
  return runCommand([...SOCKBAL, ...args]);
}

/** Starts sockbal. */
export function startSockbal(...args: string[]): RunningCommand {
  return new RunningCommand([...SOCKBAL, ...args]);
}

/** What is not said by then is not waited for any longer. */
const PATIENCE_MS = 90_000;

/** What a stream has said so far, for those who wait for a certain word. */
class Heard {
  readonly all: Promise<string>;
  #text = "";
  #hasEnded = false;
  readonly #waiting = new Set<() => void>();

  constructor(stream: ReadableStream<Uint8Array>) {
    this.all = this.#listen(stream);
  }

  sees(pattern: RegExp): Promise<RegExpMatchArray> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => reject(new Error(`Cannot find ${pattern} in:\n${this.#text}`));
      const patience = setTimeout(giveUp, PATIENCE_MS);
      const look = (): void => {
        const match = this.#text.match(pattern);
        if (match !== null) resolve(match);
        else if (this.#hasEnded) giveUp();
        else return;
        clearTimeout(patience);
        this.#waiting.delete(look);
      };
      this.#waiting.add(look);
      look();
    });
  }

  async #listen(stream: ReadableStream<Uint8Array>): Promise<string> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      this.#text += decoder.decode(chunk, { stream: true });
      for (const look of this.#waiting) look();
    }
    this.#hasEnded = true;
    for (const look of this.#waiting) look();
    return this.#text;
  }
}
