import { ApiClient, dateOf } from "./widget/api-client.js";
import { ServerClock } from "./widget/clock.js";
import { advance, changeOf } from "./widget/counting.js";
import { Outbox } from "./widget/outbox.js";
import { jittered, Poller } from "./widget/poller.js";
import { Sender } from "./widget/sender.js";
import { TimerState } from "./widget/state.js";
import { randomName } from "./widget/storage.js";
import { Tabs, tab } from "./widget/tabs.js";
import { Today } from "./widget/today.js";

const LIST = "/api/timelogs/?end_time__isnull=true&page_size=100";
// The extra delay of this tab's next poll after another tab has polled. Because of the delay, the other tab
// continues to poll for all tabs.
const OTHER_TAB_MS = 2_000;
// The average delay between the time at which counting changes by itself and the next poll. The delay is random,
// because counting changes for many users at the same time.
const CHANGE_DELAY_MS = 4_000;
// How long to wait for the server's hint of a change that was made here.
const HINT_MS = 3_000;
// The longest time between two events `change` while the page is visible, because texts depend on the time, such as
// the state "continues Monday 09:00".
const SHOW_MS = 60_000;

/** @import { ApiError } from "./widget/api-client.js" */
/** @import { Live } from "./widget/live.js" */
/** @import { Action, ApiResponse, ApiTimer, Events, NewTimer, OpenTimer } from "./widget/types.d.ts" */
/** @import { State, TabMessage, Timer } from "./widget/types.d.ts" */

/**
 * A user's open timers, synchronized with the server and with other tabs. docs/widget.md describes how pages
 * use the manager.
 *
 * The effect of an action shows immediately. An action is reverted if the server refuses the action, and is
 * sent later if there is no connection. widget/types.d.ts describes the events.
 */
export class TimerManager extends EventTarget {
  /** @type {State} */
  state = { phase: "loading", isConnected: true, isBusy: false, isExpired: false, timers: [], waiting: 0 };

  /** The API client. Pages may use the client to send other requests as the user. @readonly */
  api;

  #clock = new ServerClock();
  #timers = new TimerState();
  #poller = new Poller(() => this.refresh());
  #tabs;
  #today;
  #sender;
  /** @type {?Live} */
  #live = null;
  /** @type {?number} */
  #user = null;
  /** @type {?Outbox} */
  #outbox = null;
  // Whether the user or the time may have changed. If so, no action is sent until the server has confirmed
  // both.
  #isUnconfirmed = false;
  // The time of the last change (by performance.now()). Responses to requests that were sent earlier are
  // stale.
  #changedAt = 0;
  // The time of the last event `change` (by performance.now()).
  #shownAt = 0;
  /** @type {?AbortController} */
  #connection = null;
  /** @type {?Promise<boolean>} */
  #refreshing = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #tickTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #expected;

  /**
   * @param {{server?: string}} [options] `server`: Issue Timer's origin; by default the origin of this module
   */
  constructor({ server } = {}) {
    super();
    this.api = new ApiClient(server);
    this.#tabs = new Tabs(this.api.server);
    this.#today = new Today(this.api);
    const refresh = async () => this.#connection !== null && this.refresh();
    this.#sender = new Sender(this.api, {
      refresh,
      sent: () => this.expectChange(),
      now: () => this.now,
      canSend: () => this.#connection !== null && !this.#isUnconfirmed,
      checkUser: () => {
        this.#invalidate();
        return refresh();
      },
      confirm: (action, response) => {
        this.#poller.failures = 0;
        const [timer] = this.#syncClock(response, [response.body]);
        const at = this.now;
        this.#broadcast({ type: "confirmed", action, timer, at });
        this.#confirm(action, timer, at);
      },
      revert: (action, reverted, error) => this.#revert(action, reverted, error),
      wait: (error, isFirst) => {
        this.#showFailure(error);
        if (isFirst && error.status !== 401) this.#emit("problem", { code: "waiting" });
      },
    });
  }

  /**
   * The server's time in milliseconds since the epoch. Before the first response, this machine's time is
   * used.
   */
  get now() {
    return this.#clock.now();
  }

  /** Today's seconds of working time, in this machine's time zone; null if the seconds are unknown. */
  get today() {
    return this.#today.seconds(this.now, this.state.timers);
  }

  /**
   * Whether the server sends hints of changes over a live connection of this tab or of another one. If so, what was
   * loaded is current until the event `hint`.
   */
  get isLive() {
    return this.#live?.isConnected ?? false;
  }

  /** @param {Timer} timer @returns {number} the timer's seconds of working time at this moment */
  working(timer) {
    return advance(timer, this.now).working_duration;
  }

  /** @param {Timer} timer @returns {number} the timer's active seconds at this moment */
  active(timer) {
    return advance(timer, this.now).active_duration;
  }

  /** Follow the server, emit ticks and receive other tabs' messages until `disconnect` is called. */
  connect() {
    if (this.#connection) return;
    this.#connection = new AbortController();
    const { signal } = this.#connection;
    /** @type {(target: EventTarget, type: string, listener: (event: Event) => void) => void} */
    const on = (target, type, listener) => target.addEventListener(type, listener, { signal });
    on(document, "visibilitychange", () => this.#onVisible());
    on(window, "online", () => this.#onVisible());
    on(window, "pageshow", (event) => {
      if (/** @type {PageTransitionEvent} */ (event).persisted) this.#onVisible();
    });
    this.#tabs.open((message) => this.#receive(message));
    this.#onVisible();
  }

  disconnect() {
    this.#connection?.abort();
    this.#connection = null;
    this.#tabs.close();
    this.#poller.stop();
    this.#sender.stop();
    this.#stopLive();
    clearTimeout(this.#tickTimer);
  }

  /** Start a timer, on an issue or on none. @param {NewTimer} [issue] */
  start(issue = {}) {
    const key = randomName();
    this.#act({ key, kind: "start", timer: key, issue });
  }

  /** @param {string} id the timer's id */
  pause(id) {
    this.#act({ key: randomName(), kind: "pause", timer: id });
  }

  /** @param {string} id the timer's id */
  resume(id) {
    this.#act({ key: randomName(), kind: "resume", timer: id });
  }

  /**
   * Let a running timer count instead of the others.
   *
   * @param {string} id the timer's id
   * @param {boolean} [overtime] whether the timer is to count after the working hours, too
   */
  focus(id, overtime) {
    this.#act({ key: randomName(), kind: "focus", timer: id, overtime });
  }

  /** @param {string} id the timer's id */
  stop(id) {
    this.#act({ key: randomName(), kind: "stop", timer: id });
  }

  /**
   * Sign the user in. On the server's own pages, the browser navigates to GitHub and back. On another site,
   * the user signs in in a popup.
   *
   * Call this method on a click, because browsers allow a popup only after a click.
   */
  async signIn() {
    try {
      await this.api.signIn(this.#connection?.signal);
    } catch (error) {
      const { isBlocked } = /** @type {{isBlocked?: boolean}} */ (error);
      return this.#emit("problem", { code: isBlocked ? "popup" : "failed" });
    }
    await this.refresh();
  }

  async signOut() {
    try {
      await this.api.signOut();
    } catch (reason) {
      const error = /** @type {ApiError} */ (reason);
      if (error.status !== 401) return this.#emit("problem", { code: "failed", error });
    }
    this.#broadcast({ type: "signed-out" });
    this.#forgetUser(false);
  }

  /**
   * Poll the server now, and send pending actions.
   *
   * @returns {Promise<boolean>} false if the server could not be reached or responded with an error
   */
  refresh() {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = null;
      this.#schedulePoll();
    });
    return this.#refreshing;
  }

  /** Follow a change that the user has made here, such as a correction of a stopped timer with `api.request`. */
  expectChange() {
    clearTimeout(this.#expected);
    if (this.isLive) this.#expected = setTimeout(() => this.#refreshAfterChange(), HINT_MS);
    else this.#refreshAfterChange();
  }

  async #loadToday() {
    if (this.state.phase !== "ready") return;
    const today = await this.#today.load(this.now);
    if (today === undefined) return;
    if (today) this.#broadcast({ type: "today", today });
    this.#emit("change");
  }

  // ---------------------------------------------------------------- actions

  /** @param {Omit<Action, "at" | "tab">} action */
  #act(action) {
    if (!this.#outbox || this.state.phase !== "ready") return;
    const jump = this.#hasJumped() ? Math.max(0, this.#clock.jump) : 0;
    const timed = { ...action, at: this.#timers.timeAt(this.now + jump), tab };
    this.#outbox.put(timed);
    this.#timers.add(timed);
    this.#broadcast({ type: "pending", action: timed });
    this.#show();
    this.#sender.send();
  }

  /**
   * @param {Action} action
   * @param {OpenTimer} timer the response
   * @param {number} at when the response was received
   */
  #confirm(action, timer, at) {
    const transition = this.#timers.confirm(action, timer, at, action.tab === tab);
    this.#changedAt = performance.now();
    this.#show();
    this.#emit("transition", transition);
  }

  /**
   * @param {Action} action
   * @param {Action[]} reverted this action and the actions that depend on it
   * @param {ApiError} error
   */
  #revert({ kind, timer: id }, reverted, error) {
    const timer = this.state.timers.find((one) => one.id === id);
    for (const { key } of reverted) this.#drop(key);
    this.#today.since = 0;
    this.#show();
    this.#emit("problem", { code: "refused", error, action: kind, timer });
  }

  /** @param {string} key */
  #drop(key) {
    this.#timers.pending.delete(key);
    this.#broadcast({ type: "refused", key });
  }

  // ---------------------------------------------------------------- the server

  /** Poll the server even if a poll is in progress. @param {boolean} [hasChanged] whether to load today's seconds, too */
  async #refreshAfterChange(hasChanged = true) {
    clearTimeout(this.#expected);
    await this.#refreshing;
    if (hasChanged) this.#today.since = 0;
    if (this.#connection) await this.refresh();
  }

  async #refresh() {
    this.#poller.stop();
    if (!this.api.maySucceed) return this.#forgetUser();
    this.#hasJumped();
    // Send no user id with this message, because another user may have signed in since the last poll.
    this.#tabs.post({ type: "polling" });
    const { failures } = this.#poller;
    let isNew;
    try {
      isNew = await this.#poll();
    } catch (reason) {
      const error = /** @type {ApiError} */ (reason);
      this.#clock.endJump(false);
      this.#poller.failures += 1;
      this.#poller.retryAfter = error.retryAfter;
      return this.#showFailure(error);
    } finally {
      this.#clock.endJump(true);
    }
    // Revert this tab's actions that are no longer stored, for example because the site's data were cleared.
    const stored = this.#outbox?.actions.map(({ key }) => key) ?? [];
    for (const action of this.#timers.pending.values()) {
      if (action.tab === tab && !stored.includes(action.key)) this.#drop(action.key);
    }
    this.#showConnected();
    this.#sender.send();
    this.#startLive();
    if (this.#connection && (isNew || failures || this.#today.isDue(this.now))) this.#loadToday();
    return true;
  }

  /** @returns {Promise<boolean>} whether the list has changed */
  async #poll() {
    let response;
    let user;
    do {
      const headers = this.#timers.etag ? { "If-None-Match": this.#timers.etag } : undefined;
      response = await this.api.request("GET", LIST, undefined, { headers });
      // If the list is empty, ask the server for the user. An empty list contains no user id, and another
      // user may have signed in in another tab.
      if (response.status !== 304) {
        user = response.body.results[0]?.user ?? (await this.api.request("GET", "/api/auth/me/")).body.id;
      }
    } while (response.sent < this.#changedAt);
    this.#isUnconfirmed = false;
    this.#poller.failures = 0;
    const isNew = response.status !== 304;
    const timers = this.#syncClock(response, response.body?.results ?? []);
    if (isNew) {
      this.state.github = response.body.github_url;
      if (user !== this.#user) this.#setUser(user);
      this.#adopt(timers, this.now, response.headers.get("ETag") ?? "");
    }
    this.#shareList();
    return isNew;
  }

  #shareList() {
    const { confirmed, confirmedAt, etag } = this.#timers;
    if (confirmed) this.#broadcast({ type: "list", timers: confirmed, at: confirmedAt, etag });
  }

  /** @param {?number} user */
  #setUser(user) {
    this.#stopLive();
    this.#user = user;
    this.#outbox = user ? new Outbox(`${this.api.server}:${user}`) : null;
    this.#timers.reset(this.#outbox?.actions ?? []);
    this.#today.reset();
    this.#sender.setOutbox(this.#outbox);
  }

  /** Forget the user and the timers, because the user has signed out or the session has expired. */
  #forgetUser(isExpired = this.state.phase === "ready" || this.state.isExpired) {
    const waiting = isExpired ? this.#timers.pending.size || this.state.waiting : 0;
    this.#setUser(null);
    this.#changedAt = performance.now();
    this.api.prepareSignIn();
    this.#show({ phase: "signed-out", isConnected: true, isExpired, waiting });
    return true;
  }

  /** @param {OpenTimer[]} timers @param {number} at @param {string} etag */
  #adopt(timers, at, etag) {
    for (const transition of this.#timers.adopt(timers, at, etag)) this.#emit("transition", transition);
  }

  /**
   * Synchronize the clock with the times in a response.
   *
   * @param {ApiResponse} response
   * @param {Omit<ApiTimer, "as_of">[]} timers the timers in the response
   * @returns {ApiTimer[]} the timers with `as_of`
   */
  #syncClock(response, timers) {
    this.#clock.sync(dateOf(response.headers), 1_000, response);
    return timers.map((timer) => {
      const { status, start_time, last_pause_time, active_duration, paused_duration } = timer;
      const changed = Date.parse(last_pause_time ?? start_time);
      this.#timers.noteTime(changed);
      if (status !== "running") return { ...timer, as_of: changed };
      const as_of = Date.parse(start_time) + Math.round((paused_duration + active_duration) * 1_000);
      this.#clock.sync(as_of, 1, response);
      return { ...timer, as_of };
    });
  }

  /** Let the server send hints of changes. Without locks, a connection cannot be shared with other tabs. */
  async #startLive() {
    const user = this.#user;
    if (this.#live || !user || !navigator.locks) return;
    const module = await import("./widget/live.js").catch(() => null);
    if (!module || this.#live || !this.#connection || this.#user !== user) return;
    this.#live = new module.Live(this.api, user, {
      changed: () => this.#live && this.#schedulePoll(),
      share: () => this.#shareList(),
      hint: () => {
        clearTimeout(this.#expected);
        this.#emit("hint");
      },
      refresh: async (hasChanged) => {
        const { etag } = this.#timers;
        await this.#refreshAfterChange(hasChanged);
        return etag !== this.#timers.etag;
      },
    });
  }

  #stopLive() {
    const live = this.#live;
    this.#live = null;
    live?.stop();
  }

  // ---------------------------------------------------------------- time

  #schedulePoll(extra = 0, isLive = this.isLive) {
    if (!this.#connection || document.hidden || this.state.phase === "signed-out") this.#poller.stop();
    else this.#poller.schedule(isLive, extra, this.#untilChange + jittered(CHANGE_DELAY_MS));
  }

  #onVisible() {
    this.#poller.stop();
    clearTimeout(this.#tickTimer);
    if (document.hidden) return;
    this.refresh();
    if (this.state.phase === "ready") this.#tick();
  }

  /** The milliseconds until a timer begins or ceases to count by itself; Infinity if none does. */
  get #untilChange() {
    const { now } = this;
    return Math.min(...this.state.timers.map((timer) => changeOf(timer) - now).filter((ms) => ms > 0));
  }

  #scheduleTick() {
    clearTimeout(this.#tickTimer);
    if (!this.#connection || document.hidden) return;
    const counting = this.state.timers.find((timer) => timer.is_counting);
    // If timers share the time, each second of a timer takes several seconds.
    const elapsed = counting ? (this.working(counting) / counting.counting_share) * 1_000 : 0;
    const wait = Math.min(this.#untilChange, counting ? 1_000 - (elapsed % 1_000) : SHOW_MS);
    // Tick one millisecond late, because an early tick would show the previous second again.
    this.#tickTimer = setTimeout(() => this.#tick(), wait + 1);
  }

  #tick() {
    // If the clock has jumped, do not update the display until the server has responded, because the time may
    // be wrong.
    if (this.#hasJumped()) return this.refresh();
    if (!this.#isUnconfirmed && !this.#refreshing && this.#today.isDue(this.now)) this.#loadToday();
    const isChanged = this.state.timers.some((timer) => changeOf(timer) <= this.now);
    if (isChanged || performance.now() - this.#shownAt >= SHOW_MS) this.#show();
    this.#scheduleTick();
    this.#emit("tick");
  }

  /** @returns {boolean} whether this machine slept, or its clock was set, since the last poll */
  #hasJumped() {
    if (this.#clock.check()) this.#invalidate();
    return this.#clock.hasJumped;
  }

  /** Ignore earlier responses, and send no actions until the server has confirmed the user and the time. */
  #invalidate() {
    this.#isUnconfirmed = true;
    this.#changedAt = performance.now();
  }

  // ---------------------------------------------------------------- tabs and events

  /** @param {TabMessage} message */
  #broadcast(message) {
    this.#tabs.post({ ...message, user: this.#user });
  }

  /** @param {TabMessage} message */
  #receive(message) {
    if (message.type === "signed-out") return this.#forgetUser(false);
    if (message.type === "polling") return this.#timers.confirmed && this.#schedulePoll(OTHER_TAB_MS, false);
    const { user } = message;
    const isOther = user && user !== this.#user;
    if (isOther) this.#invalidate();
    if (isOther || this.state.phase === "signed-out") return this.refresh();
    if (!user || !this.#timers.confirmed) return;
    if (message.type === "confirmed") return this.#confirm(message.action, message.timer, message.at);
    if (message.type === "list") return this.#receiveList(message);
    if (message.type === "pending") this.#timers.add(message.action);
    if (message.type === "refused") this.#timers.pending.delete(message.key);
    if (message.type === "today") this.#today.adopt(message.today);
    this.#show();
  }

  /** @param {Extract<TabMessage, {type: "list"}>} message */
  #receiveList({ timers, at, etag }) {
    if (at > this.#timers.confirmedAt) this.#adopt(timers, at, etag);
    this.#poller.failures = 0;
    this.#showConnected();
    // If the lists still differ, ask the server. This tab has kept its own list because that list seems
    // newer, but the clocks of the tabs may differ.
    if (etag !== this.#timers.etag) return this.refresh();
    this.#schedulePoll(OTHER_TAB_MS);
  }

  /**
   * Show that the server responds, unless the server has asked to wait before pending actions are sent
   * again.
   */
  #showConnected() {
    this.#sender.resetIfEmpty();
    this.#show({ isConnected: !this.#sender.mustWait });
  }

  /**
   * @param {ApiError} error
   * @returns {boolean} whether the session has expired; an expired session is no failure of the connection
   */
  #showFailure({ status }) {
    if (status === 401) return this.#forgetUser();
    this.#show({ isConnected: false, isBusy: status > 0 });
    return false;
  }

  /** @param {Partial<State>} [change] */
  #show(change) {
    const { now } = this;
    this.#shownAt = performance.now();
    this.#today.accrue(now, this.state.timers);
    const { confirmed, pending } = this.#timers;
    this.state = {
      ...this.state,
      ...(confirmed && { phase: "ready", isExpired: false }),
      timers: this.#timers.timersAt(now),
      waiting: pending.size,
      ...change,
    };
    this.#emit("change");
    this.#scheduleTick();
  }

  /**
   * @template {keyof Events} T
   * @param {T} type
   * @param {Events[T]} [detail]
   */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
