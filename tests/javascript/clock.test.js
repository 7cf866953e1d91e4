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

test("before the first response, the time is this machine's", () => {
  assert.equal(new ServerClock().now(), Date.now());
});

test("a response bounds the time by when its request was sent and when it was received", () => {
  const clock = new ServerClock();
  clock.sync(EPOCH, 1_000, { sent: 900, received: 1_000 });
  // At 1,000 ms, the time is between EPOCH and EPOCH + 1,100 ms. The clock returns the middle of these
  // bounds.
  assert.equal(clock.now(), EPOCH + (0 + 1_100) / 2);
});

test("further responses make the time more precise", () => {
  const clock = new ServerClock();
  clock.sync(EPOCH, 1_000, { sent: 1_000, received: 1_000 });
  clock.sync(EPOCH + 400, 1, { sent: 1_000, received: 1_000 });
  assert.ok(Math.abs(clock.now() - EPOCH - 400) <= 1);
});

test("a response that contradicts earlier ones replaces them", () => {
  const clock = new ServerClock();
  clock.sync(EPOCH, 1_000, { sent: 1_000, received: 1_000 });
  clock.sync(EPOCH + 3_600_000, 1, { sent: 1_000, received: 1_000 });
  assert.ok(Math.abs(clock.now() - EPOCH - 3_600_000) <= 1);
});

test("a response without a timestamp changes nothing", () => {
  const clock = new ServerClock();
  clock.sync(Number.NaN, 1_000, { sent: 1_000, received: 1_000 });
  assert.equal(clock.now(), Date.now());
});

test("the time does not decrease when a response lowers the estimate", () => {
  const clock = new ServerClock();
  clock.sync(EPOCH, 1_000, { sent: 1_000, received: 1_000 });
  const before = clock.now();
  clock.sync(EPOCH, 100, { sent: 1_000, received: 1_000 });
  assert.equal(clock.now(), before);
});

test("small adjustments of this machine's clock are not a jump", () => {
  const clock = new ServerClock();
  browser.setClock(2_000);
  assert.equal(clock.check(), false);
  assert.equal(clock.hasJumped, false);
});

test("a jump is reported once, and lasts until it is ended", () => {
  const clock = new ServerClock();
  browser.setClock(-5_000);
  assert.deepEqual([clock.check(), clock.check()], [true, false]);
  assert.equal(clock.hasJumped, true);
  clock.endJump(true);
  assert.equal(clock.hasJumped, false);
});

for (const [hasResponse, expected] of /** @type {const} */ ([
  [true, 0],
  [false, 3_600_000],
])) {
  test(`an hour of sleep is ${hasResponse ? "not added after" : "added without"} a response`, () => {
    const clock = new ServerClock();
    clock.sync(EPOCH, 0, { sent: 1_000, received: 1_000 });
    browser.setClock(3_600_000);
    clock.check();
    clock.endJump(hasResponse);
    assert.equal(clock.now(), EPOCH + expected);
  });
}

test("a machine clock that was put back does not reduce the server's time", () => {
  const clock = new ServerClock();
  clock.sync(EPOCH, 0, { sent: 1_000, received: 1_000 });
  browser.setClock(-3_600_000);
  clock.check();
  clock.endJump(false);
  assert.equal(clock.now(), EPOCH);
});
