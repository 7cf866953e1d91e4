import assert from "node:assert/strict";
import { test } from "node:test";
import { apportion, figureOf, hasOtherActive, roundTotals, withGains } from "../../web/page/figures.js";
import { stoppedTimer } from "./support/timers.js";

/** @import { Figure } from "../../web/page/types.d.ts" */

/**
 * Return a function that returns pseudorandom whole numbers below a limit (mulberry32), so that a failure can
 * be repeated.
 *
 * @param {number} seed
 */
function randomOf(seed) {
  let state = seed;
  return (/** @type {number} */ limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

/** @param {number[]} numbers */
const sumOf = (...numbers) => numbers.reduce((sum, number) => sum + number, 0);

/**
 * Check that figures add up to a sum, and that each differs from its exact time by less than a unit.
 *
 * @param {Figure[]} figures
 * @param {Figure} sum
 */
function checkSum(figures, sum) {
  assert.equal(sumOf(...figures.map(({ shown }) => shown)), sum.shown);
  for (const { exact, shown, unit } of figures) {
    assert.equal(shown % unit, 0);
    assert.ok(Math.abs(exact - shown) < unit, `${exact} s is shown as ${shown} s`);
    if (Number.isInteger(exact / unit)) assert.equal(shown, exact);
  }
}

for (let seed = 1; seed <= 300; seed += 1) {
  test(`totals, their days and issues, and the parts of each day add up (seed ${seed})`, () => {
    const random = randomOf(seed);
    // Durations to the millisecond, seconds only, or multiples of half a minute.
    const scale = [1, 1000, 30_000][random(3)];
    const limit = [61_000, 600_000, 90_000_000][random(3)];
    const duration = () => (Math.floor(random(limit) / scale) * scale) / 1000;
    const days = Array.from({ length: random(40) }, (_, index) => ({
      date: `2026-01-${String(index + 1).padStart(2, "0")}`,
      rows: Array.from({ length: 1 + random(12) }, duration),
    }));
    const durations = days.map(({ rows }) => sumOf(...rows));
    const all = days.flatMap(({ rows }) => rows);
    const working_duration = Number(sumOf(...all).toFixed(3));
    /** @param {number} working */
    const durationsOf = (working) => ({ working_duration: working, active_duration: working * 2 });
    const count = 1 + random(5);
    const issues = Array.from({ length: count }, (_, issue) => ({
      github_repo: "a/b",
      github_issue_number: issue,
      github_issue_url: null,
      github_issue_title: null,
      ...durationsOf(sumOf(...all.filter((_, index) => index % count === issue))),
      timers: 1,
    }));
    const totals = {
      ...durationsOf(working_duration),
      days: days.map(({ date }, index) => ({ date, ...durationsOf(durations[index]) })),
      issues,
      complete: true,
    };

    const { sum, days: ofDays, issues: ofIssues, active } = roundTotals(totals);
    assert.ok(working_duration - sum.shown < sum.unit);
    checkSum([...ofDays.values()], sum);
    checkSum(ofIssues, sum);
    assert.equal(active.sum.exact, 2 * sum.exact);
    checkSum([...active.days.values()], active.sum);
    checkSum(active.issues, active.sum);
    days.forEach(({ date, rows }) => {
      const day = ofDays.get(date);
      assert.ok(day);
      checkSum(apportion(rows, day), day);
    });
  });
}

test("ten times 90 s are shown as 15 minutes", () => {
  const sum = figureOf(900);
  const figures = apportion(new Array(10).fill(90), sum);
  assert.equal(sum.shown, 900);
  assert.deepEqual(
    figures.map(({ shown }) => shown),
    [120, 120, 120, 120, 120, 60, 60, 60, 60, 60],
  );
});

test("parts of a sum below a minute are shown in seconds", () => {
  assert.deepEqual(
    apportion([20.6, 30.6], figureOf(51.2)).map(({ shown }) => shown),
    [21, 30],
  );
});

test("parts of which some are missing are rounded down", () => {
  assert.deepEqual(
    apportion([90, 120], figureOf(600)).map(({ shown }) => shown),
    [120, 120],
  );
});

/** @param {number} working_duration @param {number} active_duration */
function durations(working_duration, active_duration) {
  return { working_duration, active_duration };
}

const TOTALS = {
  ...durations(3600, 7200),
  days: [{ date: "2026-11-24", ...durations(3600, 7200) }],
  issues: [{ ...stoppedTimer(), ...durations(3600, 7200), timers: 1 }],
  complete: true,
};

test("time that running timers gained counts for today and for their issues", () => {
  const other = stoppedTimer({ github_issue_number: 8 });
  const waiting = stoppedTimer({ github_issue_number: 9 });
  const gains = [
    { timer: stoppedTimer({ github_repo: "OCTO-ORG/hello-world" }), ...durations(30, 30) },
    { timer: other, ...durations(12, 30) },
    { timer: waiting, ...durations(0, 30) },
  ];
  const totals = withGains(TOTALS, "2026-11-25", gains);
  assert.deepEqual([totals.working_duration, totals.active_duration], [3642, 7290]);
  assert.deepEqual(totals.days, [
    { date: "2026-11-24", ...durations(3600, 7200) },
    { date: "2026-11-25", ...durations(42, 90) },
  ]);
  assert.deepEqual(
    totals.issues.map((issue) => [
      issue.github_issue_number,
      issue.working_duration,
      issue.active_duration,
      issue.timers,
    ]),
    [
      [7, 3630, 7230, 1],
      [8, 12, 30, 1],
      [9, 0, 30, 1],
    ],
  );
  assert.equal(withGains(TOTALS, "2026-11-24", gains).days[0].working_duration, 3642);
});

test("totals without running timers do not change", () => {
  assert.equal(withGains(TOTALS, "2026-11-25", []), TOTALS);
});

test("active time is shown beside working time if they differ by a minute", () => {
  assert.equal(hasOtherActive(durations(3600, 3659)), false);
  assert.equal(hasOtherActive(durations(3600, 3660)), true);
});
