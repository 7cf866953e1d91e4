import { TimerManager } from "./timer-manager.js";
import { Card, clockTime, issueName, stateText } from "./widget/card.js";
import { content, h, isolate, setText } from "./widget/dom.js";
import { parseIssue } from "./widget/issue-link.js";
import { isOn } from "./widget/state.js";
import { stringsFor } from "./widget/strings.js";
import { styles } from "./widget/styles.js";
import { createView } from "./widget/view.js";

/** @import { Events, State, Strings } from "./widget/types.d.ts" */
/** @import { Button } from "./widget/card.js" */
/** @import { View } from "./widget/view.js" */

const NOTICE_MS = 8_000;

/** Shows and controls a user's open timers. docs/widget.md describes its attributes, events and styles. */
export class IssueTimerElement extends HTMLElement {
  static observedAttributes = ["lang", "issue", "compact"];

  /**
   * The manager that synchronizes the timers. The manager is null until the element is added to a page.
   * @type {?TimerManager}
   */
  manager = null;

  #root = this.attachShadow({ mode: "open" });
  /** @type {?View} */
  #view = null;
  // The language that was requested last. The strings of a language requested earlier are ignored if they are
  // loaded later.
  #requested = "";
  /** @type {Map<string, Card>} */
  #cards = new Map();
  #noticeTimer = 0;
  /** @type {?AbortController} */
  #connection = null;

  connectedCallback() {
    this.#root.adoptedStyleSheets = [styles];
    const manager = (this.manager ??= new TimerManager({ server: this.getAttribute("server") ?? undefined }));
    this.#connection = new AbortController();
    const { signal } = this.#connection;
    /** @param {string} type @param {(event: CustomEvent) => void} listener */
    const on = (type, listener) =>
      manager.addEventListener(type, /** @type {EventListener} */ (listener), { signal });
    on("change", () => this.#show());
    on("tick", () => this.#showTime());
    on("transition", ({ detail }) => this.#onTransition(detail));
    on("problem", ({ detail }) => this.#showError(detail));
    manager.connect();
    this.#localize();
  }

  disconnectedCallback() {
    clearTimeout(this.#noticeTimer);
    this.#connection?.abort();
    this.manager?.disconnect();
  }

  /** @param {string} name */
  attributeChangedCallback(name) {
    if (!this.#view) return;
    if (name === "lang") this.#localize();
    else if (name === "issue") this.#view.input.value = this.getAttribute("issue") ?? "";
    else this.#show();
  }

  /** Build the view in the language of the element, of its page, or of the browser. */
  async #localize() {
    const element = /** @type {?HTMLElement} */ (this.closest("[lang]:not([lang=''])"));
    const requested = element?.lang ?? navigator.language;
    this.#requested = requested;
    const { language, strings } = await stringsFor(requested);
    const { manager } = this;
    if (this.#requested !== requested || !manager) return;
    this.#cards.clear();
    this.#view = createView(language, strings, {
      issue: this.#view?.input.value ?? this.getAttribute("issue") ?? "",
      isEmbedded: manager.api.isEmbedded,
      onSignIn: () => manager.signIn(),
      onSignOut: () => manager.signOut(),
      onRetry: () => manager.refresh(),
      onInput: () => this.#showMistake(),
      onSubmit: (event) => this.#submit(event),
    });
    this.#root.replaceChildren(this.#view.section);
    this.#show();
  }

  // ---------------------------------------------------------------- view

  #show() {
    const view = this.#view;
    if (!view || !this.manager) return;
    const { state } = this.manager;
    const focused = this.#root.activeElement;
    const index = [...view.list.children].findIndex((item) => item.contains(focused));
    showPhase(view, state, this.hasAttribute("compact"));
    showConnection(view, state);
    this.#showTimers(view, state);
    this.#showTime();
    // If the focused element was moved, focus the element again. If the element was removed, focus the list
    // item that took its place. Do not focus a button, because a second Enter would press the button.
    const items = [...view.list.children];
    for (const one of [focused, items[index] ?? items.at(-1), view.input, view.signIn]) {
      if (focused && !this.#root.activeElement && one instanceof HTMLElement) one.focus();
    }
  }

  /** @param {View} view @param {State} state */
  #showTimers({ list, language, strings }, { timers, isConnected }) {
    const context = { language, now: this.manager?.now ?? 0, isConnected, timers };
    const former = this.#cards;
    this.#cards = new Map();
    for (const timer of timers) {
      const { key } = timer;
      const card = former.get(key) ?? new Card((action) => this.#act(key, action));
      card.show(timer, strings, context);
      this.#cards.set(key, card);
    }
    const items = [...this.#cards.values()].map(({ item }) => item);
    // Replace the list items only if they have changed, because an element that is moved loses the focus.
    if (items.length !== list.children.length || items.some((item, i) => item !== list.children[i])) {
      list.replaceChildren(...items);
    }
  }

  #showTime() {
    const { manager } = this;
    if (!this.#view || !manager) return;
    for (const timer of manager.state.timers) this.#cards.get(timer.key)?.showTime(manager.working(timer));
    this.#view.today.textContent = manager.today === null ? "–" : clockTime(manager.today);
  }

  // ---------------------------------------------------------------- actions

  /** @param {string} key @param {Button} action */
  #act(key, action) {
    const { manager } = this;
    const timer = manager?.state.timers.find((one) => one.key === key);
    if (!this.#view || !manager || !timer) return;
    const { strings } = this.#view;
    const name = isolate(issueName(timer, strings));
    if (action === "focus" || action === "keep") {
      this.#notify(`${name}: ${strings.states.counting}`);
      return manager.focus(timer.id, action === "keep");
    }
    this.#notify(strings.own[action](name, clockTime(manager.working(timer))));
    manager[action](timer.id);
  }

  /** @param {SubmitEvent} event */
  #submit(event) {
    event.preventDefault();
    const { manager } = this;
    if (!this.#view || !manager) return;
    const { input, strings } = this.#view;
    const issue = parseIssue(input.value, this.getAttribute("repo"), manager.state.github);
    if ("mistake" in issue) {
      this.#showMistake(strings.mistakes[issue.mistake]);
      return input.focus();
    }
    this.#showMistake();
    input.value = "";
    const open = manager.state.timers.find((timer) => isOn(timer, issue));
    if (open) return this.#act(open.key, open.status === "paused" ? "resume" : "focus");
    const name = isolate(`${issue.github_repo}#${issue.github_issue_number}`);
    this.#notify(strings.own.start(name));
    manager.start(issue);
  }

  /** @param {string} [text] */
  #showMistake(text = "") {
    if (!this.#view) return;
    const { input, mistake } = this.#view;
    input.ariaInvalid = String(Boolean(text));
    mistake.hidden = !text;
    mistake.textContent = text;
  }

  // ---------------------------------------------------------------- events

  /** Dispatch an event to the page. @param {string} name @param {object} detail */
  #dispatch(name, detail) {
    this.dispatchEvent(new CustomEvent(`issue-timer:${name}`, { bubbles: true, composed: true, detail }));
  }

  /** @param {Events["transition"]} transition */
  async #onTransition({ action, timer, isOwn }) {
    this.#dispatch(action, { timer, isOwn });
    if (isOwn || !this.#view || !this.manager) return;
    const { language, strings } = this.#view;
    const name = isolate(issueName(timer, strings));
    if (action === "focus" || action === "counting") {
      return this.#notify(`${name}: ${stateText(timer, strings, { language, now: this.manager.now })}`);
    }
    // Without an answer, the cause is unknown.
    const { body } =
      action === "stop"
        ? await this.manager.api.request("GET", `/api/timelogs/${timer.id}/`).catch(Object)
        : {};
    this.#notify(strings.elsewhere[action](name, strings.sources[body?.stopped_by]));
  }

  /** @param {Events["problem"]} problem */
  #showError(problem) {
    this.#dispatch("problem", problem);
    if (!this.#view || !this.manager) return;
    const { code, error } = problem;
    const { language, strings } = this.#view;
    const text = strings.problems[code];
    if (code === "waiting") return this.#notify(`${connectionMessage(this.manager.state, strings)} ${text}`);
    const { message = code === "failed" ? strings.offline : "", lang = language } = error?.status
      ? error.explain(strings.errors)
      : {};
    this.#notify(`${text} `, h("span", { lang }, message));
  }

  /**
   * @param {string} text
   * @param {Node} [problem] the reason of a problem
   */
  #notify(text, problem) {
    if (!this.#view) return;
    const { notice } = this.#view;
    clearTimeout(this.#noticeTimer);
    notice.replaceChildren(...content(text), problem ?? "");
    notice.classList.toggle("problem", Boolean(problem));
    // A problem stays visible until the next notice.
    if (!problem) this.#noticeTimer = setTimeout(() => (notice.textContent = ""), NOTICE_MS);
  }
}

/**
 * Show the elements that belong to the manager's phase, and hide the others.
 *
 * @param {View} view
 * @param {State} state
 * @param {boolean} isCompact
 */
function showPhase(view, { phase, isConnected, isExpired, timers, waiting }, isCompact) {
  const { strings } = view;
  const isReady = phase === "ready";
  const hasTimers = timers.length > 0;
  view.bar.hidden = !isReady || isCompact;
  view.signInPanel.hidden = phase !== "signed-out";
  const kept = waiting ? strings.kept : "";
  view.reason.textContent = isExpired ? `${strings.expired} ${kept}` : strings.signedOut;
  view.loading.hidden = phase !== "loading" || !isConnected;
  view.list.hidden = !hasTimers || phase === "signed-out";
  view.none.hidden = !isReady || hasTimers || isCompact;
  view.form.hidden = !isReady || (isCompact && hasTimers);
}

/**
 * Show whether the server is unreachable or busy, and what the widget will do next.
 *
 * @param {View} view
 * @param {State} state
 */
function showConnection({ strings, banner, bannerText, announcement, reason }, state) {
  const { isConnected, isExpired, waiting } = state;
  const remedy = waiting ? strings.pending(waiting) : strings.retrying;
  banner.hidden = isConnected;
  bannerText.textContent = `${connectionMessage(state, strings)} ${remedy}`;
  // If actions are pending, screen readers have already announced the notice of the failed connection.
  const text = isConnected || waiting ? "" : bannerText.textContent;
  setText(announcement, (isExpired && reason.textContent) || text);
}

/** @param {State} state @param {Strings} strings */
function connectionMessage({ isBusy }, strings) {
  return isBusy ? strings.busy : strings.offline;
}

// A page may load this module from two URLs, but a page can define the element only once.
if (!customElements.get("issue-timer")) customElements.define("issue-timer", IssueTimerElement);
