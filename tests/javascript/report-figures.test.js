import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { setLocale } from "./support/locale.js";

/** @import { Grouping, Report, ReportRow } from "../../web/page/types.d.ts" */

setLocale(["en-GB"]);
const { barsOf, figureBeside, workingFigures } = await import("../../web/page/report-figures.js");

beforeEach(() => {
  process.env.TZ = "Europe/Berlin";
});

/**
 * @param {Grouping} grouping
 * @param {[string, number][]} rows the key and the seconds of each row
 * @param {boolean} [overlapping]
 * @returns {Report}
 */
function report(grouping, rows, overlapping = false) {
  const figures = (/** @type {number} */ working_duration) => ({
    working_duration,
    active_duration: working_duration,
    confirmed_duration: 0,
    entries: 1,
    estimate: null,
    left: null,
  });
  return {
    from: "2026-10-01",
    to: "2026-12-31",
    group_by: [grouping],
    rows: rows.map(([key, seconds]) => /** @type {ReportRow} */ ({ [grouping]: key, ...figures(seconds) })),
    totals: figures(overlapping ? 100 : rows.reduce((sum, [, seconds]) => sum + seconds, 0)),
    overlapping,
    complete: true,
    people: [],
  };
}

/** @param {Report} of */
function bars(of) {
  return barsOf(of, workingFigures(of), 1);
}

test("the minutes of rows add up to those of the total", () => {
  const figures = workingFigures(
    report("repository", [
      ["a", 90],
      ["b", 90],
      ["c", 60],
    ]),
  );
  assert.equal(
    figures.reduce((sum, { shown }) => sum + shown, 0),
    240,
  );
});

test("overlapping rows are rounded each by itself", () => {
  const figures = workingFigures(
    report(
      "label",
      [
        ["a", 119],
        ["b", 119],
      ],
      true,
    ),
  );
  assert.deepEqual(
    figures.map(({ shown }) => shown),
    [60, 60],
  );
});

test("time with sub-issues is never shown as less than the own time of its row", () => {
  const rows = report("issue", [
    ["a", 90],
    ["b", 90],
    ["c", 60],
  ]);
  const figures = workingFigures(rows);
  const rounded = rows.rows.map(({ working_duration }, index) =>
    figureBeside(working_duration, figures[index]),
  );
  assert.deepEqual(
    rounded.map(({ shown }) => shown),
    figures.map(({ shown }) => shown),
  );
  assert.equal(figures[0].shown, 120);
  assert.equal(figureBeside(95, figures[0]).shown, 120);
  assert.equal(figureBeside(200, figures[0]).shown, 180);
});

test("a part of a row's time is never shown as more than the row's time", () => {
  const [first, second] = workingFigures(
    report("repository", [
      ["a", 50],
      ["b", 70],
    ]),
  );
  assert.deepEqual([first.shown, second.shown], [60, 60]);
  assert.equal(figureBeside(49, first).shown, 0);
  assert.equal(figureBeside(69, second).shown, 60);
});

test("weeks without time have bars between those with time", () => {
  const found = bars(
    report("week", [
      ["2026-11-16", 60],
      ["2026-11-02", 120],
    ]),
  );
  assert.equal(found?.unit, "week");
  assert.deepEqual(
    found?.bars.map(({ first, last, exact }) => [first, last, exact]),
    [
      ["2026-11-02", "2026-11-08", 120],
      ["2026-11-09", "2026-11-15", 0],
      ["2026-11-16", "2026-11-22", 60],
    ],
  );
});

test("months have their own lengths", () => {
  const found = bars(
    report("month", [
      ["2026-10-01", 60],
      ["2026-12-01", 60],
    ]),
  );
  assert.deepEqual(
    found?.bars.map(({ first, last }) => [first, last]),
    [
      ["2026-10-01", "2026-10-31"],
      ["2026-11-01", "2026-11-30"],
      ["2026-12-01", "2026-12-31"],
    ],
  );
});

test("the days of many are bars of weeks", () => {
  const found = bars(report("day", [["2026-10-01", 60]]));
  assert.equal(found?.unit, "week");
});

test("reports without periods, with overlapping rows or without time have no bars", () => {
  assert.equal(bars(report("repository", [["a", 60]])), null);
  assert.equal(bars(report("day", [["2026-11-02", 60]], true)), null);
  assert.equal(bars(report("day", [])), null);
});
