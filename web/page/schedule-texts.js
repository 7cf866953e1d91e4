// Texts about working hours.

import { addDays, startOf } from "./calendar.js";
import { firstWeekday, formats, text } from "./language.js";
import { fromApiTime } from "./time-of-day.js";
import { daysWithSameHours, WEEKDAYS, withNightsJoined } from "./week.js";

/** @import { Day, DayException, Intervals, Week, Weekday, WorkingHours } from "./types.d.ts" */

const A_MONDAY = "2026-11-23";

/** The weekdays in the order of the person's region. */
export const weekdaysInOrder = [...WEEKDAYS.slice(firstWeekday - 1), ...WEEKDAYS.slice(0, firstWeekday - 1)];

/**
 * @param {Weekday} day
 * @param {"longWeekday" | "weekday"} [format]
 */
export function weekdayName(day, format = "longWeekday") {
  return formats.date(format, startOf(addDays(A_MONDAY, WEEKDAYS.indexOf(day))));
}

/**
 * Describe the hours of a day, such as "09:00–12:30, 13:00–17:00".
 *
 * @param {Intervals} intervals
 */
export function hoursText(intervals) {
  return intervals
    .map((interval) => interval.map((time) => formats.clock(fromApiTime(time))).join("–"))
    .join(", ")
    .replaceAll(" ", "\u00a0")
    .replaceAll(",\u00a0", ", ");
}

/**
 * Describe the hours of a week, such as "Mon–Fri 09:00–17:00".
 *
 * @param {Week | null} week
 */
export function weekText(week) {
  if (!week) return text("allTimeCounts");
  const groups = daysWithSameHours(withNightsJoined(week), weekdaysInOrder);
  if (!groups.length) return text("noWorkingHours");
  return groups
    .map(({ first, last, intervals }) => {
      const days = [...new Set([first, last])].map((day) => weekdayName(day, "weekday"));
      return `${days.join("–")} ${hoursText(intervals)}`;
    })
    .join("; ");
}

/**
 * Describe working hours and their time zone.
 *
 * @param {WorkingHours} hours
 */
export function workingHoursText({ time_zone, week }) {
  return week
    ? text("hoursInZone", { hours: weekText(week), zone: time_zone.replaceAll("_", " ") })
    : weekText(week);
}

/**
 * Describe why a day has other hours than its weekday.
 *
 * @param {DayException} exception
 */
export function exceptionText({ intervals, reason }) {
  return reason || text(intervals.length ? "otherHours" : "dayOff");
}

/** @param {Day} day */
export function dateText(day) {
  return formats.date("date", startOf(day));
}

/**
 * Describe one day, or the first and the last of several.
 *
 * @param {Day} first
 * @param {Day} last
 */
export function datesText(first, last) {
  return formats.range("dayWithYear", startOf(first), startOf(last));
}
