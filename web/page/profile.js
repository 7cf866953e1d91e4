// The request for the signed-in user's profile, which is repeated until the server responds.

import { ApiError } from "../widget/api-client.js";
import { h } from "../widget/dom.js";
import { jittered } from "../widget/poller.js";
import { get, messageOf, statusOf } from "./api.js";
import { byId } from "./elements.js";
import { text } from "./language.js";
import { clearNotice, warn } from "./notices.js";

/** @import { Profile } from "./types.d.ts" */

const FIRST_WAIT_MS = 2_000;

/**
 * Return the profile. While the server cannot be reached, show a notice and retry with growing delays.
 *
 * @returns {Promise<Profile>}
 * @throws {ApiError} with status 401 if nobody is signed in
 */
export async function fetchProfile() {
  const button = h("button", { type: "button", className: "primary" }, text("tryAgain"));
  const notice = h(
    "section",
    { className: "card" },
    h("p", {}, text("notLoaded")),
    h("div", { className: "buttons" }, button),
  );
  try {
    for (let wait = FIRST_WAIT_MS; ; wait *= 2) {
      try {
        return await get("/api/auth/me/");
      } catch (error) {
        if (statusOf(error) === 401) throw error;
        const { message, lang } = messageOf(error);
        warn(message, lang);
        if (!notice.isConnected) byId("main").append(notice);
        await retryTime(button, jittered(wait, error instanceof ApiError ? error.retryAfter : 0));
      }
    }
  } finally {
    if (notice.isConnected) clearNotice();
    if (notice.contains(document.activeElement)) byId("main").focus();
    notice.remove();
  }
}

/**
 * Wait until a time has passed, the network is available again, or the button is pressed.
 *
 * @param {HTMLButtonElement} button
 * @param {number} wait in milliseconds
 */
async function retryTime(button, wait) {
  const { promise, resolve } = Promise.withResolvers();
  const timer = setTimeout(resolve, wait);
  addEventListener("online", resolve, { once: true });
  button.onclick = () => {
    clearNotice();
    resolve(undefined);
  };
  await promise;
  clearTimeout(timer);
  removeEventListener("online", resolve);
}
