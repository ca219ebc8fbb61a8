// deno-lint-ignore-file no-await-in-loop -- one try after the other

/** The start of a balancer whose configuration is in etcd while etcd does not answer. */

import type { BalancerFlags } from "../cli/flags.ts";
import { isEtcdUrl, parseEtcdUrl } from "../config/etcd_url.ts";
import { readStoredText } from "../control/stored_config.ts";
import { reasonOf, RunError } from "../core/errors.ts";
import { log, type RunningLog } from "../core/log.ts";
import { sleep } from "../core/sleep.ts";
import { FIRST_PAUSE_MS, nextPauseMs } from "../discovery/pauses.ts";
import { startStderrLog } from "./terminal.ts";

/**
 * Waits until the configuration can be read, and says why it cannot: machines that come back together come in any order. At once
 * where it is a file.
 *
 * @return False when the user has stopped it meanwhile.
 * @throws {InputError} when the key is not there, or the command line is wrong.
 */
export async function isConfigReached(flags: BalancerFlags, stop: AbortSignal): Promise<boolean> {
  if (flags.config === undefined || !isEtcdUrl(flags.config)) return true;
  const url = parseEtcdUrl(flags.config);
  let running: RunningLog | undefined;
  let said = "";
  try {
    for (let pauseMs = FIRST_PAUSE_MS; !stop.aborted; pauseMs = nextPauseMs(pauseMs)) {
      try {
        await readStoredText(url, stop);
        return true;
      } catch (error) {
        if (!(error instanceof RunError) || stop.aborted) throw error;
        const reason = reasonOf(error);
        running ??= startStderrLog(flags.logLevel, flags.logFormat);
        if (reason !== said) log.error("config_not_reached", { reason, advice: ADVICE });
        said = reason;
      }
      await sleep(pauseMs, stop);
    }
    return false;
  } catch (error) {
    if (stop.aborted) return false;
    throw error;
  } finally {
    await running?.close();
  }
}

const ADVICE = "etcd is asked until it answers; to serve without it, start with a copy: --config FILE";
