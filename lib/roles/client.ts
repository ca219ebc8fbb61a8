/** The client role: one conversation, one exchange of datagrams, or a load, from flags. */

import type { ClientFlags } from "../cli/flags.ts";
import { isLoad } from "../cli/load_flags.ts";
import { log } from "../core/log.ts";
import { converse } from "../talk/conversation.ts";
import { exchangeDatagrams } from "../talk/datagram_exchange.ts";
import type { TlsTalk } from "../talk/start_tls.ts";
import { startStderrLog, type Terminal } from "./terminal.ts";
import { readTlsFiles } from "./tls_files.ts";
import { giveUpForeignFunctions, giveUpWriting } from "./given_up.ts";

/** Talks from stdin, or the messages of the flags, to stdout; or loads the peer. */
export async function runClientRole(flags: ClientFlags, terminal: Terminal): Promise<void> {
  if (isLoad(flags.load)) return await (await import("./load.ts")).runLoadRole(flags, terminal);
  await giveUpForeignFunctions();
  await giveUpWriting({ dials: [flags.connect] });
  const running = startStderrLog(flags.logLevel, flags.logFormat);
  try {
    await talk(flags, terminal);
  } finally {
    await running.close();
  }
}

async function talk(flags: ClientFlags, terminal: Terminal): Promise<void> {
  const { connect, messages, timeoutMs, proxyProtocol } = flags;
  const common = { messages, timeoutMs, input: Deno.stdin, output: Deno.stdout, stop: terminal.stop };
  if (connect.transport === "udp") return await exchangeDatagrams({ ...common, connect });
  await converse({
    ...common,
    connect,
    proxyProtocol,
    tls: flags.tls ? await tlsOf(flags) : undefined,
    isInputEndless: messages.length === 0 && Deno.stdin.isTerminal(),
  });
}

async function tlsOf({ serverName, alpn, insecure, ...files }: ClientFlags): Promise<TlsTalk> {
  const { keys, notes } = await readTlsFiles("--", files);
  for (const note of notes) log.warn("config_note", { note });
  return {
    serverName,
    alpn,
    verify: !insecure,
    keys,
    onOpen: ({ serverName, ...facts }) => log.debug("tls_opened", { server_name: serverName, ...facts }),
  };
}
