import { ApiClient } from "./widget/api-client.js";
import { ServerClock } from "./widget/clock.js";
import { Outbox } from "./widget/outbox.js";
import { randomName, tab } from "./widget/storage.js";

const LIST = "/api/timelogs/?end_time__isnull=true&page_size=100";
const POLL_MS = 15_000;
// From when on nobody seems to be there, how often to ask then.
const IDLE = [
  [3_600_000, 60_000],
  [600_000, 30_000],
];
// How much longer to wait after another tab has asked, so that it goes on doing so.
const AFTER_OTHERS_MS = 2_000;
const LONGEST_WAIT_MS = 60_000;
// How often to try what the server answers with an error of its own, which may be about this action alone.
const MOST_TRIES = 6;
// A wall clock is adjusted by less than this all the time; more was a person, or the machine slept.
const JUMP_MS = 2_000;
// How far two tabs may be apart about the server's time, at most.
const APART_MS = 1_000;

/** @import { Issue, State, Timer } from "./widget/types.d.ts" */

/**
 * A person's open timers, in step with the server and with the other tabs; docs/widget.md says how to use it.
 * What is done shows at once, is taken back if the server refuses it, and waits while there is no connection.
 * widget/types.d.ts has the events.
 */
export class TimerManager extends EventTarget {
  /** @type {State} */
  state = { phase: "loading", isConnected: true, isBusy: false, isExpired: false, timers: [], waiting: 0 };

  /** Sends requests as the person who is signed in, also others than the manager does. @readonly */
  api;

  #clock = new ServerClock();
  #user = null;
  // Somebody else may be signed in by now, or it may be another time.
  #isInDoubt = false;
  #outbox = null;
  #channel = null;
  #listeners = null;

  // What the server said last, when (by its clock), and what names it.
  #known = null;
  #knownAt = 0;
  #etag = "";
  // What was done and not answered, by key, also in other tabs.
  #actions = new Map();
  // The keys of timers that were started here, by the id that the server gave them.
  #keys = new Map();
  // What is done now was done after that, whatever time it is for other tabs.
  #lastAt = 0;
  // What was asked before that does not know what has happened since.
  #changedAt = 0;
  // When what was done here was done: another timer that was paused then was not paused elsewhere.
  // One number for each button that somebody presses: in a year of that, less than a megabyte.
  #doneAt = new Set();

  #today = null;
  #todaySince = 0;
  #todayAsked = 0;
  // How often it was asked for in vain, and when to do so again, though nothing has changed.
  #todayFailures = 0;
  #todayAgain = 0;
  #failures = 0;
  #tries = 0;
  // How often the server answered what is sent now with an error of its own.
  #errors = 0;
  #retryAfter = 0;
  // When the server wants to hear of what was done, at the earliest.
  #notBefore = 0;
  #jumped = 0;
  #lastInput = 0;
  #isSending = false;
  #refreshing = null;
  #pollTimer = 0;
  #sendTimer = 0;
  #tickTimer = 0;

  /** @param {{server?: string}} [options] `server`: Issue Timer's origin, if this module is from another */
  constructor({ server } = {}) {
    super();
    this.api = new ApiClient(server);
  }

  /** The server's time in milliseconds since the epoch, whatever this machine's clock says. */
  get now() {
    return this.#clock.now();
  }

  /** The seconds that were worked today, in the time zone of this machine; null if they are not known. */
  get today() {
    if (!this.#today) return null;
    const running = this.state.timers.filter(({ status }) => status === "running").length;
    return this.#today.seconds + (running * Math.max(0, this.now - this.#today.at)) / 1000;
  }

  /**
   * @param {Timer} timer
   * @returns {number} its active seconds, as of now
   */
  active({ status, active_duration, as_of }) {
    return active_duration + (status === "running" ? Math.max(0, this.now - as_of) / 1000 : 0);
  }

  /** Begin to ask, count and listen, until `disconnect`. */
  connect() {
    if (this.#listeners) return;
    this.#listeners = new AbortController();
    const { signal } = this.#listeners;
    const on = (target, type, listener) => target.addEventListener(type, listener, { signal, passive: true });
    on(document, "visibilitychange", () => this.#look());
    on(window, "online", () => this.#look());
    on(window, "pageshow", ({ persisted }) => persisted && this.#look());
    on(document, "pointerdown", () => this.#hearInput());
    on(document, "keydown", () => this.#hearInput());
    this.#channel = new BroadcastChannel(`issue-timer:${this.api.server}`);
    on(this.#channel, "message", ({ data }) => this.#hearTab(data));
    this.#look();
  }

  disconnect() {
    this.#listeners?.abort();
    this.#channel?.close();
    this.#listeners = this.#channel = null;
    for (const timer of [this.#pollTimer, this.#sendTimer, this.#tickTimer]) clearTimeout(timer);
  }

  /** Start a timer. @param {Issue & {description?: string}} issue */
  start(issue) {
    if (!issue?.github_repo) throw new TypeError("An issue is needed");
    const key = randomName();
    this.#do({ key, kind: "start", timer: key, issue });
  }

  /** @param {string} id a timer's */
  pause(id) {
    this.#do({ key: randomName(), kind: "pause", timer: id });
  }

  /** @param {string} id a timer's */
  resume(id) {
    this.#do({ key: randomName(), kind: "resume", timer: id });
  }

  /** @param {string} id a timer's */
  stop(id) {
    this.#do({ key: randomName(), kind: "stop", timer: id });
  }

  /** Sign in: away from the page and back to it or, on another site, in a popup, which takes a click. */
  async signIn() {
    try {
      await this.api.signIn(this.#listeners?.signal);
    } catch (error) {
      return this.#emit("problem", { code: error.isBlocked ? "popup" : "failed" });
    }
    await this.refresh();
  }

  async signOut() {
    try {
      await this.api.signOut();
    } catch (error) {
      const { status, message } = error;
      if (status !== 401) return this.#emit("problem", { code: "failed", message: status ? message : "" });
    }
    this.#tell({ type: "signed-out" });
    this.#leave(false);
  }

  /** Ask the server now, and send what waits. @returns {Promise<boolean>} whether it answered */
  refresh() {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = null;
      this.#schedulePoll();
    });
    return this.#refreshing;
  }

  /** Ask for today's seconds, for example after the time of a stopped timer was corrected. */
  async loadToday() {
    if (this.state.phase !== "ready") return;
    const asked = ++this.#todayAsked;
    const since = (this.#todaySince = startOfDay(this.now));
    const { timeZone: time_zone } = Intl.DateTimeFormat().resolvedOptions();
    const query = new URLSearchParams({ since: new Date(since).toISOString(), time_zone });
    let today = null;
    try {
      const { body } = await this.api.request("GET", `/api/timelogs/totals/?${query}`);
      today = { since, seconds: body.active_duration, at: Date.parse(body.until) };
    } catch {
      // It is asked for again, but not as often as the list.
    }
    if (asked !== this.#todayAsked) return;
    this.#todayFailures = today ? 0 : this.#todayFailures + 1;
    this.#todayAgain = performance.now() + this.#todayFailures * LONGEST_WAIT_MS;
    if (today) this.#tell({ type: "today", today });
    if (today || this.#today?.since !== since) this.#today = today;
    this.#emit("change");
  }

  // ---------------------------------------------------------------- actions

  #do(action) {
    if (this.state.phase !== "ready") return;
    const now = this.now + (this.#hasJumped() ? Math.max(0, this.#jumped) : 0);
    // After what waits, but not for ever as late as a wrong clock once was.
    const last = this.#actions.size ? this.#lastAt : Math.min(this.#lastAt, now + APART_MS);
    this.#lastAt = Math.max(Math.round(now), last + 1);
    Object.assign(action, { at: this.#lastAt, tab });
    this.#outbox.put(action);
    this.#actions.set(action.key, action);
    this.#tell({ type: "done", action });
    this.#show();
    this.#send();
  }

  /** Send what waits, in order, until all of it is answered or has to wait. */
  async #send() {
    clearTimeout(this.#sendTimer);
    const outbox = this.#outbox;
    if (this.#isSending || !outbox?.actions.length) return;
    if (this.#isInDoubt) return this.refresh();
    const wait = this.#notBefore - performance.now();
    if (wait > 0) return this.#sendLater(wait);
    let hasSent = false;
    this.#isSending = true;
    try {
      await outbox.alone(async () => {
        while (this.#listeners && !this.#isInDoubt && this.#outbox === outbox) {
          const [next] = outbox.actions;
          if (!next) break;
          await this.#sendOne(next, outbox);
          hasSent = true;
        }
      });
    } catch (error) {
      if (this.#outbox === outbox) this.#wait(error);
      return;
    } finally {
      this.#isSending = false;
    }
    // A start may have paused another timer.
    if (hasSent && this.#listeners) this.refresh();
  }

  #sendLater(wait) {
    if (this.#listeners) this.#sendTimer = setTimeout(() => this.#send(), wait);
  }

  async #sendOne(stored, outbox) {
    const action = { ...stored };
    // It was a wrong clock that said when it was done, and the server would refuse it.
    if (action.at > this.now + APART_MS) {
      outbox.remove(stored);
      action.at = Math.round(this.now);
      outbox.put(action);
    }
    const { key, kind, timer, issue, at } = action;
    const path = kind === "start" ? "start" : `${timer}/${kind}`;
    const body = { ...issue, at: new Date(at).toISOString() };
    let answer;
    try {
      const headers = { "Idempotency-Key": key };
      answer = await this.api.request("POST", `/api/timelogs/${path}/`, body, { headers });
    } catch (error) {
      const { status, isTemporary } = error;
      if (status === 500) this.#errors += 1;
      if (status === 401 || (isTemporary && this.#errors < MOST_TRIES)) throw error;
      if (status === 403) {
        // Perhaps because it is not who did this that is signed in.
        this.#doubt();
        if (!this.#listeners || !(await this.refresh()) || this.#outbox !== outbox) return;
      }
      this.#tries = this.#errors = 0;
      return this.#refuse(action, error, outbox);
    }
    this.#tries = this.#errors = this.#failures = 0;
    const [settled] = this.#hear(answer, [answer.body]);
    for (const later of outbox.actions) if (later.timer === key) outbox.put({ ...later, timer: settled.id });
    outbox.remove(action);
    if (this.#outbox !== outbox) return;
    const heardAt = this.now;
    this.#tell({ type: "settled", action, timer: settled, at: heardAt });
    this.#settle(action, settled, heardAt);
  }

  /** Take an action back that the server refused, and what depends on it. */
  #refuse(action, { message }, outbox) {
    const timer = this.state.timers.find(({ id }) => id === action.timer);
    for (const other of outbox.actions) {
      if (other.key !== action.key && other.timer !== action.key) continue;
      outbox.remove(other);
      this.#drop(other.key);
    }
    if (this.#outbox !== outbox) return;
    this.#todaySince = 0;
    this.#show();
    this.#emit("problem", { code: "refused", message, action: action.kind, timer });
  }

  #drop(key) {
    this.#actions.delete(key);
    this.#tell({ type: "refused", key });
  }

  /** Take what the server made of an action for the truth, by the clock of the tab that heard it. */
  #settle({ key, kind, timer: id, tab: of, at }, timer, heardAt) {
    const isOwn = of === tab;
    if (isOwn) this.#doneAt.add(at);
    this.#actions.delete(key);
    if (kind === "start") {
      this.#keys.set(timer.id, key);
      for (const later of this.#actions.values()) if (later.timer === key) later.timer = timer.id;
    }
    const others = this.#known.filter((one) => one.id !== timer.id && one.id !== id);
    const place = this.#known.findIndex((one) => one.id === timer.id);
    if (timer.status !== "stopped") others.splice(Math.max(0, place), 0, timer);
    this.#known = others;
    this.#knownAt = heardAt;
    this.#changedAt = performance.now();
    // It names what is no longer shown.
    this.#etag = "";
    this.#show();
    this.#emit("transition", { action: kind, timer, isOwn });
  }

  /** Show that the server answers, unless something has to wait for it all the same. */
  #showAnswered() {
    if (!this.#outbox.actions.length) this.#tries = this.#errors = this.#notBefore = 0;
    this.#show({ isConnected: this.#notBefore <= performance.now() });
  }

  /** Try again later what could not be sent. */
  #wait(error) {
    if (error.status === 401) return this.#leave();
    this.#tries += 1;
    this.#notBefore = performance.now() + error.retryAfter * 1_000;
    this.#show({ isConnected: false, isBusy: error.status > 0 });
    if (this.#tries === 1) this.#emit("problem", { code: "waiting" });
    this.#sendLater(jittered(1_000 * 2 ** this.#tries, error.retryAfter));
  }

  // ---------------------------------------------------------------- asking

  async #refresh() {
    clearTimeout(this.#pollTimer);
    if (!this.api.maySucceed) return this.#leave();
    this.#hasJumped();
    // Not as somebody: who that is, the answer will say.
    this.#channel?.postMessage({ type: "asking" });
    const hadFailed = this.#failures > 0;
    let isNew;
    try {
      let answer, user;
      do {
        const headers = this.#etag ? { "If-None-Match": this.#etag } : {};
        answer = await this.api.request("GET", LIST, undefined, { headers });
        // An empty list does not say whose it is, and somebody else may have signed in in another tab.
        if (answer.status !== 304) {
          user = answer.body.results[0]?.user ?? (await this.api.request("GET", "/api/auth/me/")).body.id;
        }
        // Again, if something changed while it was on its way: it may not know.
      } while (answer.sent < this.#changedAt);
      this.#isInDoubt = false;
      isNew = this.#take(answer, user);
      this.#failures = 0;
    } catch (error) {
      if (error.status === 401) return this.#leave();
      // Nobody says what time it is: probably the machine slept.
      if (this.#jumped > JUMP_MS) this.#clock.advance(this.#jumped);
      this.#failures += 1;
      this.#retryAfter = error.retryAfter;
      this.#show({ isConnected: false, isBusy: error.status > 0 });
      return false;
    } finally {
      this.#jumped = 0;
    }
    // A browser's data may have been cleared.
    const kept = this.#outbox.actions.map(({ key }) => key);
    for (const { key, tab: of } of this.#actions.values())
      if (of === tab && !kept.includes(key)) this.#drop(key);
    this.#showAnswered();
    this.#send();
    const isDue = this.#todayFailures && performance.now() >= this.#todayAgain;
    if (this.#listeners && (isNew || hadFailed || isDue || this.#isNewDay())) this.loadToday();
    return true;
  }

  /** Take the answer to a list for the truth. @returns {boolean} whether it is another than before */
  #take(answer, user) {
    const timers = this.#hear(answer, answer.body?.results ?? []);
    const isNew = answer.status !== 304;
    if (isNew) {
      if (user !== this.#user) this.#enter(user);
      this.#etag = answer.headers.get("ETag") ?? "";
      this.#adopt(timers, this.now);
    }
    this.#tell({ type: "list", timers: this.#known, at: this.#knownAt, etag: this.#etag });
    return isNew;
  }

  #enter(user) {
    this.#user = user;
    this.#known = this.#today = null;
    this.#todayAsked += 1;
    this.#tries = this.#errors = this.#notBefore = 0;
    this.#outbox = user && new Outbox(`${this.api.server}:${user}`);
    this.#actions = new Map(this.#outbox?.actions.map((action) => [action.key, action]));
  }

  /** Show nothing any more of who was here, whose session is over unless they ended it. */
  #leave(isExpired = this.state.phase === "ready" || this.state.isExpired) {
    const waiting = isExpired ? this.#actions.size || this.state.waiting : 0;
    this.#enter(null);
    this.#etag = "";
    this.#changedAt = performance.now();
    clearTimeout(this.#sendTimer);
    this.api.prepareSignIn();
    this.#show({ phase: "signed-out", isConnected: true, isExpired, waiting });
    return true;
  }

  /** Take timers for the truth, and tell what happened to them elsewhere. */
  #adopt(timers, at) {
    const before = this.#known;
    this.#known = timers;
    this.#knownAt = at;
    this.#lastInput = performance.now();
    // What is done here is about to be confirmed.
    if (!before || this.#actions.size) return;
    const tell = (action, timer) => {
      const isOwn = action === "pause" && this.#doneAt.has(Date.parse(timer.last_pause_time));
      this.#emit("transition", { action, timer, isOwn });
    };
    for (const timer of timers) {
      const former = before.find(({ id }) => id === timer.id);
      if (!former) tell("start", timer);
      else if (former.status !== timer.status) tell(timer.status === "paused" ? "pause" : "resume", timer);
    }
    for (const former of before) if (!timers.some(({ id }) => id === former.id)) tell("stop", former);
  }

  /** Hear what time it is, and note it in the timers of an answer. */
  #hear(answer, timers) {
    this.#clock.hear(Date.parse(answer.headers.get("Date")), 1_000, answer);
    return timers.map((timer) => {
      this.#lastAt = Math.max(this.#lastAt, Date.parse(timer.last_pause_time ?? timer.start_time));
      if (timer.status !== "running") return { ...timer, as_of: 0 };
      // Of a running timer, the parts that have passed end at the present.
      const as_of =
        Date.parse(timer.start_time) + Math.round((timer.paused_duration + timer.active_duration) * 1_000);
      this.#clock.hear(as_of, 1, answer);
      return { ...timer, as_of };
    });
  }

  #isNewDay() {
    return !this.#isInDoubt && startOfDay(this.now) !== this.#todaySince;
  }

  // ---------------------------------------------------------------- when

  #schedulePoll(extra = 0) {
    clearTimeout(this.#pollTimer);
    if (!this.#listeners || document.hidden || this.state.phase === "signed-out") return;
    const wait = this.#failures
      ? jittered(POLL_MS * 2 ** (this.#failures - 1), this.#retryAfter)
      : this.#pace();
    this.#pollTimer = setTimeout(() => this.refresh(), wait + extra);
  }

  #pace() {
    const idle = performance.now() - this.#lastInput;
    return IDLE.find(([from]) => idle >= from)?.[1] ?? POLL_MS;
  }

  #hearInput() {
    const hadSlackened = this.#pace() > POLL_MS;
    this.#lastInput = performance.now();
    if (hadSlackened) this.refresh();
  }

  #look() {
    clearTimeout(this.#pollTimer);
    clearTimeout(this.#tickTimer);
    if (document.hidden) return;
    this.#lastInput = performance.now();
    this.refresh();
    if (this.state.phase === "ready") this.#tick();
  }

  #scheduleTick() {
    clearTimeout(this.#tickTimer);
    const running = this.state.timers.find(({ status }) => status === "running");
    if (!this.#listeners || document.hidden || !running) return;
    const untilNextSecond = 1_000 - ((this.active(running) * 1_000) % 1_000);
    // Rather a bit later than too early.
    this.#tickTimer = setTimeout(() => this.#tick(), untilNextSecond + 1);
  }

  #tick() {
    // Better a clock that stands for a moment than one that jumps to what may be wrong.
    if (this.#hasJumped()) return this.refresh();
    if (this.#isNewDay()) this.loadToday();
    this.#scheduleTick();
    this.#emit("tick");
  }

  /** @returns {boolean} whether this machine slept, or its clock was set, since the server last said the time */
  #hasJumped() {
    const jump = this.#clock.jump();
    this.#jumped += jump;
    if (Math.abs(jump) > JUMP_MS) this.#doubt();
    return Math.abs(this.#jumped) > JUMP_MS;
  }

  // ---------------------------------------------------------------- tabs and events

  #tell(message) {
    this.#channel?.postMessage({ ...message, user: this.#user });
  }

  #hearTab({ type, user, action, key, timer, timers, at, etag, today }) {
    if (type === "signed-out") return this.#leave(false);
    if (type === "asking") return this.#known && this.#schedulePoll(AFTER_OTHERS_MS);
    const isOther = user && user !== this.#user;
    if (isOther) this.#doubt();
    if (isOther || this.state.phase === "signed-out") return this.refresh();
    if (!user || !this.#known) return;
    if (type === "done") {
      this.#actions.set(action.key, action);
      this.#lastAt = Math.max(this.#lastAt, action.at);
    }
    if (type === "refused") this.#actions.delete(key);
    if (type === "today") this.#today = today;
    if (type === "settled") return this.#settle(action, timer, at);
    if (type !== "list") return this.#show();
    if (at > this.#knownAt) {
      this.#etag = etag;
      this.#adopt(timers, at);
    }
    this.#failures = 0;
    this.#showAnswered();
    // That list was not taken: by the clocks of both tabs, this one has heard of something later.
    if (etag !== this.#etag) return this.refresh();
    this.#schedulePoll(AFTER_OTHERS_MS);
  }

  /** Believe no answer from before, and send nothing, until the server says who is signed in and what time it is. */
  #doubt() {
    this.#isInDoubt = true;
    this.#changedAt = performance.now();
  }

  #show(change = {}) {
    // What has passed counts at the pace at which it did.
    if (this.#today)
      this.#today = { ...this.#today, seconds: this.today, at: Math.max(this.now, this.#today.at) };
    const known = (this.#known ?? []).map((timer) => ({
      key: this.#keys.get(timer.id) ?? timer.id,
      ...timer,
    }));
    const actions = [...this.#actions.values()].sort((one, other) => one.at - other.at);
    this.state = {
      ...this.state,
      ...(this.#known && { phase: "ready", isExpired: false }),
      timers: actions.reduce(after, known),
      waiting: actions.length,
      ...change,
    };
    this.#emit("change");
    this.#scheduleTick();
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** @returns {Timer[]} the timers as they are when an action is done */
function after(timers, { key, kind, timer: id, issue, at }) {
  if (kind === "start")
    return timers.some((timer) => isOn(timer, issue)) ? timers : [begun(key, issue, at), ...timers];
  return timers.flatMap((timer) => {
    if (timer.id !== id) return [timer];
    if (kind === "stop") return [];
    const { status, active_duration, as_of } = timer;
    const next = { ...timer, is_pending: true };
    if (kind === "pause" && status === "running") {
      const active = active_duration + Math.max(0, at - as_of) / 1_000;
      Object.assign(next, { status: "paused", active_duration: active });
    }
    if (kind === "resume" && status === "paused") Object.assign(next, { status: "running", as_of: at });
    return [next];
  });
}

function begun(key, issue, at) {
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

function startOfDay(now) {
  return new Date(now).setHours(0, 0, 0, 0);
}

/** @returns {number} how long to wait, a bit more or less than others do (milliseconds) */
function jittered(ms, retryAfter = 0) {
  return Math.max(Math.min(ms, LONGEST_WAIT_MS) * (0.75 + Math.random() / 2), retryAfter * 1_000);
}
