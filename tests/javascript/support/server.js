// A fake of the API that the widget uses. Tests can replace its responses.

import { mock } from "node:test";
import { EPOCH } from "./browser.js";

/** @typedef {{method: string, path: string, body: any, headers: Headers}} Call */
/** @typedef {(call: Call) => Response | Promise<Response> | undefined} Handler */

/** @typedef {import("./browser.js").FakeBrowser} FakeBrowser */

export class FakeServer {
  #browser;
  #nextId = 1;
  /** @type {Map<string, any>} */
  #results = new Map();
  user = 1;
  github = "https://octo.ghe.com";
  /** Whether one timer counts at a time (`focus`) or all of them (`parallel`). */
  policy = "focus";
  /** @type {any[]} */
  timers = [];
  /** The number of changes of stopped timers, of which the list's entity tag tells. */
  revision = 0;
  /** @type {Call[]} */
  calls = [];
  /**
   * Returns a response that replaces the server's response, or undefined to keep the server's response.
   * @type {Handler}
   */
  intercept = () => undefined;

  /** @param {FakeBrowser} browser */
  constructor(browser) {
    this.#browser = browser;
    mock.method(globalThis, "fetch", (/** @type {URL} */ url, /** @type {RequestInit} */ options) =>
      this.#fetch(url, options),
    );
  }

  /** The server's time, which is independent of the machine's clock. */
  get now() {
    return EPOCH + this.#browser.monotonic;
  }

  /** Start a timer as another device would. @param {number} number the number of the issue @returns {any} */
  start(number, at = this.now) {
    const timer = {
      id: `timer-${this.#nextId++}`,
      user: this.user,
      status: "running",
      github_repo: "octo-org/hello-world",
      github_issue_number: number,
      github_issue_url: `${this.github}/octo-org/hello-world/issues/${number}`,
      description: "",
      source: "manual",
      start_time: new Date(at).toISOString(),
      last_pause_time: null,
      waiting_for: null,
      counting_changes_at: null,
      runs: [at],
      counts: [],
    };
    this.timers.unshift(timer);
    this.#focus(timer, at);
    return timer;
  }

  /** Pause, resume, stop or focus a timer. @param {any} timer @param {string} kind */
  change(timer, kind, at = this.now) {
    const isRunning = timer.runs.length % 2 === 1;
    if (kind === "focus" || kind === "resume") {
      timer.status = "running";
      if (!isRunning) timer.runs.push(at);
      return this.#focus(timer, at);
    }
    if (isRunning) timer.runs.push(at);
    const hadFocus = isCounting(timer);
    this.wait(timer, null, at);
    timer.status = { pause: "paused", stop: "stopped" }[kind];
    if (kind === "pause") timer.last_pause_time = new Date(at).toISOString();
    else this.timers = this.timers.filter((other) => other !== timer);
    const others = this.timers.filter((other) => other.user === timer.user && other.status === "running");
    if (!hadFocus || this.policy !== "focus") return undefined;
    if (kind === "pause") for (const other of others) this.wait(other, "break", at);
    else if (others.length) this.#focus(others[0], at);
  }

  /** Let a running timer wait. @param {any} timer @param {?string} reason */
  wait(timer, reason, at = this.now) {
    if (isCounting(timer)) timer.counts.push(at);
    timer.waiting_for = reason;
  }

  /** Let a timer count and, unless timers count in parallel, the others wait. @param {any} timer */
  #focus(timer, at = this.now) {
    if (!isCounting(timer)) timer.counts.push(at);
    timer.waiting_for = null;
    if (this.policy !== "focus") return;
    for (const other of this.timers) {
      if (other !== timer && other.user === timer.user && other.status === "running")
        this.wait(other, "focus", at);
    }
  }

  /** Return the received calls that have an HTTP method. @param {string} method */
  sent(method) {
    return this.calls.filter((call) => call.method === method);
  }

  /** @param {any} timer */
  #shown({ runs, counts, ...timer }) {
    const active = lengthOf(runs, this.now);
    const end = runs.length % 2 === 0 && timer.status === "stopped" ? runs.at(-1) : this.now;
    return {
      ...timer,
      active_duration: active / 1000,
      working_duration: lengthOf(counts, this.now) / 1000,
      paused_duration: (end - runs[0] - active) / 1000,
      is_counting: isCounting({ counts }),
      counting_share: 1,
      why: { rule: this.policy, action: "start", by: "manual", at: timer.start_time, timer: null },
    };
  }

  /** @param {number} status @param {any} [body] @param {Record<string, string>} [headers] */
  respond(status, body, headers = {}) {
    const text = body === undefined ? null : JSON.stringify(body);
    return new Response(text, { status, headers: { Date: new Date(this.now).toUTCString(), ...headers } });
  }

  /** @param {URL} url @param {RequestInit} options */
  async #fetch(url, { method = "GET", body, headers }) {
    const call = {
      method,
      path: url.pathname + url.search,
      body: body ? JSON.parse(String(body)) : undefined,
      headers: new Headers(headers),
    };
    this.calls.push(call);
    return (await this.intercept(call)) ?? this.handle(call);
  }

  /** @param {Call} call */
  handle({ method, path, body, headers }) {
    if (path === "/api/auth/me/") return this.respond(200, { id: this.user });
    if (path === "/api/auth/logout/") return this.respond(204);
    if (path === "/api/live/ticket/") {
      const url = `wss://timer.example.com/live?ticket=${this.sent("POST").length}`;
      return this.respond(200, { url, expires_in: 60, ping_after: 540, renew_after: 6_900 });
    }
    if (path.startsWith("/api/timelogs/totals/")) {
      return this.respond(200, { working_duration: 600, until: new Date(this.now).toISOString() });
    }
    if (method === "GET") return this.#list(headers);
    const key = `${headers.get("Idempotency-Key")}`;
    if (!this.#results.has(key)) this.#results.set(key, this.#act(path, body));
    const timer = this.#results.get(key);
    return timer ? this.respond(200, this.#shown(timer)) : this.respond(403, { detail: "Not yours." });
  }

  /** @param {Headers} headers */
  #list(headers) {
    const own = this.timers.filter(({ user }) => user === this.user);
    const shown = own.map((timer) => [timer.id, timer.status, isCounting(timer)]);
    const tag = JSON.stringify([this.user, this.revision, shown]);
    const etag = `"${Buffer.from(tag).toString("base64")}"`;
    if (headers.get("If-None-Match") === etag) return this.respond(304);
    const results = own.map((timer) => this.#shown(timer));
    return this.respond(200, { github_url: this.github, results }, { ETag: etag });
  }

  /** @param {string} path @param {any} body */
  #act(path, body) {
    const at = Date.parse(body.at);
    const [, kindOrId, kind] = path.match(/timelogs\/([^/]+)\/(?:(\w+)\/)?$/) ?? [];
    if (kindOrId === "start") return this.start(body.github_issue_number, at);
    const timer = this.timers.find(({ id, user }) => id === kindOrId && user === this.user);
    if (timer) this.change(timer, `${kind}`, at);
    return timer;
  }
}

/** @param {{counts: number[]}} timer */
function isCounting({ counts }) {
  return counts.length % 2 === 1;
}

/** @param {number[]} times the beginnings and ends of intervals @param {number} now */
function lengthOf(times, now) {
  let length = 0;
  for (let i = 0; i < times.length; i += 2) length += (times[i + 1] ?? now) - times[i];
  return length;
}
