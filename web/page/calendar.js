// Calendar days, as strings such as "2026-11-24", in the browser's time zone.

/** @import { Day } from "./types.d.ts" */

/**
 * @param {number} number
 * @param {number} [length]
 */
const pad = (number, length = 2) => String(number).padStart(length, "0");

/** Return the browser's time zone as an IANA name. It may change while a page is open. */
export function timeZone() {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/**
 * Return the calendar day that contains an instant.
 *
 * @param {Date} instant
 * @returns {Day}
 */
export function dayOf(instant) {
  return `${pad(instant.getFullYear(), 4)}-${pad(instant.getMonth() + 1)}-${pad(instant.getDate())}`;
}

/**
 * Return the instant at which a day begins. The instant is midnight, or later if clocks are put forward at
 * midnight.
 *
 * @param {Day} day
 */
export function startOf(day) {
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date);
}

/**
 * Add a number of days to a day.
 *
 * @param {Day} day
 * @param {number} count
 * @returns {Day}
 */
export function addDays(day, count) {
  const date = new Date(`${day}T00:00Z`);
  date.setUTCDate(date.getUTCDate() + count);
  return date.toISOString().slice(0, 10);
}

/**
 * Return all days from the first to the last day, including both.
 *
 * @param {Day} first
 * @param {Day} last
 */
export function daysBetween(first, last) {
  const days = [];
  for (let day = first; day <= last; day = addDays(day, 1)) days.push(day);
  return days;
}

/**
 * Return the first day of the week that contains a day.
 *
 * @param {Day} day
 * @param {number} firstWeekday the weekday on which weeks begin, 1 (Monday) to 7
 */
export function startOfWeek(day, firstWeekday) {
  const weekday = new Date(`${day}T00:00Z`).getUTCDay();
  return addDays(day, -((weekday - firstWeekday + 7) % 7));
}

/**
 * Format an instant as the value of an input of type datetime-local.
 *
 * @param {Date} instant
 */
export function toInputValue(instant) {
  return `${dayOf(instant)}T${pad(instant.getHours())}:${pad(instant.getMinutes())}:${pad(instant.getSeconds())}`;
}
