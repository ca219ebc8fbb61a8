/** The flows of one listener in this worker: how many there may be, and which one makes room for another. */

import { formatEndpoint } from "../core/endpoint.ts";
import type { ClientSocket, Limiter } from "../engine/contract.ts";
import { IdleOrder, type Linked } from "./idle_order.ts";
import type { LimiterOptions } from "./limiter.ts";
import type { FlowOptions } from "./messages.ts";
import type { EndReason } from "./record.ts";

/** A flow that was let in. */
export interface Flow extends Linked<Flow> {
  readonly client: Pick<ClientSocket, "peer">;
  end(reason: EndReason): void;
}

/** Of what open files allow sessions, flows leave an eighth to connections: they end one of their own for another, and connections cannot. */
export function flowsOfSessions(limit: number): number {
  return limit - (limit >> 3);
}

/**
 * With so few flows of a listener, a worker leaves it to older ones to make room, which have all of them at a reload: so the first new
 * clients do not end each other's.
 */
const FEW = 16;

export interface FlowsOptions extends Omit<LimiterOptions, "maxConnections">, FlowOptions {
  /** Those of all listeners of this worker. */
  readonly ofWorker: readonly Flows[];
  /** Told of each client whose flow is over, once its listener is read by another worker. */
  readonly onHandedOverEnd: (client: string) => void;
  /** How many flows of this listener older workers have. */
  readonly keptByOlder: () => number;
  /** Told when other workers are to make room for one. */
  readonly onNoRoom: () => void;
}

export class Flows {
  /** How many datagrams answer one; 0 where that is not known. */
  readonly responses: number;
  /**
   * Counts alone: whether a client is let in is not known yet, and one that is not must not cost another its flow. So for the moment in
   * which that is decided there is one more than there may be.
   */
  readonly limiter: Limiter;
  readonly #options: FlowsOptions;
  /** Those of clients that were let in. */
  readonly #order = new IdleOrder<Flow>();
  #isHandedOver = false;

  constructor(options: FlowsOptions) {
    const { scoreboard, ledger, row, filesRow, responses } = options;
    this.#options = options;
    this.responses = responses;
    this.limiter = {
      enter: () => {
        ledger.take(row, 0);
        ledger.take(filesRow, 0);
        return true;
      },
      leave: () => {
        ledger.giveBack(row);
        const limit = scoreboard.limit(filesRow);
        if (ledger.giveBack(filesRow) >= limit && limit > 0) scoreboard.tellLowered(filesRow);
      },
      freed: () => Promise.resolve(),
    };
  }

  /**
   * Lets one more in, which has taken its place already. Where older workers make room, there is one too many until they have. False when
   * there are too many, and none of them here that could make room.
   */
  admit(flow: Flow): boolean {
    const { scoreboard, row, maxFlows, filesRow, onFilesWanted, onNoRoom } = this.#options;
    const isFull = scoreboard.count(row) > maxFlows;
    const limit = scoreboard.limit(filesRow) || Infinity;
    const sessions = scoreboard.count(filesRow);
    const isShort = sessions > flowsOfSessions(limit);
    if (isShort) onFilesWanted();
    if (isFull || isShort) {
      const isLeftToOlder = sessions <= limit && this.#haveOlderMore();
      const isMade = !isLeftToOlder && (isFull ? this.makeRoom() : this.makeRoomOfFiles());
      if (!isMade) onNoRoom();
      // Without any flow here, one may have what is left to connections.
      if (!isMade && !isLeftToOlder && (isFull || sessions > limit)) return false;
    }
    this.#order.add(flow);
    return true;
  }

  /**
   * Ends the flow that is idle for longest. False when there is none.
   *
   * @param flow For which one, which is not ended itself; undefined: one of another worker.
   */
  makeRoom(flow?: Flow): boolean {
    const { longest } = this.#order;
    const forgotten = longest === flow ? flow?.shorter : longest;
    forgotten?.end("forgotten");
    return forgotten !== undefined;
  }

  /**
   * Ends a flow for the files that it has open: of the listeners of this worker the one with most flows gives one up. False when there is
   * none.
   *
   * @param flow As {@linkcode makeRoom}; it has its place already.
   */
  makeRoomOfFiles(flow?: Flow): boolean {
    const { ledger, row, ofWorker } = this.#options;
    let giver: Flows | undefined;
    let most = ledger.held(row) - 1;
    for (const flows of ofWorker) {
      const count = ledger.held(flows.#options.row);
      if (flows === this || count <= most) continue;
      giver = flows;
      most = count;
    }
    return (giver ?? this).makeRoom(flow);
  }

  /** A datagram of it has moved. Most come together, so that only the first of them changes the order. */
  moved(flow: Flow): void {
    if (flow.shorter === undefined) return;
    this.#order.remove(flow);
    this.#order.add(flow);
  }

  /** One is over. */
  over(flow: Flow): void {
    this.#order.remove(flow);
    if (this.#isHandedOver) this.#options.onHandedOverEnd(formatEndpoint(flow.client.peer));
  }

  /** Another worker reads at the address from now on. @return The clients whose flows are here. */
  handOver(): string[] {
    this.#isHandedOver = true;
    return Array.from(this.#order.all(), (flow) => formatEndpoint(flow.client.peer));
  }

  #haveOlderMore(): boolean {
    const { ledger, row, keptByOlder } = this.#options;
    const own = ledger.held(row);
    return own <= FEW && own <= keptByOlder();
  }
}
