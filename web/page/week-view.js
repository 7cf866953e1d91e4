// The card of a week: a bar for each day, with its working time, its working hours and the balance of both.

import { h, setText } from "../widget/dom.js";
import { dayOf, startOf } from "./calendar.js";
import { sumOfDays, toDayTimes } from "./day-times.js";
import { byId } from "./elements.js";
import { apportion, figureOf } from "./figures.js";
import { daysOfWeek, formats, text } from "./language.js";
import { onAction } from "./session.js";
import { rangeOf } from "./timeline.js";

/** @import { Day, Figure, Timeline } from "./types.d.ts" */
/** @import { DayTime } from "./day-times.js" */

export class WeekView {
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
   * Show the week of a day.
   *
   * @param {Day} day
   * @param {Timeline} timeline of the week
   */
  show(day, timeline) {
    const days = daysOfWeek(day);
    const now = this.#now();
    const ranges = days.map((one) => ({ day: one, range: rangeOf(one) }));
    const times = toDayTimes(ranges, timeline, now.getTime());
    const sums = sumOfDays(times);
    setText(byId("week-title"), formats.range("longDate", startOf(days[0]), startOf(days[6])));
    const worked = figureOf(sums.worked);
    const figures = apportion(
      times.map((time) => time.worked),
      worked,
    );
    const most = Math.max(...times.map((time) => Math.max(time.worked, time.scheduled)), 3600);
    byId("week-table").classList.toggle("without-hours", !sums.scheduled);
    const focused = [...byId("week-rows").querySelectorAll("button")].indexOf(
      /** @type {HTMLButtonElement} */ (document.activeElement),
    );
    byId("week-rows").replaceChildren(
      ...times.map((time, index) => this.#row(time, figures[index], most, { shown: day, today: dayOf(now) })),
    );
    byId("week-rows").querySelectorAll("button")[focused]?.focus({ preventScroll: true });
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
   * @param {{shown: Day, today: Day}} days
   */
  #row(time, worked, most, { shown, today }) {
    const { day } = time;
    const name = h("button", { type: "button", className: "quiet" }, formats.date("day", startOf(day)));
    if (day === shown) name.ariaCurrent = "date";
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
