// The totals: the sum, the chart of days, the table of days, and the table of issues.

import { h, setText } from "../widget/dom.js";
import { get } from "./api.js";
import { toBars } from "./bars.js";
import { dayOf, latest, startOf } from "./calendar.js";
import { chart } from "./chart.js";
import { byId, find, named, setChildren, svg } from "./elements.js";
import { hasOtherActive, roundTotals } from "./figures.js";
import { periodQuery, selectedDays, writeFilter } from "./filter.js";
import { issueLink, issueReference } from "./issue.js";
import { firstWeekday, formats, text } from "./language.js";

/** @import { Day, Figure, Filter, IssueTotal, Totals } from "./types.d.ts" */

const MAX_ISSUES_AT_FIRST = 6;

/** The repositories of all loaded totals. The filter suggests these repositories. @type {Set<string>} */
const repositories = new Set();
/** The figures that the page shows, as one text. */
let shown = "";

/**
 * Request the totals of the timers that a filter selects.
 *
 * @param {Filter} filter
 * @param {Date} now
 * @param {AbortSignal} signal
 * @returns {Promise<Totals>}
 */
export function getTotals(filter, now, signal) {
  return get(`/api/timelogs/totals/?${periodQuery(filter, now)}`, { signal });
}

/**
 * Show totals.
 *
 * @param {Totals} totals
 * @param {Filter} filter
 * @param {Date} now
 * @returns {Map<Day, Figure>} the time of each day, in chronological order; days without time are omitted
 */
export function showTotals(totals, filter, now) {
  const figures = roundTotals(totals);
  const { sum, days, issues, active } = figures;
  shown = figuresOf(figures);
  const [from, to] = selectedDays(filter, now);
  const today = dayOf(now);
  const first = from || totals.days[0]?.date || today;
  const last = latest(first, to && to < today ? to : today);
  const hasActive = hasOtherActive(totals);

  setText(byId("total"), formats.figure(sum));
  byId("total-of").textContent = formats.range("date", startOf(first), startOf(last));
  byId("total-active").textContent = text("activeInAll", { duration: formats.figure(active.sum) });
  byId("totals-note").textContent = totals.complete ? "" : text("totalsAreIncomplete");
  byId("totals-note").hidden = totals.complete;
  for (const id of ["total-active", "days-active", "issues-active"]) byId(id).hidden = !hasActive;

  const worked = new Map([...days].filter(([, { exact }]) => exact > 0));
  const bars = worked.size && chart(toBars(worked, first, last, firstWeekday));
  byId("chart").replaceChildren(bars || h("p", { className: "faint" }, text("noTime")));
  byId("days-table").hidden = !days.size;
  const rows = [...days].map(([day, figure]) =>
    dayRow(day, hasActive ? [figure, active.days.get(day)] : [figure], filter, now),
  );
  setChildren(byId("days"), rows.reverse());
  showIssues(
    totals,
    issues.map((figure, index) => (hasActive ? [figure, active.issues[index]] : [figure])),
  );
  return days;
}

/**
 * Show totals to which the time of running timers was added, if a figure differs from what is shown.
 *
 * @param {Totals} totals
 * @param {Filter} filter
 * @param {Date} now
 * @returns {Map<Day, Figure>} the time of each day
 */
export function updateTotals(totals, filter, now) {
  const figures = roundTotals(totals);
  return figuresOf(figures) === shown ? figures.days : showTotals(totals, filter, now);
}

/**
 * Return a text that differs if other figures are shown.
 *
 * @param {ReturnType<typeof roundTotals>} totals
 */
function figuresOf({ active, ...working }) {
  const figures = [working, active].flatMap(({ sum, days, issues }) => [sum, ...days.values(), ...issues]);
  return figures.map(formats.figure, formats).join(" ");
}

/**
 * @param {Day} date
 * @param {(Figure | undefined)[]} figures
 * @param {Filter} filter
 * @param {Date} now
 */
function dayRow(date, figures, filter, now) {
  const address = writeFilter({ ...filter, period: "custom", from: date, to: date });
  const link = h("a", { href: address }, formats.day(startOf(date), now));
  return named(date, h("tr", {}, h("th", { scope: "row" }, link), ...figures.map(figureCell)));
}

/** @param {Figure | undefined} figure */
function figureCell(figure) {
  return h("td", {}, figure && formats.figure(figure));
}

/**
 * @param {Totals} totals
 * @param {Figure[][]} figures the figures of each issue
 */
function showIssues({ issues, working_duration: sum }, figures) {
  for (const { github_repo: repo } of issues) if (repo) repositories.add(repo);
  byId("repositories").replaceChildren(...[...repositories].sort().map((value) => h("option", { value })));
  byId("issues-section").hidden = !issues.length;
  const built = issues.map((issue, index) => issueRow(issue, figures[index], sum));
  const button = byId("all-issues");
  const areAllShown = button.hidden && byId("issues").children.length > MAX_ISSUES_AT_FIRST;
  const rows = /** @type {HTMLElement[]} */ (setChildren(byId("issues"), built));
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
 * @param {Figure[]} figures
 * @param {number} sum the seconds of all issues
 */
function issueRow(issue, figures, sum) {
  const share = svg(
    "svg",
    { class: "share", width: "100%", height: 6, "aria-hidden": "true" },
    svg("rect", { class: "track", width: "100%", height: 6, rx: 3 }),
    svg("rect", { class: "bar", width: `${sum && (100 * issue.working_duration) / sum}%`, height: 6, rx: 3 }),
  );
  const row = h(
    "tr",
    {},
    h("th", { scope: "row", ...(issue.github_repo ? {} : { tabIndex: -1 }) }, issueLink(issue), share),
    h("td", {}, String(issue.timers)),
    ...figures.map(figureCell),
  );
  return named(`issue ${issueReference(issue)}`, row);
}
