// The dialog with the form of an entry.

import { ApiError } from "../widget/api-client.js";
import { parseIssue } from "../widget/issue-link.js";
import { messageOf, statusOf } from "./api.js";
import { addDays, dayOf } from "./calendar.js";
import { byId, control, formValues, setMessage } from "./elements.js";
import { checkEntry } from "./entry-checks.js";
import { errorTexts, formats, text } from "./language.js";

/** @import { Issue } from "../widget/types.d.ts" */
/** @import { EntryValues, FieldErrors, Timer } from "./types.d.ts" */

/**
 * @typedef {object} Shown the initial values of the form
 * @property {string} title
 * @property {string} [issue]
 * @property {string} [description]
 * @property {string} [start]
 * @property {string} [end]
 * @property {boolean} hasTimes whether the start and the end can be edited
 * @property {number} [paused] seconds of the timer's pauses
 * @property {Timer} [timer] the timer to edit; undefined for a new entry
 *
 * @typedef {(field: string) => boolean} IsChanged whether a field differs from its initial value
 * @typedef {(values: EntryValues, issue: Issue | null, isChanged: IsChanged) => Promise<Timer | null>} Save
 */

const FIELDS = /** @type {const} */ (["issue", "description", "start", "end"]);
/** The names of the form's fields, by the names of the API's fields. @type {Record<string, string>} */
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
 * The arguments and the state of the open dialog, and the functions that settle the promise of
 * `openEntryDialog`.
 *
 * @type {{
 *   now: () => Date, shown: Shown, isChanged: IsChanged, save: Save, isBusy: boolean,
 *   resolve: (timer: Timer | null) => void, reject: (error: unknown) => void,
 * } | null}
 */
let current = null;

/**
 * Open the dialog. The dialog closes when the entry is saved, or when the user cancels.
 *
 * @param {Shown} shown
 * @param {() => Date} now
 * @param {Save} save is called with checked values
 * @returns {Promise<Timer | null>} the result of `save`; null if the user cancels
 */
export function openEntryDialog(shown, now, save) {
  form.reset();
  showErrors({});
  /** @type {Record<string, string>} */
  const before = {};
  for (const name of FIELDS) {
    control(form, name).value = shown[name] ?? "";
    // Read the value from the input, because an input may normalize its value.
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

// If the user presses Escape twice, the browser closes the dialog even while a request is in progress. The
// request then continues.
dialog.addEventListener("close", () => {
  if (!current?.isBusy) current?.resolve(null);
  current = null;
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const opened = current;
  if (!opened || opened.isBusy) return;
  const { by, ...values } = formValues(form);
  const entry = /** @type {EntryValues} */ ({ ...values, by: by === "duration" ? by : "end" });
  const { isChanged, shown } = opened;
  const errors = checkEntry(entry, {
    now: opened.now(),
    isChanged,
    hasTimes: shown.hasTimes,
    timer: shown.timer,
  });
  showErrors(errors);
  if (Object.keys(errors).length) return;
  opened.isBusy = true;
  form.ariaBusy = "true";
  try {
    const parsed = parseIssue(entry.issue);
    opened.resolve(await opened.save(entry, "mistake" in parsed ? null : parsed, isChanged));
    if (current === opened) dialog.close();
  } catch (error) {
    if (current !== opened) return opened.reject(error);
    opened.isBusy = false;
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
  for (const { loc, msg, code } of (error instanceof ApiError && error.problem.errors) || []) {
    errors[FIELD_OF[loc.at(-1) ?? ""] ?? "form"] = lang ? msg : errorTexts[code];
  }
  showErrors(Object.keys(errors).length ? errors : { form: message }, lang);
}

/**
 * Show errors below their fields, and focus the first field with an error.
 *
 * @param {FieldErrors} errors
 * @param {string} [lang] the language of the errors, if it differs from the page's language
 */
function showErrors(errors, lang) {
  /** @type {NodeListOf<HTMLElement>} */
  const elements = form.querySelectorAll("[data-error]");
  for (const element of elements) {
    const name = element.dataset.error ?? "";
    setMessage(element, errors[name] ?? "", lang);
    if (name in form.elements) control(form, name).ariaInvalid = name in errors ? "true" : null;
  }
  /** @type {HTMLElement | null} */
  const first = form.querySelector("[aria-invalid]");
  first?.focus();
}
