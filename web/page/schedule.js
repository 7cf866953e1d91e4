// What follows from a person's schedule: the hours of a date, days off, and descriptions of exceptions.

import { addDays } from "./calendar.js";
import { fromApiTime } from "./time-of-day.js";
import { before, isNight, WEEKDAYS } from "./week.js";
import { clocksIn } from "./zones.js";

/** @import { Day, DayException, Intervals, Schedule, WorkingHours } from "./types.d.ts" */

/** @type {Intervals} */
const ALL_DAY = [["00:00", "24:00"]];

/**
 * @typedef {object} ExceptionGroup successive days with the same hours for the same reason
 * @property {Day} first
 * @property {Day} last
 * @property {Intervals} intervals
 * @property {string} reason
 */

/**
 * Return the working hours that hold on a day, without its exception.
 *
 * @param {Schedule} schedule
 * @param {Day} day
 * @returns {WorkingHours}
 */
export function workingHoursOn({ versions, default: ofOrganization }, day) {
  return versions.findLast(({ valid_from }) => valid_from <= day) ?? ofOrganization;
}

/**
 * Return the person's hours on a day.
 *
 * @param {Schedule} schedule
 * @param {Day} day
 * @returns {Intervals}
 */
export function hoursOn(schedule, day) {
  const exception = exceptionOn(schedule, day);
  if (exception) return exception.intervals;
  const { week } = workingHoursOn(schedule, day);
  const weekday = WEEKDAYS[(new Date(`${day}T00:00Z`).getUTCDay() + 6) % 7];
  return week ? week[weekday] : ALL_DAY;
}

/**
 * @param {Schedule} schedule
 * @param {Day} day
 */
export function exceptionOn({ exceptions }, day) {
  return exceptions.find(({ date }) => date === day);
}

/**
 * Return the person's day that contains an instant, and the minutes since its midnight.
 *
 * @param {Schedule} schedule
 * @param {Date} instant
 */
export function dayAt({ current }, instant) {
  return clocksIn(current.time_zone, instant);
}

/**
 * Return whether hours of the day have begun by an instant.
 *
 * @param {Schedule} schedule
 * @param {Date} instant
 */
export function haveHoursBegun(schedule, instant) {
  const { day, minutes } = dayAt(schedule, instant);
  return before(hoursOn(schedule, day), minutes + 1).length > 0;
}

/**
 * Return the exceptions after which no hours remain from the next full minute on: of the day or, in a night's hours, of
 * the night. An act of the present minute is within the hours, because it would open overtime after them.
 *
 * @param {Schedule} schedule
 * @param {Date} instant
 * @returns {DayException[]} empty if no hours remain anyway
 */
export function offFrom(schedule, instant) {
  const { day, minutes } = dayAt(schedule, instant);
  const end = minutes + 1;
  const [yesterday, tomorrow] = [addDays(day, -1), addDays(day, 1)];
  const hours = hoursOn(schedule, day);
  /** @param {Day} date @param {Intervals} intervals */
  const exception = (date, intervals) => {
    return { date, intervals, reason: exceptionOn(schedule, date)?.reason ?? "" };
  };
  if (isNight(hoursOn(schedule, yesterday), hours) && minutes < fromApiTime(hours[0][1])) {
    const [morning, ...later] = hours;
    return [exception(day, [...before([morning], end), ...later])];
  }
  const next = hoursOn(schedule, tomorrow);
  const goesOn = isNight(hours, next);
  if (!goesOn && !hours.some(([, until]) => fromApiTime(until) > end)) return [];
  const today = exception(day, before(hours, end));
  return goesOn ? [today, exception(tomorrow, next.slice(1))] : [today];
}

/**
 * Return the year whose public holidays people choose from: the next one from November on.
 *
 * @param {Day} today
 */
export function yearOfHolidays(today) {
  const [year, month] = today.split("-").map(Number);
  return month < 11 ? year : year + 1;
}

/**
 * Return exceptions in groups of successive days.
 *
 * @param {DayException[]} exceptions
 * @returns {ExceptionGroup[]} in the order of the days
 */
export function grouped(exceptions) {
  /** @type {ExceptionGroup[]} */
  const groups = [];
  for (const { date, intervals, reason } of exceptions.toSorted((a, b) => (a.date < b.date ? -1 : 1))) {
    const group = groups.at(-1);
    const isSame = group?.reason === reason && String(group.intervals) === String(intervals);
    if (group && isSame && addDays(group.last, 1) === date) group.last = date;
    else groups.push({ first: date, last: date, intervals, reason });
  }
  return groups;
}
