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
 * Name an element in `data-name`, so that `setChildren` keeps it when it is built anew.
 *
 * @template {HTMLElement} E
 * @param {string} name
 * @param {E} element
 * @returns {E}
 */
export function named(name, element) {
  element.dataset.name = name;
  return element;
}

/**
 * Replace the children of an element, and keep those that it already has. A child that was built anew is merged into
 * the former child with the same name in `data-name`. So a control that is shown anew while a person presses it,
 * points at it or has focused it stays the same element.
 *
 * @param {Element} parent
 * @param {Element[]} children content without fields, whose only listeners are in `onclick`
 * @returns {Element[]} the children that the element has now
 */
export function setChildren(parent, children) {
  const former = [...parent.children].filter((child) => dataName(child) && !children.includes(child));
  const shown = children.map((child) => (dataName(child) ? merged(former, child) : child));
  arrange(parent, shown);
  return shown;
}

/** @param {Node} node @returns {string | undefined} the node's name in `data-name` */
function dataName(node) {
  return /** @type {Partial<HTMLElement>} */ (node).dataset?.name;
}

/**
 * Merge a node that was built anew into the first of the former ones that has the same type and the same name.
 *
 * @template {Node} T
 * @param {Node[]} former the nodes into which none was merged yet; the one that is found is removed
 * @param {T} next
 * @returns {T} the node that is shown: the new one if there is no such former one
 */
function merged(former, next) {
  const index = former.findIndex((one) => one.nodeName === next.nodeName && dataName(one) === dataName(next));
  if (index < 0) return next;
  const [known] = /** @type {T[]} */ (former.splice(index, 1));
  if (known.nodeValue !== next.nodeValue) known.nodeValue = next.nodeValue;
  if (next instanceof Element) mergeElement(/** @type {any} */ (known), /** @type {any} */ (next));
  return known;
}

/**
 * @param {HTMLElement} known
 * @param {HTMLElement} next
 */
function mergeElement(known, next) {
  for (const name of known.getAttributeNames()) {
    // An action that still runs has set this attribute (`onAction`), and removes it.
    if (name !== "aria-busy" && !next.hasAttribute(name)) known.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    // The CSP forbids to set this attribute, but not to set the property.
    if (name !== "style" && known.getAttribute(name) !== value) known.setAttribute(name, value);
  }
  if (known.style.cssText !== next.style.cssText) known.style.cssText = next.style.cssText;
  known.onclick = next.onclick;
  const former = [...known.childNodes];
  arrange(
    known,
    [...next.childNodes].map((child) => merged(former, child)),
  );
}

/**
 * Replace the children of an element, and move none of those that it keeps in the same order. An element that is moved
 * loses the focus, and is not clicked if it was pressed before.
 *
 * @param {Element} parent
 * @param {Node[]} children
 */
export function arrange(parent, children) {
  const { childNodes } = parent;
  for (const child of [...childNodes]) if (!children.includes(child)) child.remove();
  children.forEach((child, i) => {
    if (childNodes[i] !== child) parent.insertBefore(child, childNodes[i]);
  });
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
