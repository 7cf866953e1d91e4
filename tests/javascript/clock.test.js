import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { ServerClock } from "../../web/widget/clock.js";
import { EPOCH, FakeBrowser } from "./support/browser.js";

/** @type {FakeBrowser} */
let browser;

beforeEach(() => {
  browser = new FakeBrowser();
});

afterEach(() => browser.close());

test("before the first answer, the time is this machine's", () => {
  assert.equal(new ServerClock().now(), Date.now());
});

test("an answer bounds the time by when it was sent and received", () => {
  const clock = new ServerClock();
  clock.sync(EPOCH, 1_000, { sent: 900, received: 1_000 });
  // Between EPOCH at 1,000 ms and EPOCH + 1 s at 900 ms.
  assert.equal(clock.now(), EPOCH + (0 + 1_100) / 2);
});

test("further answers make the time more precise", () => {
  const clock = new ServerClock();
  clock.sync(EPOCH, 1_000, { sent: 1_000, received: 1_000 });
  clock.sync(EPOCH + 400, 1, { sent: 1_000, received: 1_000 });
  assert.ok(Math.abs(clock.now() - EPOCH - 400) <= 1);
});

test("an answer that contradicts earlier ones replaces them", () => {
  const clock = new ServerClock();
  clock.sync(EPOCH, 1_000, { sent: 1_000, received: 1_000 });
  clock.sync(EPOCH + 3_600_000, 1, { sent: 1_000, received: 1_000 });
  assert.ok(Math.abs(clock.now() - EPOCH - 3_600_000) <= 1);
});

test("an answer without a time changes nothing", () => {
  const clock = new ServerClock();
  clock.sync(Number.NaN, 1_000, { sent: 1_000, received: 1_000 });
  assert.equal(clock.now(), Date.now());
});

test("the time does not go back when an answer lowers the estimate", () => {
  const clock = new ServerClock();
  clock.sync(EPOCH, 1_000, { sent: 1_000, received: 1_000 });
  const before = clock.now();
  clock.sync(EPOCH, 100, { sent: 1_000, received: 1_000 });
  assert.equal(clock.now(), before);
});

test("small adjustments of this machine's clock are no jump", () => {
  const clock = new ServerClock();
  browser.setClock(2_000);
  assert.equal(clock.check(), false);
  assert.equal(clock.hasJumped, false);
});

test("a jump is noticed once, and lasts until it is settled", () => {
  const clock = new ServerClock();
  browser.setClock(-5_000);
  assert.deepEqual([clock.check(), clock.check()], [true, false]);
  assert.equal(clock.hasJumped, true);
  clock.settle(true);
  assert.equal(clock.hasJumped, false);
});

for (const [isAnswered, expected] of /** @type {const} */ ([
  [true, 0],
  [false, 3_600_000],
])) {
  test(`an hour of sleep ${isAnswered ? "is the server's to tell" : "counts without an answer"}`, () => {
    const clock = new ServerClock();
    clock.sync(EPOCH, 0, { sent: 1_000, received: 1_000 });
    browser.setClock(3_600_000);
    clock.check();
    clock.settle(isAnswered);
    assert.equal(clock.now(), EPOCH + expected);
  });
}

test("a clock that was put back does not take time away", () => {
  const clock = new ServerClock();
  clock.sync(EPOCH, 0, { sent: 1_000, received: 1_000 });
  browser.setClock(-3_600_000);
  clock.check();
  clock.settle(false);
  assert.equal(clock.now(), EPOCH);
});
