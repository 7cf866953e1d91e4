import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Formats } from "../../web/page/formats.js";
import { fromApiTime, readTime, toApiTime } from "../../web/page/time-of-day.js";

/** @typedef {{text: string, after?: string, time: string | null}} Case */

/** @type {Case[]} */
const CASES = JSON.parse(readFileSync(new URL("../support/times_of_day.json", import.meta.url), "utf8"));

for (const { text, after, time } of CASES) {
  test(`${JSON.stringify(text)}${after ? ` after ${after}` : ""} is ${time ?? "not a time"}`, () => {
    const read = readTime(text, after === undefined ? undefined : fromApiTime(after));
    assert.equal(read === null ? null : toApiTime(read), time);
  });
}

for (const locale of [
  "en-GB",
  "en-US",
  "en-AU",
  "en-CA",
  "en-IN",
  "en-ZA",
  "en-001",
  "de",
  "de-AT",
  "de-CH",
]) {
  test(`the format of "${locale}" is read as the same time`, () => {
    const formats = new Formats(locale, String);
    for (let minutes = 0; minutes < 1440; minutes += 1) {
      assert.equal(readTime(formats.clock(minutes), 1439), minutes, formats.clock(minutes));
    }
  });
}

test("the end of a day is 24:00, or midnight where times have AM and PM", () => {
  assert.equal(new Formats("en-GB", String).clock(1440), "24:00");
  assert.equal(new Formats("de", String).clock(1440), "24:00");
  assert.match(new Formats("en-US", String).clock(1440), /^12:00\sAM$/u);
});
