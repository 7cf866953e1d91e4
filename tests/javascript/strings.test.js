import assert from "node:assert/strict";
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
