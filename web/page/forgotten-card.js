// The card that asks a person who comes back about time that has counted without a sign of life.

import { content, h, isolate, setText } from "../widget/dom.js";
import { storage } from "../widget/storage.js";
import { get, getPage } from "./api.js";
import { addDays, dayOf, HOUR_MS, isoTime, MINUTE_MS } from "./calendar.js";
import { endTimer, takeAway } from "./corrections.js";
import { byId } from "./elements.js";
import {
  confirmedTimes,
  forgottenTime,
  grown,
  keepingAct,
  LEAST_MS,
  lastSign,
  longestAbsence,
  proposedEnd,
} from "./forgotten.js";
import { formats, text } from "./language.js";
import { notify } from "./notices.js";
import { dayInSentence, nameInSentence, pointInTime } from "./reasons.js";
import { onAction } from "./session.js";
import { sheetsPath } from "./sheets.js";
import { askForTimes } from "./time-dialog.js";
import { cut, secondsOf } from "./timeline.js";

/** @import { TimerManager } from "../timer-manager.js" */
/** @import { Events, OpenTimer } from "../widget/types.d.ts" */
/** @import { Send } from "./corrections.js" */
/** @import { Question } from "./forgotten.js" */
/** @import { Block, Stretch } from "./timeline.js" */
/** @import { SheetDay, Slice, Timer } from "./types.d.ts" */

// Forgotten time that began earlier is asked about from here on.
const LOOK_BACK_MS = 31 * 24 * HOUR_MS;
// The same if no timer runs any more. Between Friday's evening and Tuesday's morning are less than four days.
const LOOK_BACK_ENDED_MS = 4 * 24 * HOUR_MS;
// Requests for the timesheets of more days count toward the write limit.
const SHEETS_AT_ONCE = 7;
// If the page is visible, but this long nothing happened on it, the machine has slept.
const SLEEP_MS = 5 * MINUTE_MS;
// The server's time may be ahead of the estimate.
const SKEW_MS = 1_000;

/**
 * What the person has answered, which only this browser knows. Times are in milliseconds since the epoch.
 *
 * @typedef {object} Answers
 * @property {number} [answered] the time before this instant is kept
 * @property {number} [dismissed] when the last question was dismissed
 * @property {number} [added] when an entry was last added on the page; the entry may be of an older day
 */

/**
 * A timer of the API, or an open timer of the manager.
 *
 * @typedef {(Timer | OpenTimer) & {end_time?: string | null}} KnownTimer
 */

export class ForgottenCard {
  #manager;
  #correct;
  #undo;
  #expectEnd;
  #key;
  #element = byId("forgotten");
  #isDue = false;
  #isBusy = false;
  /** No question is possible before this instant, unless timers change. */
  #askAt = 0;
  #requests = 0;
  /** @type {Slice[]} */
  #slices = [];
  #loadedAt = 0;
  /** @type {Map<string, KnownTimer>} */
  #timers = new Map();
  /** The confirmed days in the time of the question. @type {Stretch[]} */
  #confirmed = [];
  /** The last sign of life when the person came back. */
  #sign = 0;
  /** The question is withdrawn if there is a sign of life later than this. */
  #known = 0;
  /** @type {Question | null} */
  #question = null;
  #sentence = h("p");
  /** Identifies the question whose buttons are shown. */
  #shown = "";
  /** When the page was last visible, by the server's clock; 0 if it has been visible since it was loaded. */
  #seen = 0;
  /** By this machine's clock. */
  #tickedAt = Date.now();

  /**
   * @param {object} options
   * @param {TimerManager} options.manager
   * @param {number} options.user
   * @param {(label: string, action: (send: Send) => Promise<unknown>) => Promise<void>} options.correct carries
   *   out a correction, shows its effect and offers to undo it if that is possible
   * @param {() => Promise<void>} options.undo undoes the last correction
   * @param {(id: string) => void} options.expectEnd is called before a timer is stopped
   */
  constructor({ manager, user, correct, undo, expectEnd }) {
    this.#manager = manager;
    this.#correct = correct;
    this.#undo = undo;
    this.#expectEnd = expectEnd;
    this.#key = `issue-timer:forgotten:${user}`;
    this.#element.ariaLabel = text("isTimeRight");
    manager.addEventListener("change", () => {
      this.#withdrawAfterSign();
      if (this.#isDue && manager.state.phase === "ready" && manager.state.isConnected) this.comeBack();
    });
    manager.addEventListener("transition", (event) => {
      const { detail } = /** @type {CustomEvent<Events["transition"]>} */ (event);
      // A timer may have been started or changed at a time in the past.
      this.#askAt = 0;
      if (detail.action === "stop") this.#withdrawAfterStop(detail.timer.id);
    });
    manager.addEventListener("tick", () => this.#tick());
    addEventListener("entry-added", (event) => {
      const { detail } = /** @type {CustomEvent<Timer>} */ (event);
      this.#remember({ added: Date.parse(detail.last_sign_at) });
    });
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.#seen = manager.now;
      else this.comeBack();
    });
  }

  /** Ask about forgotten time, because the person has opened the page or comes back to it. */
  async comeBack() {
    this.#isDue = true;
    this.#tickedAt = Date.now();
    // Without a connection, ask when there is one again.
    if (!(await this.#manager.refresh()) || !this.#isDue || this.#isBusy) return;
    this.#isDue = false;
    this.forgetUndo();
    const { phase, timers, waiting } = this.#manager.state;
    const { now } = this.#manager;
    const sign = this.#lastSign(timers);
    // An action that has not been sent yet is a sign of life.
    if (phase !== "ready" || waiting || now - sign < LEAST_MS || now < this.#askAt) return;
    const isRunning = timers.some(({ status }) => status === "running");
    const earliest = now - (isRunning ? LOOK_BACK_MS : LOOK_BACK_ENDED_MS);
    const found = await this.#findQuestion(Math.max(sign, earliest), now);
    if (!found) return;
    this.#known = this.#sign;
    this.#ask(found);
  }

  /** Remove the question, because nobody is signed in. */
  clear() {
    this.#requests++;
    this.#question = null;
    this.#timers.clear();
    this.#hide();
  }

  /** Do not offer to undo the last answer any more, because another correction was made or undone. */
  forgetUndo() {
    if (!this.#question && !this.#isBusy) this.#hide();
  }

  /**
   * Look for forgotten time. Load only what is needed: often the last sign of life shows that there is none.
   *
   * @param {number} since
   * @param {number} now
   * @param {number} [sign] the last sign of life, if it is known
   * @returns {Promise<ReturnType<typeof forgottenTime> | null>} null without a connection, or if a later call has begun
   */
  async #findQuestion(since, now, sign) {
    const number = ++this.#requests;
    const isLatest = () => number === this.#requests;
    try {
      const query = new URLSearchParams({ since: isoTime(since), page_size: "100" });
      const { results } = await getPage(`/api/timelogs/?${query}`);
      if (!isLatest()) return null;
      /** @type {KnownTimer[]} */
      const timers = [...this.#manager.state.timers, ...results];
      this.#timers = new Map(timers.map((timer) => [timer.id, timer]));
      this.#sign = sign ?? this.#lastSign(timers);
      const absence = longestAbsence([...this.#timers.values()], this.#sign, now);
      if (absence < LEAST_MS) return { question: null, askAt: now + LEAST_MS - absence };
      const range = new URLSearchParams({ since: isoTime(Math.max(since, this.#sign)), until: isoTime(now) });
      const { slices } = await get(`/api/timeline/?${range}`);
      if (!isLatest()) return null;
      this.#slices = slices;
      this.#confirmed = [];
      this.#loadedAt = now;
      this.#grow(now);
      const { parts } = this.#find(now).question ?? {};
      if (parts) {
        const confirmed = confirmedTimes(await sheetsOf(parts));
        if (!isLatest()) return null;
        this.#confirmed = confirmed;
      }
      return this.#find(now);
    } catch {
      return null;
    }
  }

  /** @param {number} now */
  #grow(now) {
    const isCounting = (/** @type {string} */ id) => this.#timers.get(id)?.is_counting === true;
    this.#slices = grown(this.#slices, this.#loadedAt, now, isCounting);
    this.#loadedAt = now;
  }

  /** @param {ReturnType<typeof forgottenTime>} found */
  #ask({ question, askAt }) {
    this.#askAt = askAt;
    this.#question = question;
    if (!question) return this.#hide();
    // Keep the buttons if the same question is still shown, because one of them may have the focus.
    if (this.#shown === shownKey(question)) setText(this.#sentence, this.#sentenceOf(question));
    else this.#show(question);
  }

  /** @param {number} now */
  #find(now) {
    const endOf = (/** @type {string} */ id) => Date.parse(this.#timers.get(id)?.end_time ?? "") || Infinity;
    const known = { ...this.#answers, now, sign: this.#sign, confirmed: this.#confirmed, endOf };
    return forgottenTime(this.#slices, known);
  }

  /** @param {KnownTimer[]} timers */
  #lastSign(timers) {
    return Math.max(lastSign(timers), this.#answers.added ?? 0);
  }

  /** @returns {Answers} */
  get #answers() {
    return storage.get(this.#key) ?? {};
  }

  /** @param {Answers} answers */
  #remember(answers) {
    storage.set(this.#key, { ...this.#answers, ...answers });
  }

  #tick() {
    const isAwake = Date.now() - this.#tickedAt > SLEEP_MS;
    this.#tickedAt = Date.now();
    if (isAwake && !document.hidden) this.comeBack();
    const { now } = this.#manager;
    if (!this.#question?.isOngoing || this.#isBusy || now < this.#loadedAt + MINUTE_MS) return;
    setText(this.#sentence, this.#sentenceOf(this.#updated(now)));
  }

  /**
   * Return the question with the time that has counted since it was asked.
   *
   * @param {number} now
   */
  #updated(now) {
    this.#grow(now);
    this.#question = this.#find(now).question ?? this.#question;
    return this.#asked;
  }

  #withdrawAfterSign() {
    if (this.#isBusy || !this.#question) return;
    if (lastSign(this.#manager.state.timers) > this.#known) this.#withdraw();
  }

  /** @param {string} id */
  #withdrawAfterStop(id) {
    if (!this.#isBusy && this.#question?.parts.some(({ timer }) => timer === id)) this.#withdraw();
  }

  #withdraw() {
    this.#question = null;
    this.#hide();
  }

  // ---------------------------------------------------------------- view

  #hide() {
    const hadFocus = this.#element.contains(document.activeElement);
    this.#shown = "";
    this.#element.hidden = true;
    this.#element.replaceChildren();
    setText(byId("forgotten-announcement"), "");
    if (hadFocus) byId("now-title").focus();
  }

  /** @param {Question} question */
  #show(question) {
    const sentence = this.#sentenceOf(question);
    const title = text("isTimeRight");
    setText(this.#sentence, sentence);
    const isOvertime = question.kind === "overtime";
    const when = pointInTime(new Date(question.left), this.#present);
    const end = () => this.#end(this.#asked.left);
    this.#fill(
      [h("h2", { id: "forgotten-title", tabIndex: -1 }, title), this.#sentence],
      this.#button("keep", () => this.#keep()),
      isOvertime ? this.#button("removeOvertime", end) : this.#button("endThen", end, when),
      this.#button(isOvertime ? "removeFrom" : "endAtTime", () => this.#endAtOther()),
      Object.assign(
        this.#button("notNow", () => this.#dismiss()),
        { className: "quiet" },
      ),
    );
    this.#shown = shownKey(question);
    setText(byId("forgotten-announcement"), `${title} ${sentence}`);
  }

  /**
   * @param {HTMLElement[]} texts
   * @param {...HTMLElement} buttons
   */
  #fill(texts, ...buttons) {
    this.#element.replaceChildren(h("div", {}, ...texts), h("div", { className: "buttons" }, ...buttons));
    this.#element.hidden = false;
  }

  /**
   * @param {Parameters<typeof text>[0]} label
   * @param {() => unknown} action
   * @param {string} [when]
   */
  #button(label, action, when = "") {
    const button = h("button", { type: "button" }, text(label, { when }));
    // While an answer is sent, the other buttons do nothing.
    onAction("click", button, () => this.#isBusy || action());
    return button;
  }

  get #present() {
    return new Date(this.#manager.now);
  }

  get #asked() {
    return /** @type {Question} */ (this.#question);
  }

  /** @param {Question} question */
  #sentenceOf(question) {
    const { kind, parts, isOngoing, seconds, until } = question;
    const now = this.#present;
    const [since, end] = [parts[0].since, until].map((instant) => new Date(instant));
    const values = {
      names: this.#namesOf(question),
      duration: formats.duration(Math.floor(seconds / 60) * 60),
      time: isOngoing ? momentOf(since, now) : timeOf(since, end, now),
    };
    const counted = kind === "overtime" ? "overtimeCounted" : isOngoing ? "countedSince" : "countedDuring";
    const sign = text("lastSign", { when: pointInTime(new Date(this.#sign), now) });
    return `${text(counted, values)} ${sign}`;
  }

  /** @param {Question} question */
  #namesOf({ parts }) {
    const ids = [...new Set(parts.map(({ timer }) => timer))];
    const names = ids.map((id) => {
      const timer = this.#timers.get(id);
      return isolate(timer ? nameInSentence(timer) : text("timerWithoutIssue"));
    });
    return formats.all(names);
  }

  // ---------------------------------------------------------------- answers

  async #keep() {
    const { now } = this.#manager;
    const question = this.#updated(now);
    const act = keepingAct(this.#slices, [...this.#timers.values()], now, this.#confirmed);
    await this.#answer(async () => {
      if (act?.at)
        await this.#manager.api.request("POST", `/api/timelogs/${act.timer}/focus/`, {
          at: isoTime(act.at),
        });
      else if (act) this.#manager.focus(act.timer);
      this.#remember({ answered: question.isOngoing ? now : question.until });
    });
    notify(text("timeKept"));
  }

  async #endAtOther() {
    const { kind, parts, left, until } = this.#updated(this.#manager.now);
    const ids = new Set(parts.map(({ timer }) => timer));
    const proposed = proposedEnd(this.#asked, this.#seen);
    const times = await askForTimes({
      title: kind === "overtime" ? text("removeFromTitle") : text("endAtTimeTitle", { count: ids.size }),
      proposed: { since: proposed, until: proposed },
      isSingle: true,
      // People enter full minutes.
      limits: { since: Math.floor(left / MINUTE_MS) * MINUTE_MS, until },
    });
    if (times && this.#question) await this.#end(Math.max(left, times.since));
  }

  /**
   * End the timers, or take the overtime away, from an instant on.
   *
   * @param {number} at
   */
  async #end(at) {
    const question = this.#updated(this.#manager.now);
    const { kind, until } = question;
    const isOvertime = kind === "overtime";
    const counted = countedFrom(question, at);
    const label = isOvertime
      ? text("overtimeRemoved", { duration: formats.duration(secondsOf(counted)) })
      : text("timerEnded", { when: pointInTime(new Date(at), this.#present) });
    const ids = isOvertime ? [] : [...new Set(counted.map(({ timer }) => timer))];
    await this.#answer(async () => {
      for (const id of ids) this.#expectEnd(id);
      await this.#correct(label, async (send) => {
        if (isOvertime) await takeAway(send, counted);
        for (const id of ids) await endTimer(send, { id }, at);
      });
      this.#remember({ answered: isOvertime ? until : at });
    }, label);
  }

  #dismiss() {
    const { now } = this.#manager;
    this.#remember({ dismissed: now });
    this.#askAt = now + LEAST_MS;
    this.#withdraw();
  }

  /**
   * Carry out an answer, then ask about the time that the answer leaves open, or offer to undo it.
   *
   * @param {() => Promise<void>} action
   * @param {string} [label] of a correction that can be undone
   */
  async #answer(action, label) {
    this.#isBusy = true;
    try {
      await action();
      const { now } = this.#manager;
      this.#known = now + SKEW_MS;
      const found = await this.#findQuestion(Math.max(this.#sign, now - LOOK_BACK_MS), now, this.#sign);
      this.#question = found?.question ?? null;
      this.#askAt = found?.askAt ?? now;
    } finally {
      this.#isBusy = false;
    }
    if (this.#question) {
      this.#show(this.#question);
      byId("forgotten-title").focus();
    } else if (label) this.#offerUndo(label);
    else this.#hide();
  }

  /** @param {string} label */
  #offerUndo(label) {
    const undo = this.#button("undo", () => this.#undo());
    this.#shown = "";
    this.#fill([h("p", {}, ...content(label))], undo);
    undo.focus();
  }
}

/**
 * Load the timesheets of the days of a time.
 *
 * @param {Block[]} parts in order
 * @returns {Promise<SheetDay[]>}
 */
async function sheetsOf(parts) {
  const until = Math.max(...parts.map((part) => part.until));
  const [first, last] = [parts[0].since, until].map((instant) => dayOf(new Date(instant)));
  // In the time zone of the working hours, the dates may be the days before or after.
  const end = addDays(last, 1);
  const requests = [];
  for (let day = addDays(first, -1); day <= end; day = addDays(day, SHEETS_AT_ONCE)) {
    const [to] = [addDays(day, SHEETS_AT_ONCE - 1), end].sort();
    requests.push(get(sheetsPath(day, to)));
  }
  return (await Promise.all(requests)).flatMap(({ days }) => days);
}

/**
 * Return the time of a question that has counted from an instant on.
 *
 * @param {Question} question
 * @param {number} at
 * @returns {Block[]}
 */
function countedFrom({ parts, until }, at) {
  return parts
    .map((part) => ({ ...part, ...cut(part, { since: at, until }) }))
    .filter(({ since, until: end }) => since < end);
}

/** @param {Question} question */
function shownKey({ kind, left }) {
  return `${kind} ${left}`;
}

/**
 * Return an instant as it is shown after "since".
 *
 * @param {Date} instant
 * @param {Date} now
 */
function momentOf(instant, now) {
  const time = formats.date("time", instant);
  const day = dayInSentence(instant, now);
  return day ? text("dayAndTime", { day, time }) : time;
}

/**
 * @param {Date} since
 * @param {Date} until
 * @param {Date} now
 */
function timeOf(since, until, now) {
  if (since.toDateString() !== until.toDateString())
    return `${momentOf(since, now)} – ${momentOf(until, now)}`;
  const time = formats.range("time", since, until);
  const day = dayInSentence(since, now);
  return day ? text("dayAndTime", { day, time }) : time;
}
