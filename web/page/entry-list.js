// The list of entries, newest first. Each day has its own section.

import { content, h, isolate, setText } from "../widget/dom.js";
import { dayOf, startOf } from "./calendar.js";
import { byId, find, icon } from "./elements.js";
import { issueLink, issueReference } from "./issue.js";
import { formats, text } from "./language.js";
import { onAction } from "./session.js";

/** @import { Day, Timer } from "./types.d.ts" */

/** Shows timers as entries. */
export class EntryList {
  #element = byId("entries");
  #options;

  /**
   * @param {object} options
   * @param {() => Date} options.now returns the present
   * @param {(timer: Timer) => number} options.secondsOf returns the active time of a timer, in seconds
   * @param {(day: Day) => number} options.totalOf returns the total of a day, in seconds; a timer over
   *   midnight counts on both days
   * @param {(timer: Timer) => unknown} options.edit is called when an entry's Edit button is pressed
   * @param {(timer: Timer) => unknown} options.remove is called when an entry's Delete button is pressed
   */
  constructor(options) {
    this.#options = options;
  }

  /**
   * Replace all entries, and keep the focus on the control that was focused.
   *
   * @param {Timer[]} timers
   */
  show(timers) {
    const active = /** @type {HTMLElement} */ (document.activeElement);
    const focused = active.closest(".entry");
    const position = focused ? controls(focused).indexOf(active) : -1;
    this.#element.replaceChildren(...this.#days(timers));
    const replaced = focused && document.getElementById(focused.id);
    if (replaced) controls(replaced)[position]?.focus({ preventScroll: true });
  }

  /**
   * Add entries at the end of the list.
   *
   * @param {Timer[]} timers
   */
  append(timers) {
    const last = this.#element.lastElementChild;
    const day = last && dayHeadings(last)[0].dataset.day;
    const ofLastDay = timers.filter((timer) => startDay(timer) === day);
    if (last) find(last, "ul").append(...ofLastDay.map((timer) => this.#entry(timer)));
    this.#element.append(...this.#days(timers.filter((timer) => startDay(timer) !== day)));
  }

  /**
   * Remove an entry. If the entry was the last of its day, also remove the section of the day.
   *
   * @param {Timer} timer
   */
  remove(timer) {
    const entry = byId(entryId(timer));
    const day = entry.closest("section");
    entry.remove();
    if (!day?.querySelector("li")) day?.remove();
  }

  /**
   * Move the focus to the first button of an entry.
   *
   * @param {Timer} timer
   */
  focus(timer) {
    find(byId(entryId(timer)), "button").focus();
  }

  /**
   * Update the active time of a timer.
   *
   * @param {Timer} timer
   */
  updateDuration(timer) {
    setText(find(byId(entryId(timer)), ".duration"), formats.duration(this.#options.secondsOf(timer)));
  }

  /**
   * Update the total of one day or of all days.
   *
   * @param {Day} [day]
   */
  updateTotals(day) {
    for (const heading of dayHeadings(this.#element)) {
      if (!day || heading.dataset.day === day) this.#updateTotal(heading);
    }
  }

  /** @param {Timer[]} timers */
  #days(timers) {
    return [...Map.groupBy(timers, startDay)].map(([day, ofDay]) => {
      const heading = h("h3", {}, formats.day(startOf(day), this.#options.now()), h("span"));
      heading.dataset.day = day;
      this.#updateTotal(heading);
      return h(
        "section",
        { className: "day" },
        heading,
        h("ul", {}, ...ofDay.map((timer) => this.#entry(timer))),
      );
    });
  }

  /** @param {HTMLElement} heading */
  #updateTotal(heading) {
    const total = this.#options.totalOf(heading.dataset.day ?? "");
    setText(find(heading, "span"), total ? formats.duration(total) : "");
  }

  /** @param {Timer} timer */
  #entry(timer) {
    const { secondsOf, edit, remove } = this.#options;
    const named = { name: issueReference(timer), time: formats.date("moment", new Date(timer.start_time)) };
    const editButton = iconButton("edit", text("edit"), text("editNamed", named));
    onAction("click", editButton, () => edit(timer));
    const deleteButton = iconButton("delete", text("delete"), text("deleteNamed", named));
    onAction("click", deleteButton, () => remove(timer));
    return h(
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
        timeRange(timer),
        timer.status !== "stopped" && h("span", { className: `badge ${timer.status}` }, text(timer.status)),
        timer.stopped_by === "sweeper" && h("span", { className: "badge" }, text("endedBySweeper")),
      ),
      h("div", { className: "duration" }, formats.duration(secondsOf(timer))),
      h("div", { className: "tools" }, editButton, deleteButton),
    );
  }
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
  return h("button", { type: "button", className: "quiet", title, ariaLabel: label }, icon(name));
}

/**
 * @param {Element} root
 * @returns {HTMLElement[]}
 */
function controls(root) {
  return [...root.querySelectorAll(/** @type {"a"} */ ("a, button"))];
}

/**
 * @param {Element} root
 * @returns {HTMLElement[]}
 */
function dayHeadings(root) {
  return [...root.querySelectorAll(/** @type {"h3"} */ ("h3[data-day]"))];
}

/** @param {Timer} timer */
function startDay(timer) {
  return dayOf(new Date(timer.start_time));
}

/** @param {Timer} timer */
function entryId(timer) {
  return `entry-${timer.id}`;
}
