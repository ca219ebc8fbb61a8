// @ts-check

/** The charts of the last minutes, each with its figure in words. */

import { drawPlot } from "./plot.js";
import { byId, partsOf, setAttribute, setHidden, stamp } from "./dom.js";
import { remember, remembered } from "./address.js";
import {
  cutInTheMiddle,
  formatByteRate,
  formatCount,
  formatMs,
  formatRate,
  formatTime,
  UNKNOWN,
} from "./format.js";
import { emptyHistory, lastOf, SPAN_S } from "./history.js";

/** @import { Column, History } from "./history.js" */

/**
 * @typedef {{ label: string, column: Column }} Line
 *
 * @typedef {{
 *   title: string,
 *   lines: (history: History) => Line[],
 *   format: (value: number | null | undefined) => string,
 *   step: "whole" | "decimal" | "binary",
 *   figure?: { label: string, of: (values: Reading[]) => number | null },
 *   isAlarm?: (figure: number | null) => boolean,
 * }} Chart `figure` is what a chart with many lines shows of them all; its lines stand in a legend.
 *
 * @typedef {{ label: string, value: number | null | undefined }} Reading
 */

/** @type {Chart[]} */
const CHARTS = [
  {
    title: "Refused and failed",
    lines: (history) => {
      const reasons = Object.entries(history.refused_per_s);
      if (reasons.length === 0) return [{ label: "", column: history.times.map(() => 0) }];
      return reasons.map(([label, column]) => ({ label: label.replaceAll("_", " "), column }));
    },
    format: formatRate,
    step: "decimal",
    figure: { label: "", of: sum },
    isAlarm: (figure) => (figure ?? 0) > 0,
  },
  {
    title: "Active sessions",
    lines: (history) => [{ label: "", column: history.active }],
    format: formatCount,
    step: "whole",
  },
  {
    title: "New sessions",
    lines: (history) => [{ label: "", column: history.sessions_per_s }],
    format: formatRate,
    step: "decimal",
  },
  {
    title: "Traffic",
    lines: (history) => [
      { label: "in", column: history.bytes_in_per_s },
      { label: "out", column: history.bytes_out_per_s },
    ],
    format: formatByteRate,
    step: "binary",
  },
  {
    title: "Dial time",
    lines: (history) =>
      Object.entries(history.dial_ms)
        .map(([label, column]) => ({ label, column }))
        .sort((a, b) => a.label.localeCompare(b.label, "en", { numeric: true })),
    format: formatMs,
    step: "decimal",
    figure: { label: "mean", of: mean },
  },
];

/** What the charts may show of the history. */
const RANGES_S = [60, 300, SPAN_S];

/** Puts the charts into the page. */
export function createCharts() {
  let rangeS = RANGES_S.find((seconds) => String(seconds) === remembered("range")) ?? SPAN_S;
  let all = emptyHistory();
  /** @type {ReturnType<typeof createPanel>[]} */
  const panels = [];
  /** @type {number | null} */
  let pointed = null;
  const pointAt = (/** @type {number | null} */ index) => {
    if (index === pointed) return;
    pointed = index;
    for (const panel of panels) panel.pointAt(index);
  };
  for (const chart of CHARTS) panels.push(createPanel(chart, pointAt));
  byId("charts").replaceChildren(...panels.map((panel) => panel.element));
  const draw = () => {
    const history = lastOf(all, rangeS);
    for (const panel of panels) panel.update(history, rangeS);
  };
  const buttons = [...document.querySelectorAll("[data-range]")];
  const showRange = () => {
    for (const button of buttons) {
      setAttribute(button, "aria-pressed", String(button.getAttribute("data-range") === String(rangeS)));
    }
  };
  for (const button of buttons) {
    button.addEventListener("click", () => {
      rangeS = Number(button.getAttribute("data-range"));
      remember("range", rangeS === SPAN_S ? "" : String(rangeS));
      showRange();
      draw();
    });
  }
  showRange();
  return {
    /** @param {History} history */
    update(history) {
      all = history;
      draw();
    },
  };
}

/**
 * @param {Chart} chart
 * @param {(index: number | null) => void} onPoint
 */
function createPanel(chart, onPoint) {
  const { root: element, get, put } = partsOf(stamp("chart"));
  const plotElement = get("plot");
  const legend = get("legend");
  put("title", chart.title);
  const plot = drawPlot(plotElement, { format: chart.format, step: chart.step, onPoint });
  /** @type {Line[]} */
  let lines = [];
  /** @type {number[]} */
  let times = [];
  /** @type {number | null} */
  let pointed = null;
  let rangeS = SPAN_S;

  const show = () => {
    const index = pointed ?? times.length - 1;
    const at = times[index];
    const day = new Date();
    put("time", pointed === null || at === undefined ? "now" : formatTime(new Date(at * 1000), day));
    const values = lines.map(({ label, column }) => ({ label, value: lastAt(column, index) }));
    if (chart.figure === undefined) {
      showReadings(get("readings"), values, chart.format);
    } else {
      const value = chart.figure.of(values);
      showReadings(get("readings"), [{ label: chart.figure.label, value }], chart.format);
      showLegend(legend, values, chart.format);
      setAttribute(element, "data-alarm", String(chart.isAlarm?.(value) ?? false));
    }
  };

  return {
    element,
    /**
     * @param {History} history
     * @param {number} seconds How much of it is shown.
     */
    update(history, seconds) {
      rangeS = seconds;
      times = history.times;
      lines = chart.lines(history);
      const hasNames = lines.some(({ label }) => label !== "");
      setHidden(legend, chart.figure === undefined || !hasNames);
      show(); // before the plot, which takes the room that is left
      plot.draw(times, lines, seconds);
      setAttribute(plotElement, "aria-label", describe(chart, lines, rangeS));
      put("range", rangeText(chart, lines, rangeS));
    },
    /** @param {number | null} index */
    pointAt(index) {
      pointed = index === null || index >= times.length ? null : index;
      show();
    },
  };
}

/**
 * @param {HTMLElement} list
 * @param {{ label: string, value: number | null | undefined }[]} values
 * @param {Chart["format"]} format
 */
function showReadings(list, values, format) {
  matchLength(list, values.length, () => stamp("reading"));
  values.forEach(({ label, value }, i) => {
    const item = partsOf(/** @type {HTMLElement} */ (list.children[i]));
    const [figure = "", unit = ""] = format(value).split(/\s/);
    item.put("label", label);
    setAttribute(item.get("swatch"), "data-line", values.length === 1 ? "" : String(i));
    item.put("value", figure);
    item.put("unit", unit);
  });
}

/**
 * @param {HTMLElement} list
 * @param {{ label: string, value: number | null | undefined }[]} values
 * @param {Chart["format"]} format
 */
function showLegend(list, values, format) {
  matchLength(list, values.length, () => stamp("legend-entry"));
  // The largest first: in an incident that is the one to look at.
  const ordered = values.map((it, line) => ({ ...it, line }))
    .sort((a, b) => (b.value ?? -1) - (a.value ?? -1));
  ordered.forEach(({ label, value, line }, i) => {
    const item = partsOf(/** @type {HTMLElement} */ (list.children[i]));
    item.put("label", cutInTheMiddle(label));
    setAttribute(item.root, "title", label);
    setAttribute(item.get("swatch"), "data-line", String(line));
    item.put("value", format(value));
  });
}

/**
 * @param {HTMLElement} list
 * @param {number} length
 * @param {() => HTMLElement} create
 */
function matchLength(list, length, create) {
  while (list.children.length > length) list.lastElementChild?.remove();
  while (list.children.length < length) list.append(create());
}

/**
 * @param {Chart} chart
 * @param {Line[]} lines
 * @param {number} rangeS
 */
function rangeText(chart, lines, rangeS) {
  const extent = extentOf(lines);
  if (extent === null) return "nothing yet";
  return `${chart.format(extent[0])} to ${chart.format(extent[1])} in ${spanWords(rangeS)}`;
}

/** @param {number} seconds */
function spanWords(seconds) {
  return seconds === 60 ? "the last minute" : `the last ${seconds / 60} minutes`;
}

/**
 * The chart in a sentence, for those who do not see it.
 *
 * @param {Chart} chart
 * @param {Line[]} lines
 * @param {number} rangeS
 */
function describe(chart, lines, rangeS) {
  const parts = lines.map((line) => {
    const now = chart.format(lastAt(line.column, line.column.length - 1));
    const extent = extentOf([line]);
    const range = extent === null ? "" : `, from ${chart.format(extent[0])} to ${chart.format(extent[1])}`;
    return `${line.label} ${now}${range}`.trim();
  });
  return `${chart.title}, line chart of ${spanWords(rangeS)}. Now: ${parts.join("; ") || UNKNOWN}.`;
}

/**
 * @param {Line[]} lines
 * @return {[number, number] | null}
 */
function extentOf(lines) {
  let low = Infinity;
  let high = -Infinity;
  for (const { column } of lines) {
    for (const value of column) {
      if (value === null) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return low === Infinity ? null : [low, high];
}

/**
 * The value at an index or, where there was none, the last one before: a backend may be dialled only now and then.
 *
 * @param {Column} column
 * @param {number} index
 */
function lastAt(column, index) {
  let i = index;
  while (i >= 0 && (column[i] ?? null) === null) i--;
  return column[i] ?? null;
}

/** @param {{ value: number | null | undefined }[]} values */
function sum(values) {
  return values.reduce((total, { value }) => total + (value ?? 0), 0);
}

/** @param {{ value: number | null | undefined }[]} values */
function mean(values) {
  const known = values.map(({ value }) => value).filter((value) => typeof value === "number");
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}
