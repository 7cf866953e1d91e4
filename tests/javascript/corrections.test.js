import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import {
  endTimer,
  moveBorder,
  moveToIssue,
  removeBlock,
  splitTimer,
  takeAway,
} from "../../web/page/corrections.js";
import { stoppedTimer } from "./support/timers.js";

/** @import { Block, Edge } from "../../web/page/timeline.js" */
/** @import { Timer } from "../../web/page/types.d.ts" */

const ISSUE = { github_repo: "octo-org/hello-world", github_issue_number: 7 };

/** The sent requests, such as ["PATCH", "1-01/", {...}]. @type {[string, string, object?][]} */
let sent = [];
/** The responses by the requests' methods and paths. @type {Record<string, unknown>} */
let responses = {};

beforeEach(() => {
  sent = [];
  responses = {};
});

/** @param {string} method @param {string} path @param {object} [body] */
async function send(method, path, body) {
  const short = path.replace("/api/timelogs/", "");
  if (method !== "GET") sent.push(body ? [method, short, body] : [method, short]);
  return responses[`${method} ${short}`];
}

/** @param {string} time on 24 November 2026, in UTC */
const iso = (time) => `2026-11-24T${time}:00.000Z`;
/** @param {string} time */
const at = (time) => Date.parse(iso(time));

/**
 * @param {string} since
 * @param {string} until
 * @returns {Block}
 */
const block = (since, until) => ({
  timer: "1-01",
  since: at(since),
  until: at(until),
  share: 1,
  overtime: false,
  claimed: false,
  lane: 0,
});

/** A timer from 9 to 12, with a pause from 10 to 10:30. */
const paused = () =>
  stoppedTimer({ end_time: iso("12:00"), pauses: [{ start: iso("10:00"), end: iso("10:30") }] });

/**
 * Move a border, and return the requests.
 *
 * @param {Timer} timer
 * @param {Block} of
 * @param {Edge} edge
 * @param {string} to
 */
async function moved(timer, of, edge, to) {
  sent = [];
  await moveBorder(send, timer, of, edge, at(to));
  return sent;
}

test("the first and the last border of a timer change its start and its end", async () => {
  const [timer, shown] = [stoppedTimer(), block("09:00", "10:00")];
  assert.deepEqual(await moved(timer, shown, "since", "08:45"), [
    ["PATCH", "1-01/", { start_time: iso("08:45") }],
  ]);
  assert.deepEqual(await moved(timer, shown, "until", "09:30"), [
    ["PATCH", "1-01/", { end_time: iso("09:30") }],
  ]);
});

test("a border at a pause changes the pause, and a pause without length is deleted", async () => {
  const changed = { start: iso("10:00"), end: iso("10:20") };
  assert.deepEqual(await moved(paused(), block("10:30", "12:00"), "since", "10:20"), [
    ["PUT", "1-01/pauses/0/", changed],
  ]);
  assert.deepEqual(await moved(paused(), block("09:00", "10:00"), "until", "10:30"), [
    ["DELETE", "1-01/pauses/0/"],
  ]);
});

test("more time at another border becomes an entry, and less time a pause", async () => {
  const timer = stoppedTimer({ start_time: iso("08:00"), end_time: iso("18:00"), description: "Hello" });
  const shown = block("09:00", "17:00");
  assert.deepEqual(await moved(timer, shown, "since", "08:30"), [
    ["POST", "", { ...ISSUE, description: "Hello", start_time: iso("08:30"), end_time: iso("09:00") }],
  ]);
  assert.deepEqual(await moved(timer, shown, "until", "16:00"), [
    ["POST", "1-01/pauses/", { start: iso("16:00"), end: iso("17:00") }],
  ]);
});

test("a timer is split at a time", async () => {
  await splitTimer(send, stoppedTimer(), at("09:40"));
  assert.deepEqual(sent, [["POST", "1-01/split/", { at: iso("09:40") }]]);
});

const UNLINKED = { github_issue_url: null };

test("a whole timer moves to another issue without a split", async () => {
  await moveToIssue(send, stoppedTimer(), block("09:00", "10:00"), UNLINKED, at("12:00"));
  assert.deepEqual(sent, [["PATCH", "1-01/", UNLINKED]]);
});

test("a part of a timer is split off before it moves to another issue", async () => {
  const timer = stoppedTimer({ end_time: iso("12:00") });
  const rest = stoppedTimer({ id: "1-02", start_time: iso("10:00"), end_time: iso("12:00") });
  responses = {
    "POST 1-01/split/": { first: stoppedTimer(), second: rest },
    "POST 1-02/split/": {
      first: { ...rest, end_time: iso("11:00") },
      second: stoppedTimer({ id: "1-03", start_time: iso("11:00") }),
    },
  };
  await moveToIssue(send, timer, block("10:00", "11:00"), UNLINKED, at("13:00"));
  assert.deepEqual(sent, [
    ["POST", "1-01/split/", { at: iso("10:00") }],
    ["POST", "1-02/split/", { at: iso("11:00") }],
    ["PATCH", "1-02/", UNLINKED],
  ]);
});

/** A timer that has been open since 9. */
const open = () => stoppedTimer({ status: "running", start_time: iso("09:00"), end_time: null });

test("a block that still grows moves with the open timer", async () => {
  responses = { "POST 1-01/split/": { first: stoppedTimer(), second: { ...open(), id: "1-02" } } };
  const growing = { since: at("10:00"), until: Infinity };
  await moveToIssue(send, open(), growing, UNLINKED, at("11:00"));
  assert.deepEqual(sent, [
    ["POST", "1-01/split/", { at: iso("10:00") }],
    ["PATCH", "1-02/", UNLINKED],
  ]);
});

test("a timer without other working time is deleted, and else a pause replaces the block", async () => {
  const [timer, shown] = [stoppedTimer(), block("09:00", "10:00")];
  await removeBlock(send, timer, shown);
  assert.deepEqual(sent, [["DELETE", "1-01/"]]);
  for (const other of [{ ...timer, working_duration: 7200 }, open()]) {
    sent = [];
    await removeBlock(send, other, shown);
    assert.deepEqual(sent, [["POST", "1-01/pauses/", { start: iso("09:00"), end: iso("10:00") }]]);
  }
});

test("an open timer whose owner went away ends at a time, but not before its start", async () => {
  responses["GET 1-01/"] = { ...open(), pauses: [{ start: iso("11:00"), end: iso("11:30") }] };
  await endTimer(send, { id: "1-01" }, at("10:00"));
  await endTimer(send, { id: "1-01" }, at("08:00"));
  assert.deepEqual(sent, [
    ["PATCH", "1-01/", { end_time: iso("10:00") }],
    ["PATCH", "1-01/", { end_time: iso("09:00") }],
  ]);
});

test("the end of a stopped timer is corrected without the pauses after it", async () => {
  const pauses = ["09:15", "09:50", "11:00"].map((start) => {
    return { start: iso(start), end: new Date(at(start) + 1_800_000).toISOString() };
  });
  responses["GET 1-01/"] = stoppedTimer({ end_time: iso("12:00"), pauses });
  await endTimer(send, { id: "1-01" }, at("10:00"));
  assert.deepEqual(sent, [
    ["DELETE", "1-01/pauses/1/"],
    ["DELETE", "1-01/pauses/1/"],
    ["PATCH", "1-01/", { end_time: iso("09:50") }],
  ]);
});

test("a timer that has ended earlier keeps its end", async () => {
  responses["GET 1-01/"] = stoppedTimer({ end_time: iso("12:00") });
  await endTimer(send, { id: "1-01" }, at("13:00"));
  assert.deepEqual(sent, []);
});

test("time of several timers is taken away as their pauses", async () => {
  const parts = ["1-01", "1-02"].map((timer) => ({ timer, since: at("10:00"), until: at("12:00") }));
  await takeAway(send, parts);
  const pause = { start: iso("10:00"), end: iso("12:00") };
  assert.deepEqual(sent, [
    ["POST", "1-01/pauses/", pause],
    ["POST", "1-02/pauses/", pause],
  ]);
});
