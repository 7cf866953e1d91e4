import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import {
  addDays,
  dayOf,
  daysBetween,
  startOf,
  startOfWeek,
  timeZone,
  toInputValue,
} from "../../web/page/calendar.js";

beforeEach(() => {
  process.env.TZ = "Europe/Berlin";
});

test("the day of an instant depends on the browser's time zone", () => {
  const instant = new Date("2026-11-23T23:30:00Z");
  assert.equal(dayOf(instant), "2026-11-24");
  assert.equal(timeZone(), "Europe/Berlin");
  process.env.TZ = "America/New_York";
  assert.equal(dayOf(instant), "2026-11-23");
});

test("a day begins at local midnight", () => {
  assert.equal(startOf("2026-07-01").toISOString(), "2026-06-30T22:00:00.000Z");
  assert.equal(startOf("2026-12-01").toISOString(), "2026-11-30T23:00:00.000Z");
});

test("a day without a midnight begins at its first instant", () => {
  // In this zone, clocks were put forward from 00:00 to 01:00 on that day.
  process.env.TZ = "America/Santiago";
  const start = startOf("2026-09-06");
  assert.equal(toInputValue(start), "2026-09-06T01:00:00");
  assert.equal(dayOf(start), "2026-09-06");
});

test("adding days crosses months, leap days and clock changes", () => {
  assert.equal(addDays("2026-10-31", 1), "2026-11-01");
  assert.equal(addDays("2028-02-28", 1), "2028-02-29");
  assert.equal(addDays("2026-01-01", -1), "2025-12-31");
  assert.equal(addDays("2026-10-24", 2), "2026-10-26");
});

test("a range of days includes both ends", () => {
  assert.deepEqual(daysBetween("2026-03-28", "2026-03-30"), ["2026-03-28", "2026-03-29", "2026-03-30"]);
  assert.deepEqual(daysBetween("2026-03-28", "2026-03-28"), ["2026-03-28"]);
  assert.deepEqual(daysBetween("2026-03-28", "2026-03-27"), []);
});

test("a week begins on the weekday of the region", () => {
  // November 25 is a Wednesday.
  assert.equal(startOfWeek("2026-11-25", 1), "2026-11-23");
  assert.equal(startOfWeek("2026-11-25", 7), "2026-11-22");
  assert.equal(startOfWeek("2026-11-25", 6), "2026-11-21");
  assert.equal(startOfWeek("2026-11-23", 1), "2026-11-23");
  assert.equal(startOfWeek("2026-11-22", 1), "2026-11-16");
});

test("the value of an input is local time to the second", () => {
  assert.equal(toInputValue(new Date("2026-10-25T01:10:05.999Z")), "2026-10-25T02:10:05");
});
