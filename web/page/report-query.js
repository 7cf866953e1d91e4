// What the Team page shows, stored in its address:
// ?period=last-month&group_by=person,label&person=octocat&label=bug

import { timeZone } from "./calendar.js";
import { readFilter, selectedDays, writeFilter } from "./filter.js";

/** @import { Grouping, ReportState } from "./types.d.ts" */

/** @type {readonly Grouping[]} */
export const GROUPINGS = [
  "person",
  "repository",
  "issue",
  "label",
  "milestone",
  "type",
  "project",
  "day",
  "week",
  "month",
];
/** The groupings that are periods. @type {readonly string[]} */
export const PERIODS = ["day", "week", "month"];
/** The groupings by which time can be selected. */
export const FILTERS = GROUPINGS.filter((name) => !PERIODS.includes(name));

const MOST_GROUPINGS = 3;
/** @type {Grouping[]} */
const DEFAULT_GROUPINGS = ["person", "issue"];

/**
 * Return what an address asks for. Invalid parameters are ignored.
 *
 * @param {string} search the address's query, as in `location.search`
 * @returns {ReportState}
 */
export function readReport(search) {
  const { period, from, to } = readFilter(search);
  const parameters = new URLSearchParams(search);
  const named = (parameters.get("group_by") ?? "").split(",");
  const groupings = GROUPINGS.filter((name) => named.includes(name));
  groupings.sort((one, other) => named.indexOf(one) - named.indexOf(other));
  return {
    // A report has at most a year.
    period: period === "all" ? "this-year" : period,
    from,
    to,
    groupBy: groupings.length ? groupings.slice(0, MOST_GROUPINGS) : DEFAULT_GROUPINGS,
    filters: FILTERS.flatMap((name) =>
      [...new Set(parameters.getAll(name))].map((value) => ({ name, value })),
    ),
  };
}

/**
 * Return the query of the address for a report. The query is empty for the default.
 *
 * @param {ReportState} state
 */
export function writeReport({ period, from, to, groupBy, filters }) {
  const search = new URLSearchParams(writeFilter({ period, from, to, repo: "", issue: "" }));
  if (groupBy.join() !== DEFAULT_GROUPINGS.join()) search.set("group_by", groupBy.join());
  for (const { name, value } of filters) search.append(name, value);
  // These characters need no escape in a query (RFC 3986, section 3.4), and are easier to read.
  return search.size ? `?${String(search).replaceAll("%2F", "/").replaceAll("%2C", ",")}` : "";
}

/**
 * Return the API's query for a report.
 *
 * @param {ReportState} state
 * @param {Date} now
 */
export function reportQuery({ groupBy, filters, ...filter }, now) {
  const [from, to] = selectedDays({ ...filter, repo: "", issue: "" }, now);
  const search = new URLSearchParams({ time_zone: timeZone(), group_by: groupBy.join() });
  if (from) search.set("from", from);
  if (to) search.set("to", to);
  for (const { name, value } of filters) search.append(name, value);
  return search;
}
