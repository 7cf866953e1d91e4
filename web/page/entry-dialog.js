// The dialog with the form of an entry.

import { ApiError } from "../widget/api-client.js";
import { parseIssue } from "../widget/issue-link.js";
import { messageOf, statusOf } from "./api.js";
import { addDays, dayOf } from "./calendar.js";
import { byId, control, formValues, setMessage } from "./dom.js";
import { checkEntry } from "./entry-checks.js";
import { formats, text } from "./language.js";

/** @import { Issue } from "../widget/types.d.ts" */
/** @import { EntryValues, FieldErrors, Timer } from "./types.d.ts" */

/**
 * @typedef {object} Shown what the form contains at first
 * @property {string} title
 * @property {string} [issue]
 * @property {string} [description]
 * @property {string} [start]
 * @property {string} [end]
 * @property {boolean} hasTimes whether start and end can be edited
 * @property {number} [paused] seconds of the timer's pauses
 * @property {Timer} [timer] the timer that is edited; none for a new entry
 *
 * @typedef {(field: string) => boolean} IsChanged whether a field differs from what it contained at first
 * @typedef {(values: EntryValues, issue: Issue | null, isChanged: IsChanged) => Promise<Timer | null>} Save
 */

const FIELDS = /** @type {const} */ (["issue", "description", "start", "end"]);
/** The form's field for a field of the API. @type {Record<string, string>} */
const FIELD_OF = {
  github_issue_url: "issue",
  github_repo: "issue",
  github_issue_number: "issue",
  description: "description",
  start_time: "start",
  end_time: "end",
  duration: "hours",
};

const dialog = byId("entry-dialog", HTMLDialogElement);
const form = byId("entry-form", HTMLFormElement);

/**
 * What the open dialog was opened with, and how it ends.
 *
 * @type {{
 *   now: () => Date, shown: Shown, isChanged: IsChanged, save: Save, isBusy: boolean,
 *   resolve: (timer: Timer | null) => void, reject: (error: unknown) => void,
 * } | null}
 */
let current = null;

/**
 * Open the dialog. It closes when the entry is saved, or when the person cancels.
 *
 * @param {Shown} shown
 * @param {() => Date} now
 * @param {Save} save is called with checked values
 * @returns {Promise<Timer | null>} what `save` returns; null if the person cancels
 */
export function openEntryDialog(shown, now, save) {
  form.reset();
  showErrors({});
  /** @type {Record<string, string>} */
  const before = {};
  for (const name of FIELDS) {
    control(form, name).value = shown[name] ?? "";
    // An input may normalize its value.
    before[name] = control(form, name).value;
  }
  const isNew = !shown.timer;
  byId("entry-title").textContent = shown.title;
  byId("entry-times").hidden = !shown.hasTimes;
  byId("entry-by").hidden = !isNew;
  byId("entry-open").hidden = shown.hasTimes;
  byId("entry-paused").hidden = !shown.paused;
  byId("entry-paused").textContent = text("entryPaused", { duration: formats.duration(shown.paused ?? 0) });
  for (const name of ["start", "end"]) {
    control(form, name).required = shown.hasTimes;
    control(form, name).max = `${addDays(dayOf(now()), 1)}T23:59:59`;
  }
  showEndOrDuration();
  form.ariaBusy = "false";
  dialog.showModal();
  const isChanged = (/** @type {string} */ name) => isNew || control(form, name).value !== before[name];
  return new Promise((resolve, reject) => {
    current = { now, shown, isChanged, save, isBusy: false, resolve, reject };
  });
}

function showEndOrDuration() {
  const byDuration = control(form, "by").value === "duration";
  byId("entry-end").hidden = byDuration;
  byId("entry-duration").hidden = !byDuration;
  control(form, "end").required = !byDuration && !byId("entry-times").hidden;
}

byId("entry-by").addEventListener("change", showEndOrDuration);

byId("entry-cancel").addEventListener("click", () => {
  if (!current?.isBusy) dialog.close();
});

dialog.addEventListener("cancel", (event) => {
  if (current?.isBusy) event.preventDefault();
});

// A second Escape closes a busy dialog all the same; its request then goes on.
dialog.addEventListener("close", () => {
  if (!current?.isBusy) current?.resolve(null);
  current = null;
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const mine = current;
  if (!mine || mine.isBusy) return;
  const { by, ...values } = formValues(form);
  const entry = /** @type {EntryValues} */ ({ ...values, by: by === "duration" ? by : "end" });
  const { isChanged, shown } = mine;
  const errors = checkEntry(entry, {
    now: mine.now(),
    isChanged,
    hasTimes: shown.hasTimes,
    timer: shown.timer,
  });
  showErrors(errors);
  if (Object.keys(errors).length) return;
  mine.isBusy = true;
  form.ariaBusy = "true";
  try {
    const parsed = parseIssue(entry.issue);
    mine.resolve(await mine.save(entry, "mistake" in parsed ? null : parsed, isChanged));
    if (current === mine) dialog.close();
  } catch (error) {
    if (current !== mine) return mine.reject(error);
    mine.isBusy = false;
    form.ariaBusy = "false";
    showServerError(error);
  }
});

/** @param {unknown} error */
function showServerError(error) {
  if (statusOf(error) === 401) return showErrors({ form: text("sessionExpiredWhileEditing") });
  const { message, lang } = messageOf(error);
  /** @type {FieldErrors} */
  const errors = {};
  for (const { loc, msg } of (error instanceof ApiError && error.problem.errors) || []) {
    errors[FIELD_OF[loc.at(-1) ?? ""] ?? "form"] = msg;
  }
  showErrors(Object.keys(errors).length ? errors : { form: message }, lang);
}

/**
 * Show errors below their fields and focus the first of these.
 *
 * @param {FieldErrors} errors
 * @param {string} [lang] their language, if it differs from the page's
 */
function showErrors(errors, lang) {
  /** @type {NodeListOf<HTMLElement>} */
  const places = form.querySelectorAll("[data-error]");
  for (const place of places) {
    const name = place.dataset.error ?? "";
    setMessage(place, errors[name] ?? "", lang);
    if (name in form.elements) control(form, name).ariaInvalid = name in errors ? "true" : null;
  }
  /** @type {HTMLElement | null} */
  const first = form.querySelector("[aria-invalid]");
  first?.focus();
}
