// The live connection, over which the server sends hints of changes. This module is loaded after the first timers are
// shown. It imports nothing, because the bundled scripts already contain the other modules.

/** @import { ApiClient, ApiError } from "./api-client.js" */
/** @import { LiveHost, LiveMessage, Ticket } from "./types.d.ts" */

/** @typedef {"check" | "reply" | "retry" | "ping" | "pong" | "renew"} TimerName */

// How often a visible tab checks the connection of the browser, and how long the tab that has it may take to reply.
const CHECK_MS = 60_000;
const REPLY_MS = 1_000;
// A check that is late by more than this shows that the machine slept.
const SLEEP_MS = 30_000;
// How long the server may take on average to reply to a ping, and how many pings it may leave without a reply. API
// Gateway drops pings beyond its limit.
const PONG_MS = 5_000;
const PINGS = 2;
// How long the connection is kept while no tab is visible.
const HIDDEN_MS = 300_000;
// The average wait before the next try to connect, after the first failure and at most.
const RETRY_MS = 4_000;
const MAX_RETRY_MS = 1_800_000;
// A connection that lasts for this long is no failure.
const STABLE_MS = 60_000;
// How long the former connection is kept after it was renewed, because hints may be on their way.
const OVERLAP_MS = 10_000;
// The shortest time between two hints to the tabs.
const SPACING_MS = 1_000;
// A tab that has loaded its data within this time before the connection opened refreshes only its list, whose entity tag
// tells whether anything has changed since.
const FRESH_MS = 5_000;

/**
 * A user's connection to the server, one for all tabs of a site in a browser. The tab that holds a lock has the
 * connection and informs the others. If that tab is closed or crashes, the lock passes to another visible tab; if it
 * does not reply to a visible tab, for example because the browser has frozen it, that tab steals the lock.
 */
export class Live {
  /** Whether this tab or another one is connected. */
  isConnected = false;
  #api;
  #host;
  #name;
  #channel;
  #listening = new AbortController();
  /** Aborting it withdraws this tab's request for the lock, or releases the lock. @type {?AbortController} */
  #request = null;
  #isLeader = false;
  /** @type {?WebSocket} */
  #socket = null;
  /** The connection that is being opened. @type {?WebSocket} */
  #next = null;
  #attempts = 0;
  #failures = 0;
  /** The earliest time of the next try to connect (by performance.now()). */
  #retryAt = 0;
  #openedAt = -Infinity;
  #startedAt = performance.now();
  #receivedAt = moment();
  #checkedAt = moment();
  /** When the server's last hint came (by performance.now()). */
  #hintedAt = -Infinity;
  /** When a visible tab without the connection has checked it last (by performance.now()). */
  #watchedAt = -Infinity;
  /** Whether a hint is being followed, and whether another one has come since. */
  #isFollowing = false;
  #isDue = false;
  /** @type {Partial<Record<TimerName, ReturnType<typeof setTimeout>>>} */
  #timers = {};

  /**
   * @param {Pick<ApiClient, "server" | "request">} api
   * @param {number} user
   * @param {LiveHost} host
   */
  constructor(api, user, host) {
    this.#api = api;
    this.#host = host;
    this.#name = `issue-timer:live:${api.server}:${user}`;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => this.#receive(data);
    const { signal } = this.#listening;
    document.addEventListener("visibilitychange", () => this.#onVisibility(), { signal });
    window.addEventListener("pageshow", () => this.#onVisibility(), { signal });
    window.addEventListener("pagehide", () => this.#suspend(), { signal });
    window.addEventListener("online", () => this.#reconnect(), { signal });
    this.#onVisibility();
  }

  stop() {
    this.#listening.abort();
    this.#leave();
    this.#channel.close();
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
  }

  // ---------------------------------------------------------------- tabs

  #onVisibility() {
    if (!document.hidden) {
      this.#join();
      this.#checkedAt = moment();
      this.#check();
      if (this.#socket && since(this.#receivedAt) > CHECK_MS) this.#ping();
    } else if (this.#socket) this.#wait("check", HIDDEN_MS, () => this.#leaveUnlessWatched());
    else this.#leave();
  }

  /**
   * Wait for the lock, or steal it from a tab that does not reply.
   *
   * @param {{steal?: boolean}} [options]
   */
  async #join({ steal } = {}) {
    if (this.#request && !steal) return;
    this.#request?.abort();
    const request = new AbortController();
    this.#request = request;
    const { signal } = request;
    const lead = () => {
      if (signal.aborted) return;
      this.#lead();
      return new Promise((resolve) => {
        signal.onabort = resolve;
      });
    };
    // The request fails if it is withdrawn, if another tab steals the lock, or if the browser forbids locks.
    await navigator.locks.request(this.#name, steal ? { steal } : { signal }, lead).catch(() => {});
    if (this.#request !== request || !this.#isLeader) return;
    // Another tab has stolen the lock, and has a connection of its own.
    this.#isLeader = false;
    this.#request = null;
    this.#disconnect();
    // This tab was frozen, and has missed hints.
    this.#setConnected(false);
    this.#onVisibility();
  }

  #lead() {
    this.#isLeader = true;
    clearTimeout(this.#timers.reply);
    this.#setConnected(false);
    this.#wait("retry", this.#retryAt - performance.now(), () => this.#connect());
  }

  /** Give up the lock and the connection. */
  #leave() {
    clearTimeout(this.#timers.check);
    clearTimeout(this.#timers.reply);
    this.#request?.abort();
    this.#request = null;
    if (!this.#isLeader) return;
    this.#disconnect();
    this.#setConnected(false);
    this.#isLeader = false;
  }

  /** Leave a page that the browser may keep for going back, and which receives no messages meanwhile. */
  #suspend() {
    this.#leave();
    this.#setConnected(false);
  }

  #leaveUnlessWatched() {
    const unwatched = performance.now() - this.#watchedAt;
    if (unwatched > HIDDEN_MS) this.#leave();
    else this.#wait("check", HIDDEN_MS, () => this.#leaveUnlessWatched());
  }

  /** Check regularly that there is a connection. */
  #check() {
    const late = since(this.#checkedAt) - CHECK_MS;
    this.#checkedAt = moment();
    this.#wait("check", CHECK_MS, () => this.#check());
    if (this.#isLeader) return late > SLEEP_MS && this.#reconnect();
    this.#post({ type: "check" });
    this.#wait("reply", REPLY_MS, () => this.#join({ steal: true }));
  }

  /** @param {LiveMessage} message */
  #receive(message) {
    if (message.type === "changed") this.#host.hint();
    else if (message.type === "connection") {
      clearTimeout(this.#timers.reply);
      // The page of this tab may have been loaded before the last hint.
      if (!this.#isLeader) this.#setConnected(message.isConnected, message.hintAge < performance.now());
    } else if (this.#isLeader) {
      this.#watchedAt = performance.now();
      this.#host.share();
      this.#postConnection();
    }
  }

  /**
   * Each tab treats the beginning of a connection as a hint, unless it has missed no changes before.
   *
   * @param {boolean} isConnected
   * @param {boolean} [isOutdated] whether data that were loaded just now are outdated
   */
  #setConnected(isConnected, isOutdated = false) {
    const hasChanged = this.isConnected !== isConnected;
    this.isConnected = isConnected;
    if (this.#isLeader) this.#postConnection();
    if (!hasChanged) return;
    this.#host.changed();
    if (isConnected && (isOutdated || !this.#isFresh)) this.#host.hint();
  }

  get #isFresh() {
    return performance.now() - this.#startedAt < FRESH_MS;
  }

  #postConnection() {
    const hintAge = performance.now() - this.#hintedAt;
    this.#post({ type: "connection", isConnected: this.isConnected, hintAge });
  }

  /** @param {LiveMessage} message */
  #post(message) {
    this.#channel.postMessage(message);
  }

  // ---------------------------------------------------------------- the connection

  /** Open a connection. An open connection is closed when the new one is open. */
  async #connect() {
    const attempt = ++this.#attempts;
    try {
      const { body } = await this.#api.request("POST", "/api/live/ticket/");
      if (attempt === this.#attempts) this.#open(body);
    } catch (error) {
      // If the page's content security policy forbids the connection, some browsers throw an error.
      if (attempt === this.#attempts) this.#retryLater(/** @type {Partial<ApiError>} */ (error).retryAfter);
    }
  }

  /** @param {Ticket} ticket */
  #open(ticket) {
    discard(this.#next);
    this.#next = null;
    const socket = new WebSocket(ticket.url);
    this.#next = socket;
    socket.onopen = () => this.#adopt(socket, ticket);
    socket.onmessage = ({ data }) => {
      this.#receivedAt = moment();
      clearTimeout(this.#timers.pong);
      if (this.#isStable) this.#failures = 0;
      if (typeOf(data) === "changed") this.#follow();
    };
    socket.onclose = () => this.#onClose(socket);
  }

  /** @param {WebSocket} socket @param {Ticket} ticket */
  #adopt(socket, ticket) {
    const former = this.#socket;
    this.#socket = socket;
    this.#next = null;
    this.#openedAt = performance.now();
    this.#receivedAt = moment();
    clearTimeout(this.#timers.retry);
    this.#schedulePing(ticket.ping_after * 1_000);
    // Connections that were opened at the same time, after a common failure, are not all renewed at the same time.
    this.#wait("renew", ticket.renew_after * (1_000 - 100 * Math.random()), () => this.#connect());
    this.#setConnected(true);
    if (former) {
      former.onclose = null;
      setTimeout(() => former.close(), OVERLAP_MS);
    }
    this.#catchUp(former !== null);
  }

  /** Request changes that may have been missed before the connection was open. @param {boolean} isRenewed */
  async #catchUp(isRenewed) {
    const isFresh = this.#isFresh;
    const isNew = await this.#host.refresh(!isRenewed && !isFresh);
    if (isNew && isFresh && !isRenewed && this.#isLeader) this.#hint();
  }

  get #isStable() {
    return performance.now() - this.#openedAt > STABLE_MS;
  }

  /** @param {WebSocket} socket */
  #onClose(socket) {
    if (socket === this.#socket) {
      clearTimeout(this.#timers.ping);
      clearTimeout(this.#timers.pong);
      clearTimeout(this.#timers.renew);
      this.#socket = null;
      if (this.#isStable) this.#failures = 0;
      this.#setConnected(false);
      // A renewal that is in progress replaces the connection.
      if (this.#next) return;
    } else if (socket === this.#next) this.#next = null;
    else return;
    this.#retryLater();
  }

  /** @param {number} [retryAfter] seconds that the server asked to wait */
  #retryLater(retryAfter = 0) {
    // A visible tab, if there is one, connects instead.
    if (document.hidden) return this.#leave();
    const wait = Math.min(RETRY_MS * 2 ** this.#failures, MAX_RETRY_MS) * (0.75 + Math.random() / 2);
    this.#failures += 1;
    const ms = Math.max(wait, retryAfter * 1_000);
    this.#retryAt = performance.now() + ms;
    this.#wait("retry", ms, () => this.#connect());
  }

  /** Replace the connection, because the machine has slept or has a network again. */
  #reconnect() {
    this.#failures = this.#retryAt = 0;
    if (!this.#isLeader) return;
    this.#disconnect();
    this.#setConnected(false);
    this.#connect();
  }

  #disconnect() {
    // Ignore the response to a request for a ticket.
    this.#attempts += 1;
    for (const name of /** @type {const} */ (["retry", "ping", "pong", "renew"])) {
      clearTimeout(this.#timers[name]);
    }
    discard(this.#socket);
    discard(this.#next);
    this.#socket = this.#next = null;
  }

  /** Keep the connection open, and replace it if it is broken. @param {number} [count] the pings without a reply */
  #ping(count = 1) {
    this.#socket?.send('{"type":"ping"}');
    const ms = PONG_MS * (0.75 + Math.random() / 2);
    this.#wait("pong", ms, () => (count < PINGS ? this.#ping(count + 1) : this.#giveUp()));
  }

  /** Close a connection without replies. The server may be overloaded, so the next connection waits. */
  #giveUp() {
    this.#disconnect();
    this.#setConnected(false);
    this.#retryLater();
  }

  /** @param {number} ms */
  #schedulePing(ms) {
    this.#wait("ping", ms, () => {
      this.#ping();
      this.#schedulePing(ms);
    });
  }

  // ---------------------------------------------------------------- hints

  /** Tell all tabs that there are changes. */
  #hint() {
    this.#hintedAt = performance.now();
    this.#post({ type: "changed" });
    this.#host.hint();
  }

  /** Pass a hint on to all tabs, and refresh the list: at most once at a time, and once afterwards. */
  async #follow() {
    this.#isDue = true;
    if (this.#isFollowing) return;
    this.#isFollowing = true;
    while (this.#isDue && this.#isLeader) {
      this.#isDue = false;
      this.#hint();
      await Promise.all([
        this.#host.refresh(true),
        new Promise((resolve) => {
          setTimeout(resolve, SPACING_MS);
        }),
      ]);
    }
    this.#isFollowing = false;
  }

  /**
   * @param {TimerName} name
   * @param {number} ms
   * @param {() => unknown} action
   */
  #wait(name, ms, action) {
    clearTimeout(this.#timers[name]);
    this.#timers[name] = setTimeout(action, ms);
  }
}

/** The present by both clocks: `performance.now()` may stand still while the machine sleeps, and the other can be set. */
function moment() {
  return { steady: performance.now(), wall: Date.now() };
}

/**
 * The milliseconds since a moment, or more if the machine's clock was set since, in either direction: whether the machine
 * has slept is unknown then.
 *
 * @param {{steady: number, wall: number}} past
 */
function since({ steady, wall }) {
  return Math.max(performance.now() - steady, Math.abs(Date.now() - wall));
}

/** Close a connection, and ignore what it still receives. @param {?WebSocket} socket */
function discard(socket) {
  if (!socket) return;
  socket.onopen = socket.onmessage = socket.onclose = null;
  socket.close();
}

/** @param {string} data @returns {string | undefined} the type of a message, if the message is a JSON object */
function typeOf(data) {
  try {
    return JSON.parse(data)?.type;
  } catch {
    return undefined;
  }
}
