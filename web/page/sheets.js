// Timesheets: the figures of days and of their sum, and the requests that confirm and reopen days.

import { ApiError } from "../widget/api-client.js";
import { startOf } from "./calendar.js";
import { apportion, figureOf } from "./figures.js";
import { cut } from "./timeline.js";

/** @import { Countable } from "../widget/types.d.ts" */
/** @import { Stretch } from "./timeline.js" */
/** @import { Day, Figure, SheetDay } from "./types.d.ts" */

/**
 * The figures of a day, or of the sum of days.
 *
 * @typedef {object} SheetFigures
 * @property {Figure} worked the working time, with overtime
 * @property {Figure} overtime the part of it outside of working hours
 * @property {number | null} scheduled the working hours in seconds; null without working hours
 * @property {number | null} balance the working time as shown, less the elapsed working hours; null without working
 *   hours, and of days to come
 */

/**
 * Sends a request for a day, with the day's version as `If-Match`, and returns the body of the response.
 *
 * @typedef {(method: "POST" | "DELETE", path: string, etag: string, reason: string) => Promise<SheetDay>} SendDay
 */

const SHEETS = "/api/timesheets/";

/**
 * Return the path of the timesheets of a period.
 *
 * @param {Day} from the first day
 * @param {Day} to the last day
 */
export function sheetsPath(from, to) {
  return `${SHEETS}?${new URLSearchParams({ from, to })}`;
}

/**
 * Return the figures of days and of their sum. The figures that are shown add up: of the days to the sum, and the
 * time of a day less its elapsed working hours to its balance.
 *
 * @param {SheetDay[]} days
 * @returns {{days: SheetFigures[], sum: SheetFigures}}
 */
export function sheetFigures(days) {
  const [worked, overtime] = [figuresIn(days, "working_duration"), figuresIn(days, "overtime_duration")];
  const ofDays = days.map((day, index) => ({
    worked: worked.parts[index],
    overtime: overtime.parts[index],
    scheduled: day.scheduled_duration,
    balance: balanceOf(day, worked.parts[index]),
  }));
  return {
    days: ofDays,
    sum: {
      worked: worked.sum,
      overtime: overtime.sum,
      scheduled: sumOfKnown(ofDays.map(({ scheduled }) => scheduled)),
      balance: sumOfKnown(ofDays.map(({ balance }) => balance)),
    },
  };
}

/**
 * @param {SheetDay[]} days
 * @param {"working_duration" | "overtime_duration"} field
 */
function figuresIn(days, field) {
  const seconds = days.map((day) => day[field]);
  const sum = figureOf(seconds.reduce((one, other) => one + other, 0));
  return { sum, parts: apportion(seconds, sum) };
}

/**
 * @param {SheetDay} day
 * @param {Figure} worked
 */
function balanceOf({ state, balance_duration: balance, working_duration }, worked) {
  if (balance === null || state === "upcoming") return null;
  return worked.shown - Math.floor((working_duration - balance) / 60) * 60;
}

/**
 * Return the sum of the values that are not null.
 *
 * @param {(number | null)[]} values
 * @returns {number | null} null if all of them are
 */
function sumOfKnown(values) {
  return values.reduce((sum, value) => (value === null ? sum : (sum ?? 0) + value), null);
}

/**
 * Add the time that timers have gained to the present day.
 *
 * @param {SheetDay[]} days
 * @param {Pick<Countable, "counting_share" | "why">[]} counting the timers that count
 * @param {number} seconds how long they have counted
 * @returns {SheetDay[]}
 */
export function withGain(days, counting, seconds) {
  if (!counting.length) return days;
  const gained = counting.reduce((sum, { counting_share }) => sum + counting_share * seconds, 0);
  // Timers count either within working hours, which pass meanwhile, or as overtime.
  const isOvertime = counting.every(({ why }) => why?.rule === "overtime");
  return days.map((day) => {
    if (day.state !== "running") return day;
    const { working_duration, overtime_duration, balance_duration: balance } = day;
    return {
      ...day,
      working_duration: working_duration + gained,
      overtime_duration: overtime_duration + (isOvertime ? gained : 0),
      balance_duration: balance === null ? null : balance + gained - (isOvertime ? 0 : seconds),
    };
  });
}

/**
 * Return the days that can be confirmed.
 *
 * @param {SheetDay[]} days
 */
export function openDays(days) {
  return days.filter(({ state, details_deleted }) => state === "over" && !details_deleted);
}

/**
 * Return whether the time of a day stays as it is, because its person has confirmed it or an admin has locked it.
 *
 * @param {Pick<SheetDay, "state">} day
 */
export function isFrozen({ state }) {
  return state === "confirmed" || state === "locked";
}

/**
 * Return the first confirmed or locked day that overlaps a time.
 *
 * @param {SheetDay[]} days
 * @param {Stretch} stretch
 * @returns {SheetDay | undefined}
 */
export function confirmedIn(days, stretch) {
  return days.find((day) => {
    const part = cut(stretch, { since: Date.parse(day.since), until: Date.parse(day.until) });
    return isFrozen(day) && part.since < part.until;
  });
}

/**
 * Return whether days begin at other instants than by the browser's clocks.
 *
 * @param {SheetDay[]} days
 */
export function haveOtherClocks(days) {
  return days.some(({ date, since }) => startOf(date).getTime() !== Date.parse(since));
}

/**
 * Confirm or reopen days, one after the other, as the user has seen them.
 *
 * @param {SendDay} send
 * @param {"POST" | "DELETE"} method POST confirms, DELETE reopens
 * @param {SheetDay[]} days
 * @param {string} [reason] for the list of changes
 * @returns {Promise<{done: SheetDay[], changed: SheetDay[], failed: {day: SheetDay, error: unknown} | null}>} the days
 *   as they were; `changed` are days that differ from what the user has seen. After a failure, later days were not
 *   tried.
 */
export async function setConfirmed(send, method, days, reason = "") {
  /** @type {SheetDay[]} */
  const done = [];
  /** @type {SheetDay[]} */
  const changed = [];
  for (const day of days) {
    try {
      await send(method, `${SHEETS}${day.date}/confirm/`, day.etag, reason);
      done.push(day);
    } catch (error) {
      const status = error instanceof ApiError ? error.status : 0;
      // Status 404 means that the day is open again, for example because another tab has reopened it.
      if (method === "DELETE" && status === 404) done.push(day);
      else if (status === 412) changed.push(day);
      else return { done, changed, failed: { day, error } };
    }
  }
  return { done, changed, failed: null };
}
