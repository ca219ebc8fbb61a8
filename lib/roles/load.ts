/** The client role as a load: a run from flags, what is said meanwhile, and its report. */

import type { ClientFlags } from "../cli/flags.ts";
import { formatAddress } from "../core/address.ts";
import { RunError } from "../core/errors.ts";
import { log } from "../core/log.ts";
import { resolveAll } from "../core/resolve.ts";
import { engineFor, whyNoEngine } from "../control/engine_host.ts";
import { checkWorkerModules } from "../control/worker_entry.ts";
import { CSV_HEADER, csvRow } from "../load/csv.ts";
import type { LoadPlan } from "../load/plan.ts";
import { httpRequest } from "../load/request.ts";
import { reportText } from "../load/report.ts";
import { jsonReport } from "../load/result.ts";
import { type LoadResult, runLoad } from "../load/run_load.ts";
import { giveUpForeignFunctions, giveUpWriting } from "./given_up.ts";
import { LoadProgress } from "./load_progress.ts";
import { loadThreads } from "./load_threads.ts";
import { startStderrLog, type Terminal, terminalColumns } from "./terminal.ts";
import { readTlsFiles } from "./tls_files.ts";

/** Without --timeout. */
const TIMEOUT_MS = 10_000;

/** What a request sends where nothing is said about it. */
const PAYLOAD_BYTES = 64;

/** Of a report whose reader does not say. */
const WIDTH = 80;

/**
 * Loads the peer, and prints the report.
 *
 * @throws {RunError} when it cannot be done, or after the report when too many requests have failed.
 */
export async function runLoadRole(flags: ClientFlags, terminal: Terminal): Promise<void> {
  const engine = chooseEngine(flags);
  if (engine === "runtime") await giveUpForeignFunctions();
  await giveUpWriting({ dials: [flags.connect] });
  const running = startStderrLog(flags.logLevel, flags.logFormat);
  try {
    await checkWorkerModules();
    const plan = await planOf(flags);
    const { result, rows } = await run(flags, plan, engine, terminal);
    try {
      await (flags.load.csv ? rows : terminal.print(textOf(flags, plan, engine, result)));
    } finally {
      // A reader that has gone makes no success of a failure.
      judge(flags, result);
    }
  } finally {
    await running.close();
  }
}

function chooseEngine({ tls, load: { engine = "auto" } }: ClientFlags): "runtime" | "epoll" {
  // TLS is the runtime's.
  if (tls) return "runtime";
  const missing = whyNoEngine(engine);
  if (missing !== undefined) throw new RunError(missing);
  return engineFor(engine);
}

async function planOf(flags: ClientFlags): Promise<LoadPlan> {
  const { connect, load, proxyProtocol, timeoutMs } = flags;
  const [first = connect, ...others] = await resolveAll(connect);
  const expect = load.expect ??
    (connect.transport === "udp" ? { kind: "datagrams", datagrams: 1 } : { kind: "echo" });
  const newConnection = load.newConnection || expect.kind === "eof";
  return {
    addresses: [first, ...others],
    host: connect.transport === "tcp" ? connect.host : undefined,
    connections: load.connections ?? 1,
    requests: load.requests ?? Infinity,
    durationMs: load.durationMs ?? Infinity,
    newConnection,
    hold: load.hold,
    request: requestOf(flags, newConnection),
    pipeline: load.pipeline ?? 1,
    rate: load.rate ?? 0,
    rampMs: load.rampMs ?? 0,
    expect,
    verify: load.verify,
    timeoutMs: timeoutMs === 0 ? TIMEOUT_MS : timeoutMs,
    proxyProtocol,
    tls: flags.tls ? await tlsOf(flags) : undefined,
  };
}

function requestOf({ messages, connect, load }: ClientFlags, isLast: boolean): LoadPlan["request"] {
  if (messages.length > 0) return { text: messages.map((message) => `${message}\n`).join("") };
  if (load.expect?.kind !== "http") return { bytes: load.payloadBytes ?? PAYLOAD_BYTES };
  const host = connect.transport === "tcp" ? formatAddress(connect) : "localhost";
  return { text: httpRequest(host, isLast) };
}

async function tlsOf({ serverName, alpn, insecure, ...files }: ClientFlags): Promise<LoadPlan["tls"]> {
  const { keys, notes } = await readTlsFiles("--", files);
  for (const note of notes) log.warn("config_note", { note });
  return { options: { serverName, alpn, verify: !insecure }, keys };
}

/** @return With the printing of the rows, which may have failed. */
async function run(
  { connect, load }: ClientFlags,
  plan: LoadPlan,
  engine: "runtime" | "epoll",
  terminal: Terminal,
): Promise<{ readonly result: LoadResult; readonly rows: Promise<void> }> {
  const progress = new LoadProgress(plan, load.csv);
  const failed = new AbortController();
  let printing = load.csv ? terminal.print(`${CSV_HEADER}\n`) : Promise.resolve();
  // A reader that has gone ends the run.
  const print = (text: string): void => {
    printing = printing.then(() => terminal.print(text));
    printing.catch(() => failed.abort());
  };
  printing.catch(() => failed.abort());
  try {
    const result = await runLoad({
      plan,
      engine,
      workers: load.workers ?? 1,
      ...await loadThreads(connect, plan, engine),
      stop: AbortSignal.any([terminal.stop, failed.signal]),
      onSecond: (second) => {
        if (load.csv) print(`${csvRow(second)}\n`);
        progress.show(second);
      },
    });
    return { result, rows: printing };
  } finally {
    await progress.close();
  }
}

function textOf(
  { connect, load }: ClientFlags,
  plan: LoadPlan,
  engine: "runtime" | "epoll",
  result: LoadResult,
): string {
  if (load.json) return `${JSON.stringify(jsonReport(result), null, 2)}\n`;
  return reportText(
    { plan, engine, target: formatAddress(connect), workers: load.workers ?? 1 },
    result,
    { width: terminalColumns(Deno.stdout) ?? WIDTH, isColoured: Deno.stdout.isTerminal() && !Deno.noColor },
  );
}

function judge(
  { connect, load: { hold, maxErrors = 0 } }: ClientFlags,
  { figures, unsent, isStopped }: LoadResult,
): void {
  // Of a load that is stopped there is always something due that would have been sent in a moment.
  const neverSent = isStopped ? 0 : unsent;
  const errorCount = figures.errorCount + neverSent;
  if (errorCount <= maxErrors) return;
  const what = hold ? "connection" : "request";
  const failed = errorCount === 1 ? `1 ${what} has failed` : `${errorCount} ${what}s have failed`;
  const allowed = maxErrors === 0 ? "none may" : `${maxErrors} may (--max-errors)`;
  const how = neverSent === 0
    ? ""
    : `; ${neverSent} of them ${neverSent === 1 ? "was" : "were"} due and never sent`;
  throw new RunError(`${formatAddress(connect)}: ${failed}, and ${allowed}${how}`);
}
