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

  #root = this.attachShadow({ mode: "open" });
  #manager = null;
  #asked = "";
  #language = "en";
  #strings = null;
  #parts = null;
  #cards = new Map();
  #noticeTimer = 0;
  #listening = null;

  /** Talks to the server; null until the element is in a page. @type {?TimerManager} */
  get manager() {
    return this.#manager;
  }

  connectedCallback() {
    this.#root.adoptedStyleSheets = [styles];
    this.#manager ??= new TimerManager({ server: this.getAttribute("server") ?? undefined });
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    const on = (type, listener) => this.#manager.addEventListener(type, listener, { signal });
    on("change", () => this.#show());
    on("tick", () => this.#showTime());
    on("transition", ({ detail }) => this.#tell(detail));
    on("problem", ({ detail }) => this.#complain(detail));
    this.#manager.connect();
    this.#speak();
  }

  disconnectedCallback() {
    clearTimeout(this.#noticeTimer);
    this.#listening.abort();
    this.#manager.disconnect();
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
      signOut: h("button", { type: "button", className: "plain", onclick: () => this.#manager.signOut() }, t.signOut),
      why: h("p"),
      signIn: button("primary", t.signIn, () => this.#manager.signIn()),
      trouble: h("span"),
      tryNow: button("", t.tryNow, () => this.#manager.refresh()),
      list: h("ul", { part: "timers", role: "list" }),
      loading: h("p", { className: "loading" }, t.loading),
      none: h("p", { className: "none", part: "empty" }, t.none, h("span", {}, t.noneHint)),
      input: h("input", {
        id: "issue",
        part: "input",
        autocomplete: "off",
        spellcheck: false,
        placeholder: t.placeholder,
        value,
        oninput: () => this.#mark(),
      }),
      mistake: h("p", { id: "mistake", className: "mistake", hidden: true }),
      notice: h("p", { className: "notice", part: "notice", role: "status" }),
      // What appears together with its place is not read out.
      spoken: h("p", { className: "spoken", ariaLive: "polite" }),
    });
    parts.input.setAttribute("aria-describedby", "mistake");
    parts.bar = h(
      "div",
      { className: "bar", part: "bar" },
      h("span", {}, t.today, parts.today),
      this.#manager.api.isEmbedded ? parts.signOut : "",
    );
    parts.gate = h("div", { className: "sign-in", part: "sign-in" }, parts.why, parts.signIn);
    parts.banner = h("div", { className: "banner", part: "banner" }, parts.trouble, parts.tryNow);
    parts.form = h(
      "form",
      { part: "form", noValidate: true, onsubmit: (event) => this.#submit(event) },
      h("label", { htmlFor: "issue" }, t.issue, parts.input),
      h("button", { className: "primary", part: "button primary" }, t.start),
      parts.mistake,
    );
    const { bar, gate, loading, banner, list, none, form, notice, spoken } = parts;
    const all = [bar, gate, loading, banner, list, none, form, notice, spoken];
    this.#root.replaceChildren(
      h("section", { part: "widget", lang: this.#language, ariaLabel: t.widget }, ...all),
    );
  }

  #show() {
    if (!this.#parts) return;
    const { phase, isConnected, isExpired, timers, waiting } = this.#manager.state;
    const parts = this.#parts;
    const t = this.#strings;
    const focused = this.#root.activeElement;
    const isReady = phase === "ready";
    const isCompact = this.hasAttribute("compact");

    parts.bar.hidden = !isReady || isCompact;
    parts.gate.hidden = phase !== "signed-out";
    parts.why.textContent = isExpired ? [t.expired, waiting ? t.kept(waiting) : ""].join(" ") : t.signedOut;
    parts.loading.hidden = phase !== "loading" || !isConnected;
    parts.banner.hidden = isConnected;
    parts.trouble.textContent = this.#trouble(waiting ? t.waiting(waiting) : t.again);
    // Of what waits, the notice has told.
    const trouble = isConnected || waiting ? "" : parts.trouble.textContent;
    set(parts.spoken, isExpired ? parts.why.textContent : trouble);
    parts.list.hidden = timers.length === 0 || phase === "signed-out";
    parts.none.hidden = !isReady || timers.length > 0 || isCompact;
    parts.form.hidden = !isReady || (isCompact && timers.length > 0);

    for (const key of this.#cards.keys()) {
      if (!timers.some((timer) => timer.key === key)) this.#cards.delete(key);
    }
    const items = timers.map((timer) => {
      if (!this.#cards.has(timer.key)) this.#cards.set(timer.key, new Card((action) => this.#steer(timer.key, action)));
      const card = this.#cards.get(timer.key);
      card.show(timer, t, { language: this.#language, now: this.#manager.now, isConnected });
      return card.item;
    });
    // Moving an element takes the focus from it.
    if (items.length !== parts.list.children.length || items.some((item, i) => item !== parts.list.children[i])) {
      parts.list.replaceChildren(...items);
    }
    this.#showTime();
    if (focused && !this.#root.activeElement) {
      focused.focus();
      if (!this.#root.activeElement) [...this.#root.querySelectorAll("button, input")].find(isVisible)?.focus();
    }
  }

  #showTime() {
    if (!this.#parts) return;
    const { timers } = this.#manager.state;
    for (const timer of timers) this.#cards.get(timer.key)?.showTime(this.#manager.active(timer));
    const { today } = this.#manager;
    this.#parts.today.textContent = today === null ? "–" : clockTime(today);
  }

  // ---------------------------------------------------------------- what is done

  #steer(key, action) {
    const timer = this.#manager.state.timers.find((one) => one.key === key);
    if (!timer) return;
    this.#notify(this.#strings.did[action](nameOf(timer, this.#strings), clockTime(this.#manager.active(timer))));
    this.#manager[action](timer.id);
  }

  #submit(event) {
    event.preventDefault();
    const { mistake, ...issue } = parseIssue(this.#parts.input.value, this.getAttribute("repo"));
    this.#mark(mistake);
    if (mistake) return this.#parts.input.focus();
    this.#parts.input.value = "";
    const open = this.#manager.state.timers.find((timer) => isOn(timer, issue));
    if (open?.status === "paused") return this.#steer(open.key, "resume");
    const name = `${issue.github_repo}#${issue.github_issue_number}`;
    if (open) return this.#notify(this.#strings.already(name));
    this.#notify(this.#strings.did.start(name));
    this.#manager.start(issue);
  }

  #mark(mistake) {
    const { input, mistake: place } = this.#parts;
    input.setAttribute("aria-invalid", String(Boolean(mistake)));
    place.hidden = !mistake;
    place.textContent = mistake ? this.#strings.mistakes[mistake] : "";
  }

  // ---------------------------------------------------------------- what is told

  #tell({ action, timer, isOwn }) {
    this.dispatchEvent(
      new CustomEvent(`issue-timer:${action}`, { bubbles: true, composed: true, detail: { timer, isOwn } }),
    );
    if (!isOwn && this.#strings) this.#notify(this.#strings.elsewhere[action](nameOf(timer, this.#strings)));
  }

  #complain({ code, message, action, timer }) {
    this.dispatchEvent(
      new CustomEvent("issue-timer:problem", { bubbles: true, composed: true, detail: { code, message, action, timer } }),
    );
    if (!this.#strings) return;
    const t = this.#strings;
    if (code === "waiting") return this.#notify(this.#trouble(t.problems.waiting));
    // The server speaks English.
    const reason = message ? h("span", { lang: "en" }, message) : code === "failed" ? t.offline : "";
    this.#notify([t.problems[code], " ", reason], true);
  }

  /** @returns {string} why something has to wait, and what is done about it */
  #trouble(rest) {
    return `${this.#manager.state.isBusy ? this.#strings.busy : this.#strings.offline} ${rest}`;
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
  #link = h("a", { className: "title", part: "title" });
  #state = h("span", { className: "state", part: "state" });
  #rest = h("span");
  #clock = h("span", { className: "clock", part: "clock", role: "timer", ariaLive: "off" });
  #toggle;
  #stop;

  /** @param {(action: "pause" | "resume" | "stop") => void} steer */
  constructor(steer) {
    this.#toggle = button("", "", () => steer(this.#toggle.classList.contains("pause") ? "pause" : "resume"));
    this.#stop = button("stop", "", () => steer("stop"));
    this.#link.append(this.#name);
    this.item = h(
      "li",
      {},
      h("div", { className: "what" }, this.#link, h("div", { className: "details" }, this.#state, this.#rest)),
      h("div", { className: "steer" }, this.#clock, this.#toggle, this.#stop),
    );
  }

  show(timer, t, { language, now, isConnected }) {
    const isRunning = timer.status === "running";
    const name = nameOf(timer, t);
    this.item.className = timer.status;
    this.item.setAttribute("part", `timer ${timer.status}`);
    set(this.#name, timer.github_issue_title || name);
    if (timer.github_issue_url) this.#link.href = timer.github_issue_url;
    else this.#link.removeAttribute("href");
    set(this.#state, isRunning ? t.running : t.paused);
    const details = [
      timer.github_issue_title && isolated(name),
      t.since(shortTime(timer.start_time, language, now)),
      t.sources[timer.source],
      timer.is_pending && !isConnected && t.unsent,
    ];
    set(this.#rest, details.filter(Boolean).map((one) => ` · ${one}`).join(""));
    this.#clock.ariaLabel = name;
    for (const [element, action] of [
      [this.#toggle, isRunning ? "pause" : "resume"],
      [this.#stop, "stop"],
    ]) {
      element.className = action;
      set(element, t[action]);
      element.ariaLabel = `${t[action]} ${name}`;
    }
  }

  showTime(seconds) {
    set(this.#clock, clockTime(seconds));
  }
}

function nameOf(timer, t) {
  return timer.github_repo ? `${timer.github_repo}#${timer.github_issue_number}` : timer.description || t.noIssue;
}

/** @returns {string} what keeps its own direction in a line of the other (Unicode's FSI and PDI) */
function isolated(text) {
  return `\u2068${text}\u2069`;
}

/** @returns {string} HH:MM:SS */
function clockTime(seconds) {
  const parts = [seconds / 3600, (seconds / 60) % 60, seconds % 60];
  return parts.map((part) => String(Math.floor(part)).padStart(2, "0")).join(":");
}

function shortTime(time, language, now) {
  const isToday = new Date(time).toDateString() === new Date(now).toDateString();
  const options = { ...(!isToday && { month: "short", day: "numeric" }), hour: "numeric", minute: "2-digit" };
  return new Intl.DateTimeFormat(language, options).format(new Date(time));
}

function isVisible(element) {
  return element.checkVisibility();
}

/** Change a text if it is another: what did not change is not to be read out or painted again. */
function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function button(className, text, onclick) {
  return h("button", { type: "button", className, part: `button ${className}`.trim(), onclick }, text);
}

function h(name, { part, role, ...properties } = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  if (part) element.setAttribute("part", part);
  if (role) element.setAttribute("role", role);
  element.append(...children);
  return element;
}

customElements.define("issue-timer", IssueTimerElement);
