// The session of a page: the start and the end of the session, and actions and errors that may end it.

import { isolate, setText } from "../widget/dom.js";
import { messageOf, request, statusOf } from "./api.js";
import { byId, find } from "./elements.js";
import { text, translate } from "./language.js";
import { clearNotice, warn } from "./notices.js";
import { fetchProfile } from "./profile.js";

/** @import { Profile } from "./types.d.ts" */

/**
 * The id of the user whose data the page shows. The id is kept if the session expires, and removed if the
 * user signs out.
 *
 * @type {?number}
 */
let userId = null;

// Messages of these types name a user whom the server has confirmed. Other messages may come from a tab that
// has not yet detected a new user.
const AUTHORITATIVE = ["here", "list"];

// The widget's channel. On this channel, tabs announce which user is signed in, and that a user has signed
// out.
const tabs = new BroadcastChannel(`issue-timer:${location.origin}`);
tabs.addEventListener("message", ({ data: { type, user } }) => {
  // Reload the page if another user has signed in in another tab. All tabs share one cookie, so this page
  // would act as the other user.
  if (userId && AUTHORITATIVE.includes(type) && user !== userId) location.reload();
  else if (userId && type === "signed-out") removeUserData(text("signedOut"));
  else if (AUTHORITATIVE.includes(type)) comeBack();
});
addEventListener("authenticated", comeBack);

/** Reload the page if its session had expired and the user has signed in again. Keep an open dialog until it closes. */
function comeBack() {
  if (!userId || !byId("signed-in").hidden) return;
  const dialog = document.querySelector("dialog[open]");
  if (dialog) dialog.addEventListener("close", comeBack, { once: true });
  else location.reload();
}

/**
 * Show the page to the signed-in user. If nobody is signed in, show the request to sign in.
 *
 * @param {(profile: Profile) => unknown} start fills the page with the user's data
 */
export async function openPage(start) {
  translate(document);
  onAction("click", byId("sign-out"), async () => {
    await request("POST", "/api/auth/logout/");
    endSession(text("signedOut"));
  });
  try {
    const profile = await fetchProfile();
    userId = profile.id;
    tabs.postMessage({ type: "here", user: userId });
    setText(find(byId("user"), "strong"), isolate(profile.name || profile.login));
    byId("user").hidden = byId("signed-in").hidden = false;
    for (const link of document.querySelectorAll("[data-admins]")) {
      if (profile.is_admin) /** @type {HTMLElement} */ (link).hidden = false;
    }
    await start(profile);
  } catch (error) {
    showError(error);
  }
}

/**
 * Run an action on each event of a type, and show the action's error. Ignore events while the action runs.
 *
 * @param {"change" | "click" | "submit" | "toggle"} type
 * @param {HTMLElement} element the element that is marked as busy while the action runs
 * @param {(event: Event) => unknown} action
 */
export function onAction(type, element, action) {
  /** @param {Event} event */
  const run = async (event) => {
    event.preventDefault();
    // If the element was built anew, `setChildren` has given its listeners to the former one.
    const target = /** @type {HTMLElement} */ (event.currentTarget);
    if (target.ariaBusy === "true") return;
    target.ariaBusy = "true";
    clearNotice();
    try {
      await action(event);
    } catch (error) {
      showError(error);
    } finally {
      target.ariaBusy = "false";
    }
  };
  Object.assign(element, { [`on${type}`]: run });
}

/**
 * Show an error. If the status of the error is 401, ask the user to sign in instead.
 *
 * @param {unknown} error
 */
export function showError(error) {
  if (statusOf(error) !== 401) {
    const { message, lang } = messageOf(error);
    return warn(message, lang);
  }
  const wasSignedIn = !byId("signed-in").hidden;
  showSignedOut();
  if (wasSignedIn) askToSignIn(text("sessionExpired"));
}

/**
 * Remove the user's data from this page and from other tabs.
 *
 * @param {string} message
 */
export function endSession(message) {
  tabs.postMessage({ type: "signed-out" });
  removeUserData(message);
}

/** @param {string} message */
function removeUserData(message) {
  userId = null;
  showSignedOut();
  // Close dialogs only here. If a session expires, dialogs stay open, because the user can sign in in another
  // tab and then save the entered data.
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  askToSignIn(message);
}

/** @param {string} message */
function askToSignIn(message) {
  byId("sign-in").focus();
  warn(message);
}

function showSignedOut() {
  const { pathname, search, hash } = location;
  const query = new URLSearchParams({ next: pathname + search + hash });
  byId("sign-in", HTMLAnchorElement).href = `/api/auth/login/?${query}`;
  byId("user").hidden = byId("signed-in").hidden = true;
  byId("signed-out").hidden = false;
  dispatchEvent(new Event("signed-out"));
}
