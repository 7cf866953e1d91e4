// The Unicode characters FSI and PDI, which enclose an isolate.
const ISOLATES = /[\u2068\u2069]/g;

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
 * Isolate a text that others have written, such as an issue's title, from the direction of the text around it
 * (Unicode Standard Annex 9). Direction controls in the text are removed, because they could end the isolate. In
 * Chromium they could even end a <bdi>.
 *
 * @param {string} text
 */
export function isolate(text) {
  return `\u2068${text.replace(/[\u202a-\u202e\u2066-\u2069]/g, "")}\u2069`;
}

/**
 * Return the content of an element with a text. Isolates become elements, so that the content has no invisible
 * characters.
 *
 * @param {string} text
 */
export function content(text) {
  return text.split(ISOLATES).map((part, i) => (i % 2 ? h("bdi", {}, part) : part));
}

/**
 * Set an element's text if the text has changed. If the same text is set again, the browser repaints the text
 * and screen readers repeat it. The text may have isolates.
 *
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text.replace(ISOLATES, "")) element.replaceChildren(...content(text));
}
