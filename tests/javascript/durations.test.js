import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { readDuration, writeDuration } from "../../web/page/durations.js";

/** @typedef {{text: string, seconds?: number, meanings?: string[]}} Case */

/** @type {Case[]} */
const CASES = JSON.parse(readFileSync(new URL("../support/durations.json", import.meta.url), "utf8"));

for (const { text, seconds, meanings = [] } of CASES) {
  test(`${JSON.stringify(text)} is read as ${seconds ?? JSON.stringify(meanings)}`, () => {
    const expected = seconds === undefined ? { meanings } : { ms: Math.round(seconds * 1000) };
    assert.deepEqual(readDuration(text), expected);
  });
}

test("each meaning of an ambiguous text is a duration of its own", () => {
  for (const { meanings = [] } of CASES) {
    const read = meanings.map(readDuration);
    assert.ok(read.every((meaning) => "ms" in meaning));
    assert.equal(new Set(read.map((meaning) => JSON.stringify(meaning))).size, meanings.length);
  }
});

test("a duration is written in a form that is read as the same duration", () => {
  for (const seconds of [0, 45, 60, 5400, 5415, 360_000]) {
    assert.deepEqual(readDuration(writeDuration(seconds * 1000)), { ms: seconds * 1000 });
  }
  assert.equal(writeDuration(5_400_000), "1:30");
  assert.equal(writeDuration(2_999), "0:00:02");
});
