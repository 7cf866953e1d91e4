import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import {
  endTimer,
  insertPause,
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
 * Move a border, and return the requests. Undo the move, and return the requests of this too.
 *
 * @param {Timer} timer
 * @param {Block} of
 * @param {Edge} edge
 * @param {string} to
 */
async function moved(timer, of, edge, to) {
  const undo = await moveBorder(send, timer, of, edge, at(to), [of]);
  const done = sent;
  sent = [];
  await undo();
  return { done, undone: sent };
}

test("the first and the last border of a timer change its start and its end", async () => {
  const timer = stoppedTimer();
  assert.deepEqual(await moved(timer, block("09:00", "10:00"), "since", "08:45"), {
    done: [["PATCH", "1-01/", { start_time: iso("08:45") }]],
    undone: [["PATCH", "1-01/", { start_time: iso("09:00") }]],
  });
  sent = [];
  assert.deepEqual(await moved(timer, block("09:00", "10:00"), "until", "09:30"), {
    done: [["PATCH", "1-01/", { end_time: iso("09:30") }]],
    undone: [["PATCH", "1-01/", { end_time: iso("10:00") }]],
  });
});

test("a border at a pause changes the pause", async () => {
  const timer = paused();
  responses = { "GET 1-01/": timer };
  const undo = await moveBorder(send, timer, block("10:30", "12:00"), "since", at("10:20"), []);
  const changed = { start: iso("10:00"), end: iso("10:20") };
  responses = { "GET 1-01/": { ...timer, pauses: [{ start: iso("09:30"), end: iso("09:40") }, changed] } };
  await undo();
  assert.deepEqual(sent, [
    ["PUT", "1-01/pauses/0/", changed],
    ["PUT", "1-01/pauses/1/", { start: iso("10:00"), end: iso("10:30") }],
  ]);
});

test("a pause without length is deleted", async () => {
  const timer = paused();
  responses = { "GET 1-01/": timer };
  assert.deepEqual(await moved(timer, block("09:00", "10:00"), "until", "10:30"), {
    done: [["DELETE", "1-01/pauses/0/"]],
    undone: [["POST", "1-01/pauses/", { start: iso("10:00"), end: iso("10:30") }]],
  });
});

test("more time at another border becomes an entry, and less time a pause", async () => {
  const timer = stoppedTimer({ start_time: iso("08:00"), end_time: iso("18:00"), description: "Hello" });
  const shown = block("09:00", "17:00");
  responses = { "POST ": { id: "1-02" } };
  assert.deepEqual(await moved(timer, shown, "since", "08:30"), {
    done: [
      ["POST", "", { ...ISSUE, description: "Hello", start_time: iso("08:30"), end_time: iso("09:00") }],
    ],
    undone: [["DELETE", "1-02/"]],
  });
  sent = [];
  const pause = { start: iso("16:00"), end: iso("17:00") };
  responses = { "GET 1-01/": { ...timer, pauses: [pause] } };
  assert.deepEqual(await moved(timer, shown, "until", "16:00"), {
    done: [["POST", "1-01/pauses/", pause]],
    undone: [["DELETE", "1-01/pauses/0/"]],
  });
});

test("time that another timer yielded returns to it when the border moves back", async () => {
  const timer = stoppedTimer({ start_time: iso("10:00"), end_time: iso("11:00") });
  const shown = block("10:00", "11:00");
  const other = { ...block("09:00", "10:00"), timer: "1-02" };
  const stated = { ...block("08:00", "09:50"), timer: "1-03", claimed: true };
  const pause = { start: iso("09:40"), end: iso("10:00") };
  responses = { "GET 1-02/": { pauses: [pause] } };
  const undo = await moveBorder(send, timer, shown, "since", at("09:40"), [stated, other, shown]);
  await undo();
  assert.deepEqual(sent, [
    ["PATCH", "1-01/", { start_time: iso("09:40") }],
    ["PATCH", "1-01/", { start_time: iso("10:00") }],
    ["POST", "1-02/pauses/", pause],
    ["DELETE", "1-02/pauses/0/"],
  ]);
});

test("an inserted pause is found by its times when it is undone", async () => {
  const timer = stoppedTimer();
  const undo = await insertPause(send, timer, { since: at("09:20"), until: at("09:30") });
  const pause = { start: iso("09:20"), end: iso("09:30") };
  responses = { "GET 1-01/": { ...timer, pauses: [{ start: iso("09:00"), end: iso("09:05") }, pause] } };
  await undo();
  assert.deepEqual(sent.at(-1), ["DELETE", "1-01/pauses/1/"]);
});

test("a split is undone by the second timer, which gets the time and the pauses of the first", async () => {
  const pauses = [{ start: iso("09:10"), end: iso("09:20") }];
  const first = stoppedTimer({ end_time: iso("09:40"), pauses });
  const second = stoppedTimer({ id: "1-02", start_time: iso("09:45") });
  responses = { "POST 1-01/split/": { first, second } };
  const undo = await splitTimer(send, stoppedTimer(), at("09:40"));
  assert.deepEqual(await undo(), { "1-01": "1-02" });
  assert.deepEqual(sent, [
    ["POST", "1-01/split/", { at: iso("09:40") }],
    ["DELETE", "1-01/"],
    ["PATCH", "1-02/", { start_time: iso("09:00") }],
    ["POST", "1-02/pauses/", pauses[0]],
    ["POST", "1-02/pauses/", { start: iso("09:40"), end: iso("09:45") }],
  ]);
});

test("a whole timer moves to another issue without a split", async () => {
  const timer = stoppedTimer({ description: "Hello" });
  const undo = await moveToIssue(
    send,
    timer,
    block("09:00", "10:00"),
    { github_issue_url: null },
    at("12:00"),
  );
  await undo();
  assert.deepEqual(sent, [
    ["PATCH", "1-01/", { github_issue_url: null }],
    ["PATCH", "1-01/", { ...ISSUE, description: "Hello" }],
  ]);
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
  const undo = await moveToIssue(
    send,
    timer,
    block("10:00", "11:00"),
    { github_issue_url: null },
    at("13:00"),
  );
  assert.deepEqual(sent, [
    ["POST", "1-01/split/", { at: iso("10:00") }],
    ["POST", "1-02/split/", { at: iso("11:00") }],
    ["PATCH", "1-02/", { github_issue_url: null }],
  ]);
  sent = [];
  assert.deepEqual(await undo(), { "1-02": "1-03", "1-01": "1-03" });
  assert.deepEqual(sent, [
    ["PATCH", "1-02/", { ...ISSUE, description: "" }],
    ["DELETE", "1-02/"],
    ["PATCH", "1-03/", { start_time: iso("10:00") }],
    ["DELETE", "1-01/"],
    ["PATCH", "1-03/", { start_time: iso("09:00") }],
  ]);
});

test("a timer without other working time is deleted, and else a pause replaces the block", async () => {
  const timer = stoppedTimer({ description: "Hello" });
  responses = { "POST ": { id: "1-02" } };
  const undo = await removeBlock(send, timer, block("09:00", "10:00"));
  assert.deepEqual(await undo(), { "1-01": "1-02" });
  assert.deepEqual(sent, [
    ["DELETE", "1-01/"],
    ["POST", "", { ...ISSUE, description: "Hello", start_time: iso("09:00"), end_time: iso("10:00") }],
  ]);
  sent = [];
  await removeBlock(send, { ...timer, working_duration: 7200 }, block("09:00", "10:00"));
  assert.deepEqual(sent, [["POST", "1-01/pauses/", { start: iso("09:00"), end: iso("10:00") }]]);
  sent = [];
  const open = stoppedTimer({ status: "running", end_time: null });
  await removeBlock(send, open, block("09:00", "10:00"));
  assert.equal(sent[0][1], "1-01/pauses/");
});

/** A timer that has been open since 9. */
const open = () => stoppedTimer({ status: "running", start_time: iso("09:00"), end_time: null });

test("a timer whose owner went away stops where it counted last, and then its end is corrected", async () => {
  responses["GET 1-01/"] = open();
  responses["POST 1-01/stop/"] = { ...open(), end_time: "2026-11-24T16:59:59.999Z" };
  const counted = [block("10:00", "12:00"), block("13:00", "17:00")];
  const undo = await endTimer(send, { id: "1-01" }, at("10:00"), counted, at("08:00"));
  const then = { at: "2026-11-24T16:59:59.999Z" };
  assert.deepEqual(sent, [
    ["POST", "1-01/stop/", then],
    ["PATCH", "1-01/", { end_time: iso("10:00") }],
  ]);
  sent = [];
  await undo();
  assert.deepEqual(sent, [
    ["PATCH", "1-01/", { end_time: then.at }],
    ["POST", "1-01/pauses/", { start: iso("12:00"), end: iso("13:00") }],
    // In the working hours, a start opens no overtime.
    ["POST", "start/", { ...ISSUE, description: "", ...then }],
  ]);
});

test("a timer that counts stops a moment ago", async () => {
  responses["GET 1-01/"] = { ...open(), is_counting: true };
  responses["POST 1-01/stop/"] = { ...open(), end_time: "2026-11-24T11:59:59.000Z" };
  await endTimer(send, { id: "1-01" }, at("10:00"), [block("10:00", "12:00")], at("08:00"));
  assert.deepEqual(sent[0], ["POST", "1-01/stop/", { at: "2026-11-24T11:59:59.000Z" }]);
});

test("overtime that has ended is not renewed when the end of its timer is undone", async () => {
  responses["GET 1-01/"] = open();
  responses["POST 1-01/stop/"] = { ...open(), end_time: "2026-11-24T19:59:59.999Z" };
  const counted = [{ ...block("19:00", "20:00"), overtime: true }];
  const undo = await endTimer(send, { id: "1-01" }, at("19:00"), counted, at("08:00"));
  sent = [];
  await undo();
  assert.deepEqual(sent, [["PATCH", "1-01/", { end_time: "2026-11-24T19:59:59.999Z" }]]);
});

test("pauses after the new end are removed, and return with the former end", async () => {
  const pauses = [
    { start: iso("09:15"), end: iso("09:30") },
    { start: iso("11:00"), end: iso("11:30") },
  ];
  const ended = { ...open(), pauses, end_time: "2026-11-24T11:59:59.999Z" };
  responses["GET 1-01/"] = { ...open(), pauses };
  responses["POST 1-01/stop/"] = ended;
  const counted = [block("10:00", "11:00"), block("11:30", "12:00")];
  const undo = await endTimer(send, { id: "1-01" }, at("10:00"), counted, at("08:00"));
  assert.deepEqual(sent.slice(1), [
    ["DELETE", "1-01/pauses/1/"],
    ["PATCH", "1-01/", { end_time: iso("10:00") }],
  ]);
  sent = [];
  await undo();
  assert.deepEqual(sent.slice(0, 2), [
    ["PATCH", "1-01/", { end_time: ended.end_time }],
    ["POST", "1-01/pauses/", pauses[1]],
  ]);
});

test("a timer does not end before its start", async () => {
  responses["GET 1-01/"] = open();
  responses["POST 1-01/stop/"] = { ...open(), end_time: iso("12:00") };
  await endTimer(send, { id: "1-01" }, at("08:00"), [block("09:00", "12:00")], at("07:00"));
  assert.deepEqual(sent.at(-1), ["PATCH", "1-01/", { end_time: iso("09:00") }]);
});

test("a timer that counted last before the new end is not ended", async () => {
  responses["GET 1-01/"] = open();
  await endTimer(send, { id: "1-01" }, at("10:00"), [], at("08:00"));
  assert.deepEqual(sent, []);
});

test("a timer that counted last too long ago stops now, and stays stopped if its end is undone", async () => {
  responses["GET 1-01/"] = open();
  responses["POST 1-01/stop/"] = { ...open(), end_time: iso("18:00") };
  const counted = [block("10:00", "12:00"), block("13:00", "17:00")];
  const undo = await endTimer(send, { id: "1-01" }, at("10:00"), counted, at("17:30"));
  assert.deepEqual(sent, [
    ["POST", "1-01/stop/"],
    ["PATCH", "1-01/", { end_time: iso("10:00") }],
  ]);
  sent = [];
  await undo();
  assert.deepEqual(sent, [
    ["PATCH", "1-01/", { end_time: iso("18:00") }],
    ["POST", "1-01/pauses/", { start: iso("12:00"), end: iso("13:00") }],
    ["POST", "1-01/pauses/", { start: iso("17:00"), end: iso("18:00") }],
  ]);
});

test("the end of a timer that has ended by itself is corrected, and the timer stays stopped", async () => {
  responses["GET 1-01/"] = stoppedTimer({ end_time: iso("12:00") });
  const undo = await endTimer(send, { id: "1-01" }, at("10:00"), [block("10:00", "12:00")], at("08:00"));
  await undo();
  assert.deepEqual(sent, [
    ["PATCH", "1-01/", { end_time: iso("10:00") }],
    ["PATCH", "1-01/", { end_time: iso("12:00") }],
  ]);
});

test("a timer that has ended earlier keeps its end", async () => {
  responses["GET 1-01/"] = stoppedTimer({ end_time: iso("12:00") });
  const undo = await endTimer(send, { id: "1-01" }, at("13:00"), [], at("08:00"));
  await undo();
  assert.deepEqual(sent, []);
});

test("time of several timers is taken away as their pauses, and returns in reverse", async () => {
  const [one, other] = [iso("10:00"), iso("12:00")];
  const pauses = [{ start: one, end: other }];
  responses["GET 1-01/"] = { ...open(), pauses };
  responses["GET 1-02/"] = { ...open(), pauses };
  const parts = ["1-01", "1-02"].map((timer) => ({ timer, since: at("10:00"), until: at("12:00") }));
  const undo = await takeAway(send, parts);
  await undo();
  assert.deepEqual(sent, [
    ["POST", "1-01/pauses/", pauses[0]],
    ["POST", "1-02/pauses/", pauses[0]],
    ["DELETE", "1-02/pauses/0/"],
    ["DELETE", "1-01/pauses/0/"],
  ]);
});
