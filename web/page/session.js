// The session of a page: its user, its end, and the actions and errors that depend on it.

import { messageOf, request, statusOf } from "./api.js";
import { byId, find } from "./elements.js";
import { text, translate } from "./language.js";
import { clearNotice, warn } from "./notices.js";
import { fetchProfile } from "./profile.js";

/** @import { Profile } from "./types.d.ts" */

/** The user whose data the page shows, until they sign out; kept when their session expires. @type {?number} */
let userId = null;

// Messages of these types name a user whom the server has confirmed. Other messages may come from a tab that
// has not yet detected a new user.
const AUTHORITATIVE = ["here", "list"];

// The widget's channel, on which tabs announce who is signed in and that a user has signed out.
const tabs = new BroadcastChannel(`issue-timer:${location.origin}`);
tabs.addEventListener("message", ({ data: { type, user } }) => {
  // Another user has signed in in another tab: with the browser's cookie, this page would act as that user.
  if (userId && AUTHORITATIVE.includes(type) && user !== userId) location.reload();
  else if (userId && type === "signed-out") removeUserData(text("signedOut"));
});

/**
 * Show the page to the signed-in user, or ask to sign in.
 *
 * @param {(profile: Profile) => unknown} start fills the page
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
    find(byId("user"), "strong").textContent = profile.name || profile.login;
    byId("user").hidden = byId("signed-in").hidden = false;
    await start(profile);
  } catch (error) {
    showError(error);
  }
}

/**
 * Run an action on an event, one at a time, and show its error.
 *
 * @param {string} type
 * @param {HTMLElement} element busy while the action runs
 * @param {(event: Event) => unknown} action
 */
export function onAction(type, element, action) {
  element.addEventListener(type, async (event) => {
    event.preventDefault();
    if (element.ariaBusy === "true") return;
    element.ariaBusy = "true";
    clearNotice();
    try {
      await action(event);
    } catch (error) {
      showError(error);
    } finally {
      element.ariaBusy = "false";
    }
  });
}

/**
 * Show an error. If its status is 401, ask to sign in instead.
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
  // Close dialogs only here. They stay open when a session expires, because the user can sign in in another
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
