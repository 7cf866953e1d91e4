// Requests about the person's schedule.

import { dateOf } from "../widget/api-client.js";
import { h } from "../widget/dom.js";
import { get, request } from "./api.js";
import { formats, locale, text } from "./language.js";
import { confirm } from "./notices.js";
import { dayAt } from "./schedule.js";
import { datesText, dateText } from "./schedule-texts.js";

/** @import { AssignmentStarts, ChangedDay, Day, DayException, Schedule, WorkingHours } from "./types.d.ts" */

/**
 * @typedef {object} ScheduleChange what changes; everything else stays as it is
 * @property {Day} [valid_from]
 * @property {string} [time_zone]
 * @property {WorkingHours["week"]} [week]
 * @property {(DayException | {date: Day, intervals: null})[]} [exceptions] null removes the exception of a past day
 * @property {AssignmentStarts | null} [assignment_starts]
 */

const SCHEDULE = "/api/schedule/";
const SHOWN_DAYS = 10;
// The least change of a day's working time to ask about, in seconds.
const LEAST_CHANGE = 60;

/** The ETag of the schedule that was loaded last. */
let tag = "";

/** How much the server's clock is ahead of this machine's, in milliseconds. */
let aheadMs = 0;

/** Return the present by the server's clock, as of the last time that the schedule was loaded. */
export function serverNow() {
  return new Date(Date.now() + aheadMs);
}

/** @returns {Promise<Schedule>} */
export async function fetchSchedule() {
  const { body, headers } = await request("GET", SCHEDULE);
  tag = headers.get("ETag") ?? "";
  aheadMs = dateOf(headers) - Date.now() || 0;
  return body;
}

/**
 * Change the schedule. If the change alters the working time of days, show these days and ask before. Confirmed days
 * must not change: if the change alters any, show them instead.
 *
 * @param {ScheduleChange} change
 * @param {Record<string, string>} [headers]
 * @returns {Promise<boolean>} false if nothing was changed
 */
export async function changeSchedule(change, headers) {
  const days = await preview("PUT", SCHEDULE, change);
  if (!days || (days.length && !(await confirmDays(days)))) return false;
  await request("PUT", SCHEDULE, change, { headers });
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

/**
 * Delete a version of the working hours after a question, which shows the days whose working time this alters. If it
 * would alter confirmed days, show them instead.
 *
 * @param {Day} validFrom
 * @returns {Promise<boolean>} false if nothing was changed
 */
export async function deleteVersion(validFrom) {
  const path = `${SCHEDULE}${validFrom}/`;
  const days = await preview("DELETE", path);
  if (!days) return false;
  const question = text("deleteHoursQuestion", { date: dateText(validFrom) });
  const details = days.length
    ? [h("p", {}, `${text("changesDays", { count: days.length })}:`), ...changedDays(days)]
    : [];
  if (!(await confirm(question, text("deleteHoursText"), text("delete"), { details }))) return false;
  await request("DELETE", path);
  return true;
}

/**
 * Store and remove exceptions. If this alters the working time of days, show these days and ask before.
 *
 * @param {Schedule} schedule the present schedule
 * @param {DayException[]} added
 * @param {Day[]} [removed]
 * @returns {Promise<boolean>} false if nothing was changed
 */
export async function changeExceptions(schedule, added, removed = []) {
  const today = dayAt(schedule, serverNow()).day;
  const replaced = new Set([...added.map(({ date }) => date), ...removed]);
  // The request replaces all exceptions from today on, and changes the earlier ones that it contains. The tag
  // prevents that it removes exceptions that were added elsewhere.
  const kept = schedule.exceptions.filter(({ date }) => date >= today && !replaced.has(date));
  const past = removed.filter((date) => date < today).map((date) => ({ date, intervals: null }));
  return changeSchedule({ exceptions: [...kept, ...past, ...added] }, tag ? { "If-Match": tag } : {});
}

/** @param {DayException} exception */
export function putException({ date, ...exception }) {
  return request("PUT", `${SCHEDULE}exceptions/${date}/`, exception);
}

/** @param {Day} date */
export function deleteException(date) {
  return request("DELETE", `${SCHEDULE}exceptions/${date}/`);
}

/** @typedef {{code: string, name: string}} Subdivision a part of a country */

/** @returns {Promise<{country: string, subdivisions: Subdivision[]}[]>} the countries with known holidays */
export async function fetchCountries() {
  return (await get(`${SCHEDULE}holidays/countries/`)).countries;
}

/**
 * @param {string} country
 * @param {string} subdivision empty for the whole country
 * @param {string} year
 * @returns {Promise<{date: Day, name: string}[]>}
 */
export async function fetchHolidays(country, subdivision, year) {
  const { language } = new Intl.Locale(locale);
  const query = new URLSearchParams({ country, year, language, ...(subdivision && { subdivision }) });
  return (await get(`${SCHEDULE}holidays/?${query}`)).holidays;
}

/**
 * Return the days whose working time a request would alter. If it would alter confirmed days, show them.
 *
 * @param {"PUT" | "DELETE"} method
 * @param {string} path
 * @param {ScheduleChange} [change]
 * @returns {Promise<ChangedDay[] | null>} null if it would alter confirmed days
 */
async function preview(method, path, change) {
  const { body } = await request(method, `${path}?preview=true`, change);
  if (!body.conflicts.length) return body.days.filter(isNoticeable);
  await showConflicts(body.conflicts);
  return null;
}

/**
 * Show the confirmed days that a change would alter, with links to them in new tabs, so that the change is not lost.
 *
 * @param {Day[]} dates
 */
function showConflicts(dates) {
  const link = (/** @type {Day} */ date) =>
    h(
      "a",
      { href: `./?day=${date}`, target: "_blank", rel: "noopener" },
      datesText(date, date),
      h("span", { className: "unseen" }, ` ${text("opensInNewTab")}`),
    );
  const links = dates.slice(0, SHOWN_DAYS).map((date) => h("li", {}, link(date)));
  const details = [h("ul", { role: "list" }, ...links), noteOnMore(dates)];
  const title = text("confirmedDaysTitle", { count: dates.length });
  return confirm(title, text("confirmedDaysText", { count: dates.length }), "", { details });
}

/**
 * @param {unknown[]} days
 * @returns {HTMLElement | false} a note on the days that are not shown, if there are any
 */
function noteOnMore(days) {
  const more = days.length - SHOWN_DAYS;
  return more > 0 && h("p", { className: "faint" }, text("moreDays", { count: more }));
}

/** @param {ChangedDay} day */
function isNoticeable({ before, after }) {
  return Math.abs(after - before) >= LEAST_CHANGE;
}

/**
 * Ask whether to change the working time of days.
 *
 * @param {ChangedDay[]} days
 */
function confirmDays(days) {
  return confirm(text("changesDays", { count: days.length }), text("changesDaysText"), text("save"), {
    details: changedDays(days),
    isHarmless: true,
  });
}

/**
 * Return a table of days before and after a change.
 *
 * @param {ChangedDay[]} days
 */
function changedDays(days) {
  const row = (/** @type {ChangedDay} */ { date, before, after }) => {
    const cells = [before, after].map((duration) => h("td", {}, formats.duration(duration)));
    return h("tr", {}, h("th", { scope: "row" }, datesText(date, date)), ...cells);
  };
  const heads = [text("day"), text("before"), text("after")].map((head) => h("th", { scope: "col" }, head));
  const table = h(
    "table",
    { className: "preview" },
    h("thead", {}, h("tr", {}, ...heads)),
    h("tbody", {}, ...days.slice(0, SHOWN_DAYS).map(row)),
  );
  return [table, noteOnMore(days)];
}
