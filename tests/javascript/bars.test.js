import assert from "node:assert/strict";
import { test } from "node:test";
import { averageOf, longestOf, scaleOf, toBars } from "../../web/page/bars.js";
import { figureOf } from "../../web/page/figures.js";

const MONDAY = 1;

/** @param {number[]} seconds */
function barsOf(...seconds) {
  return seconds.map((each, index) => ({
    first: `2026-11-0${index + 1}`,
    last: `2026-11-0${index + 1}`,
    ...figureOf(each, 60),
  }));
}

/** @param {[string, number][]} times */
function timesOf(...times) {
  return new Map(times.map(([day, seconds]) => [day, figureOf(seconds, 60)]));
}

test("each day is a bar, even without time", () => {
  const { unit, bars } = toBars(timesOf(["2026-11-24", 90]), "2026-11-23", "2026-11-24", MONDAY);
  assert.equal(unit, "day");
  assert.deepEqual(bars, [
    { first: "2026-11-23", last: "2026-11-23", exact: 0, shown: 0, unit: 60 },
    { first: "2026-11-24", last: "2026-11-24", exact: 90, shown: 60, unit: 60 },
  ]);
});

test("the bars of more than 62 days begin six days before the first day with time", () => {
  const times = timesOf(["2026-11-20", 60]);
  const { bars } = toBars(times, "2025-11-26", "2026-11-25", MONDAY);
  assert.deepEqual([bars[0].first, bars.at(-1)?.first, bars.length], ["2026-11-14", "2026-11-25", 12]);
});

test("62 days have a bar each, and 63 days a bar per week", () => {
  const times = timesOf(["2026-01-01", 60]);
  assert.equal(toBars(times, "2026-01-01", "2026-03-03", MONDAY).bars.length, 62);
  // January 1 is a Thursday, so its week begins on December 29.
  const { bars: weeks } = toBars(times, "2026-01-01", "2026-03-04", MONDAY);
  assert.deepEqual([weeks.length, weeks[0].first, weeks[0].last], [10, "2025-12-29", "2026-01-04"]);
  assert.equal(weeks.at(-1)?.last, "2026-03-04");
});

test("the bar of a week is the sum of its days", () => {
  const times = timesOf(["2026-01-01", 100], ["2026-01-04", 60], ["2026-01-05", 7]);
  const { bars: weeks } = toBars(times, "2026-01-01", "2026-04-30", MONDAY);
  assert.deepEqual(
    weeks.slice(0, 3).map(({ exact, shown }) => [exact, shown]),
    [
      [160, 120],
      [7, 0],
      [0, 0],
    ],
  );
});

for (const [last, unit, count] of /** @type {const} */ ([
  ["2027-02-28", "week", 61],
  ["2027-04-30", "month", 16],
  ["2031-02-28", "month", 62],
  ["2031-03-01", "year", 6],
  ["2076-12-31", "year", 51],
])) {
  test(`from January 2026 to ${last}, there is a bar for each ${unit}`, () => {
    const chart = toBars(timesOf(["2026-01-01", 60]), "2026-01-01", last, MONDAY);
    assert.deepEqual([chart.unit, chart.bars.length], [unit, count]);
    assert.equal(chart.bars.at(-1)?.last, last);
  });
}

test("the average ignores bars without time", () => {
  assert.deepEqual(averageOf(barsOf(0, 3600, 0, 1800)), { count: 2, seconds: 2700 });
});

test("of equally long bars, the first is the longest", () => {
  assert.equal(longestOf(barsOf(0, 5, 7, 7)).first, "2026-11-03");
});

for (const [most, step, top] of [
  [1, 900, 900],
  [2700, 900, 2700],
  [2701, 1800, 3600],
  [8 * 3600, 4 * 3600, 8 * 3600],
  [24 * 3600, 8 * 3600, 24 * 3600],
  [10_000 * 3600, 2560 * 3600, 10_240 * 3600],
]) {
  test(`a longest bar of ${most} s has a scale to ${top} s in steps of ${step} s`, () => {
    assert.deepEqual(scaleOf(barsOf(0, most)), { step, top });
  });
}
