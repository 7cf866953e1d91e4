// Who is there: the part of the pages' frame that knows, and what is done by somebody.

import { call, get } from "./api.js";
import { byId, html, warn } from "./dom.js";
import { text, translate } from "./language.js";

// How long to wait before asking again who is there.
const FIRST_WAIT_MS = 2_000;
const LONGEST_WAIT_MS = 60_000;

// Whose page this is, until they leave: also after a session has ended by itself.
let shown = null;

// What tabs say after the server has told them who is there. All else may come from a tab that does not know yet.
const CERTAIN = ["here", "list"];

// The widget's, in which tabs hear of who has signed out, and of who is there.
const tabs = new BroadcastChannel(`issue-timer:${location.origin}`);
tabs.addEventListener("message", ({ data: { type, user } }) => {
  // What is done here would be done as somebody else, who has signed in in another tab.
  if (shown && CERTAIN.includes(type) && user !== shown) location.reload();
  else if (shown && type === "signed-out") goOut(text("signedOut"));
});

/** Show the page to who is signed in, after `start` has filled it for them, or ask to sign in. */
export async function open(start) {
  translate(document);
  on("click", byId("sign-out"), async () => {
    await call("POST", "/api/auth/logout/");
    leave(text("signedOut"));
  });
  try {
    const me = await whoIsThere();
    shown = me.id;
    tabs.postMessage({ type: "here", user: shown });
    byId("who").querySelector("strong").textContent = me.name || me.login;
    byId("who").hidden = byId("signed-in").hidden = false;
    await start(me);
  } catch (error) {
    complain(error);
  }
}

/** Ask until the answer is there: without it, there is nothing to show. */
async function whoIsThere() {
  const button = html("button", { type: "button", class: "primary" }, text("tryAgain"));
  const notice = html(
    "section",
    { class: "card" },
    html("p", {}, text("notLoaded")),
    html("div", { class: "buttons" }, button),
  );
  try {
    for (let wait = FIRST_WAIT_MS; ; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
      try {
        return await get("/api/auth/me/");
      } catch (error) {
        if (error.status === 401) throw error;
        warn(error.message, error.lang);
        if (!notice.isConnected) byId("main").append(notice);
        // Not all at once who were sent away at once.
        await untilAgain(button, Math.max(wait * (0.75 + Math.random() / 2), error.retryAfter * 1_000));
      }
    }
  } finally {
    if (notice.isConnected) warn("");
    if (notice.contains(document.activeElement)) byId("main").focus();
    notice.remove();
  }
}

/** Wait for some milliseconds, or less: until there is a network again, or a button is pressed. */
async function untilAgain(button, wait) {
  const { promise, resolve } = Promise.withResolvers();
  const timer = setTimeout(resolve, wait);
  addEventListener("online", resolve, { once: true });
  button.onclick = () => {
    warn("");
    resolve();
  };
  await promise;
  clearTimeout(timer);
  removeEventListener("online", resolve);
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
  shown = null;
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
