// The list of entries, newest first. Each day has its own section. An entry is in the section of the first day
// that it has in the selected period, with its time of this day.

import { content, h, isolate, setText } from "../widget/dom.js";
import { addDays, dayOf, latest, startOf } from "./calendar.js";
import { byId, find, icon, named, setChildren } from "./elements.js";
import { apportion, figureOf, hasOtherActive } from "./figures.js";
import { issueLink, issueReference } from "./issue.js";
import { formats, text } from "./language.js";
import { onAction } from "./session.js";

/** @import { Day, Figure, Timer } from "./types.d.ts" */

// The least time in seconds that is shown as continued from earlier days while a timer counts.
const LEAST_REST = 60;

/**
 * The working time of a timer in seconds: in all, in the period, and on its first day in the period; and the active
 * time in the period.
 *
 * @typedef {{all: number, part: number, firstDay: number, activePart: number}} Times
 */

/** Shows timers as entries. */
export class EntryList {
  #element = byId("entries");
  /** @type {Map<Day, {section: HTMLElement, timers: Timer[]}>} */
  #days = new Map();
  #options;

  /**
   * @param {object} options
   * @param {() => Date} options.now returns the present
   * @param {() => [Day, Day]} options.period returns the first and the last day of the period; a day is "" if the
   *   period has no such limit
   * @param {(timer: Timer) => Times} options.timesOf returns the present times of a timer
   * @param {(day: Day) => Figure | undefined} options.totalOf returns the time of all timers on a day
   * @param {() => boolean} options.hasMore returns whether later pages have more entries
   * @param {(timer: Timer) => unknown} options.resume is called when an entry's Continue button is pressed
   * @param {(timer: Timer) => unknown} options.edit is called when an entry's Edit button is pressed
   * @param {(timer: Timer) => unknown} options.remove is called when an entry's Delete button is pressed
   */
  constructor(options) {
    this.#options = options;
  }

  /**
   * Show entries in place of all others, and keep the focus on the control that was focused.
   *
   * @param {Timer[]} timers
   */
  show(timers) {
    const active = /** @type {HTMLElement} */ (document.activeElement);
    const focused = active.closest(".entry");
    const position = focused ? controls(focused).indexOf(active) : -1;
    const days = [...this.#byDay(timers)];
    const sections = setChildren(
      this.#element,
      days.map(([day, ofDay]) => this.#section(day, ofDay)),
    );
    this.#days = new Map(
      days.map(([day, ofDay], index) => [
        day,
        { section: /** @type {HTMLElement} */ (sections[index]), timers: ofDay },
      ]),
    );
    this.update();
    // An entry that is on another day now is a new element.
    const replaced = focused && !active.isConnected && document.getElementById(focused.id);
    if (replaced) controls(replaced)[position]?.focus({ preventScroll: true });
  }

  /**
   * Add entries at the end of the list.
   *
   * @param {Timer[]} timers
   */
  append(timers) {
    for (const [day, ofDay] of this.#byDay(timers)) {
      const known = this.#days.get(day);
      if (known) {
        known.timers.push(...ofDay);
        find(known.section, "ul").append(...ofDay.map((timer) => this.#entry(timer)));
      } else {
        const section = this.#section(day, ofDay);
        this.#element.append(section);
        this.#days.set(day, { section, timers: ofDay });
      }
    }
    this.update();
  }

  /**
   * Remove an entry. If the entry was the last of its day, also remove the section of the day.
   *
   * @param {Timer} timer
   */
  remove(timer) {
    byId(entryId(timer)).remove();
    for (const [day, known] of this.#days) {
      known.timers = known.timers.filter(({ id }) => id !== timer.id);
      if (known.timers.length) continue;
      known.section.remove();
      this.#days.delete(day);
    }
    this.update();
  }

  /**
   * Move the focus to the Edit button of an entry, which every entry has.
   *
   * @param {Timer} timer
   */
  focus(timer) {
    find(byId(entryId(timer)), ".edit").focus();
  }

  /** Show the present times of all entries and days. */
  update() {
    const days = [...this.#days.keys()];
    for (const [day, { section, timers }] of this.#days) {
      this.#updateDay(day, section, timers, !this.#options.hasMore() || day !== days.at(-1));
    }
  }

  /** @param {Timer[]} timers @returns {Map<Day, Timer[]>} */
  #byDay(timers) {
    return Map.groupBy(timers, (timer) => this.#dayOf(timer));
  }

  /**
   * @param {Day} day
   * @param {Timer[]} timers
   */
  #section(day, timers) {
    const section = h(
      "section",
      { className: "day" },
      h("h3", {}, formats.day(startOf(day), this.#options.now()), h("span")),
      h("ul", {}, ...timers.map((timer) => this.#entry(timer))),
      h("p", { className: "earlier faint", hidden: true }, h("span", {}, text("earlierDays")), h("span")),
    );
    return named(day, section);
  }

  /**
   * Show the times of a day: its total, its entries, and what continues from earlier days. The shown entries
   * and the continued time add up to the shown total.
   *
   * @param {Day} day
   * @param {HTMLElement} section
   * @param {Timer[]} timers
   * @param {boolean} isComplete whether all entries of the day are loaded
   */
  #updateDay(day, section, timers, isComplete) {
    const times = timers.map(this.#options.timesOf);
    const parts = times.map(({ firstDay }) => firstDay);
    const sum = parts.reduce((one, other) => one + other, 0);
    const total = this.#options.totalOf(day);
    const rest = total && isComplete ? Math.max(0, Math.round((total.exact - sum) * 1000) / 1000) : 0;
    // The totals and the entries are of different moments, between which a timer may have counted.
    const isExact = !timers.some(({ is_counting }) => is_counting);
    const earlier = isExact || rest >= LEAST_REST ? rest : 0;
    const figures = apportion([...parts, earlier], total && isComplete ? total : figureOf(sum));

    setText(find(section, "h3 span"), total ? formats.figure(total) : "");
    timers.forEach((timer, index) => {
      const entry = byId(entryId(timer));
      setText(find(entry, ".working"), formats.figure(figures[index]));
      const { part, activePart } = times[index];
      const isOther = hasOtherActive({ working_duration: part, active_duration: activePart });
      const active = isOther ? text("active", { duration: formats.duration(activePart) }) : "";
      setText(find(entry, ".active"), active);
      const notes = this.#elsewhere(timer, day, times[index]);
      setText(find(entry, ".elsewhere"), notes);
      find(entry, ".elsewhere").hidden = !notes;
    });
    find(section, ".earlier").hidden = !earlier;
    setText(find(section, ".earlier span:last-child"), formats.figure(figures[timers.length]));
  }

  /**
   * Return a text about the time that a timer has before and after the day of its entry.
   *
   * @param {Timer} timer
   * @param {Day} day
   * @param {Times} times
   */
  #elsewhere(timer, day, { all, part, firstDay }) {
    const today = dayOf(this.#options.now());
    const [, end] = this.#options.period();
    const first = dayOf(new Date(timer.start_time));
    const last = lastDay(timer, this.#options.now());
    const endsWithin = !end || last <= end;
    const notes = [];
    if (first < day) {
      // If the timer continues after the period, too, its time before the period is not known.
      const before = endsWithin ? all - part : 0;
      notes.push(note(text("beganOn", { day: dayName(first, day) }), before));
    }
    if (last > day) {
      const isNext = last === addDays(day, 1);
      const name = isNext ? "continuesOn" : "continuesUntil";
      const until = last === today ? text("continuesToday") : text(name, { day: dayName(last, day) });
      const before = endsWithin ? all - part : 0;
      notes.push(note(until, first < day && !endsWithin ? 0 : all - before - firstDay));
    }
    return notes.join("; ");
  }

  /**
   * Return the day in whose section a timer is.
   *
   * @param {Timer} timer
   */
  #dayOf(timer) {
    return latest(dayOf(new Date(timer.start_time)), this.#options.period()[0]);
  }

  /** @param {Timer} timer */
  #entry(timer) {
    const { resume, edit, remove } = this.#options;
    const texts = { name: issueReference(timer), time: formats.date("moment", new Date(timer.start_time)) };
    const continueButton = iconButton("continue", text("continueTimer"), text("continueNamed", texts));
    onAction("click", continueButton, () => resume(timer));
    const editButton = iconButton("edit", text("edit"), text("editNamed", texts));
    onAction("click", editButton, () => edit(timer));
    const deleteButton = iconButton("delete", text("delete"), text("deleteNamed", texts));
    onAction("click", deleteButton, () => remove(timer));
    const entry = h(
      "li",
      { className: "entry", id: entryId(timer) },
      h(
        "div",
        { className: "what" },
        issueLink(timer),
        timer.description && h("p", {}, ...content(isolate(timer.description))),
      ),
      h(
        "div",
        { className: "when" },
        timer.details_deleted ? text("detailsDeleted") : timeRange(timer),
        timer.status !== "stopped" && badge(timer),
        timer.stopped_by === "sweeper" && h("span", { className: "badge" }, text("endedBySweeper")),
        h("span", { className: "elsewhere", hidden: true }),
      ),
      h(
        "div",
        { className: "duration" },
        h("span", { className: "working" }),
        h("span", { className: "active" }),
      ),
      h(
        "div",
        { className: "tools" },
        timer.status === "stopped" && continueButton,
        !timer.details_deleted && editButton,
        !timer.details_deleted && deleteButton,
      ),
    );
    return named(timer.id, entry);
  }
}

/** @param {Timer} timer an open timer */
function badge({ status, is_counting }) {
  const state = status === "paused" ? status : is_counting ? "counting" : "waiting";
  return h("span", { className: `badge ${state}` }, text(state));
}

/**
 * @param {string} where
 * @param {number} seconds 0 if unknown
 */
function note(where, seconds) {
  return seconds < 1 ? where : `${where}, ${formats.duration(seconds)}`;
}

/**
 * Return the last day on which a timer ran.
 *
 * @param {Timer} timer
 * @param {Date} now
 */
function lastDay({ start_time, end_time, last_pause_time }, now) {
  const end = new Date(end_time ?? last_pause_time ?? now).getTime();
  // A timer that ends at midnight has no time on the day that begins then.
  return dayOf(new Date(Math.max(end - 1, new Date(start_time).getTime())));
}

/**
 * Return the name of a day: its weekday if it is less than a week from another day, else its date.
 *
 * @param {Day} day
 * @param {Day} other
 */
function dayName(day, other) {
  const isNear = addDays(other, -7) < day && day < addDays(other, 7);
  if (isNear) return formats.date("longWeekday", startOf(day));
  return formats.date(day.slice(0, 4) === other.slice(0, 4) ? "dayOfMonth" : "date", startOf(day));
}

/** @param {Timer} timer */
function timeRange({ start_time, end_time }) {
  const start = new Date(start_time);
  if (!end_time) return formats.date("time", start);
  const end = new Date(end_time);
  return formats.range(dayOf(start) === dayOf(end) ? "time" : "moment", start, end);
}

/**
 * @param {string} name the symbol's name
 * @param {string} title
 * @param {string} label for screen readers
 */
function iconButton(name, title, label) {
  const properties = { type: "button", className: `quiet ${name}`, title, ariaLabel: label };
  return named(name, h("button", properties, icon(name)));
}

/**
 * @param {Element} root
 * @returns {HTMLElement[]}
 */
function controls(root) {
  return [...root.querySelectorAll(/** @type {"a"} */ ("a, button"))];
}

/** @param {Timer} timer */
function entryId(timer) {
  return `entry-${timer.id}`;
}
