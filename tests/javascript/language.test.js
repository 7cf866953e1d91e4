import assert from "node:assert/strict";
import { test } from "node:test";
import { setLocale } from "./support/locale.js";

const MODULE = new URL("../../web/page/language.js", import.meta.url).href;

/**
 * Load the module again, in a browser with the given languages.
 *
 * @param {...string} languages
 * @returns {Promise<typeof import("../../web/page/language.js")>}
 */
function languageOf(...languages) {
  setLocale(languages);
  return import(`${MODULE}?${languages}`);
}

test("a language with a translation is used with its region", async () => {
  const { formats, locale, text } = await languageOf("de-AT", "en");
  assert.equal(locale, "de-AT");
  assert.equal(text("cancel"), "Abbrechen");
  assert.equal(text("added", { duration: formats.duration(7200) }), "2\u00a0h nachgetragen.");
});

test("the first language with a translation is used", async () => {
  assert.equal((await languageOf("fr-FR", "de", "en")).locale, "de");
});

test("English is used if none of the languages has a translation", async () => {
  const { locale, text } = await languageOf("fr-FR");
  assert.equal(locale, "en");
  assert.equal(text("allEntries", { count: 1 }), "1 entry");
  assert.equal(text("allEntries", { count: 2 }), "2 entries");
});

test("messages about an issue are in the page's language", async () => {
  const { issueMistakes } = await languageOf("de-CH");
  assert.match(issueMistakes.number, /Nummer/u);
  assert.notEqual(issueMistakes.number, (await languageOf("en-GB")).issueMistakes.number);
});

for (const [languages, weekday, texts] of /** @type {const} */ ([
  [["en-US"], 7, "Wed, Nov 4, 3:05 PM; Wednesday, November 4"],
  [["en-GB"], 1, "Wed 4 Nov, 15:05; Wednesday 4 November"],
  [["de-CH"], 1, "Mi., 4. Nov., 15:05; Mittwoch, 4. November"],
  // Texts are in English; formats are those of the region, or those of the world with its clock.
  [["sv-SE", "en-US"], 1, "Wed, 4 Nov, 15:05; Wednesday, 4 November"],
  [["sv"], 1, "Wed, 4 Nov, 15:05; Wednesday, 4 November"],
  [["pt-BR"], 7, "Wed, 4 Nov, 15:05; Wednesday, 4 November"],
  [["ja-JP", "en"], 7, "Wed, Nov 4, 15:05; Wednesday, November 4"],
  [["ar-EG"], 6, "Wed, 4 Nov, 3:05 pm; Wednesday, 4 November"],
  // Texts are in German.
  [["fr-FR", "de-DE"], 1, "Mi., 4. Nov., 15:05; Mittwoch, 4. November"],
  [["en-US-u-hc-h23"], 7, "Wed, Nov 4, 15:05; Wednesday, November 4"],
])) {
  test(`formats follow the browser's locale: ${languages}`, async () => {
    const { firstWeekday, formats } = await languageOf(...languages);
    const afternoon = new Date("2026-11-04T14:05:00Z");
    const formatted = [formats.date("moment", afternoon), formats.day(afternoon, afternoon)].join("; ");
    assert.equal(formatted.replaceAll(/[\u00a0\u202f]/gu, " "), texts);
    assert.equal(firstWeekday, weekday);
  });
}
