import { MAX_SKEW_MS } from "./clock.js";
import { advance, changeOf, standing, withEffect } from "./counting.js";

/** @import { Action, NewTimer, OpenTimer, Timer, Transition } from "./types.d.ts" */

/**
 * A user's open timers. They are the timers that the server has confirmed, with the pending actions of all
 * tabs applied.
 */
export class TimerState {
  /** The open timers that the server has confirmed, newest first. @type {?OpenTimer[]} */
  confirmed = null;
  /** The time at which the server confirmed the timers, by the server's clock. */
  confirmedAt = 0;
  /** The entity tag of the server's last list. The tag is empty if a timer was changed later. */
  etag = "";
  /** The pending actions by key. @type {Map<string, Action>} */
  pending = new Map();
  // The keys of the timers that this browser started, by the timers' ids. The server assigns the ids.
  #keys = new Map();
  #lastTime = 0;

  /** Switch to another user. @param {Action[]} pending the user's pending actions */
  reset(pending) {
    this.confirmed = null;
    this.etag = "";
    this.pending = new Map(pending.map((action) => [action.key, action]));
  }

  /**
   * Return the open timers as they are shown at a time.
   *
   * @param {number} now
   * @returns {Timer[]}
   */
  timersAt(now) {
    let timers = this.confirmed ?? [];
    for (const action of [...this.pending.values()].sort((one, other) => one.at - other.at)) {
      timers = apply(timers, action);
    }
    return timers
      .map((timer) => ({
        ...(changeOf(timer) <= now ? advance(timer, now) : timer),
        key: this.#keys.get(timer.id) ?? timer.id,
      }))
      .sort((one, other) => rank(other) - rank(one));
  }

  /**
   * Return the time for a new action. The time is later than the times of all other actions, even if another
   * tab's clock is ahead.
   *
   * @param {number} now
   */
  timeAt(now) {
    // If no action is pending, limit a last time that is in the future. A wrong clock may have caused such a
    // time.
    const last = this.pending.size ? this.#lastTime : Math.min(this.#lastTime, now + MAX_SKEW_MS);
    return (this.#lastTime = Math.max(Math.round(now), last + 1));
  }

  /** Make the times of new actions later than a time. @param {number} time */
  noteTime(time) {
    this.#lastTime = Math.max(this.#lastTime, time);
  }

  /** Add a pending action that was made in this tab or in another tab. @param {Action} action */
  add(action) {
    this.pending.set(action.key, action);
    this.noteTime(action.at);
  }

  /**
   * Adopt a list of open timers from the server.
   *
   * @param {OpenTimer[]} timers
   * @param {number} at
   * @param {string} etag
   * @returns {Transition[]} the changes that were made on GitHub, on another device or in another tab
   */
  adopt(timers, at, etag) {
    const former = this.confirmed;
    this.confirmed = timers;
    this.confirmedAt = at;
    this.etag = etag;
    // Report no transitions while actions are pending, because the confirmations of the actions report them.
    if (!former || this.pending.size) return [];
    /** @type {Transition[]} */
    const transitions = [];
    const isAnyCounting = timers.some((timer) => timer.is_counting);
    for (const timer of timers) {
      const before = former.find(({ id }) => id === timer.id);
      const action = actionBetween(before, timer, isAnyCounting);
      if (action) transitions.push({ action, timer, isOwn: false });
    }
    for (const timer of former) {
      if (!timers.some(({ id }) => id === timer.id))
        transitions.push({ action: "stop", timer, isOwn: false });
    }
    return transitions;
  }

  /**
   * Replace a pending action by the server's response.
   *
   * @param {Action} action
   * @param {OpenTimer} timer from the response
   * @param {number} at
   * @param {boolean} isOwn whether the action was made in this tab
   * @returns {Transition}
   */
  confirm(action, timer, at, isOwn) {
    const { key, kind, timer: id } = action;
    this.pending.delete(key);
    if (kind === "start") {
      this.#keys.set(timer.id, key);
      for (const later of this.pending.values()) if (later.timer === key) later.timer = timer.id;
    }
    const before = this.confirmed ?? [];
    const index = before.findIndex((one) => one.id === timer.id);
    // The response contains only this timer. Predict the others until the next list.
    this.confirmed = apply(before, action, timer).filter((one) => one.id !== timer.id && one.id !== id);
    if (timer.status !== "stopped") this.confirmed.splice(Math.max(0, index), 0, timer);
    this.confirmedAt = at;
    // The entity tag belongs to the list before this change.
    this.etag = "";
    return { action: kind, timer, isOwn };
  }
}

/**
 * Return a timer's place in the list: what counts is the first, then what will count. During a break, the timer that
 * was paused last is the first, because people resume it next.
 *
 * @param {OpenTimer} timer
 * @returns {number} greater for earlier places
 */
function rank({ is_counting, waiting_for, status, as_of }) {
  if (is_counting) return Infinity;
  if (status === "paused") return as_of;
  return waiting_for === "schedule" || waiting_for === "focus" ? 9e15 : 0;
}

/**
 * @param {OpenTimer | undefined} before
 * @param {OpenTimer} timer
 * @param {boolean} isAnyCounting whether a timer counts. If so, only timers that begin to count are reported.
 * @returns {Transition["action"] | undefined}
 */
function actionBetween(before, { status, is_counting }, isAnyCounting) {
  if (before?.status !== status) return !before ? "start" : status === "paused" ? "pause" : "resume";
  if (before.is_counting !== is_counting && is_counting === isAnyCounting) return "counting";
  return undefined;
}

/**
 * Return the timers after an action.
 *
 * @param {OpenTimer[]} timers
 * @param {Action} action
 * @param {OpenTimer} [response] the timer in the server's response to the action
 * @returns {OpenTimer[]}
 */
function apply(timers, { key, kind, timer: id, issue, at, overtime }, response) {
  const before = timers.map((timer) => advance(timer, at));
  if (issue && before.some((timer) => isOn(timer, issue))) return before;
  const former = issue ? started(key, issue, at) : before.find((timer) => timer.id === id);
  if (!former) return before;
  const { status, as_of } = former;
  const acted = { ...former, is_pending: true };
  if (kind === "pause") Object.assign(acted, standing(), { status: "paused", is_counting: false });
  if (issue || kind === (status === "paused" ? "resume" : "focus")) {
    const change = overtime ? null : before.find((timer) => timer.is_counting)?.counting_changes_at;
    Object.assign(acted, standing(null, change), { status: "running", as_of: Math.max(at, as_of) });
  }
  const after = [...(issue ? [former] : []), ...before].flatMap((timer) => {
    if (timer !== former) return timer;
    return kind === "stop" ? [] : acted;
  });
  return withEffect(after, kind, former, response ?? acted);
}

/** @returns {OpenTimer} @param {string} key @param {NewTimer} issue @param {number} at */
function started(key, issue, at) {
  return {
    id: key,
    status: "running",
    active_duration: 0,
    working_duration: 0,
    ...standing(),
    as_of: at,
    source: "manual",
    start_time: new Date(at).toISOString(),
    description: "",
    // The server's response contains the address.
    github_issue_url: null,
    github_repo: null,
    github_issue_number: null,
    ...issue,
  };
}

/**
 * @param {OpenTimer} timer
 * @param {NewTimer} issue
 * @returns {boolean} whether the timer is on the issue; GitHub ignores the case of names
 */
export function isOn(timer, issue) {
  return (
    timer.github_issue_number === issue.github_issue_number &&
    timer.github_repo?.toLowerCase() === issue.github_repo?.toLowerCase()
  );
}
