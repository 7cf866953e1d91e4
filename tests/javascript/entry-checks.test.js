import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { setLocale } from "./support/locale.js";
import { stoppedTimer } from "./support/timers.js";

/** @import { EntryValues, Timer } from "../../web/page/types.d.ts" */

setLocale(["en-GB"]);
const { instantsOf, skipOf } = await import("../../web/page/calendar.js");
const { readDuration } = await import("../../web/page/durations.js");
const { formats } = await import("../../web/page/language.js");
const { checkEntry, questionsAbout } = await import("../../web/page/entry-checks.js");

const NOW = new Date("2026-11-24T12:00:00+01:00");

beforeEach(() => {
  process.env.TZ = "Europe/Berlin";
  formats.followTimeZone();
});

/**
 * Return a time that was entered; the first one if it occurs twice.
 *
 * @param {string} local
 */
function entered(local) {
  const [instant] = instantsOf(local);
  return instant ? { instant } : { skip: skipOf(local) };
}

/**
 * Check a new entry.
 *
 * @param {{issue?: string, by?: EntryValues["by"], start?: string, end?: string, duration?: string}} [values]
 * @param {Timer} [timer]
 */
function check(values = {}, timer) {
  const { issue = "octo-org/hello-world#7", by = "start-end", duration = "" } = values;
  const { start = "2026-11-24T09:00", end = "2026-11-24T10:00" } = values;
  return checkEntry(
    {
      issue,
      by,
      start: entered(start),
      end: entered(end),
      duration: readDuration(duration),
    },
    { now: NOW, hasTimes: true, isIssueChanged: true, timer },
  );
}

/** @param {ReturnType<typeof check>} checked */
function spanOf({ errors, span }) {
  assert.deepEqual(errors, {});
  return [span?.start.toISOString().slice(5, 16), span?.end.toISOString().slice(5, 16)];
}

test("two of start, end and duration determine an entry", () => {
  assert.deepEqual(spanOf(check()), ["11-24T08:00", "11-24T09:00"]);
  assert.deepEqual(spanOf(check({ by: "start-duration", duration: "2h", end: "" })), [
    "11-24T08:00",
    "11-24T10:00",
  ]);
  assert.deepEqual(spanOf(check({ by: "duration-end", duration: "2h", start: "" })), [
    "11-24T07:00",
    "11-24T09:00",
  ]);
});

test("a duration is counted in instants when clocks change", () => {
  const start = "2026-03-29T01:30";
  assert.deepEqual(spanOf(check({ start, end: "2026-03-29T03:30" })), ["03-29T00:30", "03-29T01:30"]);
  assert.deepEqual(spanOf(check({ start, by: "start-duration", duration: "1h" })), [
    "03-29T00:30",
    "03-29T01:30",
  ]);
});

test("a text that is not an issue is an error", () => {
  assert.deepEqual(Object.keys(check({ issue: "seven" }).errors), ["issue"]);
  assert.deepEqual(check({ issue: " " }).errors, {});
});

test("a missing time is an error", () => {
  const { errors, span } = check({ start: "", end: "" });
  assert.deepEqual(errors, { start: "Enter a date and a time.", end: "Enter a date and a time." });
  assert.equal(span, null);
});

test("a time that clocks skip is an error that offers the times around it", () => {
  const { errors, offers, span } = check({ start: "2026-03-29T02:30", end: "2026-03-29T03:30" });
  assert.equal(
    errors.start,
    "This time does not exist. Clocks go from 01:59 CET to 03:00 CEST (Europe/Berlin).",
  );
  assert.equal(span, null);
  assert.deepEqual(
    offers.map(({ field, label, value }) => [field, label, value]),
    [
      ["start", "01:30 CET", new Date("2026-03-29T00:30Z")],
      ["start", "03:30 CEST", new Date("2026-03-29T01:30Z")],
    ],
  );
});

test("a skipped day is an error that offers the days around it", () => {
  process.env.TZ = "Pacific/Apia";
  formats.followTimeZone();
  const { errors, offers } = check({ start: "2011-12-30T12:00", end: "2011-12-31T12:00" });
  assert.match(errors.start ?? "", /from Thu 29 Dec, 23:59 .*to Sat 31 Dec, 0?0:00 /u);
  assert.deepEqual(
    offers.map(({ value }) => value),
    [new Date("2011-12-29T22:00Z"), new Date("2011-12-30T22:00Z")],
  );
});

test("a time in the future is an error", () => {
  assert.deepEqual(check({ start: "2026-11-24T12:01", end: "2026-11-24T12:02" }).errors, {
    start: "Must not be in the future.",
  });
  assert.deepEqual(check({ end: "2026-11-24T12:02" }).errors, { end: "Must not be in the future." });
  assert.deepEqual(check({ by: "start-duration", duration: "3:01" }).errors, {
    duration: "This would end in the future.",
  });
  assert.deepEqual(check({ by: "duration-end", duration: "1h", end: "2026-11-24T12:02" }).errors, {
    end: "Must not be in the future.",
  });
});

test("an unchanged time in the future is not an error, because only this machine's clock may be wrong", () => {
  const timer = stoppedTimer({ start_time: "2026-11-24T11:30:00Z", end_time: "2026-11-24T11:40:00Z" });
  assert.deepEqual(check({ start: "2026-11-24T12:30", end: "2026-11-24T12:40" }, timer).errors, {});
});

// Each row: start, end, and the correction that is offered.
for (const [start, end, field, label] of /** @type {(string | undefined)[][]} */ ([
  ["2026-11-23T22:00", "2026-11-23T01:00", "end", "End: Tue 24 Nov, 01:00"],
  ["2026-11-23T22:00", "2026-11-20T23:00", "end", "End: Mon 23 Nov, 23:00"],
  ["2026-11-24T22:00", "2026-11-24T01:00", "start", "Start: Mon 23 Nov, 22:00"],
  ["2026-11-24T09:00", "2026-11-23T10:00", "end", "End: Tue 24 Nov, 10:00"],
  ["2026-11-30T09:00", "2026-11-24T10:00", "start", "Start: Tue 24 Nov, 09:00"],
  // The end of the next day is in the future, and so is the end of the same day.
  ["2026-11-30T22:00", "2026-11-29T23:00"],
])) {
  test(`of ${start} to ${end}, ${label ?? "nothing"} is offered`, () => {
    const { errors, offers } = check({ start, end });
    assert.deepEqual(errors, { end: "The end is before the start." });
    assert.deepEqual(
      offers.map((offer) => [offer.field, offer.label]),
      field ? [[field, label]] : [],
    );
  });
}

test("a time that clocks skip is not offered", () => {
  const { offers } = check({ start: "2026-03-28T22:00", end: "2026-03-28T02:30" });
  assert.deepEqual(
    offers.map(({ label }) => label),
    ["Start: Fri 27 Mar, 22:00"],
  );
});

test("an ambiguous duration is an error that offers its meanings", () => {
  const { errors, offers } = check({ by: "start-duration", duration: "90" });
  assert.deepEqual(errors, { duration: "Do you mean 90m or 90h?" });
  assert.deepEqual(
    offers.map(({ value }) => value),
    ["90m", "90h"],
  );
  assert.match(
    check({ by: "start-duration", duration: "soon" }).errors.duration ?? "",
    /^Enter a duration, such as/u,
  );
});

test("the times of an open timer are not checked", () => {
  const missing = { skip: null };
  const values = { issue: "", start: missing, end: missing, duration: { meanings: [] } };
  const checked = checkEntry(
    { ...values, by: "start-end" },
    { now: NOW, hasTimes: false, isIssueChanged: false, timer: stoppedTimer() },
  );
  assert.deepEqual(checked, { errors: {}, offers: [], span: null });
});

test("an entry without a duration, a long one and an overlapping one are questions", () => {
  const start = new Date("2026-11-24T08:00Z");
  const after = (/** @type {number} */ minutes) => ({
    start,
    end: new Date(start.getTime() + minutes * 60_000),
  });
  const other = stoppedTimer({
    github_repo: "octo-org/hello-world",
    github_issue_number: 7,
    start_time: "2026-11-24T08:30:00Z",
    end_time: "2026-11-24T09:30:00Z",
  });
  assert.deepEqual(questionsAbout(after(60), []), []);
  assert.deepEqual(questionsAbout(after(24 * 60), []), []);
  assert.deepEqual(questionsAbout(after(0), []), ["The entry begins and ends at the same time."]);
  assert.deepEqual(questionsAbout(after(24 * 60 + 1), []), [
    "The entry is longer than 24 hours: 24h\u00a01m.",
  ]);
  assert.match(
    questionsAbout(after(60), [other])[0],
    /^The entry overlaps \u2068octo-org\/hello-world#7\u2069 \(.*09:30.*10:30\)\.$/u,
  );
  assert.match(questionsAbout(after(60), [other, other, other])[0], / and 2 more\.$/u);
  assert.match(
    questionsAbout(after(60), [{ ...other, end_time: null }])[0],
    /\(running since Tue 24 Nov, 09:30\)/u,
  );
});
