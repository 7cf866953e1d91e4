import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import {
  addDays,
  dayOf,
  daysBetween,
  instantsOf,
  skipOf,
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

// Each row: time zone, local time, and the instants at which clocks show it.
for (const [zone, local, ...instants] of /** @type {string[][]} */ ([
  ["Europe/Berlin", "2026-11-24T09:00", "2026-11-24T08:00:00Z"],
  ["Europe/Berlin", "2026-11-24T09:00:05", "2026-11-24T08:00:05Z"],
  ["Europe/Berlin", "2026-03-29T01:59:59", "2026-03-29T00:59:59Z"],
  ["Europe/Berlin", "2026-03-29T02:00"],
  ["Europe/Berlin", "2026-03-29T02:30"],
  ["Europe/Berlin", "2026-03-29T03:00", "2026-03-29T01:00:00Z"],
  ["Europe/Berlin", "2026-10-25T01:59", "2026-10-24T23:59:00Z"],
  ["Europe/Berlin", "2026-10-25T02:00", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"],
  ["Europe/Berlin", "2026-10-25T02:59:59", "2026-10-25T00:59:59Z", "2026-10-25T01:59:59Z"],
  ["Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00:00Z"],
  ["America/New_York", "2026-03-08T02:30"],
  ["America/New_York", "2026-11-01T01:30", "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"],
  // Clocks are changed by half an hour.
  ["Australia/Lord_Howe", "2026-10-04T02:15"],
  ["Australia/Lord_Howe", "2026-10-04T02:30", "2026-10-03T15:30:00Z"],
  ["Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z"],
  ["Australia/Lord_Howe", "2026-04-05T02:00", "2026-04-04T15:30:00Z"],
  // Days without a midnight, and with two.
  ["America/Sao_Paulo", "2018-11-04T00:00"],
  ["America/Sao_Paulo", "2018-02-17T23:30", "2018-02-18T01:30:00Z", "2018-02-18T02:30:00Z"],
  ["Africa/Cairo", "2024-04-26T00:30"],
  ["Africa/Cairo", "2024-10-31T23:30", "2024-10-31T20:30:00Z", "2024-10-31T21:30:00Z"],
  ["Asia/Beirut", "2025-03-30T00:59"],
  ["America/Havana", "2025-11-02T00:00", "2025-11-02T04:00:00Z", "2025-11-02T05:00:00Z"],
  // A skipped day.
  ["Pacific/Apia", "2011-12-29T23:59", "2011-12-30T09:59:00Z"],
  ["Pacific/Apia", "2011-12-30T12:00"],
  ["Pacific/Apia", "2011-12-31T00:00", "2011-12-30T10:00:00Z"],
  // Changes without daylight saving time, and offsets with minutes and seconds.
  ["Asia/Pyongyang", "2018-05-04T23:45"],
  ["Asia/Kathmandu", "1986-01-01T00:10"],
  ["Africa/Monrovia", "1972-01-07T00:30"],
  ["Africa/Monrovia", "1972-01-06T23:00:00", "1972-01-06T23:44:30Z"],
  ["Antarctica/Troll", "2026-03-29T02:30"],
  ["Antarctica/Troll", "2026-10-25T01:30", "2026-10-24T23:30:00Z", "2026-10-25T01:30:00Z"],
  // No times.
  ["Europe/Berlin", ""],
  ["Europe/Berlin", "+275760-01-01T00:00"],
])) {
  test(`${local || "nothing"} in ${zone} is ${instants.join(" or ") || "no instant"}`, () => {
    process.env.TZ = zone;
    assert.deepEqual(
      instantsOf(local).map((instant) => instant.toISOString().replace(".000", "")),
      instants,
    );
  });
}

test("every instant is among those at which clocks show its local time", () => {
  const zones = ["Europe/Berlin", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Apia", "America/Caracas"];
  for (const zone of zones) {
    process.env.TZ = zone;
    const step = 97 * 60_000;
    for (let time = Date.UTC(2011, 0, 1); time < Date.UTC(2012, 0, 3); time += step) {
      const instants = instantsOf(toInputValue(new Date(time))).map(Number);
      assert.ok(instants.includes(time) && instants.length <= 2, `${zone} ${new Date(time).toISOString()}`);
    }
  }
});

// Each row: time zone, skipped local time, the local times around the skip, and the alternatives.
for (const [zone, local, last, next, ...alternatives] of /** @type {string[][]} */ ([
  ["Europe/Berlin", "2026-03-29T02:30", "03-29T01:59", "03-29T03:00", "03-29T01:30", "03-29T03:30"],
  ["Europe/Berlin", "2026-03-29T02:00", "03-29T01:59", "03-29T03:00", "03-29T01:00", "03-29T03:00"],
  ["America/New_York", "2026-03-08T02:59", "03-08T01:59", "03-08T03:00", "03-08T01:59", "03-08T03:59"],
  ["Australia/Lord_Howe", "2026-10-04T02:15", "10-04T01:59", "10-04T02:30", "10-04T01:45", "10-04T02:45"],
  ["America/Sao_Paulo", "2018-11-04T00:00", "11-03T23:59", "11-04T01:00", "11-03T23:00", "11-04T01:00"],
  ["Africa/Cairo", "2024-04-26T00:30", "04-25T23:59", "04-26T01:00", "04-25T23:30", "04-26T01:30"],
  ["Pacific/Apia", "2011-12-30T12:00", "12-29T23:59", "12-31T00:00", "12-29T12:00", "12-31T12:00"],
  ["Antarctica/Troll", "2026-03-29T02:30", "03-29T00:59", "03-29T03:00", "03-29T00:30", "03-29T04:30"],
])) {
  test(`${local} in ${zone} is skipped between ${last} and ${next}`, () => {
    process.env.TZ = zone;
    const skip = skipOf(local);
    assert.ok(skip);
    const shown = [skip.last, skip.next, ...skip.alternatives].map((time) => toInputValue(time).slice(5, 16));
    assert.deepEqual(shown, [last, next, ...alternatives]);
  });
}

test("a time that exists is not skipped", () => {
  assert.equal(skipOf("2026-11-24T09:00"), null);
  assert.equal(skipOf("2026-10-25T02:30"), null);
  assert.equal(skipOf("2026-03-29T03:00"), null);
  assert.equal(skipOf(""), null);
});
