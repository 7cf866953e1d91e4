import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { german } from "../../web/page/strings.de.js";
import { english } from "../../web/page/strings.en.js";

/** @import { Text } from "../../web/page/types.d.ts" */

const WEB = new URL("../../web/", import.meta.url).pathname;

/**
 * The translations of the English texts. The English texts are in the HTML, page-header.js and
 * strings.en.js. @type {Record<string, Record<string, Text>>}
 */
const TRANSLATIONS = { de: german };

/** Return the names of the texts in the HTML and in page-header.js. */
function namesInHtml() {
  const files = [...globSync(`${WEB}*.html`), `${WEB}page/page-header.js`];
  const attributes = files.flatMap((file) => [
    ...readFileSync(file, "utf8").matchAll(/data-(?:text|label|hint|title)="(\w+)"/gu),
  ]);
  assert.notEqual(attributes.length, 0);
  return attributes.map(([, name]) => name);
}

/**
 * Return the names of a text's placeholders.
 *
 * @param {Text} text
 */
function placeholders(text) {
  /** @type {Set<string | symbol>} */
  const names = new Set();
  const parts = new Proxy(
    {},
    {
      get(_, name) {
        names.add(name);
        return 2;
      },
    },
  );
  if (typeof text === "function") text(parts);
  return [...names].sort();
}

for (const [language, texts] of Object.entries(TRANSLATIONS)) {
  test(`every text has a translation to "${language}", and every translation a text`, () => {
    const names = new Set([...namesInHtml(), ...Object.keys(english)]);
    assert.deepEqual(Object.keys(texts).sort(), [...names].sort());
  });

  test(`the translations to "${language}" have the placeholders of the English texts`, () => {
    for (const [name, text] of Object.entries(english)) {
      assert.deepEqual(placeholders(texts[name]), placeholders(text), name);
    }
  });

  test(`no translation to "${language}" is empty`, () => {
    for (const [name, text] of Object.entries(texts)) {
      assert.ok(typeof text === "function" || text.trim(), name);
    }
  });
}

test("the texts of the HTML have no placeholders", () => {
  for (const name of namesInHtml()) assert.equal(typeof german[name], "string", name);
});
