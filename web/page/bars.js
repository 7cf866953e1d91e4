// The data of the chart: days or weeks as bars, their average, and the steps of the scale.

import { daysBetween, startOfWeek } from "./calendar.js";

/** @import { Bar, Day } from "./types.d.ts" */

const MOST_BARS = 62;
const HOUR = 3600;
const STEP_HOURS = [0.25, 0.5, 1, 2, 4, 8, 12, 24, 40, 80, 160, 320, 640];
const MOST_STEPS = 3;
// Empty days shown before the first day with time, if those before are omitted.
const DAYS_BEFORE_FIRST = 6;

/**
 * Return a bar for each day or, where there are too many days, for each week.
 *
 * @param {Map<Day, number>} times seconds of the days with time, in order
 * @param {Day} first
 * @param {Day} last
 * @param {number} firstWeekday on which weeks begin, 1 (Monday) to 7
 * @returns {Bar[]}
 */
export function toBars(times, first, last, firstWeekday) {
  let days = daysBetween(first, last);
  const [earliest] = times.keys();
  // A long period may begin with months before the first timer.
  if (days.length > MOST_BARS) days = days.slice(Math.max(0, days.indexOf(earliest) - DAYS_BEFORE_FIRST));
  const isByWeek = days.length > MOST_BARS;
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
 * Return the scale of bars: the seconds of its top and of a step, at most three of which reach the longest bar.
 *
 * @param {Bar[]} bars
 */
export function scaleOf(bars) {
  const most = Math.max(...bars.map((bar) => bar.seconds));
  const hours =
    STEP_HOURS.find((step) => most <= step * HOUR * MOST_STEPS) ?? STEP_HOURS[STEP_HOURS.length - 1];
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
 * Return the longest bar, the first of several.
 *
 * @param {Bar[]} bars at least one
 */
export function longestOf(bars) {
  return bars.reduce((one, other) => (other.seconds > one.seconds ? other : one));
}
