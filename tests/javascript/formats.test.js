import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Formats, firstWeekdayOf } from "../../web/page/formats.js";
import { german } from "../../web/page/strings.de.js";
import { english } from "../../web/page/strings.en.js";

/** @import { Text } from "../../web/page/types.d.ts" */

beforeEach(() => {
  process.env.TZ = "Europe/Berlin";
});

/**
 * @param {string} locale
 * @param {Record<string, Text>} [texts]
 */
function formatsIn(locale, texts = english) {
  return new Formats(locale, (name, parts) => {
    const text = texts[name];
    return typeof text === "function" ? text(parts) : text;
  });
}

for (const [seconds, inEnglish, inGerman] of /** @type {const} */ ([
  [0, "0m", "0 min"],
  [0.4, "1s", "1 s"],
  [59.9, "59s", "59 s"],
  [60, "1m", "1 min"],
  [(60_000 * 49 * (1 / 49)) / 1000, "1m", "1 min"],
  [3599, "59m", "59 min"],
  [3600, "1h", "1 h"],
  [5430, "1h 30m", "1 h 30 min"],
  [360_000, "100h", "100 h"],
])) {
  test(`${seconds} s are "${inEnglish}" and, in German, "${inGerman}"`, () => {
    assert.equal(formatsIn("en-GB").duration(seconds), inEnglish.replaceAll(" ", "\u00a0"));
    assert.equal(formatsIn("de", german).duration(seconds), inGerman.replaceAll(" ", "\u00a0"));
  });
}

test("a figure is its rounded time, and a time that was rounded to zero is less than a minute", () => {
  const formats = formatsIn("en-GB");
  assert.equal(formats.figure({ exact: 90, shown: 120, unit: 60 }), "2m");
  assert.equal(formats.figure({ exact: 30, shown: 0, unit: 60 }), "<1m");
  assert.equal(formats.figure({ exact: 0, shown: 0, unit: 60 }), "0m");
  assert.equal(formatsIn("de", german).figure({ exact: 30, shown: 0, unit: 60 }), "<1\u00a0min");
});

test("a day is formatted in the language, with its year unless that is the current year", () => {
  const day = new Date("2026-11-24T00:00:00+01:00");
  const [thisYear, nextYear] = [new Date("2026-12-31T12:00Z"), new Date("2027-01-01T12:00Z")];
  assert.equal(formatsIn("en-GB").day(day, thisYear), "Tuesday 24 November");
  assert.equal(formatsIn("en-US").day(day, thisYear), "Tuesday, November 24");
  assert.equal(formatsIn("de-AT").day(day, thisYear), "Dienstag, 24. November");
  assert.match(formatsIn("en-GB").day(day, nextYear), /^Tuesday,? 24 November 2026$/u);
});

test("a range does not repeat the parts that both ends share", () => {
  const [start, end] = [new Date("2026-11-24T08:00:00Z"), new Date("2026-11-24T09:30:00Z")];
  assert.equal(formatsIn("en-GB").range("time", start, end), "09:00–10:30");
  assert.match(
    formatsIn("en-GB").range("shortDay", start, new Date("2026-11-26T09:30:00Z")),
    /^24\s?–\s?26 Nov$/u,
  );
});

test("all times of a language have hours of two digits, unless they have AM and PM", () => {
  const instant = new Date("2026-11-24T08:05:00Z");
  for (const format of ["time", "moment", "zonedTime", "zonedMoment", "dateAndTime"]) {
    assert.match(formatsIn("en-GB").date(format, instant), /\b09:05/u);
    assert.match(formatsIn("de", german).date(format, instant), /\b09:05/u);
    assert.match(formatsIn("en-US").date(format, instant), /\b9:05\sAM/u);
  }
});

test("times follow a change of the browser's time zone", () => {
  const formats = formatsIn("en-GB");
  const instant = new Date("2026-11-24T08:00:00Z");
  assert.equal(formats.date("time", instant), "09:00");
  process.env.TZ = "Asia/Kolkata";
  formats.followTimeZone();
  assert.equal(formats.date("time", instant), "13:30");
});

test("weeks begin on the weekday of the locale's region", () => {
  assert.deepEqual(["de", "en-GB", "en-US", "ar-EG"].map(firstWeekdayOf), [1, 1, 7, 6]);
});

test("a balance has a sign, unless it is less than a minute", () => {
  const formats = formatsIn("en-GB");
  assert.deepEqual(
    [1800, -3660, 59, -59].map((seconds) => formats.balance(seconds)),
    ["+30m", "\u22121h\u00a01m", "0m", "0m"],
  );
});

test("a share is a percentage", () => {
  assert.equal(formatsIn("en-GB").percent(1 / 3), "33%");
  assert.equal(formatsIn("de", german).percent(0.5), "50\u00a0%");
});
