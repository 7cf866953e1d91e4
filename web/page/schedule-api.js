// Requests about the person's schedule.

import { dateOf } from "../widget/api-client.js";
import { h } from "../widget/dom.js";
import { get, request } from "./api.js";
import { formats, text } from "./language.js";
import { confirm } from "./notices.js";
import { datesText } from "./schedule-texts.js";

/** @import { AssignmentStarts, ChangedDay, Day, DayException, Schedule, WorkingHours } from "./types.d.ts" */

/**
 * @typedef {object} ScheduleChange what changes; everything else stays as it is
 * @property {Day} [valid_from]
 * @property {string} [time_zone]
 * @property {WorkingHours["week"]} [week]
 * @property {DayException[]} [exceptions]
 * @property {AssignmentStarts | null} [assignment_starts]
 */

const SCHEDULE = "/api/schedule/";
const SHOWN_DAYS = 10;

/** How much the server's clock is ahead of this machine's, in milliseconds. */
let aheadMs = 0;

/** Return the present by the server's clock, as of the last time that the schedule was loaded. */
export function serverNow() {
  return new Date(Date.now() + aheadMs);
}

/** @returns {Promise<Schedule>} */
export async function fetchSchedule() {
  const { body, headers } = await request("GET", SCHEDULE);
  aheadMs = dateOf(headers) - Date.now() || 0;
  return body;
}

/**
 * Change the schedule. If the change alters the working time of days, show these days and ask before.
 *
 * @param {ScheduleChange} change
 * @returns {Promise<boolean>} false if the person cancels
 */
export async function changeSchedule(change) {
  const { body: preview } = await request("PUT", `${SCHEDULE}?preview=true`, change);
  if (preview.days.length && !(await confirmDays(preview.days))) return false;
  await request("PUT", SCHEDULE, change);
  return true;
}

/**
 * Change the schedule without asking.
 *
 * @param {ScheduleChange} change
 */
export function putSchedule(change) {
  return request("PUT", SCHEDULE, change);
}

/** @param {Day} validFrom */
export function deleteVersion(validFrom) {
  return request("DELETE", `${SCHEDULE}${validFrom}/`);
}

/**
 * Store and remove exceptions. If this alters the working time of days, show these days and ask before.
 *
 * @param {Schedule} schedule the present schedule
 * @param {DayException[]} added
 * @param {Day[]} [removed]
 * @returns {Promise<boolean>} false if the person cancels
 */
export function changeExceptions({ exceptions }, added, removed = []) {
  const replaced = new Set([...added.map(({ date }) => date), ...removed]);
  return changeSchedule({ exceptions: [...exceptions.filter(({ date }) => !replaced.has(date)), ...added] });
}

/** @param {DayException} exception */
export function putException({ date, ...exception }) {
  return request("PUT", `${SCHEDULE}exceptions/${date}/`, exception);
}

/** @param {Day} date */
export function deleteException(date) {
  return request("DELETE", `${SCHEDULE}exceptions/${date}/`);
}

/**
 * @param {string} country
 * @param {string} subdivision empty for the whole country
 * @param {string} year
 * @returns {Promise<{date: Day, name: string}[]>}
 */
export async function fetchHolidays(country, subdivision, year) {
  const query = new URLSearchParams({ country, year, ...(subdivision && { subdivision }) });
  return (await get(`${SCHEDULE}holidays/?${query}`)).holidays;
}

/**
 * Ask whether to change the working time of days.
 *
 * @param {ChangedDay[]} days
 */
function confirmDays(days) {
  const row = (/** @type {ChangedDay} */ { date, before, after }) => {
    const cells = [before, after].map((duration) => h("td", {}, formats.duration(duration)));
    return h("tr", {}, h("th", { scope: "row" }, datesText(date, date)), ...cells);
  };
  const heads = [text("day"), text("before"), text("after")].map((head) => h("th", { scope: "col" }, head));
  const more = days.length - SHOWN_DAYS;
  const table = h(
    "table",
    { className: "preview" },
    h("thead", {}, h("tr", {}, ...heads)),
    h("tbody", {}, ...days.slice(0, SHOWN_DAYS).map(row)),
  );
  const note = more > 0 && h("p", { className: "faint" }, text("moreDays", { count: more }));
  return confirm(text("changesDays", { count: days.length }), text("changesDaysText"), text("save"), {
    details: [table, note],
    isHarmless: true,
  });
}
