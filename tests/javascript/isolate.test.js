import assert from "node:assert/strict";
import { test } from "node:test";
import { isolate } from "../../web/widget/dom.js";
import { setLocale } from "./support/locale.js";

setLocale(["en"]);
const { text } = await import("../../web/page/language.js");

const RTL = "\u05d0\u05d1";

test("the text of others is isolated from the direction of the text around it", () => {
  assert.equal(isolate(`${RTL} (a)`), `\u2068${RTL} (a)\u2069`);
});

test("the text of others cannot end its isolate", () => {
  assert.equal(isolate(`a\u2069\u202e\u2066b\u202c`), "\u2068ab\u2069");
});

test("a name in a text of the page is isolated", () => {
  assert.equal(text("revoked", { name: RTL }), `Token \u2068${RTL}\u2069 revoked.`);
});
