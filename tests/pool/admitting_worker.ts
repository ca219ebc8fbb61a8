/// <reference lib="deno.worker" />

/** A worker that takes from a scoreboard as fast as it can, at the same time as others do. */

import { Scoreboard, type ScoreboardShape } from "../../lib/pool/scoreboard.ts";

export interface Order {
  readonly buffer: SharedArrayBuffer;
  readonly shape: ScoreboardShape;
  readonly worker: number;
  readonly limit: number;
  readonly rounds: number;
}

export interface Outcome {
  /** How many of the first attempts, after which nothing was given back, were admitted. */
  readonly kept: number;
  /** The most sessions that were seen at once. */
  readonly most: number;
  readonly turns: Uint32Array;
}

self.onmessage = ({ data }: MessageEvent<Order>): void => {
  const { buffer, shape, worker, limit, rounds } = data;
  const board = new Scoreboard(shape, buffer);
  // All begin together.
  board.takeSlot(1, worker);
  while (board.active(1) < shape.workers);

  let kept = 0;
  for (let i = 0; i < rounds; i++) if (board.admit(0, worker, limit)) kept++;
  let most = 0;
  const turns = new Uint32Array(rounds);
  for (let i = 0; i < rounds; i++) {
    if (board.admit(1, worker, 2)) {
      board.takeSlot(0, worker);
      most = Math.max(most, board.admitted(1), board.active(0));
      board.releaseSlot(0, worker);
      board.dismiss(1, worker);
    }
    turns[i] = board.takeTurn(0);
  }
  self.postMessage({ kept, most, turns } satisfies Outcome);
};
