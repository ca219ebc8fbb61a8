/** Metrics as text for Prometheus (text format 0.0.4): families of samples, written one after the other. */

import { BOUNDS_SECONDS, type HistogramView } from "../pool/histogram.ts";

/** What Prometheus is told the text is. */
export const EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export type MetricType = "counter" | "gauge" | "histogram";

/** What follows the other labels of a bucket, as text that stays the same. */
const BUCKET_ENDS = BOUNDS_SECONDS.map((bound) => `le="${bound}"} `);

/** Pairs of names and values as they stand between the braces; empty for none. */
export function labels(pairs: Readonly<Record<string, string>>): string {
  let text = "";
  for (const name in pairs) text += `${text === "" ? "" : ","}${name}="${escapeLabel(pairs[name] ?? "")}"`;
  return text;
}

/** Nearly all need no escaping, and to find that out so is several times as fast as to replace nothing. */
function escapeLabel(value: string): string {
  if (!value.includes('"') && !value.includes("\\") && !value.includes("\n")) return value;
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

/** What is encoded at a time: enough to be few calls, and little enough that its strings are soon forgotten. */
const FLUSH_CHARS = 16 * 1024;

/**
 * A text that grows by one family after the other.
 *
 * It is written straight into bytes and no tree of objects, nor one long string, since a scrape of a thousand backends has
 * 40,000 samples and runs on the thread that also checks their health. So it leaves the garbage collector little to do.
 */
export class Exposition {
  readonly #encoder = new TextEncoder();
  readonly #chunks: Uint8Array<ArrayBuffer>[] = [];
  #text = "";
  #name = "";

  /** Begins the family that the next samples belong to. `help` is one line, without a backslash. */
  family(name: string, type: MetricType, help: string): void {
    this.#name = name;
    this.#text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
  }

  /** A counter or gauge. `labels` are as {@linkcode labels} gives them. */
  sample(labels: string, value: number): void {
    if (this.#text.length > FLUSH_CHARS) this.#flush();
    this.#text += labels === ""
      ? `${this.#name} ${formatNumber(value)}\n`
      : `${this.#name}{${labels}} ${formatNumber(value)}\n`;
  }

  /** A family of one sample without labels. */
  single(name: string, type: MetricType, help: string, value: number): void {
    this.family(name, type, help);
    this.sample("", value);
  }

  /** A histogram of seconds with the bounds of {@linkcode BOUNDS_SECONDS}. It has labels. */
  histogram(labels: string, { cumulative, count, sumSeconds }: HistogramView): void {
    if (this.#text.length > FLUSH_CHARS) this.#flush();
    const bucket = `${this.#name}_bucket{${labels},`;
    let text = "";
    for (let i = 0; i < BUCKET_ENDS.length; i++) {
      text += `${bucket}${BUCKET_ENDS[i]}${cumulative[i] ?? count}\n`;
    }
    this.#text += `${text}${bucket}le="+Inf"} ${count}\n` +
      `${this.#name}_sum{${labels}} ${formatNumber(sumSeconds)}\n${this.#name}_count{${labels}} ${count}\n`;
  }

  /** Everything so far, in UTF-8. */
  bytes(): Uint8Array<ArrayBuffer> {
    this.#flush();
    const all = new Uint8Array(this.#chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let at = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }

  #flush(): void {
    this.#chunks.push(this.#encoder.encode(this.#text));
    this.#text = "";
  }
}

/** JavaScript writes numbers as Prometheus reads them, but for the infinite ones. */
function formatNumber(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}
