// The page of tokens and of one's account.

import { call, get, pages } from "./api.js";
import { byId, confirmed, download, html, say } from "./dom.js";
import { show, text } from "./language.js";
import { leave, on, open } from "./session.js";

// ------------------------------------------------------------------ tokens

async function showTokens() {
  const { results } = await get("/api/auth/tokens/");
  byId("tokens").replaceChildren(...results.map(tokenItem));
}

function tokenItem(token) {
  const date = (time) => show("date", new Date(time));
  const details = [
    text(token.scope === "read" ? "mayRead" : "mayWrite"),
    text("madeOn", { date: date(token.created) }),
    token.expires ? text("expiresOn", { date: date(token.expires) }) : text("expiresNever"),
    token.last_used ? text("usedOn", { date: date(token.last_used) }) : text("usedNever"),
  ];
  const button = html(
    "button",
    { type: "button", class: "danger", "aria-label": text("revokeNamed", token) },
    text("revoke"),
  );
  on("click", button, async () => {
    if (!(await confirmed(text("revokeQuestion", token), text("revokeText"), text("revoke")))) return;
    await call("DELETE", `/api/auth/tokens/${token.id}/`);
    await showTokens();
    byId("token-name").focus();
    say(text("revoked", token));
  });
  return html("li", {}, html("div", {}, token.name, html("small", {}, details.join(" · "))), button);
}

on("submit", byId("make-token"), async () => {
  const form = byId("make-token");
  const { name, scope, expires } = Object.fromEntries(new FormData(form));
  // The whole of the last day, where the person is.
  const end = expires && { expires: new Date(`${expires}T23:59:59`).toISOString() };
  const { body: made } = await call("POST", "/api/auth/tokens/", { name, scope, ...end });
  form.reset();
  byId("token-text").value = made.token;
  byId("new-token").hidden = false;
  await showTokens();
  say(text("tokenMade", { name }));
  byId("copy-token").focus();
});

on("click", byId("copy-token"), async () => {
  await navigator.clipboard.writeText(byId("token-text").value);
  say(text("copied"));
});

addEventListener("signed-out", () => {
  byId("new-token").hidden = true;
  byId("token-text").value = "";
});

// ------------------------------------------------------------------ the account

on("click", byId("export"), async () => {
  let everything;
  for await (const { next, ...page } of pages("/api/auth/me/export/")) {
    // The lists go on from page to page; all else is the same.
    const lists = Object.entries(page).filter(([, value]) => Array.isArray(value));
    const longer = lists.map(([name, list]) => [name, [...(everything?.[name] ?? []), ...list]]);
    everything = { ...page, ...Object.fromEntries(longer) };
  }
  const name = `issue-timer-${everything.profile.login}.json`;
  download(name, "application/json", JSON.stringify(everything, null, 2));
  say(text("exported", { name }));
});

on("click", byId("sign-out-everywhere"), async () => {
  await call("POST", "/api/auth/logout/", { everywhere: true });
  leave(text("signedOutEverywhere"));
});

on("click", byId("delete-account"), async () => {
  if (!(await confirmed(text("leaveQuestion"), text("leaveText"), text("leaveYes")))) return;
  say(text("leaving"));
  // 202: there is so much that it takes more than one request.
  while ((await call("DELETE", "/api/auth/me/")).status === 202);
  leave(text("left"));
});

open(showTokens);
