// The section of the Account page in which admins change the organization's rules.

import { h } from "../widget/dom.js";
import { fieldErrors, get, request } from "./api.js";
import { ASSIGNMENT_RULES, assignmentChoice, assignmentText } from "./assignments.js";
import { timeZone } from "./calendar.js";
import { byId, control, formValues, setMessage } from "./elements.js";
import { formats, text } from "./language.js";
import { LockForm } from "./lock.js";
import { notify } from "./notices.js";
import { workingHoursText } from "./schedule-texts.js";
import { onAction } from "./session.js";
import { PROPOSED_WEEK } from "./week.js";
import { WeekEditor } from "./week-editor.js";

/** @import { ConcurrentTimers, OrganizationRules, OrganizationSettings } from "./types.d.ts" */

const SETTINGS = "/api/admin/settings/";
const NUMBERS = ["overtime_hours", "stale_after_hours"];

export class OrganizationSection {
  #changed;
  #editor;
  #form = byId("organization-form", HTMLFormElement);
  #lock = new LockForm();

  /**
   * @param {() => Date} now
   * @param {() => unknown} changed is called after the rules have changed
   */
  constructor(now, changed) {
    this.#changed = changed;
    this.#editor = new WeekEditor("organization", now);
    byId("organization-week").append(this.#editor.element);
    const rules = ASSIGNMENT_RULES.map((rule) => assignmentChoice(rule, assignmentText(rule)));
    byId("organization-assignment").append(...rules);
    this.#form.addEventListener("change", () => this.#showWeek());
    onAction("submit", this.#form, () => this.#save());
  }

  /** Load and show the rules and the lock. */
  async open() {
    const [settings] = await Promise.all([get(SETTINGS), this.#lock.open()]);
    this.#show(settings);
    byId("organization").hidden = false;
  }

  /** @param {OrganizationSettings} settings */
  #show(settings) {
    const { working_hours: hours, versions } = settings;
    control(this.#form, "hours").value = hours ? "week" : "always";
    this.#editor.set(hours?.time_zone ?? timeZone(), hours?.week ?? PROPOSED_WEEK);
    for (const name of /** @type {const} */ (["concurrent_timers", "assignment_starts", ...NUMBERS])) {
      control(this.#form, name).value = String(Reflect.get(settings, name));
    }
    this.#showWeek();
    this.#showErrors([]);
    byId("organization-versions").replaceChildren(...versions.map(versionItem));
  }

  #showWeek() {
    byId("organization-week").hidden = control(this.#form, "hours").value !== "week";
  }

  async #save() {
    const { hours, overtime_hours, stale_after_hours, ...choices } = formValues(this.#form);
    const working_hours = hours === "week" ? this.#editor.read() : null;
    const mistakes = NUMBERS.map((field) => ({ field, input: control(this.#form, field) }))
      .filter(({ input }) => !input.validity.valid)
      .map(({ field, input: { min, max } }) => {
        return { field, message: text("numberNeeded", { least: min, most: max }) };
      });
    const isComplete = hours !== "week" || working_hours;
    if (this.#showErrors(mistakes) || !isComplete) return;
    const numbers = { overtime_hours: Number(overtime_hours), stale_after_hours: Number(stale_after_hours) };
    try {
      const rules = {
        concurrent_timers: choices.concurrent_timers,
        assignment_starts: choices.assignment_starts,
      };
      const { body } = await request("PUT", SETTINGS, { working_hours, ...rules, ...numbers });
      this.#show(body);
    } catch (error) {
      const errors = fieldErrors(error);
      if (!errors.length) throw error;
      // The fields of the working hours have their paths within the request.
      const path = (/** @type {string} */ field) => field.replace(/^working_hours\./u, "");
      const others = this.#editor.showErrors(errors.map((one) => ({ ...one, field: path(one.field) })));
      this.#showErrors(others);
      return;
    }
    await this.#changed();
    notify(text("saved"));
  }

  /**
   * Show errors at their fields, and focus the first one.
   *
   * @param {import("./types.d.ts").FieldError[]} errors
   * @returns {boolean} whether there are errors
   */
  #showErrors(errors) {
    let isFocused = false;
    for (const name of NUMBERS) {
      const error = errors.find(({ field }) => field === name);
      setMessage(byId(`organization-${name}-error`), error?.message ?? "", error?.lang);
      const input = control(this.#form, name);
      input.ariaInvalid = error ? "true" : null;
      if (error && !isFocused) input.focus();
      isFocused ||= Boolean(error);
    }
    const other = errors.find(({ field }) => !NUMBERS.includes(field));
    setMessage(byId("organization-error"), other?.message ?? "", other?.lang);
    return errors.length > 0;
  }
}

/** @param {OrganizationRules & {valid_from: string | null}} version */
function versionItem({ valid_from, ...rules }) {
  const since = valid_from
    ? text("since", { time: formats.date("dateAndTime", new Date(valid_from)) })
    : text("fromTheBeginning");
  const details = [
    text(/** @type {ConcurrentTimers} */ (rules.concurrent_timers)),
    text("overtimeOf", { hours: rules.overtime_hours }),
    text("staleAfter", { hours: rules.stale_after_hours }),
    text("assignmentRule", { rule: assignmentText(rules.assignment_starts) }),
  ];
  const hours = rules.working_hours ? workingHoursText(rules.working_hours) : text("allTime");
  return h("li", {}, h("div", {}, since, h("small", {}, [hours, ...details].join(" · "))));
}
