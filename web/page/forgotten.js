// Forgotten time: time that has counted since the person's last sign of life, and what to ask about it.

import { HOUR_MS, isoTime } from "./calendar.js";
import { isFrozen } from "./sheets.js";
import { cut, secondsOf, toBlocks } from "./timeline.js";

/** @import { Block, Stretch } from "./timeline.js" */
/** @import { SheetDay, Slice, Timer } from "./types.d.ts" */

/**
 * The facts known when a person comes back. All times are in milliseconds since the epoch, by the server's clock.
 *
 * @typedef {object} Return
 * @property {number} now
 * @property {number} sign the last sign of life
 * @property {number} [answered] the time before this instant has been answered for
 * @property {number} [dismissed] when the person last dismissed a question
 * @property {Stretch[]} [confirmed] the confirmed days, which are not asked about
 * @property {(timer: string) => number} [endOf] returns when a timer ended; by default all timers are open
 */

/**
 * Time to ask about.
 *
 * @typedef {object} Question
 * @property {"counting" | "overtime"} kind `overtime`: overtime that counted to its limit and has ended
 * @property {Block[]} parts the time that counted, in order
 * @property {boolean} isOngoing whether it still counts
 * @property {number} seconds its working time
 * @property {number} until its end
 * @property {number} left the end to propose: the last sign of life, or the beginning of the time
 * @property {number} firstEnd the end of the first part without a gap
 */

/** Less time than this without a sign of life is not asked about. */
export const LEAST_MS = 2 * HOUR_MS;

/** The API accepts actions in the past of the last three days. The limit allows for the time until the request. */
export const OFFLINE_MS = 71 * HOUR_MS;

// The server's time is an estimate: a slice that counts may seem to have ended this long ago.
const INEXACT_MS = 60_000;

/**
 * Return the time of the last sign of life on timers; 0 if there are none.
 *
 * @param {{last_sign_at?: string}[]} timers
 */
export function lastSign(timers) {
  return Math.max(0, ...timers.map(({ last_sign_at }) => Date.parse(last_sign_at ?? "") || 0));
}

/**
 * Return the longest time that timers can have counted since the last sign of life.
 *
 * @param {{end_time?: string | null}[]} timers
 * @param {number} sign
 * @param {number} now
 */
export function longestAbsence(timers, sign, now) {
  return Math.max(0, ...timers.map(({ end_time }) => (end_time ? Date.parse(end_time) : now) - sign));
}

/**
 * Return the times of the confirmed and locked days.
 *
 * @param {Pick<SheetDay, "state" | "since" | "until">[]} days
 * @returns {Stretch[]}
 */
export function confirmedTimes(days) {
  return days
    .filter(isFrozen)
    .map(({ since, until }) => ({ since: Date.parse(since), until: Date.parse(until) }));
}

/**
 * Return what to ask a person who comes back. Several timers that counted are one question, because the person went
 * away from all of them. Overtime that has ended is asked about first, because today's time stays whatever the answer
 * is. Statements are never asked about.
 *
 * @param {Slice[]} slices from the last sign of life on; those that count end at the present
 * @param {Return} known
 * @returns {{question: Question | null, askAt: number}} and the earliest instant at which there may be a question
 */
export function forgottenTime(slices, known) {
  const { now, sign, answered = 0, dismissed = 0, confirmed = [], endOf = () => Infinity } = known;
  const since = Math.max(sign, answered);
  const blocks = automatic(slices, { since, until: now }, confirmed);
  const unanswered = automatic(slices, { since: Math.max(since, dismissed), until: now }, confirmed);
  const missing = LEAST_MS - sumOfRuns(runsOf(unanswered));
  if (missing > 0) return { question: null, askAt: now + missing };
  for (const run of runsOf(blocks)) {
    const parts = isOngoing(run, now) ? [] : overtimeAtTheEndOf(run, blocks);
    if (sumOfRuns(runsOf(parts)) >= LEAST_MS) {
      const [{ since: left }] = parts;
      return { question: { kind: "overtime", left, ...summaryOf(parts, now) }, askAt: now };
    }
  }
  // A timer that has run on a confirmed day cannot end before it.
  const parts = blocks.filter(
    (block) => !confirmed.some((day) => block.until <= day.since && day.since < endOf(block.timer)),
  );
  const missingParts = LEAST_MS - sumOfRuns(runsOf(parts));
  if (missingParts > 0) return { question: null, askAt: now + missingParts };
  const [first] = parts;
  const ended = confirmed.map(({ until }) => until).filter((until) => until <= first.since);
  const left = Math.max(answered, ...ended) > sign ? first.since : sign;
  return { question: { kind: "counting", left, ...summaryOf(parts, now) }, askAt: now };
}

/**
 * Return the act that keeps the time: a switch to a timer that counts already, or did so at the end of the working
 * hours. It is a sign of life and changes nothing else. At the present, the act would open overtime after working hours,
 * and renew overtime that counts.
 *
 * @param {Slice[]} slices
 * @param {Pick<Timer, "id" | "waiting_for">[]} timers
 * @param {number} now
 * @param {Stretch[]} [confirmed] the confirmed days, in which no act is possible
 * @returns {{timer: string, at: number | null} | null} `at`: null for the present; null if no such act is possible
 */
export function keepingAct(slices, timers, now, confirmed = []) {
  const blocks = automatic(slices, { since: 0, until: now });
  const present = blocks.find((block) => isOngoing(block, now) && !block.overtime);
  if (present) return { timer: present.timer, at: null };
  const last = blocks.sort((one, other) => other.until - one.until)[0];
  const timer = timers.find(({ id }) => id === last?.timer);
  if (timer?.waiting_for !== "schedule" || last.overtime || last.until < now - OFFLINE_MS) return null;
  const at = last.until - 1;
  return confirmed.some(({ since, until }) => since <= at && at < until) ? null : { timer: timer.id, at };
}

/**
 * Return the end that the time field shows at first.
 *
 * @param {Question} question
 * @param {number} seen when the page was last visible; 0 if unknown
 */
export function proposedEnd({ left, until, firstEnd }, seen) {
  if (left < seen && seen < until) return Math.floor(seen / 60_000) * 60_000;
  return firstEnd < until ? firstEnd : left;
}

/**
 * Let the slices of timers that count end at the present.
 *
 * @param {Slice[]} slices
 * @param {number} loadedAt
 * @param {number} now
 * @param {(timer: string) => boolean} isCounting
 * @returns {Slice[]}
 */
export function grown(slices, loadedAt, now, isCounting) {
  const until = isoTime(now);
  return slices.map((slice) =>
    Date.parse(slice.until) >= loadedAt - INEXACT_MS && isCounting(slice.timer) ? { ...slice, until } : slice,
  );
}

/**
 * Return the parts of slices that lie in a range, outside of confirmed days, and were not stated.
 *
 * @param {Slice[]} slices
 * @param {Stretch} range
 * @param {Stretch[]} [confirmed]
 * @returns {Block[]} in order of their beginnings
 */
function automatic(slices, range, confirmed = []) {
  let blocks = toBlocks(slices.filter(({ rule }) => rule !== "claim")).map((block) => part(block, range));
  for (const { since, until } of confirmed) {
    blocks = blocks.flatMap((block) => [
      part(block, { since: -Infinity, until: since }),
      part(block, { since: until, until: Infinity }),
    ]);
  }
  return blocks.filter(({ since, until }) => since < until).sort((one, other) => one.since - other.since);
}

/**
 * @param {Block} block
 * @param {Stretch} range
 * @returns {Block}
 */
function part(block, range) {
  return { ...block, ...cut(block, range) };
}

/**
 * Join blocks that overlap or adjoin, whatever their timers.
 *
 * @param {Stretch[]} blocks in order of their beginnings
 * @returns {Stretch[]}
 */
function runsOf(blocks) {
  /** @type {Stretch[]} */
  const runs = [];
  for (const { since, until } of blocks) {
    const last = runs.at(-1);
    if (last && since <= last.until) last.until = Math.max(last.until, until);
    else runs.push({ since, until });
  }
  return runs;
}

/** @param {Stretch[]} runs */
function sumOfRuns(runs) {
  return runs.reduce((sum, { since, until }) => sum + until - since, 0);
}

/**
 * @param {Stretch} stretch
 * @param {number} now
 */
function isOngoing({ until }, now) {
  // The end of a slice is in whole milliseconds.
  return until >= Math.floor(now);
}

/**
 * @param {Stretch} run
 * @param {Block[]} blocks
 */
function overtimeAtTheEndOf(run, blocks) {
  const inRun = blocks.filter(({ since, until }) => run.since <= since && until <= run.until);
  const worked = inRun.filter(({ overtime }) => !overtime).map(({ until }) => until);
  return inRun.filter(({ overtime, since }) => overtime && since >= Math.max(run.since, ...worked));
}

/**
 * @param {Block[]} parts
 * @param {number} now
 */
function summaryOf(parts, now) {
  const runs = runsOf(parts);
  const last = runs[runs.length - 1];
  return {
    parts,
    isOngoing: isOngoing(last, now),
    seconds: secondsOf(parts),
    until: last.until,
    firstEnd: runs[0].until,
  };
}
