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
  const { firstWeekday, locale, text } = await languageOf("fr-FR");
  assert.equal(locale, "en");
  assert.equal(firstWeekday, 7);
  assert.equal(text("allEntries", { count: 1 }), "1 entry");
  assert.equal(text("allEntries", { count: 2 }), "2 entries");
});

test("messages about an issue are in the page's language", async () => {
  const { issueMistakes } = await languageOf("de-CH");
  assert.match(issueMistakes.pull, /Pull-Request|Pull Request/u);
  assert.notEqual(issueMistakes.pull, (await languageOf("en-GB")).issueMistakes.pull);
});
