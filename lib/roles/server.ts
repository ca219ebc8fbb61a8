/** The server role: a server from flags, for connections or datagrams, until the user stops it. */

import type { ServerFlags } from "../cli/flags.ts";
import { InputError } from "../core/errors.ts";
import { log } from "../core/log.ts";
import type { TlsKeys } from "../engine/tls_contract.ts";
import { datagramHandlers } from "../respond/datagram_handlers.ts";
import { startDatagramServer } from "../respond/datagram_server.ts";
import { handlers } from "../respond/handlers.ts";
import { startServer } from "../respond/server.ts";
import { startStderrLog, stopped, type Terminal } from "./terminal.ts";
import { readTlsFiles } from "./tls_files.ts";
import { giveUpForeignFunctions, giveUpWriting } from "./given_up.ts";

/** Runs a server until the user stops it. */
export async function runServerRole(flags: ServerFlags, terminal: Terminal): Promise<void> {
  await giveUpForeignFunctions();
  await giveUpWriting({ listens: [flags.listen] });
  const { tlsCert: cert, tlsKey: key } = flags;
  const files = cert === undefined ? undefined : await readTlsFiles("--tls-", { cert, key });
  const running = startStderrLog(flags.logLevel, flags.logFormat);
  try {
    for (const note of files?.notes ?? []) log.warn("config_note", { note });
    const stop = await start(flags, files?.keys);
    log.info("ready", { handler: flags.handler });
    await stopped(terminal.stop);
    log.info("stopped", await stop());
  } finally {
    await running.close();
  }
}

/** Starts a server. Gives what stops it, and then what there is to say about that. */
async function start(
  flags: ServerFlags,
  tls: TlsKeys | undefined,
): Promise<() => Promise<Record<string, unknown>>> {
  const { listen, name } = flags;
  if (listen.transport !== "udp") {
    const server = await startServer({ ...flags, handler: handlers[flags.handler], tls, log });
    return async () => ({ closed_connections: await server.stop() });
  }
  const handler = datagramHandlers[flags.handler];
  if (handler === undefined) {
    throw new InputError(
      `--handler ${flags.handler} needs connections, and UDP has none; take another handler`,
    );
  }
  const server = await startDatagramServer({ listen, handler, name, log });
  return async () => {
    await server.stop();
    return {};
  };
}
