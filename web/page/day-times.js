// The days of a week: their working time, overtime and working hours.

import { cut, secondsOf, stretchOf, toBlocks, withoutConstantHours } from "./timeline.js";

/** @import { Stretch } from "./timeline.js" */
/** @import { Day, Timeline } from "./types.d.ts" */

/**
 * The time of a day, in seconds.
 *
 * @typedef {object} DayTime
 * @property {Day} day
 * @property {number} worked the working time, with overtime
 * @property {number} overtime the part of it outside of working hours
 * @property {number} scheduled the working hours; 0 if the working hours are always
 * @property {number} due the working hours that have passed
 */

/**
 * Return the time of days.
 *
 * @param {{day: Day, range: Stretch}[]} days
 * @param {Timeline} timeline of all days
 * @param {number} now in milliseconds since the epoch
 * @returns {DayTime[]}
 */
export function toDayTimes(days, timeline, now) {
  const blocks = toBlocks(timeline.slices);
  return days.map(({ day, range }) => {
    const { working_hours } = withoutConstantHours(timeline, range);
    const hours = working_hours.map(stretchOf);
    const ofDay = blocks.map((block) => ({ ...block, ...cut(block, range) }));
    const passed = { since: range.since, until: Math.max(range.since, Math.min(range.until, now)) };
    return {
      day,
      worked: secondsOf(ofDay),
      overtime: secondsOf(ofDay.filter(({ overtime }) => overtime)),
      scheduled: lengthOf(hours, range),
      due: lengthOf(hours, passed),
    };
  });
}

/**
 * Return the sums of days.
 *
 * @param {DayTime[]} days
 */
export function sumOfDays(days) {
  const sum = (/** @type {"worked" | "overtime" | "scheduled" | "due"} */ name) =>
    days.reduce((seconds, day) => seconds + day[name], 0);
  return { worked: sum("worked"), overtime: sum("overtime"), scheduled: sum("scheduled"), due: sum("due") };
}

/**
 * @param {Stretch[]} stretches
 * @param {Stretch} range
 */
function lengthOf(stretches, range) {
  return secondsOf(stretches.map((stretch) => ({ ...cut(stretch, range), share: 1 })));
}
