// The page of one's time: the widget, how much it was, and what it consists of.

import "./issue-timer.js";
import { pages } from "./page/api.js";
import { dayOf, timeZone } from "./page/calendar.js";
import { toCsv } from "./page/csv.js";
import { byId, download, html, say, warn } from "./page/dom.js";
import { addEntry, editEntry } from "./page/entry-dialog.js";
import { listQuery, readFilter, selectedDays, writeFilter } from "./page/filter.js";
import { History } from "./page/history.js";
import { followTimeZone, showDuration, text } from "./page/language.js";
import { complain, on, open } from "./page/session.js";
import { getTotals, showSum, showTotals } from "./page/totals.js";

// What the widget tells of one timer, of which several may change at once.
const SETTLING_MS = 300;
// How old what is shown may be while a timer runs, or when somebody comes back; and if it could not be had.
const FRESH_MS = 180_000;
const RETRY_MS = 30_000;

const form = byId("filter");
const widget = html("issue-timer");
let filter = readFilter(location.search);
let loading = new AbortController();
let isLoading = false;
let hasFailed = false;
// When what is shown was asked for, by performance.now(), and what "today" was then, and where.
let askedAt = 0;
let today = "";
let sum = 0;

/** Return the present by the server's clock, as the widget knows it: this machine's may be wrong by a day. */
const now = () => new Date(widget.manager?.now ?? Date.now());

const history = new History({ now, edit, changed });

/** Do something with the API, unless a later such thing takes its place. */
async function instead(action) {
  loading.abort();
  loading = new AbortController();
  const { signal } = loading;
  askedAt = performance.now();
  byId("results").ariaBusy = "true";
  try {
    await action(signal);
    if (hasFailed) warn("");
    hasFailed = false;
  } catch (error) {
    if (signal.aborted) return;
    hasFailed = true;
    complain(error);
  } finally {
    if (!signal.aborted) byId("results").ariaBusy = "false";
  }
}

/** Wait for entries, ask for the totals that go with them, and show both at once: they are counted on together. */
async function show(entries, signal) {
  const [showEntries, totals] = await Promise.all([entries, getTotals(filter, now(), signal)]);
  sum = totals.active_duration;
  showEntries();
  history.showDays(showTotals(totals, filter, now()));
}

function load() {
  followTimeZone();
  today = todayHere();
  fillForm();
  isLoading = true;
  return instead(async (signal) => {
    await show(history.load(filter, signal), signal);
    isLoading = false;
  });
}

function todayHere() {
  return `${dayOf(now())} ${timeZone()}`;
}

/** Take in what has changed, unless all of it is being asked for anyway. */
function refresh() {
  if (isLoading) return load();
  return instead((signal) => show(history.refresh(signal), signal));
}

/** Ask again for what has become old, or could not be had, if somebody can see it. */
function renew() {
  const age = performance.now() - askedAt;
  if (widget.isConnected && !document.hidden && age >= (hasFailed ? RETRY_MS : FRESH_MS)) refresh();
}

/** Count on along with the widget. */
function count() {
  const { manager } = widget;
  const gained = history.count(manager.state.timers, (timer) => manager.active(timer));
  const [, last] = selectedDays(filter, now());
  if (!last || dayOf(now()) <= last) showSum(sum + gained);
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
  const [from, to] = selectedDays(filter, now());
  for (const [name, value] of Object.entries({ period, repo, issue, from, to }))
    form.elements[name].value = value;
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
  const timer = await addEntry(now);
  if (!timer) return;
  tellWidget();
  await load();
  say(text("added", { duration: showDuration(timer.duration) }));
});

async function edit(timer) {
  const corrected = await editEntry(timer, now);
  if (!corrected) return;
  history.replace(corrected);
  say(text("saved"));
  await changed();
}

on("click", byId("export"), async () => {
  const timers = [];
  for await (const page of pages(`/api/timelogs/?${listQuery(filter, now())}`)) {
    timers.push(...page.results);
    if (page.next) say(text("exporting", { count: timers.length }));
  }
  const [from, to] = selectedDays(filter, now());
  const name = ["issue-timer", from, to || dayOf(now())].filter(Boolean).join("-");
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
  const { manager } = widget;
  manager.addEventListener("tick", () => {
    if (!isLoading) count();
    renew();
  });
  manager.addEventListener("change", () => {
    // Midnight has passed, somebody has travelled, or the server says that this machine's clock is wrong.
    if (widget.isConnected && todayHere() !== today) load();
    else if (hasFailed) renew();
  });
  document.addEventListener("visibilitychange", renew);
  await load();
});
