// The working hours of a week: the API's form, and the form in which people read and edit it.

import { DAY_MINUTES, fromApiTime, toApiTime } from "./time-of-day.js";

/** @import { Intervals, Week, Weekday } from "./types.d.ts" */
/** @typedef {"order" | "overlap"} Mistake */

/** The weekdays of the API, Monday first. @type {readonly Weekday[]} */
export const WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/**
 * Return a week with the same hours from Monday to Friday.
 *
 * @param {Intervals} intervals
 * @returns {Week}
 */
export function workweek(intervals) {
  return weekOf((day) => (day === "sat" || day === "sun" ? [] : intervals));
}

/** The hours that the pages propose to people who have not chosen any. */
export const PROPOSED_WEEK = workweek([["09:00", "17:00"]]);

/**
 * Return the week that the API stores for given hours: sorted, with touching intervals joined, and with an
 * interval over midnight as two.
 *
 * @param {Week} week
 * @returns {{week: Week, mistakes: Partial<Record<Weekday, Mistake>>}} the mistakes by the weekdays that have them
 */
export function storedWeek(week) {
  /** @type {Partial<Record<Weekday, Mistake>>} */
  const mistakes = {};
  /** @type {number[][][]} */
  const days = WEEKDAYS.map(() => []);
  for (const [index, day] of WEEKDAYS.entries()) {
    for (const [since, until] of week[day].map(toMinutes)) {
      if (since === until || since === DAY_MINUTES) mistakes[day] = "order";
      else if (since < until) days[index].push([since, until]);
      else {
        days[index].push([since, DAY_MINUTES]);
        days[(index + 1) % 7].push([0, until]);
      }
    }
  }
  for (const [index, day] of WEEKDAYS.entries()) {
    if (!mistakes[day] && haveOverlap(days[index])) mistakes[day] = "overlap";
  }
  return { week: weekOf((_, index) => joined(days[index])), mistakes };
}

/**
 * Return what is wrong with the hours of one date, which cannot go on after midnight.
 *
 * @param {Intervals} intervals
 * @returns {Mistake | null}
 */
export function mistakeOfDate(intervals) {
  const minutes = intervals.map(toMinutes);
  if (minutes.some(([since, until]) => since >= until)) return "order";
  return haveOverlap(minutes) ? "overlap" : null;
}

/**
 * Return a week in which hours that go on after midnight are one interval, such as 22:00 to 06:00.
 *
 * @param {Week} week as the API stores it
 * @returns {Week}
 */
export function withNightsJoined(week) {
  const shown = weekOf((day) => [...week[day]]);
  for (const [index, day] of WEEKDAYS.entries()) {
    const next = WEEKDAYS[(index + 1) % 7];
    if (!isNight(week[day], week[next])) continue;
    shown[day].splice(-1, 1, [week[day].slice(-1)[0][0], week[next][0][1]]);
    shown[next].shift();
  }
  return shown;
}

/**
 * Return whether the last hours of a day go on after midnight as a night, which is shorter than a day.
 *
 * @param {Intervals} hours
 * @param {Intervals} next the hours of the next day
 */
export function isNight(hours, next) {
  const [evening] = hours.slice(-1);
  const [morning] = next;
  if (evening?.[1] !== "24:00" || morning?.[0] !== "00:00") return false;
  return evening[0] !== "00:00" && morning[1] <= evening[0];
}

/**
 * Return the weekdays with hours, grouped by successive days with the same hours.
 *
 * @param {Week} week
 * @param {readonly Weekday[]} order
 * @returns {{first: Weekday, last: Weekday, intervals: Intervals}[]}
 */
export function daysWithSameHours(week, order) {
  /** @type {{first: Weekday, last: Weekday, intervals: Intervals}[]} */
  const groups = [];
  let isAdjacent = false;
  for (const day of order) {
    const intervals = week[day];
    const group = groups.at(-1);
    if (isAdjacent && group && String(group.intervals) === String(intervals)) group.last = day;
    else if (intervals.length) groups.push({ first: day, last: day, intervals });
    isAdjacent = intervals.length > 0;
  }
  return groups;
}

/**
 * Return the hours of a week, in seconds.
 *
 * @param {Week} week as the API stores it
 */
export function weekDuration(week) {
  const intervals = WEEKDAYS.flatMap((day) => week[day]).map(toMinutes);
  return intervals.reduce((sum, [since, until]) => sum + until - since, 0) * 60;
}

/**
 * Return the parts of a day's hours before a time of day.
 *
 * @param {Intervals} intervals
 * @param {number} minutes since midnight
 * @returns {Intervals}
 */
export function before(intervals, minutes) {
  return intervals
    .filter(([since]) => fromApiTime(since) < minutes)
    .map(([since, until]) => [since, toApiTime(Math.min(fromApiTime(until), minutes))]);
}

/**
 * @param {(day: Weekday, index: number) => Intervals} intervals
 * @returns {Week}
 */
function weekOf(intervals) {
  return /** @type {Week} */ (Object.fromEntries(WEEKDAYS.map((day, index) => [day, intervals(day, index)])));
}

/** @param {[string, string]} interval */
function toMinutes([since, until]) {
  // Midnight is the end of the day if it ends an interval.
  return [fromApiTime(since), fromApiTime(until) || DAY_MINUTES];
}

/** @param {number[][]} intervals */
function haveOverlap(intervals) {
  const sorted = intervals.toSorted(([one], [other]) => one - other);
  return sorted.some(([since], i) => i > 0 && since < sorted[i - 1][1]);
}

/**
 * @param {number[][]} intervals
 * @returns {Intervals}
 */
function joined(intervals) {
  /** @type {number[][]} */
  const result = [];
  for (const [since, until] of intervals.toSorted(([one], [other]) => one - other)) {
    const last = result.at(-1);
    if (last?.[1] === since) last[1] = until;
    else result.push([since, until]);
  }
  return result.map(([since, until]) => [toApiTime(since), toApiTime(until)]);
}
