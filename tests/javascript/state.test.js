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
    working_duration: 60,
    is_counting: false,
    waiting_for: null,
    counting_share: 1,
    counting_changes_at: null,
    why: null,
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

/** @type {Partial<ApiTimer>} */
const COUNTING = { is_counting: true };

/** @param {ApiTimer["waiting_for"]} waiting_for @returns {Partial<ApiTimer>} */
function waiting(waiting_for) {
  return { waiting_for };
}

/** @param {string} rule */
function why(rule) {
  return { rule, action: "start", by: "manual", at: null, timer: null };
}

/** @param {number} seconds */
function later(seconds) {
  return new Date(EPOCH + seconds * 1_000).toISOString();
}

/** @param {TimerState} state */
function ids(state) {
  return state.timersAt(EPOCH).map(({ id }) => id);
}

/** @param {TimerState} state @returns {Record<string, string | null>} */
function standings(state) {
  return Object.fromEntries(
    state
      .timersAt(EPOCH)
      .map(({ id, status, is_counting, waiting_for }) => [
        id,
        status === "paused" ? status : is_counting ? "counting" : waiting_for,
      ]),
  );
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
  return state.timersAt(EPOCH).map(({ id, status, active_duration }) => [id, status, active_duration]);
}

/** @param {TimerState} state */
function statuses(state) {
  return state.confirmed?.map(({ id, status }) => `${id} ${status}`);
}

test("pending actions are applied to the server's timers, in the order of their times", () => {
  const state = stateWith(timer(7));
  state.add(action("resume", "t7", { at: EPOCH + 20_000 }));
  state.add(action("pause", "t7", { at: EPOCH + 10_000 }));
  assert.deepEqual(shown(state), [["t7", "running", 70]]);
  assert.deepEqual(
    [state.timersAt(EPOCH)[0].as_of, state.timersAt(EPOCH)[0].is_pending],
    [EPOCH + 20_000, true],
  );
});

test("pausing a paused timer and resuming a running timer change no time", () => {
  const state = stateWith(timer(7), timer(8, { status: "paused", as_of: 0 }));
  state.add(action("resume", "t7"));
  state.add(action("pause", "t8"));
  assert.deepEqual(shown(state), [
    ["t7", "running", 70],
    ["t8", "paused", 60],
  ]);
});

test("a pending stop removes the timer", () => {
  const state = stateWith(timer(7), timer(8));
  state.add(action("stop", "t7"));
  assert.deepEqual(shown(state), [["t8", "running", 70]]);
});

test("a pending start adds the first timer, unless a timer is open on the issue", () => {
  const state = stateWith(timer(7));
  state.add(start(8));
  assert.deepEqual(shown(state), [
    ["key", "running", 0],
    ["t7", "running", 70],
  ]);
  const other = stateWith(timer(7));
  other.add(start(7));
  assert.deepEqual(shown(other), [["t7", "running", 70]]);
});

test("a confirmed start keeps its key, and later actions refer to the server's id", () => {
  const state = stateWith(timer(7));
  const pending = start(8);
  state.add(pending);
  state.add(action("pause", "key"));
  const transition = state.confirm(pending, timer(8), EPOCH, true);
  assert.deepEqual(transition, { action: "start", timer: timer(8), isOwn: true });
  assert.deepEqual(
    state.timersAt(EPOCH).map(({ key, id, status }) => [key, id, status]),
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
  assert.deepEqual(statuses(state), ["t7 running", "t8 paused", "t9 running"]);
  state.confirm(action("stop", "t8"), timer(8, { status: "stopped" }), EPOCH, true);
  assert.deepEqual(statuses(state), ["t7 running", "t9 running"]);
});

test("what counts is first, then what will count, then what was paused last", () => {
  const paused = (/** @type {number} */ number, /** @type {number} */ seconds) =>
    timer(number, { status: "paused", as_of: EPOCH + seconds * 1_000 });
  const state = stateWith(
    paused(6, 10),
    timer(7),
    paused(8, 20),
    timer(9, waiting("schedule")),
    timer(10, COUNTING),
  );
  assert.deepEqual(ids(state), ["t10", "t9", "t8", "t6", "t7"]);
});

test("on a break, the timer that was just paused is first, also before the server has confirmed it", () => {
  const old = timer(8, { status: "paused", as_of: EPOCH - 3_600_000 });
  const state = stateWith(old, timer(9, waiting("focus")), timer(7, COUNTING));
  state.add(action("pause", "t7"));
  assert.deepEqual(ids(state), ["t7", "t8", "t9"]);
  state.confirm(action("pause", "t7"), timer(7, { status: "paused" }), EPOCH, true);
  assert.deepEqual(ids(state), ["t7", "t8", "t9"]);
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

test("a list reports which timer counts now", () => {
  const state = stateWith(timer(7, COUNTING), timer(8, waiting("focus")));
  const changes = (/** @type {ApiTimer[]} */ ...timers) =>
    state.adopt(timers, EPOCH, "").map(({ action: kind, timer: { id }, isOwn }) => [kind, id, isOwn]);
  assert.deepEqual(changes(timer(7, waiting("focus")), timer(8, COUNTING)), [["counting", "t8", false]]);
  assert.deepEqual(changes(timer(7, waiting("focus")), timer(8, waiting("schedule"))), [
    ["counting", "t8", false],
  ]);
  assert.deepEqual(changes(timer(7, waiting("focus")), timer(8, waiting("break"))), []);
});

// ------------------------------------------------------------------ predictions

for (const kind of /** @type {const} */ (["start", "resume", "focus"])) {
  test(`after a ${kind}, the timer counts and the others wait, before and after the confirmation`, () => {
    const state = stateWith(
      timer(7, { ...COUNTING, counting_changes_at: later(50) }),
      timer(8, { status: "paused", as_of: 0 }),
      timer(9, waiting("focus")),
    );
    const id = { start: "key", resume: "t8", focus: "t9" }[kind];
    const pending = kind === "start" ? start(10) : action(kind, id);
    state.add(pending);
    assert.equal(standings(state)[id], "counting");
    assert.equal(standings(state).t7, "focus");
    // The working hours end for this timer as for the other one.
    assert.equal(state.timersAt(EPOCH)[0].counting_changes_at, later(50));
    assert.equal(state.timersAt(EPOCH)[0].id, id);
    const answer = timer(kind === "start" ? 10 : Number(id.slice(1)), COUNTING);
    state.confirm(pending, answer, EPOCH, true);
    const { t7, [answer.id]: acted } = standings(state);
    assert.deepEqual([t7, acted], ["focus", "counting"]);
    assert.equal(state.timersAt(EPOCH).find((one) => one.id === "t7")?.working_duration, 70);
  });
}

test("a timer that keeps counting after the working hours does not end with them", () => {
  const state = stateWith(timer(7, { ...COUNTING, counting_changes_at: later(50) }));
  state.add(action("focus", "t7", { overtime: true }));
  assert.equal(state.timersAt(EPOCH)[0].counting_changes_at, null);
});

test("pausing the timer that counts begins a break", () => {
  const state = stateWith(timer(7, COUNTING), timer(8, waiting("focus")));
  state.add(action("pause", "t7"));
  assert.deepEqual(standings(state), { t7: "paused", t8: "break" });
  const waits = stateWith(timer(7, COUNTING), timer(8, waiting("focus")));
  waits.add(action("pause", "t8"));
  assert.deepEqual(standings(waits), { t7: "counting", t8: "paused" });
});

test("an action ends a break", () => {
  const state = stateWith(timer(7, { status: "paused", as_of: 0 }), timer(8, waiting("break")));
  state.add(action("resume", "t7"));
  assert.deepEqual(standings(state), { t7: "counting", t8: "focus" });
});

test("a stop passes the focus on to a timer that was started by hand, or to the oldest", () => {
  const others = [timer(8, waiting("focus")), timer(9, waiting("focus"))];
  const state = stateWith(timer(7, COUNTING), ...others);
  state.add(action("stop", "t7"));
  assert.deepEqual(standings(state), { t8: "counting", t9: "focus" });
  const assigned = stateWith(timer(7, COUNTING), ...others.map((one) => ({ ...one, source: "assigned" })));
  assigned.add(action("stop", "t7"));
  assert.deepEqual(standings(assigned), { t8: "focus", t9: "counting" });
  const waits = stateWith(timer(7, COUNTING), ...others);
  waits.add(action("stop", "t9"));
  assert.deepEqual(standings(waits), { t7: "counting", t8: "focus" });
});

test("timers that count in parallel go on counting", () => {
  const state = stateWith(
    timer(7, { ...COUNTING, why: why("parallel") }),
    timer(8, { ...COUNTING, why: why("parallel") }),
  );
  state.add(start(9));
  state.add(action("pause", "t7"));
  assert.deepEqual(standings(state), { key: "counting", t7: "paused", t8: "counting" });
});

test("timers that share the time get equal parts of it", () => {
  const shared = { ...COUNTING, counting_share: 0.5, why: why("shared") };
  const state = stateWith(timer(7, shared), timer(8, shared));
  state.add(start(9));
  assert.deepEqual(standings(state), { key: "counting", t7: "counting", t8: "counting" });
  assert.ok(state.timersAt(EPOCH).every(({ counting_share }) => counting_share === 1 / 3));
  state.add(action("stop", "t7", { at: EPOCH + 20_000 }));
  assert.ok(state.timersAt(EPOCH).every(({ counting_share }) => counting_share === 0.5));
});

test("if the server says that a started timer waits, the others go on counting", () => {
  const state = stateWith(timer(7, COUNTING), timer(8, { status: "paused", as_of: 0 }));
  const pending = action("resume", "t8");
  state.add(pending);
  state.confirm(pending, timer(8, waiting("focus")), EPOCH, true);
  assert.deepEqual(standings(state), { t7: "counting", t8: "focus" });
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
  assert.equal(isOn(state.timersAt(EPOCH)[0], issue), true);
  assert.equal(isOn(state.timersAt(EPOCH)[0], { ...issue, github_issue_number: 8 }), false);
});
