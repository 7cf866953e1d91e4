// The Team page: reports over the time of the people whose time the user can see.

import { get } from "./page/api.js";
import { startOf } from "./page/calendar.js";
import { chart } from "./page/chart.js";
import { byId, control, find, formValues } from "./page/elements.js";
import { figureOf } from "./page/figures.js";
import { selectedDays } from "./page/filter.js";
import { firstWeekday, formats, locale, text } from "./page/language.js";
import { clearNotice } from "./page/notices.js";
import { offerExport, openExport, withdrawExport } from "./page/report-export.js";
import { barsOf, workingFigures } from "./page/report-figures.js";
import { FILTERS, GROUPINGS, readReport, reportQuery, writeReport } from "./page/report-query.js";
import { GROUPING_NAMES, showTable } from "./page/report-table.js";
import { openPage, showError } from "./page/session.js";
import { ApiError } from "./widget/api-client.js";
import { content, h, isolate, setText } from "./widget/dom.js";

/** @import { Grouping, Report, ReportFilter, ReportState } from "./page/types.d.ts" */

const form = byId("report-form", HTMLFormElement);
const filterForm = byId("filter-form", HTMLFormElement);
const GROUP_FIELDS = ["group-1", "group-2", "group-3"];

/** @type {ReportState} */
let state = readReport(location.search);
/** Cancels the request of a report that is no longer asked for. */
let loading = new AbortController();

// ------------------------------------------------------------------ the forms

/** Fill the fields, which follow from the state. */
function showForm() {
  const [from, to] = selectedDays({ ...state, repo: "", issue: "" }, new Date());
  for (const [name, value] of Object.entries({ period: state.period, from, to }))
    control(form, name).value = value;
  GROUP_FIELDS.forEach((name, index) => {
    control(form, name).value = state.groupBy[index] ?? "";
  });
  showDays();
  byId("filters").replaceChildren(...state.filters.map(filterItem));
  byId("filters").hidden = !state.filters.length;
}

function showDays() {
  byId("report-days").hidden = control(form, "period").value !== "custom";
}

/**
 * Return a selected value, with a button that removes it.
 *
 * @param {ReportFilter} filter
 */
function filterItem(filter) {
  const named = text("filterIs", {
    grouping: text(GROUPING_NAMES[filter.name]),
    name: filter.value || text("noValue"),
  });
  const remove = h(
    "button",
    {
      type: "button",
      className: "quiet",
      ariaLabel: text("removeFilter", { name: filter.value || text("noValue") }),
    },
    "×",
  );
  remove.onclick = () => {
    show({ ...state, filters: state.filters.filter((other) => other !== filter) });
    control(filterForm, "value").focus();
  };
  return h("li", { className: "badge" }, h("span", {}, ...content(named)), remove);
}

/**
 * @param {readonly Grouping[]} names
 * @returns {HTMLOptionElement[]}
 */
function options(names) {
  return names.map((value) => h("option", { value }, text(GROUPING_NAMES[value])));
}

function listenToForms() {
  for (const name of GROUP_FIELDS) {
    const field = find(form, `[name="${name}"]`);
    field.append(...options(GROUPINGS));
    field.addEventListener("change", () => form.requestSubmit());
  }
  find(filterForm, '[name="name"]').append(...options(FILTERS));
  const period = control(form, "period");
  period.addEventListener("change", () => {
    showDays();
    if (period.value !== "custom") form.requestSubmit();
  });
  // Do not use `onAction`, which ignores events while an action runs. A new selection must replace the
  // previous one.
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { period, from, to, ...fields } = formValues(form);
    const days = period === "custom" ? { from, to } : { from: "", to: "" };
    const groupBy = GROUP_FIELDS.map((name) => fields[name]).filter(Boolean);
    const query = new URLSearchParams({ period, ...days, group_by: groupBy.join() });
    // Normalize the state: read it as an address's query.
    show({ ...readReport(`?${query}`), filters: state.filters });
  });
  filterForm.addEventListener("submit", (event) => {
    event.preventDefault();
    const { name, value } = formValues(filterForm);
    const filter = { name: /** @type {Grouping} */ (name), value: value.trim() };
    show({ ...state, filters: [...state.filters, filter] });
    control(filterForm, "value").value = "";
  });
  find(filterForm, '[name="name"]').addEventListener("change", showSuggestions);
  addEventListener("popstate", () => show(readReport(location.search), { isNew: false }));
}

/** The values of the loaded reports that the filter suggests. @type {Map<string, Set<string>>} */
const suggestions = new Map();

/** @param {Report} report */
function suggest({ rows, people }) {
  const add = (/** @type {string} */ name, /** @type {string} */ value) =>
    suggestions.set(name, (suggestions.get(name) ?? new Set()).add(value));
  for (const { login } of people) add("person", login);
  for (const row of rows) {
    for (const name of FILTERS) {
      const value = row[name];
      if (typeof value === "string") add(name, value);
    }
    if (row.issue) add("issue", `${row.issue.github_repo}#${row.issue.github_issue_number}`);
  }
  showSuggestions();
}

function showSuggestions() {
  const values = [...(suggestions.get(control(filterForm, "name").value) ?? [])].sort();
  byId("filter-values").replaceChildren(...values.map((value) => h("option", { value })));
}

// ------------------------------------------------------------------ the report

/**
 * Show another report, and note it in the address.
 *
 * @param {ReportState} next
 * @param {{isNew?: boolean}} [options] `isNew`: whether the address does not have it yet
 */
async function show(next, { isNew = true } = {}) {
  state = next;
  if (isNew) history.pushState(null, "", `${location.pathname}${writeReport(state)}`);
  showForm();
  clearNotice();
  withdrawExport();
  loading.abort();
  loading = new AbortController();
  const { signal } = loading;
  const now = new Date();
  const query = reportQuery(state, now);
  byId("results").hidden = false;
  byId("results").ariaBusy = "true";
  setText(byId("loading"), text("loadingReport"));
  try {
    const report = await get(`/api/reports/?${query}`, { signal });
    showReport(report, now);
    setText(byId("loading"), "");
    byId("results").ariaBusy = "false";
  } catch (error) {
    if (signal.aborted) return;
    byId("results").ariaBusy = "false";
    byId("report").hidden = true;
    if (error instanceof ApiError && error.problem.code === "report_too_large") {
      byId("results").hidden = true;
      return offerExport(query);
    }
    setText(byId("loading"), text("noReport"));
    showError(error);
  }
}

/**
 * @param {Report} report
 * @param {Date} now
 */
function showReport(report, now) {
  const figures = workingFigures(report);
  const { rows, totals } = report;
  suggest(report);
  byId("report").hidden = false;
  setText(byId("report-sum"), formats.figure(figureOf(totals.working_duration)));
  byId("report-of").textContent = formats.range("date", startOf(report.from), startOf(report.to));
  setText(byId("report-people"), peopleText(report));
  byId("no-time").hidden = rows.length > 0;
  byId("report-table").hidden = !rows.length;
  byId("overlapping").hidden = !report.overlapping;
  byId("incomplete").hidden = report.complete;
  const bars = barsOf(report, figures, firstWeekday);
  byId("chart").replaceChildren(...(bars ? [chart(bars)] : []));
  if (rows.length) showTable(report, figures, state, now);
  const query = reportQuery(state, now);
  for (const format of ["csv", "xlsx"]) {
    const address = new URLSearchParams([...query, ["format", format], ["locale", locale]]);
    byId(`download-${format}`, HTMLAnchorElement).href = `/api/reports/?${address}`;
  }
}

/** @param {Report} report */
function peopleText({ people }) {
  const [only] = people;
  if (people.length === 1) return text("reportOfOne", { name: isolate(only.name || only.login) });
  return text("reportOfPeople", { count: people.length });
}

openPage(() => {
  listenToForms();
  openExport();
  return show(state, { isNew: false });
});
