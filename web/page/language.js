// The page's texts, and the formats of dates and durations, in the user's language.

import { isolate } from "../widget/dom.js";
import { stringsFor } from "../widget/strings.js";
import { addDays, daysBetween, startOfWeek } from "./calendar.js";
import { Formats, firstWeekdayOf, formatLocaleOf } from "./formats.js";
import { english } from "./strings.en.js";

/** @import { Day, Parts, Text } from "./types.d.ts" */

/** Functions that load the texts of a language. @type {Record<string, () => Promise<Record<string, Text>>>} */
const TRANSLATIONS = {
  en: async () => english,
  de: async () => (await import("./strings.de.js")).german,
};

/**
 * The locale (language and region) of the page. The page uses the first of the user's locales whose language
 * has a translation, and English if there is none.
 */
export const locale =
  navigator.languages.find((tag) => Object.hasOwn(TRANSLATIONS, new Intl.Locale(tag).language)) ?? "en";
const { language } = new Intl.Locale(locale);

const texts = await TRANSLATIONS[language]();

/** The widget's texts, which the page shows too. */
export const widgetTexts = (await stringsFor(locale)).strings;
/** The widget's messages about an entered text that does not name an issue. */
export const { mistakes: issueMistakes } = widgetTexts;
/**
 * The texts of the server's messages by their codes. The server's own messages are in English.
 *
 * @type {Record<string, string>}
 */
export const errorTexts = { out_of_range: fill(texts.outOfRange), ...widgetTexts.errors };

/** The weekday on which weeks begin where the browser's user lives, 1 (Monday) to 7. */
export const firstWeekday = firstWeekdayOf(navigator.languages[0] ?? locale);

/**
 * Return the days of the week that contains a day.
 *
 * @param {Day} day
 */
export function daysOfWeek(day) {
  const first = startOfWeek(day, firstWeekday);
  return daysBetween(first, addDays(first, 6));
}

/**
 * Return a text of the page.
 *
 * @param {keyof typeof english} name
 * @param {Parts} [parts] the values of the text's placeholders; `name` is a text that others have written
 */
export function text(name, parts = {}) {
  return fill(texts[name], "name" in parts ? { ...parts, name: isolate(String(parts.name)) } : parts);
}

export const formats = new Formats(formatLocaleOf(locale), text);

/**
 * Translate the English texts of a document into the user's language.
 *
 * @param {Document} root
 */
export function translate(root) {
  root.documentElement.lang = locale;
  if (language === "en") return;
  replaceTexts(root, "text", (element, found) => element.replaceChildren(found));
  replaceTexts(root, "label", (element, found) => element.setAttribute("aria-label", found));
  replaceTexts(root, "hint", (element, found) => element.setAttribute("placeholder", found));
  root.title = fill(texts[root.documentElement.dataset.title ?? ""]);
}

/**
 * @param {Document} root
 * @param {"text" | "label" | "hint"} kind the elements have the text's name in `data-<kind>`
 * @param {(element: HTMLElement, found: string) => void} replace
 */
function replaceTexts(root, kind, replace) {
  /** @type {NodeListOf<HTMLElement>} */
  const elements = root.querySelectorAll(`[data-${kind}]`);
  for (const element of elements) replace(element, fill(texts[element.dataset[kind] ?? ""]));
}

/**
 * @param {Text} found
 * @param {Parts} [parts]
 */
function fill(found, parts = {}) {
  return typeof found === "function" ? found(parts) : found;
}
