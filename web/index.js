// The Time page: the present, the totals and the entries.

import { pages } from "./page/api.js";
import { dayOf, timeZone } from "./page/calendar.js";
import { Confirmation } from "./page/confirmation.js";
import { dialectOf, NEUTRAL, toCsv } from "./page/csv.js";
import { DayOff } from "./page/day-off.js";
import { DayView } from "./page/day-view.js";
import { addEntry, editEntry } from "./page/edit-entry.js";
import { byId, download } from "./page/elements.js";
import { withGains } from "./page/figures.js";
import { listQuery, readDay, readFilter, selectedDays, writeFilter } from "./page/filter.js";
import { onFilter, showFilter } from "./page/filter-form.js";
import { FirstSteps } from "./page/first-steps.js";
import { firstVisitCard } from "./page/first-visit.js";
import { ForgottenCard } from "./page/forgotten-card.js";
import { History } from "./page/history.js";
import { followGitHub } from "./page/issue.js";
import { formats, locale, text, widgetTexts } from "./page/language.js";
import { clearNotice, notify, warn } from "./page/notices.js";
import { Now } from "./page/now.js";
import { fetchSchedule } from "./page/schedule-api.js";
import { exceptionText } from "./page/schedule-texts.js";
import { onAction, openPage, showError } from "./page/session.js";
import { getTotals, showTotals, updateTotals } from "./page/totals.js";
import { UndoStack } from "./page/undo-stack.js";
import { WeekView } from "./page/week-view.js";
import { TimerManager } from "./timer-manager.js";
import { ApiError } from "./widget/api-client.js";
import { randomName } from "./widget/storage.js";

/** @import { Dialect } from "./page/csv.js" */
/** @import { Day, Filter, Timer, Totals } from "./page/types.d.ts" */
/** @import { Transition } from "./widget/types.d.ts" */

// The delay between a change and the refresh of the page. One action may cause several changes, which need only one
// refresh.
const REFRESH_MS = 300;
// The delay if the server is about to send a hint of the change.
const AWAITED_MS = 3_000;
// The age at which loaded data are refreshed unless the server sends hints of changes, the age at which they are
// refreshed in any case, because a hint may be lost, and the delay of a refresh after a failed request.
const STALE_MS = 180_000;
const LIVE_STALE_MS = 2_400_000;
const RETRY_AFTER_MS = 30_000;

const manager = new TimerManager();
let isOpen = false;
let filter = readFilter(location.search);
/** The day that the address contains; "" for today. */
let day = readDay(location.search);
let loading = new AbortController();
let isLoading = false;
let hasFailed = false;
// When the data were loaded, and the last time at which they were current unless a hint was lost (both by
// performance.now()), and the local day and the time zone of the loaded data.
let loadedAt = 0;
let currentAt = 0;
let today = "";
/** The loaded totals. @type {?Totals} */
let totals = null;

/** Return the server's time as the manager estimates it, because this machine's clock may be wrong. */
const now = () => new Date(manager.now);

const undos = new UndoStack(async () => {
  await dayView.reload();
  await corrected();
});
const history = new History({
  now,
  resume,
  edit,
  deleting: ({ id }) => present?.expectEnd(id),
  undos,
  changed,
});
const confirmation = new Confirmation({
  refresh: () => dayView.refresh(),
  show: async (changedDay) => {
    await dayView.show(changedDay, { isStale: true });
    byId("day-title").focus();
  },
  find: (date) => dayView.find(date),
  undos,
  changed,
});
/** The days with other hours than their weekdays, with the reasons. @type {Map<Day, string>} */
let exceptionTexts = new Map();
const exceptionTextOn = (/** @type {Day} */ date) => exceptionTexts.get(date) ?? "";

const dayView = new DayView({
  now,
  exceptionTextOn,
  counting: () => manager.state.timers.filter(({ is_counting }) => is_counting),
  confirmation,
  undos,
  chose: (chosen) => {
    day = chosen;
    writeAddress();
  },
  shown: (shownDay, week) => weekView.show(shownDay, week),
  changed: corrected,
});
dayView.choose(day);
const weekView = new WeekView({
  exceptionTextOn,
  confirmation,
  showDay: async (chosen) => {
    await dayView.show(chosen);
    byId("day-title").focus();
  },
});

/**
 * Run an action that loads data, and abort the previous action.
 *
 * @param {(signal: AbortSignal) => Promise<void>} action
 */
async function runLatest(action) {
  loading.abort();
  loading = new AbortController();
  const { signal } = loading;
  loadedAt = currentAt = performance.now();
  byId("results").ariaBusy = "true";
  try {
    await action(signal);
    if (hasFailed) clearNotice();
    hasFailed = false;
  } catch (error) {
    if (signal.aborted) return;
    hasFailed = true;
    refreshWithin(RETRY_AFTER_MS);
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
  await firstSteps?.update(history.isEmpty);
}

/** Load the hours of today, the day, and the entries and totals that the filter selects. */
async function loadAll() {
  updateSchedule();
  await Promise.all([load(), dayView.refresh().catch(showError)]);
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

/** Load the day, the totals and the first page of entries again. */
async function refresh() {
  await Promise.all([refreshResults(), dayView.refresh().catch(showError)]);
}

/** Load the totals and the first page of entries again, and keep the entries of later pages. */
function refreshResults() {
  if (isLoading) return load();
  return runLatest((signal) => show(history.refresh(signal), signal));
}

/** Refresh the page if the page is visible and its data are old, or of another day. */
function refreshIfStale() {
  if (!isOpen || document.hidden) return;
  if (localDay() !== today) return loadAll();
  const time = performance.now();
  // When a connection begins, the manager emits `hint`, because changes may have been missed.
  if (manager.isLive) currentAt = time;
  if (time - currentAt < STALE_MS && time - loadedAt < LIVE_STALE_MS) return;
  loadedAt = currentAt = time;
  refreshWithin(AWAITED_MS);
  updateSchedule();
}

/** Update the time of running timers in the entries and in the totals. */
function showRunning() {
  if (!totals) return;
  const gains = history.run(manager.state.timers, (timer) => ({
    working_duration: manager.working(timer),
    active_duration: manager.active(timer),
  }));
  history.showDayTotals(updateTotals(withGains(totals, dayOf(now()), gains), filter, now()));
}

/** Refresh the page and the open timers after a change made here. */
function changed() {
  refreshPresent();
  return refresh();
}

/** Refresh the rest of the page after a correction of the day. */
function corrected() {
  refreshPresent();
  forgotten?.forgetUndo();
  return refreshResults();
}

function refreshPresent() {
  manager.expectChange();
}

// ------------------------------------------------------------------ the filter and the day

/**
 * Apply a filter, and add the address of the filter to the browser's history.
 *
 * @param {Filter} selected
 */
function applyFilter(selected) {
  filter = selected;
  writeAddress();
  return load();
}

/** Add the filter and the day to the browser's history, if they are not those of the address. */
function writeAddress() {
  const address = writeFilter(filter, day);
  if (address !== location.search) window.history.pushState(null, "", address || location.pathname);
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
  const chosen = readDay(location.search);
  if (chosen === day) return load();
  day = chosen;
  dayView.choose(day);
  loadAll();
});

// ------------------------------------------------------------------ entries

onAction("click", byId("add"), async () => {
  const key = randomName();
  const timer = await addEntry(now, key);
  if (!timer) return;
  const label = text("added", { duration: formats.duration(timer.duration ?? 0) });
  undos.addCorrections(label, [key]);
  refreshPresent();
  await loadAll();
  notify(label);
});

/** @param {Timer} timer */
function resume({ github_repo, github_issue_number, description }) {
  present?.start(
    github_repo && github_issue_number ? { github_repo, github_issue_number } : null,
    description,
  );
  byId("now-title").focus();
}

/** @param {Timer} timer */
async function edit(timer) {
  const key = randomName();
  const edited = await editEntry(timer, now, key);
  if (!edited) return;
  undos.addCorrections(text("editTitle"), [key]);
  // Do not wait: a hint may show the new entry earlier, and its button must work then.
  showEdited(edited).catch(showError);
}

/** @param {Timer} edited */
async function showEdited(edited) {
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

// ------------------------------------------------------------------ changes

/** @type {ReturnType<typeof setTimeout> | undefined} */
let refreshTimer;
/** When the page is going to be refreshed (by performance.now()). */
let refreshAt = Infinity;
let hintedAt = -Infinity;
/** Whether the page is refreshed when it becomes visible. */
let isOutdated = false;

/** Refresh the page after a delay, unless it is refreshed earlier or hidden then. @param {number} ms */
function refreshWithin(ms) {
  const at = performance.now() + ms;
  if (at >= refreshAt) return;
  clearTimeout(refreshTimer);
  refreshAt = at;
  refreshTimer = setTimeout(() => {
    refreshAt = Infinity;
    if (document.hidden) isOutdated = true;
    else if (isOpen) refresh();
  }, ms);
}

/**
 * Refresh the page after a change of the open timers. The server's hint of it has caused a refresh, or is going to cause
 * an earlier one; a hint that came before a change made here was of another change.
 *
 * @param {boolean} [isOwn] whether the change was made here
 */
function refreshAfterChange(isOwn = false) {
  if (!manager.isLive) refreshWithin(REFRESH_MS);
  else if (isOwn || performance.now() - hintedAt > AWAITED_MS) refreshWithin(AWAITED_MS);
}
manager.addEventListener("transition", (event) => {
  refreshAfterChange(/** @type {CustomEvent<Transition>} */ (event).detail.isOwn);
});

/** Refresh the page after a hint. A hidden page is refreshed when it becomes visible. */
function refreshAfterHint() {
  if (!isOpen) return;
  hintedAt = performance.now();
  isOutdated = document.hidden;
  if (isOutdated) return;
  refreshWithin(REFRESH_MS);
  updateSchedule();
}
manager.addEventListener("hint", refreshAfterHint);

manager.addEventListener("change", () => followGitHub(manager.state.github));

/** What the working hours and other rules make of the open timers, as the server last confirmed. */
let standings = "";

/** Refresh the page if timers count otherwise than before, for example because the working hours have changed. */
function refreshIfRulesChanged() {
  const { phase, timers, waiting } = manager.state;
  if (phase !== "ready" || waiting) return;
  const former = standings;
  standings = JSON.stringify(
    timers.map(({ id, status, is_counting, waiting_for, counting_changes_at }) => {
      return [id, status, is_counting, waiting_for, counting_changes_at];
    }),
  );
  if (!former || standings === former) return;
  refreshAfterChange();
  updateSchedule();
}

// ------------------------------------------------------------------ the schedule

const dayOff = new DayOff(now, async () => {
  await Promise.all([showSchedule(), changed()]);
});
byId("now").append(dayOff.element);

/** Show the hours of today. Propose working hours to a person who has not chosen any. */
async function showSchedule() {
  const schedule = await fetchSchedule();
  dayOff.show(schedule);
  exceptionTexts = new Map(
    schedule.exceptions.map((exception) => [exception.date, exceptionText(exception)]),
  );
  dayView.render();
  const place = byId("first-visit");
  place.hidden = schedule.chosen;
  if (schedule.chosen) return place.replaceChildren();
  // Keep the card that is shown, because it may have the focus.
  if (place.firstChild) return;
  const card = firstVisitCard(schedule, now, () => {
    place.hidden = true;
    byId("title").focus();
    return Promise.all([showSchedule(), changed()]);
  });
  if (card) place.append(card);
}

/** Show the schedule as it is now. Without it, the page only lacks the proposal and the hours of today. */
function updateSchedule() {
  showSchedule().catch(() => {});
}

// ------------------------------------------------------------------ the session

/** @type {?Now} */
let present = null;
/** @type {?ForgottenCard} */
let forgotten = null;
/** @type {?FirstSteps} */
let firstSteps = null;

addEventListener("signed-out", async () => {
  isOpen = false;
  manager.disconnect();
  present?.clear();
  forgotten?.clear();
  loading.abort();
  byId("first-visit").replaceChildren();
  history.clear();
  dayView.clear();
  if (byId("scene").firstChild) return;
  const { showScene } = await import("./scene.js");
  await showScene(byId("scene"), locale, text);
});

openPage(async (profile) => {
  const { id } = profile;
  isOpen = true;
  firstSteps = new FirstSteps(profile);
  present = new Now(manager);
  forgotten = new ForgottenCard({
    manager,
    user: id,
    correct: (label, action) => dayView.corrections.correct(label, action),
    undo: () => undos.undo(),
    expectEnd: (timer) => present?.expectEnd(timer),
  });
  manager.addEventListener("tick", () => {
    if (!isLoading) showRunning();
    dayView.run();
    refreshIfStale();
  });
  manager.addEventListener("change", () => {
    if (!isOpen) return;
    if (manager.state.phase === "signed-out") return showExpired();
    // The local day or the time zone differs if midnight has passed, if the machine's time zone was changed,
    // or if the server has corrected the clock.
    if (localDay() !== today) loadAll();
    else refreshIfStale();
    refreshIfRulesChanged();
  });
  document.addEventListener("visibilitychange", () => {
    if (isOutdated) refreshAfterHint();
    else refreshIfStale();
  });
  // Load first, because the manager's first events compare the day with the loaded one.
  const loaded = loadAll();
  manager.connect();
  forgotten.comeBack();
  await loaded;
});

/** Ask the user to sign in again. Say if changes are kept until then. */
function showExpired() {
  const { waiting } = manager.state;
  showError(new ApiError(401));
  if (waiting) warn(`${text("sessionExpired")} ${widgetTexts.kept}`);
}
