// The section of the Account page about days off and days with other hours, and the public holidays.

import { content, h, isolate } from "../widget/dom.js";
import { fieldErrors } from "./api.js";
import { daysBetween } from "./calendar.js";
import { byId, control, formValues, setMessage } from "./elements.js";
import { HoursField } from "./hours-field.js";
import { formats, locale, text } from "./language.js";
import { notify } from "./notices.js";
import { dayAt, exceptionOn, grouped, yearOfHolidays } from "./schedule.js";
import { changeExceptions, fetchCountries, fetchHolidays } from "./schedule-api.js";
import { datesText, hoursText } from "./schedule-texts.js";
import { onAction } from "./session.js";
import { mistakeOfDate } from "./week.js";

/** @import { Day, FieldError, Intervals, Schedule } from "./types.d.ts" */
/** @import { ExceptionGroup } from "./schedule.js" */
/** @import { Subdivision } from "./schedule-api.js" */

const MAX_DAYS = 366;
/** The hours that are proposed for a day with other hours. @type {Intervals} */
const HALF_DAY_HOURS = [["09:00", "13:00"]];

export class DaysOffSection {
  #now;
  #changed;
  #form = byId("day-off-form", HTMLFormElement);
  #hours = new HoursField("day-off-hours", text("hours"));
  #holidaysForm = byId("holidays-form", HTMLFormElement);
  #chosenHolidays = byId("holidays-chosen", HTMLFormElement);
  /** @type {Schedule | null} */
  #schedule = null;
  /** The subdivisions by country. @type {Map<string, Subdivision[]>} */
  #countries = new Map();

  /**
   * @param {() => Date} now
   * @param {() => Promise<unknown>} changed loads the schedule again, and calls `show`
   */
  constructor(now, changed) {
    this.#now = now;
    this.#changed = changed;
    byId("day-off-hours-place").append(this.#hours.element);
    this.#form.addEventListener("change", () => this.#showKind());
    this.#form.addEventListener("input", () => this.#showErrors([]));
    this.#showKind();
    onAction("submit", this.#form, () => this.#add());
    onAction("change", control(this.#holidaysForm, "country"), () => this.#showSubdivisions());
    onAction("submit", this.#holidaysForm, () => this.#showHolidays());
    onAction("submit", this.#chosenHolidays, () => this.#addHolidays());
    const details = byId("holidays", HTMLDetailsElement);
    onAction("toggle", details, async () => {
      if (details.open) await this.#showCountries();
    });
  }

  /** @param {Schedule} schedule */
  show(schedule) {
    this.#schedule = schedule;
    const { day } = dayAt(schedule, this.#now());
    const groups = grouped(schedule.exceptions);
    const items = (/** @type {ExceptionGroup[]} */ shown) => shown.map((group) => this.#item(group));
    const coming = groups.filter(({ last }) => last >= day);
    const past = groups.filter(({ last }) => last < day).reverse();
    byId("days-off").replaceChildren(...items(coming));
    byId("no-days-off").hidden = coming.length > 0;
    byId("past-days-off").replaceChildren(...items(past));
    byId("past-days-off-details").hidden = !past.length;
  }

  /** @param {ExceptionGroup} group */
  #item({ first, last, intervals, reason }) {
    const dates = datesText(first, last);
    const hours = intervals.length ? hoursText(intervals) : text("off");
    const remove = h(
      "button",
      { type: "button", ariaLabel: text("removeDayOff", { dates }) },
      text("remove"),
    );
    onAction("click", remove, async () => {
      if (!(await changeExceptions(this.#known, [], daysBetween(first, last)))) return;
      await this.#changed();
      byId("days-off-title").focus();
      notify(text("dayOffRemoved", { dates }));
    });
    const details = reason ? content(text("hoursBecause", { hours, name: reason })) : [hours];
    return h("li", {}, h("div", {}, dates, h("small", {}, ...details)), remove);
  }

  get #known() {
    return /** @type {Schedule} */ (this.#schedule);
  }

  // ------------------------------------------------------------------ adding days

  #showKind() {
    const hasHours = control(this.#form, "kind").value === "hours";
    if (hasHours && this.#hours.element.hidden) this.#hours.set(HALF_DAY_HOURS);
    this.#hours.element.hidden = !hasHours;
  }

  async #add() {
    const { first, last, kind, reason } = formValues(this.#form);
    const intervals = kind === "hours" ? this.#hours.read() : [];
    const errors = mistakesOf(first, last || first, kind === "hours", intervals);
    if (this.#showErrors(errors)) return;
    const days = daysBetween(first, last || first);
    const exceptions = days.map((date) => ({ date, intervals: intervals ?? [], reason: reason.trim() }));
    try {
      if (!(await changeExceptions(this.#known, exceptions))) return;
    } catch (error) {
      const ofFields = fieldErrors(error).map(({ field, ...rest }) => ({
        ...rest,
        field: formFieldOf(field, kind),
      }));
      if (!this.#showErrors(ofFields)) throw error;
      return;
    }
    this.#form.reset();
    this.#showKind();
    await this.#changed();
    control(this.#form, "first").focus();
    notify(text("dayOffAdded", { dates: datesText(first, last || first) }));
  }

  /**
   * Show errors at their fields, and focus the first one.
   *
   * @param {FieldError[]} errors
   * @returns {boolean} whether there are errors
   */
  #showErrors(errors) {
    /** @type {(() => void)[]} */
    const fields = [];
    for (const name of ["first", "last", "reason"]) {
      const error = errors.find(({ field }) => field === name);
      setMessage(byId(`day-off-${name}-error`), error?.message ?? "", error?.lang);
      const input = control(this.#form, name);
      input.ariaInvalid = error ? "true" : null;
      if (error) fields.push(() => input.focus());
    }
    const ofHours = errors.find(({ field }) => field === "hours");
    this.#hours.showError(ofHours?.message ?? "", ofHours?.lang);
    if (ofHours) fields.push(() => this.#hours.focus());
    fields[0]?.();
    return errors.length > 0;
  }

  // ------------------------------------------------------------------ public holidays

  async #showCountries() {
    const year = control(this.#holidaysForm, "year");
    if (year.value) return;
    this.#countries = new Map(
      (await fetchCountries()).map(({ country, subdivisions }) => [country, subdivisions]),
    );
    const names = new Intl.DisplayNames(locale, { type: "region" });
    const options = [...this.#countries.keys()].map((code) => ({ code, name: names.of(code) ?? code }));
    options.sort((one, other) => one.name.localeCompare(other.name, locale));
    const select = control(this.#holidaysForm, "country");
    select.replaceChildren(...options.map(({ code, name }) => h("option", { value: code }, name)));
    const { region = "" } = new Intl.Locale(navigator.language).maximize();
    if (this.#countries.has(region)) select.value = region;
    year.value = String(yearOfHolidays(dayAt(this.#known, this.#now()).day));
    this.#showSubdivisions();
  }

  #showSubdivisions() {
    const subdivisions = this.#countries.get(control(this.#holidaysForm, "country").value) ?? [];
    const select = byId("holidays-subdivision", HTMLSelectElement);
    const sorted = subdivisions.toSorted((one, other) => one.name.localeCompare(other.name, locale));
    const options = sorted.map(({ code, name }) => h("option", { value: code }, name));
    select.replaceChildren(h("option", { value: "" }, text("wholeCountry")), ...options);
    select.disabled = !subdivisions.length;
    this.#chosenHolidays.hidden = true;
  }

  async #showHolidays() {
    const { country, subdivision, year } = formValues(this.#holidaysForm);
    const holidays = await fetchHolidays(country, subdivision ?? "", year);
    const labels = holidays.map(({ date, name }) => {
      const isKnown = Boolean(exceptionOn(this.#known, date));
      const box = h("input", { type: "checkbox", value: date, checked: !isKnown, disabled: isKnown });
      box.dataset.name = name;
      const note = isKnown && h("small", {}, ` ${text("alreadyAdded")}`);
      return h(
        "label",
        {},
        box,
        h("span", {}, `${datesText(date, date)}: `, ...content(isolate(name)), note),
      );
    });
    byId("holidays-list").replaceChildren(...labels);
    this.#chosenHolidays.hidden = false;
    byId("holidays-title").textContent = text("holidaysFound", { count: holidays.length });
    byId("holidays-title").focus();
  }

  async #addHolidays() {
    /** @type {NodeListOf<HTMLInputElement>} */
    const boxes = byId("holidays-list").querySelectorAll("input:checked:enabled");
    const exceptions = [...boxes].map(({ value, dataset }) => {
      return { date: value, intervals: /** @type {Intervals} */ ([]), reason: dataset.name ?? "" };
    });
    if (exceptions.length && !(await changeExceptions(this.#known, exceptions))) return;
    this.#chosenHolidays.hidden = true;
    await this.#changed();
    byId("days-off-title").focus();
    notify(text("holidaysAdded", { count: exceptions.length }));
  }
}

/**
 * Return the mistakes of the form.
 *
 * @param {Day} first
 * @param {Day} last
 * @param {boolean} hasHours whether the days have hours
 * @param {Intervals | null} intervals null if a text is not a time
 * @returns {FieldError[]}
 */
function mistakesOf(first, last, hasHours, intervals) {
  /** @type {FieldError[]} */
  const mistakes = [];
  if (!first) mistakes.push({ field: "first", message: text("dateNeeded") });
  else if (last < first) mistakes.push({ field: "last", message: text("endBeforeStart") });
  else if (daysBetween(first, last).length > MAX_DAYS) {
    mistakes.push({ field: "last", message: text("tooManyDays", { count: MAX_DAYS }) });
  }
  if (!intervals)
    mistakes.push({ field: "hours", message: text("notATime", { time: formats.clock(9 * 60) }) });
  else if (hasHours && !intervals.length) mistakes.push({ field: "hours", message: text("hoursNeeded") });
  else {
    const mistake = mistakeOfDate(intervals);
    if (mistake) mistakes.push({ field: "hours", message: text(mistake) });
  }
  return mistakes;
}

/**
 * Return the form's field with which an error of the request belongs.
 *
 * @param {string} path such as "exceptions.2026-12-24"
 * @param {string} kind
 */
function formFieldOf(path, kind) {
  if (path.endsWith("reason")) return "reason";
  return kind === "hours" ? "hours" : "first";
}
