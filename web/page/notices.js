// The status message at the foot of a page, and dialogs that ask for confirmation.

import { content, h } from "../widget/dom.js";
import { byId, setMessage } from "./elements.js";
import { text } from "./language.js";

const FADE_MS = 8_000;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let fading;

/**
 * Show a message for a few seconds. Screen readers announce the message.
 *
 * @param {string} message
 */
export function notify(message) {
  warn(message);
  fading = setTimeout(clearNotice, FADE_MS);
}

/**
 * Show a message until the next message is shown, or until `clearNotice` is called.
 *
 * @param {string} message
 * @param {string} [lang] the language of the message, if it differs from the page's language
 */
export function warn(message, lang) {
  clearTimeout(fading);
  setMessage(byId("status"), message, lang);
}

/** Remove the message. */
export function clearNotice() {
  warn("");
}

/**
 * Ask a question in a dialog.
 *
 * @param {string} title
 * @param {string} explanation
 * @param {string} yes the label of the button that confirms; "" if the dialog only informs
 * @param {{details?: (HTMLElement | false)[], isHarmless?: boolean}} [options] elements below the explanation, and
 *   whether the action can be undone
 * @returns {Promise<boolean>} whether the user confirmed
 */
export function confirm(title, explanation, yes, { details = [], isHarmless = false } = {}) {
  const dialog = h(
    "dialog",
    { className: "question" },
    h("h2", { id: "question-title" }, ...content(title)),
    h("p", { id: "question-text" }, ...content(explanation)),
    ...details,
    h(
      "form",
      { method: "dialog", className: "buttons" },
      h("button", { value: "no", autofocus: true }, text(yes ? "cancel" : "close")),
      yes && h("button", { value: "yes", className: isHarmless ? "primary" : "danger" }, yes),
    ),
  );
  dialog.setAttribute("aria-labelledby", "question-title");
  dialog.setAttribute("aria-describedby", "question-text");
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}
