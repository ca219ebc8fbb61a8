// deno-lint-ignore-file no-await-in-loop -- waiting is a loop here

/** Programs that a measurement starts, and what the system says about them. */

/** A program that runs; `pid` is the first of its processes. */
export interface Running {
  readonly pid: number;
  stop(): Promise<void>;
}

const allRunning = new Set<Running>();

/** Starts a program whose output is not read. */
export function start(command: readonly string[]): Running {
  const [program = "", ...args] = command;
  const child = new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
  const running: Running = {
    pid: child.pid,
    stop: async () => {
      try {
        child.kill("SIGTERM");
      } catch {
        // It has ended by itself.
      }
      await child.status;
      allRunning.delete(running);
    },
  };
  allRunning.add(running);
  return running;
}

/** Stops whatever was started and not stopped: what is left running would be measured by the next run. */
export async function stopAll(): Promise<void> {
  await Promise.all([...allRunning].map((it) => it.stop()));
}

/** Runs a program to its end and gives its stdout. */
export async function run(command: readonly string[]): Promise<string> {
  const [program = "", ...args] = command;
  const { stdout } = await new Deno.Command(program, { args, stdin: "null", stderr: "null" }).output();
  return new TextDecoder().decode(stdout);
}

/** Where a program is; undefined when it is not installed. Debian keeps some in folders that are not in every PATH. */
export async function find(program: string): Promise<string | undefined> {
  const look = 'PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v "$1"';
  return (await run(["sh", "-c", look, "sh", program])).trim() || undefined;
}

/** Where those of the programs are that are installed. */
export async function findAll<Name extends string>(
  programs: readonly Name[],
): Promise<ReadonlyMap<Name, string>> {
  const found = new Map<Name, string>();
  await Promise.all(programs.map(async (program) => {
    const path = await find(program);
    if (path !== undefined) found.set(program, path);
  }));
  return found;
}

/** What a program and all its descendants use, from /proc (proc(5)). */
export interface Usage {
  /** User and system time together, in seconds. */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
}

/** Ticks of the clock of /proc in a second (`getconf CLK_TCK`; 100 on Linux). */
const CLOCK_TICKS = 100;

/** Reads what a process and its descendants use now. */
export async function usage(pid: number): Promise<Usage> {
  // The runtime lets no program read /proc with less than all permissions, so `cat` does.
  const stats = (await run(["sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null"])).trimEnd().split("\n").map(
    parseStat,
  );
  const family = new Set([pid]);
  for (let size = 0; size !== family.size;) {
    size = family.size;
    for (const stat of stats) if (family.has(stat.parent)) family.add(stat.pid);
  }
  const members = stats.filter((stat) => family.has(stat.pid));
  return {
    cpuSeconds: members.reduce((sum, stat) => sum + stat.ticks, 0) / CLOCK_TICKS,
    residentBytes: members.reduce((sum, stat) => sum + stat.residentPages, 0) * 4096,
  };
}

function parseStat(line: string): { pid: number; parent: number; ticks: number; residentPages: number } {
  // The name of the program stands in parentheses and may contain anything.
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ").map(Number);
  return {
    pid: parseInt(line),
    parent: fields[1] ?? 0,
    ticks: (fields[11] ?? 0) + (fields[12] ?? 0),
    residentPages: fields[21] ?? 0,
  };
}

/** Resolves with the milliseconds it took until the port accepted. */
export async function untilAccepting(port: number): Promise<number> {
  const startedMs = performance.now();
  while (performance.now() - startedMs < 10_000) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return performance.now() - startedMs;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
  throw new Error(`Cannot reach port ${port}: nothing accepted there within 10 s`);
}

/** Resolves when a datagram to the port has been answered. */
export async function untilAnswering(port: number): Promise<void> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const ask = (): void => {
    // Refused while nothing listens there.
    socket.send(new Uint8Array(1), { transport: "udp", hostname: "127.0.0.1", port }).catch(() => {});
  };
  const asking = setInterval(ask, 20);
  const giveUp = setTimeout(() => socket.close(), 10_000);
  try {
    await socket.receive();
    socket.close();
  } catch {
    throw new Error(`Cannot reach UDP port ${port}: nothing answered there within 10 s`);
  } finally {
    clearInterval(asking);
    clearTimeout(giveUp);
  }
}
