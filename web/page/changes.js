// The list of the changes of an entry: who changed it, when, from what to what, and why.

import { content, h, isolate } from "../widget/dom.js";
import { pages } from "./api.js";
import { formats, text } from "./language.js";

/** @import { AuditEntry, ChangedMembers, Timer } from "./types.d.ts" */

const AUTHORS = /** @type {const} */ ({
  self: "changedBySelf",
  admin: "changedByAdmin",
  sweeper: "changedBySweeper",
});
const KINDS = /** @type {const} */ ({
  added: "changeAdded",
  logged: "changeLogged",
  corrected: "changeCorrected",
  divided: "changeDivided",
  deleted: "changeDeleted",
  undone: "changeUndone",
  stopped: "changeStopped",
  expired: "changeExpired",
  unexpired: "changeUnexpired",
  confirmed: "confirmed",
  reopened: "reopenDay",
});

/**
 * Load the changes of a timer, newest first.
 *
 * @param {Timer} timer
 * @returns {Promise<HTMLElement[]>} an element for each change
 */
export async function loadChanges({ id }) {
  /** @type {AuditEntry[]} */
  const entries = [];
  for await (const page of pages(`/api/timelogs/changes/?timer=${id}`)) entries.push(...page.results);
  return entries.map((entry) => changeItem(entry, id));
}

/**
 * @param {AuditEntry} entry
 * @param {string} id the id of the timer whose differences are shown
 */
function changeItem({ at, by, kind, reason, differences }, id) {
  const shown = differences.filter(({ timer }) => timer === id);
  const lines = shown.flatMap(({ from, to }) => differencesText(from ?? {}, to ?? {}));
  const who = [text(AUTHORS[by]), text(KINDS[kind])].join(": ");
  return h(
    "li",
    {},
    h("div", {}, `${formats.date("moment", new Date(at))} · ${who}`),
    reason && h("div", {}, ...content(isolate(reason))),
    ...lines.map((line) => h("small", {}, ...content(line))),
  );
}

/**
 * @param {ChangedMembers} from
 * @param {ChangedMembers} to
 */
function differencesText(from, to) {
  const before = valuesOf(from);
  const after = valuesOf(to);
  return [...new Set([...before.keys(), ...after.keys()])]
    .map((name) => ({ name, before: before.get(name) ?? "", after: after.get(name) ?? "" }))
    .filter((change) => change.before !== change.after)
    .map((change) =>
      text("changedFromTo", {
        ...change,
        before: change.before || text("nothing"),
        after: change.after || text("nothing"),
      }),
    );
}

/**
 * Return the texts of members by their names.
 *
 * @param {ChangedMembers} members
 */
function valuesOf(members) {
  /** @type {Map<string, string>} */
  const values = new Map();
  const { github_repo: repo, github_issue_number: number, start_time, end_time, pauses } = members;
  if (repo !== undefined || number !== undefined) {
    values.set(text("changedIssue"), number ? isolate(`${repo ?? ""}#${number}`) : "");
  }
  if (start_time !== undefined) values.set(text("changedStart"), timeText(start_time));
  if (end_time !== undefined) values.set(text("changedEnd"), timeText(end_time));
  if (pauses?.length) {
    values.set(text("pauses"), pauses.map(({ start, end }) => spanText(start, end)).join(", "));
  }
  if (members.description !== undefined) {
    values.set(text("changedDescription"), members.description && isolate(members.description));
  }
  return values;
}

/** @param {string | null} time */
function timeText(time) {
  return time ? formats.date("moment", new Date(time)) : "";
}

/**
 * @param {string} start
 * @param {string | null} end
 */
function spanText(start, end) {
  return end ? formats.range("time", new Date(start), new Date(end)) : formats.date("time", new Date(start));
}
