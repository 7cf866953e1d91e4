import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { jittered, Poller } from "../../web/widget/poller.js";
import { FakeBrowser } from "./support/browser.js";

/** @type {FakeBrowser} */
let browser;
/** @type {Poller} */
let poller;
let polls = 0;

beforeEach(() => {
  browser = new FakeBrowser();
  polls = 0;
  poller = new Poller(() => {
    polls += 1;
  });
});

afterEach(() => browser.close());

/** @param {number} ms @param {{isLive?: boolean, extra?: number, latest?: number}} [options] */
async function expectPollAfter(ms, { isLive = false, extra, latest } = {}) {
  polls = 0;
  poller.schedule(isLive, extra, latest);
  await browser.pass(ms - 100);
  assert.equal(polls, 0);
  await browser.pass(200);
  assert.equal(polls, 1);
}

test("the server is polled every 15 seconds", () => expectPollAfter(15_000));

test("a server that sends hints of changes is polled every forty minutes", () =>
  expectPollAfter(2_400_000, { isLive: true }));

test("an extra delay is added to the interval", () => expectPollAfter(17_000, { extra: 2_000 }));

test("a change that is known in advance shortens the interval", () =>
  expectPollAfter(5_000, { isLive: true, latest: 5_000 }));

test("a new schedule replaces the previous one, and stopping cancels it", async () => {
  poller.schedule(false);
  await expectPollAfter(15_000);
  poller.schedule(false);
  poller.stop();
  await browser.pass(60_000);
  assert.equal(polls, 1);
});

for (const [failures, wait] of [
  [1, 15_000],
  [2, 30_000],
  [3, 60_000],
  [9, 60_000],
]) {
  test(`after ${failures} failures, the wait is ${wait / 1_000} seconds`, async () => {
    poller.failures = failures;
    await expectPollAfter(wait, { isLive: true });
  });
}

test("a server that asks to wait is not polled earlier", async () => {
  poller.failures = 1;
  poller.retryAfter = 120;
  await expectPollAfter(120_000);
});

test("waits vary by a quarter at most, and are never shorter than the server asked", () => {
  Math.random = () => 0;
  assert.deepEqual([jittered(10_000), jittered(10_000, 9)], [7_500, 9_000]);
  Math.random = () => 1;
  assert.equal(jittered(10_000), 12_500);
});
