import { MAX_SKEW_MS } from "./clock.js";

/** @import { Action, ApiTimer, Issue, Timer, Transition } from "./types.d.ts" */

/**
 * A user's open timers. They are the timers that the server has confirmed, with the pending actions of all
 * tabs applied.
 */
export class TimerState {
  /** The open timers that the server has confirmed, newest first. @type {?ApiTimer[]} */
  confirmed = null;
  /** The time at which the server confirmed the timers, by the server's clock. */
  confirmedAt = 0;
  /** The entity tag of the server's last list. The tag is empty if a timer was changed later. */
  etag = "";
  /** The pending actions by key. @type {Map<string, Action>} */
  pending = new Map();
  // The keys of the timers that this browser started, by the timers' ids. The server assigns the ids.
  #keys = new Map();
  // The times of this tab's actions. If a timer was paused at such a time, the action caused the pause. The
  // times of a year's actions need less than 1 MB.
  #ownTimes = new Set();
  #lastTime = 0;

  /** Switch to another user. @param {Action[]} pending the user's pending actions */
  reset(pending) {
    this.confirmed = null;
    this.etag = "";
    this.pending = new Map(pending.map((action) => [action.key, action]));
  }

  /** The open timers, as they are shown. @returns {Timer[]} */
  get timers() {
    const timers = (this.confirmed ?? []).map((timer) => ({
      key: this.#keys.get(timer.id) ?? timer.id,
      ...timer,
    }));
    return [...this.pending.values()].sort((one, other) => one.at - other.at).reduce(apply, timers);
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
   * @param {ApiTimer[]} timers
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
    for (const timer of timers) {
      const before = former.find(({ id }) => id === timer.id)?.status;
      if (before === timer.status) continue;
      const action = !before ? "start" : timer.status === "paused" ? "pause" : "resume";
      const isOwn = action === "pause" && this.#ownTimes.has(Date.parse(timer.last_pause_time ?? ""));
      transitions.push({ action, timer, isOwn });
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
   * @param {ApiTimer} timer from the response
   * @param {number} at
   * @param {boolean} isOwn whether the action was made in this tab
   * @returns {Transition}
   */
  confirm({ key, kind, timer: id, at: time }, timer, at, isOwn) {
    if (isOwn) this.#ownTimes.add(time);
    this.pending.delete(key);
    if (kind === "start") {
      this.#keys.set(timer.id, key);
      for (const later of this.pending.values()) if (later.timer === key) later.timer = timer.id;
    }
    const before = this.confirmed ?? [];
    const index = before.findIndex((one) => one.id === timer.id);
    this.confirmed = before.filter((one) => one.id !== timer.id && one.id !== id);
    if (timer.status !== "stopped") this.confirmed.splice(Math.max(0, index), 0, timer);
    this.confirmedAt = at;
    // The entity tag belongs to the list before this change.
    this.etag = "";
    return { action: kind, timer, isOwn };
  }
}

/** @returns {Timer[]} the timers after an action @param {Timer[]} timers @param {Action} action */
function apply(timers, { key, kind, timer: id, issue, at }) {
  if (issue)
    return timers.some((timer) => isOn(timer, issue)) ? timers : [started(key, issue, at), ...timers];
  return timers.flatMap((timer) => {
    if (timer.id !== id) return timer;
    if (kind === "stop") return [];
    const { status, active_duration, as_of } = timer;
    const next = { ...timer, is_pending: true };
    if (kind === "pause" && status === "running") {
      next.status = "paused";
      next.active_duration = active_duration + Math.max(0, at - as_of) / 1_000;
    }
    if (kind === "resume" && status === "paused") {
      next.status = "running";
      next.as_of = at;
    }
    return next;
  });
}

/** @returns {Timer} @param {string} key @param {Issue} issue @param {number} at */
function started(key, issue, at) {
  return {
    key,
    id: key,
    status: "running",
    active_duration: 0,
    as_of: at,
    is_pending: true,
    source: "manual",
    start_time: new Date(at).toISOString(),
    description: "",
    ...issue,
    github_issue_url: `https://github.com/${issue.github_repo}/issues/${issue.github_issue_number}`,
  };
}

/**
 * @param {Timer} timer
 * @param {Issue} issue
 * @returns {boolean} whether the timer is on the issue; GitHub ignores the case of names
 */
export function isOn(timer, issue) {
  return (
    timer.github_issue_number === issue.github_issue_number &&
    timer.github_repo?.toLowerCase() === issue.github_repo.toLowerCase()
  );
}
