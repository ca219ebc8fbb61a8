// @ts-check

/** What moved a second, from the counters of two answers. */

/** @import { Status } from "./api.js" */

/**
 * @typedef {{ sessions: number | null, bytesIn: number | null, bytesOut: number | null }} Rates
 * @typedef {{ timeMs: number, counters: Map<string, readonly number[]> }} Sample
 */

/** Answers that come sooner, as after an action, would give nervous figures. */
const SHORTEST_SPAN_MS = 900;

/** After a longer break a mean would say nothing about now. */
const LONGEST_SPAN_MS = 15_000;

/** @type {Rates} */
const NONE = { sessions: null, bytesIn: null, bytesOut: null };

/**
 * Follows answers one after the other.
 */
export function followRates() {
  /** @type {Sample | null} */
  let last = null;
  /** @type {Map<string, (number | null)[]>} */
  let rates = new Map();

  return {
    /** @param {Status} status */
    update(status) {
      const sample = sampleOf(status);
      const span = last === null ? Infinity : sample.timeMs - last.timeMs;
      if (span >= 0 && span < SHORTEST_SPAN_MS) return;
      rates = last === null || span < 0 || span > LONGEST_SPAN_MS ? new Map() : ratesBetween(last, sample);
      last = sample;
    },

    /**
     * @param {string} name
     * @return {Rates}
     */
    listener(name) {
      return named(rates.get(`listener ${name}`));
    },

    /**
     * @param {string} pool
     * @param {string} name
     * @return {Rates}
     */
    backend(pool, name) {
      return named(rates.get(`backend ${pool}/${name}`));
    },

    /** Processors that the process keeps busy: 0.5 is half of one. */
    processors() {
      return rates.get("process")?.[0] ?? null;
    },
  };
}

/**
 * The differences a second. A counter that is new or has gone back, because the balancer was started anew, has none.
 *
 * @param {Sample} before
 * @param {Sample} after
 * @return {Map<string, (number | null)[]>}
 */
export function ratesBetween(before, after) {
  const seconds = (after.timeMs - before.timeMs) / 1000;
  /** @type {Map<string, (number | null)[]>} */
  const rates = new Map();
  for (const [key, counters] of after.counters) {
    const earlier = before.counters.get(key);
    if (earlier === undefined) continue;
    rates.set(
      key,
      counters.map((value, i) => {
        const difference = value - (earlier[i] ?? Infinity);
        return difference >= 0 ? difference / seconds : null;
      }),
    );
  }
  return rates;
}

/**
 * @param {Status} status
 * @return {Sample}
 */
export function sampleOf(status) {
  /** @type {Map<string, readonly number[]>} */
  const counters = new Map([["process", [status.process.cpu_seconds]]]);
  for (const it of status.listeners) {
    counters.set(`listener ${it.name}`, [it.sessions_total, it.bytes_in, it.bytes_out]);
  }
  for (const pool of status.pools) {
    for (const it of pool.backends) {
      counters.set(`backend ${pool.name}/${it.name}`, [it.sessions_total, it.bytes_in, it.bytes_out]);
    }
  }
  return { timeMs: Date.parse(status.now), counters };
}

/**
 * @param {(number | null)[] | undefined} values
 * @return {Rates}
 */
function named(values) {
  if (values === undefined) return NONE;
  return { sessions: values[0] ?? null, bytesIn: values[1] ?? null, bytesOut: values[2] ?? null };
}
