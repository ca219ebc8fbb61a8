/**
 * sockbal: a socket server, client and load balancer in one program.
 *
 * From flags to a role, and from how it ended to an exit status. Nothing else ends the process.
 */

import project from "./deno.json" with { type: "json" };
import type { Command } from "./lib/cli/command_line.ts";
import { SignalInbox } from "./lib/core/signal_inbox.ts";
import { StopRequests } from "./lib/core/stop_requests.ts";
import type { Terminal } from "./lib/roles/terminal.ts";

/** 0: done, or stopped by the user. 1: it could not run, or the peer failed. 2: the input is wrong. */
type ExitStatus = 0 | 1 | 2;

/** What ends before it is done has not shown that all is well, as a check does. */
const CUT_SHORT: ExitStatus = 1;

/** The commit that a bundle was made from; tools/bundle.ts writes it here. Empty in the source tree. */
const COMMIT: string = "";

/** How long a role may take to end after it was told not to wait for sessions. */
const HURRY_TIMEOUT_MS = 5_000;

async function main(args: readonly string[]): Promise<ExitStatus> {
  // First of all: the system ends a program that has no handler for a signal.
  const stops = catchStops();
  const inbox = catchOperatorSignals(args);
  const terminal: Terminal = {
    stop: stops.stop,
    hurry: stops.hurry,
    requestStop: () => void stops.receive(performance.now()),
    onSignal: (signal, handler) => inbox.handle(signal, handler),
    onFault: (handler) => faultHandler = handler,
    print: async (text) => {
      const { writeOut } = await import("./lib/core/output.ts");
      await writeOut(new TextEncoder().encode(text));
    },
    version: project.version,
    // In the source tree there is no command of that name.
    command: import.meta.url.endsWith("/main.ts") && !Deno.build.standalone ? "deno task sockbal" : "sockbal",
  };
  let isDone = false;
  let faultHandler = (reason: unknown): void => void report(reason, args).then(Deno.exit);
  const onFault = (event: Event, reason: unknown): void => {
    event.preventDefault();
    // With --watch the runtime refuses to exit, and complains here.
    if (!isDone) faultHandler(reason);
  };
  globalThis.addEventListener("unhandledrejection", (event) => onFault(event, event.reason));
  globalThis.addEventListener("error", (event) => onFault(event, event.error));
  try {
    const { parseCommandLine } = await import("./lib/cli/command_line.ts");
    await run(parseCommandLine(args, await version(args)), terminal);
    return 0;
  } catch (error) {
    // The reader of stdout has seen enough, as `head` has.
    if (error instanceof Error && error.name === "OutputClosed") return 0;
    return await report(error, args);
  } finally {
    isDone = true;
  }
}

/** More than its number only for those who ask: it is more to load. */
async function version(args: readonly string[]): Promise<string> {
  if (!args.includes("--version")) return project.version;
  return (await import("./lib/roles/version.ts")).describeVersion(project.version, COMMIT);
}

async function run(command: Command, terminal: Terminal): Promise<void> {
  switch (command.run) {
    case "show":
      return await terminal.print(command.text);
    case "server":
      return await (await import("./lib/roles/server.ts")).runServerRole(command.flags, terminal);
    case "client":
      return await (await import("./lib/roles/client.ts")).runClientRole(command.flags, terminal);
    case "compare":
      return await (await import("./lib/roles/compare.ts")).runCompare(command.flags, terminal);
    case "balancer":
      return await (await import("./lib/roles/balancer.ts")).runBalancerRole(command.flags, terminal);
    case "demo":
      return await (await import("./lib/roles/demo.ts")).runDemo(command.flags, terminal);
    case "rehearsal":
      return await (await import("./lib/roles/rehearsal.ts")).runRehearsal(command.flags, terminal);
  }
}

/**
 * Ctrl-C and SIGTERM: the first asks the role to stop, the second not to wait for sessions, the third ends the process, whatever it has
 * left undone.
 */
function catchStops(): StopRequests {
  const stops = new StopRequests();
  const onSignal = (): void => {
    const request = stops.receive(performance.now());
    if (request === "exit") Deno.exit(CUT_SHORT);
    if (request === "hurry") setTimeout(() => Deno.exit(CUT_SHORT), HURRY_TIMEOUT_MS);
  };
  Deno.addSignalListener("SIGINT", onSignal);
  Deno.addSignalListener("SIGTERM", onSignal);
  return stops;
}

/**
 * The other signals, kept until the role handles them.
 *
 * SIGHUP is caught for the balancer alone: a listener would undo what nohup has set up for other roles, and a client is to
 * end with its terminal. Windows has no SIGUSR1, and sends SIGHUP when the console is closed, which asks for no reload.
 */
function catchOperatorSignals(args: readonly string[]): SignalInbox {
  const inbox = new SignalInbox();
  if (Deno.build.os === "windows") return inbox;
  for (const signal of ["SIGUSR1", "SIGUSR2"] as const) {
    Deno.addSignalListener(signal, () => inbox.receive(signal));
  }
  if (args.some((arg) => arg.endsWith("balancer"))) {
    Deno.addSignalListener("SIGHUP", () => inbox.receive("SIGHUP"));
  }
  return inbox;
}

/** Says what went wrong in plain sentences; a stack trace only to those who debug. */
async function report(error: unknown, args: readonly string[]): Promise<ExitStatus> {
  const { InputError, RunError } = await import("./lib/core/errors.ts");
  const isExpected = error instanceof InputError || error instanceof RunError;
  const isDebugging = args.some((arg, i) =>
    arg === "--log-level=debug" || (arg === "debug" && args[i - 1] === "--log-level")
  );
  const trace = error instanceof Error && isDebugging ? `${error.stack}\n` : "";
  const message = isExpected
    ? error.message
    : `unexpected fault: ${error instanceof Error ? error.message : error}`;
  // Faults of a configuration begin with file:line:column, as editors and people expect.
  const isPlaced = error instanceof Error && (error.name === "ConfigError" || error.name === "PlacedError");
  const prefix = isPlaced ? "" : "sockbal: ";
  const { writeAll } = await import("./lib/core/connection.ts");
  // The reader of stderr may have gone; there is no other place to say it.
  await writeAll(Deno.stderr, new TextEncoder().encode(`${trace}${prefix}${message}\n`)).catch(() => {});
  return error instanceof InputError ? 2 : 1;
}

// In a bundle workers start from this file too, and are told apart by their names. Every role is loaded only when it is run.
if ("WorkerGlobalScope" in globalThis) {
  if (/^load-/.test(String(Reflect.get(globalThis, "name")))) await import("./lib/load/loader.ts");
  else await import("./lib/dataplane/worker.ts");
} else if (import.meta.main) Deno.exit(await main(Deno.args));
