// A field for the hours of a day: any number of intervals, each with two times that people type.

import { h } from "../widget/dom.js";
import { setMessage } from "./elements.js";
import { formats, text } from "./language.js";
import { DAY_MINUTES, fromApiTime, readTime, toApiTime } from "./time-of-day.js";

/** @import { Intervals } from "./types.d.ts" */

const STEP_MINUTES = 15;
/** The change of a time by a key, in steps. @type {Record<string, number>} */
const STEPS = { ArrowUp: 1, ArrowDown: -1 };

export class HoursField {
  #name;
  #list = h("ul");
  #none = h("p", { className: "faint" }, text("noHours"));
  #error;

  /**
   * @param {string} id
   * @param {string} name what the hours belong to, such as a weekday
   * @param {(HTMLElement | false)[]} [buttons] further buttons of the field
   */
  constructor(id, name, buttons = []) {
    this.#name = h("span", { id, className: "day-name" }, name);
    this.#error = h("span", { id: `${id}-error`, className: "error" });
    this.addButton = h(
      "button",
      { type: "button", className: "sign", title: text("addHours"), onclick: () => this.#add() },
      "+",
    );
    this.addButton.ariaLabel = text("addHoursTo", { day: name });
    const actions = h("div", { className: "buttons" }, this.addButton, ...buttons);
    const hours = h("div", { className: "day-times" }, this.#list, this.#none, this.#error);
    this.element = h("div", { className: "day-hours", role: "group" }, this.#name, hours, actions);
    this.element.setAttribute("aria-labelledby", id);
    // Announce an error while the person types in the group.
    this.#error.ariaLive = "polite";
    this.set([]);
  }

  /** @param {Intervals} intervals */
  set(intervals) {
    const rows = intervals.map(([since, until]) => this.#row(fromApiTime(since), fromApiTime(until)));
    this.#list.replaceChildren(...rows);
    this.showError("");
    this.#changed();
  }

  /**
   * Return the hours, with an end at midnight as 24:00.
   *
   * @returns {Intervals | null} null if a text is not a time
   */
  read() {
    /** @type {Intervals} */
    const intervals = [];
    for (const row of this.#list.children) {
      const [since, until] = this.#times(row);
      if (since === null || until === null) return null;
      intervals.push([toApiTime(since), toApiTime(until || DAY_MINUTES)]);
    }
    return intervals;
  }

  /**
   * Show an error below the hours; an empty text removes the error.
   *
   * @param {string} message
   * @param {string} [lang] the language of the message, if it differs from the page's language
   */
  showError(message, lang) {
    setMessage(this.#error, message, lang);
    for (const input of this.#list.querySelectorAll("input")) input.ariaInvalid = message ? "true" : null;
  }

  /** Focus the first text that is not a time, or else the first one. */
  focus() {
    const inputs = [...this.#list.querySelectorAll("input")];
    const wrong = inputs.find((input) => readTime(input.value) === null);
    (wrong ?? inputs[0] ?? this.addButton).focus();
  }

  /**
   * @param {number} [since]
   * @param {number} [until]
   */
  #row(since, until) {
    const row = h("li");
    const input = (/** @type {string} */ label, /** @type {number | undefined} */ minutes) => {
      const field = h("input", {
        ariaLabel: label,
        autocomplete: "off",
        // A text with AM or PM needs letters.
        inputMode: formats.has12Hours ? "text" : "numeric",
        maxLength: 12,
        value: minutes === undefined ? "" : formats.clock(minutes),
        onchange: () => this.#tidy(row),
        onkeydown: (/** @type {KeyboardEvent} */ event) => this.#step(row, event),
      });
      field.setAttribute("aria-describedby", this.#error.id);
      return field;
    };
    const remove = () => {
      const next = row.nextElementSibling ?? row.previousElementSibling;
      row.remove();
      this.showError("");
      this.#changed();
      (next?.querySelector("input") ?? this.addButton).focus();
    };
    row.append(
      input(text("hoursFrom"), since),
      "–",
      input(text("hoursUntil"), until),
      h("button", { type: "button", className: "quiet sign", onclick: remove }, "×"),
      h("small"),
    );
    this.#describe(row);
    return row;
  }

  #add() {
    // Propose hours only for the first interval, because the others depend on breaks.
    const row = this.#list.children.length ? this.#row() : this.#row(9 * 60, 17 * 60);
    this.#list.append(row);
    this.#changed();
    row.querySelector("input")?.focus();
  }

  /**
   * Return the times of an interval.
   *
   * @param {Element} row
   */
  #times(row) {
    const [since, until] = [...row.querySelectorAll("input")].map(({ value }) => value);
    const begin = readTime(since);
    return [begin, readTime(until, formats.has12Hours ? (begin ?? undefined) : undefined)];
  }

  /**
   * Write the times of an interval in the format of the region.
   *
   * @param {Element} row
   */
  #tidy(row) {
    const times = this.#times(row);
    let isWrong = false;
    for (const [index, input] of [...row.querySelectorAll("input")].entries()) {
      const time = times[index];
      isWrong ||= time === null && input.value.trim() !== "";
      if (time !== null) input.value = formats.clock(index ? time || DAY_MINUTES : time);
    }
    this.showError(isWrong ? text("notATime", { time: formats.clock(9 * 60) }) : "");
    this.#describe(row);
    this.#changed();
  }

  /**
   * Change a time by the arrow keys.
   *
   * @param {Element} row
   * @param {KeyboardEvent} event
   */
  #step(row, event) {
    const steps = STEPS[event.key];
    if (!(event.target instanceof HTMLInputElement) || !steps) return;
    const index = [...row.querySelectorAll("input")].indexOf(event.target);
    const time = this.#times(row)[index];
    if (time === null) return;
    event.preventDefault();
    const stepped = (Math.round(time / STEP_MINUTES) + steps) * STEP_MINUTES;
    event.target.value = formats.clock(Math.min(Math.max(stepped, 0), DAY_MINUTES));
    this.#tidy(row);
  }

  /**
   * Name the interval on its button, and say whether it ends on the next day.
   *
   * @param {Element} row
   */
  #describe(row) {
    const [since, until] = this.#times(row);
    const isKnown = since !== null && until !== null;
    const [button] = row.getElementsByTagName("button");
    const interval = isKnown ? `${formats.clock(since)}–${formats.clock(until)}` : "";
    button.ariaLabel = text("removeHours", { interval, day: this.#name.textContent ?? "" });
    const [note] = row.getElementsByTagName("small");
    note.textContent = isKnown && until && until < since ? text("nextDay") : "";
  }

  #changed() {
    this.#none.hidden = this.#list.children.length > 0;
    this.element.dispatchEvent(new Event("hours-change", { bubbles: true }));
  }
}
