// The chart's data: a bar for each day, week, month or year, the average of the bars, and the scale.

import { daysBetween, startOfWeek } from "./calendar.js";

/** @import { Bar, Day, Figure } from "./types.d.ts" */

const MAX_BARS = 62;
const HOUR = 3600;
const STEP_HOURS = [0.25, 0.5, 1, 2, 4, 8, 12, 24, 40, 80, 160, 320, 640, 1280, 2560];
const MAX_STEPS = 3;
// The number of days shown before the first day with time, if earlier days are omitted.
const DAYS_BEFORE_FIRST = 6;

/**
 * Return a bar for each day or, if there are too many days, for each week, month or year. The shown time of a
 * bar is the sum of the shown times of its days.
 *
 * @param {Map<Day, Figure>} times the time worked on each day, in chronological order; days without time are
 *   omitted
 * @param {Day} first
 * @param {Day} last
 * @param {number} firstWeekday the weekday on which weeks begin, 1 (Monday) to 7
 * @returns {{unit: "day" | "week" | "month" | "year", bars: Bar[]}}
 */
export function toBars(times, first, last, firstWeekday) {
  let days = daysBetween(first, last);
  const [earliest] = times.keys();
  // In a long period, omit most days before the first day with time.
  if (days.length > MAX_BARS) days = days.slice(Math.max(0, days.indexOf(earliest) - DAYS_BEFORE_FIRST));
  const units = /** @type {const} */ ([
    ["day", (/** @type {Day} */ day) => day],
    ["week", (/** @type {Day} */ day) => startOfWeek(day, firstWeekday)],
    ["month", (/** @type {Day} */ day) => `${day.slice(0, 8)}01`],
  ]);
  for (const [unit, startOfBar] of units) {
    const bars = group(days, times, startOfBar);
    if (bars.length <= MAX_BARS) return { unit, bars };
  }
  return { unit: "year", bars: group(days, times, (day) => `${day.slice(0, 5)}01-01`) };
}

/**
 * @param {Day[]} days
 * @param {Map<Day, Figure>} times
 * @param {(day: Day) => Day} startOfBar returns the first day of a day's bar
 * @returns {Bar[]}
 */
function group(days, times, startOfBar) {
  /** @type {Map<Day, Bar>} */
  const bars = new Map();
  for (const day of days) {
    const first = startOfBar(day);
    const bar = bars.get(first) ?? { first, last: day, exact: 0, shown: 0, unit: 60 };
    const { exact, shown, unit } = times.get(day) ?? { exact: 0, shown: 0, unit: bar.unit };
    bars.set(first, { first, last: day, exact: bar.exact + exact, shown: bar.shown + shown, unit });
  }
  return [...bars.values()];
}

/**
 * Return the step and the top of the chart's scale, in seconds. The scale has at most three steps if no bar
 * is longer than 7,680 hours.
 *
 * @param {Bar[]} bars
 */
export function scaleOf(bars) {
  const most = Math.max(...bars.map((bar) => bar.exact));
  const hours =
    STEP_HOURS.find((step) => most <= step * HOUR * MAX_STEPS) ?? STEP_HOURS[STEP_HOURS.length - 1];
  const step = hours * HOUR;
  return { step, top: Math.ceil(most / step) * step };
}

/**
 * Return the number of bars with a nonzero time, and the average of those bars in seconds.
 *
 * @param {Bar[]} bars at least one bar has a nonzero time
 */
export function averageOf(bars) {
  const count = bars.filter((bar) => bar.exact).length;
  const seconds = bars.reduce((sum, bar) => sum + bar.exact, 0) / count;
  return { count, seconds };
}

/**
 * Return the longest bar. If several bars are equally long, return the first of them.
 *
 * @param {Bar[]} bars at least one bar
 */
export function longestOf(bars) {
  return bars.reduce((one, other) => (other.exact > one.exact ? other : one));
}
