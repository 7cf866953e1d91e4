// Helpers to find, build and change elements, in addition to the widget's. They know nothing of the pages.

import { h, setText } from "../widget/dom.js";

/**
 * Return the element with an id.
 *
 * @template {HTMLElement} [E=HTMLElement]
 * @param {string} id
 * @param {new () => E} type the class it has to be of
 * @returns {E}
 * @throws {TypeError} if there is no such element
 */
export function byId(id, type = /** @type {new () => E} */ (HTMLElement)) {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new TypeError(`There is no ${type.name} #${id}.`);
  return element;
}

/**
 * Return the element that a selector matches first within another.
 *
 * @param {ParentNode} root
 * @param {string} selector
 * @returns {HTMLElement}
 * @throws {TypeError} if there is none
 */
export function find(root, selector) {
  const element = root.querySelector(selector);
  if (!(element instanceof HTMLElement)) throw new TypeError(`There is no ${selector}.`);
  return element;
}

/**
 * Return a form's control, or its group of radio buttons, by name.
 *
 * @param {HTMLFormElement} form
 * @param {string} name
 * @returns {HTMLInputElement}
 */
export function control(form, name) {
  // All controls have the properties of an input that the pages use: value, required, max and ariaInvalid.
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
 * Make an SVG element. Unlike HTML elements, its properties cannot be assigned.
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
 * Make a copy of a symbol in icons.svg, hidden from screen readers.
 *
 * @param {string} name
 */
export function icon(name) {
  return svg("svg", { class: "icon", "aria-hidden": "true" }, svg("use", { href: `icons.svg#${name}` }));
}

/**
 * Set a message and the language it is in.
 *
 * @param {HTMLElement} element
 * @param {string} message
 * @param {string} [lang] if it differs from the page's
 */
export function setMessage(element, message, lang) {
  setText(element, message);
  if (lang) element.lang = lang;
  else element.removeAttribute("lang");
}

/**
 * Offer a text as a download.
 *
 * @param {string} name
 * @param {string} type its media type
 * @param {string} content
 */
export function download(name, type, content) {
  const link = h("a", { download: name, href: URL.createObjectURL(new Blob([content], { type })) });
  link.click();
  // Some browsers read it only after the click was handled.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
