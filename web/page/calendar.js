// Calendar days, as strings such as "2026-11-24", in the browser's time zone.

/** @import { Day } from "./types.d.ts" */

/**
 * @param {number} number
 * @param {number} [length]
 */
const pad = (number, length = 2) => String(number).padStart(length, "0");

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;

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
 * Return an instant as the API represents it.
 *
 * @param {number} instant
 */
export function isoTime(instant) {
  return new Date(instant).toISOString();
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
 * Return the later one of two days.
 *
 * @param {Day} one
 * @param {Day} other
 */
export function latest(one, other) {
  if (one > other) return one;
  return other;
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

// More than any offset of a time zone from UTC (at most 15 h 13 min, before 1900).
const MAX_OFFSET_HOURS = 16;

/**
 * Return the instants at which local clocks show a time. There are two instants if clocks were put back over
 * the time, and none if clocks were put forward over it.
 *
 * @param {string} local the value of an input of type datetime-local
 * @returns {Date[]} in ascending order
 */
export function instantsOf(local) {
  const inUtc = Date.parse(`${local}Z`);
  const offsets = new Set(hoursAround(inUtc).map(offsetAt));
  const instants = [...offsets].map((offset) => inUtc - offset);
  return instants
    .filter((instant) => instant + offsetAt(instant) === inUtc)
    .sort((a, b) => a - b)
    .map((instant) => new Date(instant));
}

/**
 * A change of clocks that skipped a local time.
 *
 * @typedef {object} Skip
 * @property {Date} last the last minute before the skipped times
 * @property {Date} next the first instant after the skipped times
 * @property {[Date, Date]} alternatives the skipped time, had the clocks been put forward earlier or later
 */

/**
 * Return the change of clocks that skipped a local time.
 *
 * @param {string} local the value of an input of type datetime-local
 * @returns {Skip | null} null if the time was not skipped or is not valid
 */
export function skipOf(local) {
  const inUtc = Date.parse(`${local}Z`);
  const isBefore = (/** @type {number} */ instant) => instant + offsetAt(instant) < inUtc;
  const hours = hoursAround(inUtc);
  const index = hours.findIndex((hour, i) => isBefore(hour) && !isBefore(hours[i + 1]));
  if (index < 0 || instantsOf(local).length) return null;
  let [before, after] = [hours[index], hours[index + 1]];
  const alternatives = [after, before].map((hour) => new Date(inUtc - offsetAt(hour)));
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (isBefore(middle)) before = middle;
    else after = middle;
  }
  return {
    last: new Date(after - 60_000),
    next: new Date(after),
    alternatives: /** @type {[Date, Date]} */ (alternatives),
  };
}

/**
 * Return the times from which every offset can be read that a local time can have. No offset was ever in use
 * for less than an hour.
 *
 * @param {number} inUtc the local time, read as UTC
 */
function hoursAround(inUtc) {
  return Array.from({ length: 2 * MAX_OFFSET_HOURS + 1 }, (_, i) => inUtc + (i - MAX_OFFSET_HOURS) * HOUR_MS);
}

/**
 * Return the offset of local clocks from UTC, in milliseconds. `getTimezoneOffset` is not exact for offsets
 * with seconds.
 *
 * @param {number} instant
 */
function offsetAt(instant) {
  return Date.parse(`${toInputValue(new Date(instant))}Z`) - Math.floor(instant / 1000) * 1000;
}
