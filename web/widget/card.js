import { button, h, isolate, setText } from "./dom.js";
import { formatLocale } from "./locale.js";

/** @import { OpenTimer, Standing, Strings, Timer } from "./types.d.ts" */

// Less than a week, because a weekday must not be today's.
const WEEK_MS = 6 * 86_400_000;

/** @typedef {{language: string, now: number, isConnected: boolean, timers: Timer[]}} Context */
/** @type {Partial<Record<Standing, Button>>} */
const ACTIONS = { counting: "pause", overtime: "pause", paused: "resume", schedule: "keep" };

/** @typedef {"pause" | "resume" | "focus" | "keep" | "stop"} Button */

/** The list item that shows a timer. */
export class Card {
  #link = h("a", { part: "title", target: "_blank", rel: "noopener" });
  #state = h("span", { part: "state" });
  #rest = h("span");
  #clock = h("span", { part: "clock", role: "timer", ariaLive: "off" });
  #toggle;
  #stop;
  /** @type {Button} */
  #action = "focus";

  /** @param {(action: Button) => void} act */
  constructor(act) {
    this.#toggle = button("", "", () => act(this.#action));
    this.#stop = button("", "", () => act("stop"));
    this.item = h(
      "li",
      { tabIndex: -1 },
      h("div", { className: "what" }, this.#link, h("div", { part: "details" }, this.#state, this.#rest)),
      h("div", { className: "controls" }, this.#clock, this.#toggle, this.#stop),
    );
  }

  /** @param {Timer} timer @param {Strings} strings @param {Context} context */
  show(timer, strings, context) {
    const { language, now, isConnected } = context;
    const standing = standingOf(timer);
    this.#action = ACTIONS[standing] ?? "focus";
    const name = issueName(timer, strings);
    const kind = timer.is_counting ? "counting" : standing === "paused" ? standing : "waiting";
    this.item.part = this.item.className = `timer ${kind}`;
    setText(this.#link, isolate(timer.github_issue_title || name));
    if (timer.github_issue_url) this.#link.href = timer.github_issue_url;
    else this.#link.removeAttribute("href");
    setText(this.#state, stateText(timer, strings, context));
    // Screen readers announce the title of a button as its description.
    this.#state.title = this.#toggle.title = whyText(timer, strings, context);
    const details = [
      timer.github_issue_title && isolate(name),
      strings.began(shortTime(timer.start_time, language, now)),
      strings.sources[timer.source],
      timer.counts_for && strings.counts_for(isolate(issueName(timer.counts_for, strings))),
      timer.is_pending && !isConnected && strings.unsent,
    ];
    setText(this.#rest, ["", ...details.filter(Boolean)].join(" · "));
    this.#clock.ariaLabel = name;
    label(this.#toggle, this.#action, name, strings);
    label(this.#stop, "stop", name, strings);
  }

  /** @param {number} seconds */
  showTime(seconds) {
    setText(this.#clock, clockTime(seconds));
  }
}

/**
 * @param {HTMLElement} element a button
 * @param {Button} action
 * @param {string} name the issue's name
 * @param {Strings} strings
 */
function label(element, action, name, strings) {
  element.part = element.className = `button ${action}`;
  setText(element, strings[action]);
  element.ariaLabel = `${strings[action]} ${isolate(name)}`;
}

/** @param {OpenTimer} timer @returns {Standing} */
function standingOf({ status, is_counting, waiting_for, why }) {
  if (status === "paused") return status;
  if (is_counting) return why?.rule === "overtime" ? why.rule : "counting";
  return waiting_for ?? "stale";
}

/** @param {OpenTimer} timer @param {Strings} strings @param {Pick<Context, "language" | "now">} context */
export function stateText(timer, strings, { language, now }) {
  const { counting_changes_at: change, waiting_for } = timer;
  return waiting_for === "schedule" && change
    ? strings.continues(shortTime(change, language, now))
    : strings.states[standingOf(timer)];
}

/** Explain why a timer counts or not. @param {Timer} timer @param {Strings} strings @param {Context} context */
function whyText(timer, strings, { language, now, timers }) {
  const { why } = timer;
  const standing = standingOf(timer);
  const other = timers.find(({ id }) => id === why?.timer);
  return [
    (other && strings.why[standing]?.(isolate(issueName(other, strings)))) ?? strings.states[standing],
    why?.by === "manual" ? strings.byYou : strings.sources[why?.by ?? ""],
    why?.at && shortTime(why.at, language, now),
  ]
    .filter(Boolean)
    .join(", ");
}

/**
 * @param {Pick<Timer, "github_repo" | "github_issue_number"> & {description?: string}} timer
 * @param {Strings} strings
 */
export function issueName(timer, strings) {
  if (!timer.github_repo) return timer.description || strings.noIssue;
  return `${timer.github_repo}#${timer.github_issue_number}`;
}

/**
 * @param {number} seconds
 * @returns {string} HH:MM:SS
 */
export function clockTime(seconds) {
  return [seconds / 3600, (seconds / 60) % 60, seconds % 60]
    .map((part) => String(Math.floor(part)).padStart(2, "0"))
    .join(":");
}

/**
 * @param {string} time
 * @param {string} language
 * @param {number} now
 * @returns {string} the time of day, preceded by the date or, in the next six days, by the weekday, unless it is today's
 */
function shortTime(time, language, now) {
  const date = new Date(time);
  const ahead = date.getTime() - now;
  const locale = formatLocale(language);
  const clock = date.toLocaleString(locale, { timeStyle: "short" });
  if (date.toDateString() === new Date(now).toDateString()) return clock;
  /** @type {Intl.DateTimeFormatOptions} */
  const day = ahead > 0 && ahead < WEEK_MS ? { weekday: "long" } : { month: "short", day: "numeric" };
  return `${date.toLocaleString(locale, day)} ${clock}`;
}
