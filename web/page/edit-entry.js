// Adding and editing an entry: the initial values of the dialog, and the requests.

import { getPage, request } from "./api.js";
import { MINUTE_MS } from "./calendar.js";
import { isSpanChanged } from "./entry-checks.js";
import { openEntryDialog } from "./entry-dialog.js";
import { issueReference } from "./issue.js";
import { text } from "./language.js";
import { nameInSentence } from "./reasons.js";

/** @import { Span, Timer } from "./types.d.ts" */

/**
 * Let the user add an entry for time that was worked earlier.
 *
 * @param {() => Date} now returns the present
 * @param {string} key the Idempotency-Key. All tries have the same key, so that the server does not create a second timer
 *   if a response is lost.
 * @param {Span} [proposed] the initial start and end; by default the last hour
 * @returns {Promise<Timer | null>} the new timer; null if the user cancels
 */
export async function addEntry(now, key, proposed) {
  const end = Math.floor(now().getTime() / MINUTE_MS) * MINUTE_MS;
  const headers = { "Idempotency-Key": key };
  const span = proposed ?? { start: new Date(end - 60 * MINUTE_MS), end: new Date(end) };
  return openEntryDialog({ title: text("addTitle"), span }, now, {
    findOverlapping: overlapping,
    save: async ({ issue, description, span: entered }) => {
      const body = { ...issue, description, ...toTimes(/** @type {Span} */ (entered)) };
      return (await request("POST", "/api/timelogs/", body, { headers })).body;
    },
  });
}

/**
 * Let the user edit a timer.
 *
 * @param {Timer} timer
 * @param {() => Date} now returns the present
 * @param {string} key the Idempotency-Key
 * @returns {Promise<Timer | null>} the changed timer; null if the user cancels or changes nothing
 */
export async function editEntry(timer, now, key) {
  const shown = {
    title: text("editTitle"),
    issue: timer.github_repo ? issueReference(timer) : "",
    description: timer.description,
    span:
      timer.status === "stopped" && timer.end_time
        ? { start: new Date(timer.start_time), end: new Date(timer.end_time) }
        : null,
    timer,
  };
  return openEntryDialog(shown, now, {
    findOverlapping: async (span) => (await overlapping(span)).filter(({ id }) => id !== timer.id),
    save: async ({ issue, description, span, isIssueChanged, isDescriptionChanged, reason }) => {
      const times = span && toTimes(span);
      const isChanged = span && isSpanChanged(span, timer);
      const body = {
        ...(isIssueChanged && (issue ?? { github_issue_url: null })),
        ...(isDescriptionChanged && { description }),
        ...(isChanged?.start && { start_time: times?.start_time }),
        ...(isChanged?.end && { end_time: times?.end_time }),
      };
      if (!Object.keys(body).length) return null;
      const headers = { "Idempotency-Key": key };
      const reasoned = reason ? { ...body, reason } : body;
      return (await request("PATCH", `/api/timelogs/${timer.id}/`, reasoned, { headers })).body;
    },
  });
}

/**
 * Let the user choose another issue and another description for a part of a timer.
 *
 * @param {Timer} timer
 * @param {string} about describes the part
 * @param {() => Date} now returns the present
 * @param {(changes: object, name: string) => Promise<unknown>} save is called with the changed fields and the name
 *   of the issue
 * @returns {Promise<boolean>} false if the user cancels or changes nothing
 */
export async function askForIssue(timer, about, now, save) {
  let isSaved = false;
  const { github_repo, description } = timer;
  const issue = github_repo ? issueReference(timer) : "";
  const shown = { title: text("moveToIssue"), about, issue, description, span: null, isPart: true, timer };
  await openEntryDialog(shown, now, {
    findOverlapping: async () => [],
    save: async ({ issue, description, isIssueChanged, isDescriptionChanged }) => {
      const changes = {
        ...(isIssueChanged && (issue ?? { github_issue_url: null })),
        ...(isDescriptionChanged && { description }),
      };
      if (!Object.keys(changes).length) return null;
      const issueFields = issue ?? { github_repo: null, github_issue_number: null };
      await save(changes, nameInSentence({ ...issueFields, description }));
      isSaved = true;
      return null;
    },
  });
  return isSaved;
}

/** @param {Span} span */
function toTimes({ start, end }) {
  return { start_time: start.toISOString(), end_time: end.toISOString() };
}

/**
 * Return the user's entries that overlap a span.
 *
 * @param {Span} span
 * @returns {Promise<Timer[]>} at most 100, newest first
 */
async function overlapping({ start, end }) {
  if (start >= end) return [];
  const query = new URLSearchParams({
    since: start.toISOString(),
    until: end.toISOString(),
    page_size: "100",
  });
  return (await getPage(`/api/timelogs/?${query}`)).results;
}
