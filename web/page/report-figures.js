// The figures of a report, rounded so that they add up where the rows do, and the bars of its chart.

import { toBars } from "./bars.js";
import { addDays } from "./calendar.js";
import { apportion, figureOf } from "./figures.js";

/** @import { Bar, Day, Figure, Report, ReportRow } from "./types.d.ts" */

/**
 * Return the working time of the rows. If the rows overlap, they do not add up to the total.
 *
 * @param {Report} report
 * @returns {Figure[]}
 */
export function workingFigures({ rows, totals, overlapping }) {
  const durations = rows.map((row) => row.working_duration);
  return overlapping
    ? durations.map((duration) => figureOf(duration))
    : apportion(durations, figureOf(totals.working_duration));
}

/**
 * Round a time that contains the working time of a row, or is a part of it, so that both show which one is longer.
 *
 * @param {number} seconds
 * @param {Figure} working the working time of the row, rounded together with the other rows
 * @returns {Figure}
 */
export function figureBeside(seconds, working) {
  const figure = figureOf(seconds, working.unit);
  return seconds < working.exact ? figure : { ...figure, shown: Math.max(figure.shown, working.shown) };
}

/**
 * Return the bars of a report that is grouped by a period; null if it is not, has no time, or its rows overlap.
 *
 * @param {Report} report
 * @param {Figure[]} figures the working time of the rows
 * @param {number} firstWeekday the weekday on which weeks begin, 1 (Monday) to 7
 */
export function barsOf(report, figures, firstWeekday) {
  const unit = /** @type {const} */ (["day", "week", "month"]).find((name) => report.group_by.includes(name));
  if (!unit || report.overlapping || !report.totals.working_duration) return null;
  const times = sumsOf(report.rows, figures, unit);
  if (unit === "day") return toBars(times, report.from, report.to, firstWeekday);
  return { unit, bars: [...periods(times, unit)] };
}

/**
 * @param {ReportRow[]} rows
 * @param {Figure[]} figures
 * @param {"day" | "week" | "month"} unit
 * @returns {Map<Day, Figure>} the time of each period by its first day, in chronological order
 */
function sumsOf(rows, figures, unit) {
  /** @type {Map<Day, Figure>} */
  const sums = new Map();
  rows.forEach((row, index) => {
    const first = String(row[unit]);
    const { exact, shown } = sums.get(first) ?? { exact: 0, shown: 0 };
    const figure = figures[index];
    sums.set(first, { ...figure, exact: exact + figure.exact, shown: shown + figure.shown });
  });
  return new Map([...sums].sort(([one], [other]) => (one < other ? -1 : 1)));
}

/**
 * Yield a bar for each week or month from the first to the last one with time.
 *
 * @param {Map<Day, Figure>} times
 * @param {"week" | "month"} unit
 * @returns {Generator<Bar>}
 */
function* periods(times, unit) {
  const [...known] = times.keys();
  for (let first = known[0]; first <= known[known.length - 1]; ) {
    const next = unit === "week" ? addDays(first, 7) : firstOfNextMonth(first);
    const { exact, shown } = times.get(first) ?? { exact: 0, shown: 0 };
    yield { first, last: addDays(next, -1), exact, shown, unit: 60 };
    first = next;
  }
}

/** @param {Day} first */
function firstOfNextMonth(first) {
  return `${addDays(first, 31).slice(0, 8)}01`;
}
