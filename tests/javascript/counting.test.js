import assert from "node:assert/strict";
import { test } from "node:test";
import { advance, worked } from "../../web/widget/counting.js";
import { EPOCH } from "./support/browser.js";

/** @import { Countable } from "../../web/widget/types.d.ts" */

/** @param {Partial<Countable>} [change] @returns {Countable} */
function timer(change = {}) {
  return {
    status: "running",
    active_duration: 600,
    working_duration: 60,
    is_counting: true,
    waiting_for: null,
    counting_share: 1,
    counting_changes_at: null,
    why: null,
    as_of: EPOCH,
    ...change,
  };
}

/** @param {number} seconds */
function after(seconds) {
  return new Date(EPOCH + seconds * 1_000).toISOString();
}

/** @param {Countable} of @param {number} seconds */
function durations(of, seconds) {
  const { active_duration, working_duration } = advance(of, EPOCH + seconds * 1_000);
  return [active_duration, working_duration];
}

test("a timer that counts gains working time and active time", () => {
  assert.deepEqual(durations(timer(), 30), [630, 90]);
});

test("a timer that waits gains active time only", () => {
  assert.deepEqual(durations(timer({ is_counting: false, waiting_for: "focus" }), 30), [630, 60]);
});

test("a paused timer gains no time", () => {
  assert.deepEqual(durations(timer({ status: "paused", is_counting: false, as_of: 0 }), 30), [600, 60]);
});

test("an earlier time changes nothing", () => {
  assert.deepEqual(durations(timer(), -30), [600, 60]);
});

test("a timer that shares the time gains its part", () => {
  assert.deepEqual(durations(timer({ counting_share: 0.25 }), 40), [640, 70]);
});

test("a timer ceases to count when the working hours end", () => {
  const ends = timer({ counting_changes_at: after(10) });
  assert.deepEqual(durations(ends, 30), [630, 70]);
  const { is_counting, waiting_for, counting_changes_at } = advance(ends, EPOCH + 10_000);
  assert.deepEqual([is_counting, waiting_for, counting_changes_at], [false, "schedule", null]);
  assert.equal(advance(ends, EPOCH + 9_999).is_counting, true);
});

test("a timer begins to count when the working hours begin", () => {
  const begins = timer({ is_counting: false, waiting_for: "schedule", counting_changes_at: after(10) });
  assert.deepEqual(durations(begins, 30), [630, 80]);
  assert.equal(advance(begins, EPOCH + 30_000).waiting_for, null);
});

test("after a break, a timer waits until the server says which one counts", () => {
  const waits = timer({ is_counting: false, waiting_for: "break", counting_changes_at: after(10) });
  assert.deepEqual(durations(waits, 30), [630, 60]);
  const { waiting_for, counting_changes_at } = advance(waits, EPOCH + 30_000);
  assert.deepEqual([waiting_for, counting_changes_at], ["break", null]);
});

test("a change that is already past when the timer is known takes effect at once", () => {
  const ended = timer({ counting_changes_at: after(-10) });
  assert.deepEqual(durations(ended, 30), [630, 60]);
});

test("the working time of timers in an interval is that of each of them", () => {
  const timers = [timer(), timer({ counting_changes_at: after(20) }), timer({ is_counting: false })];
  assert.equal(worked(timers, EPOCH + 10_000, EPOCH + 30_000), 30);
  assert.equal(worked(timers, EPOCH + 30_000, EPOCH + 10_000), 0);
});
