// The history of timers. It contains the loaded timers that a filter selects.

import { getPage, statusOf } from "./api.js";
import { dayOf, latest } from "./calendar.js";
import { byId } from "./elements.js";
import { EntryList } from "./entry-list.js";
import { listQuery, selectedDays } from "./filter.js";
import { formats, text } from "./language.js";
import { confirm, notify } from "./notices.js";
import { nameInSentence } from "./reasons.js";
import { onAction } from "./session.js";

/** @import { Times } from "./entry-list.js" */
/** @import { Day, Durations, Figure, Filter, Timer } from "./types.d.ts" */
/** @import { UndoStack } from "./undo-stack.js" */

/** Loads timers page by page, newest first, and keeps their entries up to date. */
export class History {
  /** @type {Timer[]} */
  #timers = [];
  /** The selected timers that may be open, as they were when the totals were loaded. @type {Timer[]} */
  #open = [];
  /** The address of the next page. @type {string | null} */
  #next = null;
  /** @type {?Filter} */
  #filter = null;
  #address = "";
  /** The time of each day. @type {Map<Day, Figure>} */
  #dayTotals = new Map();
  /** The present durations of each open timer, by the timer's id. @type {Map<string, Durations>} */
  #running = new Map();
  #list;
  #now;
  #deleting;
  #undos;
  #changed;

  /**
   * @param {object} options
   * @param {() => Date} options.now returns the present
   * @param {(timer: Timer) => unknown} options.resume starts a timer on the same issue
   * @param {(timer: Timer) => unknown} options.edit lets the user edit a timer
   * @param {(timer: Timer) => unknown} options.deleting is called before a timer is deleted
   * @param {UndoStack} options.undos
   * @param {() => unknown} options.changed is called after a timer was deleted
   */
  constructor({ now, resume, edit, deleting, undos, changed }) {
    this.#now = now;
    this.#deleting = deleting;
    this.#undos = undos;
    this.#changed = changed;
    this.#list = new EntryList({
      now,
      period: () => this.#period,
      timesOf: (timer) => this.#timesOf(timer),
      totalOf: (day) => this.#dayTotals.get(day),
      hasMore: () => this.#next !== null,
      resume,
      edit,
      remove: (timer) => this.#delete(timer),
    });
    onAction("click", byId("load-more"), () => this.#loadMore());
  }

  /**
   * Request the first page of the timers that a filter selects.
   *
   * @param {Filter} filter
   * @param {AbortSignal} signal
   * @returns {Promise<() => void>} a function that shows the page
   */
  async load(filter, signal) {
    this.#filter = filter;
    this.#address = `/api/timelogs/?${listQuery(filter, this.#now())}`;
    const { page, open } = await this.#getFirst(signal);
    return () => this.#show(page.results, page.next, open);
  }

  /**
   * Request the first page again.
   *
   * @param {AbortSignal} signal
   * @returns {Promise<() => void>} a function that shows the page, and keeps the entries of later pages
   */
  async refresh(signal) {
    const { page, open } = await this.#getFirst(signal);
    return () => {
      const oldest = page.results.at(-1)?.start_time ?? "";
      const later = page.next === null ? [] : without(this.#timers, page.results);
      const kept = later.filter((timer) => timer.start_time < oldest).map((timer) => this.#atPresent(timer));
      this.#show([...page.results, ...kept], kept.length ? this.#next : page.next, open);
    };
  }

  /**
   * Request the first page and, if there are more pages, the open timers, which may be on any of them.
   *
   * @param {AbortSignal} signal
   */
  async #getFirst(signal) {
    const page = await getPage(this.#address, { signal });
    const open = page.next ? await getPage(`${this.#address}&end_time__isnull=true`, { signal }) : page;
    return { page, open: open.results };
  }

  /**
   * Show the total of each day. The time of a timer over midnight is split between both days.
   *
   * @param {Map<Day, Figure>} totals
   */
  showDayTotals(totals) {
    this.#dayTotals = totals;
    this.#list.update();
  }

  /**
   * Set the present durations of open timers. `showDayTotals` shows them.
   *
   * @template {{id: string}} T
   * @param {T[]} timers open timers
   * @param {(timer: T) => Durations} durationsOf returns the durations of a timer
   * @returns {({timer: Timer} & Durations)[]} the time that the selected timers gained in the period since the
   *   totals were loaded
   */
  run(timers, durationsOf) {
    for (const timer of timers) this.#running.set(timer.id, durationsOf(timer));
    const gains = this.#open.map((timer) => ({ timer, ...this.#gainOf(timer) }));
    return gains.filter(({ active_duration }) => active_duration);
  }

  /**
   * Show a timer that was edited, or remove its entry if the filter no longer selects the timer.
   *
   * @param {Timer} edited
   */
  async replace(edited) {
    const timer = await this.#find(edited);
    if (!timer) return this.#remove(edited);
    this.#timers = this.#timers.map((shown) => (shown.id === timer.id ? timer : shown));
    this.#timers.sort((one, other) => (one.start_time < other.start_time ? 1 : -1));
    this.#list.show(this.#timers);
    if (this.#timers.includes(timer)) this.#list.focus(timer);
  }

  /**
   * Request a timer as the list has it, with its part of the period.
   *
   * @param {Timer} timer
   * @returns {Promise<Timer | undefined>} undefined if the filter does not select the timer
   */
  async #find({ id, start_time }) {
    if (!this.#filter) return undefined;
    const search = listQuery(this.#filter, this.#now());
    search.set("start_time__gte", start_time);
    search.set("start_time__lt", new Date(Date.parse(start_time) + 1).toISOString());
    const page = await getPage(`/api/timelogs/?${search}`);
    return page.results.find((timer) => timer.id === id);
  }

  clear() {
    this.#show([], null, []);
  }

  /** Whether the filter selects no timer. */
  get isEmpty() {
    return !this.#timers.length;
  }

  async #loadMore() {
    const next = this.#next;
    if (!next) return;
    const page = await getPage(next);
    // Do nothing if another filter was applied during the request.
    if (next !== this.#next) return;
    // Omit timers that are already shown, such as a timer whose start was edited.
    const added = without(page.results, this.#timers);
    this.#timers.push(...added);
    this.#next = page.next;
    this.#list.append(added);
    this.#showCount();
    notify(text("moreLoaded", { count: added.length }));
    const focused = added[0] ?? this.#timers.at(-1);
    if (!this.#next && focused) this.#list.focus(focused);
  }

  /**
   * @param {Timer[]} timers
   * @param {string | null} next
   * @param {Timer[]} open
   */
  #show(timers, next, open) {
    this.#timers = timers;
    this.#open = open;
    this.#next = next;
    this.#running.clear();
    this.#list.show(timers);
    this.#showCount();
  }

  #showCount() {
    const count = this.#timers.length;
    byId("load-more").hidden = !this.#next;
    byId("no-entries").hidden = count > 0;
    byId("entry-count").textContent = count
      ? text(this.#next ? "firstEntries" : "allEntries", { count })
      : "";
  }

  /** @param {Timer} timer */
  async #delete(timer) {
    const time = formats.date("moment", new Date(timer.start_time));
    const named = {
      name: nameInSentence(timer),
      duration: formats.duration(this.#durationsOf(timer).working_duration),
      time,
    };
    if (!(await confirm(text("deleteQuestion"), text("deleteText", named), text("delete")))) return;
    this.#deleting(timer);
    const label = text("deleted", named);
    try {
      await this.#undos.record(label, (send) => send("DELETE", `/api/timelogs/${timer.id}/`));
    } catch (error) {
      // Status 404 means that the timer was already deleted, for example in another tab.
      if (statusOf(error) !== 404) throw error;
    }
    this.#remove(timer);
    notify(label);
    await this.#changed();
  }

  /** @param {Timer} timer */
  #remove(timer) {
    const index = this.#timers.findIndex((shown) => shown.id === timer.id);
    // Do nothing if another filter was applied during the request.
    if (index < 0) return;
    this.#timers.splice(index, 1);
    this.#list.remove(timer);
    this.#showCount();
    const neighbour = this.#timers[index] ?? this.#timers.at(-1);
    if (neighbour) this.#list.focus(neighbour);
    else byId("add").focus();
  }

  /** @param {Timer} timer @returns {Durations} */
  #durationsOf(timer) {
    return this.#running.get(timer.id) ?? timer;
  }

  /** @param {Timer} timer @returns {Times} */
  #timesOf(timer) {
    const present = this.#atPresent(timer);
    const part = present.part_working_duration ?? present.working_duration;
    return {
      all: present.working_duration,
      part,
      firstDay: present.part_first_day_working_duration ?? part,
      activePart: present.part_active_duration ?? present.active_duration,
    };
  }

  /**
   * Return a timer with its present durations.
   *
   * @param {Timer} timer
   * @returns {Timer}
   */
  #atPresent(timer) {
    const { working_duration, active_duration } = this.#durationsOf(timer);
    const gain = this.#gainOf(timer);
    const isOfToday = latest(dayOf(new Date(timer.start_time)), this.#period[0]) === dayOf(this.#now());
    return {
      ...timer,
      working_duration,
      active_duration,
      part_working_duration: (timer.part_working_duration ?? 0) + gain.working_duration,
      part_active_duration: (timer.part_active_duration ?? 0) + gain.active_duration,
      part_first_day_working_duration:
        (timer.part_first_day_working_duration ?? 0) + (isOfToday ? gain.working_duration : 0),
    };
  }

  /**
   * Return the time that a timer gained in the period since it was loaded.
   *
   * @param {Timer} timer
   * @returns {Durations}
   */
  #gainOf(timer) {
    const [, last] = this.#period;
    if (last && dayOf(this.#now()) > last) return { working_duration: 0, active_duration: 0 };
    const present = this.#durationsOf(timer);
    return {
      working_duration: present.working_duration - timer.working_duration,
      active_duration: present.active_duration - timer.active_duration,
    };
  }

  /** The first and the last selected day. @type {[Day, Day]} */
  get #period() {
    return this.#filter ? selectedDays(this.#filter, this.#now()) : ["", ""];
  }
}

/**
 * Return the timers of one list that are not in another list.
 *
 * @param {Timer[]} timers
 * @param {Timer[]} others
 */
function without(timers, others) {
  const ids = new Set(others.map(({ id }) => id));
  return timers.filter(({ id }) => !ids.has(id));
}
