// deno-lint-ignore-file no-await-in-loop -- one look after the other

/** `--status`: what a running balancer says about itself, as a table in the terminal. */

import type { Status } from "../admin/status.ts";
import type { BalancerFlags } from "../cli/flags.ts";
import { type Address, formatAddress } from "../core/address.ts";
import { RunError } from "../core/errors.ts";
import { sleep } from "../core/sleep.ts";
import { readToken } from "../config/token_file.ts";
import { askAdmin } from "./ask_admin.ts";
import { chooseConfig } from "./chosen_config.ts";
import { statusTable, whyNotReady } from "./status_table.ts";
import { type Terminal, terminalColumns } from "./terminal.ts";

const EVERY_MS = 1_000;

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
  const { config, name } = await chooseConfig(flags, false, undefined, stop).catch((error) => {
    if (!(error instanceof RunError) || stop.aborted) throw error;
    // etcd is away, which the balancer need not be.
    throw new RunError(`${error.message}; to ask without it, write --admin ADDR in place of --config`);
  });
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
 * @throws {RunError} when no balancer answers, or not with a status.
 */
async function askStatus(address: Address, token: string | undefined): Promise<Status> {
  const where = formatAddress(address);
  const { status, body } = await askAdmin({ address, token }, "GET", "/api/status");
  if (status !== 200) throw new RunError(`${where}: no balancer answers there`);
  try {
    return JSON.parse(body);
  } catch {
    throw new RunError(`${where}: the answer is not whole`);
  }
}
