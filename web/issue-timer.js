import { isOn, TimerManager } from "./timer-manager.js";
import { parseIssue } from "./widget/issue-link.js";
import { stringsFor } from "./widget/strings.js";
import styles from "./widget/styles.js";
// What those import in turn, so that the browser asks for everything at once.
import "./widget/api-client.js";
import "./widget/clock.js";
import "./widget/outbox.js";
import "./widget/storage.js";

const NOTICE_MS = 8_000;

/** Shows a person's open timers, and steers them. docs/widget.md describes attributes, events and styles. */
export class IssueTimerElement extends HTMLElement {
  static observedAttributes = ["lang", "issue", "compact"];

  /** Talks to the server; null until the element is in a page. @readonly @type {?TimerManager} */
  manager = null;

  #root = this.attachShadow({ mode: "open" });
  #asked = "";
  #language = "en";
  #strings = null;
  #parts = null;
  #cards = new Map();
  #noticeTimer = 0;
  #listening = null;

  connectedCallback() {
    this.#root.adoptedStyleSheets = [styles];
    this.manager ??= new TimerManager({ server: this.getAttribute("server") ?? undefined });
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    const on = (type, listener) => this.manager.addEventListener(type, listener, { signal });
    on("change", () => this.#show());
    on("tick", () => this.#showTime());
    on("transition", ({ detail }) => this.#tell(detail));
    on("problem", ({ detail }) => this.#complain(detail));
    this.manager.connect();
    this.#speak();
  }

  disconnectedCallback() {
    clearTimeout(this.#noticeTimer);
    this.#listening.abort();
    this.manager.disconnect();
  }

  attributeChangedCallback(name) {
    if (!this.#parts) return;
    if (name === "lang") this.#speak();
    else if (name === "issue") this.#parts.input.value = this.getAttribute("issue") ?? "";
    else this.#show();
  }

  /** Say everything in the language of the element, of its page, or of the browser. */
  async #speak() {
    const { lang } = this.closest("[lang]:not([lang=''])") ?? { lang: navigator.language };
    this.#asked = lang;
    const { language, strings } = await stringsFor(lang);
    if (this.#asked !== lang) return;
    [this.#language, this.#strings] = [language, strings];
    this.#build();
    this.#show();
  }

  // ---------------------------------------------------------------- what there is

  #build() {
    const t = this.#strings;
    const value = this.#parts?.input.value ?? this.getAttribute("issue") ?? "";
    this.#cards.clear();
    const parts = (this.#parts = {
      today: h("span", { role: "timer", ariaLive: "off", ariaLabel: t.today, part: "today" }),
      signOut: button("plain", t.signOut, () => this.manager.signOut()),
      why: h("p"),
      signIn: button("primary", t.signIn, () => this.manager.signIn()),
      trouble: h("span"),
      tryNow: button("", t.tryNow, () => this.manager.refresh()),
      list: h("ul", { part: "timers", role: "list" }),
      loading: h("p", { part: "loading" }, t.loading),
      none: h("p", { part: "empty" }, t.none, h("span", {}, t.noneHint)),
      input: h("input", {
        id: "issue",
        part: "input",
        autocomplete: "off",
        spellcheck: false,
        placeholder: t.placeholder,
        value,
        oninput: () => this.#mark(),
      }),
      mistake: h("p", { id: "mistake", part: "mistake", hidden: true }),
      notice: h("p", { part: "notice", role: "status" }),
      // What appears together with its place is not read out.
      spoken: h("p", { className: "spoken", ariaLive: "polite" }),
    });
    parts.input.setAttribute("aria-describedby", "mistake");
    parts.bar = h(
      "div",
      { part: "bar" },
      h("span", {}, t.today, parts.today),
      this.manager.api.isEmbedded ? parts.signOut : "",
    );
    parts.gate = h("div", { part: "sign-in" }, parts.why, parts.signIn);
    parts.banner = h("div", { part: "banner" }, parts.trouble, parts.tryNow);
    parts.form = h(
      "form",
      { part: "form", noValidate: true, onsubmit: (event) => this.#submit(event) },
      h("label", { htmlFor: "issue" }, t.issue, parts.input),
      h("button", { part: "button primary" }, t.start),
      parts.mistake,
    );
    this.#root.replaceChildren(
      h(
        "section",
        { part: "widget", lang: this.#language, ariaLabel: t.widget },
        parts.bar,
        parts.gate,
        parts.loading,
        parts.banner,
        parts.list,
        parts.none,
        parts.form,
        parts.notice,
        parts.spoken,
      ),
    );
  }

  #show() {
    if (!this.#parts) return;
    const { phase, isConnected, isExpired, timers, waiting } = this.manager.state;
    const parts = this.#parts;
    const t = this.#strings;
    const focused = this.#root.activeElement;
    const place = [...parts.list.children].findIndex((item) => item.contains(focused));
    const isReady = phase === "ready";
    const isCompact = this.hasAttribute("compact");

    parts.bar.hidden = !isReady || isCompact;
    parts.gate.hidden = phase !== "signed-out";
    parts.why.textContent = isExpired ? `${t.expired} ${waiting ? t.kept(waiting) : ""}` : t.signedOut;
    parts.loading.hidden = phase !== "loading" || !isConnected;
    parts.banner.hidden = isConnected;
    parts.trouble.textContent = this.#trouble(waiting ? t.waiting(waiting) : t.again);
    // Of what waits, the notice has told.
    const trouble = isConnected || waiting ? "" : parts.trouble.textContent;
    set(parts.spoken, isExpired ? parts.why.textContent : trouble);
    parts.list.hidden = timers.length === 0 || phase === "signed-out";
    parts.none.hidden = !isReady || timers.length > 0 || isCompact;
    parts.form.hidden = !isReady || (isCompact && timers.length > 0);

    const cards = timers.map((timer) => {
      const { key } = timer;
      const card = this.#cards.get(key) ?? new Card((action) => this.#steer(key, action));
      card.show(timer, t, { language: this.#language, now: this.manager.now, isConnected });
      return [key, card];
    });
    this.#cards = new Map(cards);
    const items = cards.map(([, { item }]) => item);
    // Moving an element takes the focus from it.
    if (
      items.length !== parts.list.children.length ||
      items.some((item, i) => item !== parts.list.children[i])
    ) {
      parts.list.replaceChildren(...items);
    }
    this.#showTime();
    // What had the focus was moved or has gone. Nothing that a second Enter would press is to have it then.
    for (const one of [focused, items[place] ?? items.at(-1), parts.input, parts.signIn]) {
      if (focused && !this.#root.activeElement) one?.focus();
    }
  }

  #showTime() {
    if (!this.#parts) return;
    const { timers } = this.manager.state;
    for (const timer of timers) this.#cards.get(timer.key)?.showTime(this.manager.active(timer));
    const { today } = this.manager;
    this.#parts.today.textContent = today === null ? "–" : clockTime(today);
  }

  // ---------------------------------------------------------------- what is done

  #steer(key, action) {
    const timer = this.manager.state.timers.find((one) => one.key === key);
    if (!timer) return;
    this.#notify(
      this.#strings.did[action](nameOf(timer, this.#strings), clockTime(this.manager.active(timer))),
    );
    this.manager[action](timer.id);
  }

  #submit(event) {
    event.preventDefault();
    const { mistake, ...issue } = parseIssue(this.#parts.input.value, this.getAttribute("repo"));
    this.#mark(mistake);
    if (mistake) return this.#parts.input.focus();
    this.#parts.input.value = "";
    const open = this.manager.state.timers.find((timer) => isOn(timer, issue));
    if (open?.status === "paused") return this.#steer(open.key, "resume");
    const name = `${issue.github_repo}#${issue.github_issue_number}`;
    if (open) return this.#notify(this.#strings.already(name));
    this.#notify(this.#strings.did.start(name));
    this.manager.start(issue);
  }

  #mark(mistake) {
    const { input, mistake: place } = this.#parts;
    input.ariaInvalid = Boolean(mistake);
    place.hidden = !mistake;
    place.textContent = mistake ? this.#strings.mistakes[mistake] : "";
  }

  // ---------------------------------------------------------------- what is told

  /** Tell the page. */
  #announce(name, detail) {
    this.dispatchEvent(new CustomEvent(`issue-timer:${name}`, { bubbles: true, composed: true, detail }));
  }

  #tell({ action, timer, isOwn }) {
    this.#announce(action, { timer, isOwn });
    if (!isOwn && this.#strings) this.#notify(this.#strings.elsewhere[action](nameOf(timer, this.#strings)));
  }

  #complain(detail) {
    this.#announce("problem", detail);
    const { code, message } = detail;
    if (!this.#strings) return;
    const t = this.#strings;
    if (code === "waiting") return this.#notify(this.#trouble(t.problems.waiting));
    // The server speaks English.
    const reason = message ? h("span", { lang: "en" }, message) : code === "failed" ? t.offline : "";
    this.#notify([t.problems[code], " ", reason], true);
  }

  /** @returns {string} why something has to wait, and what is done about it */
  #trouble(rest) {
    return `${this.manager.state.isBusy ? this.#strings.busy : this.#strings.offline} ${rest}`;
  }

  #notify(text, isProblem = false) {
    const { notice } = this.#parts;
    clearTimeout(this.#noticeTimer);
    notice.replaceChildren(...[text].flat());
    notice.classList.toggle("problem", isProblem);
    // A problem stays until something else is to be said.
    if (!isProblem) this.#noticeTimer = setTimeout(() => (notice.textContent = ""), NOTICE_MS);
  }
}

/** A timer's place in the list. */
class Card {
  #name = h("bdi");
  #link = h("a", { part: "title" });
  #state = h("span", { part: "state" });
  #rest = h("span");
  #clock = h("span", { part: "clock", role: "timer", ariaLive: "off" });
  #toggle;
  #stop;

  /** @param {(action: "pause" | "resume" | "stop") => void} steer */
  constructor(steer) {
    this.#toggle = button("", "", () => steer(this.#toggle.classList.contains("pause") ? "pause" : "resume"));
    this.#stop = button("", "", () => steer("stop"));
    this.#link.append(this.#name);
    this.item = h(
      "li",
      { tabIndex: -1 },
      h("div", { className: "what" }, this.#link, h("div", { part: "details" }, this.#state, this.#rest)),
      h("div", { className: "steer" }, this.#clock, this.#toggle, this.#stop),
    );
  }

  show(timer, t, { language, now, isConnected }) {
    const isRunning = timer.status === "running";
    const name = nameOf(timer, t);
    this.item.part = this.item.className = `timer ${timer.status}`;
    set(this.#name, timer.github_issue_title || name);
    if (timer.github_issue_url) this.#link.href = timer.github_issue_url;
    else this.#link.removeAttribute("href");
    set(this.#state, isRunning ? t.running : t.paused);
    const details = [
      // What keeps its own direction in a line of the other (Unicode's FSI and PDI).
      timer.github_issue_title && `\u2068${name}\u2069`,
      t.since(shortTime(timer.start_time, language, now)),
      t.sources[timer.source],
      timer.is_pending && !isConnected && t.unsent,
    ];
    set(
      this.#rest,
      details
        .filter(Boolean)
        .map((one) => ` · ${one}`)
        .join(""),
    );
    this.#clock.ariaLabel = name;
    for (const [element, action] of [
      [this.#toggle, isRunning ? "pause" : "resume"],
      [this.#stop, "stop"],
    ]) {
      element.part = element.className = `button ${action}`;
      set(element, t[action]);
      element.ariaLabel = `${t[action]} ${name}`;
    }
  }

  showTime(seconds) {
    set(this.#clock, clockTime(seconds));
  }
}

function nameOf(timer, t) {
  return timer.github_repo
    ? `${timer.github_repo}#${timer.github_issue_number}`
    : timer.description || t.noIssue;
}

/** @returns {string} HH:MM:SS */
function clockTime(seconds) {
  return [seconds / 3600, (seconds / 60) % 60, seconds % 60]
    .map((part) => String(Math.floor(part)).padStart(2, "0"))
    .join(":");
}

function shortTime(time, language, now) {
  const date = new Date(time);
  const isToday = date.toDateString() === new Date(now).toDateString();
  const day = isToday ? {} : { month: "short", day: "numeric" };
  return date.toLocaleString(language, { ...day, hour: "numeric", minute: "2-digit" });
}

/** Change a text if it is another: what did not change is not to be read out or painted again. */
function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function button(part, text, onclick) {
  return h("button", { type: "button", part: `button ${part}`, onclick }, text);
}

/** Make an element; the names of a part are its classes, too. */
function h(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  if (properties.part) element.className = properties.part;
  element.append(...children);
  return element;
}

customElements.define("issue-timer", IssueTimerElement);
