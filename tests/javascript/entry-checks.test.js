import assert from "node:assert/strict";
import { test } from "node:test";
import { setLocale } from "./support/locale.js";
import { stoppedTimer } from "./support/timers.js";

/** @import { EntryValues } from "../../web/page/types.d.ts" */

setLocale(["en-GB"]);
const { checkEntry, durationOf } = await import("../../web/page/entry-checks.js");

const NOW = new Date("2026-11-24T12:00:00+01:00");
/** @type {EntryValues} */
const VALID = {
  issue: "octo-org/hello-world#7",
  description: "",
  start: "2026-11-24T09:00",
  end: "2026-11-24T10:00",
  by: "end",
  hours: "1",
  minutes: "0",
};

/**
 * Return the errors of a new entry.
 *
 * @param {Partial<EntryValues>} [values]
 */
function checkNew(values) {
  return checkEntry({ ...VALID, ...values }, { now: NOW, hasTimes: true, isChanged: () => true });
}

/**
 * Return the errors of an edited entry. The entry's timer is from 09:00:00.500 to 10:00:00.700.
 *
 * @param {Partial<EntryValues>} values the fields that were changed
 */
function checkEdited(values) {
  const timer = stoppedTimer({
    start_time: "2026-11-24T08:00:00.500Z",
    end_time: "2026-11-24T09:00:00.700Z",
  });
  const isChanged = (/** @type {string} */ field) => field in values;
  return checkEntry({ ...VALID, ...values }, { now: NOW, hasTimes: true, isChanged, timer });
}

test("a valid entry has no errors", () => {
  assert.deepEqual(checkNew(), {});
  assert.deepEqual(checkNew({ issue: " " }), {});
  assert.deepEqual(checkNew({ by: "duration", hours: "3", minutes: "0", end: "" }), {});
  assert.deepEqual(checkEdited({}), {});
});

test("a text that is not an issue is an error", () => {
  assert.deepEqual(Object.keys(checkNew({ issue: "seven" })), ["issue"]);
  assert.deepEqual(Object.keys(checkEdited({ issue: "seven" })), ["issue"]);
});

test("a missing time is an error", () => {
  assert.deepEqual(checkNew({ start: "", end: "" }), {
    start: "Enter a date and a time.",
    end: "Enter a date and a time.",
  });
});

test("a time in the future is an error", () => {
  assert.deepEqual(checkNew({ start: "2026-11-24T12:01", end: "2026-11-24T12:02" }), {
    start: "Must not be in the future.",
    end: "Must not be in the future.",
  });
});

test("an end before the start is an error", () => {
  assert.deepEqual(checkNew({ end: "2026-11-24T08:59" }), { end: "The end is before the start." });
  assert.deepEqual(checkEdited({ start: "2026-11-24T10:00:01" }), { end: "The end is before the start." });
});

test("unchanged times are compared to the millisecond", () => {
  assert.deepEqual(checkEdited({ start: "2026-11-24T10:00:00" }), {});
  assert.deepEqual(checkEdited({ end: "2026-11-24T09:00:00" }), { end: "The end is before the start." });
});

test("a duration is required, and must not end in the future", () => {
  const byDuration = /** @type {const} */ ({ by: "duration", end: "" });
  assert.deepEqual(checkNew({ ...byDuration, hours: "0" }), { hours: "Enter a duration." });
  assert.deepEqual(checkNew({ ...byDuration, hours: "", minutes: "" }), { hours: "Enter a duration." });
  assert.deepEqual(checkNew({ ...byDuration, minutes: "1", hours: "3" }), {
    hours: "This would end in the future.",
  });
  assert.equal(durationOf({ ...VALID, hours: "2", minutes: "5" }), 7500);
});

test("the times of an open timer are not checked", () => {
  const context = { now: NOW, hasTimes: false, isChanged: () => false, timer: stoppedTimer() };
  assert.deepEqual(checkEntry({ ...VALID, start: "", end: "" }, context), {});
});
