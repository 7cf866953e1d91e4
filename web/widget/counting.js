// Which of a user's timers count, and how much. The server knows; between its responses, and without a connection,
// the widget continues from the last response.

/** @import { Countable, Kind, OpenTimer } from "./types.d.ts" */

/**
 * Return a timer at a later time. Counting begins and ends with the working hours by itself.
 *
 * @template {Countable} T
 * @param {T} timer
 * @param {number} time
 * @returns {T}
 */
export function advance(timer, time) {
  const { status, as_of, is_counting, counting_share, waiting_for } = timer;
  if (status !== "running" || time <= as_of) return timer;
  const change = changeOf(timer);
  const isChanged = change <= time;
  const until = isChanged ? Math.max(change, as_of) : time;
  const seconds = (until - as_of) / 1_000;
  const next = {
    ...timer,
    as_of: until,
    active_duration: timer.active_duration + seconds,
    working_duration: timer.working_duration + (is_counting ? seconds * counting_share : 0),
  };
  if (!isChanged) return next;
  // Only the server knows which timer counts after a break.
  const reason = is_counting ? "schedule" : waiting_for;
  return advance({ ...next, ...standing(waiting_for === "schedule" ? null : reason) }, time);
}

/**
 * Return when a timer begins or ceases to count by itself.
 *
 * @param {Pick<Countable, "counting_changes_at">} timer
 * @returns {number} NaN if it does not, or if the time is unknown
 */
export function changeOf({ counting_changes_at }) {
  return Date.parse(counting_changes_at ?? "");
}

/**
 * Return the seconds of a time that count.
 *
 * @param {Countable[]} timers
 * @param {number} since
 * @param {number} until
 */
export function worked(timers, since, until) {
  const counted = (/** @type {number} */ time) =>
    timers.reduce((sum, timer) => sum + advance(timer, time).working_duration, 0);
  return Math.max(0, counted(until) - counted(since));
}

/**
 * Return the fields of a timer that counts or waits.
 *
 * @param {Countable["waiting_for"]} [waiting_for] null if the timer counts
 * @param {?string} [counting_changes_at]
 */
export function standing(waiting_for = null, counting_changes_at = null) {
  return { is_counting: !waiting_for, waiting_for, counting_share: 1, counting_changes_at, why: null };
}

/**
 * Predict the effect of an action on the other timers. One timer counts at a time, unless the timers show that they
 * share the time or count in parallel.
 *
 * @param {OpenTimer[]} timers the timers after the action, before its effect on others
 * @param {Kind} kind
 * @param {OpenTimer} former the timer before the action
 * @param {OpenTimer} acted the timer after the action
 * @returns {OpenTimer[]}
 */
export function withEffect(timers, kind, former, acted) {
  const rules = [acted, ...timers].map(({ why }) => why?.rule);
  if (rules.includes("parallel")) return timers;
  if (rules.includes("shared")) {
    const counting_share = 1 / timers.filter(({ is_counting }) => is_counting).length;
    return timers.map((timer) => ({ ...timer, counting_share }));
  }
  const wait = (/** @type {"focus" | "break"} */ reason) =>
    timers.map((timer) =>
      timer.id === former.id || timer.status === "paused" ? timer : { ...timer, ...standing(reason) },
    );
  if (kind !== "stop" && acted.is_counting) return wait("focus");
  if (!former.is_counting) return timers;
  if (kind === "pause") return wait("break");
  // The focus passes on to a timer that the user has chosen or, if there is none, to the oldest one.
  const waiting = timers.filter(({ waiting_for }) => waiting_for === "focus");
  const next = waiting.find(({ source }) => source === "manual") ?? waiting.at(-1);
  return timers.map((timer) =>
    timer === next ? { ...timer, ...standing(null, former.counting_changes_at) } : timer,
  );
}
