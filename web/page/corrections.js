// Corrections of time that has counted. Each sends its requests, which the stack of undoable actions records.

import { isoTime } from "./calendar.js";

/** @import { Block, Edge, Stretch } from "./timeline.js" */
/** @import { Pause, Timer } from "./types.d.ts" */

/**
 * Sends a request and returns the body of the response.
 *
 * @typedef {(method: string, path: string, body?: object) => Promise<any>} Send
 */

const TIMERS = "/api/timelogs/";

/** @param {{id: string}} timer */
const pathOf = ({ id }) => `${TIMERS}${id}/`;

/** @param {Timer} timer */
const issueOf = ({ github_repo, github_issue_number }) =>
  github_repo ? { github_repo, github_issue_number } : { github_issue_url: null };

/**
 * Move a border of a block.
 *
 * A border at the timer's start or end, or at a pause, moves with it. At another border, working hours begin or
 * end or another timer counts: more time becomes an entry of its own, and less time becomes a pause.
 *
 * @param {Send} send
 * @param {Timer} timer
 * @param {Block} block
 * @param {Edge} edge
 * @param {number} to
 */
export async function moveBorder(send, timer, block, edge, to) {
  const at = block[edge];
  const isStart = edge === "since";
  const field = isStart ? "start_time" : "end_time";
  const former = timer[field];
  if (former && Date.parse(former) === at) {
    await send("PATCH", pathOf(timer), { [field]: isoTime(to) });
    return;
  }
  const number = timer.pauses.findIndex(({ start, end }) => Date.parse((isStart ? end : start) ?? "") === at);
  if (number >= 0) {
    const pause = timer.pauses[number];
    await movePause(send, timer, number, { ...pause, [isStart ? "end" : "start"]: isoTime(to) });
    return;
  }
  const changed = { since: Math.min(at, to), until: Math.max(at, to) };
  await (isStart === to < at ? addClaim : insertPause)(send, timer, changed);
}

/**
 * Change a pause. A pause without length is deleted.
 *
 * @param {Send} send
 * @param {Timer} timer
 * @param {number} number the pause's position
 * @param {Pause} to
 */
async function movePause(send, timer, number, to) {
  const path = `${pathOf(timer)}pauses/${number}/`;
  if (to.start === to.end) await send("DELETE", path);
  else await send("PUT", path, to);
}

/**
 * Insert a pause into a timer's time.
 *
 * @param {Send} send
 * @param {{id: string}} timer
 * @param {Stretch} stretch
 */
export async function insertPause(send, timer, { since, until }) {
  await send("POST", `${pathOf(timer)}pauses/`, { start: isoTime(since), end: isoTime(until) });
}

/**
 * Add an entry on a timer's issue.
 *
 * @param {Send} send
 * @param {Timer} timer
 * @param {Stretch} stretch
 */
async function addClaim(send, timer, { since, until }) {
  const { description } = timer;
  const times = { start_time: isoTime(since), end_time: isoTime(until) };
  await send("POST", TIMERS, { ...issueOf(timer), description, ...times });
}

/**
 * Split a timer in two.
 *
 * @param {Send} send
 * @param {{id: string}} timer
 * @param {number} at
 * @returns {Promise<{first: Timer, second: Timer}>}
 */
export async function splitTimer(send, timer, at) {
  return send("POST", `${pathOf(timer)}split/`, { at: isoTime(at) });
}

/**
 * Move a block to another issue. If the timer has more time than the block, the block is split off.
 *
 * @param {Send} send
 * @param {Timer} timer
 * @param {Stretch} block until `Infinity` if it still grows
 * @param {object} changes the fields of the new issue, and the new description if it differs
 * @param {number} now
 */
export async function moveToIssue(send, timer, block, changes, now) {
  let part = timer;
  if (block.since > Date.parse(timer.start_time)) part = (await splitTimer(send, part, block.since)).second;
  if (block.until < Date.parse(timer.end_time ?? isoTime(now))) {
    part = (await splitTimer(send, part, block.until)).first;
  }
  await send("PATCH", pathOf(part), changes);
}

/**
 * Delete a block. A timer without other working time is deleted, else a pause replaces the block.
 *
 * @param {Send} send
 * @param {Timer} timer
 * @param {Block} block
 */
export async function removeBlock(send, timer, block) {
  const seconds = ((block.until - block.since) * block.share) / 1000;
  if (!timer.end_time || timer.working_duration - seconds >= 1) await insertPause(send, timer, block);
  else await send("DELETE", pathOf(timer));
}

/**
 * End a timer at a time since which its owner has been away. The time that has counted since then falls to no other
 * timer.
 *
 * @param {Send} send
 * @param {{id: string}} shown
 * @param {number} at the end; the timer's start if it is later
 */
export async function endTimer(send, shown, at) {
  /** @type {Timer} */
  const timer = await send("GET", pathOf(shown));
  const end = Math.max(at, Date.parse(timer.start_time));
  // The timer may have ended before.
  if (timer.end_time && Date.parse(timer.end_time) <= end) return;
  // The length of a stopped timer's pauses stays the same when its end is corrected, also of those after it.
  const later = timer.end_time ? timer.pauses.filter((pause) => Date.parse(pause.end ?? "") > end) : [];
  for (const _ of later)
    await send("DELETE", `${pathOf(timer)}pauses/${timer.pauses.length - later.length}/`);
  const begun = later.map(({ start }) => Date.parse(start)).filter((start) => start < end);
  await send("PATCH", pathOf(timer), { end_time: isoTime(Math.min(end, ...begun)) });
}

/**
 * Take away time, as pauses of the timers for which it counted.
 *
 * @param {Send} send
 * @param {(Stretch & {timer: string})[]} parts
 */
export async function takeAway(send, parts) {
  for (const { timer, since, until } of parts) await insertPause(send, { id: timer }, { since, until });
}
