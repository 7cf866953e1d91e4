// The dialog with the form of an entry.

import { ApiError } from "../widget/api-client.js";
import { button, content, h, setText } from "../widget/dom.js";
import { messageOf, statusOf } from "./api.js";
import { addDays, dayOf } from "./calendar.js";
import { loadChanges } from "./changes.js";
import { readDuration, writeDuration } from "./durations.js";
import { byId, control, find, setMessage, showAbout } from "./elements.js";
import { checkEntry, isSpanChanged, questionsAbout } from "./entry-checks.js";
import { readIssue } from "./issue.js";
import { errorTexts, formats, text } from "./language.js";
import { TimeField } from "./time-field.js";

/** @import { Issue } from "../widget/types.d.ts" */
/** @import { Checked, EntryValues, FieldErrors, Offer, Span, Timer } from "./types.d.ts" */

/**
 * @typedef {object} Shown the initial values of the form
 * @property {string} title
 * @property {string} [about] describes the time to change
 * @property {string} [issue]
 * @property {string} [description]
 * @property {Span | null} span null if the start and the end cannot be edited
 * @property {boolean} [isPart] whether the entry is a part of a timer, whose times are chosen elsewhere
 * @property {Timer} [timer] the timer to edit; undefined for a new entry
 *
 * @typedef {object} Entered
 * @property {Issue | null} issue
 * @property {string} description
 * @property {Span | null} span
 * @property {boolean} isIssueChanged
 * @property {boolean} isDescriptionChanged
 * @property {string} reason
 *
 * @typedef {object} Requests
 * @property {(span: Span) => Promise<Timer[]>} findOverlapping returns the other entries that overlap a span
 * @property {(entered: Entered) => Promise<Timer | null>} save
 */

/** The names of the form's fields, by the names of the API's fields. @type {Record<string, string>} */
const FIELD_OF = {
  github_issue_url: "issue",
  github_repo: "issue",
  github_issue_number: "issue",
  description: "description",
  start_time: "start",
  end_time: "end",
};
/** The fields of times that each choice of two values shows. */
const FIELDS_BY = {
  "start-end": ["start", "end"],
  "start-duration": ["start", "duration"],
  "duration-end": ["duration", "end"],
};

const dialog = byId("entry-dialog", HTMLDialogElement);
const form = byId("entry-form", HTMLFormElement);
const times = { start: new TimeField("entry-start"), end: new TimeField("entry-end") };

/**
 * The arguments and the state of the open dialog, and the functions that settle the promise of
 * `openEntryDialog`.
 *
 * @type {{
 *   now: () => Date, shown: Shown, texts: Record<string, string>, requests: Requests, isBusy: boolean,
 *   confirmed: string, duration: {text: string, ms: number}, span: Span | null,
 *   resolve: (timer: Timer | null) => void, reject: (error: unknown) => void,
 * } | null}
 */
let current = null;

/**
 * Open the dialog. The dialog closes when the entry is saved, or when the user cancels.
 *
 * @param {Shown} shown
 * @param {() => Date} now
 * @param {Requests} requests are called with checked values
 * @returns {Promise<Timer | null>} the result of `save`; null if the user cancels
 */
export function openEntryDialog(shown, now, requests) {
  form.reset();
  showErrors({});
  showOffers([]);
  ask([]);
  const paused = shown.timer?.paused_duration ?? 0;
  byId("entry-title").textContent = shown.title;
  showAbout("entry-about", shown.about);
  byId("entry-times").hidden = !shown.span;
  byId("entry-open").hidden = Boolean(shown.span || shown.isPart);
  // The active time of an entry with pauses does not determine its end.
  byId("entry-by").hidden = Boolean(paused);
  byId("entry-paused").hidden = !shown.span || !paused;
  const isEdited = Boolean(shown.timer && !shown.isPart);
  byId("entry-reason-field").hidden = !isEdited;
  byId("entry-changes").hidden = !isEdited;
  byId("entry-changes", HTMLDetailsElement).open = false;
  byId("entry-changes-list").replaceChildren();
  byId("entry-paused").textContent = text("entryPaused", { duration: formats.duration(paused) });
  control(form, "issue").value = shown.issue ?? "";
  control(form, "description").value = shown.description ?? "";
  form.ariaBusy = "false";
  for (const time of Object.values(times)) time.max = addDays(dayOf(now()), 1);
  // Read the texts from the controls, because a control may normalize its value.
  const texts = Object.fromEntries(["issue", "description"].map((name) => [name, control(form, name).value]));
  const duration = { text: "", ms: 0 };
  const state = {
    now,
    shown,
    texts,
    requests,
    isBusy: false,
    confirmed: "",
    duration,
    span: shown.span,
  };
  const answer = new Promise((resolve, reject) => {
    current = { ...state, resolve, reject };
  });
  showSpan();
  dialog.showModal();
  if (shown.isPart) control(form, "issue").select();
  return answer;
}

/** Show the fields of the two chosen values, with the present start, end and duration. */
function showSpan() {
  const by = /** @type {EntryValues["by"]} */ (control(form, "by").value);
  for (const field of ["start", "end", "duration"]) {
    const isShown = FIELDS_BY[by].includes(field);
    byId(`entry-${field}-field`).hidden = !isShown;
    control(form, field).required = isShown;
  }
  if (!current) return;
  const { span, duration } = current;
  if (span && span.start <= span.end) {
    times.start.set(span.start);
    times.end.set(span.end);
    duration.ms = span.end.getTime() - span.start.getTime();
    duration.text = writeDuration(duration.ms);
    control(form, "duration").value = duration.text;
  }
  showResult(check(current));
}

/**
 * Read and check the form, and remember the resulting span.
 *
 * @param {NonNullable<typeof current>} opened
 */
function check(opened) {
  const { duration, now, shown } = opened;
  const written = control(form, "duration").value;
  const checked = checkEntry(
    {
      issue: control(form, "issue").value,
      by: /** @type {EntryValues["by"]} */ (control(form, "by").value),
      start: times.start.read(),
      end: times.end.read(),
      // An unchanged duration is exact, although its text has no milliseconds.
      duration: written === duration.text ? { ms: duration.ms } : readDuration(written),
    },
    {
      now: now(),
      hasTimes: Boolean(shown.span),
      isIssueChanged: isChanged("issue", opened),
      timer: shown.timer,
    },
  );
  opened.span = checked.span;
  return checked;
}

/**
 * Return whether the user has changed a text of the form.
 *
 * @param {"issue" | "description"} field
 * @param {NonNullable<typeof current>} opened
 */
function isChanged(field, { shown, texts }) {
  return !shown.timer || control(form, field).value !== texts[field];
}

/**
 * Show the resulting duration, or what is wrong with the times.
 *
 * @param {Checked} checked
 */
function showResult({ errors, offers, span }) {
  const { start, end, duration } = errors;
  showErrors({ start, end, duration });
  showOffers(offers);
  const isValid = span && !start && !end && !duration;
  setText(byId("entry-result"), isValid ? resultOf(span, current?.shown.timer) : "");
}

/**
 * @param {Span} span
 * @param {Timer} [timer]
 */
function resultOf({ start, end }, timer) {
  const seconds = (end.getTime() - start.getTime()) / 1000;
  const paused = timer?.paused_duration ?? 0;
  // The pauses lie within the former start and end. If the entry becomes shorter, they may lie outside of it.
  const hasAllPauses =
    start <= new Date(timer?.start_time ?? start) && end >= new Date(timer?.end_time ?? end);
  const duration = formats.duration(Math.max(0, seconds - (hasAllPauses ? paused : 0)));
  return text(hasAllPauses || !paused ? "result" : "resultAtMost", {
    duration,
    time: formats.span(start, end),
  });
}

byId("entry-changes").addEventListener("toggle", async () => {
  const opened = current;
  if (!opened?.shown.timer || !byId("entry-changes", HTMLDetailsElement).open) return;
  try {
    const items = await loadChanges(opened.shown.timer);
    const list = items.length ? items : [h("li", {}, text("noChanges"))];
    if (current === opened) byId("entry-changes-list").replaceChildren(...list);
  } catch (error) {
    if (current === opened) showServerError(error);
  }
});

byId("entry-by").addEventListener("change", showSpan);

form.addEventListener("input", () => ask([]));

byId("entry-times").addEventListener("input", ({ target }) => {
  // A choice of other values fires this event before `change`, when their fields do not show the entry yet.
  const isChoice = target instanceof HTMLInputElement && target.name === "by";
  if (current && !isChoice) showResult(check(current));
});

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

form.addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});

byId("entry-anyway").addEventListener("click", () => {
  if (current?.span) current.confirmed = keyOf(current.span);
  submit();
});

/** Check the form, ask the open questions, and save the entry. */
async function submit() {
  const opened = current;
  if (!opened || opened.isBusy) return;
  const { errors, offers, span } = check(opened);
  ask([]);
  showErrors(errors, { focus: true });
  showOffers(offers);
  if (Object.keys(errors).length) return;
  opened.isBusy = true;
  form.ariaBusy = "true";
  try {
    const questions = await questionsBefore(opened, span);
    if (current !== opened) return opened.resolve(null);
    if (questions.length) ask(questions);
    else await save(opened, span);
  } catch (error) {
    if (current !== opened) return opened.reject(error);
    showServerError(error);
  } finally {
    opened.isBusy = false;
    if (current === opened) form.ariaBusy = "false";
  }
}

/**
 * @param {NonNullable<typeof current>} opened
 * @param {Span | null} span
 */
async function questionsBefore({ confirmed, requests, shown }, span) {
  if (!span || keyOf(span) === confirmed) return [];
  if (!Object.values(isSpanChanged(span, shown.timer)).includes(true)) return [];
  return questionsAbout(span, await requests.findOverlapping(span));
}

/** @param {Span} span */
function keyOf({ start, end }) {
  return `${start.toISOString()} ${end.toISOString()}`;
}

/**
 * @param {NonNullable<typeof current>} opened
 * @param {Span | null} span
 */
async function save(opened, span) {
  const { requests, resolve } = opened;
  // If the response is lost, the next try must not ask about the entry that this try has saved.
  if (span) opened.confirmed = keyOf(span);
  const parsed = readIssue(control(form, "issue").value);
  const saved = await requests.save({
    issue: "mistake" in parsed ? null : parsed,
    description: control(form, "description").value,
    span,
    isIssueChanged: isChanged("issue", opened),
    isDescriptionChanged: isChanged("description", opened),
    reason: control(form, "reason").value,
  });
  resolve(saved);
  if (current === opened) dialog.close();
}

/**
 * Show questions that the user can answer with "Save anyway", and focus them. Do not focus the button, because
 * a second Enter would press it.
 *
 * @param {string[]} questions
 */
function ask(questions) {
  const group = byId("entry-question");
  group.hidden = !questions.length;
  byId("entry-questions").replaceChildren(...questions.map((question) => h("p", {}, ...content(question))));
  if (questions.length) group.focus();
}

/** @param {Offer[]} offers */
function showOffers(offers) {
  for (const field of /** @type {const} */ (["start", "end", "duration"])) {
    const buttons = offers
      .filter((offer) => offer.field === field)
      .map(({ label, value }) => button("", label, () => accept(field, value)));
    const group = byId(`entry-${field}-offers`);
    group.replaceChildren(...buttons);
    group.hidden = !buttons.length;
  }
}

/**
 * @param {Offer["field"]} field
 * @param {Offer["value"]} value
 */
function accept(field, value) {
  if (field === "duration") control(form, field).value = String(value);
  else if (value instanceof Date) times[field].set(value);
  control(form, field).focus();
  if (current) showResult(check(current));
}

/** @param {unknown} error */
function showServerError(error) {
  if (statusOf(error) === 401)
    return showErrors({ form: text("sessionExpiredWhileEditing") }, { focus: true });
  const { message, lang } = messageOf(error);
  /** @type {FieldErrors} */
  const errors = {};
  for (const { loc, msg, code } of (error instanceof ApiError && error.problem.errors) || []) {
    const field = FIELD_OF[loc.at(-1) ?? ""] ?? "form";
    // An error about a field that is not shown is an error of the form.
    errors[find(form, `[data-error="${field}"]`).closest("[hidden]") ? "form" : field] = lang
      ? msg
      : errorTexts[code];
  }
  showErrors(Object.keys(errors).length ? errors : { form: message }, { focus: true, lang });
}

/**
 * Show errors below their fields.
 *
 * @param {Record<string, string | undefined>} errors
 * @param {{focus?: boolean, lang?: string}} [options] whether to focus the first field with an error, and the
 *   language of the errors, if it differs from the page's language
 */
function showErrors(errors, { focus = false, lang } = {}) {
  /** @type {NodeListOf<HTMLElement>} */
  const elements = form.querySelectorAll("[data-error]");
  for (const element of elements) {
    const name = element.dataset.error ?? "";
    setMessage(element, errors[name] ?? "", lang);
    if (name in form.elements) control(form, name).ariaInvalid = errors[name] ? "true" : null;
  }
  /** @type {HTMLElement | null} */
  const first = form.querySelector("[aria-invalid]");
  if (focus) first?.focus();
}
