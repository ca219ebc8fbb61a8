import type { Direction } from "../engine/contract.ts";
import type { Backend } from "../pool/backend.ts";
import type { Pool } from "../pool/pool.ts";
import type { Flow, Flows } from "./flows.ts";
import type { EndReason } from "./record.ts";
import { type Drops, Session } from "./session.ts";

const NO_DROPS: Drops = { overLimit: 0, noRoom: 0 };

/**
 * A flow's life, which is that of a {@linkcode Session} but for this: datagrams have no end, so that silence, or the answers that were
 * expected, are its regular end.
 */
export class FlowSession extends Session implements Flow {
  longer: Flow | undefined;
  shorter: Flow | undefined;
  readonly #flows: Flows;
  /** Datagrams that were passed on. */
  #asked = 0;
  #answered = 0;
  /** Those that {@linkcode newDrops} has told. */
  #toldDrops: Drops = NO_DROPS;

  constructor(flows: Flows, ...session: ConstructorParameters<typeof Session>) {
    super(...session);
    this.#flows = flows;
  }

  /** Its client is let in. */
  override route(pool: Pool): void {
    if (this.#flows.admit(this)) super.route(pool);
    else this.end("forgotten");
  }

  override moved(direction: Direction, bytes: number): void {
    this.#flows.moved(this);
    this.activity.moved(direction, bytes);
    if (direction === "in") this.#asked++;
    else this.#hasAnswered();
  }

  /** The backend has done its part. */
  override answerLost(): void {
    this.#hasAnswered();
  }

  /** Nothing listens there. What the client sends next begins another flow. */
  override backendGone(): void {
    if (this.phase === "ended") return;
    this.#backendFailed();
    this.end("backend_reset");
  }

  /** A descriptor or a port is missing, and each flow has one of both. */
  override shortOf(backend: Backend, what: string): void {
    super.shortOf(backend, what);
    this.#flows.makeRoomOfFiles(this);
  }

  override newDrops(): Drops | undefined {
    const { paces, client } = this;
    const overLimit = (paces?.in?.dropped ?? 0) + (paces?.out?.dropped ?? 0);
    const noRoom = client.dropped ?? 0;
    const told = this.#toldDrops;
    if (overLimit === told.overLimit && noRoom === told.noRoom) return undefined;
    this.#toldDrops = { overLimit, noRoom };
    return { overLimit: overLimit - told.overLimit, noRoom: noRoom - told.noRoom };
  }

  override end(reason: EndReason): void {
    super.end(reason === "idle_timeout" ? this.#silenceEnds() : reason);
  }

  #hasAnswered(): void {
    const { backend } = this;
    if (this.#answered++ === 0 && backend !== undefined) this.pool?.answered(backend);
    if (this.#flows.responses > 0 && !this.#isAnswerDue) this.end("done");
  }

  #silenceEnds(): EndReason {
    if (this.#flows.responses === 0 || !this.#isAnswerDue) return "done";
    if (this.phase === "relaying") this.#backendFailed();
    return "idle_timeout";
  }

  #backendFailed(): void {
    if (this.backend !== undefined) this.pool?.failed(this.backend);
  }

  /** An answer that was above the rate limit has come nevertheless. */
  get #isAnswerDue(): boolean {
    return this.#answered + (this.paces?.out?.dropped ?? 0) < this.#asked * this.#flows.responses;
  }
}
