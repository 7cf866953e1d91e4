/**
 * Create an element with properties and children. The element's part names are also its classes.
 *
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, unknown>} [properties]
 * @param {...(Node | string | false | null | undefined)} children falsy children are omitted
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function h(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  if (properties.part) element.className = String(properties.part);
  for (const child of children) if (child) element.append(child);
  return element;
}

/**
 * @param {string} part
 * @param {string} text
 * @param {() => void} onclick
 */
export function button(part, text, onclick) {
  return h("button", { type: "button", part: `button ${part}`, onclick }, text);
}

/**
 * Set an element's text if the text has changed. If the same text is set again, the browser repaints the text
 * and screen readers repeat it.
 *
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
