// The checks of the entry form's values before a request is sent.

import { parseIssue } from "../widget/issue-link.js";
import { issueMistakes, text } from "./language.js";

/** @import { EntryValues, FieldErrors, Timer } from "./types.d.ts" */

/**
 * @typedef {object} Context
 * @property {Date} now
 * @property {boolean} hasTimes whether the start and the end can be edited
 * @property {(field: string) => boolean} isChanged whether the user has changed a field; unchanged fields are
 *   not checked
 * @property {Timer} [timer] the timer to edit; undefined for a new entry
 */

/**
 * Return the errors in an entry. The result is empty if the entry can be saved.
 *
 * @param {EntryValues} values
 * @param {Context} context
 * @returns {FieldErrors}
 */
export function checkEntry(values, context) {
  const { isChanged, hasTimes } = context;
  /** @type {Record<string, string | undefined>} */
  const found = { issue: isChanged("issue") ? issueError(values.issue) : undefined };
  if (hasTimes) {
    found.start = startError(values, context);
    if (values.by === "duration") found.hours = durationError(values, context);
    else found.end = endError(values, context);
  }
  /** @type {FieldErrors} */
  const errors = {};
  for (const [field, error] of Object.entries(found)) if (error) errors[field] = error;
  return errors;
}

/**
 * Return the duration entered in the form, in seconds.
 *
 * @param {EntryValues} values
 */
export function durationOf({ hours, minutes }) {
  return Number(hours) * 3600 + Number(minutes) * 60;
}

/** @param {string} issue */
function issueError(issue) {
  const parsed = parseIssue(issue);
  return "mistake" in parsed && parsed.mistake !== "empty" ? issueMistakes[parsed.mistake] : undefined;
}

/**
 * @param {EntryValues} values
 * @param {Context} context
 */
function startError({ start }, { now, isChanged }) {
  if (!isChanged("start")) return undefined;
  if (!start) return text("timeNeeded");
  return new Date(start) > now ? text("inTheFuture") : undefined;
}

/**
 * @param {EntryValues} values
 * @param {Context} context
 */
function endError({ start, end }, { now, isChanged, timer }) {
  const startTime = new Date(isChanged("start") ? start : (timer?.start_time ?? ""));
  const endTime = new Date(isChanged("end") ? end : (timer?.end_time ?? ""));
  if (isChanged("end") && !end) return text("timeNeeded");
  if (isChanged("end") && endTime > now) return text("inTheFuture");
  return startTime > endTime ? text("endBeforeStart") : undefined;
}

/**
 * @param {EntryValues} values
 * @param {Context} context
 */
function durationError(values, { now }) {
  const seconds = durationOf(values);
  if (!seconds) return text("durationNeeded");
  const endsInFuture = new Date(values.start).getTime() + seconds * 1000 > now.getTime();
  return endsInFuture ? text("endsInTheFuture") : undefined;
}
