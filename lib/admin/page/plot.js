// @ts-check

/** One uPlot: lines over the last minutes, in the colours of the page. */

import uPlot from "uplot";
import { formatMinute } from "./format.js";
import { SPAN_S } from "./history.js";

/** @import { Line } from "./charts.js" */

/**
 * @typedef {{
 *   format: (value: number | null | undefined) => string,
 *   step: "whole" | "decimal" | "binary",
 *   onPoint: (index: number | null) => void,
 * }} PlotOptions
 */

/** Colours there are; a line after that has the same ones again, but dashed. */
const COLORS = 8;
const DASHES = [[], [5, 3], [1, 3]];

const STEPS = {
  whole: decimalSteps(0, 9),
  decimal: decimalSteps(-2, 9),
  binary: Array.from({ length: 50 }, (_, power) => 2 ** power),
};

/** Room for the figures beside the lines. */
const AXIS_WIDTH = 50;
const AXIS_HEIGHT = 24;

/** A plot that is narrower has no axes. */
const NARROW = 220;
const FONT = "11px system-ui, sans-serif";

const sync = uPlot.sync("charts");

/**
 * An empty plot that fills an element and follows its size.
 *
 * @param {HTMLElement} element
 * @param {PlotOptions} options
 */
export function drawPlot(element, options) {
  /** @type {uPlot | null} */
  let plot = null;
  let drawn = "";
  let spanS = SPAN_S;
  const size = () => ({ width: element.clientWidth, height: element.clientHeight });

  const resized = new ResizeObserver(() => plot?.setSize(size()));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot?.redraw());

  return {
    /**
     * @param {number[]} times
     * @param {Line[]} lines
     * @param {number} seconds How far back it goes.
     */
    draw(times, lines, seconds) {
      spanS = seconds;
      const data = /** @type {uPlot.AlignedData} */ ([times, ...lines.map((line) => line.column)]);
      const labels = JSON.stringify(lines.map((line) => line.label));
      if (plot === null || labels !== drawn) {
        plot?.destroy();
        plot = new uPlot(plotOptions(options, lines, size(), () => spanS), data, element);
        drawn = labels;
        resized.disconnect();
        resized.observe(element);
      } else {
        plot.setData(data);
      }
    },
  };
}

/**
 * @param {PlotOptions} options
 * @param {Line[]} lines
 * @param {{ width: number, height: number }} size
 * @param {() => number} spanS
 * @return {uPlot.Options}
 */
function plotOptions({ format, step, onPoint }, lines, size, spanS) {
  const axis = {
    stroke: () => color("--muted"),
    font: FONT,
    grid: { stroke: () => color("--hairline"), width: 1 },
    ticks: { show: false },
  };
  return {
    ...size,
    legend: { show: false },
    padding: [8, 6, 0, 0],
    scales: {
      x: { time: true, range: (_, __, last) => [last - spanS(), last] },
      y: { range: (_, __, high) => [0, Math.max((high ?? 0) * 1.1, step === "whole" ? 5 : 1)] },
    },
    axes: [
      {
        ...axis,
        size: (plot) => roomFor(plot, AXIS_HEIGHT),
        gap: 4,
        space: 50,
        incrs: [60, 120, 300],
        values: (plot, splits) => splits.map((time) => isNarrow(plot) ? "" : formatMinute(time)),
      },
      {
        ...axis,
        size: (plot) => roomFor(plot, AXIS_WIDTH),
        gap: 6,
        space: 30,
        incrs: STEPS[step],
        values: (plot, splits) => splits.map((value) => isNarrow(plot) ? "" : short(format(value))),
      },
    ],
    series: [{}, ...lines.map((line, i) => lineOptions(line, i, lines.length))],
    cursor: {
      sync: { key: sync.key },
      drag: { x: false, y: false },
      y: false,
      points: { size: 6 },
    },
    hooks: {
      setCursor: [
        (plot) =>
          onPoint(plot.cursor.left === undefined || plot.cursor.left < 0 ? null : plot.cursor.idx ?? null),
      ],
    },
  };
}

/**
 * @param {Line} line
 * @param {number} index
 * @param {number} count
 * @return {uPlot.Series}
 */
function lineOptions(line, index, count) {
  return {
    label: line.label,
    stroke: () => color(`--line-${index % COLORS}`),
    width: count > COLORS ? 1 : 1.5,
    dash: DASHES[Math.floor(index / COLORS) % DASHES.length] ?? [],
    points: {
      show: false,
      filter: lonePoints,
      size: 3,
      fill: () => color(`--line-${index % COLORS}`),
    },
    ...(index === 0 && count <= 2 ? { fill: () => color("--line-fill") } : {}),
  };
}

/**
 * The points that no line leads to or from, which would not be seen: a backend may be dialled only now and then.
 *
 * @param {uPlot} plot
 * @param {number} series
 */
function lonePoints(plot, series) {
  const column = plot.data[series] ?? [];
  const found = [];
  for (let i = 0; i < column.length; i++) {
    const isLone = (column[i - 1] ?? null) === null && (column[i + 1] ?? null) === null;
    if (isLone && column[i] !== null) found.push(i);
  }
  return found;
}

/** @param {uPlot} plot */
function isNarrow(plot) {
  return plot.width < NARROW;
}

/**
 * @param {uPlot} plot
 * @param {number} pixels
 */
function roomFor(plot, pixels) {
  return isNarrow(plot) ? 0 : pixels;
}

/**
 * A figure for the axis, whose steps are round and whose unit is known: "1.0 KiB/s" is "1 KiB".
 *
 * @param {string} figure
 */
function short(figure) {
  return figure.replace(/\.0(?!\d)/, "").replace(/\s?\/s$/, "");
}

/** @param {string} name */
function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name);
}

/**
 * 1, 2, 5, 10, … between two powers of ten.
 *
 * @param {number} from
 * @param {number} to
 */
function decimalSteps(from, to) {
  const steps = [];
  for (let power = from; power <= to; power++) steps.push(...[1, 2, 5].map((digit) => digit * 10 ** power));
  return steps;
}
