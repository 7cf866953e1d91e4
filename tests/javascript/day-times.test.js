import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { sumOfDays, toDayTimes } from "../../web/page/day-times.js";
import { rangeOf } from "../../web/page/timeline.js";

beforeEach(() => {
  process.env.TZ = "Europe/Berlin";
});

/** @param {string} day @param {string} from @param {string} until */
const span = (day, from, until) => ({
  from: new Date(`${day}T${from}:00`).toISOString(),
  until: new Date(`${day}T${until}:00`).toISOString(),
});

/** @param {string} day @param {string} from @param {string} until @param {object} [fields] */
const slice = (day, from, until, fields = {}) => ({
  timer: "a",
  share: 1,
  rule: "only",
  overtime: false,
  ...span(day, from, until),
  ...fields,
});

const MONDAY = "2026-11-23";
const TUESDAY = "2026-11-24";
const days = () => [MONDAY, TUESDAY].map((day) => ({ day, range: rangeOf(day) }));
const HOUR = 3600;

test("a day has its working time, its overtime and its working hours", () => {
  const timeline = {
    slices: [
      slice(MONDAY, "09:00", "12:00"),
      slice(MONDAY, "12:00", "12:30", { timer: "b", share: 0.5 }),
      slice(MONDAY, "19:00", "20:00", { overtime: true }),
      slice(TUESDAY, "09:00", "10:00"),
    ],
    gaps: [],
    working_hours: [span(MONDAY, "09:00", "17:00"), span(TUESDAY, "09:00", "17:00")],
  };
  const now = new Date(`${TUESDAY}T11:00:00`).getTime();
  assert.deepEqual(toDayTimes(days(), timeline, now), [
    { day: MONDAY, worked: 4.25 * HOUR, overtime: HOUR, scheduled: 8 * HOUR, due: 8 * HOUR },
    { day: TUESDAY, worked: HOUR, overtime: 0, scheduled: 8 * HOUR, due: 2 * HOUR },
  ]);
});

test("time over midnight is divided between both days", () => {
  const night = { ...slice(MONDAY, "22:00", "22:00"), until: new Date(`${TUESDAY}T02:00:00`).toISOString() };
  const timeline = { slices: [night], gaps: [], working_hours: [] };
  const times = toDayTimes(days(), timeline, Date.parse(night.until));
  assert.deepEqual(
    times.map(({ worked }) => worked),
    [2 * HOUR, 2 * HOUR],
  );
});

test("a day without limits of its working hours has no scheduled time", () => {
  const [{ range: first }, { range: last }] = days();
  const always = { from: new Date(first.since).toISOString(), until: new Date(last.until).toISOString() };
  const timeline = { slices: [], gaps: [], working_hours: [always] };
  assert.equal(sumOfDays(toDayTimes(days(), timeline, last.until)).scheduled, 0);
});

test("a day on which clocks are put back has 25 hours", () => {
  const day = "2026-10-25";
  const range = rangeOf(day);
  const whole = { from: new Date(range.since).toISOString(), until: new Date(range.until).toISOString() };
  const timeline = { slices: [{ ...slice(day, "00:00", "01:00"), ...whole }], gaps: [], working_hours: [] };
  assert.equal(toDayTimes([{ day, range }], timeline, range.until)[0].worked, 25 * HOUR);
});

test("the sums of a week are the sums of its days", () => {
  const one = { day: MONDAY, worked: 5, overtime: 2, scheduled: 8, due: 7 };
  const other = { day: TUESDAY, worked: 50, overtime: 20, scheduled: 80, due: 70 };
  assert.deepEqual(sumOfDays([one, other]), { worked: 55, overtime: 22, scheduled: 88, due: 77 });
});
