/// <reference lib="deno.worker" />

/** A worker that counts on a scoreboard as fast as it can, at the same time as others do. */

import { asRow } from "../support/rows.ts";
import { Ledger } from "../../lib/pool/ledger.ts";
import type { PoolRow, Row } from "../../lib/pool/row.ts";
import { Scoreboard } from "../../lib/pool/scoreboard.ts";

/** Rows of the scoreboard. */
export const START: Row = asRow(0);
export const KEPT: Row = asRow(1);
export const PASSED: Row = asRow(2);
export const INSIDE: Row = asRow(3);
export const POOL: PoolRow = asRow(4);

/** As many may be counted in {@linkcode PASSED} at once. */
export const PASSED_LIMIT = 2;

export interface Order {
  readonly scoreboard: SharedArrayBuffer;
  readonly ledger: SharedArrayBuffer;
  readonly workers: number;
  readonly limit: number;
  readonly rounds: number;
}

export interface Outcome {
  /** How many of the first attempts, after which nothing was given back, went through. */
  readonly kept: number;
  /** The most that were seen at once where there may be two. */
  readonly most: number;
  readonly turns: Uint32Array;
  readonly tickets: Int32Array;
}

self.onmessage = ({ data }: MessageEvent<Order>): void => {
  const { scoreboard, ledger: own, workers, limit, rounds } = data;
  const board = new Scoreboard(scoreboard);
  const ledger = new Ledger(board, own);
  // All begin together.
  ledger.take(START, 0);
  while (board.count(START) < workers);

  let kept = 0;
  for (let i = 0; i < rounds; i++) if (ledger.take(KEPT, limit)) kept++;
  let most = 0;
  const turns = new Uint32Array(rounds);
  const tickets = new Int32Array(rounds);
  for (let i = 0; i < rounds; i++) {
    if (ledger.take(PASSED, PASSED_LIMIT)) {
      ledger.take(INSIDE, 0);
      most = Math.max(most, board.count(PASSED), board.count(INSIDE));
      ledger.giveBack(INSIDE);
      ledger.giveBack(PASSED);
    }
    turns[i] = board.takeTurn(POOL);
    tickets[i] = board.takeTicket(POOL);
  }
  self.postMessage({ kept, most, turns, tickets } satisfies Outcome);
};
