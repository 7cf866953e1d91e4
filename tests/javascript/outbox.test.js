import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { Outbox } from "../../web/widget/outbox.js";
import { randomName, storage } from "../../web/widget/storage.js";
import { FakeBrowser } from "./support/browser.js";

/** @type {FakeBrowser} */
let browser;

beforeEach(() => {
  browser = new FakeBrowser();
});

afterEach(() => browser.close());

/** @param {string} key @param {number} at @returns {import("../../web/widget/types.d.ts").Action} */
function action(key, at) {
  return { key, at, kind: "pause", timer: "t", tab: "here" };
}

test("actions are listed by time, in whatever order tabs stored them", () => {
  const outbox = new Outbox("server:1");
  outbox.put(action("b", 1_795_000_000_002));
  new Outbox("server:1").put(action("a", 1_795_000_000_001));
  assert.deepEqual(
    outbox.actions.map(({ key }) => key),
    ["a", "b"],
  );
});

test("storing an action again replaces it", () => {
  const outbox = new Outbox("server:1");
  outbox.put(action("a", 1));
  outbox.put({ ...action("a", 1), timer: "other" });
  assert.deepEqual(outbox.actions, [{ ...action("a", 1), timer: "other" }]);
  outbox.remove(action("a", 1));
  assert.deepEqual(outbox.actions, []);
});

test("each user has separate actions", () => {
  new Outbox("server:1").put(action("a", 1));
  assert.deepEqual(new Outbox("server:2").actions, []);
});

test("a task runs even without locks", async () => {
  let hasRun = false;
  await new Outbox("server:1").runExclusively(async () => {
    hasRun = true;
  });
  assert.equal(hasRun, true);
});

test("a value that does not fit in the browser's storage is kept in memory", () => {
  storage.set("key", "before");
  browser.storage.setItem = () => {
    throw new DOMException("full", "QuotaExceededError");
  };
  storage.set("key", "after");
  assert.equal(storage.get("key"), "after");
  assert.deepEqual(storage.keys("k"), ["key"]);
  storage.remove("key");
  assert.equal(storage.get("key"), null);
});

test("without access to the browser's storage, values are kept in memory", () => {
  Object.defineProperty(globalThis, "localStorage", {
    configurable: true,
    get() {
      throw new DOMException("forbidden", "SecurityError");
    },
  });
  storage.set("key", { a: 1 });
  assert.deepEqual(storage.get("key"), { a: 1 });
  storage.remove("key");
  assert.deepEqual(storage.keys("k"), []);
});

test("a value that is not JSON is ignored", () => {
  browser.storage.setItem("key", "{");
  assert.equal(storage.get("key"), null);
});

test("random names are unique", () => {
  assert.equal(new Set(Array.from({ length: 100 }, randomName)).size, 100);
});
