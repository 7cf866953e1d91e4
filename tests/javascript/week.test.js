import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  before,
  daysWithSameHours,
  mistakeOfDate,
  PROPOSED_WEEK,
  storedWeek,
  WEEKDAYS,
  weekDuration,
  withNightsJoined,
  workweek,
} from "../../web/page/week.js";

/** @import { Intervals, Week } from "../../web/page/types.d.ts" */
/** @typedef {{name: string, week: Partial<Week>, stored?: Partial<Week>, mistake?: string}} Case */

/** @type {Case[]} */
const CASES = JSON.parse(readFileSync(new URL("../support/weeks.json", import.meta.url), "utf8"));

/** @param {Partial<Week>} days @returns {Week} */
function complete(days) {
  return { mon: [], tue: [], wed: [], thu: [], fri: [], sat: [], sun: [], ...days };
}

for (const { name, week, stored, mistake } of CASES) {
  test(name, () => {
    const result = storedWeek(complete(week));
    assert.deepEqual(Object.keys(result.mistakes), mistake ? [mistake] : []);
    if (stored) assert.deepEqual(result.week, complete(stored));
  });
}

test("a stored week is shown with its nights in one piece, and stored again as the same", () => {
  const nights = complete({ mon: [["22:00", "06:00"]], sun: [["23:30", "07:00"]] });
  const { week } = storedWeek(nights);
  assert.deepEqual(withNightsJoined(week), nights);
  for (const { stored } of CASES) {
    if (!stored) continue;
    const shown = withNightsJoined(complete(stored));
    assert.deepEqual(storedWeek(shown), { week: complete(stored), mistakes: {} });
  }
});

test("days of 24 hours are not joined", () => {
  const always = workweek([["00:00", "24:00"]]);
  assert.deepEqual(withNightsJoined(always), always);
});

test("an end at midnight is the end of the day", () => {
  const { week, mistakes } = storedWeek(complete({ mon: [["22:00", "00:00"]], tue: [["00:00", "00:00"]] }));
  assert.deepEqual(mistakes, {});
  assert.deepEqual(week, complete({ mon: [["22:00", "24:00"]], tue: [["00:00", "24:00"]] }));
});

test("successive days with the same hours are one group", () => {
  assert.deepEqual(daysWithSameHours(PROPOSED_WEEK, WEEKDAYS), [
    { first: "mon", last: "fri", intervals: [["09:00", "17:00"]] },
  ]);
  const days = complete({ ...PROPOSED_WEEK, wed: [], sun: [["10:00", "12:00"]] });
  const groups = daysWithSameHours(days, ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]);
  assert.deepEqual(
    groups.map(({ first, last }) => `${first}-${last}`),
    ["sun-sun", "mon-tue", "thu-fri"],
  );
});

test("the hours of a week add up", () => {
  assert.equal(weekDuration(PROPOSED_WEEK), 40 * 3600);
  assert.equal(weekDuration(complete({})), 0);
});

test("the hours of a date end before midnight and do not overlap", () => {
  assert.equal(mistakeOfDate([["09:00", "24:00"]]), null);
  assert.equal(mistakeOfDate([["22:00", "06:00"]]), "order");
  assert.equal(
    mistakeOfDate([
      ["09:00", "12:00"],
      ["11:00", "17:00"],
    ]),
    "overlap",
  );
});

/** @type {Intervals} */
const HOURS = [
  ["09:00", "12:30"],
  ["13:00", "24:00"],
];

for (const [minutes, expected] of /** @type {[number, Intervals][]} */ ([
  [500, []],
  [540, []],
  [600, [["09:00", "10:00"]]],
  [765, [["09:00", "12:30"]]],
  [902, [HOURS[0], ["13:00", "15:02"]]],
])) {
  test(`before ${minutes} minutes since midnight, the hours are ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(before(HOURS, minutes), expected);
  });
}
