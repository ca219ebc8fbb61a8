/** The server role: a server from flags, until the user stops it. */

import type { ServerFlags } from "../cli/flags.ts";
import { log } from "../core/log.ts";
import { handlers } from "../respond/handlers.ts";
import { startServer } from "../respond/server.ts";
import { startStderrLog, stopped, type Terminal } from "./terminal.ts";
import { readTlsFiles } from "./tls_files.ts";
import { giveUpForeignFunctions, giveUpWriting } from "./given_up.ts";

/** Runs a server until the user stops it. */
export async function runServerRole(flags: ServerFlags, terminal: Terminal): Promise<void> {
  await giveUpForeignFunctions();
  await giveUpWriting({ listens: [flags.listen] });
  const { tlsCert: cert, tlsKey: key, ...options } = flags;
  const files = cert === undefined ? undefined : await readTlsFiles("--tls-", { cert, key });
  const running = startStderrLog(flags.logLevel, flags.logFormat);
  try {
    for (const note of files?.notes ?? []) log.warn("config_note", { note });
    const server = await startServer({ ...options, handler: handlers[flags.handler], tls: files?.keys, log });
    log.info("ready", { handler: flags.handler });
    await stopped(terminal.stop);
    log.info("stopped", { closed_connections: await server.stop() });
  } finally {
    await running.close();
  }
}
