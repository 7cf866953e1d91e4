import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import {
  hoursOf,
  instantAt,
  labelledHours,
  limitsOf,
  movedBlock,
  overlappingTimers,
  overlapsOf,
  placeOf,
  rangeOf,
  secondsOf,
  stepped,
  toBlocks,
  visibleRange,
  withoutConstantHours,
} from "../../web/page/timeline.js";

/** @import { Block } from "../../web/page/timeline.js" */
/** @import { Slice } from "../../web/page/types.d.ts" */

beforeEach(() => {
  process.env.TZ = "Europe/Berlin";
});

/** @param {string} time @param {string} [day] */
const at = (time, day = "2026-11-24") => new Date(`${day}T${time}:00`).getTime();

/**
 * @param {string} timer
 * @param {string} from
 * @param {string} until
 * @param {Partial<Slice>} [fields]
 * @returns {Slice}
 */
function slice(timer, from, until, fields = {}) {
  const [since, end] = [from, until].map((time) => new Date(at(time)).toISOString());
  return { timer, from: since, until: end, share: 1, rule: "only", overtime: false, ...fields };
}

/** @param {number} instant */
const local = (instant) => new Date(instant).toTimeString().slice(0, 5);

/** @param {Block[]} blocks */
const shown = (blocks) =>
  blocks.map(({ timer, since, until, lane }) => `${timer} ${local(since)}-${local(until)} ${lane}`);

test("adjacent slices of a timer are one block", () => {
  const slices = [
    slice("b", "10:00", "11:00"),
    slice("a", "09:00", "10:00"),
    slice("b", "11:00", "12:00", { rule: "focus" }),
    slice("b", "12:30", "13:00"),
  ];
  assert.deepEqual(shown(toBlocks(slices)), ["a 09:00-10:00 0", "b 10:00-12:00 0", "b 12:30-13:00 0"]);
});

test("overtime and a share of the time are blocks of their own", () => {
  const slices = [
    slice("a", "16:00", "17:00"),
    slice("a", "17:00", "18:00", { overtime: true }),
    slice("a", "18:00", "19:00", { overtime: true, share: 0.5 }),
  ];
  assert.deepEqual(
    toBlocks(slices).map(({ overtime, share }) => [overtime, share]),
    [
      [false, 1],
      [true, 1],
      [true, 0.5],
    ],
  );
});

test("a block is claimed if all of its slices are", () => {
  const slices = [
    slice("a", "09:00", "10:00", { rule: "claim" }),
    slice("a", "10:00", "11:00"),
    slice("b", "12:00", "13:00", { rule: "claim" }),
  ];
  assert.deepEqual(
    toBlocks(slices).map(({ claimed }) => claimed),
    [false, true],
  );
});

test("blocks that overlap have different lanes", () => {
  const slices = [
    slice("a", "09:00", "12:00"),
    slice("b", "09:00", "10:00"),
    slice("c", "10:00", "11:00"),
    slice("d", "12:00", "13:00"),
  ];
  assert.deepEqual(shown(toBlocks(slices)), [
    "a 09:00-12:00 0",
    "b 09:00-10:00 1",
    "c 10:00-11:00 1",
    "d 12:00-13:00 0",
  ]);
});

test("the sum of blocks respects their shares", () => {
  const blocks = toBlocks([
    slice("a", "09:00", "10:00", { share: 0.5 }),
    slice("b", "09:00", "10:00", { share: 0.5 }),
    slice("b", "10:00", "10:30"),
  ]);
  assert.equal(secondsOf(blocks), 5400);
});

test("a day on which clocks are put forward has 23 hours, and one on which they are put back has 25", () => {
  assert.equal(hoursOf(rangeOf("2026-03-29")).length, 23);
  assert.equal(hoursOf(rangeOf("2026-10-25")).length, 25);
  process.env.TZ = "America/Santiago";
  const range = rangeOf("2026-09-06");
  assert.equal(local(range.since), "01:00");
  assert.equal(hoursOf(range).length, 23);
});

test("the hours of zones with half and quarter hours are local", () => {
  for (const zone of ["Asia/Kathmandu", "Australia/Lord_Howe", "Asia/Kolkata"]) {
    process.env.TZ = zone;
    const hours = hoursOf(rangeOf("2026-11-24"));
    assert.equal(hours.length, 24);
    assert.ok(hours.every((hour) => local(hour).endsWith(":00")));
  }
});

const EMPTY = { slices: [], gaps: [], working_hours: [] };

test("the bar shows the usual hours of an empty day", () => {
  const { since, until } = visibleRange("2026-11-24", EMPTY, 0);
  assert.deepEqual([local(since), local(until)], ["07:00", "18:00"]);
});

test("the bar shows everything of a day, and the hours around it", () => {
  const timeline = {
    slices: [slice("a", "06:50", "08:00"), slice("a", "20:10", "21:00")],
    gaps: [],
    working_hours: [
      { from: new Date(at("09:00")).toISOString(), until: new Date(at("17:00")).toISOString() },
    ],
  };
  const { since, until } = visibleRange("2026-11-24", timeline, 0);
  assert.deepEqual([local(since), local(until)], ["06:00", "22:00"]);
});

test("the bar of an empty day shows the usual hours and the present", () => {
  const afternoon = visibleRange("2026-11-24", EMPTY, at("15:40"));
  assert.deepEqual(afternoon, { since: at("07:00"), until: at("18:00") });
  const evening = visibleRange("2026-11-24", EMPTY, at("22:40"));
  assert.deepEqual(evening, { since: at("07:00"), until: rangeOf("2026-11-24").until });
  const night = visibleRange("2026-11-24", EMPTY, at("02:10"));
  assert.equal(night.since, at("01:00"));
});

test("the bar stays within the day", () => {
  const night = { ...EMPTY, slices: [slice("a", "00:00", "00:10")] };
  assert.equal(visibleRange("2026-11-24", night, 0).since, at("00:00"));
});

test("hours are labelled at equal distances", () => {
  assert.deepEqual(labelledHours({ since: at("08:00"), until: at("12:00") }).map(local), [
    "08:00",
    "09:00",
    "10:00",
    "11:00",
  ]);
  assert.deepEqual(labelledHours(rangeOf("2026-11-24")).map(local).slice(0, 3), ["00:00", "02:00", "04:00"]);
});

test("a place is the part of the bar that a time fills, without what lies outside", () => {
  const range = { since: at("08:00"), until: at("18:00") };
  assert.deepEqual(placeOf({ since: at("09:00"), until: at("10:00") }, range), { start: 10, size: 10 });
  assert.deepEqual(placeOf({ since: at("07:00"), until: at("09:00") }, range), { start: 0, size: 10 });
  assert.equal(placeOf({ since: at("06:00"), until: at("07:00") }, range).size, 0);
});

test("a border stays clear of the timer's other blocks, and passes those of other timers", () => {
  const blocks = toBlocks([
    slice("a", "09:00", "10:00"),
    slice("b", "10:00", "11:00"),
    slice("a", "11:30", "12:00"),
  ]);
  const day = rangeOf("2026-11-24");
  const [first, , last] = blocks;
  const limits = limitsOf(last, "since", blocks, day, at("18:00"));
  assert.deepEqual([local(limits.since), local(limits.until)], ["10:00", "11:59"]);
  assert.equal(limitsOf(first, "since", blocks, day, at("18:00")).since, day.since);
  assert.equal(local(limitsOf(first, "until", blocks, day, at("18:00")).until), "11:30");
  assert.equal(local(limitsOf(last, "until", blocks, day, at("13:00")).until), "13:00");
});

test("a block whose border was moved becomes what counts of it, also as another entry on the issue", () => {
  const [block] = toBlocks([slice("a", "10:30", "11:00")]);
  /** @param {Slice[]} slices @param {"since" | "until"} edge @param {string} to */
  const became = (slices, edge, to) => {
    const moved = movedBlock(toBlocks(slices), block, edge, at(to));
    return moved && `${local(moved.since)}-${local(moved.until)}`;
  };
  assert.equal(became([slice("a", "10:30", "11:45")], "until", "11:45"), "10:30-11:45");
  assert.equal(became([slice("a", "10:30", "11:00")], "until", "11:45"), "10:30-11:00");
  const added = [slice("a", "10:30", "11:00"), slice("b", "11:00", "11:45", { rule: "claim" })];
  assert.equal(became(added, "until", "11:45"), "10:30-11:45");
  assert.equal(became([...added, slice("c", "11:45", "12:00")], "until", "11:45"), "10:30-11:45");
  assert.equal(
    became([slice("b", "09:00", "09:30"), slice("a", "10:00", "11:00")], "since", "09:30"),
    "10:00-11:00",
  );
  assert.equal(became([slice("a", "10:45", "11:00")], "since", "10:45"), "10:45-11:00");
  assert.equal(became([slice("a", "12:00", "12:30")], "until", "11:45"), null);
});

test("the first step of a border goes to a multiple of five minutes", () => {
  const limits = rangeOf("2026-11-24");
  assert.equal(local(stepped(at("09:03"), 1, 5, limits)), "09:05");
  assert.equal(local(stepped(at("09:03"), -1, 5, limits)), "09:00");
  assert.equal(local(stepped(at("09:05"), 1, 5, limits)), "09:10");
  assert.equal(local(stepped(at("09:05"), -1, 1, limits)), "09:04");
  assert.equal(local(stepped(at("09:05"), -1, 5, { since: at("09:02"), until: at("10:00") })), "09:02");
});

test("a dragged border goes to a multiple of five minutes within its limits", () => {
  const range = { since: at("08:00"), until: at("18:00") };
  assert.equal(local(instantAt(0.1234, range, 5, range)), "09:15");
  assert.equal(local(instantAt(0.99, range, 5, { since: at("09:00"), until: at("12:34") })), "12:34");
});

test("working hours that are the whole day are not shown, and have no gaps", () => {
  const { since, until } = rangeOf("2026-11-24");
  const day = { from: new Date(since).toISOString(), until: new Date(until).toISOString() };
  const always = { slices: [slice("a", "09:00", "10:00")], gaps: [day], working_hours: [day] };
  const { gaps, working_hours } = withoutConstantHours(always, { since, until });
  assert.deepEqual([gaps, working_hours], [[], []]);
});

test("gaps of less than a minute are not shown", () => {
  const hours = { from: "2026-11-24T08:00:00.000Z", until: "2026-11-24T16:00:00.000Z" };
  const short = { from: "2026-11-24T09:00:00.000Z", until: "2026-11-24T09:00:59.999Z" };
  const long = { from: "2026-11-24T10:00:00.000Z", until: "2026-11-24T10:01:00.000Z" };
  const timeline = { slices: [], gaps: [short, long], working_hours: [hours] };
  assert.deepEqual(withoutConstantHours(timeline, rangeOf("2026-11-24")), { ...timeline, gaps: [long] });
});

test("statements on different timers overlap where both count in full", () => {
  const claim = { rule: "claim" };
  const slices = [
    slice("a", "09:00", "10:30", claim),
    slice("a", "10:30", "11:00", claim),
    slice("b", "10:00", "10:45", claim),
    slice("b", "11:00", "12:00", claim),
    slice("c", "10:00", "12:00"),
    slice("d", "10:45", "11:30", claim),
  ];
  const overlaps = overlapsOf(slices);
  assert.deepEqual(
    overlaps.map(({ since, until, timers }) => `${timers.join("")} ${local(since)}-${local(until)}`),
    ["ab 10:00-10:30", "ab 10:30-10:45", "ad 10:45-11:00", "bd 11:00-11:30"],
  );
  assert.deepEqual(
    toBlocks(slices).map((block) => [
      block.timer,
      local(block.since),
      overlappingTimers(block, overlaps).join(""),
    ]),
    [
      ["a", "09:00", "bd"],
      ["b", "10:00", "a"],
      ["c", "10:00", ""],
      ["d", "10:45", "ab"],
      ["b", "11:00", "d"],
    ],
  );
});
