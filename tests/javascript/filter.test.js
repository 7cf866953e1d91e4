import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { setLocale } from "./support/locale.js";
import { stoppedTimer } from "./support/timers.js";

setLocale(["en-GB"]);
const { listQuery, readFilter, selectedDays, selects, totalledDays, totalsQuery, writeFilter } = await import(
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

test("a filter selects timers by their start, and ignores the case of the repository", () => {
  const timer = stoppedTimer({ start_time: "2026-11-23T23:30:00.000Z" });
  const day = { ...DEFAULT, period: "custom", from: "2026-11-24", to: "2026-11-24" };
  assert.equal(selects(day, timer, NOW), true);
  assert.equal(selects({ ...day, repo: "OCTO-ORG/hello-world", issue: "7" }, timer, NOW), true);
  assert.equal(selects({ ...DEFAULT, period: "all" }, timer, NOW), true);
});

for (const change of [
  { from: "2026-11-25", to: "" },
  { from: "", to: "2026-11-23" },
  { repo: "octocat/spoon-knife" },
  { issue: "8" },
]) {
  test(`a filter with ${JSON.stringify(change)} does not select the timer`, () => {
    const timer = stoppedTimer({ start_time: "2026-11-23T23:30:00.000Z" });
    const day = { ...DEFAULT, period: "custom", from: "2026-11-24", to: "2026-11-24" };
    assert.equal(selects({ ...day, ...change }, timer, NOW), false);
  });
}

test("a filter by repository does not select a timer without an issue", () => {
  const timer = stoppedTimer({ github_repo: null, github_issue_number: null });
  assert.equal(selects({ ...DEFAULT, repo: "octo-org/hello-world" }, timer, NOW), false);
});

test("totals cover the selected days until today", () => {
  const month = { ...DEFAULT, period: "this-month" };
  assert.deepEqual(totalledDays(month, NOW), { first: "2026-11-01", last: "2026-11-25", isCut: false });
});

test("totals cover at most 365 days", () => {
  const all = { ...DEFAULT, period: "all" };
  assert.deepEqual(totalledDays(all, NOW), { first: "2025-11-26", last: "2026-11-25", isCut: true });
  const days = { ...DEFAULT, period: "custom", from: "2024-01-01", to: "2025-06-30" };
  assert.deepEqual(totalledDays(days, NOW), { first: "2024-07-01", last: "2025-06-30", isCut: true });
});

test("totals of future days cover only the first", () => {
  const days = { ...DEFAULT, period: "custom", from: "2026-12-10", to: "2026-12-12" };
  assert.deepEqual(totalledDays(days, NOW), { first: "2026-12-10", last: "2026-12-10", isCut: false });
});

test("the list is requested for whole local days", () => {
  const filter = {
    ...DEFAULT,
    period: "custom",
    from: "2026-10-25",
    to: "2026-10-25",
    repo: "a/b",
    issue: "7",
  };
  assert.deepEqual(Object.fromEntries(listQuery(filter, NOW)), {
    github_repo: "a/b",
    github_issue_number: "7",
    // The day has 25 hours, because clocks are put back.
    start_time__gte: "2026-10-24T22:00:00.000Z",
    start_time__lt: "2026-10-25T23:00:00.000Z",
    page_size: "100",
  });
  assert.equal(String(listQuery({ ...DEFAULT, period: "all" }, NOW)), "page_size=100");
});

test("totals are requested in the browser's time zone", () => {
  const filter = { ...DEFAULT, period: "custom", from: "2026-11-01", to: "2026-11-02" };
  assert.deepEqual(Object.fromEntries(totalsQuery(filter, NOW)), {
    since: "2026-10-31T23:00:00.000Z",
    until: "2026-11-02T23:00:00.000Z",
    time_zone: "Europe/Berlin",
  });
});
