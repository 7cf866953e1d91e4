// Small things that all of the pages need of a document.

import { text } from "./language.js";

const NOTICE_MS = 8_000;

export const byId = (id) => document.getElementById(id);

/** Make an element with attributes (null and false leave one out) and children (falsy ones are left out). */
export function html(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** Make an element of SVG, likewise. */
export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter(Boolean));
  return element;
}

/** Make a copy of one of the page's symbols, which say nothing to a screen reader. */
export function icon(name) {
  return svg("svg", { class: "icon", "aria-hidden": "true" }, svg("use", { href: `icons.svg#${name}` }));
}

let fading = 0;

/** Tell what happened, for a while, to those who see the page and those who hear it. */
export function say(message) {
  warn(message);
  fading = setTimeout(() => warn(""), NOTICE_MS);
}

/** Tell what went wrong, until the next thing is done. */
export function warn(message, lang) {
  clearTimeout(fading);
  put(byId("status"), message, lang);
}

/** Put a text into an element, in the page's language or in another. */
export function put(element, message, lang) {
  // What did not change is not to be read out or painted again.
  if (element.textContent !== message) element.textContent = message;
  if (lang) element.lang = lang;
  else element.removeAttribute("lang");
}

/** Let the person have a text as a file. */
export function download(name, type, content) {
  const link = html("a", { download: name, href: URL.createObjectURL(new Blob([content], { type })) });
  link.click();
  // Not at once: not every browser has read it by now.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Ask a question, and return whether the answer is yes. */
export function confirmed(title, explanation, yes) {
  const dialog = html(
    "dialog",
    { class: "question", "aria-labelledby": "question-title", "aria-describedby": "question-text" },
    html("h2", { id: "question-title" }, title),
    html("p", { id: "question-text" }, explanation),
    html(
      "form",
      { method: "dialog", class: "buttons" },
      html("button", { value: "no", autofocus: true }, text("cancel")),
      html("button", { value: "yes", class: "danger" }, yes),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}
