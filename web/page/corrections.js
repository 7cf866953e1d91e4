// Corrections of time that has counted. Each sends its requests, and returns a function that undoes it.

import { isoTime } from "./calendar.js";
import { cut } from "./timeline.js";

/** @import { Block, Edge, Stretch } from "./timeline.js" */
/** @import { Pause, Timer } from "./types.d.ts" */

/**
 * Sends a request and returns the body of the response.
 *
 * @typedef {(method: string, path: string, body?: object) => Promise<any>} Send
 */

/**
 * The ids of timers, by the ids of the deleted timers that they replace.
 *
 * @typedef {Record<string, string>} Successors
 */

/** @typedef {() => Promise<Successors | void>} Undo undoes a correction, and returns the timers that replace others */

const TIMERS = "/api/timelogs/";
// A timer that counts stops this long ago, because the estimate of the server's time may be ahead.
const STOP_AGO_MS = 1_000;

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
 * @param {Block[]} blocks all blocks of the day
 * @returns {Promise<Undo>}
 */
export async function moveBorder(send, timer, block, edge, to, blocks) {
  const at = block[edge];
  const changed = { since: Math.min(at, to), until: Math.max(at, to) };
  const isLonger = edge === "since" ? to < at : to > at;
  // The automatic time of other timers yields to a correction, and does not return by itself.
  const yielding = isLonger ? blocks.filter((one) => one.timer !== timer.id && !one.claimed) : [];
  const lost = yielding
    .map((one) => ({ id: one.timer, part: cut(one, changed) }))
    .filter(({ part }) => part.since < part.until);
  const undo = await changeTimer(send, timer, edge, at, to);
  return async () => {
    await undo();
    for (const { id, part } of lost) await (await insertPause(send, { id }, part))();
  };
}

/**
 * @param {Send} send
 * @param {Timer} timer
 * @param {Edge} edge
 * @param {number} at the border
 * @param {number} to
 * @returns {Promise<Undo>}
 */
async function changeTimer(send, timer, edge, at, to) {
  const isStart = edge === "since";
  const field = isStart ? "start_time" : "end_time";
  const former = timer[field];
  if (former && Date.parse(former) === at) {
    await send("PATCH", pathOf(timer), { [field]: isoTime(to) });
    return async () => {
      await send("PATCH", pathOf(timer), { [field]: former });
    };
  }
  const pause = timer.pauses.find(({ start, end }) => Date.parse((isStart ? end : start) ?? "") === at);
  if (pause) return movePause(send, timer, pause, { ...pause, [isStart ? "end" : "start"]: isoTime(to) });
  const changed = { since: Math.min(at, to), until: Math.max(at, to) };
  if (isStart === to < at) return addClaim(send, timer, changed);
  return insertPause(send, timer, changed);
}

/**
 * Change a pause. A pause without length is deleted.
 *
 * @param {Send} send
 * @param {Timer} timer
 * @param {Pause} pause
 * @param {Pause} to
 * @returns {Promise<Undo>}
 */
async function movePause(send, timer, pause, to) {
  const path = await pausePath(send, timer, pause);
  if (to.start === to.end) {
    await send("DELETE", path);
    return async () => {
      await send("POST", `${pathOf(timer)}pauses/`, pause);
    };
  }
  await send("PUT", path, to);
  return async () => {
    await send("PUT", await pausePath(send, timer, to), pause);
  };
}

/**
 * Insert a pause into a timer's time. If this is undone, the time counts for the timer, whatever the others do.
 *
 * @param {Send} send
 * @param {{id: string}} timer
 * @param {Stretch} stretch
 * @returns {Promise<Undo>}
 */
export async function insertPause(send, timer, { since, until }) {
  const pause = { start: isoTime(since), end: isoTime(until) };
  await send("POST", `${pathOf(timer)}pauses/`, pause);
  return async () => {
    await send("DELETE", await pausePath(send, timer, pause));
  };
}

/**
 * Return the path of a pause. Its number may have changed since the timer was loaded.
 *
 * @param {Send} send
 * @param {{id: string}} timer
 * @param {Pause} pause
 */
async function pausePath(send, timer, { start, end }) {
  /** @type {Timer} */
  const { pauses } = await send("GET", pathOf(timer));
  const number = pauses.findIndex((one) => one.start === start && one.end === end);
  return `${pathOf(timer)}pauses/${number}/`;
}

/**
 * Add an entry on a timer's issue.
 *
 * @param {Send} send
 * @param {Timer} timer
 * @param {Stretch} stretch
 * @returns {Promise<Undo>}
 */
async function addClaim(send, timer, { since, until }) {
  const { description } = timer;
  const body = { ...issueOf(timer), description, start_time: isoTime(since), end_time: isoTime(until) };
  const added = await send("POST", TIMERS, body);
  return deletionOf(send, added);
}

/**
 * Return a function that undoes the addition of a timer.
 *
 * @param {Send} send
 * @param {{id: string}} timer
 * @returns {Undo}
 */
export function deletionOf(send, timer) {
  return async () => {
    await send("DELETE", pathOf(timer));
  };
}

/**
 * Split a timer in two.
 *
 * @param {Send} send
 * @param {Timer} timer
 * @param {number} at
 * @returns {Promise<Undo>}
 */
export async function splitTimer(send, timer, at) {
  const parts = await splitAt(send, timer, at);
  return () => join(send, parts, parts.second);
}

/** @typedef {{first: Timer, second: Timer}} Parts */

/**
 * @param {Send} send
 * @param {Timer} timer
 * @param {number} at
 * @returns {Promise<Parts>}
 */
async function splitAt(send, timer, at) {
  return send("POST", `${pathOf(timer)}split/`, { at: isoTime(at) });
}

/**
 * Undo a split: delete the first part, and give its time and its pauses to the timer that follows it.
 *
 * @param {Send} send
 * @param {Parts} parts
 * @param {Timer} following the second part, or the timer that it has become a part of
 * @returns {Promise<Successors>}
 */
async function join(send, { first, second }, following) {
  const between = { start: /** @type {string} */ (first.end_time), end: second.start_time };
  const pauses = between.start === between.end ? first.pauses : [...first.pauses, between];
  await send("DELETE", pathOf(first));
  await send("PATCH", pathOf(following), { start_time: first.start_time });
  for (const pause of pauses) await send("POST", `${pathOf(following)}pauses/`, pause);
  return { [first.id]: following.id };
}

/**
 * Move a block to another issue. If the timer has more time than the block, the block is split off.
 *
 * @param {Send} send
 * @param {Timer} timer
 * @param {Block} block
 * @param {object} changes the fields of the new issue, and the new description if it differs
 * @param {number} now
 * @returns {Promise<Undo>}
 */
export async function moveToIssue(send, timer, block, changes, now) {
  /** @type {Parts[]} */
  const splits = [];
  let part = timer;
  if (block.since > Date.parse(timer.start_time)) {
    splits.push(await splitAt(send, part, block.since));
    part = splits[0].second;
  }
  let last = part;
  if (block.until < Date.parse(timer.end_time ?? isoTime(now))) {
    const parts = await splitAt(send, part, block.until);
    splits.push(parts);
    part = parts.first;
    last = parts.second;
  }
  await send("PATCH", pathOf(part), changes);
  return async () => {
    const { description } = timer;
    await send("PATCH", pathOf(part), { ...issueOf(timer), description });
    const successors = {};
    for (const parts of splits.reverse()) Object.assign(successors, await join(send, parts, last));
    return successors;
  };
}

/**
 * Delete a block. A timer without other working time is deleted, else a pause replaces the block.
 *
 * @param {Send} send
 * @param {Timer} timer
 * @param {Block} block
 * @returns {Promise<Undo>}
 */
export async function removeBlock(send, timer, block) {
  const seconds = ((block.until - block.since) * block.share) / 1000;
  if (!timer.end_time || timer.working_duration - seconds >= 1) return insertPause(send, timer, block);
  await send("DELETE", pathOf(timer));
  const { description, start_time, end_time, pauses } = timer;
  return async () => {
    const added = await send("POST", TIMERS, { ...issueOf(timer), description, start_time, end_time });
    for (const pause of pauses) await send("POST", `${pathOf(added)}pauses/`, pause);
    return { [timer.id]: added.id };
  };
}

/**
 * End a timer at a time since which its owner has been away. The time that has counted since then falls to no other
 * timer.
 *
 * The stop lies at the end of that time, because a correction takes time away and a stop passes it on.
 *
 * @param {Send} send
 * @param {{id: string}} shown
 * @param {number} at the end; the timer's start if it is later
 * @param {Block[]} counted what has counted for the timer since then, in order
 * @param {number} earliest actions may be at this instant or later
 * @returns {Promise<Undo>}
 */
export async function endTimer(send, shown, at, counted, earliest) {
  /** @type {Timer} */
  const timer = await send("GET", pathOf(shown));
  const end = Math.max(at, Date.parse(timer.start_time));
  const last = counted.at(-1);
  // The timer has become stale before, or did not count any more.
  if (!last || (timer.end_time && Date.parse(timer.end_time) <= end)) return async () => {};
  const pauseEnds = timer.pauses.map(({ end: to }) => Date.parse(to ?? "") || 0);
  const stopAt = Math.max(end, last.until - (timer.is_counting ? STOP_AGO_MS : 1), ...pauseEnds);
  const isRecent = timer.status === "running" && stopAt >= earliest;
  const stopped = timer.end_time
    ? timer
    : await send("POST", `${pathOf(timer)}stop/`, isRecent ? { at: isoTime(stopAt) } : undefined);
  const undo = await correctEnd(send, stopped, end, counted);
  return async () => {
    await undo();
    // Any other act could open overtime, or let a timer count that did not.
    const isExact = isRecent && (timer.is_counting || !last.overtime);
    if (isExact) await startAgain(send, timer, stopAt);
  };
}

/**
 * Correct the end of a stopped timer.
 *
 * @param {Send} send
 * @param {Timer} timer
 * @param {number} at
 * @param {Stretch[]} counted what has counted for the timer since then, in order
 * @returns {Promise<Undo>}
 */
async function correctEnd(send, timer, at, counted) {
  const { end_time: end } = timer;
  const stopped = Date.parse(/** @type {string} */ (end));
  // The length of pauses stays the same when the end is corrected, also of those after it.
  const later = timer.pauses.filter((pause) => Date.parse(pause.end ?? "") > at);
  for (const pause of later) await send("DELETE", await pausePath(send, timer, pause));
  const begun = later.map(({ start }) => Date.parse(start)).filter((start) => start < at);
  await send("PATCH", pathOf(timer), { end_time: isoTime(Math.min(at, ...begun)) });
  return async () => {
    await send("PATCH", pathOf(timer), { end_time: end });
    // The correction states all time up to the end, also nights.
    let since = Math.min(at, ...begun);
    for (const part of [...counted, { since: stopped, until: stopped }]) {
      const pause = { since, until: Math.min(Math.max(part.since, at), stopped) };
      if (pause.since < pause.until) await insertPause(send, timer, pause);
      since = Math.max(since, part.until);
    }
  };
}

/**
 * Start a timer like one that has been stopped, which cannot be resumed.
 *
 * @param {Send} send
 * @param {Timer} timer
 * @param {number} at
 */
async function startAgain(send, timer, at) {
  const { description } = timer;
  await send("POST", `${TIMERS}start/`, { ...issueOf(timer), description, at: isoTime(at) });
}

/**
 * Take away time, as pauses of the timers for which it counted.
 *
 * @param {Send} send
 * @param {(Stretch & {timer: string})[]} parts
 * @returns {Promise<Undo>}
 */
export async function takeAway(send, parts) {
  /** @type {Undo[]} */
  const undos = [];
  for (const { timer, since, until } of parts) {
    undos.push(await insertPause(send, { id: timer }, { since, until }));
  }
  return async () => {
    for (const undo of undos.reverse()) await undo();
  };
}
