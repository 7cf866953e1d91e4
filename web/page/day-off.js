// The buttons "Off now" and "Sick today", which end or remove the person's hours of today. Both can be undone.

import { h, setText } from "../widget/dom.js";
import { get } from "./api.js";
import { text } from "./language.js";
import { notify } from "./notices.js";
import { dayAt, exceptionOn, haveHoursBegun, hoursOn, offFrom, workingHoursOn } from "./schedule.js";
import { deleteException, putException } from "./schedule-api.js";
import { hoursText } from "./schedule-texts.js";
import { onAction } from "./session.js";
import { sheetsPath } from "./sheets.js";

/** @import { Day, DayException, Schedule, SheetDay } from "./types.d.ts" */

export class DayOff {
  #now;
  #changed;
  #state = h("p", {});
  #offNow = h("button", { type: "button" }, text("offNow"));
  #sick = h("button", { type: "button" }, text("sickToday"));
  #undo = h("button", { type: "button" }, text("undo"));
  /** @type {Schedule | null} */
  #schedule = null;
  /** The exceptions before the last press, by their dates. @type {Map<Day, DayException | undefined>} */
  #previous = new Map();

  /** The element to place on a page. */
  element = h(
    "div",
    { className: "day-off", hidden: true },
    this.#state,
    h("div", { className: "buttons" }, this.#offNow, this.#sick, this.#undo),
  );

  /**
   * @param {() => Date} now
   * @param {() => unknown} changed loads the schedule again, and calls `show`
   */
  constructor(now, changed) {
    this.#now = now;
    this.#changed = changed;
    onAction("click", this.#offNow, () => this.#put(offFrom(this.#known, now())));
    onAction("click", this.#sick, async () => {
      const reason = text("sick");
      const hasWorked = await this.#hasWorked();
      const { day } = dayAt(this.#known, now());
      const off = hasWorked ? offFrom(this.#known, now()) : [];
      // If time has counted and the hours are over, only the reason is new.
      const intervals = hasWorked ? hoursOn(this.#known, day) : [];
      await this.#put(
        (off.length ? off : [{ date: day, intervals }]).map((exception) => ({ ...exception, reason })),
      );
    });
    onAction("click", this.#undo, () => this.#takeBack());
  }

  /** @param {Schedule} schedule */
  show(schedule) {
    this.#schedule = schedule;
    const { day } = dayAt(schedule, this.#now());
    const exception = exceptionOn(schedule, day);
    // Days are those of UTC until there are working hours.
    this.element.hidden = !schedule.chosen && !schedule.default.week;
    setText(this.#state, stateOf(schedule, day));
    this.#offNow.hidden = !offFrom(schedule, this.#now()).length;
    this.#sick.hidden = !hoursOn(schedule, day).length || exception?.reason === text("sick");
    this.#undo.hidden = !exception;
    this.#undo.textContent = text(this.#previous.has(day) ? "undo" : "usualHours");
  }

  get #known() {
    return /** @type {Schedule} */ (this.#schedule);
  }

  /**
   * Return whether time has counted within the hours of today. Without these hours, its acts would open overtime.
   */
  async #hasWorked() {
    const schedule = this.#known;
    if (!haveHoursBegun(schedule, this.#now())) return false;
    const { day } = dayAt(schedule, this.#now());
    /** @type {{days: SheetDay[]}} */
    const { days } = await get(sheetsPath(day, day));
    return days.some(({ working_duration, overtime_duration }) => working_duration > overtime_duration);
  }

  /** @param {DayException[]} exceptions */
  async #put(exceptions) {
    const schedule = this.#known;
    // The day may have ended since the buttons were shown.
    if (!exceptions.length) return this.#changed();
    this.#previous = new Map(exceptions.map(({ date }) => [date, exceptionOn(schedule, date)]));
    for (const exception of exceptions) await putException(exception);
    await this.#changed();
    this.#undo.focus();
    notify(this.#state.textContent ?? "");
  }

  async #takeBack() {
    const { day } = dayAt(this.#known, this.#now());
    if (!this.#previous.has(day)) this.#previous = new Map([[day, undefined]]);
    for (const [date, previous] of this.#previous) {
      await (previous ? putException(previous) : deleteException(date));
    }
    this.#previous.clear();
    await this.#changed();
    [this.#offNow, this.#sick, this.#undo].find((button) => !button.hidden)?.focus();
    notify(text("undone"));
  }
}

/**
 * Describe a day.
 *
 * @param {Schedule} schedule
 * @param {Day} day
 */
function stateOf(schedule, day) {
  const exception = exceptionOn(schedule, day);
  const { week } = workingHoursOn(schedule, day);
  if (!exception && !week) return text("todayAlways");
  const hours = hoursOn(schedule, day);
  const state = hours.length ? text("todayHours", { hours: hoursText(hours) }) : text("todayOff");
  return exception?.reason ? text("stateBecause", { state, name: exception.reason }) : state;
}
