// The page of one's time: the widget, how much it was, and what it consists of.

import "./issue-timer.js";
import { pages } from "./page/api.js";
import { dayOf } from "./page/calendar.js";
import { toCsv } from "./page/csv.js";
import { byId, download, html, say, warn } from "./page/dom.js";
import { addEntry, editEntry } from "./page/entry-dialog.js";
import { listQuery, readFilter, selectedDays, writeFilter } from "./page/filter.js";
import { History } from "./page/history.js";
import { showDuration, text } from "./page/language.js";
import { complain, on, open } from "./page/session.js";
import { showTotals } from "./page/totals.js";

// What the widget tells of one timer, of which several may change at once.
const SETTLING_MS = 300;

const form = byId("filter");
const widget = html("issue-timer");
let filter = readFilter(location.search);
let loading = new AbortController();
let isLoading = false;

const history = new History({ edit, changed });

/** Do something with the API, unless a later such thing takes its place. */
async function instead(action) {
  loading.abort();
  loading = new AbortController();
  const { signal } = loading;
  byId("results").ariaBusy = "true";
  try {
    await action(signal);
  } catch (error) {
    if (!signal.aborted) complain(error);
  } finally {
    if (!signal.aborted) byId("results").ariaBusy = "false";
  }
}

function totals(signal) {
  return showTotals(filter, signal).then((days) => history.showDays(days));
}

function load() {
  fillForm();
  isLoading = true;
  return instead(async (signal) => {
    await Promise.all([history.load(filter, signal), totals(signal)]);
    isLoading = false;
  });
}

/** Take in what has changed, unless all of it is being asked for anyway. */
function refresh() {
  if (isLoading) return load();
  return instead((signal) => Promise.all([history.refresh(signal), totals(signal)]));
}

/** Take in what was changed here, and let the widget, whose timers that may be. */
function changed() {
  tellWidget();
  return refresh();
}

function tellWidget() {
  widget.manager?.refresh();
  // The time of a timer that is not open counts for today as well.
  widget.manager?.loadToday();
}

// ------------------------------------------------------------------ the filter

function fillForm() {
  const { period, repo, issue } = filter;
  const [from, to] = selectedDays(filter);
  for (const [name, value] of Object.entries({ period, repo, issue, from, to })) form.elements[name].value = value;
  showDays();
  byId("reset").hidden = !writeFilter(filter);
}

function showDays() {
  byId("filter-days").hidden = form.elements.period.value !== "custom";
}

/** Go to what another filter selects; the browser's back button leads here again. */
function apply(chosen) {
  filter = chosen;
  const address = writeFilter(filter);
  if (address !== location.search) window.history.pushState(null, "", address || location.pathname);
  return load();
}

form.elements.period.addEventListener("change", () => {
  showDays();
  if (form.elements.period.value !== "custom") form.requestSubmit();
});

// Not once at a time: what is chosen last counts.
form.addEventListener("submit", (event) => {
  event.preventDefault();
  warn("");
  const values = Object.fromEntries(new FormData(form));
  if (values.period !== "custom") values.from = values.to = "";
  // As it is read from the address when somebody comes back to it.
  apply(readFilter(writeFilter({ ...values, repo: values.repo.trim() })));
});

on("click", byId("reset"), async () => {
  await apply(readFilter(""));
  form.elements.period.focus();
});

byId("results").addEventListener("click", (event) => {
  const link = event.target.closest("a[data-filter]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  apply(readFilter(link.search));
  byId("entries-title").focus();
});

addEventListener("popstate", () => {
  filter = readFilter(location.search);
  load();
});

// ------------------------------------------------------------------ entries

on("click", byId("add"), async () => {
  const timer = await addEntry();
  if (!timer) return;
  tellWidget();
  await load();
  say(text("added", { duration: showDuration(timer.duration) }));
});

async function edit(timer) {
  const corrected = await editEntry(timer);
  if (!corrected) return;
  history.replace(corrected);
  say(text("saved"));
  await changed();
}

on("click", byId("export"), async () => {
  const timers = [];
  for await (const page of pages(`/api/timelogs/?${listQuery(filter)}`)) {
    timers.push(...page.results);
    if (page.next) say(text("exporting", { count: timers.length }));
  }
  const [from, to] = selectedDays(filter);
  const name = ["issue-timer", from, to || dayOf(new Date())].filter(Boolean).join("-");
  download(`${name}.csv`, "text/csv;charset=utf-8", toCsv(timers));
  say(text("exportedEntries", { count: timers.length }));
});

let settling = 0;
for (const action of ["start", "pause", "resume", "stop"]) {
  widget.addEventListener(`issue-timer:${action}`, () => {
    clearTimeout(settling);
    settling = setTimeout(refresh, SETTLING_MS);
  });
}

// ------------------------------------------------------------------ who is there

addEventListener("signed-out", () => {
  loading.abort();
  byId("widget").replaceChildren();
  history.clear();
});

open(async () => {
  byId("widget").append(widget);
  await load();
});
