import assert from "node:assert/strict";
import { test } from "node:test";
import { stringsFor } from "../../web/widget/strings.js";

for (const [asked, language, start] of [
  ["en", "en", "Start"],
  ["en-GB", "en-GB", "Start"],
  ["de", "de", "Starten"],
  ["de-at", "de-AT", "Starten"],
  ["fr", "en", "Start"],
  ["fr-CA", "en", "Start"],
  ["x_y", "en", "Start"],
  ["toString", "en", "Start"],
]) {
  test(`the language ${asked} has the strings of ${language}`, async () => {
    const found = await stringsFor(asked);
    assert.deepEqual([found.language, found.strings.start], [language, start]);
  });
}
