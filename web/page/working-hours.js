// The sections of the Account page about working hours: the person's week, its versions, and assignments.

import { h } from "../widget/dom.js";
import { fieldErrors } from "./api.js";
import { ASSIGNMENT_RULES, assignmentChoice, assignmentText } from "./assignments.js";
import { timeZone } from "./calendar.js";
import { byId, control, setMessage } from "./elements.js";
import { proposedHours } from "./first-visit.js";
import { text } from "./language.js";
import { notify } from "./notices.js";
import { dayAt } from "./schedule.js";
import { changeSchedule, deleteVersion, putSchedule } from "./schedule-api.js";
import { dateText, workingHoursText } from "./schedule-texts.js";
import { onAction } from "./session.js";
import { WeekEditor } from "./week-editor.js";
import { clocksIn } from "./zones.js";

/** @import { AssignmentStarts, Day, Schedule, ScheduleVersion } from "./types.d.ts" */

export class WorkingHoursSection {
  #now;
  #changed;
  #editor;
  #form = byId("hours-form", HTMLFormElement);
  #assignment = byId("assignment-form", HTMLFormElement);
  #change = byId("change-hours", HTMLButtonElement);
  /** @type {Schedule | null} */
  #schedule = null;
  /** The date from which new hours hold, as the page has proposed it. @type {Day} */
  #proposedFrom = "";

  /**
   * @param {() => Date} now
   * @param {() => Promise<unknown>} changed loads the schedule again, and calls `show`
   */
  constructor(now, changed) {
    this.#now = now;
    this.#changed = changed;
    this.#editor = new WeekEditor("hours", now);
    byId("hours-week").append(this.#editor.element);
    this.#editor.element.addEventListener("zone-change", () => this.#followZone());
    this.#change.addEventListener("click", () => this.edit());
    byId("hours-cancel").addEventListener("click", () => this.#close());
    onAction("submit", this.#form, () => this.#save());
    onAction("click", byId("count-always"), () => this.#countAlways());
    onAction("submit", this.#assignment, async () => {
      const { value } = control(this.#assignment, "assignment_starts");
      await putSchedule({ assignment_starts: /** @type {AssignmentStarts | ""} */ (value) || null });
      await this.#changed();
      notify(text("saved"));
    });
  }

  /** @param {Schedule} schedule */
  show(schedule) {
    this.#schedule = schedule;
    const { chosen, current, source, default: ofOrganization } = schedule;
    byId("hours-now").textContent = workingHoursText(current);
    const note =
      source === "own" ? "" : ofOrganization.week ? text("hoursOfOrganization") : text("nightsCount");
    byId("hours-note").textContent = chosen && !ofOrganization.week ? "" : note;
    byId("count-always").hidden = chosen && !current.week;
    const versions = schedule.versions.toReversed().map((version) => this.#versionItem(version, schedule));
    byId("hours-versions").replaceChildren(...versions);
    byId("hours-history").hidden = !versions.length;
    this.#showAssignment(schedule);
  }

  /**
   * Open the editor.
   *
   * @param {ScheduleVersion} [version] the version to edit; by default, a new one that begins today
   */
  edit(version) {
    const schedule = /** @type {Schedule} */ (this.#schedule);
    const { current } = schedule;
    const hours = version ?? current;
    const proposed = proposedHours(schedule);
    const { week } = hours.week ? hours : proposed;
    const zone = hours.week || version ? hours.time_zone : proposed.time_zone;
    this.#editor.set(zone, week ?? proposed.week);
    this.#setFrom(version?.valid_from ?? clocksIn(zone, this.#now()).day, !version);
    this.#showError("");
    this.#showFromError("");
    this.#form.hidden = false;
    this.#change.ariaExpanded = "true";
    this.#editor.focus();
  }

  /**
   * @param {Day} day
   * @param {boolean} followsZone whether it is today in the time zone, until the person changes it
   */
  #setFrom(day, followsZone) {
    control(this.#form, "from").value = day;
    this.#proposedFrom = followsZone ? day : "";
  }

  #followZone() {
    const { zone } = this.#editor;
    const isProposed = this.#proposedFrom && control(this.#form, "from").value === this.#proposedFrom;
    if (zone && isProposed) this.#setFrom(clocksIn(zone, this.#now()).day, true);
  }

  #close() {
    this.#form.hidden = true;
    this.#change.ariaExpanded = "false";
    this.#change.focus();
  }

  async #save() {
    const hours = this.#editor.read();
    const from = control(this.#form, "from");
    this.#showError("");
    this.#showFromError(from.value ? "" : text("dateNeeded"));
    if (!hours) return;
    if (!from.value) return from.focus();
    try {
      if (!(await changeSchedule({ ...hours, valid_from: from.value }))) return;
    } catch (error) {
      return this.#showServerError(error);
    }
    await this.#changed();
    this.#close();
    notify(text("hoursSaved", { hours: workingHoursText(hours) }));
  }

  /** @param {unknown} error */
  #showServerError(error) {
    const errors = fieldErrors(error);
    if (!errors.length) throw error;
    const others = this.#editor.showErrors(errors);
    const ofFrom = others.find(({ field }) => field === "valid_from");
    this.#showFromError(ofFrom?.message ?? "", ofFrom?.lang);
    if (ofFrom && others.length === errors.length) control(this.#form, "from").focus();
    const [other] = others.filter((one) => one !== ofFrom);
    this.#showError(other?.message ?? "", other?.lang);
  }

  /** @param {string} message @param {string} [lang] */
  #showError(message, lang) {
    setMessage(byId("hours-error"), message, lang);
  }

  /** @param {string} message @param {string} [lang] */
  #showFromError(message, lang) {
    setMessage(byId("hours-from-error"), message, lang);
    control(this.#form, "from").ariaInvalid = message ? "true" : null;
  }

  async #countAlways() {
    const { current } = /** @type {Schedule} */ (this.#schedule);
    const zone = current.week ? current.time_zone : timeZone();
    const change = { time_zone: zone, week: null, valid_from: clocksIn(zone, this.#now()).day };
    if (!(await changeSchedule(change))) return;
    await this.#changed();
    this.#close();
    notify(text("allTimeCounts"));
  }

  /**
   * @param {ScheduleVersion} version
   * @param {Schedule} schedule
   */
  #versionItem(version, schedule) {
    const { valid_from } = version;
    const { day } = dayAt(schedule, this.#now());
    const isCurrent = schedule.source === "own" && valid_from === schedule.current.valid_from;
    const state = isCurrent ? text("holdsNow") : valid_from > day ? text("later") : text("earlier");
    const date = dateText(valid_from);
    const edit = h("button", { type: "button", ariaLabel: text("editHoursFrom", { date }) }, text("edit"));
    edit.onclick = () => this.edit(version);
    const remove = h(
      "button",
      { type: "button", className: "danger", ariaLabel: text("deleteHoursFrom", { date }) },
      text("delete"),
    );
    onAction("click", remove, async () => {
      if (!(await deleteVersion(valid_from))) return;
      await this.#changed();
      byId("hours-title").focus();
      notify(text("hoursDeleted", { date }));
    });
    return h(
      "li",
      {},
      h("div", {}, workingHoursText(version), h("small", {}, text("fromDate", { date, state }))),
      h("div", { className: "buttons" }, edit, remove),
    );
  }

  /** @param {Schedule} schedule */
  #showAssignment({ assignment_starts, organization }) {
    const ofOrganization = organization.assignment_starts;
    // People can only narrow the rule of the organization.
    const offered = ASSIGNMENT_RULES.slice(ASSIGNMENT_RULES.indexOf(ofOrganization));
    const asOrganization = text("assignmentDefault", { rule: assignmentText(ofOrganization) });
    const isOffered = assignment_starts !== null && offered.includes(assignment_starts);
    byId("assignment-choices").replaceChildren(
      assignmentChoice("", asOrganization, !isOffered),
      ...offered.map((rule) => assignmentChoice(rule, assignmentText(rule), rule === assignment_starts)),
    );
  }
}
