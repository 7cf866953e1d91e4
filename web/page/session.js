// Who is there: the part of the pages' frame that knows, and what is done by somebody.

import { call, get } from "./api.js";
import { byId, warn } from "./dom.js";
import { text, translate } from "./language.js";

// The widget's, in which it hears of who has signed out.
const tabs = new BroadcastChannel(`issue-timer:${location.origin}`);
tabs.addEventListener("message", ({ data }) => {
  if (data.type === "signed-out" && byId("signed-out").hidden) goOut(text("signedOut"));
});

/** Show the page to who is signed in, after `start` has filled it for them, or ask to sign in. */
export async function open(start) {
  translate(document);
  on("click", byId("sign-out"), async () => {
    await call("POST", "/api/auth/logout/");
    leave(text("signedOut"));
  });
  try {
    const me = await get("/api/auth/me/");
    byId("who").querySelector("strong").textContent = me.name || me.login;
    byId("who").hidden = byId("signed-in").hidden = false;
    await start(me);
  } catch (error) {
    complain(error);
  }
}

/** Do what a button or a form is for, once at a time, and say what went wrong. */
export function on(type, element, action) {
  element.addEventListener(type, async (event) => {
    event.preventDefault();
    if (element.ariaBusy === "true") return;
    element.ariaBusy = "true";
    warn("");
    try {
      await action(event);
    } catch (error) {
      complain(error);
    } finally {
      element.ariaBusy = "false";
    }
  });
}

/** Say what went wrong; who is not signed in (any more) may do so, and come back to here. */
export function complain(error) {
  if (error.status !== 401) return warn(error.message, error.lang);
  const wasHere = !byId("signed-in").hidden;
  showSignedOut();
  if (wasHere) ask(text("sessionEnded"));
}

/** Show nothing any more of who was here, in any tab. */
export function leave(message) {
  tabs.postMessage({ type: "signed-out" });
  goOut(message);
}

function goOut(message) {
  showSignedOut();
  // Not when a session has ended by itself: what is entered can be saved after signing in in another tab.
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  ask(message);
}

function ask(message) {
  byId("sign-in").focus();
  warn(message);
}

function showSignedOut() {
  const { pathname, search, hash } = location;
  byId("sign-in").href = `/api/auth/login/?${new URLSearchParams({ next: pathname + search + hash })}`;
  byId("who").hidden = byId("signed-in").hidden = true;
  byId("signed-out").hidden = false;
  dispatchEvent(new Event("signed-out"));
}
