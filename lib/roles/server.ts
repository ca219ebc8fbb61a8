/** The server role: a server from flags, for connections or datagrams, until the user stops it. */

import type { ServerFlags } from "../cli/flags.ts";
import { misbehaviourNotes, misbehaviourOf } from "../cli/misbehaviour_flags.ts";
import type { EngineName } from "../config/engine_names.ts";
import { engineFor, whyNoEngine } from "../control/engine_host.ts";
import type { UdpAddress } from "../core/address.ts";
import { InputError, RunError } from "../core/errors.ts";
import { log } from "../core/log.ts";
import { checkForUdp, type Misbehaviour, misbehaviourFields } from "../core/misbehaviour.ts";
import type { TlsKeys } from "../engine/tls_contract.ts";
import { datagramHandlers } from "../respond/datagram_handlers.ts";
import { startDatagramServer } from "../respond/datagram_server.ts";
import { exchanges } from "../respond/exchanges.ts";
import { handlers } from "../respond/handlers.ts";
import { MisbehavingAnswers } from "../respond/misbehaving_answers.ts";
import { startMisbehavingServer } from "../respond/misbehaving_server.ts";
import { type RunningServer, startServer } from "../respond/server.ts";
import { followLines, type Misbehaving } from "./misbehaviour_lines.ts";
import { startStderrLog, stopped, type Terminal } from "./terminal.ts";
import { readTlsFiles } from "./tls_files.ts";
import { giveUpForeignFunctions, giveUpWriting } from "./given_up.ts";

/** Runs a server until the user stops it. */
export async function runServerRole(flags: ServerFlags, terminal: Terminal): Promise<void> {
  const engine = chooseEngine(flags);
  if (engine === "runtime") await giveUpForeignFunctions();
  await giveUpWriting({ listens: [flags.listen] });
  const { tlsCert: cert, tlsKey: key } = flags;
  const files = cert === undefined ? undefined : await readTlsFiles("--tls-", { cert, key });
  const running = startStderrLog(flags.logLevel, flags.logFormat);
  try {
    const notes = [...files?.notes ?? [], ...misbehaviourNotes(flags.misbehaviour)];
    for (const note of notes) log.warn("config_note", { note });
    const misbehaviour = misbehaviourOf(flags.misbehaviour, flags.listen.transport === "udp");
    const { stop, misbehaving } = await start(flags, engine, files?.keys, misbehaviour);
    log.info("ready", { handler: flags.handler, engine });
    if (misbehaviour !== undefined && misbehaving !== undefined) {
      log.warn("misbehaves", misbehaviourFields(misbehaviour));
      void followLines(Deno.stdin.readable, misbehaving, log);
    }
    await stopped(terminal.stop);
    log.info("stopped", await stop());
  } finally {
    await running.close();
  }
}

/** TLS and datagrams are the runtime's, and so is a server that misbehaves. */
function chooseEngine({ engine, listen, tlsCert, misbehaviour }: ServerFlags): EngineName {
  const isUdp = listen.transport === "udp";
  if (isUdp || tlsCert !== undefined || misbehaviourOf(misbehaviour, isUdp) !== undefined) return "runtime";
  const missing = whyNoEngine(engine);
  if (missing !== undefined) throw new RunError(missing);
  return engineFor(engine);
}

interface Started {
  /** Stops it, and gives what there is to say about that. */
  readonly stop: () => Promise<Record<string, unknown>>;
  /** Where what is wrong can be changed; undefined for a server with which nothing is. */
  readonly misbehaving?: Misbehaving;
}

async function start(
  flags: ServerFlags,
  engine: EngineName,
  tls: TlsKeys | undefined,
  misbehaviour: Misbehaviour | undefined,
): Promise<Started> {
  if (flags.listen.transport === "udp") return await startForDatagrams(flags, flags.listen, misbehaviour);
  const options = { ...flags, engine, handler: handlers[flags.handler], tls, log };
  const stopOf = (server: RunningServer): Started["stop"] => {
    return async () => ({ closed_connections: await server.stop() });
  };
  if (misbehaviour === undefined) {
    const server = await startServer({ ...options, exchange: exchanges[flags.handler] });
    return { stop: stopOf(server) };
  }
  const misbehaving = await startMisbehavingServer({ ...options, misbehaviour });
  return { stop: stopOf(misbehaving), misbehaving };
}

async function startForDatagrams(
  { handler: name, name: answer }: ServerFlags,
  listen: UdpAddress,
  misbehaviour: Misbehaviour | undefined,
): Promise<Started> {
  const handler = datagramHandlers[name];
  if (handler === undefined) {
    throw new InputError(`--handler ${name} needs connections, and UDP has none; take another handler`);
  }
  const answers = misbehaviour === undefined ? undefined : new MisbehavingAnswers(misbehaviour);
  const server = await startDatagramServer({
    listen,
    handler,
    name: answer,
    log,
    ...(answers === undefined ? {} : { misbehaviour: answers }),
  });
  const stop = async (): Promise<Record<string, unknown>> => {
    await server.stop();
    return {};
  };
  return answers === undefined ? { stop } : { stop, misbehaving: misbehavingByDatagrams(answers) };
}

/** Only what datagrams have. */
function misbehavingByDatagrams(answers: MisbehavingAnswers): Misbehaving {
  const refuse = (order: string) => (): Promise<void> => {
    return Promise.reject(
      new InputError(`${order} is for connections, and UDP has none; write fail-rate 1, or fail-rate 0`),
    );
  };
  return {
    set: (change) => {
      checkForUdp(change);
      answers.set(change);
    },
    down: refuse("down"),
    up: refuse("up"),
  };
}
