import { writeAll } from "../core/connection.ts";
import type { LoadPlan } from "../load/plan.ts";
import { progressText } from "../load/progress.ts";
import type { Second } from "../load/seconds.ts";
import { terminalColumns } from "./terminal.ts";

/** Seconds between two lines where there is no terminal to draw one line again and again. */
const EVERY_SECONDS = 5;

/** To the start of the line, and clears it (ECMA-48: CR, EL). */
const CLEAR_LINE = "\r\x1b[K";

const MAX_COLUMNS = 200;

/** What is said on stderr while a run goes on. A reader that stalls misses some of it. */
export class LoadProgress {
  readonly #plan: LoadPlan;
  readonly #isTerminal = Deno.stderr.isTerminal();
  readonly #isSilent: boolean;
  #writing: Promise<void> | undefined;
  #isDrawn = false;

  /** @param writesRows Whether rows are written to stdout meanwhile: at a terminal they say enough. */
  constructor(plan: LoadPlan, writesRows: boolean) {
    this.#plan = plan;
    this.#isSilent = writesRows && this.#isTerminal && Deno.stdout.isTerminal();
  }

  show(second: Second): void {
    if (
      this.#isSilent || !second.isWhole || (!this.#isTerminal && (second.number + 1) % EVERY_SECONDS !== 0)
    ) return;
    // One column stays free, since some terminals begin a new line after the last.
    const text = progressText(this.#plan, second, (terminalColumns(Deno.stderr) ?? MAX_COLUMNS) - 1);
    this.#isDrawn = this.#isTerminal;
    this.#write(this.#isTerminal ? `${CLEAR_LINE}${text}` : `${text}\n`);
  }

  /** Clears the line. */
  async close(): Promise<void> {
    await this.#writing;
    if (this.#isDrawn) this.#write(CLEAR_LINE);
    await this.#writing;
  }

  #write(text: string): void {
    // Its reader may have gone.
    this.#writing ??= writeAll(Deno.stderr, new TextEncoder().encode(text)).catch(() => {}).finally(() => {
      this.#writing = undefined;
    });
  }
}
