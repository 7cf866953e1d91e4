// The Account page: working hours, who sees one's time, the organization's rules, API tokens, the export of all data, signing out
// everywhere and deleting the account.

import { get, pages, request } from "./page/api.js";
import { DayOff } from "./page/day-off.js";
import { DaysOffSection } from "./page/days-off.js";
import { byId, download, formValues } from "./page/elements.js";
import { formats, text } from "./page/language.js";
import { confirm, notify } from "./page/notices.js";
import { OrganizationSection } from "./page/organization.js";
import { fetchSchedule, serverNow } from "./page/schedule-api.js";
import { endSession, onAction, openPage, showError } from "./page/session.js";
import { VisibilitySection } from "./page/visibility.js";
import { WorkingHoursSection } from "./page/working-hours.js";
import { content, h, isolate } from "./widget/dom.js";

/** @import { Profile, Token } from "./page/types.d.ts" */

// ------------------------------------------------------------------ working hours

const workingHours = new WorkingHoursSection(serverNow, showSchedule);
const daysOff = new DaysOffSection(serverNow, showSchedule);
const dayOff = new DayOff(serverNow, showSchedule);
byId("day-off").append(dayOff.element);

async function showSchedule() {
  const schedule = await fetchSchedule();
  for (const section of [workingHours, daysOff, dayOff]) section.show(schedule);
}

// The main page links to the editor.
const EDITOR = "#change-hours";

const visibility = new VisibilitySection();

// ------------------------------------------------------------------ tokens

async function showTokens() {
  const { results } = await get("/api/auth/tokens/");
  byId("tokens").replaceChildren(...results.map(tokenItem));
}

/** @param {Token} token */
function tokenItem({ id, name, scope, created, expires, last_used }) {
  const date = (/** @type {string} */ time) => ({ date: formats.date("date", new Date(time)) });
  const details = [
    text(scope === "read" ? "canRead" : "canWrite"),
    text("createdOn", date(created)),
    expires ? text("expiresOn", date(expires)) : text("expiresNever"),
    last_used ? text("usedOn", date(last_used)) : text("usedNever"),
  ];
  const label = text("revokeNamed", { name });
  const button = h("button", { type: "button", className: "danger", ariaLabel: label }, text("revoke"));
  onAction("click", button, async () => {
    if (!(await confirm(text("revokeQuestion", { name }), text("revokeText"), text("revoke")))) return;
    await request("DELETE", `/api/auth/tokens/${id}/`);
    await showTokens();
    byId("token-name").focus();
    notify(text("revoked", { name }));
  });
  return h("li", {}, h("div", {}, ...content(isolate(name)), h("small", {}, details.join(" · "))), button);
}

const tokenForm = byId("create-token", HTMLFormElement);
const tokenText = byId("token-text", HTMLInputElement);

onAction("submit", tokenForm, async () => {
  const { name, scope, expires } = formValues(tokenForm);
  // The token expires at the end of the selected day in the browser's time zone.
  const end = expires ? { expires: new Date(`${expires}T23:59:59`).toISOString() } : {};
  const { body: created } = await request("POST", "/api/auth/tokens/", { name, scope, ...end });
  tokenForm.reset();
  tokenText.value = created.token;
  byId("new-token").hidden = false;
  await showTokens();
  notify(text("tokenCreated", { name }));
  byId("copy-token").focus();
});

onAction("click", byId("copy-token"), async () => {
  await navigator.clipboard.writeText(tokenText.value);
  notify(text("copied"));
});

addEventListener("signed-out", () => {
  byId("new-token").hidden = true;
  tokenText.value = "";
});

// ------------------------------------------------------------------ data, sessions and the account

onAction("click", byId("export"), async () => {
  /** @type {Record<string, any>} */
  const all = {};
  for await (const { next, ...page } of pages("/api/auth/me/export/")) {
    // Each page continues the lists. All other values are the same on every page.
    for (const [name, value] of Object.entries(page)) {
      all[name] = Array.isArray(value) ? [...(all[name] ?? []), ...value] : value;
    }
  }
  const name = `issue-timer-${all.profile.login}.json`;
  download(name, "application/json", JSON.stringify(all, null, 2));
  notify(text("exported", { name }));
});

onAction("click", byId("sign-out-everywhere"), async () => {
  await request("POST", "/api/auth/logout/", { everywhere: true });
  endSession(text("signedOutEverywhere"));
});

onAction("click", byId("delete-account"), async () => {
  if (!(await confirm(text("deleteAccountQuestion"), text("deleteAccountText"), text("deleteAccountYes"))))
    return;
  notify(text("deletingAccount"));
  // Status 202 means that the deletion needs another request.
  while ((await request("DELETE", "/api/auth/me/")).status === 202);
  endSession(text("accountDeleted"));
});

/** @param {Profile} profile */
async function showAccount({ is_admin }) {
  const loading = [
    showSchedule().then(() => location.hash === EDITOR && workingHours.edit()),
    showTokens(),
    visibility.open(),
    is_admin && new OrganizationSection(serverNow, showSchedule).open(),
  ];
  // Show what can be loaded, even if a part cannot.
  for (const result of await Promise.allSettled(loading)) {
    if (result.status === "rejected") showError(result.reason);
  }
}

openPage(showAccount);
