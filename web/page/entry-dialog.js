// The form in which an entry is corrected, or added by hand.

import { parseIssue } from "../widget/issue-link.js";
import { randomName } from "../widget/storage.js";
import { call } from "./api.js";
import { addDays, dayOf, toField } from "./calendar.js";
import { byId, put } from "./dom.js";
import { issueName } from "./issue.js";
import { mistakes as issueMistakes, showDuration, text } from "./language.js";

const HOUR_MS = 3_600_000;

const dialog = byId("entry-dialog");
const form = byId("entry-form");
const fields = form.elements;
// Which field a mistake is shown at that the API finds in one of its own.
const FIELD_OF = {
  github_issue_url: "issue",
  github_repo: "issue",
  github_issue_number: "issue",
  description: "description",
  start_time: "start",
  end_time: "end",
  duration: "hours",
};

let saving = null;

/**
 * Let the person add finished time, and return the new timer, or null if they do not.
 *
 * `now` is called for the present, here and in `editEntry`.
 */
export async function addEntry(now) {
  const field = (instant) => toField(instant).slice(0, 16);
  const end = now();
  let start = new Date(end - HOUR_MS);
  // When clocks are put back, an hour before looks like the same time.
  if (field(start) === field(end)) start = new Date(start - HOUR_MS);
  const key = randomName();
  const shown = {
    title: text("addTitle"),
    start: field(start),
    end: field(end),
    isAdded: true,
    hasTimes: true,
  };
  return ask(shown, now, async (values) => {
    const body = { ...values.issue, description: values.description, start_time: instant(values.start) };
    if (values.by === "duration") body.duration = values.hours * 3600 + values.minutes * 60;
    else body.end_time = instant(values.end);
    // What reached the server without our hearing of it is not added twice.
    const headers = { "Idempotency-Key": key };
    return (await call("POST", "/api/timelogs/", body, { headers })).body;
  });
}

/** Let the person correct a timer, and return it as it is then, or null if they leave it as it is. */
export async function editEntry(timer, now) {
  const isStopped = timer.status === "stopped";
  const shown = {
    title: text("editTitle"),
    issue: timer.github_repo ? issueName(timer) : "",
    description: timer.description,
    start: isStopped ? toField(new Date(timer.start_time)) : "",
    end: isStopped ? toField(new Date(timer.end_time)) : "",
    hasTimes: isStopped,
    paused: isStopped ? timer.paused_duration : 0,
    corrects: timer,
  };
  return ask(shown, now, async (values, isChanged) => {
    const body = {};
    if (values.issueText !== shown.issue) Object.assign(body, values.issue ?? { github_issue_url: null });
    if (isChanged("description")) body.description = values.description;
    // A field does not say milliseconds, nor which of two hours it means when clocks are put back.
    if (isChanged("start")) body.start_time = instant(values.start);
    if (isChanged("end")) body.end_time = instant(values.end);
    if (!Object.keys(body).length) return null;
    return (await call("PATCH", `/api/timelogs/${timer.id}/`, body)).body;
  });
}

function ask(shown, now, save) {
  form.reset();
  complain({});
  byId("entry-title").textContent = shown.title;
  const before = {};
  for (const name of ["issue", "description", "start", "end"]) {
    fields[name].value = shown[name] ?? "";
    // Fields write some values in their own way.
    before[name] = fields[name].value;
  }
  byId("entry-times").hidden = !shown.hasTimes;
  byId("entry-by").hidden = !shown.isAdded;
  byId("entry-open").hidden = shown.hasTimes;
  byId("entry-paused").hidden = !shown.paused;
  byId("entry-paused").textContent = text("entryPaused", { duration: showDuration(shown.paused ?? 0) });
  for (const name of ["start", "end"]) {
    fields[name].required = shown.hasTimes;
    fields[name].max = `${addDays(dayOf(now()), 1)}T23:59:59`;
  }
  showEndOrDuration();
  form.ariaBusy = "false";
  dialog.showModal();
  const isChanged = (name) => shown.isAdded || fields[name].value !== before[name];
  return new Promise((resolve, reject) => {
    saving = { now, save, resolve, reject, isChanged, corrects: shown.corrects, isBusy: false };
  });
}

function showEndOrDuration() {
  const byDuration = fields.by.value === "duration";
  byId("entry-end").hidden = byDuration;
  byId("entry-duration").hidden = !byDuration;
  fields.end.required = !byDuration && !byId("entry-times").hidden;
}

byId("entry-by").addEventListener("change", showEndOrDuration);

byId("entry-cancel").addEventListener("click", () => {
  if (!saving.isBusy) dialog.close();
});

dialog.addEventListener("cancel", (event) => {
  if (saving.isBusy) event.preventDefault();
});

// A browser closes a dialog all the same if somebody insists; what is on its way then ends by itself.
dialog.addEventListener("close", () => {
  if (!saving.isBusy) saving.resolve(null);
  saving = null;
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const mine = saving;
  if (mine.isBusy) return;
  const values = Object.fromEntries(new FormData(form));
  const mistakes = find(values, mine);
  complain(mistakes);
  if (Object.keys(mistakes).length) return;
  mine.isBusy = true;
  form.ariaBusy = "true";
  try {
    const parsed = {
      ...values,
      issueText: values.issue.trim(),
      issue: values.issue.trim() ? parseIssue(values.issue) : null,
      hours: Number(values.hours),
      minutes: Number(values.minutes),
    };
    const timer = await mine.save(parsed, mine.isChanged);
    mine.resolve(timer);
    if (saving === mine) dialog.close();
  } catch (error) {
    if (saving !== mine) return mine.reject(error);
    mine.isBusy = false;
    form.ariaBusy = "false";
    if (error.status === 401) complain({ form: text("sessionOver") });
    else complain(fromServer(error), error.lang);
  }
});

/** Return what is wrong with the values that are new, by the name of the field. */
function find({ issue, start, end, by, hours, minutes }, { now: present, isChanged, corrects }) {
  const mistakes = {};
  const { mistake } = parseIssue(issue);
  if (isChanged("issue") && mistake && mistake !== "empty") mistakes.issue = issueMistakes[mistake];
  if (byId("entry-times").hidden) return mistakes;
  const now = present();
  const begin = new Date(isChanged("start") ? start : corrects.start_time);
  const finish = new Date(isChanged("end") ? end : corrects.end_time);
  if (isChanged("start")) {
    if (!start) mistakes.start = text("timeNeeded");
    else if (begin > now) mistakes.start = text("inTheFuture");
  }
  if (by === "duration") {
    const seconds = Number(hours) * 3600 + Number(minutes) * 60;
    if (!seconds) mistakes.hours = text("durationNeeded");
    else if (begin.getTime() + seconds * 1000 > now) mistakes.hours = text("endsInTheFuture");
  } else if (isChanged("end") && !end) mistakes.end = text("timeNeeded");
  else if (isChanged("end") && finish > now) mistakes.end = text("inTheFuture");
  else if (begin > finish) mistakes.end = text("endBeforeStart");
  return mistakes;
}

function fromServer(error) {
  const mistakes = {};
  for (const { loc, msg } of error.problem?.errors ?? []) mistakes[FIELD_OF[loc.at(-1)] ?? "form"] = msg;
  return Object.keys(mistakes).length ? mistakes : { form: error.message };
}

/** Show mistakes beneath their fields and go to the first; `form` is about none of them. */
function complain(mistakes, lang) {
  for (const place of form.querySelectorAll("[data-mistake]")) {
    const name = place.dataset.mistake;
    put(place, mistakes[name] ?? "", lang);
    if (name in fields) fields[name].ariaInvalid = name in mistakes ? "true" : null;
  }
  form.querySelector("[aria-invalid]")?.focus();
}

function instant(value) {
  return new Date(value).toISOString();
}
