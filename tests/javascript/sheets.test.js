import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import {
  confirmedIn,
  haveOtherClocks,
  openDays,
  setConfirmed,
  sheetFigures,
  withGain,
} from "../../web/page/sheets.js";
import { ApiError } from "../../web/widget/api-client.js";

/** @import { SheetDay } from "../../web/page/types.d.ts" */

const HOUR = 3600;

beforeEach(() => {
  process.env.TZ = "Europe/Berlin";
});

/**
 * Return a day of eight working hours in Berlin.
 *
 * @param {string} date
 * @param {Partial<SheetDay>} [fields]
 * @returns {SheetDay}
 */
const sheet = (date, fields = {}) => ({
  date,
  since: new Date(`${date}T00:00:00`).toISOString(),
  until: new Date(Date.parse(`${date}T00:00:00`) + 24 * HOUR * 1000).toISOString(),
  time_zone: "Europe/Berlin",
  state: "over",
  confirmed_at: null,
  scheduled_duration: 8 * HOUR,
  working_duration: 8 * HOUR,
  overtime_duration: 0,
  balance_duration: 0,
  changed_since: null,
  details_deleted: false,
  etag: `"${date}"`,
  issues: [],
  ...fields,
});

const MONDAY = "2026-11-23";
const TUESDAY = "2026-11-24";
const WEDNESDAY = "2026-11-25";

/** @param {{shown: number}[]} figures */
const shown = (figures) => figures.map((figure) => figure.shown);

test("the figures of days add up to the sum, and balances follow from the time that is shown", () => {
  const half = (/** @type {string} */ date) =>
    sheet(date, { working_duration: 8 * HOUR + 90, balance_duration: 90, overtime_duration: 90 });
  const { days, sum } = sheetFigures([half(MONDAY), half(TUESDAY)]);
  assert.deepEqual(shown(days.map(({ worked }) => worked)), [8 * HOUR + 120, 8 * HOUR + 60]);
  assert.deepEqual(shown(days.map(({ overtime }) => overtime)), [120, 60]);
  assert.deepEqual(
    days.map(({ balance }) => balance),
    [120, 60],
  );
  assert.equal(sum.worked.shown, 16 * HOUR + 180);
  assert.equal(sum.balance, 180);
  assert.equal(sum.scheduled, 16 * HOUR);
});

test("the balance of a day that is not over counts the working hours that have passed", () => {
  const day = sheet(MONDAY, { state: "running", working_duration: HOUR, balance_duration: -HOUR });
  assert.equal(sheetFigures([day]).days[0].balance, -HOUR);
});

test("days without working hours have neither scheduled time nor a balance", () => {
  const free = { scheduled_duration: null, balance_duration: null };
  const { sum } = sheetFigures([sheet(MONDAY, free)]);
  assert.deepEqual([sum.scheduled, sum.balance, sum.worked.exact], [null, null, 8 * HOUR]);
  const mixed = sheetFigures([
    sheet(MONDAY, free),
    sheet(TUESDAY, { working_duration: 7 * HOUR, balance_duration: -HOUR }),
  ]);
  assert.deepEqual([mixed.sum.scheduled, mixed.sum.balance], [8 * HOUR, -HOUR]);
});

const why = { rule: "focus", action: null, by: null, at: null, timer: null };

test("the present day gains what timers have counted, within working hours without a change of its balance", () => {
  const days = [sheet(MONDAY), sheet(TUESDAY, { state: "running" })];
  const [past, present] = withGain(days, [{ counting_share: 1, why }], 60);
  assert.equal(past, days[0]);
  assert.equal(present.working_duration, 8 * HOUR + 60);
  assert.deepEqual([present.overtime_duration, present.balance_duration], [0, 0]);
});

test("overtime is gained outside of working hours", () => {
  const day = sheet(TUESDAY, { state: "running" });
  const [present] = withGain([day], [{ counting_share: 1, why: { ...why, rule: "overtime" } }], 60);
  assert.deepEqual([present.overtime_duration, present.balance_duration], [60, 60]);
});

test("timers that count in full beside each other gain more than the time that passes", () => {
  const both = { counting_share: 1, why: { ...why, rule: "parallel" } };
  const [present] = withGain([sheet(TUESDAY, { state: "running" })], [both, both], 60);
  assert.deepEqual([present.working_duration, present.balance_duration], [8 * HOUR + 120, 60]);
});

test("only days that are over and not confirmed are open", () => {
  const states = /** @type {const} */ (["confirmed", "over", "running", "upcoming"]);
  const days = states.map((state) => sheet(MONDAY, { state }));
  assert.deepEqual(openDays(days), [days[1]]);
});

test("a day whose details are deleted cannot be confirmed", () => {
  assert.deepEqual(openDays([sheet(MONDAY, { state: "over", details_deleted: true })]), []);
});

test("a time is fixed by the confirmed day that it overlaps", () => {
  const days = [sheet(MONDAY, { state: "confirmed" }), sheet(TUESDAY)];
  const at = (/** @type {string} */ time) => new Date(time).getTime();
  const overlapping = { since: at(`${MONDAY}T23:59:00`), until: at(`${TUESDAY}T01:00:00`) };
  assert.equal(confirmedIn(days, overlapping), days[0]);
  assert.equal(confirmedIn(days, { ...overlapping, since: at(`${TUESDAY}T00:00:00`) }), undefined);
});

test("days of another time zone have other clocks", () => {
  assert.equal(haveOtherClocks([sheet(MONDAY)]), false);
  assert.equal(haveOtherClocks([sheet(MONDAY, { since: `${MONDAY}T05:00:00.000Z` })]), true);
});

/**
 * Return a function that sends no requests, but fails for the days that have a status.
 *
 * @param {Record<string, number>} statuses
 * @param {string[]} sent receives the requests
 */
const failing =
  (statuses, sent = []) =>
  /** @type {import("../../web/page/sheets.js").SendDay} */
  async (method, path, etag) => {
    sent.push(`${method} ${path} ${etag}`);
    const [date] = path.match(/\d{4}-\d\d-\d\d/u) ?? [""];
    if (statuses[date]) throw new ApiError(statuses[date]);
    return sheet(date, { state: "confirmed" });
  };

test("days are confirmed one after the other, each as the user has seen it", async () => {
  /** @type {string[]} */
  const sent = [];
  const days = [sheet(MONDAY), sheet(TUESDAY)];
  const outcome = await setConfirmed(failing({}, sent), "POST", days);
  assert.deepEqual(outcome, { done: days, changed: [], failed: null });
  assert.deepEqual(sent, [
    `POST /api/timesheets/${MONDAY}/confirm/ "${MONDAY}"`,
    `POST /api/timesheets/${TUESDAY}/confirm/ "${TUESDAY}"`,
  ]);
});

test("a reason is sent with each day", async () => {
  /** @type {string[]} */
  const reasons = [];
  /** @type {import("../../web/page/sheets.js").SendDay} */
  const send = async (_method, _path, _etag, reason) => {
    reasons.push(reason);
    return sheet(MONDAY);
  };
  await setConfirmed(send, "DELETE", [sheet(MONDAY), sheet(TUESDAY)], "Forgot one");
  assert.deepEqual(reasons, ["Forgot one", "Forgot one"]);
});

test("a day that has changed is passed over, and a failure ends the confirmation", async () => {
  const days = [MONDAY, TUESDAY, WEDNESDAY, "2026-11-26"].map((date) => sheet(date));
  const { done, changed, failed } = await setConfirmed(
    failing({ [MONDAY]: 412, [WEDNESDAY]: 503 }),
    "POST",
    days,
  );
  assert.deepEqual([done, changed, failed?.day], [[days[1]], [days[0]], days[2]]);
});

test("a day that is open already counts as reopened", async () => {
  const days = [sheet(MONDAY)];
  assert.deepEqual((await setConfirmed(failing({ [MONDAY]: 404 }), "DELETE", days)).done, days);
  assert.equal((await setConfirmed(failing({ [MONDAY]: 404 }), "POST", days)).done.length, 0);
});
