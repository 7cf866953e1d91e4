// The session of a page: whose it is, how it ends, and the actions and errors that depend on it.

import { messageOf, request, statusOf } from "./api.js";
import { byId, find } from "./dom.js";
import { text, translate } from "./language.js";
import { clearNotice, warn } from "./notices.js";
import { fetchProfile } from "./profile.js";

/** @import { Profile } from "./types.d.ts" */

/** The user whose data the page shows, until they sign out; kept when their session expires. @type {?number} */
let userId = null;

// The messages that tabs send after the server has told them the user. Others may come from a tab that does not know yet.
const AUTHORITATIVE = ["here", "list"];

// The widget's channel, on which all tabs announce their user and a sign-out.
const tabs = new BroadcastChannel(`issue-timer:${location.origin}`);
tabs.addEventListener("message", ({ data: { type, user } }) => {
  // Another user has signed in in another tab: the browser's cookie would act as that user here, too.
  if (userId && AUTHORITATIVE.includes(type) && user !== userId) location.reload();
  else if (userId && type === "signed-out") leave(text("signedOut"));
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
 * Show an error. If it says that nobody is signed in, ask to sign in instead.
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
 * Remove the user's data from this page and from all other tabs.
 *
 * @param {string} message
 */
export function endSession(message) {
  tabs.postMessage({ type: "signed-out" });
  leave(message);
}

/** @param {string} message */
function leave(message) {
  userId = null;
  showSignedOut();
  // An expired session keeps them: what is entered can be saved after signing in in another tab.
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
