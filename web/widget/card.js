import { button, h, isolate, setText } from "./dom.js";
import { formatLocale } from "./locale.js";

/** @import { Strings, Timer } from "./types.d.ts" */

/** The list item that shows a timer. */
export class Card {
  #link = h("a", { part: "title", target: "_blank", rel: "noopener" });
  #state = h("span", { part: "state" });
  #rest = h("span");
  #clock = h("span", { part: "clock", role: "timer", ariaLive: "off" });
  #toggle;
  #stop;

  /** @param {(action: "pause" | "resume" | "stop") => void} act */
  constructor(act) {
    this.#toggle = button("", "", () => act(this.#toggle.classList.contains("pause") ? "pause" : "resume"));
    this.#stop = button("", "", () => act("stop"));
    this.item = h(
      "li",
      { tabIndex: -1 },
      h("div", { className: "what" }, this.#link, h("div", { part: "details" }, this.#state, this.#rest)),
      h("div", { className: "controls" }, this.#clock, this.#toggle, this.#stop),
    );
  }

  /**
   * @param {Timer} timer
   * @param {Strings} strings
   * @param {{language: string, now: number, isConnected: boolean}} context
   */
  show(timer, strings, { language, now, isConnected }) {
    const isRunning = timer.status === "running";
    const name = issueName(timer, strings);
    this.item.part = this.item.className = `timer ${timer.status}`;
    setText(this.#link, isolate(timer.github_issue_title || name));
    if (timer.github_issue_url) this.#link.href = timer.github_issue_url;
    else this.#link.removeAttribute("href");
    setText(this.#state, isRunning ? strings.running : strings.paused);
    const details = [
      timer.github_issue_title && isolate(name),
      strings.since(shortTime(timer.start_time, language, now)),
      strings.sources[timer.source],
      timer.is_pending && !isConnected && strings.unsent,
    ];
    setText(
      this.#rest,
      details
        .filter(Boolean)
        .map((detail) => ` · ${detail}`)
        .join(""),
    );
    this.#clock.ariaLabel = name;
    label(this.#toggle, isRunning ? "pause" : "resume", name, strings);
    label(this.#stop, "stop", name, strings);
  }

  /** @param {number} seconds */
  showTime(seconds) {
    setText(this.#clock, clockTime(seconds));
  }
}

/**
 * @param {HTMLElement} element a button
 * @param {"pause" | "resume" | "stop"} action
 * @param {string} name the issue's name
 * @param {Strings} strings
 */
function label(element, action, name, strings) {
  element.part = element.className = `button ${action}`;
  setText(element, strings[action]);
  element.ariaLabel = `${strings[action]} ${isolate(name)}`;
}

/**
 * @param {Pick<Timer, "github_repo" | "github_issue_number" | "description">} timer
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
 * @returns {string} the time of day, preceded by the date if the date is not today's
 */
function shortTime(time, language, now) {
  const date = new Date(time);
  const isToday = date.toDateString() === new Date(now).toDateString();
  /** @type {Intl.DateTimeFormatOptions} */
  const day = isToday ? {} : { month: "short", day: "numeric" };
  return date.toLocaleString(formatLocale(language), { ...day, hour: "numeric", minute: "2-digit" });
}
