/**
 * The table of docs/pools.md that compares the algorithms: each of them picks for the same sessions.
 *
 * It is the algorithms themselves that run here, on a clock of their own and with chance that is the same each time, so
 * that a test can hold the document against it.
 */

import { type AlgorithmName, algorithms } from "../lib/balance/algorithms.ts";
import { hashText } from "../lib/balance/hash.ts";
import type { Load, Picker } from "../lib/balance/picker.ts";
import { keyOf } from "../lib/pool/hash_key.ts";
import { markdownTable } from "./markdown_table.ts";

const BACKENDS = [
  { name: "a", weight: 2, sessionMs: 20 },
  { name: "b", weight: 1, sessionMs: 20 },
  { name: "c", weight: 1, sessionMs: 200 },
];

/** The one that leaves at the end is the last: so positions stay what they are. */
const LEAVING = BACKENDS.length - 1;

const CLIENTS = 1_000;

/** How often each client comes before a backend leaves; then it comes once more. */
const ROUNDS = 10;

interface Run {
  readonly algorithm: AlgorithmName;
  readonly maxConnections?: number;
}

const RUNS: readonly Run[] = [
  { algorithm: "round_robin" },
  { algorithm: "least_connections" },
  { algorithm: "random_two" },
  { algorithm: "random" },
  { algorithm: "first" },
  { algorithm: "first", maxConnections: 15 },
  { algorithm: "maglev" },
];

const BEGIN = "<!-- The table is made by `deno task docs`. -->\n\n";
const END = "\n<!-- Here it ends. -->\n";

/** The document with the table as it has to be. */
export function withAlgorithmsTable(document: string): string {
  const [begin, end] = [document.indexOf(BEGIN), document.indexOf(END)];
  if (begin === -1 || end < begin) {
    throw new Error("Cannot place the table: the comments around it are missing");
  }
  return document.slice(0, begin + BEGIN.length) + algorithmsTable() + document.slice(end);
}

function algorithmsTable(): string {
  const names = BACKENDS.map(({ name }) => name);
  const head = ["Algorithm", ...names, ...names.map((name) => `${name} at once`), "Clients moved"];
  return markdownTable([
    head,
    ...RUNS.map((run) => {
      const { sessions, most, movedPercent } = simulate(run);
      const limit = run.maxConnections === undefined ? "" : `, \`max_connections: ${run.maxConnections}\``;
      const cells = [...[...sessions, ...most].map((it) => it.toLocaleString("en")), `${movedPercent} %`];
      return [`\`${run.algorithm}\`${limit}`, ...cells];
    }),
  ]);
}

/** One session a millisecond, each from another client, until all have come as often as they should. */
function simulate(run: Run): {
  readonly sessions: readonly number[];
  readonly most: readonly number[];
  /** Of the clients whose last session was at a backend that stays, how many have their next one at another. */
  readonly movedPercent: number;
} {
  const random = chance();
  const pool = new SimulatedPool(run, random);
  const last: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const client of shuffled(random)) last[client] = pool.serve(client);
  }
  const [sessions, most] = [[...pool.sessions], [...pool.most]];

  pool.leave();
  let [stayed, moved] = [0, 0];
  for (const client of shuffled(random)) {
    const next = pool.serve(client);
    if (last[client] === LEAVING) continue;
    if (last[client] === next) stayed++;
    else moved++;
  }
  return { sessions, most, movedPercent: Math.round(100 * moved / (stayed + moved)) };
}

/** As a pool does it, with sessions that last as long as their backend takes. */
class SimulatedPool implements Load {
  /** By position: sessions so far, sessions now, and the most that there were at once. */
  readonly sessions = BACKENDS.map(() => 0);
  readonly most = BACKENDS.map(() => 0);
  readonly #active = BACKENDS.map(() => 0);
  /** Positions of the backends whose sessions end, by the millisecond. */
  readonly #ends = new Map<number, number[]>();
  readonly #run: Run;
  readonly #random: () => number;
  #pick: Picker;
  #nowMs = 0;

  constructor(run: Run, random: () => number) {
    this.#run = run;
    this.#random = random;
    this.#pick = algorithms[run.algorithm](BACKENDS, random);
  }

  active(member: number): number {
    return this.#active[member] ?? 0;
  }

  isFree(member: number): boolean {
    return this.active(member) < (this.#run.maxConnections ?? Infinity);
  }

  /** A session of a client begins; the position of its backend. */
  serve(client: number): number {
    const nowMs = ++this.#nowMs;
    for (const ended of this.#ends.get(nowMs) ?? []) this.#active[ended] = this.active(ended) - 1;
    const member = this.#pick(nowMs - 1, this.#keyOf(client), this);
    const backend = BACKENDS[member];
    if (backend === undefined) throw new Error("Cannot serve a session of the table: no backend is free");
    this.sessions[member] = (this.sessions[member] ?? 0) + 1;
    const active = this.active(member) + 1;
    this.#active[member] = active;
    this.most[member] = Math.max(this.most[member] ?? 0, active);
    const endMs = nowMs + backend.sessionMs;
    this.#ends.set(endMs, [...this.#ends.get(endMs) ?? [], member]);
    return member;
  }

  /** From now on one backend is not picked any more. */
  leave(): void {
    this.#pick = algorithms[this.#run.algorithm](BACKENDS.slice(0, LEAVING), this.#random);
  }

  #keyOf(client: number): number {
    const host = `10.0.${client >> 8}.${client & 255}`;
    return keyOf({ source: { transport: "tcp", host, port: 0 } }, this.#run.algorithm, "source_ip");
  }
}

/** All clients in an order that chance gives (Durstenfeld 1964). */
function shuffled(random: () => number): number[] {
  const clients = Array.from({ length: CLIENTS }, (_, client) => client);
  for (let left = CLIENTS; left > 1; left--) {
    const drawn = Math.floor(random() * left);
    [clients[left - 1], clients[drawn]] = [clients[drawn] ?? 0, clients[left - 1] ?? 0];
  }
  return clients;
}

/** Numbers from 0 to 1, 1 excluded, that look random and are the same each time. */
function chance(): () => number {
  let drawn = 0;
  return () => hashText(String(drawn++), 2) / 2 ** 32;
}
