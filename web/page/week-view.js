// The card of a week: a bar for each day, with its working time, its working hours and the balance of both.

import { h, setText } from "../widget/dom.js";
import { get } from "./api.js";
import { addDays, dayOf, daysBetween, startOf, startOfWeek } from "./calendar.js";
import { byId } from "./elements.js";
import { apportion, figureOf } from "./figures.js";
import { firstWeekday, formats, text } from "./language.js";
import { onAction } from "./session.js";
import { rangeOf } from "./timeline.js";
import { sumOf, toDayTimes } from "./week.js";

/** @import { Day, Figure, Timeline } from "./types.d.ts" */
/** @import { DayTime } from "./week.js" */

export class WeekView {
  /** @type {Timeline | null} */
  #timeline = null;
  /** @type {Day} */
  #day = "";
  #requests = 0;
  #now;
  #showDay;

  /**
   * @param {object} options
   * @param {() => Date} options.now returns the present
   * @param {(day: Day) => unknown} options.showDay shows a day
   */
  constructor({ now, showDay }) {
    this.#now = now;
    this.#showDay = showDay;
  }

  /**
   * Load the week of a day.
   *
   * @param {Day} day
   */
  async show(day) {
    const number = ++this.#requests;
    const first = startOfWeek(day, firstWeekday);
    const since = startOf(first).toISOString();
    const until = startOf(addDays(first, 7)).toISOString();
    const timeline = await get(`/api/timeline/?${new URLSearchParams({ since, until })}`);
    // Another week may have been chosen during the request.
    if (number !== this.#requests) return;
    this.#day = day;
    this.#timeline = timeline;
    this.#render();
  }

  clear() {
    this.#timeline = null;
    byId("week-rows").replaceChildren();
  }

  #render() {
    if (!this.#timeline) return;
    const first = startOfWeek(this.#day, firstWeekday);
    const days = daysBetween(first, addDays(first, 6));
    const ranges = days.map((day) => ({ day, range: rangeOf(day) }));
    const now = this.#now();
    const times = toDayTimes(ranges, this.#timeline, now.getTime());
    const sums = sumOf(times);
    const hasHours = sums.scheduled > 0;
    setText(byId("week-title"), formats.range("longDate", startOf(first), startOf(addDays(first, 6))));
    const worked = figureOf(sums.worked);
    const figures = apportion(
      times.map((time) => time.worked),
      worked,
    );
    const most = Math.max(...times.map((time) => Math.max(time.worked, time.scheduled)), 3600);
    byId("week-table").classList.toggle("without-hours", !hasHours);
    byId("week-rows").replaceChildren(
      ...times.map((time, index) => this.#row(time, figures[index], most, dayOf(now))),
    );
    byId("week-sum").replaceChildren(
      h("th", { scope: "row" }, text("sum")),
      h("td"),
      ...numbers(sums, worked),
    );
  }

  /**
   * @param {DayTime} time
   * @param {Figure} worked
   * @param {number} most the seconds that fill the bar's column
   * @param {Day} today
   */
  #row(time, worked, most, today) {
    const { day } = time;
    const name = h("button", { type: "button", className: "quiet" }, formats.date("day", startOf(day)));
    if (day === this.#day) name.ariaCurrent = "date";
    onAction("click", name, () => this.#showDay(day));
    const row = h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      h("td", {}, bar(time, most)),
      ...numbers(time, worked),
    );
    row.classList.toggle("to-come", day > today);
    return row;
  }
}

/**
 * @param {Omit<DayTime, "day">} time
 * @param {Figure} worked
 */
function numbers({ worked: seconds, overtime, scheduled, due }, worked) {
  const shown = [
    worked.exact ? formats.figure(worked) : "–",
    scheduled ? formats.duration(scheduled) : "–",
    overtime >= 60 ? formats.duration(overtime) : "–",
    due || overtime >= 60 ? formats.balance(seconds - due) : "–",
  ];
  return shown.map((value) => h("td", {}, value));
}

/**
 * Draw the working time of a day, with overtime apart, over the working hours.
 *
 * @param {DayTime} time
 * @param {number} most
 */
function bar({ worked, overtime, scheduled }, most) {
  const part = (
    /** @type {string} */ className,
    /** @type {number} */ start,
    /** @type {number} */ seconds,
  ) => {
    const element = h("span", { className });
    element.style.insetInlineStart = `${(start / most) * 100}%`;
    element.style.inlineSize = `${(seconds / most) * 100}%`;
    return element;
  };
  const regular = worked - overtime;
  return h(
    "div",
    { className: "week-bar", ariaHidden: "true" },
    ...(scheduled ? [part("scheduled", 0, scheduled)] : []),
    ...(regular ? [part("regular", 0, regular)] : []),
    ...(overtime ? [part("regular overtime", regular, overtime)] : []),
  );
}
