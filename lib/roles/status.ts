// deno-lint-ignore-file no-await-in-loop -- one look after the other

/** `--status`: what a running balancer says about itself, as a table in the terminal. */

import type { Status } from "../admin/status.ts";
import type { BalancerFlags } from "../cli/flags.ts";
import { type Address, formatAddress, formatHostPort, type IpAddress } from "../core/address.ts";
import { chunks, writeAll } from "../core/connection.ts";
import { RunError } from "../core/errors.ts";
import type { StreamSocket } from "../engine/contract.ts";
import { dialByName } from "../engine/runtime/dial.ts";
import { sleep } from "../core/sleep.ts";
import { withoutZone } from "../core/zone.ts";
import { readToken } from "../config/token_file.ts";
import { chooseConfig } from "./chosen_config.ts";
import { statusTable, whyNotReady } from "./status_table.ts";
import { type Terminal, terminalColumns } from "./terminal.ts";

const EVERY_MS = 1_000;

/** A status is some hundred bytes a backend. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

const TIMEOUT_MS = 5_000;

/** Clears the screen and goes to its top (ECMA-48: ED, CUP). */
const CLEAR = "\x1b[2J\x1b[H";

/**
 * Shows the state once, or with `--watch` every second until the user stops it.
 *
 * @throws {RunError} when no balancer answers, and, after it was shown once, when the balancer is not ready.
 */
export async function runStatus(flags: BalancerFlags, terminal: Terminal): Promise<void> {
  const { address, token } = await whereToAsk(flags, terminal.stop);
  const clear = Deno.stdout.isTerminal() && !flags.json ? CLEAR : "";
  for (;;) {
    const status = await askStatus(address, token);
    const text = flags.json ? asJson(status, flags.watch) : statusTable(status, terminalColumns(Deno.stdout));
    await terminal.print(flags.watch ? `${clear}${text}` : text);
    const why = whyNotReady(status);
    if (!flags.watch && why !== undefined) throw new RunError(`${formatAddress(address)}: not ready: ${why}`);
    if (!flags.watch) return;
    await sleep(EVERY_MS, terminal.stop);
    if (terminal.stop.aborted) return;
  }
}

/** One object a line when there are several. */
function asJson(status: Status, isOneOfMany: boolean): string {
  return JSON.stringify(status, null, isOneOfMany ? 0 : 2) + "\n";
}

/** What the command line says, or else the configuration. */
async function whereToAsk(
  flags: BalancerFlags,
  stop: AbortSignal,
): Promise<{ address: Address; token: string | undefined }> {
  if (flags.admin !== undefined && flags.config === undefined) {
    return { address: flags.admin, token: undefined };
  }
  const { config, name } = await chooseConfig(flags, false, undefined, stop);
  const address = flags.admin ?? config.admin?.listen;
  if (address === undefined) {
    throw new RunError(`${name} has no admin section; say where to ask with --admin`);
  }
  const { tokenFile } = config.admin ?? {};
  return { address, token: tokenFile === undefined ? undefined : await readToken(tokenFile) };
}

/**
 * Asks a balancer for its state.
 *
 * HTTP/1.0, whose answers end with the connection, so that it works alike over a Unix socket.
 *
 * @throws {RunError} when no balancer answers, or not with a status.
 */
async function askStatus(address: Address, token: string | undefined): Promise<Status> {
  const where = formatAddress(address);
  const head = [
    "GET /api/status HTTP/1.0",
    `Host: ${hostOf(address)}`,
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
  ];
  const answer = await ask(address, `${head.join("\r\n")}\r\n\r\n`);
  const [, status, body = ""] = /^HTTP\/1\.\d (\d{3})[^]*?\r\n\r\n([^]*)$/.exec(answer) ?? [];
  if (status === "401") {
    throw new RunError(`${where}: asks for a token; name the configuration with --config`);
  }
  if (status !== "200") throw new RunError(`${where}: no balancer answers there`);
  try {
    return JSON.parse(body);
  } catch {
    throw new RunError(`${where}: the answer is not whole`);
  }
}

async function ask(address: Address, request: string): Promise<string> {
  const where = formatAddress(address);
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  let conn: StreamSocket;
  try {
    conn = await dialByName(address.transport === "unix" ? address : dialled(address), signal);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) {
      const needed = address.transport === "unix" ? "--allow-read and --allow-write" : `--allow-net=${where}`;
      throw new RunError(`${where}: sockbal was started without permission to ask there (${needed})`);
    }
    throw new RunError(`${where}: no balancer answers there; is its admin side on?`, { cause: error });
  }
  const close = (): void => conn.close();
  signal.addEventListener("abort", close);
  try {
    await writeAll(conn, new TextEncoder().encode(request));
    const decoder = new TextDecoder();
    let answer = "";
    for await (const chunk of chunks(conn)) {
      answer += decoder.decode(chunk, { stream: true });
      if (answer.length > MAX_ANSWER_BYTES) throw new RunError(`${where}: the answer does not end`);
    }
    return answer;
  } catch (error) {
    if (error instanceof RunError) throw error;
    throw new RunError(`${where}: did not answer within ${TIMEOUT_MS / 1_000} seconds`, { cause: error });
  } finally {
    signal.removeEventListener("abort", close);
    if (!signal.aborted) conn.close();
  }
}

/** "All addresses" is answered on the loopback too. */
function dialled<Place extends IpAddress>(address: Place): Place {
  if (address.host === "::") return { ...address, host: "::1" };
  return address.host === "" || address.host === "0.0.0.0" ? { ...address, host: "127.0.0.1" } : address;
}

function hostOf(address: Address): string {
  if (address.transport === "unix") return "localhost";
  const { host, port } = dialled(address);
  return formatHostPort(withoutZone(host), port);
}
