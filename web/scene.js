// The picture on the page for visitors who are not signed in: two days with made-up issues, in fast motion. The
// widget's own elements show it. index.js loads this module on demand.

import { Card, clockTime } from "./widget/card.js";
import { button, h, setText } from "./widget/dom.js";
import { formatLocale } from "./widget/locale.js";
import { stringsFor } from "./widget/strings.js";
import { styles } from "./widget/styles.js";
import { createView } from "./widget/view.js";

/** @import { Strings, Timer } from "./widget/types.d.ts" */

/** @typedef {"dark" | "build"} Example an example of an issue */
/** @typedef {"counting" | "focus" | "schedule"} State */
/**
 * A stretch of the story.
 *
 * @typedef {object} Step
 * @property {string} caption the name of the text that explains the step
 * @property {number} lasts in milliseconds of the visitor's time
 * @property {number} from the beginning, in minutes after the first midnight
 * @property {number} until
 * @property {Partial<Record<Example, State>>} timers the open timers, newest first
 */

const TICK_MS = 100;
const DAY = 24 * 60;
const OPENS = 9 * 60;
const CLOSES = 17 * 60;
const FIRST = OPENS + 2;
const SECOND = 11 * 60 + 30;
const CLOSED = DAY + 10 * 60 + 24;

/** @type {Step[]} */
const STORY = [
  { caption: "sceneAssigned", lasts: 5_000, from: FIRST, until: SECOND, timers: { dark: "counting" } },
  {
    caption: "sceneSecond",
    lasts: 5_500,
    from: SECOND,
    until: CLOSES,
    timers: { build: "focus", dark: "counting" },
  },
  {
    caption: "sceneEvening",
    lasts: 4_500,
    from: CLOSES,
    until: DAY + OPENS,
    timers: { build: "schedule", dark: "schedule" },
  },
  {
    caption: "sceneMorning",
    lasts: 4_000,
    from: DAY + OPENS,
    until: CLOSED,
    timers: { build: "focus", dark: "counting" },
  },
  {
    caption: "sceneClosed",
    lasts: 5_500,
    from: CLOSED,
    until: DAY + 12 * 60,
    timers: { build: "counting" },
  },
];
// The moment that visitors see who prefer reduced motion: one timer counts, and another one waits.
const STILL_MS = 8_000;

/** The issues, by their numbers and the minutes at which their timers start. */
const EXAMPLES = {
  dark: { number: 12, title: "sceneIssueDark", start: FIRST },
  build: { number: 31, title: "sceneIssueBuild", start: SECOND },
};

/** Shows the story in an element, and repeats it. */
class Scene {
  #text;
  #language;
  #strings;
  #view;
  #time = h("strong");
  #caption = h("span");
  #toggle;
  /** @type {Record<Example, Card>} */
  #cards = { dark: new Card(() => {}), build: new Card(() => {}) };
  /** @type {?Step} */
  #step = null;
  /** The visitor's milliseconds since the story began. */
  #elapsed = 0;
  #ticking = 0;

  /**
   * @param {HTMLElement} figure
   * @param {string} language
   * @param {Strings} strings the widget's texts
   * @param {(name: any) => string} text returns a text of the page
   */
  constructor(figure, language, strings, text) {
    this.#text = text;
    this.#language = language;
    this.#strings = strings;
    this.#view = createView(language, strings, {
      issue: "",
      isEmbedded: false,
      onSignIn: () => {},
      onSignOut: () => {},
      onRetry: () => {},
      onInput: () => {},
      onSubmit: () => {},
    });
    const { section, bar, list, notice } = this.#view;
    for (const element of section.children) {
      if (element instanceof HTMLElement) element.hidden = element !== bar && element !== list;
    }
    notice.role = null;
    // The widget is a picture here: it takes no focus, and screen readers skip it.
    const stage = h("div", { className: "stage", inert: true });
    const root = stage.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [styles];
    root.append(section);
    this.#toggle = button("", "", () => (this.#ticking ? this.#pause() : this.#play()));
    this.#toggle.className = "quiet";
    figure.replaceChildren(
      h("p", { className: "event" }, this.#time, " ", this.#caption),
      stage,
      h("figcaption", {}, h("span", {}, text("sceneAbout")), this.#toggle),
    );
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.#elapsed = STILL_MS;
      this.#pause();
    } else this.#play();
    this.#show();
  }

  #play() {
    this.#ticking = setInterval(() => this.#tick(), TICK_MS);
    this.#toggle.textContent = this.#text("scenePause");
  }

  #pause() {
    clearInterval(this.#ticking);
    this.#ticking = 0;
    this.#toggle.textContent = this.#text("scenePlay");
  }

  #tick() {
    if (document.hidden) return;
    this.#elapsed += TICK_MS;
    this.#show();
  }

  #show() {
    let rest = this.#elapsed % STORY.reduce((sum, { lasts }) => sum + lasts, 0);
    let step = STORY[0];
    for (step of STORY) {
      if (rest < step.lasts) break;
      rest -= step.lasts;
    }
    const minute = step.from + ((step.until - step.from) * rest) / step.lasts;
    if (step !== this.#step) this.#begin(step);
    const now = momentOf(minute);
    const locale = formatLocale(this.#language);
    const clock = now.toLocaleString(locale, { weekday: "short", hour: "numeric", minute: "2-digit" });
    setText(this.#time, clock);
    let today = 0;
    for (const example of /** @type {Example[]} */ (Object.keys(EXAMPLES))) {
      this.#cards[example].showTime(60 * countedMinutes(example, 0, minute));
      today += countedMinutes(example, minute < DAY ? 0 : DAY, minute);
    }
    setText(this.#view.today, clockTime(60 * today));
  }

  /** @param {Step} step */
  #begin(step) {
    this.#step = step;
    setText(this.#caption, this.#text(step.caption));
    const now = momentOf(step.from).getTime();
    const entries = /** @type {[Example, State][]} */ (Object.entries(step.timers));
    const timers = entries.map(([example, state]) => this.#timerOf(example, state));
    entries.forEach(([example], index) => {
      const context = { language: this.#language, now, isConnected: true, timers };
      this.#cards[example].show(timers[index], this.#strings, context);
    });
    this.#view.list.replaceChildren(...entries.map(([example]) => this.#cards[example].item));
  }

  /**
   * Return the timer on an example, with the members that a card shows.
   *
   * @param {Example} example
   * @param {State} state
   */
  #timerOf(example, state) {
    const { number, title, start } = EXAMPLES[example];
    const timer = {
      id: example,
      key: example,
      status: "running",
      github_repo: "octo-org/hello-world",
      github_issue_number: number,
      github_issue_title: this.#text(title),
      github_issue_url: null,
      description: "",
      start_time: momentOf(start).toISOString(),
      source: "assigned",
      is_counting: state === "counting",
      waiting_for: state === "counting" ? null : state,
      counting_changes_at: state === "schedule" ? momentOf(DAY + OPENS).toISOString() : null,
      why: null,
    };
    return /** @type {Timer} */ (/** @type {unknown} */ (timer));
  }
}

/**
 * Return how many minutes of an example count between two minutes of the story.
 *
 * @param {Example} example
 * @param {number} since
 * @param {number} until
 */
function countedMinutes(example, since, until) {
  return STORY.filter(({ timers }) => timers[example] === "counting").reduce(
    (sum, step) => sum + Math.max(0, Math.min(until, step.until) - Math.max(since, step.from)),
    0,
  );
}

/**
 * Return a moment of the story, which begins on a Monday.
 *
 * @param {number} minute
 */
function momentOf(minute) {
  return new Date(2026, 1, 2, 0, minute);
}

/**
 * Show the story in an element.
 *
 * @param {HTMLElement} figure
 * @param {string} locale
 * @param {(name: any) => string} text returns a text of the page
 */
export async function showScene(figure, locale, text) {
  const { language, strings } = await stringsFor(locale);
  new Scene(figure, language, strings, text);
}
