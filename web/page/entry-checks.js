// The checks of the entry form's values: errors, which have to be corrected, and questions, which the user can
// answer with "Save anyway".

import { addDays, dayOf, instantsOf, timeZone, toInputValue } from "./calendar.js";
import { readIssue } from "./issue.js";
import { formats, issueMistakes, text } from "./language.js";
import { nameInSentence } from "./reasons.js";

/** @import { ReadDuration } from "./durations.js" */
/** @import { Checked, EnteredTime, Day, EntryValues, Offer, Span, Timer } from "./types.d.ts" */

const DAY_MS = 86_400_000;

/**
 * @typedef {object} Context
 * @property {Date} now
 * @property {boolean} hasTimes whether the start and the end can be edited
 * @property {boolean} isIssueChanged whether the user has changed the issue; an unchanged issue is not checked
 * @property {Timer} [timer] the timer to edit; undefined for a new entry
 */

/**
 * Check an entry.
 *
 * @param {EntryValues} values
 * @param {Context} context
 * @returns {Checked} without errors if the entry can be saved
 */
export function checkEntry(values, context) {
  /** @type {Checked} */
  const checked = { errors: {}, offers: [], span: null };
  const issue = context.isIssueChanged && issueError(values.issue);
  if (issue) checked.errors.issue = issue;
  if (context.hasTimes) {
    checked.span = spanOf(values, checked);
    if (checked.span) checkSpan(checked.span, values.by, context, checked);
  }
  return checked;
}

/** @param {string} issue */
function issueError(issue) {
  const parsed = readIssue(issue);
  return "mistake" in parsed && parsed.mistake !== "empty" ? issueMistakes[parsed.mistake] : undefined;
}

/**
 * Return the start and the end that two of the three values determine.
 *
 * @param {EntryValues} values
 * @param {Checked} checked receives the errors
 * @returns {Span | null}
 */
function spanOf({ by, ...values }, checked) {
  const start = by === "duration-end" ? null : instantOf("start", values.start, checked);
  const end = by === "start-duration" ? null : instantOf("end", values.end, checked);
  const ms = by === "start-end" ? null : durationOf(values.duration, checked);
  if (start && end) return { start, end };
  if (ms === null) return null;
  if (start) return { start, end: new Date(start.getTime() + ms) };
  return end && { start: new Date(end.getTime() - ms), end };
}

/**
 * @param {"start" | "end"} field
 * @param {EnteredTime} entered
 * @param {Checked} checked receives the error
 */
function instantOf(field, entered, { errors, offers }) {
  if ("instant" in entered) return entered.instant;
  if (!entered.skip) {
    errors[field] = text("timeNeeded");
    return null;
  }
  const { last, next, alternatives } = entered.skip;
  const [before, after] = formats.clockTimes([last, next]);
  errors[field] = text("timeSkipped", { before, after, zone: timeZone() });
  const labels = formats.clockTimes(alternatives);
  offers.push(...alternatives.map((value, index) => ({ field, value, label: labels[index] })));
  return null;
}

/**
 * @param {ReadDuration} read
 * @param {Checked} checked receives the error
 */
function durationOf(read, { errors, offers }) {
  if ("ms" in read) return read.ms;
  const { meanings } = read;
  errors.duration = meanings.length
    ? text("durationAmbiguous", { meanings: formats.either(meanings) })
    : text("durationNeeded");
  for (const value of meanings) offers.push({ field: "duration", value, label: value });
  return null;
}

/**
 * @param {Span} span
 * @param {EntryValues["by"]} by
 * @param {Context} context
 * @param {Checked} checked receives the errors
 */
function checkSpan({ start, end }, by, { now, timer }, { errors, offers }) {
  const isChanged = isSpanChanged({ start, end }, timer);
  if (start > end) {
    errors.end = text("endBeforeStart");
    offers.push(...otherDay({ start, end }, now));
  } else if (isChanged.start && by !== "duration-end" && start > now) {
    errors.start = text("inTheFuture");
  } else if (isChanged.end && end > now) {
    if (by === "start-duration") errors.duration = text("endsInTheFuture");
    else errors.end = text("inTheFuture");
  }
}

/**
 * Return which ends of a span differ from those of a timer.
 *
 * @param {Span} span
 * @param {Timer} [timer]
 */
export function isSpanChanged({ start, end }, timer) {
  return {
    start: start.getTime() !== Date.parse(timer?.start_time ?? ""),
    end: end.getTime() !== Date.parse(timer?.end_time ?? ""),
  };
}

/**
 * Offer to move the end after the start, or else the start before the end, at the same time of day: of an entry
 * over midnight, such as 22:00 to 01:00, one end usually has the wrong day.
 *
 * @param {Span} span with the end before the start
 * @param {Date} now
 * @returns {Offer[]}
 */
function otherDay({ start, end }, now) {
  const later = [0, 1]
    .map((days) => sameTimeOn(addDays(dayOf(start), days), end))
    .find((each) => each && each > start && each <= now);
  if (later)
    return [{ field: "end", value: later, label: text("endAt", { time: formats.date("moment", later) }) }];
  const earlier = [0, -1]
    .map((days) => sameTimeOn(addDays(dayOf(end), days), start))
    .find((each) => each && each < end && end <= now);
  if (!earlier) return [];
  return [
    { field: "start", value: earlier, label: text("startAt", { time: formats.date("moment", earlier) }) },
  ];
}

/**
 * Return the instant at which clocks show the time of day of another instant; undefined if clocks skip it.
 *
 * @param {Day} day
 * @param {Date} instant
 */
function sameTimeOn(day, instant) {
  return instantsOf(`${day}T${toInputValue(instant).slice(11)}`)[0];
}

/**
 * Return the questions to answer before an entry is saved.
 *
 * @param {Span} span
 * @param {Timer[]} overlapping the other entries that overlap the span
 */
export function questionsAbout({ start, end }, overlapping) {
  const questions = [];
  const ms = end.getTime() - start.getTime();
  if (!ms) questions.push(text("noDurationQuestion"));
  if (ms > DAY_MS) questions.push(text("longQuestion", { duration: formats.duration(ms / 1000) }));
  const [first] = overlapping;
  if (first) {
    const name = nameInSentence(first);
    const since = new Date(first.start_time);
    const time = first.end_time
      ? formats.span(since, new Date(first.end_time))
      : text("runningSince", { time: formats.date("moment", since) });
    const more = overlapping.length - 1;
    questions.push(text(more ? "overlapsQuestion" : "overlapQuestion", { name, time, more }));
  }
  return questions;
}
