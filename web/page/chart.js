// The bar chart of days or weeks.

import { h } from "../widget/dom.js";
import { averageOf, longestOf, scaleOf } from "./bars.js";
import { startOf } from "./calendar.js";
import { svg } from "./elements.js";
import { formats, text } from "./language.js";

/** @import { Bar } from "./types.d.ts" */

// Sizes in pixels. Widths are percentages, so that the chart fits a page of any width.
const HEIGHT = 160;
const ABOVE = 12;
const BELOW = 24;
const TOTAL_HEIGHT = ABOVE + HEIGHT + BELOW;
const MAX_LABELS = 6;

/**
 * Draw the bars. A line of text above the bars describes the bar under the pointer.
 *
 * @param {Bar[]} bars at least one bar has a nonzero time
 */
export function chart(bars) {
  const isMirrored = getComputedStyle(document.documentElement).direction === "rtl";
  const width = 100 / bars.length;
  /** @param {number} index */
  const x = (index) => (isMirrored ? 100 - width * (index + 1) : width * index);
  const { step, top } = scaleOf(bars);
  /** @param {number} seconds */
  const y = (seconds) => ABOVE + HEIGHT * (1 - seconds / top);

  const axis = svg("svg", { class: "axis", width: 44, height: TOTAL_HEIGHT, "aria-hidden": "true" });
  const plot = svg("svg", {
    class: "plot",
    width: "100%",
    height: TOTAL_HEIGHT,
    role: "img",
    "aria-label": summary(bars),
  });
  for (let seconds = 0; seconds <= top; seconds += step) {
    const label = seconds ? formats.duration(seconds) : "0";
    axis.append(svg("text", { x: isMirrored ? 8 : 36, y: y(seconds) + 4, "text-anchor": "end" }, label));
    const line = { x1: 0, x2: "100%", y1: y(seconds), y2: y(seconds) };
    plot.append(svg("line", { class: seconds ? "grid" : "base", ...line }));
  }

  const reading = h("p", { className: "reading", ariaHidden: "true" });
  const showAverage = () => (reading.textContent = average(bars));
  bars.forEach((bar, index) => {
    const column = barColumn(bar, x(index), width, y);
    const showBar = () => (reading.textContent = `${barName(bar)}: ${formats.duration(bar.seconds)}`);
    for (const part of column.children) part.addEventListener("pointerenter", showBar);
    plot.append(column);
  });
  plot.append(...labels(bars, (index) => x(index) + width / 2));
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
      y: bar.seconds ? Math.min(y(bar.seconds), y(0) - 2) : y(0),
      width: `${thickness}%`,
      height: bar.seconds ? Math.max(y(0) - y(bar.seconds), 2) : 0,
      rx: 2,
    }),
  );
}

/**
 * Label the last bar, and earlier bars at equal distances.
 *
 * @param {Bar[]} bars
 * @param {(index: number) => number} middle
 */
function labels(bars, middle) {
  const every = Math.ceil(bars.length / MAX_LABELS);
  const isOneWeek = bars.length <= 7 && bars.every((bar) => bar.first === bar.last);
  return bars.flatMap((bar, index) => {
    const after = bars.length - 1 - index;
    if (after % every !== 0) return [];
    const label = formats.date(isOneWeek ? "weekday" : "shortDay", startOf(bar.first));
    // A narrow chart hides every other label.
    const isMinor = (after / every) % 2 === 1;
    const place = { x: `${middle(index)}%`, y: TOTAL_HEIGHT - 6, "text-anchor": "middle" };
    return [svg("text", { class: isMinor ? "minor" : "", ...place }, label)];
  });
}

/** @param {Bar} bar */
function barName({ first, last }) {
  if (first === last) return formats.date("day", startOf(first));
  return formats.range("shortDay", startOf(first), startOf(last));
}

/** @param {Bar[]} bars */
function average(bars) {
  const { count, seconds } = averageOf(bars);
  const isByWeek = bars.some((bar) => bar.first !== bar.last);
  return text(isByWeek ? "averageWeek" : "averageDay", { count, duration: formats.duration(seconds) });
}

/**
 * Describe the chart for screen readers. The table of days below the chart contains all values.
 *
 * @param {Bar[]} bars
 */
function summary(bars) {
  const longest = longestOf(bars);
  const most = `${barName(longest)}, ${formats.duration(longest.seconds)}`;
  return text("chartSummary", { average: average(bars), most });
}
