import assert from "node:assert/strict";
import { test } from "node:test";
import { isOn, TimerState } from "../../web/widget/state.js";
import { EPOCH } from "./support/browser.js";

/** @import { Action, ApiTimer } from "../../web/widget/types.d.ts" */

/** @param {number} number @param {Partial<ApiTimer>} [change] @returns {ApiTimer} */
function timer(number, change = {}) {
  return {
    id: `t${number}`,
    status: "running",
    active_duration: 60,
    paused_duration: 0,
    start_time: new Date(EPOCH).toISOString(),
    last_pause_time: null,
    github_issue_url: null,
    github_repo: "octo-org/hello-world",
    github_issue_number: number,
    description: "",
    source: "manual",
    as_of: EPOCH,
    ...change,
  };
}

/** @param {Action["kind"]} kind @param {string} id @param {Partial<Action>} [change] @returns {Action} */
function action(kind, id, change = {}) {
  return { key: `${kind} ${id}`, kind, timer: id, at: EPOCH + 10_000, tab: "here", ...change };
}

/** @param {number} number @param {Partial<Action>} [change] */
function start(number, change = {}) {
  const issue = { github_repo: "octo-org/hello-world", github_issue_number: number };
  return action("start", "key", { key: "key", issue, ...change });
}

/** @param {ApiTimer[]} timers */
function stateWith(...timers) {
  const state = new TimerState();
  state.reset([]);
  state.adopt(timers, EPOCH, '"tag"');
  return state;
}

/** @param {TimerState} state */
function shown(state) {
  return state.timers.map(({ id, status, active_duration }) => [id, status, active_duration]);
}

test("pending actions are applied to the server's timers, in the order of their times", () => {
  const state = stateWith(timer(7));
  state.add(action("resume", "t7", { at: EPOCH + 20_000 }));
  state.add(action("pause", "t7", { at: EPOCH + 10_000 }));
  assert.deepEqual(shown(state), [["t7", "running", 70]]);
  assert.deepEqual([state.timers[0].as_of, state.timers[0].is_pending], [EPOCH + 20_000, true]);
});

test("pausing a paused timer and resuming a running timer change no time", () => {
  const state = stateWith(timer(7), timer(8, { status: "paused", as_of: 0 }));
  state.add(action("resume", "t7"));
  state.add(action("pause", "t8"));
  assert.deepEqual(shown(state), [
    ["t7", "running", 60],
    ["t8", "paused", 60],
  ]);
});

test("a pending stop removes the timer", () => {
  const state = stateWith(timer(7), timer(8));
  state.add(action("stop", "t7"));
  assert.deepEqual(shown(state), [["t8", "running", 60]]);
});

test("a pending start adds the first timer, unless a timer is open on the issue", () => {
  const state = stateWith(timer(7));
  state.add(start(8));
  assert.deepEqual(shown(state), [
    ["key", "running", 0],
    ["t7", "running", 60],
  ]);
  const other = stateWith(timer(7));
  other.add(start(7));
  assert.deepEqual(shown(other), [["t7", "running", 60]]);
});

test("a confirmed start keeps its key, and later actions refer to the server's id", () => {
  const state = stateWith(timer(7));
  const pending = start(8);
  state.add(pending);
  state.add(action("pause", "key"));
  const transition = state.confirm(pending, timer(8), EPOCH, true);
  assert.deepEqual(transition, { action: "start", timer: timer(8), isOwn: true });
  assert.deepEqual(
    state.timers.map(({ key, id, status }) => [key, id, status]),
    [
      ["key", "t8", "paused"],
      ["t7", "t7", "running"],
    ],
  );
});

test("a confirmed action replaces its timer in place, and a stop removes it", () => {
  const state = stateWith(timer(7), timer(8), timer(9));
  const paused = timer(8, { status: "paused" });
  state.confirm(action("pause", "t8"), paused, EPOCH, true);
  assert.deepEqual(state.confirmed, [timer(7), paused, timer(9)]);
  state.confirm(action("stop", "t8"), timer(8, { status: "stopped" }), EPOCH, true);
  assert.deepEqual(state.confirmed, [timer(7), timer(9)]);
});

test("after a confirmation, the entity tag of the previous list is not sent again", () => {
  const state = stateWith(timer(7));
  assert.equal(state.etag, '"tag"');
  state.confirm(action("pause", "t7"), timer(7, { status: "paused" }), EPOCH, true);
  assert.equal(state.etag, "");
});

test("the first list reports no transitions", () => {
  const state = new TimerState();
  assert.deepEqual(state.adopt([timer(7)], EPOCH, ""), []);
});

test("a list reports changes made elsewhere", () => {
  const state = stateWith(timer(6), timer(7), timer(8, { status: "paused" }));
  const timers = [timer(9), timer(7, { status: "paused" }), timer(8)];
  assert.deepEqual(
    state.adopt(timers, EPOCH, "").map(({ action: kind, timer: { id }, isOwn }) => [kind, id, isOwn]),
    [
      ["start", "t9", false],
      ["pause", "t7", false],
      ["resume", "t8", false],
      ["stop", "t6", false],
    ],
  );
});

test("a list reports no transitions while actions are pending", () => {
  const state = stateWith(timer(7));
  state.add(action("stop", "t7"));
  assert.deepEqual(state.adopt([], EPOCH, ""), []);
});

test("a pause at the time of this tab's action is a consequence of the action", () => {
  for (const isOwn of [true, false]) {
    const state = stateWith(timer(7));
    const pending = start(8);
    state.confirm(pending, timer(8), EPOCH, isOwn);
    const paused = timer(7, { status: "paused", last_pause_time: new Date(pending.at).toISOString() });
    assert.deepEqual(state.adopt([timer(8), paused], EPOCH, ""), [{ action: "pause", timer: paused, isOwn }]);
  }
});

test("the next user's timers and actions replace the previous user's", () => {
  const state = stateWith(timer(7));
  state.add(action("pause", "t7"));
  state.reset([start(8)]);
  assert.deepEqual(shown(state), [["key", "running", 0]]);
  assert.deepEqual([state.confirmed, state.etag], [null, ""]);
});

test("each action is later than the previous one, even one of a tab whose clock is ahead", () => {
  const state = stateWith(timer(7));
  assert.equal(state.timeAt(EPOCH + 0.4), EPOCH);
  assert.equal(state.timeAt(EPOCH), EPOCH + 1);
  state.add(action("pause", "t7", { at: EPOCH + 500 }));
  assert.equal(state.timeAt(EPOCH + 10), EPOCH + 501);
});

test("an action follows the last transition, unless that is hours in the future", () => {
  const state = stateWith(timer(7));
  state.noteTime(EPOCH + 800);
  assert.equal(state.timeAt(EPOCH), EPOCH + 801);
  state.noteTime(EPOCH + 3_600_000);
  assert.equal(state.timeAt(EPOCH), EPOCH + 1_001);
});

test("GitHub ignores the case of a repository's name", () => {
  const state = stateWith(timer(7));
  const issue = { github_repo: "Octo-Org/Hello-World", github_issue_number: 7 };
  assert.equal(isOn(state.timers[0], issue), true);
  assert.equal(isOn(state.timers[0], { ...issue, github_issue_number: 8 }), false);
});
