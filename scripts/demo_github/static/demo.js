/**
 * The demo GitHub's pages: they send their forms in the background, show what other people and Issue Timer do, and
 * let cards be dragged. Without this script, each form loads the page again.
 */
import { letCardsBeDragged } from "./drag.js";
import { isPressed, letPressesCount } from "./presses.js";
import { showTimers, showWhoseWidget, showWithheldTimers } from "./timers.js";

const root = document.body.dataset.root;
const status = document.getElementById("status");
const FOCUSABLE = "a[href], button, summary, input, select, textarea";

let isStale = false;
let actions = 0;
let statusTimeout = 0;
let updates = 0;

/** @param {string} message */
function report(message) {
  status.textContent = message;
  clearTimeout(statusTimeout);
  statusTimeout = setTimeout(() => status.replaceChildren(), 6000);
}

/**
 * Perform an action.
 *
 * @param {string} action the address of the action
 * @param {URLSearchParams} body the values of the form
 * @returns {Promise<boolean>} whether it was performed
 */
async function act(action, body) {
  let isPerformed = false;
  actions += 1;
  try {
    const answer = await fetch(action, { method: "POST", body, headers: { Accept: "application/json" } });
    report((await answer.json()).message);
    isPerformed = answer.ok;
  } catch {
    report("The demo does not answer. Does “make run” still run?");
  }
  actions -= 1;
  await update();
  return isPerformed;
}

/** Show the present state of the page's live parts. */
async function update() {
  updates += 1;
  const own = updates;
  const answer = await fetch(location.href).catch(() => null);
  const text = await answer?.text();
  // A later update has newer content.
  if (!answer?.ok || own !== updates) return;
  // While an action is under way, the content may be that before it.
  isStale = isPressed() || actions > 0;
  if (isStale) return;
  const present = new DOMParser().parseFromString(text, "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const now = present.querySelector(`[data-live="${part.dataset.live}"]`);
    if (now) replaceContent(part, now);
  }
  prepare();
  showTimers();
}

/**
 * Replace the content of an element unless it is the same; focus and open menus stay.
 *
 * @param {HTMLElement} part
 * @param {Element} now
 */
function replaceContent(part, now) {
  if (part.sourceText === now.innerHTML) return;
  const focused = part.contains(document.activeElement) ? place(part, document.activeElement) : null;
  const open = [...part.querySelectorAll("details[open]")].map((element) => place(part, element));
  const sourceText = now.innerHTML;
  part.replaceChildren(...[...now.childNodes].map((node) => document.importNode(node, true)));
  part.sourceText = sourceText;
  for (const one of open) find(part, one)?.setAttribute("open", "");
  if (focused) find(part, focused)?.focus({ preventScroll: true });
}

/** Return how to find an element again: its card or delivery, and its position there. */
function place(part, element) {
  const item = element.closest("[id], [data-delivery]");
  const within = item && item !== part && part.contains(item) ? item : part;
  const selector = element.matches("details") ? "details" : FOCUSABLE;
  const name =
    within === part
      ? null
      : within.id
        ? `#${CSS.escape(within.id)}`
        : `[data-delivery="${within.dataset.delivery}"]`;
  return { name, selector, index: [...within.querySelectorAll(selector)].indexOf(element) };
}

function find(part, { name, selector, index }) {
  const found = (name ? part.querySelector(name) : part)?.querySelectorAll(selector);
  return found?.[Math.min(index, found.length - 1)];
}

/** Show times in the browser's time zone, and the dates of former days. */
function prepare() {
  for (const time of document.querySelectorAll("time:not([data-local])")) {
    const at = new Date(time.dateTime);
    const isToday = at.toDateString() === new Date().toDateString();
    time.textContent = isToday ? at.toLocaleTimeString() : at.toLocaleDateString();
    time.dataset.local = "";
  }
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("[data-action]")) return;
  event.preventDefault();
  const { submitter } = event;
  const action = submitter?.hasAttribute("formaction") ? submitter.formAction : form.action;
  closeMenu(submitter?.closest("details.menu"));
  if (await act(action, new URLSearchParams(new FormData(form, submitter)))) form.reset();
});

// A menu closes as menus do.
document.addEventListener("click", ({ target }) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(target)) menu.removeAttribute("open");
  }
});
document.addEventListener("keydown", ({ key }) => {
  if (key === "Escape") closeMenu(document.querySelector("details.menu[open]"));
});

/** Close a menu; a focus in it moves to the menu's button. */
function closeMenu(menu) {
  if (menu?.contains(document.activeElement)) menu.querySelector("summary").focus();
  menu?.removeAttribute("open");
}

letPressesCount(() => {
  if (isStale && actions === 0) update();
  showWithheldTimers();
});

letCardsBeDragged((card, to) => {
  const { repository, number } = card.dataset;
  act(`${root}/actions/move`, new URLSearchParams({ repository, number, status: to }));
});

// A browser allows few connections to a server, so hidden tabs have none.
let changes = null;
function follow() {
  changes?.close();
  changes = null;
  if (document.hidden) return;
  changes = new EventSource(`${root}/changes`);
  changes.addEventListener("message", update);
}
document.addEventListener("visibilitychange", follow);
addEventListener("pagehide", () => changes?.close());
addEventListener("pageshow", ({ persisted }) => persisted && follow());

if (document.querySelector("[data-live]")) follow();
for (const part of document.querySelectorAll("[data-live]")) part.sourceText = part.innerHTML;
prepare();
for (const change of ["start", "pause", "resume", "stop", "focus", "counting"]) {
  document.addEventListener(`issue-timer:${change}`, showTimers);
}
showWhoseWidget();
showTimers();
