import assert from "node:assert/strict";
import { test } from "node:test";
import { grouped, haveHoursBegun, hoursOn, offFrom, yearOfHolidays } from "../../web/page/schedule.js";
import { readTime } from "../../web/page/time-of-day.js";
import { PROPOSED_WEEK, storedWeek, workweek } from "../../web/page/week.js";

/** @import { DayException, Schedule, Week } from "../../web/page/types.d.ts" */

/**
 * @param {Week | null} week
 * @param {DayException[]} [exceptions]
 * @returns {Schedule}
 */
function scheduleOf(week, exceptions = []) {
  const version = { valid_from: "2026-11-01", time_zone: "Asia/Kathmandu", week };
  return {
    source: "own",
    chosen: true,
    current: version,
    versions: [version],
    exceptions,
    default: { time_zone: "UTC", week: null },
    assignment_starts: null,
    organization: {
      concurrent_timers: "focus",
      assignment_starts: "any",
      overtime_hours: 4,
      stale_after_hours: 24,
    },
  };
}

/** @param {string} local a time in Kathmandu, whose clocks are 5:45 h ahead */
const at = (local) => new Date(`${local}+05:45`);

const NIGHTS = storedWeek(workweek([["22:00", "06:00"]])).week;

test("a date has the hours of its exception, else of its weekday, else of the organization", () => {
  const schedule = scheduleOf(PROPOSED_WEEK, [{ date: "2026-11-24", intervals: [], reason: "Sick" }]);
  assert.deepEqual(hoursOn(schedule, "2026-11-24"), []);
  assert.deepEqual(hoursOn(schedule, "2026-11-25"), [["09:00", "17:00"]]);
  assert.deepEqual(hoursOn(schedule, "2026-11-28"), []);
  assert.deepEqual(hoursOn(schedule, "2026-10-31"), [["00:00", "24:00"]]);
});

test("off from now on keeps the hours before and those of the present minute, in which the person may have acted", () => {
  assert.deepEqual(offFrom(scheduleOf(PROPOSED_WEEK), at("2026-11-24T15:02:59")), [
    { date: "2026-11-24", intervals: [["09:00", "15:03"]], reason: "" },
  ]);
  assert.deepEqual(offFrom(scheduleOf(PROPOSED_WEEK), at("2026-11-24T08:00:00")), [
    { date: "2026-11-24", intervals: [], reason: "" },
  ]);
});

test("in the last minute of the hours, only the morning of a night is left to end", () => {
  assert.deepEqual(offFrom(scheduleOf(PROPOSED_WEEK), at("2026-11-24T16:59:01")), []);
  assert.deepEqual(offFrom(scheduleOf(null), at("2026-11-24T23:59:01")), []);
  assert.deepEqual(offFrom(scheduleOf(NIGHTS), at("2026-11-24T23:59:01")), [
    { date: "2026-11-24", intervals: hoursOn(scheduleOf(NIGHTS), "2026-11-24"), reason: "" },
    { date: "2026-11-25", intervals: [["22:00", "24:00"]], reason: "" },
  ]);
});

test("hours have begun from their first minute on", () => {
  const schedule = scheduleOf(PROPOSED_WEEK);
  assert.equal(haveHoursBegun(schedule, at("2026-11-24T08:59:59")), false);
  assert.equal(haveHoursBegun(schedule, at("2026-11-24T09:00:00")), true);
  assert.equal(haveHoursBegun(schedule, at("2026-11-24T20:00:00")), true);
  assert.equal(haveHoursBegun(schedule, at("2026-11-28T12:00:00")), false);
});

test("nobody needs to be off after the day's hours, or on a day without hours", () => {
  assert.deepEqual(offFrom(scheduleOf(PROPOSED_WEEK), at("2026-11-24T17:00:00")), []);
  assert.deepEqual(offFrom(scheduleOf(PROPOSED_WEEK), at("2026-11-28T12:00:00")), []);
});

test("without a week, off from now on ends the day", () => {
  assert.deepEqual(offFrom(scheduleOf(null), at("2026-11-24T00:30:00")), [
    { date: "2026-11-24", intervals: [["00:00", "00:31"]], reason: "" },
  ]);
});

test("off in the evening of a night ends the night, not only the day", () => {
  assert.deepEqual(offFrom(scheduleOf(NIGHTS), at("2026-11-24T23:15:00")), [
    {
      date: "2026-11-24",
      intervals: [
        ["00:00", "06:00"],
        ["22:00", "23:16"],
      ],
      reason: "",
    },
    { date: "2026-11-25", intervals: [["22:00", "24:00"]], reason: "" },
  ]);
});

test("off in the morning of a night keeps the next evening", () => {
  assert.deepEqual(offFrom(scheduleOf(NIGHTS), at("2026-11-25T02:00:00")), [
    {
      date: "2026-11-25",
      intervals: [
        ["00:00", "02:01"],
        ["22:00", "24:00"],
      ],
      reason: "",
    },
  ]);
});

test("off from now on keeps the reason of other hours", () => {
  const exceptions = [
    {
      date: "2026-11-24",
      intervals: /** @type {[string, string][]} */ ([["10:00", "14:00"]]),
      reason: "Dentist",
    },
  ];
  assert.deepEqual(offFrom(scheduleOf(PROPOSED_WEEK, exceptions), at("2026-11-24T11:00:00")), [
    { date: "2026-11-24", intervals: [["10:00", "11:01"]], reason: "Dentist" },
  ]);
});

test("successive days off for the same reason are one group", () => {
  /** @param {string} date @param {string} reason @returns {DayException} */
  const off = (date, reason) => ({ date, intervals: [], reason });
  const groups = grouped([
    off("2027-01-01", "Holiday"),
    off("2026-12-31", "Vacation"),
    off("2026-12-30", "Vacation"),
    off("2027-01-03", "Holiday"),
    { ...off("2027-01-04", "Holiday"), intervals: [["09:00", "12:00"]] },
  ]);
  assert.deepEqual(
    groups.map(({ first, last, reason }) => [first, last, reason]),
    [
      ["2026-12-30", "2026-12-31", "Vacation"],
      ["2027-01-01", "2027-01-01", "Holiday"],
      ["2027-01-03", "2027-01-03", "Holiday"],
      ["2027-01-04", "2027-01-04", "Holiday"],
    ],
  );
});

test("from November on, people choose from the public holidays of the next year", () => {
  const days = ["2026-01-01", "2026-10-31", "2026-11-01", "2026-12-31"];
  assert.deepEqual(days.map(yearOfHolidays), [2026, 2026, 2027, 2027]);
});

test("every time that the editor names as an example is a time", () => {
  const minutes = ["9", "9:30", "0930", "17.30", "17h30", "930", "5 pm", "5:30p"].map((time) =>
    readTime(time),
  );
  assert.deepEqual(minutes, [540, 570, 570, 1050, 1050, 570, 1020, 1050]);
});
