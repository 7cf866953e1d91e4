// The editor of a week's working hours and their time zone.

import { h } from "../widget/dom.js";
import { setMessage } from "./elements.js";
import { HoursField } from "./hours-field.js";
import { formats, locale, text } from "./language.js";
import { notify } from "./notices.js";
import { weekdayName, weekdaysInOrder } from "./schedule-texts.js";
import { storedWeek, WEEKDAYS, weekDuration, withNightsJoined } from "./week.js";
import { clocksIn, findZone, zoneNames } from "./zones.js";

/** @import { FieldError, Week, Weekday, WorkingHours } from "./types.d.ts" */

const ZONE_LIST = "time-zones";

export class WeekEditor {
  #now;
  /** @type {Map<Weekday, HoursField>} */
  #days = new Map();
  #zone;
  #zoneClock;
  #zoneError;
  #sum = h("p", { className: "faint sum" });
  /** The panel for copying that is open, and its button. @type {{panel: HTMLElement, button: HTMLElement} | null} */
  #copying = null;

  /**
   * @param {string} id the beginning of the elements' ids
   * @param {() => Date} now
   */
  constructor(id, now) {
    this.#now = now;
    const week = h("div", { className: "week" });
    for (const day of weekdaysInOrder) {
      const button = h("button", { type: "button", className: "quiet", ariaExpanded: "false" }, text("copy"));
      button.ariaLabel = text("copyHoursOf", { day: weekdayName(day) });
      button.onclick = () => this.#toggleCopy(day, button);
      const field = new HoursField(`${id}-${day}`, weekdayName(day), [button]);
      this.#days.set(day, field);
      week.append(field.element);
    }
    week.addEventListener("hours-change", () => this.#showSum());
    this.#zoneClock = h("small", { id: `${id}-zone-clock` });
    this.#zoneError = h("span", { id: `${id}-zone-error`, className: "error" });
    this.#zone = h("input", {
      id: `${id}-zone`,
      autocomplete: "off",
      autocapitalize: "none",
      spellcheck: false,
      maxLength: 100,
      onfocus: () => {
        addZoneList();
        this.#zone.select();
      },
      oninput: () => this.#showZone(),
      onchange: () => this.#tidyZone(),
    });
    this.#zone.setAttribute("list", ZONE_LIST);
    this.#zone.setAttribute("aria-describedby", `${this.#zoneClock.id} ${this.#zoneError.id}`);
    const label = h("label", { htmlFor: this.#zone.id }, text("timeZone"));
    const zone = h("p", { className: "zone" }, label, this.#zone, this.#zoneClock, this.#zoneError);
    const examples = formats.has12Hours ? "9, 9:30, 930, 5 pm, 5:30p" : "9, 9:30, 0930, 17.30, 17h30";
    const hint = h("p", { className: "faint" }, text("timesHint", { examples }));
    this.element = h("div", { className: "week-editor" }, week, this.#sum, hint, zone);
  }

  /**
   * @param {string} zone
   * @param {Week} week
   */
  set(zone, week) {
    const shown = withNightsJoined(week);
    for (const [day, field] of this.#days) field.set(shown[day]);
    this.#zone.value = zone;
    this.#closeCopy();
    this.#showZone();
  }

  /**
   * Return the working hours. If they are not valid, show the errors, and focus the first one.
   *
   * @returns {(WorkingHours & {week: Week}) | null} null if they are not valid
   */
  read() {
    const { week, errors } = this.#check();
    const { zone } = this;
    if (!zone) errors.push({ field: "time_zone", message: text("unknownZone") });
    this.showErrors(errors);
    return zone && week && !errors.length ? { time_zone: zone, week } : null;
  }

  /**
   * Show errors at their fields, remove the former ones, and focus the first one.
   *
   * @param {FieldError[]} errors the field is `time_zone`, or a weekday with `week.` before it
   * @returns {FieldError[]} the errors of other fields
   */
  showErrors(errors) {
    const fieldOf = (/** @type {Weekday} */ day) => {
      return errors.find(({ field }) => field === `week.${day}` || field.startsWith(`week.${day}.`));
    };
    const ofZone = errors.find(({ field }) => field === "time_zone");
    const shown = new Set([ofZone]);
    /** @type {{focus: () => void} | null} */
    let first = ofZone ? this.#zone : null;
    for (const [day, field] of [...this.#days].reverse()) {
      const error = fieldOf(day);
      field.showError(error?.message ?? "", error?.lang);
      shown.add(error);
      if (error) first = field;
    }
    setMessage(this.#zoneError, ofZone?.message ?? "", ofZone?.lang);
    this.#zone.ariaInvalid = ofZone ? "true" : null;
    first?.focus();
    return errors.filter((error) => !shown.has(error));
  }

  /** Focus the first field. */
  focus() {
    this.#days.get(weekdaysInOrder[0])?.focus();
  }

  /** @returns {{week: Week | null, errors: FieldError[]}} */
  #check() {
    /** @type {FieldError[]} */
    const errors = [];
    /** @type {Partial<Week>} */
    const entered = {};
    for (const [day, field] of this.#days) {
      const intervals = field.read();
      if (intervals) entered[day] = intervals;
      else {
        errors.push({ field: `week.${day}`, message: text("notATime", { time: formats.clock(9 * 60) }) });
        entered[day] = [];
      }
    }
    const { week, mistakes } = storedWeek(/** @type {Week} */ (entered));
    for (const day of WEEKDAYS) {
      const mistake = mistakes[day];
      if (mistake) errors.push({ field: `week.${day}`, message: text(mistake) });
    }
    return { week: errors.length ? null : week, errors };
  }

  #showSum() {
    const { week } = this.#check();
    this.#sum.textContent = week
      ? text("hoursOfWeek", { duration: formats.duration(weekDuration(week)) })
      : "";
  }

  #showZone() {
    const zone = findZone(this.#zone.value);
    const time = zone && formats.clock(clocksIn(zone, this.#now()).minutes);
    this.#zoneClock.textContent = zone
      ? text("clockOfZone", { time: `${time} (${offsetOf(zone, this.#now())})` })
      : "";
    if (zone) this.showZoneError("");
  }

  /** @param {string} message */
  showZoneError(message) {
    setMessage(this.#zoneError, message);
    this.#zone.ariaInvalid = message ? "true" : null;
  }

  #tidyZone() {
    const zone = findZone(this.#zone.value);
    if (zone) this.#zone.value = zone;
    else this.showZoneError(text("unknownZone"));
    this.#showZone();
    this.element.dispatchEvent(new Event("zone-change"));
  }

  /** The time zone; null if the text is none. */
  get zone() {
    return findZone(this.#zone.value);
  }

  // ------------------------------------------------------------------ copying a day

  /**
   * @param {Weekday} day
   * @param {HTMLButtonElement} button
   */
  #toggleCopy(day, button) {
    const isOpen = this.#copying?.button === button;
    this.#closeCopy();
    if (isOpen) return;
    const isWorkday = (/** @type {Weekday} */ other) => !["sat", "sun"].includes(other);
    const boxes = weekdaysInOrder
      .filter((other) => other !== day)
      .map((other) =>
        h("input", { type: "checkbox", value: other, checked: isWorkday(day) && isWorkday(other) }),
      );
    const labels = boxes.map((box) => {
      return h("label", {}, box, h("span", {}, weekdayName(/** @type {Weekday} */ (box.value))));
    });
    const copy = () => {
      const chosen = boxes
        .filter(({ checked }) => checked)
        .map(({ value }) => /** @type {Weekday} */ (value));
      const intervals = this.#days.get(day)?.read();
      if (!intervals) return this.#days.get(day)?.focus();
      for (const other of chosen) this.#days.get(other)?.set(intervals);
      this.#closeCopy();
      button.focus();
      notify(text("hoursCopied", { day: weekdayName(day), count: chosen.length }));
    };
    const panel = h(
      "fieldset",
      {
        className: "copy",
        onkeydown: (/** @type {KeyboardEvent} */ event) => {
          if (event.key !== "Escape") return;
          this.#closeCopy();
          button.focus();
        },
      },
      h("legend", {}, text("copyHoursTo", { day: weekdayName(day) })),
      ...labels,
      h("button", { type: "button", onclick: copy }, text("copy")),
    );
    this.#days.get(day)?.element.append(panel);
    button.ariaExpanded = "true";
    this.#copying = { panel, button };
    boxes[0].focus();
  }

  #closeCopy() {
    this.#copying?.panel.remove();
    if (this.#copying) this.#copying.button.ariaExpanded = "false";
    this.#copying = null;
  }
}

/**
 * Return the offset of a time zone, such as "GMT+5:45".
 *
 * @param {string} timeZone
 * @param {Date} instant
 */
function offsetOf(timeZone, instant) {
  const format = new Intl.DateTimeFormat("en", { timeZone, timeZoneName: "shortOffset" });
  return format.formatToParts(instant).find(({ type }) => type === "timeZoneName")?.value ?? "";
}

/**
 * Return what a time zone is called, such as "India Standard Time".
 *
 * @param {string} timeZone
 */
function titleOf(timeZone) {
  const format = new Intl.DateTimeFormat(locale, { timeZone, timeZoneName: "longGeneric" });
  return format.formatToParts(0).find(({ type }) => type === "timeZoneName")?.value ?? "";
}

/** Add the list from which the browser offers time zones. The browser searches names and titles. */
function addZoneList() {
  if (document.getElementById(ZONE_LIST)) return;
  const options = zoneNames().map((zone) => h("option", { value: zone }, titleOf(zone)));
  document.body.append(h("datalist", { id: ZONE_LIST }, ...options));
}
