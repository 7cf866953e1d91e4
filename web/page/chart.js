// The bar chart of days, weeks, months or years.

import { h } from "../widget/dom.js";
import { averageOf, longestOf, scaleOf } from "./bars.js";
import { startOf } from "./calendar.js";
import { svg } from "./elements.js";
import { formats, text } from "./language.js";

/** @import { toBars } from "./bars.js" */
/** @import { Bar } from "./types.d.ts" */
/** @typedef {ReturnType<typeof toBars>} Chart */

// Sizes in pixels. Widths are percentages, so that the chart fits a page of any width.
const HEIGHT = 160;
const ABOVE = 12;
const BELOW = 24;
const TOTAL_HEIGHT = ABOVE + HEIGHT + BELOW;
const MAX_LABELS = 6;
const AVERAGES = /** @type {const} */ ({
  day: "averageDay",
  week: "averageWeek",
  month: "averageMonth",
  year: "averageYear",
});

/**
 * Draw the bars. A line of text above the bars describes the bar under the pointer.
 *
 * @param {Chart} of at least one bar has a nonzero time
 */
export function chart(of) {
  const { bars, unit } = of;
  const isMirrored = getComputedStyle(document.documentElement).direction === "rtl";
  const width = 100 / bars.length;
  /** @param {number} index */
  const x = (index) => (isMirrored ? 100 - width * (index + 1) : width * index);
  const { step, top } = scaleOf(bars);
  /** @param {number} seconds */
  const y = (seconds) => ABOVE + HEIGHT * (1 - seconds / top);

  const scale = svg("svg", { width: "100%", height: TOTAL_HEIGHT, "aria-hidden": "true" });
  /** @type {string[]} */
  const labelTexts = [];
  const plot = svg("svg", {
    class: "plot",
    width: "100%",
    height: TOTAL_HEIGHT,
    role: "img",
    "aria-label": summary(of),
  });
  for (let seconds = 0; seconds <= top; seconds += step) {
    const label = seconds ? formats.duration(seconds) : "0";
    labelTexts.push(label);
    scale.append(svg("text", { x: isMirrored ? 0 : "100%", y: y(seconds) + 4, "text-anchor": "end" }, label));
    const line = { x1: 0, x2: "100%", y1: y(seconds), y2: y(seconds) };
    plot.append(svg("line", { class: seconds ? "grid" : "base", ...line }));
  }

  // The invisible labels make the axis as wide as the longest of them is in each language.
  const widths = labelTexts.map((label) => h("span", {}, label));
  const axis = h("div", { className: "axis", ariaHidden: "true" }, ...widths, scale);

  const reading = h("p", { className: "reading", ariaHidden: "true" });
  const showAverage = () => (reading.textContent = average(of));
  bars.forEach((bar, index) => {
    const column = barColumn(bar, x(index), width, y);
    const showBar = () => (reading.textContent = `${barName(bar, unit)}: ${formats.figure(bar)}`);
    for (const part of column.children) part.addEventListener("pointerenter", showBar);
    plot.append(column);
  });
  plot.append(...labels(of, (index) => x(index) + width / 2));
  plot.addEventListener("pointerleave", showAverage);
  showAverage();
  return h("div", {}, reading, h("div", { className: "chart" }, axis, plot));
}

/**
 * Draw a bar and its background. The background receives pointer events in the whole column.
 *
 * @param {Bar} bar
 * @param {number} x
 * @param {number} width
 * @param {(seconds: number) => number} y
 */
function barColumn(bar, x, width, y) {
  const thickness = Math.min(width * 0.72, 8);
  return svg(
    "g",
    {},
    svg("rect", { class: "column", x: `${x}%`, y: 0, width: `${width}%`, height: ABOVE + HEIGHT }),
    svg("rect", {
      class: "bar",
      x: `${x + (width - thickness) / 2}%`,
      y: bar.exact ? Math.min(y(bar.exact), y(0) - 2) : y(0),
      width: `${thickness}%`,
      height: bar.exact ? Math.max(y(0) - y(bar.exact), 2) : 0,
      rx: 2,
    }),
  );
}

/**
 * Label the last bar, and earlier bars at equal distances.
 *
 * @param {Chart} of
 * @param {(index: number) => number} middle
 */
function labels({ bars, unit }, middle) {
  const every = Math.ceil(bars.length / MAX_LABELS);
  const ofWeek = bars.length <= 7 ? "weekday" : "shortDay";
  const format = { day: ofWeek, week: "shortDay", month: "month", year: "year" }[unit];
  return bars.flatMap((bar, index) => {
    const after = bars.length - 1 - index;
    if (after % every !== 0) return [];
    const label = formats.date(format, startOf(bar.first));
    // A narrow chart hides every other label.
    const isMinor = (after / every) % 2 === 1;
    const place = { x: `${middle(index)}%`, y: TOTAL_HEIGHT - 6, "text-anchor": "middle" };
    return [svg("text", { class: isMinor ? "minor" : "", ...place }, label)];
  });
}

/**
 * @param {Bar} bar
 * @param {Chart["unit"]} unit
 */
function barName({ first, last }, unit) {
  if (unit === "month" || unit === "year") return formats.date(unit, startOf(first));
  if (first === last) return formats.date("day", startOf(first));
  return formats.range("shortDay", startOf(first), startOf(last));
}

/** @param {Chart} of */
function average({ bars, unit }) {
  const { count, seconds } = averageOf(bars);
  return text(AVERAGES[unit], { count, duration: formats.duration(seconds) });
}

/**
 * Describe the chart for screen readers. The table of days below the chart contains all values.
 *
 * @param {Chart} of
 */
function summary(of) {
  const longest = longestOf(of.bars);
  const most = `${barName(longest, of.unit)}, ${formats.figure(longest)}`;
  return text("chartSummary", { average: average(of), most });
}
