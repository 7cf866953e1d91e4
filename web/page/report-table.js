// The table of a report: its rows with their figures, and the totals.

import { content, h, isolate } from "../widget/dom.js";
import { addDays, startOf } from "./calendar.js";
import { byId, svg } from "./elements.js";
import { figureOf } from "./figures.js";
import { issueLink } from "./issue.js";
import { formats, text } from "./language.js";
import { figureBeside } from "./report-figures.js";
import { writeReport } from "./report-query.js";

/** @import { Figure, Grouping, Report, ReportFigures, ReportRow, ReportState, TimedIssue } from "./types.d.ts" */

const MAX_ROWS_AT_FIRST = 200;

/** The names of the groupings. */
export const GROUPING_NAMES = /** @type {const} */ ({
  person: "groupPerson",
  repository: "groupRepository",
  issue: "groupIssue",
  label: "groupLabel",
  milestone: "groupMilestone",
  type: "groupType",
  project: "groupProject",
  day: "groupDay",
  week: "groupWeek",
  month: "groupMonth",
});

/**
 * Show the rows and totals of a report.
 *
 * @param {Report} report with at least one row
 * @param {Figure[]} figures the working time of the rows
 * @param {ReportState} state
 * @param {Date} now
 */
export function showTable(report, figures, state, now) {
  const has = columnsOf(report);
  byId("report-head").replaceChildren(
    ...report.group_by.map((name) => h("th", { scope: "col", className: "key" }, text(GROUPING_NAMES[name]))),
    ...headings(has),
  );
  const rows = report.rows.map((row, index) =>
    h(
      "tr",
      {},
      ...report.group_by.map((name, column) => keyCell(row, name, column, report, state, now)),
      ...figureCells(row, figures[index], has),
    ),
  );
  showRows(rows);
  const total = h("th", { scope: "row", colSpan: report.group_by.length }, text("total"));
  const figure = figureOf(report.totals.working_duration);
  byId("report-total").replaceChildren(total, ...figureCells(report.totals, figure, has));
}

/** @param {HTMLTableRowElement[]} rows */
function showRows(rows) {
  const button = byId("all-rows");
  byId("report-rows").replaceChildren(...rows.slice(0, MAX_ROWS_AT_FIRST));
  button.hidden = rows.length <= MAX_ROWS_AT_FIRST;
  button.textContent = text("allRows", { count: rows.length });
  button.onclick = () => {
    byId("report-rows").replaceChildren(...rows);
    button.hidden = true;
    byId("results-title").focus();
  };
}

/**
 * Return which optional columns a report has.
 *
 * @param {Report} report
 */
function columnsOf({ rows, totals }) {
  return {
    subIssues:
      rows.some((row) => (row.working_duration_with_sub_issues ?? 0) !== row.working_duration) &&
      rows.some((row) => row.working_duration_with_sub_issues !== undefined),
    estimate: totals.estimate !== null || rows.some((row) => row.estimate !== null),
    confirmed: totals.confirmed_duration > 0,
  };
}

/** @typedef {ReturnType<typeof columnsOf>} Columns */

/** @param {Columns} has */
function headings({ subIssues, estimate, confirmed }) {
  const names = /** @type {const} */ ([
    "workingTime",
    ...(subIssues ? ["withSubIssues"] : []),
    ...(estimate ? ["estimate", "left"] : []),
    ...(confirmed ? ["confirmedTime"] : []),
    "entries",
  ]);
  return names.map((name) => h("th", { scope: "col" }, text(/** @type {"entries"} */ (name))));
}

/**
 * @param {ReportFigures & Partial<ReportRow>} row
 * @param {Figure} working
 * @param {Columns} has
 */
function figureCells(row, working, has) {
  const { working_duration_with_sub_issues: below, estimate, left } = row;
  const besides = (/** @type {number} */ seconds) =>
    h("td", {}, formats.figure(figureBeside(seconds, working)));
  const estimated = estimate === null ? "" : formats.figure(figureOf(estimate));
  return [
    h("td", {}, formats.figure(working)),
    ...(has.subIssues ? [below === undefined ? h("td", {}) : besides(below)] : []),
    ...(has.estimate ? [h("td", {}, estimated), leftCell(estimate, left)] : []),
    ...(has.confirmed ? [besides(row.confirmed_duration)] : []),
    h("td", {}, String(row.entries)),
  ];
}

/**
 * Return the cell of what is left of an estimate, with a bar of what is used up.
 *
 * @param {?number} estimate in seconds
 * @param {?number} left
 */
function leftCell(estimate, left) {
  if (estimate === null || left === null) return h("td", {});
  const shown = left < 0 ? formats.balance(left) : formats.figure(figureOf(left));
  const part = estimate ? Math.min((estimate - left) / estimate, 1) : 1;
  return h("td", { className: left < 0 ? "over" : "" }, shown, bar(part));
}

/** @param {number} part from 0 to 1 */
function bar(part) {
  return svg(
    "svg",
    { class: "share", width: "100%", height: 6, "aria-hidden": "true" },
    svg("rect", { class: "track", width: "100%", height: 6, rx: 3 }),
    svg("rect", { class: "bar", width: `${Math.max(part, 0) * 100}%`, height: 6, rx: 3 }),
  );
}

/**
 * @param {ReportRow} row
 * @param {Grouping} name
 * @param {number} column
 * @param {Report} report
 * @param {ReportState} state
 * @param {Date} now
 */
function keyCell(row, name, column, report, state, now) {
  if (column) return h("td", { className: "key" }, keyOf(row, name, state, now));
  const sum = report.totals.working_duration;
  const share = sum ? row.working_duration / sum : 0;
  return h("th", { scope: "row" }, keyOf(row, name, state, now), bar(Math.min(share, 1)));
}

/**
 * Return what a row is about.
 *
 * @param {ReportRow} row
 * @param {Grouping} name
 * @param {ReportState} state
 * @param {Date} now
 * @returns {Node | string}
 */
function keyOf(row, name, state, now) {
  const { person, day, week, month } = row;
  if (name === "issue") return issueLink(row.issue ?? /** @type {TimedIssue} */ ({ github_repo: null }));
  if (person && name === "person") return personLink(person, state);
  if (day && name === "day") return formats.day(startOf(day), now);
  if (week && name === "week") return formats.range("shortDay", startOf(week), startOf(addDays(week, 6)));
  if (month && name === "month") return formats.date("month", startOf(month));
  const value = row[name];
  if (!value) return h("span", { className: "faint" }, text("noValue"));
  return h("span", {}, ...content(isolate(String(value))));
}

/**
 * Return a link to the days and issues of a person in the same period.
 *
 * @param {{login: string, name: string}} person
 * @param {ReportState} state
 */
function personLink({ login, name }, state) {
  const filters = [
    ...state.filters.filter((filter) => filter.name !== "person"),
    { name: /** @type {const} */ ("person"), value: login },
  ];
  const href = `team.html${writeReport({ ...state, groupBy: ["day", "issue"], filters })}`;
  return h("a", { href }, ...content(isolate(name || login)));
}
