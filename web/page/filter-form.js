// The form that selects entries and totals.

import { byId, control, formValues } from "./elements.js";
import { readFilter, selectedDays, writeFilter } from "./filter.js";
import { clearNotice } from "./notices.js";
import { onAction } from "./session.js";

/** @import { Filter } from "./types.d.ts" */

const filterForm = byId("filter", HTMLFormElement);

/**
 * Show a filter in the form.
 *
 * @param {Filter} filter
 * @param {Date} now
 */
export function showFilter(filter, now) {
  const [from, to] = selectedDays(filter, now);
  const { period, repo, issue } = filter;
  for (const [name, value] of Object.entries({ period, repo, issue, from, to }))
    control(filterForm, name).value = value;
  showDays();
  byId("reset").hidden = !writeFilter(filter);
}

/**
 * Call a function with each filter that the user selects.
 *
 * @param {(filter: Filter) => Promise<unknown>} apply
 */
export function onFilter(apply) {
  const period = control(filterForm, "period");
  period.addEventListener("change", () => {
    showDays();
    if (period.value !== "custom") filterForm.requestSubmit();
  });
  // Do not use `onAction`, which ignores events while an action runs. A new selection must replace the
  // previous selection.
  filterForm.addEventListener("submit", (event) => {
    event.preventDefault();
    clearNotice();
    const { period, from, to, repo, issue } = formValues(filterForm);
    const days = period === "custom" ? { from, to } : { from: "", to: "" };
    // Normalize the filter: write it as an address's query, and read it back.
    apply(readFilter(writeFilter({ period, ...days, repo: repo.trim(), issue })));
  });
  onAction("click", byId("reset"), async () => {
    await apply(readFilter(""));
    period.focus();
  });
}

function showDays() {
  byId("filter-days").hidden = control(filterForm, "period").value !== "custom";
}
