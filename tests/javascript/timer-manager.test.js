import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { flush } from "./support/browser.js";
import { issue, setUp } from "./support/widget.js";

/** @type {Awaited<ReturnType<typeof setUp>>} */
let page;

beforeEach(async () => {
  page = await setUp();
});

afterEach(() => page.tearDown());

/**
 * Make requests whose path ends with a text fail.
 *
 * @param {string} end
 * @param {(count: number) => Response | undefined} respond
 */
function onPost(end, respond) {
  let count = 0;
  page.server.intercept = ({ method, path }) => {
    if (method !== "POST" || !path.endsWith(end)) return undefined;
    count += 1;
    return respond(count);
  };
}

/** @returns {never} */
function lose() {
  throw new TypeError("Failed to fetch");
}

const busy = () => page.server.answer(429, { detail: "Too many changes." }, { "Retry-After": "60" });

test("a manager knows the time before it is connected", async () => {
  assert.equal(page.manager.now, Date.now());
  page.browser.setClock(86_400_000);
  await page.connect();
  assert.ok(Math.abs(page.manager.now - page.server.now) <= 1_000);
});

test("a start needs an issue", async () => {
  await page.connect();
  // @ts-expect-error: the issue is missing.
  assert.throws(() => page.manager.start(), TypeError);
  assert.deepEqual(page.browser.stored, []);
});

test("actions show at once, are sent in order and reported when they are confirmed", async () => {
  await page.connect();
  page.manager.start(issue(7));
  assert.deepEqual(page.shown, ["7 running"]);
  const [{ key }] = page.manager.state.timers;
  page.manager.pause(key);
  assert.deepEqual(page.shown, ["7 paused"]);
  assert.equal(page.manager.state.waiting, 2);
  await flush();
  assert.deepEqual(page.shown, ["7 paused"]);
  assert.equal(page.manager.state.timers[0].key, key);
  assert.equal(page.manager.state.waiting, 0);
  assert.deepEqual(page.browser.stored, []);
  assert.deepEqual(
    page.reported.map(({ action, isOwn }) => [action, isOwn]),
    [
      ["start", true],
      ["pause", true],
    ],
  );
});

test("an action has the time at which it was made, also if it is sent later", async () => {
  await page.connect();
  page.server.intercept = lose;
  page.manager.start(issue(7));
  const made = page.server.now;
  await page.browser.pass(10_000);
  assert.equal(page.manager.state.isConnected, false);
  page.server.intercept = () => undefined;
  await page.browser.pass(60_000);
  assert.ok(Math.abs(Date.parse(page.server.timers[0].start_time) - made) <= 1_000);
});

test("after a lost answer, the same request is sent again with the same key", async () => {
  await page.connect();
  onPost("/start/", (count) => {
    if (count > 2) return undefined;
    page.server.handle(page.server.calls.at(-1) ?? assert.fail());
    return lose();
  });
  page.manager.start(issue(7));
  await flush();
  assert.deepEqual(page.reported, [{ type: "problem", code: "waiting" }]);
  await page.browser.pass(20_000);
  const sent = page.server.sent("POST").map(({ headers, body }) => [headers.get("Idempotency-Key"), body.at]);
  assert.equal(sent.length, 3);
  assert.deepEqual(sent[2], sent[0]);
  assert.equal(page.server.timers.length, 1);
  assert.deepEqual(page.shown, ["7 running"]);
});

test("retries are made at growing intervals of up to about a minute", async () => {
  await page.connect();
  /** @type {number[]} */
  const times = [];
  onPost("/start/", () => {
    times.push(page.browser.monotonic);
    return lose();
  });
  page.server.intercept = (
    (post) => (call) =>
      post(call) ?? (call.method === "GET" ? lose() : undefined)
  )(page.server.intercept);
  page.manager.start(issue(7));
  for (let minutes = 0; minutes < 5; minutes += 1) await page.browser.pass(60_000);
  const waits = times.slice(1).map((time, i) => Math.round((time - times[i]) / 1_000));
  assert.deepEqual(waits.slice(0, 7), [2, 4, 8, 16, 32, 60, 60]);
});

test("a busy server is sent nothing for as long as it asked, also when the widget polls", async () => {
  await page.connect();
  onPost("/start/", (count) => (count === 1 ? busy() : undefined));
  page.manager.start(issue(7));
  await flush();
  await page.manager.refresh();
  await page.manager.refresh();
  await flush();
  assert.equal(page.server.sent("POST").length, 1);
  assert.deepEqual([page.manager.state.isConnected, page.manager.state.isBusy], [false, true]);
  await page.browser.pass(59_000);
  assert.equal(page.server.sent("POST").length, 1);
  await page.browser.pass(2_000);
  assert.equal(page.server.sent("POST").length, 2);
  assert.deepEqual(page.shown, ["7 running"]);
  assert.equal(page.manager.state.isConnected, true);
});

test("a busy server is polled no more for as long as it asked", async () => {
  await page.connect();
  const { length } = page.server.calls;
  page.server.intercept = () => page.server.answer(503, undefined, { "Retry-After": "120" });
  await page.manager.refresh();
  await page.browser.pass(119_000);
  assert.equal(page.server.calls.length, length + 1);
  page.server.intercept = () => undefined;
  await page.browser.pass(2_000);
  assert.ok(page.server.calls.length > length + 1);
  assert.equal(page.manager.state.isConnected, true);
});

test("an action is reverted when the server has answered it with status 500 six times", async () => {
  await page.connect();
  onPost("/start/", () => page.server.answer(500, { detail: "Out of luck." }));
  for (const number of [7, 8]) {
    page.server.calls = [];
    page.reported.length = 0;
    page.manager.start(issue(number));
    await page.browser.pass(120_000);
    assert.deepEqual(page.shown, []);
    assert.equal(page.server.sent("POST").length, 6);
    const { code, action, message } = page.reported.at(-1);
    assert.deepEqual([code, action, message], ["refused", "start", "Out of luck."]);
  }
});

test("lost answers do not count among the six", async () => {
  await page.connect();
  onPost("/start/", (count) => {
    if (count <= 7) return lose();
    return count === 8 ? page.server.answer(500, { detail: "Out of luck." }) : undefined;
  });
  page.manager.start(issue(7));
  await page.browser.pass(600_000);
  assert.deepEqual(page.shown, ["7 running"]);
  assert.equal(page.server.timers.length, 1);
});

test("a refused start reverts the actions that depend on it, in all tabs", async () => {
  await page.connect();
  const tab = page.browser.openTab();
  /** @type {any[]} */
  const messages = [];
  tab.onmessage = ({ data }) => messages.push(data);
  onPost("/start/", () => page.server.answer(400, { detail: "Not on a Sunday." }));
  page.manager.start(issue(7));
  page.manager.pause(page.manager.state.timers[0].id);
  await flush();
  assert.deepEqual(page.shown, []);
  assert.deepEqual(page.browser.stored, []);
  assert.equal(page.server.sent("POST").length, 1);
  assert.deepEqual(
    page.reported.map(({ code, action, message }) => [code, action, message]),
    [["refused", "start", "Not on a Sunday."]],
  );
  const keys = messages.filter(({ type }) => type === "pending").map(({ action }) => action.key);
  assert.equal(keys.length, 2);
  assert.deepEqual(
    messages.filter(({ type }) => type === "refused").map(({ key }) => key),
    keys,
  );
});

test("a disconnected manager sends nothing, and continues when it is connected again", async () => {
  for (const isAnswered of [false, true]) {
    await page.connect();
    /** @type {PromiseWithResolvers<void>} */
    const held = Promise.withResolvers();
    onPost("/start/", (count) => {
      if (count > 1) return undefined;
      const call = page.server.calls.at(-1) ?? assert.fail();
      return /** @type {any} */ (held.promise.then(() => (isAnswered ? page.server.handle(call) : lose())));
    });
    page.manager.start(issue(7));
    page.manager.stop(page.manager.state.timers[0].id);
    await flush();
    page.manager.disconnect();
    page.server.calls = [];
    held.resolve();
    await page.browser.pass(60_000);
    assert.deepEqual(page.server.calls, []);
    await page.connect();
    await flush();
    assert.deepEqual(page.shown, []);
    assert.equal(page.manager.state.waiting, 0);
    page.manager.disconnect();
  }
});

test("actions that are deleted with the browser's data are neither shown nor sent", async () => {
  await page.connect();
  onPost("/start/", () => lose());
  page.manager.start(issue(7));
  await flush();
  for (const key of Object.keys(page.browser.storage)) page.browser.storage.removeItem(key);
  await page.manager.refresh();
  await page.browser.pass(60_000);
  assert.deepEqual(page.shown, []);
  assert.equal(page.server.sent("POST").length, 1);
});

test("an answer that arrives after signing out changes nothing", async () => {
  await page.connect();
  /** @type {PromiseWithResolvers<void>} */
  const held = Promise.withResolvers();
  onPost("/start/", () => {
    const call = page.server.calls.at(-1) ?? assert.fail();
    return /** @type {any} */ (held.promise.then(() => page.server.handle(call)));
  });
  page.manager.start(issue(7));
  await flush();
  await page.manager.signOut();
  assert.equal(page.manager.state.phase, "signed-out");
  page.server.intercept = () => page.server.answer(401, {});
  held.resolve();
  await flush();
  assert.equal(page.manager.state.phase, "signed-out");
  assert.deepEqual(page.shown, []);
});

test("signing out fails without a connection", async () => {
  await page.connect();
  page.server.intercept = lose;
  await page.manager.signOut();
  assert.deepEqual(page.reported, [{ type: "problem", code: "failed", message: "" }]);
  assert.equal(page.manager.state.phase, "ready");
});

// ------------------------------------------------------------------ users

test("a pending action is kept for its user when another one has signed in", async () => {
  await page.connect();
  onPost("/start/", () => lose());
  page.manager.start(issue(7));
  await flush();
  page.server.intercept = () => undefined;
  page.server.user = 2;
  // Neither of the two has timers.
  await page.manager.refresh();
  await page.browser.pass(60_000);
  assert.deepEqual(page.shown, []);
  assert.equal(page.server.sent("POST").length, 1);
  assert.equal(page.browser.stored.length, 1);
  page.server.user = 1;
  await page.manager.refresh();
  await flush();
  assert.equal(page.server.timers[0].user, 1);
  assert.deepEqual(page.shown, ["7 running"]);
});

test("an action that is refused because another user has signed in is kept for its user", async () => {
  await page.connect();
  const timer = page.server.start(7);
  await page.manager.refresh();
  page.reported.length = 0;
  // No tab announces the other user.
  page.server.user = 2;
  page.manager.pause(timer.id);
  await flush();
  assert.deepEqual(page.shown, []);
  assert.deepEqual(
    page.browser.stored.map(({ kind }) => kind),
    ["pause"],
  );
  assert.deepEqual(page.reported, []);
});

test("a refusal that arrives after another user has signed in is not shown to that user", async () => {
  await page.connect();
  /** @type {PromiseWithResolvers<Response>} */
  const held = Promise.withResolvers();
  page.server.intercept = ({ method }) => (method === "POST" ? held.promise : undefined);
  page.manager.start(issue(7));
  await flush();
  page.server.user = 2;
  await page.manager.refresh();
  held.resolve(page.server.answer(400, { detail: "Not on a Sunday." }));
  await flush();
  assert.deepEqual(page.reported, []);
  assert.deepEqual(page.browser.stored, []);
});

test("another user need not wait because the server asked the one before to", async () => {
  await page.connect();
  onPost("/start/", (count) => (count === 1 ? busy() : undefined));
  page.manager.start(issue(7));
  await flush();
  assert.equal(page.manager.state.isConnected, false);
  page.server.user = 2;
  await page.manager.refresh();
  assert.equal(page.manager.state.isConnected, true);
  page.manager.start(issue(8));
  await flush();
  assert.deepEqual(page.shown, ["8 running"]);
});

test("after another tab has announced another user, nothing is sent before the server's answer", async () => {
  await page.connect();
  /** @type {PromiseWithResolvers<void>} */
  const held = Promise.withResolvers();
  page.server.intercept = (call) => {
    if (call.method === "POST") return undefined;
    return /** @type {any} */ (held.promise.then(() => page.server.handle(call)));
  };
  page.server.user = 2;
  page.browser.openTab().postMessage({ type: "here", user: 2 });
  await flush();
  page.manager.start(issue(8));
  await flush();
  assert.deepEqual(page.shown, ["8 running"]);
  assert.deepEqual(page.server.sent("POST"), []);
  held.resolve();
  await flush();
  assert.deepEqual(page.shown, []);
  assert.deepEqual(page.server.sent("POST"), []);
  assert.deepEqual(
    page.browser.stored.map((action) => action.issue?.github_issue_number),
    [8],
  );
});

test("an answer that was sent before another user was announced is not believed", async () => {
  /** @type {PromiseWithResolvers<void>} */
  const held = Promise.withResolvers();
  let isFirst = true;
  page.server.intercept = (call) => {
    if (!isFirst) return undefined;
    isFirst = false;
    const answer = page.server.handle(call);
    return /** @type {any} */ (held.promise.then(() => answer));
  };
  page.server.timers.push({ ...page.server.start(9), user: 2 });
  page.server.timers.shift();
  await page.connect();
  page.server.user = 2;
  await page.browser.pass(100);
  page.browser.openTab().postMessage({ type: "here", user: 2 });
  await flush();
  held.resolve();
  await flush();
  assert.deepEqual(page.shown, ["9 running"]);
});

test("a tab without a session asks when another tab announces a user", async () => {
  page.server.intercept = () => page.server.answer(401, {});
  await page.connect();
  assert.equal(page.manager.state.phase, "signed-out");
  page.server.intercept = () => undefined;
  page.server.start(7);
  page.browser.openTab().postMessage({ type: "here", user: 1 });
  await flush();
  assert.deepEqual(page.shown, ["7 running"]);
});

test("tabs without a session do not make each other ask", async () => {
  page.server.intercept = () => page.server.answer(401, {});
  await page.connect();
  page.server.calls = [];
  page.browser.openTab().postMessage({ type: "polling" });
  await page.browser.pass(120_000);
  assert.deepEqual(page.server.calls, []);
});

test("an action in an expired session waits until its user has signed in", async () => {
  const timer = page.server.start(7);
  await page.connect();
  page.server.intercept = () => page.server.answer(401, {});
  page.manager.pause(timer.id);
  await flush();
  const { phase, isExpired, waiting } = page.manager.state;
  assert.deepEqual([phase, isExpired, waiting], ["signed-out", true, 1]);
  page.server.intercept = () => undefined;
  await page.manager.refresh();
  await flush();
  assert.deepEqual(page.shown, ["7 paused"]);
  assert.equal(page.server.timers[0].status, "paused");
});

// ------------------------------------------------------------------ other tabs and devices

test("changes on other devices are reported as such", async () => {
  await page.connect();
  const timer = page.server.start(7);
  await page.browser.pass(15_100);
  assert.deepEqual(page.shown, ["7 running"]);
  for (const kind of ["pause", "resume", "stop"]) {
    page.server.change(timer, kind);
    await page.browser.pass(15_100);
  }
  assert.deepEqual(page.shown, []);
  assert.deepEqual(
    page.reported.map(({ action, isOwn }) => [action, isOwn]),
    [
      ["start", false],
      ["pause", false],
      ["resume", false],
      ["stop", false],
    ],
  );
});

test("a timer that the own start has paused was not paused elsewhere", async () => {
  const first = page.server.start(7);
  await page.connect();
  // As a stack does whose timers are exclusive.
  onPost("/start/", () => {
    page.server.change(first, "pause", Date.parse(page.server.calls.at(-1)?.body.at));
    return undefined;
  });
  await page.browser.pass(1_000);
  page.manager.start(issue(8));
  await flush();
  assert.deepEqual(page.shown, ["8 running", "7 paused"]);
  assert.deepEqual(
    page.reported.map(({ action, timer, isOwn }) => [action, timer.github_issue_number, isOwn]),
    [
      ["start", 8, true],
      ["pause", 7, true],
    ],
  );
});

test("an action of another tab shows before the server has answered it", async () => {
  const timer = page.server.start(7);
  await page.connect();
  const tab = page.browser.openTab();
  const action = { key: "k", kind: "pause", timer: timer.id, at: page.server.now, tab: "other" };
  tab.postMessage({ type: "pending", user: 1, action });
  await flush();
  assert.deepEqual([page.shown, page.manager.state.waiting], [["7 paused"], 1]);
  tab.postMessage({ type: "refused", user: 1, key: "k" });
  await flush();
  assert.deepEqual([page.shown, page.manager.state.waiting], [["7 running"], 0]);
  tab.postMessage({ type: "pending", user: 1, action });
  const paused = { ...page.manager.state.timers[0], status: "paused", as_of: 0 };
  tab.postMessage({ type: "confirmed", user: 1, action, timer: paused, at: page.server.now });
  await flush();
  assert.deepEqual([page.shown, page.manager.state.waiting], [["7 paused"], 0]);
  assert.deepEqual(
    page.reported.map(({ action: kind, isOwn }) => [kind, isOwn]),
    [["pause", false]],
  );
});

test("an answer that another tab has received shows that there is a connection", async () => {
  await page.connect();
  page.server.intercept = lose;
  await page.manager.refresh();
  assert.equal(page.manager.state.isConnected, false);
  const list = { type: "list", user: 1, timers: [], at: page.server.now + 1_000, etag: '"x"' };
  page.browser.openTab().postMessage(list);
  await flush();
  assert.equal(page.manager.state.isConnected, true);
});

test("a tab that has to wait does not when another tab has sent everything", async () => {
  await page.connect();
  onPost("/start/", () => busy());
  page.manager.start(issue(7));
  await flush();
  const tab = page.browser.openTab();
  const [action] = page.browser.stored;
  const list = { type: "list", user: 1, timers: [], at: page.server.now + 1_000, etag: '"x"' };
  tab.postMessage(list);
  await flush();
  // The server has asked to wait with what is pending.
  assert.equal(page.manager.state.isConnected, false);
  for (const key of Object.keys(page.browser.storage)) page.browser.storage.removeItem(key);
  const timer = { ...page.manager.state.timers[0], id: "timer-1" };
  tab.postMessage({ type: "confirmed", user: 1, action, timer, at: page.server.now + 1_000 });
  tab.postMessage({ ...list, timers: [timer], at: page.server.now + 2_000, etag: '"y"' });
  await flush();
  assert.deepEqual([page.manager.state.isConnected, page.manager.state.waiting], [true, 0]);
});

test("a tab whose clock is ahead of another's asks the server rather than ignore its list", async () => {
  await page.connect();
  page.server.start(7);
  const list = { type: "list", user: 1, timers: [], at: page.server.now - 5_000, etag: '"other"' };
  page.browser.openTab().postMessage(list);
  await flush();
  assert.deepEqual(page.shown, ["7 running"]);
});

test("a timer that was stopped elsewhere before the next poll is not shown", async () => {
  await page.connect();
  page.server.intercept = ({ method }) => (method === "GET" ? lose() : undefined);
  page.manager.start(issue(7));
  await flush();
  page.server.change(page.server.timers[0], "stop");
  page.server.intercept = () => undefined;
  await page.manager.refresh();
  await flush();
  assert.deepEqual(page.shown, []);
});

// ------------------------------------------------------------------ polling

test("an idle minute takes four requests, which are answered without a body", async () => {
  page.server.start(7);
  await page.connect();
  await page.browser.pass(1_000);
  page.server.calls = [];
  /** @type {number[]} */
  const statuses = [];
  page.server.intercept = (call) => {
    const answer = page.server.handle(call);
    statuses.push(answer.status);
    return answer;
  };
  await page.browser.pass(60_000);
  assert.deepEqual(statuses, [304, 304, 304, 304]);
});

test("a tab polls later while another tab does, also when that one's answer takes long", async () => {
  await page.connect();
  const tab = page.browser.openTab();
  page.server.calls = [];
  for (let i = 0; i < 8; i += 1) {
    await page.browser.pass(15_000);
    tab.postMessage({ type: "polling" });
    await flush();
  }
  assert.equal(page.server.calls.length, 1);
  await page.browser.pass(17_100);
  assert.equal(page.server.calls.length, 2);
});

test("a hidden page neither polls nor ticks, and one that becomes visible polls at once", async () => {
  page.server.start(7);
  await page.connect();
  let ticks = 0;
  page.manager.addEventListener("tick", () => (ticks += 1));
  await page.browser.pass(5_100);
  assert.equal(ticks, 5);
  page.browser.setHidden(true);
  page.server.calls = [];
  await page.browser.pass(60_000);
  assert.deepEqual([ticks, page.server.calls.length], [5, 0]);
  page.browser.setHidden(false);
  await flush();
  assert.equal(page.server.calls.length, 1);
});

test("nothing ticks while no timer runs", async () => {
  const timer = page.server.start(7);
  page.server.change(timer, "pause");
  await page.connect();
  page.manager.addEventListener("tick", () => assert.fail("A tick"));
  await page.browser.pass(5_000);
});

test("polling slows down while the user is inactive, until there is a key or a click", async () => {
  await page.connect();
  /** @param {number} ms */
  const requestsIn = async (ms) => {
    page.server.calls = [];
    await page.browser.pass(ms);
    return page.server.calls.length;
  };
  assert.equal(await requestsIn(600_000), 40);
  assert.equal(await requestsIn(60_000), 2);
  await page.browser.pass(2_940_000);
  assert.equal(await requestsIn(300_000), 5);
  page.server.calls = [];
  page.browser.document.dispatchEvent(new Event("keydown"));
  await flush();
  assert.equal(page.server.calls.length, 1);
  assert.equal(await requestsIn(60_000), 4);
});

// ------------------------------------------------------------------ time

for (const days of [-1, 1]) {
  test(`a clock that was set by ${days} days before the page was loaded changes nothing`, async () => {
    page.browser.setClock(days * 86_400_000);
    page.server.start(7, page.server.now - 600_000);
    await page.connect();
    const [timer] = page.manager.state.timers;
    assert.ok(Math.abs(page.manager.active(timer) - 600) <= 1);
    page.manager.pause(timer.id);
    await flush();
    assert.ok(Math.abs(page.manager.active(page.manager.state.timers[0]) - 600) <= 1);
  });

  test(`setting the clock by ${days} days while a timer runs changes nothing but makes a poll`, async () => {
    page.server.start(7, page.server.now - 600_000);
    await page.connect();
    await page.browser.pass(1_500);
    page.server.calls = [];
    page.browser.setClock(days * 86_400_000);
    await page.browser.pass(2_000);
    assert.equal(page.server.sent("GET").length > 0, true);
    assert.ok(Math.abs(page.manager.active(page.manager.state.timers[0]) - 603.5) <= 1);
  });
}

test("without a connection, the time of sleep counts until the server answers", async () => {
  page.server.start(7);
  await page.connect();
  page.server.intercept = lose;
  page.browser.setClock(3_600_000);
  await page.browser.pass(2_000);
  assert.ok(Math.abs(page.manager.active(page.manager.state.timers[0]) - 3_602) <= 2);
  page.server.intercept = () => undefined;
  await page.browser.pass(60_000);
  assert.ok(Math.abs(page.manager.active(page.manager.state.timers[0]) - 62) <= 2);
});

test("the time of an action in the server's future becomes that of sending it", async () => {
  const timer = page.server.start(7);
  await page.connect();
  page.server.intercept = lose;
  page.browser.setClock(86_400_000);
  await page.browser.pass(2_000);
  page.manager.pause(timer.id);
  await flush();
  assert.ok(page.browser.stored[0].at > page.server.now + 80_000_000);
  page.server.intercept = () => undefined;
  await page.browser.pass(60_000);
  const [{ body }] = page.server.sent("POST").slice(-1);
  assert.ok(Math.abs(Date.parse(body.at) - page.server.now) <= 60_000);
  page.manager.resume(timer.id);
  await flush();
  assert.deepEqual(page.shown, ["7 running"]);
});

test("no seconds are lost in a day", async () => {
  page.server.start(7);
  await page.connect();
  page.server.intercept = lose;
  const before = page.manager.active(page.manager.state.timers[0]);
  const since = page.browser.monotonic;
  page.browser.setHidden(true);
  for (let i = 0; i < 24; i += 1) await page.browser.pass(100_000);
  const passed = (page.browser.monotonic - since) / 1_000;
  assert.ok(Math.abs(page.manager.active(page.manager.state.timers[0]) - before - passed) < 0.01);
});

// ------------------------------------------------------------------ today

test("today's seconds grow with each running timer", async () => {
  page.server.start(7);
  page.server.start(8);
  await page.connect();
  assert.equal(Math.round(page.manager.today ?? 0), 600);
  await page.browser.pass(10_000);
  assert.equal(Math.round(page.manager.today ?? 0), 620);
});

test("today's seconds are asked for again after one minute, two, three, and with a new list", async () => {
  page.server.intercept = ({ path }) => (path.includes("/totals/") ? lose() : undefined);
  await page.connect();
  assert.equal(page.manager.today, null);
  const requests = () => page.server.calls.filter(({ path }) => path.includes("/totals/")).length;
  const counts = [];
  for (let minutes = 0; minutes <= 6; minutes += 1) {
    counts.push(requests());
    await page.browser.pass(61_000);
  }
  assert.deepEqual(counts, [1, 2, 2, 3, 3, 3, 4]);
  const before = requests();
  page.server.start(7);
  await page.browser.pass(15_100);
  assert.equal(requests(), before + 1);
  page.server.intercept = () => undefined;
  await page.browser.pass(600_000);
  assert.notEqual(page.manager.today, null);
});
