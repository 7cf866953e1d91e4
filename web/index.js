// The Time page: the widget, the totals and the entries.

import { IssueTimerElement } from "./issue-timer.js";
import { pages } from "./page/api.js";
import { dayOf, timeZone } from "./page/calendar.js";
import { dialectOf, NEUTRAL, toCsv } from "./page/csv.js";
import { addEntry, editEntry } from "./page/edit-entry.js";
import { byId, download } from "./page/elements.js";
import { withGains } from "./page/figures.js";
import { listQuery, readFilter, selectedDays, writeFilter } from "./page/filter.js";
import { onFilter, showFilter } from "./page/filter-form.js";
import { firstVisitCard } from "./page/first-visit.js";
import { History } from "./page/history.js";
import { formats, text } from "./page/language.js";
import { clearNotice, notify } from "./page/notices.js";
import { fetchSchedule } from "./page/schedule-api.js";
import { onAction, openPage, showError } from "./page/session.js";
import { getTotals, showTotals, updateTotals } from "./page/totals.js";

/** @import { Dialect } from "./page/csv.js" */
/** @import { Filter, Timer, Totals } from "./page/types.d.ts" */

// The delay between a transition and the refresh of the page. One action may cause several transitions, which
// need only one refresh.
const DEBOUNCE_MS = 300;
// The age at which loaded data are refreshed, and the age at which they are refreshed after a failed request.
const STALE_MS = 180_000;
const RETRY_AFTER_MS = 30_000;

const widget = new IssueTimerElement();
let filter = readFilter(location.search);
let loading = new AbortController();
let isLoading = false;
let hasFailed = false;
// The time of the last request (by performance.now()), and the local day and the time zone of the loaded
// data.
let requestedAt = 0;
let today = "";
/** The loaded totals. @type {?Totals} */
let totals = null;

/** Return the server's time as the widget estimates it, because this machine's clock may be wrong. */
const now = () => new Date(widget.manager?.now ?? Date.now());

const history = new History({ now, edit, changed });

/**
 * Run an action that loads data, and abort the previous action.
 *
 * @param {(signal: AbortSignal) => Promise<void>} action
 */
async function runLatest(action) {
  loading.abort();
  loading = new AbortController();
  const { signal } = loading;
  requestedAt = performance.now();
  byId("results").ariaBusy = "true";
  try {
    await action(signal);
    if (hasFailed) clearNotice();
    hasFailed = false;
  } catch (error) {
    if (signal.aborted) return;
    hasFailed = true;
    showError(error);
  } finally {
    if (!signal.aborted) byId("results").ariaBusy = "false";
  }
}

/**
 * Load the totals in parallel with the entries. Show both at the same time, because the time of running
 * timers is added to both.
 *
 * @param {Promise<() => void>} entries
 * @param {AbortSignal} signal
 */
async function show(entries, signal) {
  const [showEntries, loaded] = await Promise.all([entries, getTotals(filter, now(), signal)]);
  totals = loaded;
  showEntries();
  history.showDayTotals(showTotals(totals, filter, now()));
}

/** Load the entries and totals that the filter selects. */
function load() {
  formats.followTimeZone();
  today = localDay();
  showFilter(filter, now());
  isLoading = true;
  return runLatest(async (signal) => {
    await show(history.load(filter, signal), signal);
    isLoading = false;
  });
}

function localDay() {
  return `${dayOf(now())} ${timeZone()}`;
}

/** Load the totals and the first page of entries again, and keep the entries of later pages. */
function refresh() {
  if (isLoading) return load();
  return runLatest((signal) => show(history.refresh(signal), signal));
}

/** Refresh the page if the page is visible and its data are old. After a failed request, refresh earlier. */
function refreshIfStale() {
  const age = performance.now() - requestedAt;
  if (widget.isConnected && !document.hidden && age >= (hasFailed ? RETRY_AFTER_MS : STALE_MS)) refresh();
}

/** Update the time of running timers in the entries and in the totals. */
function showRunning() {
  const { manager } = widget;
  if (!manager || !totals) return;
  const gains = history.run(manager.state.timers, (timer) => ({
    working_duration: manager.working(timer),
    active_duration: manager.active(timer),
  }));
  history.showDayTotals(updateTotals(withGains(totals, dayOf(now()), gains), filter, now()));
}

/** Refresh the page and the widget after a change made here. */
function changed() {
  refreshWidget();
  return refresh();
}

function refreshWidget() {
  widget.manager?.refresh();
  // Load the widget's time of today too, because today's time includes the time of stopped timers.
  widget.manager?.loadToday();
}

// ------------------------------------------------------------------ the filter

/**
 * Apply a filter, and add the address of the filter to the browser's history.
 *
 * @param {Filter} selected
 */
function applyFilter(selected) {
  filter = selected;
  const address = writeFilter(filter);
  if (address !== location.search) window.history.pushState(null, "", address || location.pathname);
  return load();
}

onFilter(applyFilter);

byId("days").addEventListener("click", (event) => {
  const link = event.target instanceof Element && event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  applyFilter(readFilter(link.search));
  byId("entries-title").focus();
});

addEventListener("popstate", () => {
  filter = readFilter(location.search);
  load();
});

// ------------------------------------------------------------------ entries

onAction("click", byId("add"), async () => {
  const timer = await addEntry(now);
  if (!timer) return;
  refreshWidget();
  await load();
  notify(text("added", { duration: formats.duration(timer.duration ?? 0) }));
});

/** @param {Timer} timer */
async function edit(timer) {
  const edited = await editEntry(timer, now);
  if (!edited) return;
  await history.replace(edited);
  notify(text("saved"));
  await changed();
}

/**
 * Export the entries that the filter selects.
 *
 * @param {Dialect} dialect
 */
async function exportCsv(dialect) {
  const timers = [];
  for await (const page of pages(`/api/timelogs/?${listQuery(filter, now())}`)) {
    timers.push(...page.results);
    if (page.next) notify(text("exporting", { count: timers.length }));
  }
  const [from, to] = selectedDays(filter, now());
  const name = ["issue-timer", from, to || dayOf(now())].filter(Boolean).join("-");
  download(`${name}.csv`, "text/csv;charset=utf-8", toCsv(timers, dialect));
  notify(text("exportedEntries", { count: timers.length }));
}

const ofLocale = dialectOf(navigator.language);
byId("export-local").hidden = ofLocale === NEUTRAL;
onAction("click", byId("export"), () => exportCsv(NEUTRAL));
onAction("click", byId("export-local"), () => exportCsv(ofLocale));

/** @type {ReturnType<typeof setTimeout> | undefined} */
let debounce;
for (const action of ["start", "pause", "resume", "stop", "focus", "counting"]) {
  widget.addEventListener(`issue-timer:${action}`, () => {
    clearTimeout(debounce);
    debounce = setTimeout(refresh, DEBOUNCE_MS);
  });
}

// ------------------------------------------------------------------ the first visit

/** Propose working hours to a person who has not chosen any. */
async function showFirstVisit() {
  const card = firstVisitCard(await fetchSchedule(), now, () => {
    byId("first-visit").hidden = true;
    byId("title").focus();
    return changed();
  });
  byId("first-visit").hidden = !card;
  byId("first-visit").replaceChildren(...(card ? [card] : []));
}

// ------------------------------------------------------------------ the session

addEventListener("signed-out", () => {
  loading.abort();
  byId("first-visit").replaceChildren();
  byId("widget").replaceChildren();
  history.clear();
});

openPage(async () => {
  byId("widget").append(widget);
  const { manager } = widget;
  manager?.addEventListener("tick", () => {
    if (!isLoading) showRunning();
    refreshIfStale();
  });
  manager?.addEventListener("change", () => {
    // The local day or the time zone differs if midnight has passed, if the machine's time zone was changed,
    // or if the server has corrected the clock.
    if (widget.isConnected && localDay() !== today) load();
    else refreshIfStale();
  });
  document.addEventListener("visibilitychange", refreshIfStale);
  // Without the schedule, the page only lacks the proposal.
  showFirstVisit().catch(() => {});
  await load();
});
