// The card of a week: a bar for each day, with its working time, its working hours and the balance of both, and
// whether it is confirmed.

import { content, h, isolate, setText } from "../widget/dom.js";
import { startOf } from "./calendar.js";
import { describeState, longName } from "./confirmation.js";
import { byId, named, setChildren } from "./elements.js";
import { formats, text } from "./language.js";
import { onAction } from "./session.js";
import { haveOtherClocks, openDays, sheetFigures } from "./sheets.js";

/** @import { Confirmation } from "./confirmation.js" */
/** @import { SheetFigures } from "./sheets.js" */
/** @import { Day, SheetDay } from "./types.d.ts" */

/**
 * @typedef {object} Column
 * @property {"workedHeading" | "scheduledTime" | "overtimeHeading" | "balance"} heading the name of the heading's text
 * @property {(sum: SheetFigures) => boolean} isShown whether the column has figures: without working hours, there is
 *   nothing to compare the time with
 * @property {(figures: SheetFigures) => string} show returns the figure of a day or of the sum
 */

const NONE = "–";

/** @type {Column[]} */
const WEEK_COLUMNS = [
  {
    heading: "workedHeading",
    isShown: () => true,
    show: ({ worked }) => (worked.exact > 0 ? formats.figure(worked) : NONE),
  },
  {
    heading: "scheduledTime",
    isShown: ({ scheduled }) => scheduled !== null,
    show: ({ scheduled }) => (scheduled ? formats.duration(scheduled) : NONE),
  },
  {
    heading: "overtimeHeading",
    isShown: ({ overtime }) => overtime.exact > 0,
    show: ({ overtime }) => (overtime.exact > 0 ? formats.figure(overtime) : NONE),
  },
  {
    heading: "balance",
    isShown: ({ balance }) => balance !== null,
    show: ({ worked, scheduled, balance }) =>
      balance !== null && (worked.exact > 0 || scheduled) ? formats.balance(balance) : NONE,
  },
];

export class WeekView {
  #showDay;
  #exceptionTextOn;
  #confirmation;

  /**
   * @param {object} options
   * @param {(day: Day) => unknown} options.showDay shows a day
   * @param {(day: Day) => string} options.exceptionTextOn returns why a day has other hours than its weekday, or ""
   * @param {Confirmation} options.confirmation
   */
  constructor({ showDay, exceptionTextOn, confirmation }) {
    this.#showDay = showDay;
    this.#exceptionTextOn = exceptionTextOn;
    this.#confirmation = confirmation;
  }

  /**
   * Show a week.
   *
   * @param {Day} selected the day that is shown in its own card
   * @param {SheetDay[]} days
   */
  show(selected, days) {
    const table = byId("week-table");
    table.hidden = !days.length;
    if (!days.length) return byId("week-rows").replaceChildren();
    const { days: figures, sum } = sheetFigures(days);
    const columns = WEEK_COLUMNS.filter(({ isShown }) => isShown(sum));
    const [first, last] = [days[0], days[days.length - 1]].map(({ date }) => startOf(date));
    setText(byId("week-title"), formats.range("longDate", first, last));
    const zone = days[0].time_zone.replaceAll("_", " ");
    const zoneText = text(sum.scheduled === null ? "daysIn" : "daysInZone", { zone });
    setText(byId("week-zone"), haveOtherClocks(days) ? zoneText : "");
    byId("week-legend").hidden = sum.scheduled === null;
    const most = Math.max(
      3600,
      ...figures.map(({ worked, scheduled }) => Math.max(worked.exact, scheduled ?? 0)),
    );
    const hadFocus = table.contains(document.activeElement);
    const states = days.map((day) => this.#stateOf(day));
    const haveStates = states.some(({ length }) => length);
    const rows = days.map((day, index) =>
      row(
        day.date,
        [this.#dayButton(day, selected), noteOf(this.#exceptionTextOn(day.date))],
        bar(figures[index], most),
        columns.map(({ heading, show }) => [heading, show(figures[index])]),
        haveStates ? states[index] : null,
      ),
    );
    const sums = row(
      "sum",
      [h("span", {}, text("sum"))],
      null,
      columns.map(({ heading, show }) => [heading, show(sum)]),
      haveStates ? this.#confirmAll(openDays(days)) : null,
    );
    byId("week-head").replaceChildren(...headings(columns, haveStates));
    setChildren(byId("week-rows"), rows);
    setChildren(byId("week-sum"), [sums]);
    // The button that confirms all days vanishes.
    if (hadFocus && !table.contains(document.activeElement))
      byId("week-title").focus({ preventScroll: true });
  }

  /**
   * @param {SheetDay} day
   * @param {Day} selected
   */
  #dayButton({ date }, selected) {
    const button = h("button", { type: "button", className: "quiet" }, formats.date("day", startOf(date)));
    if (date === selected) button.ariaCurrent = "date";
    onAction("click", button, () => this.#showDay(date));
    return button;
  }

  /** @param {SheetDay} day */
  #stateOf(day) {
    const { state, at, note, action } = describeState(day);
    if (!state && !action) return [];
    return [
      state &&
        h(
          "span",
          { className: `badge ${day.state}`, title: at },
          state,
          h("span", { className: "unseen" }, ` ${at}`),
        ),
      action ? this.#button(day, action) : "",
      note && h("small", { className: "note" }, note),
    ];
  }

  /**
   * @param {SheetDay} day
   * @param {"confirmDay" | "reopenDay"} action
   */
  #button(day, action) {
    const label = text(action === "confirmDay" ? "confirmNamed" : "reopenNamed", { day: longName(day) });
    const button = h("button", { type: "button", ariaLabel: label }, text(action));
    onAction("click", button, () =>
      action === "confirmDay" ? this.#confirmation.confirm([day]) : this.#confirmation.reopen(day),
    );
    return button;
  }

  /**
   * Return the button that confirms several days.
   *
   * @param {SheetDay[]} open
   */
  #confirmAll(open) {
    if (open.length < 2) return [];
    const button = h("button", { type: "button" }, text("confirmDays", { count: open.length }));
    onAction("click", button, () => this.#confirmation.confirm(open));
    return [button];
  }
}

/**
 * @param {Column[]} columns
 * @param {boolean} haveStates whether a day is over
 */
function headings(columns, haveStates) {
  const names = [
    ...columns.map(({ heading }) => text(heading)),
    ...(haveStates ? [text("confirmation")] : []),
  ];
  const head = (/** @type {string} */ name) => h("th", { scope: "col", role: "columnheader" }, name);
  return [head(text("day")), h("td"), ...names.map(head)];
}

/**
 * Return a row of the table. The roles persist where a narrow screen shows the table as blocks, and the names of the
 * columns are shown there.
 *
 * @param {string} name
 * @param {(HTMLElement | false)[]} head
 * @param {HTMLElement | null} ofDay the bar
 * @param {[Column["heading"], string][]} figures
 * @param {(HTMLElement | string)[] | null} state null if no day of the week is over
 */
function row(name, head, ofDay, figures, state) {
  const cells = h(
    "tr",
    { role: "row" },
    h("th", { scope: "row", role: "rowheader" }, ...head),
    h("td", { role: "cell", className: "chart-cell" }, ofDay),
    ...figures.map(([heading, figure]) =>
      h(
        "td",
        { role: "cell", className: figure === NONE ? "none" : "" },
        h("span", { className: "column-name" }, text(heading)),
        figure,
      ),
    ),
    state && named("state", h("td", { role: "cell", className: "state" }, ...state)),
  );
  return named(name, cells);
}

/**
 * @param {string} reason
 * @returns {HTMLElement | false}
 */
function noteOf(reason) {
  return reason !== "" && h("small", { title: reason }, ...content(isolate(reason)));
}

/**
 * Draw the working time of a day, with overtime apart, over the working hours.
 *
 * @param {SheetFigures} figures
 * @param {number} most the seconds that fill the bar
 * @returns {HTMLElement | null} null if there is neither
 */
function bar({ worked, overtime, scheduled }, most) {
  if (!worked.exact && !scheduled) return null;
  const regular = worked.exact - overtime.exact;
  const part = (
    /** @type {string} */ className,
    /** @type {number} */ start,
    /** @type {number} */ seconds,
  ) => {
    const element = h("span", { className });
    element.style.insetInlineStart = `${(start / most) * 100}%`;
    element.style.inlineSize = `${(seconds / most) * 100}%`;
    return seconds > 0 && element;
  };
  return h(
    "div",
    { className: "week-bar", ariaHidden: "true" },
    part("scheduled", 0, scheduled ?? 0),
    part("regular", 0, regular),
    part("regular overtime", regular, overtime.exact),
  );
}
