// Adding and editing an entry: the initial values of the dialog, and the requests.

import { randomName } from "../widget/storage.js";
import { request } from "./api.js";
import { toInputValue } from "./calendar.js";
import { durationOf } from "./entry-checks.js";
import { openEntryDialog } from "./entry-dialog.js";
import { issueReference } from "./issue.js";
import { text } from "./language.js";

/** @import { Timer } from "./types.d.ts" */

const HOUR_MS = 3_600_000;

/**
 * Let the user add an entry for time that was worked earlier.
 *
 * @param {() => Date} now returns the present
 * @returns {Promise<Timer | null>} the new timer; null if the user cancels
 */
export async function addEntry(now) {
  const toMinute = (/** @type {Date} */ time) => toInputValue(time).slice(0, 16);
  const end = now();
  let start = new Date(end.getTime() - HOUR_MS);
  // If clocks were put back within the last hour, one hour ago had the same local time as now. In this case,
  // begin the entry two hours ago.
  if (toMinute(start) === toMinute(end)) start = new Date(start.getTime() - HOUR_MS);
  // All tries have the same key, so that the server does not create a second timer if a response is lost.
  const headers = { "Idempotency-Key": randomName() };
  const shown = { title: text("addTitle"), start: toMinute(start), end: toMinute(end), hasTimes: true };
  return openEntryDialog(shown, now, async (values, issue) => {
    const length =
      values.by === "duration" ? { duration: durationOf(values) } : { end_time: toIso(values.end) };
    const body = { ...issue, description: values.description, start_time: toIso(values.start), ...length };
    return (await request("POST", "/api/timelogs/", body, { headers })).body;
  });
}

/**
 * Let the user edit a timer.
 *
 * @param {Timer} timer
 * @param {() => Date} now returns the present
 * @returns {Promise<Timer | null>} the changed timer; null if the user cancels or changes nothing
 */
export async function editEntry(timer, now) {
  const isStopped = timer.status === "stopped";
  const shown = {
    title: text("editTitle"),
    issue: timer.github_repo ? issueReference(timer) : "",
    description: timer.description,
    start: isStopped ? toInputValue(new Date(timer.start_time)) : "",
    end: isStopped && timer.end_time ? toInputValue(new Date(timer.end_time)) : "",
    hasTimes: isStopped,
    paused: isStopped ? timer.paused_duration : 0,
    timer,
  };
  return openEntryDialog(shown, now, async (values, issue, isChanged) => {
    const body = {
      ...(values.issue.trim() !== shown.issue && (issue ?? { github_issue_url: null })),
      ...(isChanged("description") && { description: values.description }),
      // Send a time only if the user has changed it. The value of a field has no milliseconds, and is
      // ambiguous in an hour that occurs twice.
      ...(isChanged("start") && { start_time: toIso(values.start) }),
      ...(isChanged("end") && { end_time: toIso(values.end) }),
    };
    if (!Object.keys(body).length) return null;
    return (await request("PATCH", `/api/timelogs/${timer.id}/`, body)).body;
  });
}

/** @param {string} local the value of an input of type datetime-local */
function toIso(local) {
  return new Date(local).toISOString();
}
