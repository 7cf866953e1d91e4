import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { setLocale } from "./support/locale.js";

setLocale(["en-GB"]);
const { listQuery, periodQuery, readDay, readFilter, selectedDays, writeFilter } = await import(
  "../../web/page/filter.js"
);

// November 25, 2026 is a Wednesday.
const NOW = new Date("2026-11-25T12:00:00Z");
const DEFAULT = { period: "30-days", from: "", to: "", repo: "", issue: "" };

beforeEach(() => {
  process.env.TZ = "Europe/Berlin";
});

test("an address without parameters selects the last 30 days", () => {
  assert.deepEqual(readFilter(""), DEFAULT);
  assert.equal(writeFilter(DEFAULT), "");
});

for (const search of [
  "?period=this-week",
  "?period=all",
  "?repo=Octo-Org/Hello-World&issue=7&period=all",
  "?from=2026-11-01&to=2026-11-24",
  "?from=2026-11-01",
  "?to=2026-11-01",
  "?from=1970-01-02",
  "?to=9998-12-31",
  "?from=2024-02-29",
]) {
  test(`${search} is read and written unchanged`, () => {
    assert.equal(writeFilter(readFilter(search)), search);
  });
}

for (const search of [
  "?period=never&from=2026-02-31x&issue=-1",
  "?period=custom",
  "?period=toString",
  "?from=2026-02-31",
  "?from=2025-02-29",
  "?from=2026-2-1",
  "?from=1970-01-01",
  "?to=9999-12-31",
  "?to=0026-11-24",
  "?issue=0",
  "?issue=12345678901",
  "?issue=7a",
  "?view=week",
]) {
  test(`${search} is ignored`, () => {
    assert.deepEqual(readFilter(search), DEFAULT);
  });
}

test("days in the address replace its period", () => {
  assert.equal(readFilter("?period=all&from=2026-11-01").period, "custom");
});

test("days in the wrong order are swapped", () => {
  const { from, to } = readFilter("?from=2026-11-24&to=2026-11-01");
  assert.deepEqual([from, to], ["2026-11-01", "2026-11-24"]);
});

for (const [period, first, last] of [
  ["this-week", "2026-11-23", "2026-11-29"],
  ["last-week", "2026-11-16", "2026-11-22"],
  ["30-days", "2026-10-27", "2026-11-25"],
  ["this-month", "2026-11-01", "2026-11-30"],
  ["last-month", "2026-10-01", "2026-10-31"],
  ["this-year", "2026-01-01", "2026-12-31"],
  ["all", "", ""],
]) {
  test(`the period ${period} is from "${first}" to "${last}"`, () => {
    assert.deepEqual(selectedDays({ ...DEFAULT, period }, NOW), [first, last]);
  });
}

test("today depends on the browser's time zone", () => {
  process.env.TZ = "Pacific/Auckland";
  assert.deepEqual(selectedDays(DEFAULT, NOW), ["2026-10-28", "2026-11-26"]);
});

test("a month ends on its last day", () => {
  const lastMonth = { ...DEFAULT, period: "last-month" };
  assert.deepEqual(selectedDays(lastMonth, new Date("2028-03-31T12:00Z")), ["2028-02-01", "2028-02-29"]);
  assert.deepEqual(selectedDays(lastMonth, new Date("2027-01-01T12:00Z")), ["2026-12-01", "2026-12-31"]);
});

for (const [selected, since, until] of /** @type {const} */ ([
  [{ period: "this-month" }, "2026-10-31T23:00:00.000Z", "2026-11-30T23:00:00.000Z"],
  [{ period: "all" }, "1970-01-01T00:00:00.000Z", "2026-11-25T23:00:00.000Z"],
  // The day has 25 hours, because clocks are put back.
  [{ from: "2026-10-25", to: "2026-10-25" }, "2026-10-24T22:00:00.000Z", "2026-10-25T23:00:00.000Z"],
  [{ from: "1990-01-01" }, "1989-12-31T23:00:00.000Z", "2026-11-25T23:00:00.000Z"],
  [{ to: "2026-11-01" }, "1970-01-01T00:00:00.000Z", "2026-11-01T23:00:00.000Z"],
  [{ from: "2026-12-10" }, "2026-12-09T23:00:00.000Z", "2026-12-10T23:00:00.000Z"],
])) {
  test(`${JSON.stringify(selected)} is the period from ${since} to ${until}`, () => {
    const filter = { ...DEFAULT, period: "custom", ...selected };
    const search = periodQuery(filter, NOW);
    assert.deepEqual([search.get("since"), search.get("until")], [since, until]);
  });
}

test("list and totals are requested with the same filters", () => {
  const filter = { ...DEFAULT, repo: "a/b", issue: "7" };
  const period = Object.fromEntries(periodQuery(filter, NOW));
  assert.deepEqual(period, {
    github_repo: "a/b",
    github_issue_number: "7",
    since: "2026-10-26T23:00:00.000Z",
    until: "2026-11-25T23:00:00.000Z",
    time_zone: "Europe/Berlin",
  });
  assert.deepEqual(Object.fromEntries(listQuery(filter, NOW)), { ...period, page_size: "100" });
});

test("the address contains the day that is shown, and no day for today", () => {
  assert.equal(readDay("?day=2026-11-24&period=all"), "2026-11-24");
  assert.equal(
    writeFilter(readFilter("?day=2026-11-24&period=all"), "2026-11-24"),
    "?day=2026-11-24&period=all",
  );
  assert.equal(readDay("?day=2026-02-31"), "");
  assert.equal(writeFilter(DEFAULT, ""), "");
});
