// @ts-check

/** The four charts of the last ten minutes, each with its figure in words. */

import { drawPlot } from "./plot.js";
import { byId, partsOf, setAttribute, setHidden, stamp } from "./dom.js";
import { formatByteRate, formatCount, formatMs, formatRate, formatTime, UNKNOWN } from "./format.js";

/** @import { Column, History } from "./history.js" */

/**
 * @typedef {{ label: string, column: Column }} Line
 *
 * @typedef {{
 *   title: string,
 *   lines: (history: History) => Line[],
 *   format: (value: number | null | undefined) => string,
 *   step: "whole" | "decimal" | "binary",
 *   mean?: string,
 * }} Chart `mean` names the figure of a chart that has a line for each backend.
 */

/** @type {Chart[]} */
const CHARTS = [
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
    mean: "mean",
  },
];

/** Puts the charts into the page. */
export function createCharts() {
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
  return {
    /** @param {History} history */
    update(history) {
      for (const panel of panels) panel.update(history);
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

  const show = () => {
    const index = pointed ?? times.length - 1;
    const at = times[index];
    const day = new Date();
    put("time", pointed === null || at === undefined ? "now" : formatTime(new Date(at * 1000), day));
    const values = lines.map(({ label, column }) => ({ label, value: lastAt(column, index) }));
    if (chart.mean === undefined) {
      showReadings(get("readings"), values, chart.format);
    } else {
      showReadings(get("readings"), [{ label: chart.mean, value: mean(values) }], chart.format);
      showLegend(legend, values, chart.format);
    }
  };

  return {
    element,
    /** @param {History} history */
    update(history) {
      times = history.times;
      lines = chart.lines(history);
      setHidden(legend, chart.mean === undefined || lines.length === 0);
      show(); // before the plot, which takes the room that is left
      plot.draw(times, lines);
      setAttribute(plotElement, "aria-label", describe(chart, lines));
      put("range", rangeText(chart, lines));
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
  values.forEach(({ label, value }, i) => {
    const item = partsOf(/** @type {HTMLElement} */ (list.children[i]));
    item.put("label", label);
    setAttribute(item.root, "title", label);
    setAttribute(item.get("swatch"), "data-line", String(i));
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
 */
function rangeText(chart, lines) {
  const extent = extentOf(lines);
  if (extent === null) return "nothing yet";
  return `${chart.format(extent[0])} to ${chart.format(extent[1])} in the last ten minutes`;
}

/**
 * The chart in a sentence, for those who do not see it.
 *
 * @param {Chart} chart
 * @param {Line[]} lines
 */
function describe(chart, lines) {
  const parts = lines.map((line) => {
    const now = chart.format(lastAt(line.column, line.column.length - 1));
    const extent = extentOf([line]);
    const range = extent === null ? "" : `, from ${chart.format(extent[0])} to ${chart.format(extent[1])}`;
    return `${line.label} ${now}${range}`.trim();
  });
  return `${chart.title}, line chart of the last ten minutes. Now: ${parts.join("; ") || UNKNOWN}.`;
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
function mean(values) {
  const known = values.map(({ value }) => value).filter((value) => typeof value === "number");
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}
