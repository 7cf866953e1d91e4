import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { setLocale } from "./support/locale.js";

setLocale(["en-GB"]);
const { readReport, reportQuery, writeReport } = await import("../../web/page/report-query.js");

// November 25, 2026 is a Wednesday.
const NOW = new Date("2026-11-25T12:00:00Z");

beforeEach(() => {
  process.env.TZ = "Europe/Berlin";
});

test("an address without parameters asks for people and issues of the last 30 days", () => {
  const state = readReport("");
  assert.deepEqual(state, {
    period: "30-days",
    from: "",
    to: "",
    groupBy: ["person", "issue"],
    filters: [],
  });
  assert.equal(writeReport(state), "");
});

for (const search of [
  "?period=last-month",
  "?from=2026-11-01&to=2026-11-24&group_by=label,person,week",
  "?group_by=day",
  "?person=octocat&repository=octo/app&label=bug&label=ui,+web",
  "?group_by=label&label=",
  "?issue=octo/app%237",
]) {
  test(`${search} is read and written unchanged`, () => {
    assert.equal(writeReport(readReport(search)), search);
  });
}

test("invalid parameters are ignored", () => {
  const { period, groupBy, filters } = readReport(
    "?period=all&group_by=year,week,week,month,day,person&day=1&user=7",
  );
  assert.deepEqual(
    { period, groupBy, filters },
    {
      period: "this-year",
      groupBy: ["week", "month", "day"],
      filters: [],
    },
  );
});

test("a repeated value selects once", () => {
  assert.deepEqual(readReport("?label=a&label=a&label=b").filters, [
    { name: "label", value: "a" },
    { name: "label", value: "b" },
  ]);
});

test("the API is asked for the days of the period in the browser's time zone", () => {
  const query = reportQuery(readReport("?period=this-week&group_by=day&label=bug&label="), NOW);
  assert.deepEqual(
    [...query],
    [
      ["time_zone", "Europe/Berlin"],
      ["group_by", "day"],
      ["from", "2026-11-23"],
      ["to", "2026-11-29"],
      ["label", "bug"],
      ["label", ""],
    ],
  );
});
