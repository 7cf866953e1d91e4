// The chart's data: days or weeks as bars, their average, and the scale.

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
 * @param {Map<Day, number>} times seconds of the days with time, in order
 * @param {Day} first
 * @param {Day} last
 * @param {number} firstWeekday the weekday on which weeks begin, 1 (Monday) to 7
 * @returns {Bar[]}
 */
export function toBars(times, first, last, firstWeekday) {
  let days = daysBetween(first, last);
  const [earliest] = times.keys();
  // In a long period, omit days before the first timer.
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
 * Return the chart's scale in seconds: its step and its top. Up to 1,920 hours, it has at most three steps.
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
 * Return how many bars have time, and their average in seconds.
 *
 * @param {Bar[]} bars at least one of which has time
 */
export function averageOf(bars) {
  const count = bars.filter((bar) => bar.seconds).length;
  const seconds = bars.reduce((sum, bar) => sum + bar.seconds, 0) / count;
  return { count, seconds };
}

/**
 * Return the longest bar; the first if several are equally long.
 *
 * @param {Bar[]} bars at least one
 */
export function longestOf(bars) {
  return bars.reduce((one, other) => (other.seconds > one.seconds ? other : one));
}
