// The page for admins: the addresses that are told about timers, and what became of the notifications.

import { fieldErrors, get, request } from "./page/api.js";
import { byId, control, formValues, setMessage, showButton } from "./page/elements.js";
import { formats, locale, text } from "./page/language.js";
import { confirm, notify } from "./page/notices.js";
import { onAction, openPage, showError } from "./page/session.js";
import { content, h, isolate, setText } from "./widget/dom.js";

/** @import { Hook, HookAttempt, HookDelivery, HookEvent } from "./page/types.d.ts" */

const HOOKS = "/api/admin/hooks/";
// A test takes a second or two. The page looks for its result this often.
const LOOK_AFTER_MS = 1_000;
const LOOKS = 15;

/** The texts of the events, in the order of the form. */
const EVENTS = /** @type {const} */ ({
  "timer.started": "eventStarted",
  "timer.paused": "eventPaused",
  "timer.resumed": "eventResumed",
  "timer.stopped": "eventStopped",
  "timer.corrected": "eventCorrected",
  "timer.deleted": "eventDeleted",
  "timesheet.confirmed": "eventConfirmed",
  ping: "eventPing",
});

const STATES = /** @type {const} */ ({
  sent: "sendingSent",
  waiting: "sendingWaiting",
  given_up: "sendingGivenUp",
});

/** The texts of the reasons for which there was no response. @type {Record<string, Parameters<typeof text>[0]>} */
const FAILURES = {
  no_address: "failureNoAddress",
  address_refused: "failureRefused",
  timeout: "failureTimeout",
  tls: "failureTls",
  connection: "failureConnection",
};

const form = byId("hook-form", HTMLFormElement);

/** The webhook that the form changes; null if it adds one. @type {?Hook} */
let edited = null;

// ------------------------------------------------------------------ the list

async function load() {
  show((await get(HOOKS)).hooks);
}

/** @param {Hook[]} hooks */
function show(hooks) {
  byId("no-hooks").hidden = hooks.length > 0;
  byId("hooks").replaceChildren(...hooks.map(hookItem));
}

/** @param {Hook} hook */
function hookItem(hook) {
  const { host, href } = new URL(hook.url);
  const name = isolate(host);
  const about = [
    hook.events.map((event) => text(EVENTS[event])).join(", "),
    text(hook.format === "slack" ? "hookSlack" : "hookJson"),
    text(hook.is_signed ? "hookSigned" : "hookUnsigned"),
  ].join(" · ");
  const list = h("ul", { className: "rows" });
  const deliveries = h(
    "details",
    {},
    h("summary", {}, text("hookDeliveries")),
    h("p", { className: "faint", hidden: true }, text("noDeliveries")),
    list,
  );
  onAction("toggle", deliveries, async () => {
    if (deliveries.open) await showDeliveries(hook, deliveries);
  });
  const actions = [
    actionButton("testHook", name, () => test(hook, deliveries)),
    actionButton("changeHook", name, () => edit(hook)),
    actionButton("removeHook", name, () => remove(hook), "danger"),
  ];
  return h(
    "li",
    {},
    h("h2", { dir: "auto" }, host),
    h("p", { className: "address", dir: "ltr" }, href),
    h("p", { className: "faint" }, about),
    h("div", { className: "buttons" }, ...actions),
    deliveries,
  );
}

/**
 * @param {"testHook" | "changeHook" | "removeHook" | "repeatDelivery"} label
 * @param {string} name what the button is about, for screen readers
 * @param {() => unknown} action
 * @param {string} [className]
 */
function actionButton(label, name, action, className = "") {
  const made = h("button", { type: "button", className, ariaLabel: `${text(label)}: ${name}` }, text(label));
  onAction("click", made, action);
  return made;
}

/** @param {Hook} hook */
async function remove(hook) {
  const question = text("removeHookQuestion", { name: isolate(new URL(hook.url).host) });
  if (!(await confirm(question, text("removeHookText"), text("removeHook")))) return;
  await request("DELETE", `${HOOKS}${hook.id}/`);
  if (edited?.id === hook.id) clearForm();
  await load();
  byId("hooks-title").focus();
  notify(text("hookRemoved"));
}

/** @param {Hook} hook @param {HTMLDetailsElement} deliveries */
async function test(hook, deliveries) {
  const { id } = (await request("POST", `${HOOKS}${hook.id}/test/`)).body;
  notify(text("hookTested"));
  deliveries.open = true;
  await awaitAttempt(hook, deliveries, id, 0);
}

/**
 * Show the deliveries until a delivery has more attempts than before.
 *
 * @param {Hook} hook
 * @param {HTMLDetailsElement} deliveries
 * @param {string} id
 * @param {number} before the number of attempts
 */
async function awaitAttempt(hook, deliveries, id, before) {
  for (let look = 0; look < LOOKS; look++) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_AFTER_MS));
    const found = (await showDeliveries(hook, deliveries)).find((one) => one.id === id);
    if (found && found.attempts.length > before) return;
  }
}

/**
 * @param {Hook} hook
 * @param {HTMLDetailsElement} shown
 * @returns {Promise<HookDelivery[]>}
 */
async function showDeliveries(hook, shown) {
  /** @type {HookDelivery[]} */
  const deliveries = (await get(`${HOOKS}${hook.id}/deliveries/`)).deliveries;
  const [empty, list] = /** @type {Iterable<HTMLElement>} */ (shown.querySelectorAll("p, ul.rows"));
  empty.hidden = deliveries.length > 0;
  list.replaceChildren(...deliveries.map((delivery) => deliveryItem(hook, delivery, shown)));
  return deliveries;
}

/** @param {Hook} hook @param {HookDelivery} delivery @param {HTMLDetailsElement} shown */
function deliveryItem(hook, delivery, shown) {
  const { id, event, state, attempts } = delivery;
  const repeat = actionButton("repeatDelivery", text(EVENTS[event]), async () => {
    await request("POST", `${HOOKS}${hook.id}/deliveries/${id}/repeat/`);
    notify(text("deliveryRepeated"));
    await awaitAttempt(hook, shown, id, attempts.length);
  });
  return h(
    "li",
    {},
    h(
      "div",
      {},
      h("strong", {}, text(EVENTS[event])),
      ` · `,
      h("span", { className: `state ${state}` }, text(STATES[state])),
      ...attempts.map((attempt) => h("small", {}, ...content(attemptText(attempt)))),
    ),
    repeat,
  );
}

/** @param {HookAttempt} attempt */
function attemptText({ at, duration, status, failure }) {
  return text("attempt", {
    time: formats.date("dateAndTime", new Date(at)),
    result: status === null ? text(FAILURES[failure ?? ""] ?? "failureConnection") : String(status),
    seconds: duration.toLocaleString(locale, { maximumFractionDigits: 2 }),
  });
}

// ------------------------------------------------------------------ the form

/** @param {Hook} hook */
function edit(hook) {
  edited = hook;
  clearErrors();
  control(form, "url").value = hook.url;
  control(form, "format").value = hook.format;
  control(form, "secret").value = "";
  for (const box of boxes()) box.checked = hook.events.includes(/** @type {HookEvent} */ (box.value));
  showForm();
  byId("form-title").focus();
}

function clearForm() {
  edited = null;
  form.reset();
  clearErrors();
  showForm();
}

function showForm() {
  setText(byId("form-title"), text(edited ? "changeHookTitle" : "addHookTitle"));
  showButton(byId("hook-cancel"), edited !== null, "form-title");
  control(form, "secret").placeholder = edited?.is_signed ? text("hookKeepsSecret") : "";
}

/** @returns {HTMLInputElement[]} */
function boxes() {
  return [...byId("hook-events").querySelectorAll("input")];
}

function clearErrors() {
  for (const field of ["url", "secret", "events"]) showFieldError(field, "");
  setMessage(byId("hook-error"), "");
}

/** @param {string} field @param {string} message @param {string} [lang] */
function showFieldError(field, message, lang) {
  setMessage(byId(`hook-${field}-error`), message, lang);
  byId(`hook-${field}`).ariaInvalid = String(message !== "");
}

async function save() {
  clearErrors();
  const { url, format, secret } = formValues(form);
  const events = boxes().flatMap((box) => (box.checked ? [box.value] : []));
  const body = { url: normalized(url), format, events, ...(secret && { secret }) };
  try {
    if (edited) await request("PUT", `${HOOKS}${edited.id}/`, body);
    else await request("POST", HOOKS, body);
  } catch (error) {
    const found = fieldErrors(error);
    if (!found.length) throw error;
    showErrors(found);
    return;
  }
  clearForm();
  await load();
  notify(text("hookSaved"));
}

/** @param {ReturnType<typeof fieldErrors>} found */
function showErrors(found) {
  for (const { field, message, lang } of found) {
    const [name] = field.split(".");
    if (["url", "secret", "events"].includes(name)) showFieldError(name, message, lang);
    else setMessage(byId("hook-error"), message, lang);
  }
  form.querySelector("[aria-invalid=true]")?.scrollIntoView({ block: "nearest" });
  const first = found[0].field.split(".")[0];
  (first === "events" ? boxes()[0] : control(form, first)).focus();
}

/**
 * Return an address as browsers send it: a name with letters of other alphabets in ASCII.
 *
 * @param {string} url
 */
function normalized(url) {
  return URL.canParse(url.trim()) ? new URL(url.trim()).href : url.trim();
}

function showEvents() {
  const shown = /** @type {HookEvent[]} */ (Object.keys(EVENTS)).filter((event) => event !== "ping");
  byId("hook-events").append(
    ...shown.map((event) =>
      h("label", {}, h("input", { type: "checkbox", value: event }), text(EVENTS[event])),
    ),
  );
}

onAction("submit", form, save);
onAction("click", byId("hook-cancel"), clearForm);

openPage(async ({ is_admin }) => {
  byId("not-admin").hidden = is_admin;
  byId("outgoing").hidden = !is_admin;
  if (!is_admin) return;
  showEvents();
  showForm();
  await load();
}).catch(showError);
