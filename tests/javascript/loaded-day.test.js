import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { setLocale } from "./support/locale.js";

/** @import { SheetDay, Slice, Timer } from "../../web/page/types.d.ts" */

setLocale(["en-GB"]);
Object.defineProperty(globalThis, "location", { value: new URL("https://timer.example.com/") });
const { LoadedDay } = await import("../../web/page/loaded-day.js");

const DAY = "2026-11-24";
const MIDNIGHT = Date.parse(`${DAY}T00:00:00+01:00`);
const HOUR_MS = 3_600_000;

beforeEach(() => {
  process.env.TZ = "Europe/Berlin";
});

/** @param {number} hour an hour of the day, by the clocks of Berlin */
const at = (hour) => MIDNIGHT + hour * HOUR_MS;

/**
 * @param {string} timer
 * @param {number} from
 * @param {number} until
 * @param {Partial<Slice>} [fields]
 * @returns {Slice}
 */
function slice(timer, from, until, fields = {}) {
  const [start, end] = [from, until].map((hour) => new Date(at(hour)).toISOString());
  return { timer, from: start, until: end, share: 1, rule: "only", overtime: false, ...fields };
}

/** @param {string} id @param {number} number */
const timer = (id, number) =>
  /** @type {Timer} */ ({ id, github_repo: "octo/hello", github_issue_number: number, description: "" });

/** @param {string} date @param {Partial<SheetDay>} [fields] */
const sheet = (date, fields = {}) =>
  /** @type {SheetDay} */ ({
    date,
    since: new Date(`${date}T00:00:00`).toISOString(),
    until: new Date(Date.parse(`${date}T00:00:00`) + 24 * HOUR_MS).toISOString(),
    state: "running",
    scheduled_duration: 8 * 3600,
    working_duration: 3600,
    overtime_duration: 0,
    balance_duration: 0,
    issues: [],
    ...fields,
  });

/** @param {Slice[]} slices @param {Timer[]} timers @param {SheetDay[]} sheets @param {number} loadedAt */
const day = (slices, timers, sheets, loadedAt) =>
  new LoadedDay(DAY, { slices, gaps: [], working_hours: [] }, timers, sheets, loadedAt);

test("a timer that counts gains time in its last slice and in the timesheet", () => {
  const shown = day([slice("a", 9, 10), slice("b", 8, 9)], [timer("a", 7)], [sheet(DAY)], at(10));
  shown.grow([{ id: "a", counting_share: 1, why: null }], at(10.5));
  assert.deepEqual(
    shown.blocks.map(({ until }) => until),
    [at(9), at(10.5)],
  );
  assert.equal(shown.find(DAY)?.working_duration, 3600 + 1800);
  assert.equal(shown.loadedAt, at(10.5));
});

test("a timer that does not count gains nothing", () => {
  const shown = day([slice("a", 9, 10)], [timer("a", 7)], [sheet(DAY)], at(10));
  shown.grow([], at(10.5));
  assert.equal(shown.blocks[0].until, at(10));
});

test("a slice that ended before the day was loaded does not grow", () => {
  const shown = day([slice("a", 8, 9)], [timer("a", 7)], [sheet(DAY)], at(10));
  shown.grow([{ id: "a", counting_share: 1, why: null }], at(10.5));
  assert.equal(shown.blocks[0].until, at(9));
});

test("the time of a confirmed day is fixed, and names its timers even if they have been deleted", () => {
  const issue = {
    github_repo: "octo/hello",
    github_issue_number: 9,
    github_issue_url: null,
    github_issue_title: "Old",
  };
  const issues = [{ issue, description: "", timers: ["gone"] }];
  const shown = day([slice("gone", 9, 10)], [], [sheet(DAY, { state: "confirmed", issues })], at(12));
  assert.equal(shown.lockOf(shown.blocks[0])?.date, DAY);
  assert.equal(shown.nameOf("gone"), "octo/hello#9");
  assert.equal(shown.timers.get("gone")?.github_issue_title, "Old");
  assert.equal(
    day([slice("a", 9, 10)], [timer("a", 7)], [sheet(DAY)], at(12)).lockOf(shown.blocks[0]),
    undefined,
  );
});

test("timers of the same issue are one issue, and unknown timers are not", () => {
  const timers = [timer("a", 7), { ...timer("b", 7), github_repo: "Octo/Hello" }];
  const shown = day([], timers, [], at(12));
  assert.equal(shown.issueKey("a"), shown.issueKey("b"));
  assert.notEqual(shown.issueKey("c"), shown.issueKey("d"));
});

test("statements that overlap are named", () => {
  const slices = [slice("a", 9, 11, { rule: "claim" }), slice("b", 10, 12, { rule: "claim" })];
  const shown = day(slices, [timer("a", 7), timer("b", 8)], [sheet(DAY)], at(12));
  assert.match(shown.overlapOf(shown.blocks[0]), /overlaps with .*octo\/hello#8.*: both count in full/u);
  assert.equal(day([slices[0]], [], [], at(12)).overlapOf(shown.blocks[0]), "");
});

test("the times of blocks add up to those of their issues, and these to that of the day", () => {
  const minutes = (/** @type {number} */ count) => count / 60;
  const slices = [
    slice("a", 9, 9 + minutes(1.8)),
    slice("b", 10, 10 + minutes(0.4)),
    slice("a", 11, 11 + minutes(2.5)),
    slice("c", 12, 12 + minutes(0.5)),
  ];
  const shown = day(slices, [timer("a", 7), timer("b", 8), timer("c", 9)], [], at(13));
  const { sum, issues, blocks } = shown.figures;
  assert.deepEqual([sum.shown, [...issues.values()].map((one) => one.shown)], [300, [240, 0, 60]]);
  assert.deepEqual(
    [...blocks.values()].map((one) => one.shown),
    [120, 120, 0, 60],
  );
  assert.deepEqual(
    shown.blocks.map((block) => shown.durationOf(block)),
    ["2m", "<1m", "2m", "1m"],
  );
});

test("a block that a correction would make has its own time", () => {
  const shown = day([slice("a", 9, 10)], [timer("a", 7)], [], at(13));
  const [block] = shown.blocks;
  assert.equal(shown.durationOf({ ...block, until: at(9.5) }), "30m");
});
