// Helpers that find, create and change elements of the pages, in addition to the helpers in widget/dom.js.

import { content, h, setText } from "../widget/dom.js";

/**
 * Return the element that has an id.
 *
 * @template {HTMLElement} [E=HTMLElement]
 * @param {string} id
 * @param {new () => E} type the class of the element
 * @returns {E}
 * @throws {TypeError} if there is no such element
 */
export function byId(id, type = /** @type {new () => E} */ (HTMLElement)) {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new TypeError(`There is no ${type.name} #${id}.`);
  return element;
}

/**
 * Return the first descendant of a node that matches a selector.
 *
 * @param {ParentNode} root
 * @param {string} selector
 * @returns {HTMLElement}
 * @throws {TypeError} if there is no such element
 */
export function find(root, selector) {
  const element = root.querySelector(selector);
  if (!(element instanceof HTMLElement)) throw new TypeError(`There is no ${selector}.`);
  return element;
}

/**
 * Return the descendant of an element that has a name in `data-name`.
 *
 * @param {Element} root
 * @param {string} name
 * @returns {HTMLElement | null}
 */
export function named(root, name) {
  return root.querySelector(`[data-name="${CSS.escape(name)}"]`);
}

/**
 * Return the name of the focused descendant of an element, with which a descendant that replaces it is found.
 *
 * @param {Element} root
 * @returns {string | undefined}
 */
export function focusedIn(root) {
  const active = document.activeElement;
  return active instanceof HTMLElement && root.contains(active) ? active.dataset.name : undefined;
}

/**
 * Show or hide a button. If a hidden button had the focus, focus a heading.
 *
 * @param {HTMLElement} button
 * @param {boolean} isShown
 * @param {string} heading the id of the heading
 */
export function showButton(button, isShown, heading) {
  const hadFocus = document.activeElement === button;
  button.hidden = !isShown;
  if (hadFocus && !isShown) byId(heading).focus();
}

/**
 * Return the control, or the group of radio buttons, that has a name in a form.
 *
 * @param {HTMLFormElement} form
 * @param {string} name
 * @returns {HTMLInputElement}
 */
export function control(form, name) {
  // The pages use only properties that inputs, selects and groups of radio buttons have in common.
  return /** @type {HTMLInputElement} */ (form.elements.namedItem(name));
}

/**
 * Return the values of a form by the names of its controls.
 *
 * @param {HTMLFormElement} form without file inputs
 * @returns {Record<string, string>}
 */
export function formValues(form) {
  return Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)]));
}

/**
 * Create an SVG element. Values are set as attributes, because an SVG element's properties are read-only.
 *
 * @template {keyof SVGElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, string | number>} [attributes]
 * @param {...(Node | string)} children
 * @returns {SVGElementTagNameMap[Name]}
 */
export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

/**
 * Create an icon from a symbol in icons.svg. The icon is hidden from screen readers.
 *
 * @param {string} name
 */
export function icon(name) {
  return svg("svg", { class: "icon", "aria-hidden": "true" }, svg("use", { href: `icons.svg#${name}` }));
}

/**
 * Set an element's text and the language of the text.
 *
 * @param {HTMLElement} element
 * @param {string} message
 * @param {string} [lang] the language of the message, if it differs from the page's language
 */
export function setMessage(element, message, lang) {
  setText(element, message);
  if (lang) element.lang = lang;
  else element.removeAttribute("lang");
}

/**
 * Show what a dialog is about, if that is known.
 *
 * @param {string} id
 * @param {string} [about]
 */
export function showAbout(id, about = "") {
  const element = byId(id);
  element.replaceChildren(...content(about));
  element.hidden = !about;
}

/**
 * Offer a text as a download.
 *
 * @param {string} name
 * @param {string} type the media type of the text
 * @param {string} content
 */
export function download(name, type, content) {
  const link = h("a", { download: name, href: URL.createObjectURL(new Blob([content], { type })) });
  link.click();
  // Revoke the object URL later, because some browsers read the URL only after the click was handled.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
