// The page for admins: how the server is connected with GitHub, and what has arrived.

import { get } from "./page/api.js";
import { byId } from "./page/elements.js";
import { formats, locale, text } from "./page/language.js";
import { notify } from "./page/notices.js";
import { onAction, openPage, showError } from "./page/session.js";
import { content, h, isolate, setText } from "./widget/dom.js";

/** @import { Capability, Delivery, GitHubConnection } from "./page/types.d.ts" */

// The time between two requests, and the time after which the page no longer updates by itself.
const CHECK_AFTER_MS = 3_000;
const WATCH_MS = 10 * 60_000;

/** The texts of the kinds of connection. */
const CONNECTIONS = /** @type {const} */ ({
  app: "connectedByApp",
  token: "connectedByToken",
  webhook: "connectedByWebhook",
  none: "notConnected",
});

/** The texts of what the credential cannot do. */
const CANNOT = /** @type {const} */ ({
  project_cards: "cannotProjectCards",
  replies: "cannotReplies",
  redelivery: "cannotRedelivery",
  reconcile: "cannotReconcile",
  lead_teams: "cannotLeadTeams",
  write_back: "cannotWriteBack",
});

/** The texts of the reasons for which deliveries are ignored. @type {Record<string, Parameters<typeof text>[0]>} */
const REASONS = {
  user_not_registered: "ignoredNotRegistered",
  before_registration: "ignoredBeforeRegistration",
  bot: "ignoredNobody",
  ghost: "ignoredNobody",
  not_a_person: "ignoredNobody",
  no_login: "ignoredNobody",
  not_an_issue: "ignoredNoIssue",
  not_a_branch: "ignoredNoIssue",
  no_issue_number: "ignoredNoIssue",
  review_of_team: "ignoredTeam",
  issue_closed: "ignoredClosed",
  no_assignees: "ignoredUnassigned",
  not_timed: "ignoredNotTimed",
  other_server: "ignoredOtherServer",
};

/** @type {?GitHubConnection} */
let shown = null;
/** When the page began to watch (by performance.now()). */
let watchedSince = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let polling;

// ------------------------------------------------------------------ the state

/** @param {GitHubConnection} connection */
function show(connection) {
  const isFirst = !shown;
  shown = connection;
  const { connection: kind, last_delivery: last, webhooks } = connection;
  const isConnected = kind !== "none";
  byId("state").className = isConnected ? "connected" : "unconnected";
  setText(byId("state"), text(CONNECTIONS[kind]));
  byId("open-github", HTMLAnchorElement).href = connection.github_url;
  setText(byId("delivery-text"), last ? deliveryText(last) : missingText(connection));
  byId("delivery").className = `delivery ${last ? last.state : "none"}`;
  byId("problems").replaceChildren(...problemsOf(connection));
  showCounts(connection);
  byId("webhooks-section").hidden = !webhooks.length;
  byId("webhooks").replaceChildren(...webhooks.map(webhookItem));
  if (isFirst) showWays(connection);
  showAge();
}

/** @param {GitHubConnection} connection */
function missingText({ webhooks }) {
  return text(webhooks.length ? "noRecentDelivery" : "noDelivery");
}

/** @param {Delivery} delivery */
function deliveryText({ event, source, state, reason }) {
  const states = {
    processed: () => text("stateProcessed"),
    ignored: () => text("stateIgnored", { reason: text(REASONS[reason ?? ""] ?? "ignoredNoTimer") }),
    given_up: () => text("stateGivenUp"),
    waiting: () => text("stateWaiting"),
    failed: () => text("stateFailed"),
  };
  const parts = { event, state: states[state]() };
  return source ? text("delivery", { ...parts, name: source }) : text("deliveryOfApp", parts);
}

/** Show how long ago the last delivery was received. */
function showAge() {
  const received = shown?.last_delivery?.received;
  setText(byId("delivery-age"), received ? ageText(new Date(received)) : "");
}

/** @param {Date} time */
function ageText(time) {
  const seconds = Math.max(0, Math.round((Date.now() - time.getTime()) / 1_000));
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: "always" });
  if (seconds < 60) return relative.format(-seconds, "second");
  if (seconds < 3_600) return relative.format(-Math.floor(seconds / 60), "minute");
  return formats.date("dateAndTime", time);
}

/** @param {GitHubConnection} connection */
function problemsOf({ github, last_delivery: last, last_refused: refused, deliveries }) {
  /** @type {string[]} */
  const found = [];
  if (refused && (!last || refused > last.received)) {
    found.push(
      text("problemSignature", { time: ageText(new Date(refused)), command: isolate(command("secret")) }),
    );
  }
  const failed = deliveries.reduce((sum, day) => sum + day.failed, 0);
  if (failed) found.push(text("problemFailed", { count: failed, command: isolate(command("dead-letters")) }));
  if (github.credential === "invalid") found.push(text("problemCredential"));
  const hasCredential = github.credential === "app" || github.credential === "token";
  if (last?.state === "given_up") {
    found.push(
      hasCredential
        ? text("problemCard", { reason: isolate(last.reason?.replace(/\.$/, "") ?? "") })
        : text("problemCardUnread", { command: isolate(command("github-token")) }),
    );
  }
  if (hasCredential) {
    found.push(...github.cannot.map((/** @type {Capability} */ name) => text(CANNOT[name])));
  }
  return found.map((problem) => h("li", {}, ...content(problem)));
}

/** @param {GitHubConnection} connection */
function showCounts({ deliveries }) {
  const sum = (/** @type {"processed" | "ignored" | "failed"} */ name) =>
    String(deliveries.reduce((total, day) => total + day[name], 0));
  byId("counts").hidden = !deliveries.length;
  byId("counts").ariaLabel = text("sinceYesterday");
  byId("counts").replaceChildren(
    h("dt", {}, text("sinceYesterday")),
    h("dd", {}, h("strong", {}, sum("processed")), ` ${text("countProcessed")}`),
    h("dd", {}, h("strong", {}, sum("ignored")), ` ${text("countIgnored")}`),
    h("dd", {}, h("strong", {}, sum("failed")), ` ${text("countFailed")}`),
  );
}

/** @param {GitHubConnection["webhooks"][number]} webhook */
function webhookItem({ kind, name, repaired }) {
  const names = {
    app: () => text("webhookApp"),
    organization: () => text("webhookOrganization", { name: name ?? "" }),
    repository: () => text("webhookRepository", { name: name ?? "" }),
  };
  const state = repaired
    ? text("repaired", { time: formats.date("dateAndTime", new Date(repaired)) })
    : text("notRepaired");
  return h("li", {}, h("div", {}, ...content(names[kind]()), h("small", {}, state)));
}

// ------------------------------------------------------------------ the ways to connect

/**
 * Return a command for this stack.
 *
 * @param {string} target
 * @param {string} [options]
 */
function command(target, options = "") {
  const stack = shown?.local_port ? `PORT=${shown.local_port}` : `STACK=${shown?.stack}`;
  return ["make", target, stack, options].filter(Boolean).join(" ");
}

/** @param {GitHubConnection} connection */
function showWays({ connection, local_port, webhook_url }) {
  const tunnel = local_port && "URL=https://your-tunnel.example";
  const commands = {
    "app-command": command("github-app", [tunnel, "ORG=octo-org"].filter(Boolean).join(" ")),
    "secret-command": command("secret"),
    "token-command": command("github-token"),
    "webhook-url": webhook_url,
  };
  for (const [id, value] of Object.entries(commands)) showCopyable(byId(id), value);
  byId("local").hidden = !local_port;
  byId("way-app", HTMLDetailsElement).open = connection === "none";
}

/** @param {HTMLElement} code @param {string} value */
function showCopyable(code, value) {
  code.textContent = value;
  const label = text("copyNamed", { content: value });
  const copy = h("button", { type: "button", ariaLabel: label }, text("copyShort"));
  onAction("click", copy, async () => {
    await navigator.clipboard.writeText(value);
    notify(text("copied"));
  });
  code.after(copy);
}

// ------------------------------------------------------------------ updates

/** Load the state, and again every three seconds while the page is visible, for ten minutes. */
async function watch() {
  clearTimeout(polling);
  show(await get("/api/admin/github/"));
  const isWatching = performance.now() - watchedSince < WATCH_MS;
  setText(byId("checking"), text(isWatching ? "checksItself" : "checksNoMore"));
  if (isWatching) polling = setTimeout(watchAgain, CHECK_AFTER_MS);
}

/** Load the state again. After a failed request, the page tries again, as after a response. */
async function watchAgain() {
  if (document.hidden) return;
  try {
    await watch();
  } catch (error) {
    showError(error);
    if (!byId("signed-in").hidden) polling = setTimeout(watchAgain, CHECK_AFTER_MS);
  }
}

function startWatching() {
  watchedSince = performance.now();
  return watch();
}

onAction("click", byId("check"), startWatching);
addEventListener("signed-out", () => clearTimeout(polling));

openPage(async ({ is_admin }) => {
  byId("not-admin").hidden = is_admin;
  byId("connection").hidden = !is_admin;
  if (!is_admin) return;
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) startWatching().catch(showError);
  });
  setInterval(showAge, 1_000);
  await startWatching();
});
