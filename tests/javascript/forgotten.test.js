import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  confirmedTimes,
  forgottenTime,
  grown,
  keepingAct,
  lastSign,
  longestAbsence,
  proposedEnd,
} from "../../web/page/forgotten.js";

/** @import { Question, Return } from "../../web/page/forgotten.js" */
/** @import { Slice } from "../../web/page/types.d.ts" */

const HOUR = 3_600_000;
const MONDAY = "2026-11-23";
const TUESDAY = "2026-11-24";

process.env.TZ = "Europe/Berlin";

/** @param {string} time @param {string} [day] */
const at = (time, day = TUESDAY) => new Date(`${day}T${time}:00`).getTime();

/**
 * @param {string} timer
 * @param {number} from
 * @param {number} until
 * @param {Partial<Slice>} [fields]
 * @returns {Slice}
 */
function slice(timer, from, until, fields = {}) {
  const [since, end] = [from, until].map((instant) => new Date(instant).toISOString());
  return { timer, from: since, until: end, share: 1, rule: "only", overtime: false, ...fields };
}

/**
 * @param {Slice[]} slices
 * @param {Return} known
 * @returns {Question}
 */
function asked(slices, known) {
  const { question } = forgottenTime(slices, known);
  assert.ok(question);
  return question;
}

/** @param {number} instant */
const local = (instant) =>
  new Date(instant)
    .toString()
    .slice(8, 21)
    .replace(/ \d{4}/, "");

/** @param {Question} question */
const shown = ({ kind, parts, left, seconds }) => ({
  kind,
  parts: parts.map(({ timer, since, until }) => `${timer} ${local(since)}-${local(until)}`),
  left: local(left),
  hours: seconds / 3600,
});

/** Overtime on Monday from 17:05 to its limit. */
const EVENING = slice("a", at("17:05", MONDAY), at("21:05", MONDAY), { overtime: true });

describe("a timer that counts", () => {
  test("is asked about after two hours without a sign of life", () => {
    const slices = [slice("a", at("09:00"), at("11:00"))];
    const question = asked(slices, { now: at("11:00"), sign: at("09:00") });
    assert.deepEqual(shown(question), {
      kind: "counting",
      parts: ["a 24 09:00-24 11:00"],
      left: "24 09:00",
      hours: 2,
    });
    assert.equal(question.isOngoing, true);
  });

  test("is not asked about earlier, and the first possible instant is known", () => {
    const slices = [slice("a", at("09:00"), at("10:30"))];
    const found = forgottenTime(slices, { now: at("10:30"), sign: at("09:00") });
    assert.deepEqual(found, { question: null, askAt: at("11:00") });
  });

  test("is asked about from the last sign of life on, whatever timer it was on", () => {
    const slices = [slice("a", at("09:00"), at("15:00"))];
    const sign = lastSign([
      { last_sign_at: "2026-11-24T08:00:00.000Z" },
      { last_sign_at: "2026-11-24T11:30:00.000Z" },
    ]);
    const question = asked(slices, { now: at("15:00"), sign });
    assert.deepEqual(shown(question).parts, ["a 24 12:30-24 15:00"]);
    assert.equal(forgottenTime(slices, { now: at("15:00"), sign: at("13:01") }).question, null);
  });

  test("is asked about with the time of earlier days", () => {
    const friday = "2026-11-20";
    const slices = [
      slice("a", at("15:30", friday), at("17:00", friday)),
      slice("a", at("09:00", MONDAY), at("09:40", MONDAY)),
    ];
    const question = asked(slices, { now: at("09:40", MONDAY), sign: at("15:00", friday) });
    assert.equal(shown(question).left, "20 15:00");
    assert.equal(question.firstEnd, at("17:00", friday));
    assert.equal(shown(question).hours.toFixed(2), "2.17");
  });

  test("need not count at present", () => {
    const slices = [slice("a", at("13:00"), at("17:00"))];
    const question = asked(slices, { now: at("19:00"), sign: at("13:00") });
    assert.deepEqual([question.kind, question.isOngoing], ["counting", false]);
  });
});

describe("what counts by a statement", () => {
  test("is not asked about", () => {
    const slices = [slice("a", at("09:00"), at("15:00"), { rule: "claim" })];
    assert.equal(forgottenTime(slices, { now: at("15:00"), sign: at("08:00") }).question, null);
  });

  test("is no part of the time that is asked about", () => {
    const slices = [
      slice("a", at("09:00"), at("10:00")),
      slice("b", at("10:00"), at("12:00"), { rule: "claim" }),
      slice("a", at("12:00"), at("13:30")),
    ];
    const question = asked(slices, { now: at("13:30"), sign: at("09:00") });
    assert.deepEqual(shown(question).parts, ["a 24 09:00-24 10:00", "a 24 12:00-24 13:30"]);
  });
});

describe("several timers", () => {
  const both = [
    slice("a", at("09:00"), at("12:00"), { rule: "shared", share: 0.5 }),
    slice("b", at("09:00"), at("12:00"), { rule: "shared", share: 0.5 }),
  ];

  test("are one question with the time of both", () => {
    const question = asked(both, { now: at("12:00"), sign: at("09:00") });
    assert.deepEqual(shown(question).parts, ["a 24 09:00-24 12:00", "b 24 09:00-24 12:00"]);
    assert.equal(question.seconds, 3 * 3600);
  });

  test("that count in parallel reach two hours no sooner", () => {
    const parallel = both.map((one) => ({ ...one, share: 1, until: new Date(at("10:30")).toISOString() }));
    const found = forgottenTime(parallel, { now: at("10:30"), sign: at("09:00") });
    assert.deepEqual(found, { question: null, askAt: at("11:00") });
  });
});

describe("overtime that counted to its limit", () => {
  const today = slice("a", at("09:00"), at("09:30"));
  const known = { now: at("09:30"), sign: at("17:05", MONDAY) };

  test("is asked about alone, so that today's time stays", () => {
    assert.deepEqual(shown(asked([EVENING, today], known)), {
      kind: "overtime",
      parts: ["a 23 17:05-23 21:05"],
      left: "23 17:05",
      hours: 4,
    });
  });

  test("is asked about from the last sign of life in it", () => {
    const question = asked([EVENING], { ...known, sign: at("18:30", MONDAY) });
    assert.deepEqual(shown(question).parts, ["a 23 18:30-23 21:05"]);
    const late = forgottenTime([EVENING], { ...known, sign: at("20:00", MONDAY) });
    assert.equal(late.question, null);
  });

  test("is not the working hours before it", () => {
    const kept = [
      slice("a", at("16:00", MONDAY), at("17:00", MONDAY)),
      slice("a", at("17:00", MONDAY), at("21:00", MONDAY), { overtime: true }),
    ];
    const question = asked(kept, { ...known, sign: at("16:00", MONDAY) });
    assert.deepEqual(shown(question).parts, ["a 23 17:00-23 21:00"]);
    assert.equal(shown(question).left, "23 17:00");
  });

  test("is asked about for all timers that had it", () => {
    const other = slice("b", at("18:00", MONDAY), at("22:00", MONDAY), { overtime: true });
    const question = asked([EVENING, other], { ...known, sign: at("18:00", MONDAY) });
    assert.deepEqual(shown(question).parts, ["a 23 18:00-23 21:05", "b 23 18:00-23 22:00"]);
  });

  test("is followed by the question about today", () => {
    const long = [EVENING, slice("a", at("09:00"), at("14:00"))];
    const later = { ...known, now: at("14:00") };
    assert.equal(asked(long, later).kind, "overtime");
    const next = asked(long, { ...later, answered: at("21:05", MONDAY) });
    assert.deepEqual(shown(next), {
      kind: "counting",
      parts: ["a 24 09:00-24 14:00"],
      left: "24 09:00",
      hours: 5,
    });
  });

  test("differs from overtime before work, and from overtime that goes on", () => {
    const early = [
      slice("a", at("06:00"), at("09:00"), { overtime: true }),
      slice("a", at("09:00"), at("09:30")),
    ];
    assert.equal(asked(early, { now: at("09:30"), sign: at("06:00") }).kind, "counting");
    const present = { now: at("20:00", MONDAY), sign: at("17:05", MONDAY) };
    const question = asked([EVENING], present);
    assert.deepEqual([question.kind, question.until], ["counting", at("20:00", MONDAY)]);
  });
});

describe("an answer", () => {
  const slices = [slice("a", at("09:00"), at("15:00"))];
  const known = { now: at("15:00"), sign: at("09:00") };

  test("settles the time before it", () => {
    const found = forgottenTime(slices, { ...known, answered: at("14:30") });
    assert.deepEqual(found, { question: null, askAt: at("16:30") });
  });

  test("that dismisses the question postpones it, and then all time is asked about", () => {
    const dismissed = at("12:00");
    const early = { now: at("13:30"), sign: at("09:00"), dismissed };
    assert.deepEqual(forgottenTime([slice("a", at("09:00"), at("13:30"))], early), {
      question: null,
      askAt: at("14:00"),
    });
    assert.deepEqual(shown(asked(slices, { ...known, dismissed })).parts, ["a 24 09:00-24 15:00"]);
  });
});

describe("a confirmed day", () => {
  const WEDNESDAY = "2026-11-25";
  /** @param {string} day @param {string} next */
  const confirmedDay = (day, next) => ({ since: at("00:00", day), until: at("00:00", next) });
  const monday = confirmedDay(MONDAY, TUESDAY);
  const tuesday = confirmedDay(TUESDAY, WEDNESDAY);

  test("is known from the timesheets", () => {
    const sheet = (
      /** @type {import("../../web/page/types.d.ts").SheetDay["state"]} */ state,
      day = monday,
    ) => ({
      state,
      since: new Date(day.since).toISOString(),
      until: new Date(day.until).toISOString(),
    });
    assert.deepEqual(confirmedTimes([sheet("over"), sheet("confirmed", tuesday), sheet("running")]), [
      tuesday,
    ]);
  });

  test("is not asked about", () => {
    const slices = [EVENING, slice("a", at("09:00"), at("09:30"))];
    const known = { now: at("09:30"), sign: at("17:05", MONDAY), confirmed: [monday] };
    assert.equal(forgottenTime(slices, known).question, null);
  });

  test("does not settle the overtime of the day before", () => {
    const slices = [
      EVENING,
      slice("a", at("17:00"), at("20:00"), { overtime: true }),
      slice("a", at("09:00", WEDNESDAY), at("12:00", WEDNESDAY)),
    ];
    const known = { now: at("12:00", WEDNESDAY), sign: at("17:05", MONDAY), confirmed: [tuesday] };
    assert.deepEqual(shown(asked(slices, known)).parts, ["a 23 17:05-23 21:05"]);
    const next = asked(slices, { ...known, answered: at("21:05", MONDAY) });
    assert.deepEqual(shown(next), {
      kind: "counting",
      parts: ["a 25 09:00-25 12:00"],
      left: "25 09:00",
      hours: 3,
    });
  });

  test("is cut out of time that counts across it", () => {
    const night = [slice("a", at("20:00", MONDAY), at("03:00"), { overtime: true })];
    const known = { now: at("12:00"), sign: at("20:00", MONDAY) };
    assert.deepEqual(shown(asked(night, { ...known, confirmed: [tuesday] })).parts, ["a 23 20:00-24 00:00"]);
    assert.deepEqual(shown(asked(night, { ...known, confirmed: [monday] })), {
      kind: "overtime",
      parts: ["a 24 00:00-24 03:00"],
      left: "24 00:00",
      hours: 3,
    });
  });

  test("on which a timer has run is no longer changed by its end", () => {
    const slices = [
      slice("a", at("13:00", MONDAY), at("17:00", MONDAY)),
      slice("a", at("09:00", WEDNESDAY), at("10:00", WEDNESDAY)),
    ];
    const known = { now: at("10:00", WEDNESDAY), sign: at("13:00", MONDAY), confirmed: [tuesday] };
    assert.deepEqual(forgottenTime(slices, known), { question: null, askAt: at("11:00", WEDNESDAY) });
    const ended = asked(slices.slice(0, 1), { ...known, endOf: () => at("17:00", MONDAY) });
    assert.deepEqual(shown(ended).parts, ["a 23 13:00-23 17:00"]);
  });

  test("has no act that keeps time", () => {
    const slices = [slice("a", at("09:00", MONDAY), at("17:00", MONDAY))];
    const timers = [{ id: "a", waiting_for: /** @type {const} */ ("schedule") }];
    assert.equal(keepingAct(slices, timers, at("08:00"), [monday]), null);
  });
});

test("an absence lasts until the last timer has ended", () => {
  const ended = { end_time: new Date(at("17:00", MONDAY)).toISOString() };
  assert.equal(longestAbsence([ended], at("16:00", MONDAY), at("09:00")), HOUR);
  assert.equal(longestAbsence([ended, { end_time: null }], at("08:00"), at("09:00")), HOUR);
  assert.equal(longestAbsence([ended], at("08:00"), at("09:00")), 0);
  assert.equal(longestAbsence([], 0, at("09:00")), 0);
});

describe("the act that keeps the time", () => {
  /** @param {"schedule" | "focus" | null} waiting_for */
  const timer = (waiting_for) => [{ id: "a", waiting_for }];

  test("is a switch to the timer that counts", () => {
    const slices = [slice("a", at("09:00"), at("15:00"))];
    assert.deepEqual(keepingAct(slices, timer(null), at("15:00")), { timer: "a", at: null });
  });

  test("is in the working hours if they have ended, because it would open overtime now", () => {
    const slices = [slice("a", at("13:00"), at("17:00"))];
    const act = keepingAct(slices, timer("schedule"), at("19:00"));
    assert.deepEqual(act, { timer: "a", at: at("17:00") - 1 });
  });

  test("does not renew overtime that has ended", () => {
    const known = { now: at("08:00"), sign: at("17:05", MONDAY) };
    assert.equal(keepingAct([EVENING], timer("schedule"), known.now), null);
    const slices = [EVENING, slice("a", at("09:00"), at("09:30"))];
    const later = { ...known, now: at("09:30") };
    assert.deepEqual(keepingAct(slices, timer(null), later.now), {
      timer: "a",
      at: null,
    });
  });

  test("does not renew overtime that counts", () => {
    const slices = [slice("a", at("19:00"), at("21:30"), { overtime: true })];
    assert.equal(keepingAct(slices, timer(null), at("21:30")), null);
  });

  test("does not let a stale timer count again", () => {
    const slices = [slice("a", at("09:00", MONDAY), at("17:00", MONDAY))];
    assert.equal(keepingAct(slices, timer(null), at("12:00")), null);
  });
});

describe("the end that the time field proposes", () => {
  const friday = "2026-11-20";
  const over = [
    slice("a", at("14:00", friday), at("17:00", friday)),
    slice("a", at("09:00", MONDAY), at("10:00", MONDAY)),
  ];
  const question = () => asked(over, { now: at("10:00", MONDAY), sign: at("14:00", friday) });

  test("is when the page was last visible, in full minutes", () => {
    assert.equal(proposedEnd(question(), at("15:20", friday) + 30_000), at("15:20", friday));
  });

  test("is the end of the first working hours otherwise", () => {
    assert.equal(proposedEnd(question(), 0), at("17:00", friday));
    assert.equal(proposedEnd(question(), at("13:00", friday)), at("17:00", friday));
  });

  test("is the last sign of life if the time has no gap", () => {
    const slices = [slice("a", at("09:00"), at("15:00"))];
    assert.equal(proposedEnd(asked(slices, { now: at("15:00"), sign: at("09:00") }), 0), at("09:00"));
  });
});

test("a night on which the clocks change has its real length", () => {
  const [sunday, spring] = ["2026-10-25", "2026-03-29"];
  const long = [slice("a", at("01:30", sunday), at("02:30", sunday) + HOUR)];
  const known = { now: at("02:30", sunday) + HOUR, sign: at("01:30", sunday) };
  assert.equal(asked(long, known).seconds, 2 * 3600);
  const short = [slice("a", at("01:30", spring), at("04:00", spring))];
  const found = forgottenTime(short, { now: at("04:00", spring), sign: at("01:30", spring) });
  assert.deepEqual(found, { question: null, askAt: at("04:30", spring) });
});

test("the time of a timer that counts ends at the present, however exact the clock is", () => {
  const slices = [
    slice("a", at("09:00"), at("10:00")),
    slice("b", at("10:00"), at("12:00") - 20_000),
    slice("c", at("10:00"), at("12:00")),
  ];
  const later = grown(slices, at("12:00"), at("12:05"), (id) => id !== "c");
  assert.deepEqual(
    later.map(({ until }) => Date.parse(until)),
    [at("10:00"), at("12:05"), at("12:00")],
  );
});
