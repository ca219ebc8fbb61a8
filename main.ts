/**
 * sockbal: a socket server, client and load balancer in one program.
 *
 * From flags to a role, and from how it ended to an exit status. Nothing else ends the process.
 */

import project from "./deno.json" with { type: "json" };
import type { Command } from "./lib/cli/command_line.ts";
import type { Terminal } from "./lib/roles/terminal.ts";

/** 0: done, or stopped by the user. 1: it could not run, or the peer failed. 2: the input is wrong. */
type ExitStatus = 0 | 1 | 2;

/** Signals this close are one: a launcher passes on what the whole process group got from the terminal as well. */
const ONE_SIGNAL_MS = 500;

async function main(args: readonly string[]): Promise<ExitStatus> {
  const terminal: Terminal = {
    stop: stopSignal(),
    // Windows has no SIGUSR1, and sends SIGHUP when the console is closed, which is no wish for a new configuration.
    onSignal: (signal, heard) => {
      if (Deno.build.os !== "windows") Deno.addSignalListener(signal, heard);
    },
    print: async (text) => {
      const { writeOut } = await import("./lib/roles/terminal.ts");
      await writeOut(new TextEncoder().encode(text));
    },
    version: project.version,
    // In the source tree there is no command of that name.
    command: import.meta.url.endsWith("/main.ts") && !Deno.build.standalone ? "deno task sockbal" : "sockbal",
  };
  let isDone = false;
  const onFault = (event: Event, reason: unknown): void => {
    event.preventDefault();
    // With --watch the runtime lets nobody exit, and complains here.
    if (!isDone) report(reason, args).then(Deno.exit);
  };
  globalThis.addEventListener("unhandledrejection", (event) => onFault(event, event.reason));
  globalThis.addEventListener("error", (event) => onFault(event, event.error));
  try {
    const { parseCommandLine } = await import("./lib/cli/command_line.ts");
    await run(parseCommandLine(args, project.version), terminal);
    return 0;
  } catch (error) {
    // Whoever reads stdout has seen enough, as `head` has.
    if (error instanceof Error && error.name === "OutputClosed") return 0;
    return await report(error, args);
  } finally {
    isDone = true;
  }
}

async function run(command: Command, terminal: Terminal): Promise<void> {
  switch (command.run) {
    case "show":
      return await terminal.print(command.text);
    case "server":
      return await (await import("./lib/roles/server.ts")).runServerRole(command.flags, terminal);
    case "client":
      return await (await import("./lib/roles/client.ts")).runClientRole(command.flags, terminal);
    case "balancer":
      return await (await import("./lib/roles/balancer.ts")).runBalancerRole(command.flags, terminal);
    case "demo":
      return await (await import("./lib/roles/demo.ts")).runDemo(command.flags, terminal);
  }
}

/** The first Ctrl-C or SIGTERM asks the role to stop; the second does not wait for it. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  let firstMs = Infinity;
  const onSignal = (): void => {
    if (stop.signal.aborted && performance.now() - firstMs > ONE_SIGNAL_MS) Deno.exit(0);
    firstMs = Math.min(firstMs, performance.now());
    stop.abort();
  };
  Deno.addSignalListener("SIGINT", onSignal);
  Deno.addSignalListener("SIGTERM", onSignal);
  return stop.signal;
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
  const prefix = error instanceof Error && error.name === "ConfigError" ? "" : "sockbal: ";
  const { writeAll } = await import("./lib/core/connection.ts");
  // Whoever reads stderr may have gone; there is nobody else to tell.
  await writeAll(Deno.stderr, new TextEncoder().encode(`${trace}${prefix}${message}\n`)).catch(() => {});
  return error instanceof InputError ? 2 : 1;
}

// In a bundle the workers of the data plane start from this file too. Every role is loaded only when it is run.
if ("WorkerGlobalScope" in globalThis) await import("./lib/dataplane/worker.ts");
else if (import.meta.main) Deno.exit(await main(Deno.args));
