/** Real DNS servers, each with a small zone of the test, and what `dig` asks them. */

import assert from "node:assert/strict";
import { type Finished, runCommand, RunningCommand } from "./command.ts";
import { findProgram, pathOf } from "./packages.ts";
import { whenAccepting } from "./peers.ts";

export const DNSMASQ = await findProgram("dnsmasq", "dnsmasq");
export const KNOT = await findProgram("knotd", "knot");
export const DIG = await findProgram("dig", "bind9-dnsutils");

/** What the servers know of `example`, besides `who.example`, whose text is the name of the server. */
export const ZONE = {
  a: "192.0.2.7",
  aaaa: "2001:db8::7",
  /** 2,600 characters: more than a datagram holds for a client that takes 512 bytes, and fewer than 4,096. */
  large: Array.from({ length: 13 }, (_, i) => String.fromCharCode(97 + i).repeat(200)),
} as const;

export interface DnsServer extends AsyncDisposable {
  readonly address: string;
}

/** Starts dnsmasq at a port of the loopback, which both transports have. */
export async function startDnsmasq(name: string, port: number): Promise<DnsServer> {
  const server = new RunningCommand([
    pathOf(DNSMASQ),
    ...[
      "--no-daemon",
      "--conf-file=/dev/null",
      "--pid-file",
      "--user=",
      "--group=",
      "--no-resolv",
      "--no-hosts",
    ],
    ...[`--port=${port}`, "--listen-address=127.0.0.1", "--bind-interfaces", "--edns-packet-max=4096"],
    `--host-record=www.example,${ZONE.a},${ZONE.aaaa}`,
    `--txt-record=large.example,${ZONE.large.join(",")}`,
    `--txt-record=who.example,${name}`,
  ]);
  return withAddress(await whenAccepting(server, port), port);
}

/** Starts Knot at a port of the loopback, which both transports have. */
export async function startKnot(name: string, port: number): Promise<DnsServer> {
  const folder = await Deno.makeTempDir();
  const text = (parts: readonly string[]): string => parts.map((it) => `"${it}"`).join(" ");
  await Deno.writeTextFile(
    `${folder}/example.zone`,
    `$ORIGIN example.
$TTL 60
@ SOA ns admin 1 3600 600 86400 60
@ NS ns
ns A 192.0.2.1
www A ${ZONE.a}
www AAAA ${ZONE.aaaa}
large TXT ${text(ZONE.large)}
who TXT ${text([name])}
`,
  );
  await Deno.writeTextFile(
    `${folder}/knot.conf`,
    `server:
    rundir: ${folder}
    listen: 127.0.0.1@${port}
    udp-max-payload: 4096
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: ${folder}
zone:
  - domain: example
    storage: ${folder}
    file: example.zone
`,
  );
  const server = new RunningCommand([pathOf(KNOT), "-c", `${folder}/knot.conf`]);
  return withAddress(await whenAccepting(server, port, () => Deno.remove(folder, { recursive: true })), port);
}

function withAddress(running: AsyncDisposable, port: number): DnsServer {
  return { address: `127.0.0.1:${port}`, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() };
}

/** Asks once, and says the answer alone. */
export async function dig(port: number, ...words: readonly string[]): Promise<string> {
  return ended(await runCommand([...digAt(port), "+short", ...words])).stdout.trimEnd();
}

/** Asks the same so many times by one process, each time from a port of its own, and says the answers in their order. */
export async function digMany(port: number, count: number, ...words: readonly string[]): Promise<string[]> {
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, `${words.join(" ")}\n`.repeat(count));
  const { stdout } = ended(await runCommand([...digAt(port), "+short", "-f", file]));
  await Deno.remove(file);
  return stdout.trimEnd().split("\n");
}

/** Datagrams get lost on no loopback, so each is sent once unless a test says otherwise. */
function digAt(port: number): string[] {
  return [pathOf(DIG), "-r", "@127.0.0.1", "-p", String(port), "+tries=1", "+timeout=15"];
}

function ended(finished: Finished): Finished {
  assert.equal(finished.status, 0, finished.stdout + finished.stderr);
  return finished;
}
