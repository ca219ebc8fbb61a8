// deno-lint-ignore-file no-await-in-loop no-console -- sessions follow one another, and the curve is the product

/**
 * Many short sessions through one balancer, and its resident memory and open files meanwhile:
 * `deno task soak --sessions 1000000 --engine epoll`. Beside them clients reset, stall and leave at every step.
 *
 * The curve is flat when nothing is kept of a session that has ended; at the end no file is open that was not open at the start.
 */

import { connect } from "node:net";
import { parseArgs } from "node:util";
import { find, type Running, start, stopAll, untilAccepting, usage } from "./processes.ts";
import { possibleWith } from "./programs.ts";
import { DENO_RUN } from "./proxies.ts";
import { requests } from "./load.ts";

const { values } = parseArgs({
  options: {
    sessions: { type: "string", default: "1000000" },
    engine: { type: "string", default: "runtime" },
  },
});
const wanted = Number(values.sessions);
const { engine } = values;
const BACKENDS = [21_801, 21_802, 21_803];
const PORT = 21_800;

/** Long enough for a figure that means something, short enough for a curve. */
const SLICE_SECONDS = 5;

const installed = new Set(await find("wrk") === undefined ? [] : ["wrk"] as const);
const { sentences } = possibleWith([{ name: "soak", needs: ["wrk"] }], installed);
for (const sentence of sentences) console.error(sentence);
if (sentences.length > 0) Deno.exit(1);

function sockbal(...args: string[]): Running {
  return start([...DENO_RUN, "main.ts", ...args]);
}

/** After the start, and after the last session, until all has come to rest. */
const CALM_MS = 3_000;

/** Clients that do what clients should not, a few at a time. */
class Mischief {
  #isOver = false;
  #done = 0;
  readonly #clients: Promise<void>[];

  constructor(port: number) {
    this.#clients = Array.from({ length: 8 }, () => this.#run(port));
  }

  async end(): Promise<{ readonly done: number }> {
    this.#isOver = true;
    await Promise.all(this.#clients);
    return { done: this.#done };
  }

  async #run(port: number): Promise<void> {
    for (; !this.#isOver; this.#done++) {
      await new Promise<void>((resolve) => {
        const socket = connect({ host: "127.0.0.1", port });
        socket.on("close", () => resolve()).on("error", () => {});
        const after = (ms: number, act: () => void): void => void setTimeout(act, ms);
        switch (this.#done % 5) {
          case 0:
            return void socket.once("connect", () => socket.resetAndDestroy());
          case 1:
            socket.write("GET / HTTP/1.1\r\n");
            return after(Math.random() * 20, () => socket.resetAndDestroy());
          case 2:
            // Says half of it, reads nothing, and leaves.
            socket.write("GET / HT");
            return after(300, () => socket.destroy());
          case 3:
            socket.end("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            return void socket.resume();
          default:
            socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(50));
            return after(Math.random() * 5, () => socket.resetAndDestroy());
        }
      });
    }
  }
}

async function soak(): Promise<void> {
  for (const port of BACKENDS) {
    sockbal(
      ...["--role", "server", "--listen", `127.0.0.1:${port}`, "--handler", "http", "--log-level", "error"],
    );
  }
  await Promise.all(BACKENDS.map(untilAccepting));
  const backends = BACKENDS.flatMap((port) => ["--backend", `127.0.0.1:${port}`]);
  const permission = engine === "epoll" ? ["--allow-ffi"] : [];
  const balancer = start([
    ...[...DENO_RUN, ...permission, "main.ts", "--role", "balancer", "--engine", engine],
    ...["--listen", `127.0.0.1:${PORT}`, ...backends],
  ]);
  await untilAccepting(PORT);
  // Connections wait before the workers have come to accept them.
  await new Promise((resolve) => setTimeout(resolve, CALM_MS));
  const filesAtRest = await openFiles(balancer.pid);
  const tell = async (sessions: string): Promise<void> => {
    const { residentBytes } = await usage(balancer.pid);
    const memory = (residentBytes / 2 ** 20).toFixed(1).padStart(12);
    console.log(
      `${sessions.padStart(11)}   ${memory}   ${String(await openFiles(balancer.pid)).padStart(10)}`,
    );
  };

  const mischief = new Mischief(PORT);
  console.log("   sessions   resident MiB   open files");
  for (let sessions = 0; sessions < wanted;) {
    await tell(String(sessions));
    const load = { connections: 64, seconds: SLICE_SECONDS, keepAlive: false };
    sessions += (await requests(PORT, load)).count;
  }
  const { done } = await mischief.end();
  await new Promise((resolve) => setTimeout(resolve, CALM_MS));
  await tell(`${wanted}+`);
  const left = await openFiles(balancer.pid) - filesAtRest;
  console.log(
    `${done} clients misbehaved beside them; ${left === 0 ? "no file is" : `${left} files are`} left open`,
  );
  if (left !== 0) throw new Error("Cannot call this a balancer: it leaks");
}

/** Of a process (proc(5)); the runtime itself may not look there. */
async function openFiles(pid: number): Promise<number> {
  const { stdout } = await new Deno.Command("ls", { args: [`/proc/${pid}/fd`] }).output();
  return new TextDecoder().decode(stdout).trim().split("\n").length;
}

try {
  await soak();
} finally {
  await stopAll();
}
Deno.exit(0);
