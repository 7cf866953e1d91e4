// The card about the present: the form that starts a timer, the timers that count, and those that wait.

import { clockTime } from "../widget/card.js";
import { button, content, h, isolate, setText } from "../widget/dom.js";
import { isOn } from "../widget/state.js";
import { get, messageOf } from "./api.js";
import { arrange, byId, control } from "./elements.js";
import { issueLink, readIssue } from "./issue.js";
import { formats, issueMistakes, text, widgetTexts } from "./language.js";
import { notify, warn } from "./notices.js";
import {
  continuesAt,
  isolatedName,
  nameInSentence,
  pointInTime,
  timerName,
  whyItCounts,
  whyItWaits,
} from "./reasons.js";

/** @import { TimerManager } from "../timer-manager.js" */
/** @import { Events, Issue, Timer } from "../widget/types.d.ts" */

/** @typedef {"counting" | "waiting" | "paused" | "break"} Group */

// "Keep counting" is offered this long before the end of working hours.
const BEFORE_END_MS = 2 * 3_600_000;
// The end of counting is shown this long before.
const SOON_MS = 12 * 3_600_000;
// How often the time in the tab's title is updated. It has minutes, and is updated while the tab is hidden.
const TITLE_MS = 10_000;
// The waiting timers that are shown at first.
const WAITING_AT_FIRST = 5;

/** Shows and controls the open timers of a manager. */
export class Now {
  #manager;
  /** @type {Map<string, Row>} */
  #rows = new Map();
  /** The keys of the timers that counted last, and before the last switch. @type {string[][]} */
  #counted = [[], []];
  /** The ids of timers that other cards of the page end or delete. @type {Set<string>} */
  #ended = new Set();
  #areAllShown = false;
  #title = document.title;
  #titleTimer;
  #form = byId("start", HTMLFormElement);

  /** @param {TimerManager} manager */
  constructor(manager) {
    this.#manager = manager;
    /** @type {(type: string, listener: (detail: any) => void) => void} */
    const on = (type, listener) =>
      manager.addEventListener(type, (event) => listener(/** @type {CustomEvent} */ (event).detail));
    on("change", () => this.show());
    on("tick", () => this.#showTime());
    on("transition", (detail) => this.#notifyOfTransition(detail));
    on("problem", (detail) => this.#showProblem(detail));
    this.#titleTimer = setInterval(() => this.#showTitle(), TITLE_MS);
    this.#form.addEventListener("submit", (event) => this.#submit(event));
    this.#form.addEventListener("input", () => this.#showMistake(""));
    byId("try-now").addEventListener("click", () => manager.refresh());
    byId("all-waiting").addEventListener("click", () => this.#showAllWaiting());
  }

  /** Show the timers and their times. */
  show() {
    const { phase, timers, isConnected, isBusy, waiting } = this.#manager.state;
    const isReady = phase !== "loading";
    byId("start-button", HTMLButtonElement).disabled = phase !== "ready";
    byId("connection").hidden = isConnected;
    const remedy = waiting ? widgetTexts.pending(waiting) : widgetTexts.retrying;
    const cause = isBusy ? widgetTexts.busy : widgetTexts.offline;
    if (!isConnected) setText(byId("connection-text"), `${cause} ${remedy}`);
    this.#noteCounting(timers);
    const active = document.activeElement;
    const focused = [...this.#rows].find(([, { item }]) => item.contains(active))?.[0];
    const former = this.#rows;
    this.#rows = new Map();
    const waits = timers.filter((timer) => timer.status === "running" && !isCounting(timer));
    const reason = this.#commonReason(waits);
    for (const timer of timers) {
      const row = former.get(timer.key) ?? new Row();
      this.#rows.set(timer.key, row.show(timer, this.#contentOf(timer, reason !== "")));
    }
    const counting = timers.filter(isCounting);
    const paused = timers.filter(({ status }) => status === "paused");
    const resting = onBreak(timers, this.#present);
    const others = paused.filter((timer) => !resting?.includes(timer));
    this.#place("counting", counting);
    this.#place("break", resting ?? []);
    this.#place("waiting", waits);
    this.#place("paused", others);
    byId("nothing-counts").hidden = !isReady || counting.length > 0;
    setText(byId("nothing-counts"), resting ? text("onBreak") : nothingCounts(timers, this.#present));
    setText(byId("waiting-title"), text("waitingCount", { count: waits.length }));
    setText(byId("waiting-why"), reason);
    this.#limitWaiting(waits);
    setText(byId("paused-title"), text("pausedCount", { count: others.length }));
    this.#showTime();
    if (focused && document.activeElement !== active) {
      (this.#rows.get(focused)?.item ?? byId("now-title")).focus();
    }
  }

  /** Restore the title of the page, because nobody is signed in. */
  clear() {
    clearInterval(this.#titleTimer);
    document.title = this.#title;
  }

  get #present() {
    return new Date(this.#manager.now);
  }

  /**
   * Show the timers of a group.
   *
   * @param {Group} group
   * @param {Timer[]} timers
   */
  #place(group, timers) {
    const list = byId(`${group}-timers`);
    const items = timers.map(({ key }) => /** @type {Row} */ (this.#rows.get(key)).item);
    arrange(list, items);
    if (group === "waiting" || group === "paused") byId(group).hidden = !items.length;
  }

  /**
   * Return the reason why timers wait, if it is the same for several; else "".
   *
   * @param {Timer[]} waits
   */
  #commonReason(waits) {
    const reasons = new Set(waits.map((timer) => this.#whyItWaits(timer, waits.length)));
    return waits.length > 1 && reasons.size === 1 ? [...reasons][0] : "";
  }

  /** @param {Timer} timer @param {number} [count] */
  #whyItWaits(timer, count) {
    return whyItWaits(
      timer,
      this.#present,
      (id) => this.#manager.state.timers.find((one) => one.id === id),
      count,
    );
  }

  /**
   * Show only the first timers that wait until the user wants to see all.
   *
   * @param {Timer[]} waits
   */
  #limitWaiting(waits) {
    const isLimited = !this.#areAllShown && waits.length > WAITING_AT_FIRST + 1;
    waits.forEach(({ key }, index) => {
      const row = this.#rows.get(key);
      if (row) row.item.hidden = isLimited && index >= WAITING_AT_FIRST;
    });
    byId("all-waiting").hidden = !isLimited;
    setText(byId("all-waiting"), text("allWaiting", { count: waits.length }));
  }

  #showAllWaiting() {
    this.#areAllShown = true;
    this.show();
    /** @type {HTMLElement} */ (byId("waiting-timers").children[WAITING_AT_FIRST]).focus();
  }

  #showTime() {
    const manager = this.#manager;
    for (const timer of manager.state.timers) this.#rows.get(timer.key)?.showTime(manager.working(timer));
    setText(byId("today"), manager.today === null ? "–" : clockTime(manager.today));
    this.#showTitle();
  }

  #showTitle() {
    const timer = this.#manager.state.timers.find(isCounting);
    const [clock] = timer ? (clockTime(this.#manager.working(timer)).match(/^\d+:\d+/) ?? []) : [];
    const name = timer?.github_repo ? timerName(timer) : timer && isolatedName(timer);
    const title = timer ? `${clock} ${name} · ${this.#title}` : this.#title;
    if (document.title !== title) document.title = title;
  }

  /**
   * Return the texts and the buttons of a timer.
   *
   * @param {Timer} timer
   * @param {boolean} isReasonShown whether the reason why it waits is shown above it
   * @returns {RowContent}
   */
  #contentOf(timer, isReasonShown) {
    const now = this.#present;
    const { key, status, waiting_for } = timer;
    const pending = timer.is_pending && !this.#manager.state.isConnected ? widgetTexts.unsent : "";
    const stop = { name: "stop", label: widgetTexts.stop, act: () => this.#act(key, "stop") };
    if (status === "paused") {
      const label = isRequested(timer) ? widgetTexts.start : widgetTexts.resume;
      const resume = { name: "resume", label, act: () => this.#act(key, "resume") };
      const reason = isRequested(timer) ? widgetTexts.sources.review_requested : "";
      return {
        group: "paused",
        details: [reason, pending].filter(Boolean).join(" · "),
        buttons: [resume, stop],
      };
    }
    if (!isCounting(timer)) {
      const isOutside = waiting_for === "schedule";
      const act = () => this.#focus(key, isOutside);
      const focus = { name: "focus", label: widgetTexts[isOutside ? "keep" : "focus"], act };
      const reason = isReasonShown ? "" : this.#whyItWaits(timer);
      const details = [reason, pending].filter(Boolean).join(" · ");
      return { group: "waiting", details, buttons: [focus, stop] };
    }
    const until = endOf(timer, now);
    const details = [
      whyItCounts(timer, now),
      until && text("countsUntil", { when: formats.date("time", until) }),
    ];
    const pause = { name: "pause", label: widgetTexts.pause, act: () => this.#act(key, "pause") };
    const buttons = [pause, stop, ...this.#keepCounting(timer, until), ...this.#switchBack(key)];
    return { group: "counting", details: [...details, pending].filter(Boolean).join(" "), buttons };
  }

  /**
   * Return the button that keeps a timer counting after working hours, shortly before they end.
   *
   * @param {Timer} timer
   * @param {Date | null} until
   */
  #keepCounting({ key, why }, until) {
    if (!until || why?.rule === "overtime" || until.getTime() - this.#manager.now > BEFORE_END_MS) return [];
    const when = formats.date("time", until);
    return [{ name: "keep", label: text("keepCountingAfter", { when }), act: () => this.#focus(key, true) }];
  }

  /**
   * Return the button that switches back to the timer that counted before the last switch, if it waits.
   *
   * @param {string} current
   */
  #switchBack(current) {
    const { timers } = this.#manager.state;
    const [, keys] = this.#counted;
    const before = timers.find(
      (timer) => timer.key !== current && keys.includes(timer.key) && timer.waiting_for === "focus",
    );
    if (!before) return [];
    const label = text("switchBack", { name: nameInSentence(before) });
    return [{ name: "back", label, act: () => this.#focus(before.key, false) }];
  }

  /**
   * Note which timers count, so that one can switch back to them, also after a switch on GitHub or elsewhere.
   *
   * @param {Timer[]} timers
   */
  #noteCounting(timers) {
    const keys = timers.filter(isCounting).map(({ key }) => key);
    const [last] = this.#counted;
    if (keys.length && String(keys) !== String(last)) this.#counted = [keys, last];
  }

  // ---------------------------------------------------------------- actions

  /** @param {string} key @param {boolean} overtime */
  #focus(key, overtime) {
    const timer = this.#find(key);
    if (!timer) return;
    notifyAbout(timer, text(overtime ? "keepsCounting" : "switched", { name: nameInSentence(timer) }));
    this.#manager.focus(timer.id, overtime);
  }

  /** @param {string} key @param {"pause" | "resume" | "stop"} action */
  #act(key, action) {
    const timer = this.#find(key);
    if (!timer) return;
    const time = clockTime(this.#manager.working(timer));
    notifyAbout(timer, widgetTexts.own[action](isolate(nameInSentence(timer)), time));
    this.#manager[action](timer.id);
  }

  /** @param {string} key */
  #find(key) {
    return this.#manager.state.timers.find((timer) => timer.key === key);
  }

  /** @param {SubmitEvent} event */
  #submit(event) {
    event.preventDefault();
    const entered = control(this.#form, "issue").value;
    const description = control(this.#form, "description").value.trim();
    const issue = entered.trim() ? readIssue(entered) : null;
    if (issue && "mistake" in issue) {
      this.#showMistake(issueMistakes[issue.mistake]);
      return control(this.#form, "issue").focus();
    }
    this.start(issue, description);
    this.#form.reset();
  }

  /**
   * Start a timer. If a timer is open on the issue, let it count instead.
   *
   * @param {Issue | null} issue
   * @param {string} description
   */
  start(issue, description) {
    const open = issue && this.#manager.state.timers.find((timer) => isOn(timer, issue));
    if (open?.status === "paused") return this.#act(open.key, "resume");
    if (open && !isCounting(open)) return this.#focus(open.key, open.waiting_for === "schedule");
    if (open) return notifyAbout(open, text("alreadyCounts", { name: nameInSentence(open) }));
    const started = { github_repo: null, github_issue_number: null, ...issue, description };
    notifyAbout(started, widgetTexts.own.start(isolate(nameInSentence(started))));
    this.#manager.start({ ...issue, ...(description && { description }) });
  }

  /**
   * Announce no stop of a timer, because another card of the page ends the timer or deletes its entry.
   *
   * @param {string} id
   */
  expectEnd(id) {
    this.#ended.add(id);
  }

  /** @param {Events["transition"]} transition */
  async #notifyOfTransition({ action, timer, isOwn }) {
    if (isOwn || action === "focus" || action === "counting" || this.#ended.has(timer.id)) return;
    const ended = action === "stop" && (await get(`/api/timelogs/${timer.id}/`).catch(() => null));
    const cause = widgetTexts.sources[ended?.stopped_by];
    notifyAbout(timer, widgetTexts.elsewhere[action](isolate(nameInSentence(timer)), cause));
  }

  /** @param {string} mistake */
  #showMistake(mistake) {
    control(this.#form, "issue").ariaInvalid = mistake ? "true" : null;
    setText(byId("start-error"), mistake);
  }

  /** @param {Events["problem"]} problem */
  #showProblem({ code, error }) {
    const { message = "", lang } = error?.status ? messageOf(error) : {};
    warn(`${widgetTexts.problems[code]} ${message}`.trim(), lang);
  }
}

/** @param {Timer} timer */
function isCounting({ status, is_counting }) {
  return status === "running" && is_counting;
}

/**
 * Show a sentence about a timer as the status message. Without an issue, the timer's name may be lower case and
 * begin the sentence.
 *
 * @param {Parameters<typeof timerName>[0]} timer
 * @param {string} sentence
 */
function notifyAbout({ github_repo, description }, sentence) {
  const isNamed = github_repo || description;
  notify(isNamed ? sentence : sentence.replace(/\p{L}/u, (letter) => letter.toUpperCase()));
}

/**
 * Return when a timer stops counting by itself, if that is soon. A timer of somebody who does nothing stops counting
 * after a day.
 *
 * @param {Timer} timer
 * @param {Date} now
 */
function endOf({ counting_changes_at: changes }, now) {
  const at = changes ? new Date(changes) : null;
  return at && at > now && at.getTime() - now.getTime() < SOON_MS ? at : null;
}

/**
 * Return the timers whose pause is the present break: at most one, which the user paused last, today.
 *
 * @param {Timer[]} timers
 * @param {Date} now
 * @returns {Timer[] | null} null if there is no break
 */
function onBreak(timers, now) {
  const running = timers.filter(({ status }) => status === "running");
  if (running.some(({ is_counting, waiting_for }) => is_counting || waiting_for === "schedule")) return null;
  const pausedAt = (/** @type {Timer} */ { why, is_pending }) =>
    is_pending ? now.getTime() : why?.by === "manual" ? Date.parse(why.at ?? "") : Number.NaN;
  const [last] = timers
    .filter((timer) => timer.status === "paused" && isSameDay(pausedAt(timer), now))
    .sort((one, other) => pausedAt(other) - pausedAt(one));
  if (last) return [last];
  return running.some(({ waiting_for }) => waiting_for === "break") ? [] : null;
}

/**
 * @param {number} instant
 * @param {Date} now
 */
function isSameDay(instant, now) {
  return new Date(instant).toDateString() === now.toDateString();
}

/**
 * Return a text for the time in which nothing counts: when the next timer continues by itself.
 *
 * @param {Timer[]} timers
 * @param {Date} now
 */
function nothingCounts(timers, now) {
  const [next] = timers
    .map((timer) => ({ timer, at: continuesAt(timer)?.getTime() ?? Infinity }))
    .filter(({ at }) => at < Infinity)
    .sort((one, other) => one.at - other.at);
  return next
    ? text("nothingCountsUntil", {
        name: nameInSentence(next.timer),
        when: pointInTime(new Date(next.at), now),
      })
    : text(timers.length ? "nothingCounts" : "nothingRuns");
}

/** @typedef {{name: string, label: string, act: () => void}} RowButton */
/** @typedef {{group: Group, details: string, buttons: RowButton[]}} RowContent */

/** The list item that shows an open timer. */
class Row {
  item = h("li", { tabIndex: -1 });
  #clock = h("span", { className: "clock", role: "timer", ariaLive: "off" });
  #isExact = false;
  #shown = "";
  /** The present actions by the names of their buttons. @type {Record<string, () => void>} */
  #acts = {};

  /**
   * @param {Timer} timer
   * @param {RowContent} content
   */
  show(timer, { group, details, buttons }) {
    this.#acts = Object.fromEntries(buttons.map(({ name, act }) => [name, act]));
    const { github_issue_url, github_issue_title, counts_for, description } = timer;
    const name = timerName(timer);
    const parts = [name, github_issue_url, github_issue_title, counts_for, description, group, details];
    const shown = JSON.stringify([parts, buttons.map(({ label }) => label)]);
    if (shown === this.#shown) return this;
    this.#shown = shown;
    this.#isExact = group === "counting";
    this.#clock.ariaLabel = name;
    const focused = [...this.item.querySelectorAll("button")].indexOf(
      /** @type {HTMLButtonElement} */ (document.activeElement),
    );
    this.item.className = `timer ${group}`;
    this.item.replaceChildren(
      h(
        "div",
        { className: "what" },
        ...nameOf(timer),
        details && h("p", { className: "why" }, ...content(details)),
      ),
      this.#clock,
      h("div", { className: "buttons" }, ...buttons.map((one) => this.#button(one, name))),
    );
    this.item.querySelectorAll("button")[focused]?.focus();
    return this;
  }

  /** @param {number} seconds */
  showTime(seconds) {
    setText(this.#clock, this.#isExact ? clockTime(seconds) : formats.duration(Math.floor(seconds)));
  }

  /** @param {RowButton} shown @param {string} timer the timer's name */
  #button({ name, label }, timer) {
    const created = button(name, "", () => this.#acts[name]());
    created.className = name === "stop" ? "quiet" : "";
    created.replaceChildren(...content(label));
    // The label of the button that switches back contains the other timer's name.
    if (name !== "back") created.ariaLabel = `${label} ${isolate(timer)}`;
    return created;
  }
}

/**
 * Whether a timer waits for a review that has not begun.
 *
 * @param {Timer} timer
 */
function isRequested({ source, status, active_duration }) {
  return source === "review_requested" && status === "paused" && !active_duration;
}

/**
 * Return the elements with the issue and the description of a timer.
 *
 * @param {Timer} timer
 */
function nameOf(timer) {
  const { github_repo, description } = timer;
  const named = { ...timer, github_issue_title: timer.github_issue_title ?? null };
  if (!github_repo && description)
    return [h("strong", { className: "issue" }, ...content(isolate(description)))];
  return [issueLink(named), ...(description ? [h("p", {}, ...content(isolate(description)))] : [])];
}
