// deno-lint-ignore-file no-await-in-loop -- the messages are sent one after the other, so that the turns can be seen

/** The demo: the sample configuration, its three backends and some traffic, in one process. */

import type { DemoFlags } from "../cli/flags.ts";
import { sampleConfig } from "../config/sources.ts";
import { type Balancer, startBalancer } from "../control/balancer.ts";
import { BalancerOperations } from "../control/operations.ts";
import { touchedBy } from "../control/touched.ts";
import { parseDialAddress } from "../core/address.ts";
import { log } from "../core/log.ts";
import { GOOD } from "../core/misbehaviour.ts";
import { sleep } from "../core/sleep.ts";
import { type MisbehavingServer, startMisbehavingServer } from "../respond/misbehaving_server.ts";
import { type RunningServer, type ServerOptions, startServer } from "../respond/server.ts";
import { whoamiOrHttp } from "../respond/whoami_or_http.ts";
import { converse } from "../talk/conversation.ts";
import { AdminSide, planAdmin } from "./admin_side.ts";
import { playChaos } from "./chaos.ts";
import { startStderrLog, type Terminal } from "./terminal.ts";
import { giveUpWriting } from "./given_up.ts";

const MESSAGES = 9;

/** With `--chaos`: which of the servers fails, counted from 0. */
const FAILING = 1;

/** Starts everything, shows who answers, and stays until the user stops it. */
export async function runDemo(flags: DemoFlags, terminal: Terminal): Promise<void> {
  // Nine session records between the lines of the table would hide it.
  const running = startStderrLog(flags.logLevel ?? "warn", flags.logFormat);
  const servers: RunningServer[] = [];
  let failing: MisbehavingServer | undefined;
  let balancer: Balancer | undefined;
  let operations: BalancerOperations | undefined;
  let admin: AdminSide | undefined;
  try {
    const config = sampleConfig();
    await giveUpWriting(touchedBy(config));
    for (const backend of Object.values(config.pools).flatMap((pool) => pool.backends)) {
      const options: ServerOptions = {
        listen: backend.address,
        handler: whoamiOrHttp,
        name: `server ${servers.length + 1}`,
        maxConnections: 0,
        idleTimeoutMs: 0,
        log,
      };
      if (flags.chaos && servers.length === FAILING) {
        failing = await startMisbehavingServer({ ...options, misbehaviour: GOOD });
        servers.push(failing);
      } else servers.push(await startServer(options));
    }
    // No work depends on a demo: clients that are still connected at the end are not waited for.
    balancer = await startBalancer({
      config: { ...config, shutdownTimeoutMs: 200 },
      log,
    });
    operations = new BalancerOperations({
      balancer,
      version: terminal.version,
      config: "the built-in sample",
      log: running,
      admin: () => admin?.inForce,
      reloads: {
        counts: { ok: 0, failed: 0 },
        request: () => {
          return Promise.resolve({ ok: false, message: "the demo has no configuration file", faults: [] });
        },
      },
    });
    admin = new AdminSide(balancer.journal);
    await admin.follow(await planAdmin(config), operations);
    const front = balancer.addresses[0] ?? "";
    await terminal.print(await show(servers, front, admin.address, terminal));
    const chaos = failing === undefined ? undefined : playInTerminal(failing, terminal);
    await Promise.all([keepBusy(front, terminal.stop), chaos]);
  } finally {
    operations?.stop();
    await admin?.stop();
    await balancer?.stop();
    await Promise.all(servers.map((server) => server.stop()));
    await running.close();
  }
  await terminal.print("\nstopped\n");
}

async function show(
  servers: readonly RunningServer[],
  balancer: string,
  page: string | undefined,
  terminal: Terminal,
): Promise<string> {
  const rows: string[] = [];
  for (let i = 1; i <= MESSAGES; i++) {
    const answer = await ask(balancer, `hello ${i}`, terminal.stop);
    const address = servers[Number(answer.split(" ").at(-1)) - 1]?.address ?? "";
    rows.push(`  hello ${i}    ${answer}    ${address}`);
  }
  return `sockbal demo: one port, three servers, in turn

  balancer   ${balancer}
${page === undefined ? "" : `  page       http://${page}\n`}${
    servers.map((server, i) => `  server ${i + 1}   ${server.address}`).join("\n")
  }

  message    answered by
${rows.join("\n")}

It stays up. Try it from another terminal:

  curl http://${balancer}
  ${terminal.command} --role client --connect ${balancer} --message hi

Ctrl-C stops it.
`;
}

/** Says what goes wrong, and when. */
async function playInTerminal(server: MisbehavingServer, { print, stop }: Terminal): Promise<void> {
  const startedMs = performance.now();
  await print(
    `\nWith --chaos server ${
      FAILING + 1
    } fails now and then; the page shows what the balancer makes of it:\n\n`,
  );
  const say = async (what: string): Promise<void> => {
    const seconds = String(Math.round((performance.now() - startedMs) / 1_000)).padStart(4);
    await print(`  ${seconds} s  server ${FAILING + 1} ${what}\n`);
  };
  await playChaos(server, say, (ms) => sleep(ms, stop), stop);
}

/** A little traffic until the user stops it, so that the page has something to show. */
async function keepBusy(balancer: string, stop: AbortSignal): Promise<void> {
  for (let i = 0; !stop.aborted; i++) {
    // A gentle swell, from two to twenty messages a second.
    const perSecond = 11 + 9 * Math.sin(i / 40);
    await sleep(1_000 / perSecond, stop);
    if (!stop.aborted) await ask(balancer, `hello ${i}`, stop).catch(() => {});
  }
}

/** One message through the balancer, and its answer. */
async function ask(balancer: string, text: string, stop: AbortSignal): Promise<string> {
  const decoder = new TextDecoder();
  let answer = "";
  await converse({
    connect: parseDialAddress(balancer),
    messages: [text],
    timeoutMs: 5_000,
    input: { read: () => Promise.resolve(null) },
    isInputEndless: false,
    output: {
      write: (bytes) => {
        answer += decoder.decode(bytes, { stream: true });
        return Promise.resolve(bytes.length);
      },
    },
    stop,
  });
  return answer.trim();
}
