// The filter of entries and totals, and the day that is shown, stored in the page's address:
// ?day=2026-11-24&period=this-week&repo=octocat/hello-world&issue=7

import { addDays, dayOf, latest, startOf, startOfWeek, timeZone } from "./calendar.js";
import { firstWeekday } from "./language.js";

/** @import { Day, Filter } from "./types.d.ts" */

const DEFAULT_PERIOD = "30-days";

/** @type {Record<string, (today: Day) => [Day, Day]>} */
const PERIODS = {
  "this-week": (today) => {
    const first = startOfWeek(today, firstWeekday);
    return [first, addDays(first, 6)];
  },
  "last-week": (today) => {
    const first = startOfWeek(today, firstWeekday);
    return [addDays(first, -7), addDays(first, -1)];
  },
  "30-days": (today) => [addDays(today, -29), today],
  "this-month": (today) => [firstOfMonth(today), lastOfMonth(today)],
  "last-month": (today) => {
    const last = addDays(firstOfMonth(today), -1);
    return [firstOfMonth(last), last];
  },
  "this-year": (today) => [`${today.slice(0, 4)}-01-01`, `${today.slice(0, 4)}-12-31`],
  all: () => ["", ""],
};

/**
 * Return the filter that an address contains. Invalid parameters are ignored.
 *
 * @param {string} search the address's query, as in `location.search`
 * @returns {Filter}
 */
export function readFilter(search) {
  const parameters = new URLSearchParams(search);
  const given = (/** @type {string} */ name) => parameters.get(name) ?? "";
  let [from, to] = [given("from"), given("to")].map((day) => (isDay(day) ? day : ""));
  if (from && to && to < from) [from, to] = [to, from];
  const period = Object.hasOwn(PERIODS, given("period")) ? given("period") : DEFAULT_PERIOD;
  return {
    period: from || to ? "custom" : period,
    from,
    to,
    repo: given("repo"),
    issue: /^[1-9]\d{0,9}$/u.test(given("issue")) ? given("issue") : "",
  };
}

/**
 * Return the day that an address contains.
 *
 * @param {string} search the address's query
 * @returns {Day} "" if there is none, which stands for today
 */
export function readDay(search) {
  const day = new URLSearchParams(search).get("day") ?? "";
  return isDay(day) ? day : "";
}

/**
 * Return the query of the address for a filter. The query is empty for the default filter and today.
 *
 * @param {Filter} filter
 * @param {Day} [day] the day that is shown; "" for today
 */
export function writeFilter({ period, from, to, repo, issue }, day = "") {
  const isCustom = period === "custom";
  const search = query({
    day,
    repo,
    issue,
    period: isCustom || period === DEFAULT_PERIOD ? "" : period,
    from: isCustom ? from : "",
    to: isCustom ? to : "",
  });
  // Do not escape slashes. A query may contain them (RFC 3986, section 3.4), and they are easier to read.
  return search.size ? `?${String(search).replaceAll("%2F", "/")}` : "";
}

/**
 * Return the first and the last day that a filter selects. A day is "" if the filter has no such limit.
 *
 * @param {Filter} filter
 * @param {Date} now
 * @returns {[Day, Day]}
 */
export function selectedDays(filter, now) {
  return filter.period === "custom" ? [filter.from, filter.to] : PERIODS[filter.period](dayOf(now));
}

/**
 * Return the API's query for the period, repository and issue that a filter selects. List, totals and export
 * have the same query, so they select the same timers.
 *
 * @param {Filter} filter
 * @param {Date} now
 */
export function periodQuery(filter, now) {
  const [from, to] = selectedDays(filter, now);
  return query({
    github_repo: filter.repo,
    github_issue_number: filter.issue,
    since: (from ? startOf(from) : new Date(0)).toISOString(),
    until: startOf(addDays(to || latest(from, dayOf(now)), 1)).toISOString(),
    time_zone: timeZone(),
  });
}

/**
 * Return the API's query for the list of the timers that a filter selects.
 *
 * @param {Filter} filter
 * @param {Date} now
 */
export function listQuery(filter, now) {
  const search = periodQuery(filter, now);
  search.set("page_size", "100");
  return search;
}

/**
 * Return whether a text is a calendar day that the API accepts in every time zone.
 *
 * @param {string} text
 */
function isDay(text) {
  if (!/^\d{4}-\d\d-\d\d$/u.test(text) || text < "1970-01-02" || text > "9998-12-31") return false;
  const date = new Date(`${text}T00:00Z`);
  // Compare the date with the text, because some browsers read February 31 as a day in March.
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}

/** @param {Record<string, string>} parameters parameters with an empty value are omitted */
function query(parameters) {
  return new URLSearchParams(Object.entries(parameters).filter(([, value]) => value));
}

/** @param {Day} day */
function firstOfMonth(day) {
  return `${day.slice(0, 8)}01`;
}

/** @param {Day} day */
function lastOfMonth(day) {
  return addDays(firstOfMonth(addDays(firstOfMonth(day), 31)), -1);
}
