import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { stringsFor } from "../../web/widget/strings.js";

for (const [requested, language, start] of [
  ["en", "en", "Start"],
  ["en-GB", "en-GB", "Start"],
  ["de", "de", "Starten"],
  ["de-at", "de-AT", "Starten"],
  ["fr", "en", "Start"],
  ["fr-CA", "en", "Start"],
  ["x_y", "en", "Start"],
  ["toString", "en", "Start"],
]) {
  test(`the language ${requested} has the strings of ${language}`, async () => {
    const found = await stringsFor(requested);
    assert.deepEqual([found.language, found.strings.start], [language, start]);
  });
}

const ROOT = new URL("../../", import.meta.url).pathname;
/** The codes of all errors of the API. @type {string[]} */
const CODES = JSON.parse(readFileSync(`${ROOT}docs/openapi.json`, "utf8")).components.schemas.ErrorCode.enum;
// The server's own messages are in English.
const TRANSLATIONS = globSync(`${ROOT}web/widget/strings.*.js`);

test("every error of the API has a message in every other language", async () => {
  assert.ok(CODES.length > 20);
  assert.notEqual(TRANSLATIONS.length, 0);
  for (const file of TRANSLATIONS) {
    const { errors } = (await import(file)).default;
    assert.deepEqual(Object.keys(errors).sort(), CODES.toSorted(), file);
    for (const [code, message] of Object.entries(errors)) assert.match(message, /^\p{Lu}.*\.$/u, code);
  }
});
