// The totals: the sum, the chart of days, the table of days, and the table of issues.

import { h, setText } from "../widget/dom.js";
import { get } from "./api.js";
import { toBars } from "./bars.js";
import { startOf } from "./calendar.js";
import { chart } from "./chart.js";
import { byId, find, svg } from "./elements.js";
import { totalledDays, totalsQuery, writeFilter } from "./filter.js";
import { issueLink } from "./issue.js";
import { firstWeekday, formats, text } from "./language.js";

/** @import { Day, Filter, IssueTotal, Totals } from "./types.d.ts" */

const MAX_ISSUES_AT_FIRST = 6;
const LINKS = "#days a, #issues a";

/** The repositories of all loaded totals. The filter suggests these repositories. @type {Set<string>} */
const repositories = new Set();

/**
 * Request the totals of the timers that a filter selects.
 *
 * @param {Filter} filter
 * @param {Date} now
 * @param {AbortSignal} signal
 * @returns {Promise<Totals>}
 */
export function getTotals(filter, now, signal) {
  return get(`/api/timelogs/totals/?${totalsQuery(filter, now)}`, { signal });
}

/**
 * Show totals.
 *
 * @param {Totals} totals
 * @param {Filter} filter
 * @param {Date} now
 * @returns {Map<Day, number>} the seconds worked on each day, in chronological order; days without time are
 *   omitted
 */
export function showTotals(totals, filter, now) {
  const days = new Map(totals.days.map(({ date, active_duration }) => [date, active_duration]));
  const { first, last, isCut } = totalledDays(filter, now);
  const begin = startOf(isCut && totals.days.length && !filter.from ? totals.days[0].date : first);

  showSum(totals.active_duration);
  byId("total-of").textContent = formats.range("date", begin, startOf(last));
  const notes = [isCut && text("totalsAreCut"), !totals.complete && text("totalsAreIncomplete")];
  byId("totals-note").textContent = notes.filter(Boolean).join(" ");
  byId("totals-note").hidden = !byId("totals-note").textContent;

  const bars = days.size && chart(toBars(days, first, last, firstWeekday));
  keepFocusedLink(() => {
    byId("chart").replaceChildren(bars || h("p", { className: "faint" }, text("noTime")));
    byId("days-table").hidden = !days.size;
    byId("days").replaceChildren(...totals.days.toReversed().map((day) => dayRow(day, filter, now)));
    showIssues(totals);
  });
  return days;
}

/**
 * Show the sum.
 *
 * @param {number} seconds
 */
export function showSum(seconds) {
  setText(byId("total"), formats.duration(seconds));
}

/**
 * Replace the tables, and keep the focus on the link that was focused.
 *
 * @param {() => void} replace
 */
function keepFocusedLink(replace) {
  const focused = document.activeElement?.closest(LINKS)?.getAttribute("href");
  replace();
  /** @type {NodeListOf<HTMLAnchorElement>} */
  const links = document.querySelectorAll(LINKS);
  if (focused)
    [...links].find((link) => link.getAttribute("href") === focused)?.focus({ preventScroll: true });
}

/**
 * @param {Totals["days"][number]} day
 * @param {Filter} filter
 * @param {Date} now
 */
function dayRow({ date, active_duration: seconds }, filter, now) {
  const address = writeFilter({ ...filter, period: "custom", from: date, to: date });
  const link = h("a", { href: address }, formats.day(startOf(date), now));
  return h("tr", {}, h("th", { scope: "row" }, link), h("td", {}, formats.duration(seconds)));
}

/** @param {Totals} totals */
function showIssues({ issues, active_duration: sum }) {
  for (const { github_repo: repo } of issues) if (repo) repositories.add(repo);
  byId("repositories").replaceChildren(...[...repositories].sort().map((value) => h("option", { value })));
  byId("issues-section").hidden = !issues.length;
  const rows = issues.map((issue) => issueRow(issue, sum));
  const button = byId("all-issues");
  const areAllShown = button.hidden && byId("issues").children.length > MAX_ISSUES_AT_FIRST;
  byId("issues").replaceChildren(...rows);
  for (const row of rows.slice(MAX_ISSUES_AT_FIRST)) row.hidden = !areAllShown;
  button.hidden = areAllShown || rows.length <= MAX_ISSUES_AT_FIRST;
  button.textContent = text("allIssues", { count: rows.length });
  button.onclick = () => {
    for (const row of rows) row.hidden = false;
    button.hidden = true;
    find(rows[MAX_ISSUES_AT_FIRST], "a, th[tabindex]").focus();
  };
}

/**
 * @param {IssueTotal} issue
 * @param {number} sum the seconds of all issues
 */
function issueRow(issue, sum) {
  const share = svg(
    "svg",
    { class: "share", width: "100%", height: 6, "aria-hidden": "true" },
    svg("rect", { class: "track", width: "100%", height: 6, rx: 3 }),
    svg("rect", { class: "bar", width: `${sum && (100 * issue.active_duration) / sum}%`, height: 6, rx: 3 }),
  );
  return h(
    "tr",
    {},
    h("th", { scope: "row", ...(issue.github_repo ? {} : { tabIndex: -1 }) }, issueLink(issue), share),
    h("td", {}, String(issue.timers)),
    h("td", {}, formats.duration(issue.active_duration)),
  );
}
