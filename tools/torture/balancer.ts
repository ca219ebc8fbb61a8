/** The balancer under torture: a process of its own, with few open files. */

const ROOT = new URL("../../", import.meta.url).pathname;

export interface Status {
  readonly generation: number;
  readonly workers: readonly { readonly generation: number }[];
  readonly listeners: readonly {
    readonly name: string;
    readonly active: number;
    readonly sessions_total: number;
  }[];
  readonly pools: readonly { readonly backends: readonly { readonly active: number }[] }[];
}

export class Balancer {
  readonly pid: number;
  readonly exited: Promise<Deno.CommandStatus>;
  readonly #child: Deno.ChildProcess;
  readonly #admin: string;
  #log = "";

  /**
   * @param files The limit of open files.
   * @param engine How its workers drive their sockets.
   */
  constructor(config: string, adminPort: number, files: number, engine: "runtime" | "epoll") {
    this.#admin = `http://127.0.0.1:${adminPort}`;
    const sockbal = [
      ...["run", "--no-prompt", "--config", `${ROOT}deno.json`, "--v8-flags=--max-semi-space-size=4"],
      ...["--allow-net", "--allow-read", "--allow-write"],
      ...(engine === "epoll" ? ["--allow-ffi"] : []),
      `${ROOT}main.ts`,
      ...["--role", "balancer", "--config", config],
    ];
    this.#child = new Deno.Command("sh", {
      args: [
        "-c",
        `ulimit -n ${files} && trap "" XFSZ && exec "$@"`,
        "sh",
        Deno.execPath(),
        ...sockbal,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.pid = this.#child.pid;
    this.exited = this.#child.status;
    void this.#readLog();
  }

  /** The last lines of its log. */
  get logTail(): string {
    return this.#log.slice(-4_000);
  }

  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  async status(): Promise<Status> {
    return await (await this.ask("GET", "/api/status")).json();
  }

  /** The sum of a counter over all its series. */
  async sum(counter: string): Promise<number> {
    const text = await (await this.ask("GET", "/metrics")).text();
    const lines = text.split("\n").filter((line) => line.startsWith(`${counter}{`));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
  }

  async ask(method: string, path: string, body?: string): Promise<Response> {
    return await fetch(`${this.#admin}${path}`, {
      method,
      signal: AbortSignal.timeout(20_000),
      ...(body === undefined ? {} : { body, headers: { "content-type": "application/json" } }),
    });
  }

  /** From now on no file of its may grow beyond this, as on a full disk; false where that cannot be set. */
  async limitFileSize(bytes: number): Promise<boolean> {
    try {
      const args = [`--pid=${this.pid}`, `--fsize=${bytes}:`];
      return (await new Deno.Command("prlimit", { args }).output()).success;
    } catch {
      return false;
    }
  }

  /** What it has open, one entry a descriptor (proc(5)). */
  async openFiles(): Promise<string[]> {
    const { stdout } = await new Deno.Command("find", {
      args: [`/proc/${this.pid}/fd`, "-type", "l", "-printf", "%l\n"],
    })
      .output();
    return new TextDecoder().decode(stdout).trim().split("\n").sort();
  }

  async #readLog(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.#log = (this.#log + text).slice(-64 * 1024);
    }
  }
}
