// The chart's data: a bar for each day or week, the average of the bars, and the scale.

import { daysBetween, startOfWeek } from "./calendar.js";

/** @import { Bar, Day } from "./types.d.ts" */

const MAX_BARS = 62;
const HOUR = 3600;
const STEP_HOURS = [0.25, 0.5, 1, 2, 4, 8, 12, 24, 40, 80, 160, 320, 640];
const MAX_STEPS = 3;
// The number of days shown before the first day with time, if earlier days are omitted.
const DAYS_BEFORE_FIRST = 6;

/**
 * Return a bar for each day or, if there are too many days, for each week.
 *
 * @param {Map<Day, number>} times the seconds worked on each day, in chronological order; days without time
 *   are omitted
 * @param {Day} first
 * @param {Day} last
 * @param {number} firstWeekday the weekday on which weeks begin, 1 (Monday) to 7
 * @returns {Bar[]}
 */
export function toBars(times, first, last, firstWeekday) {
  let days = daysBetween(first, last);
  const [earliest] = times.keys();
  // In a long period, omit most days before the first day with time.
  if (days.length > MAX_BARS) days = days.slice(Math.max(0, days.indexOf(earliest) - DAYS_BEFORE_FIRST));
  const isByWeek = days.length > MAX_BARS;
  /** @type {Map<Day, Bar>} */
  const bars = new Map();
  for (const day of days) {
    const key = isByWeek ? startOfWeek(day, firstWeekday) : day;
    const seconds = (bars.get(key)?.seconds ?? 0) + (times.get(day) ?? 0);
    bars.set(key, { first: key, last: day, seconds });
  }
  return [...bars.values()];
}

/**
 * Return the step and the top of the chart's scale, in seconds. The scale has at most three steps if no bar
 * is longer than 1,920 hours.
 *
 * @param {Bar[]} bars
 */
export function scaleOf(bars) {
  const most = Math.max(...bars.map((bar) => bar.seconds));
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
  const count = bars.filter((bar) => bar.seconds).length;
  const seconds = bars.reduce((sum, bar) => sum + bar.seconds, 0) / count;
  return { count, seconds };
}

/**
 * Return the longest bar. If several bars are equally long, return the first of them.
 *
 * @param {Bar[]} bars at least one bar
 */
export function longestOf(bars) {
  return bars.reduce((one, other) => (other.seconds > one.seconds ? other : one));
}
