import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { setLocale } from "./support/locale.js";

/** @import { Timer } from "../../web/widget/types.d.ts" */

setLocale(["en-GB"]);
const { formats } = await import("../../web/page/language.js");
const { nameInSentence, pointInTime, timerName, whyItCounts, whyItWaits } = await import(
  "../../web/page/reasons.js"
);

// A Tuesday.
const NOW = new Date("2026-11-24T14:00:00+01:00");

beforeEach(() => {
  process.env.TZ = "Europe/Berlin";
  formats.followTimeZone();
});

/** @param {Partial<Timer>} fields @param {Partial<NonNullable<Timer["why"]>>} [why] */
function timer(fields, why = {}) {
  const act = { rule: "only", action: null, by: null, at: null, timer: null, ...why };
  return /** @type {Timer} */ ({ is_counting: true, counting_share: 1, ...fields, why: act });
}

test("a time is named by its day if it is not today", () => {
  assert.equal(pointInTime(new Date("2026-11-24T10:30:00+01:00"), NOW), "at 10:30");
  assert.equal(pointInTime(new Date("2026-11-30T08:00:00+01:00"), NOW), "on Monday at 08:00");
  assert.equal(pointInTime(new Date("2026-12-07T08:00:00+01:00"), NOW), "on 7 December at 08:00");
  // The same weekday of next week.
  assert.equal(pointInTime(new Date("2026-12-01T08:00:00+01:00"), NOW), "on 1 December at 08:00");
});

for (const [action, sentence] of [
  ["start", "Counts because you started it at 10:30."],
  ["resume", "Counts because you resumed it at 10:30."],
  ["focus", "Counts because you switched to it at 10:30."],
]) {
  test(`a timer that has the focus because of one's own ${action} says so`, () => {
    const act = { rule: "focus", action, by: "manual", at: "2026-11-24T09:30:00.000Z" };
    assert.equal(whyItCounts(timer({}, act), NOW), sentence);
  });
}

test("a timer that has the focus because of an event names the event", () => {
  const act = { rule: "focus", action: "start", by: "assigned", at: "2026-11-24T09:30:00.000Z" };
  assert.equal(whyItCounts(timer({}, act), NOW), "Counts because of GitHub (assigned to you at 10:30).");
});

test("a timer that counts without an act says why", () => {
  assert.match(whyItCounts(timer({}, { rule: "only" }), NOW), /no other timer/u);
  assert.match(whyItCounts(timer({}, { rule: "focus" }), NOW), /run for longest/u);
  assert.match(whyItCounts(timer({}, { rule: "parallel" }), NOW), /in full/u);
  assert.match(whyItCounts(timer({ counting_share: 0.5 }, { rule: "shared" }), NOW), /by 50%/u);
});

test("overtime names the act that asked for it", () => {
  const act = { rule: "overtime", action: "focus", by: "manual", at: "2026-11-24T18:05:00.000Z" };
  assert.equal(whyItCounts(timer({}, act), NOW), "Counts as overtime because you asked for it at 19:05.");
});

test("a timer that the server has not confirmed has no reason yet", () => {
  assert.equal(whyItCounts({ ...timer({}), why: null }, NOW), "");
});

const OPEN = [
  timer({ id: "1-02", github_repo: "octo-org/hello-world", github_issue_number: 2 }),
  timer({ id: "1-03", github_repo: "octo-org/hello-world", github_issue_number: 3, is_counting: false }),
];

/** @param {Partial<Timer>} fields @param {Partial<NonNullable<Timer["why"]>>} [why] @param {number} [count] */
const waits = (fields, why, count) =>
  whyItWaits(
    timer({ is_counting: false, waiting_for: null, counting_changes_at: null, ...fields }, why),
    NOW,
    (id) => OPEN.find((one) => one.id === id),
    count,
  );

test("a timer outside of working hours says when it continues", () => {
  const monday = { counting_changes_at: "2026-11-30T08:00:00.000Z" };
  assert.equal(
    waits({ waiting_for: "schedule", ...monday }),
    "Outside of working hours · continues on Monday at 09:00",
  );
  assert.equal(waits({ waiting_for: "schedule" }), "Outside of working hours");
});

test("a timer that waits names the timer that counts", () => {
  const name = "\u2068octo-org/hello-world#2\u2069";
  const why = { rule: "focus", timer: "1-02" };
  assert.equal(waits({ waiting_for: "focus" }, why), `Waits while you work on ${name}`);
  assert.equal(waits({ waiting_for: "focus" }, why, 3), `They wait while you work on ${name}`);
  assert.equal(
    waits({ waiting_for: "focus" }, { rule: "focus", timer: "1-04" }),
    "Waits while you work on something else",
  );
});

test("a timer that waits for one that does not count either says which one comes first", () => {
  assert.equal(
    waits({ waiting_for: "focus" }, { rule: "focus", timer: "1-03" }),
    "\u2068octo-org/hello-world#3\u2069 comes first",
  );
});

test("a timer that waits for another one does not say when that one becomes stale", () => {
  const tomorrow = { counting_changes_at: "2026-11-30T08:00:00.000Z" };
  assert.equal(
    waits({ waiting_for: "focus", ...tomorrow }, { rule: "focus", timer: "1-02" }),
    "Waits while you work on \u2068octo-org/hello-world#2\u2069",
  );
});

test("a timer waits during a break, and does not count any more when it is stale", () => {
  assert.equal(waits({ waiting_for: "break" }, { timer: "1-02" }), "You are on a break");
  assert.match(waits({}, { rule: "stale" }), /^Counts no longer/u);
});

test("a timer without an issue is named by its description", () => {
  const none = { github_repo: null, github_issue_number: null };
  assert.equal(timerName({ ...none, description: "Planning" }), "Planning");
  assert.equal(timerName({ ...none, description: "" }), "No issue");
  assert.equal(nameInSentence({ ...none, description: "Planning" }), "Planning");
  assert.equal(nameInSentence({ ...none, description: "" }), "the timer without an issue");
  assert.equal(timerName({ github_repo: "a/b", github_issue_number: 7, description: "x" }), "a/b#7");
});
