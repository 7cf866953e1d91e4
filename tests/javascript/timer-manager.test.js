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
 * Intercept POST requests whose path ends with a text. `respond` receives the number of the request.
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
function loseConnection() {
  throw new TypeError("Failed to fetch");
}

const busy = () => page.server.respond(429, { detail: "Too many changes." }, { "Retry-After": "60" });

test("a manager uses the machine's time until the server responds", async () => {
  assert.equal(page.manager.now, Date.now());
  page.browser.setClock(86_400_000);
  await page.connect();
  assert.ok(Math.abs(page.manager.now - page.server.now) <= 1_000);
});

test("a timer can be started without an issue", async () => {
  await page.connect();
  page.manager.start({ description: "Planning" });
  const [{ github_repo, github_issue_url, description }] = page.manager.state.timers;
  assert.deepEqual([github_repo, github_issue_url, description], [null, null, "Planning"]);
  await flush();
  const [{ body }] = page.server.sent("POST");
  assert.deepEqual(Object.keys(body), ["description", "at"]);
});

test("the server's response says where the issue of a timer is", async () => {
  await page.connect();
  page.manager.start(issue(7));
  const url = () => page.manager.state.timers[0].github_issue_url;
  assert.equal(url(), null);
  await flush();
  assert.equal(url(), "https://octo.ghe.com/octo-org/hello-world/issues/7");
});

test("a manager knows the server's GitHub, also without any timer", async () => {
  await page.connect();
  assert.deepEqual(page.manager.state.timers, []);
  assert.equal(page.manager.state.github, "https://octo.ghe.com");
});

test("actions show immediately, are sent in order and are reported when they are confirmed", async () => {
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

test("an action that is sent later has the time at which it was made", async () => {
  await page.connect();
  page.server.intercept = loseConnection;
  page.manager.start(issue(7));
  const made = page.server.now;
  await page.browser.pass(10_000);
  assert.equal(page.manager.state.isConnected, false);
  page.server.intercept = () => undefined;
  await page.browser.pass(60_000);
  assert.ok(Math.abs(Date.parse(page.server.timers[0].start_time) - made) <= 1_000);
});

test("after a lost response, the same request is sent again with the same key", async () => {
  await page.connect();
  onPost("/start/", (count) => {
    if (count > 2) return undefined;
    page.server.handle(page.server.calls.at(-1) ?? assert.fail());
    return loseConnection();
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
    return loseConnection();
  });
  page.server.intercept = (
    (post) => (call) =>
      post(call) ?? (call.method === "GET" ? loseConnection() : undefined)
  )(page.server.intercept);
  page.manager.start(issue(7));
  for (let minutes = 0; minutes < 5; minutes += 1) await page.browser.pass(60_000);
  const waits = times.slice(1).map((time, i) => Math.round((time - times[i]) / 1_000));
  assert.deepEqual(waits.slice(0, 7), [2, 4, 8, 16, 32, 60, 60]);
});

test("a busy server gets no actions for as long as it asked, even when the widget polls", async () => {
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

test("a busy server is not polled for as long as it asked", async () => {
  await page.connect();
  const { length } = page.server.calls;
  page.server.intercept = () => page.server.respond(503, undefined, { "Retry-After": "120" });
  await page.manager.refresh();
  await page.browser.pass(119_000);
  assert.equal(page.server.calls.length, length + 1);
  page.server.intercept = () => undefined;
  await page.browser.pass(2_000);
  assert.ok(page.server.calls.length > length + 1);
  assert.equal(page.manager.state.isConnected, true);
});

test("an action is reverted after six responses with status 500", async () => {
  await page.connect();
  onPost("/start/", () => page.server.respond(500, { detail: "Out of luck." }));
  for (const number of [7, 8]) {
    page.server.calls = [];
    page.reported.length = 0;
    page.manager.start(issue(number));
    await page.browser.pass(120_000);
    assert.deepEqual(page.shown, []);
    assert.equal(page.server.sent("POST").length, 6);
    const { code, action, error } = page.reported.at(-1);
    assert.deepEqual([code, action, error.message], ["refused", "start", "Out of luck."]);
  }
});

test("lost responses do not count as responses with status 500", async () => {
  await page.connect();
  onPost("/start/", (count) => {
    if (count <= 7) return loseConnection();
    return count === 8 ? page.server.respond(500, { detail: "Out of luck." }) : undefined;
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
  onPost("/start/", () => page.server.respond(400, { detail: "Not on a Sunday." }));
  page.manager.start(issue(7));
  page.manager.pause(page.manager.state.timers[0].id);
  await flush();
  assert.deepEqual(page.shown, []);
  assert.deepEqual(page.browser.stored, []);
  assert.equal(page.server.sent("POST").length, 1);
  assert.deepEqual(
    page.reported.map(({ code, action, error }) => [code, action, error.message]),
    [["refused", "start", "Not on a Sunday."]],
  );
  const keys = messages.filter(({ type }) => type === "pending").map(({ action }) => action.key);
  assert.equal(keys.length, 2);
  assert.deepEqual(
    messages.filter(({ type }) => type === "refused").map(({ key }) => key),
    keys,
  );
});

test("a disconnected manager sends no requests, and continues when it is connected again", async () => {
  for (const isAnswered of [false, true]) {
    await page.connect();
    /** @type {PromiseWithResolvers<void>} */
    const blocked = Promise.withResolvers();
    onPost("/start/", (count) => {
      if (count > 1) return undefined;
      const call = page.server.calls.at(-1) ?? assert.fail();
      return /** @type {any} */ (
        blocked.promise.then(() => (isAnswered ? page.server.handle(call) : loseConnection()))
      );
    });
    page.manager.start(issue(7));
    page.manager.stop(page.manager.state.timers[0].id);
    await flush();
    page.manager.disconnect();
    page.server.calls = [];
    blocked.resolve();
    await page.browser.pass(60_000);
    assert.deepEqual(page.server.calls, []);
    await page.connect();
    await flush();
    assert.deepEqual(page.shown, []);
    assert.equal(page.manager.state.waiting, 0);
    page.manager.disconnect();
  }
});

test("actions deleted with the site's data are neither shown nor sent", async () => {
  await page.connect();
  onPost("/start/", () => loseConnection());
  page.manager.start(issue(7));
  await flush();
  for (const key of Object.keys(page.browser.storage)) page.browser.storage.removeItem(key);
  await page.manager.refresh();
  await page.browser.pass(60_000);
  assert.deepEqual(page.shown, []);
  assert.equal(page.server.sent("POST").length, 1);
});

test("a response that arrives after signing out changes nothing", async () => {
  await page.connect();
  /** @type {PromiseWithResolvers<void>} */
  const blocked = Promise.withResolvers();
  onPost("/start/", () => {
    const call = page.server.calls.at(-1) ?? assert.fail();
    return /** @type {any} */ (blocked.promise.then(() => page.server.handle(call)));
  });
  page.manager.start(issue(7));
  await flush();
  await page.manager.signOut();
  assert.equal(page.manager.state.phase, "signed-out");
  page.server.intercept = () => page.server.respond(401, {});
  blocked.resolve();
  await flush();
  assert.equal(page.manager.state.phase, "signed-out");
  assert.deepEqual(page.shown, []);
});

test("signing out fails without a connection", async () => {
  await page.connect();
  page.server.intercept = loseConnection;
  await page.manager.signOut();
  const [{ code, error }] = page.reported;
  assert.deepEqual([code, error.status], ["failed", 0]);
  assert.equal(page.manager.state.phase, "ready");
});

// ------------------------------------------------------------------ users

test("a pending action is kept for its user when another user has signed in", async () => {
  await page.connect();
  onPost("/start/", () => loseConnection());
  page.manager.start(issue(7));
  await flush();
  page.server.intercept = () => undefined;
  page.server.user = 2;
  // The list is empty for both users.
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
  // Another user signs in, but no tab announces the other user.
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

test("a refusal that arrives after another user has signed in is not shown", async () => {
  await page.connect();
  /** @type {PromiseWithResolvers<Response>} */
  const blocked = Promise.withResolvers();
  page.server.intercept = ({ method }) => (method === "POST" ? blocked.promise : undefined);
  page.manager.start(issue(7));
  await flush();
  page.server.user = 2;
  await page.manager.refresh();
  blocked.resolve(page.server.respond(400, { detail: "Not on a Sunday." }));
  await flush();
  assert.deepEqual(page.reported, []);
  assert.deepEqual(page.browser.stored, []);
});

test("a wait that the server demanded ends when another user signs in", async () => {
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

test("after another tab has announced another user, no action is sent before the server responds", async () => {
  await page.connect();
  /** @type {PromiseWithResolvers<void>} */
  const blocked = Promise.withResolvers();
  page.server.intercept = (call) => {
    if (call.method === "POST") return undefined;
    return /** @type {any} */ (blocked.promise.then(() => page.server.handle(call)));
  };
  page.server.user = 2;
  page.browser.openTab().postMessage({ type: "here", user: 2 });
  await flush();
  page.manager.start(issue(8));
  await flush();
  assert.deepEqual(page.shown, ["8 running"]);
  assert.deepEqual(page.server.sent("POST"), []);
  blocked.resolve();
  await flush();
  assert.deepEqual(page.shown, []);
  assert.deepEqual(page.server.sent("POST"), []);
  assert.deepEqual(
    page.browser.stored.map((action) => action.issue?.github_issue_number),
    [8],
  );
});

test("the response to a request from before another user was announced is ignored", async () => {
  /** @type {PromiseWithResolvers<void>} */
  const blocked = Promise.withResolvers();
  let isFirst = true;
  page.server.intercept = (call) => {
    if (!isFirst) return undefined;
    isFirst = false;
    const response = page.server.handle(call);
    return /** @type {any} */ (blocked.promise.then(() => response));
  };
  page.server.timers.push({ ...page.server.start(9), user: 2 });
  page.server.timers.shift();
  await page.connect();
  page.server.user = 2;
  await page.browser.pass(100);
  page.browser.openTab().postMessage({ type: "here", user: 2 });
  await flush();
  blocked.resolve();
  await flush();
  assert.deepEqual(page.shown, ["9 running"]);
});

test("a tab without a session polls when another tab announces a user", async () => {
  page.server.intercept = () => page.server.respond(401, {});
  await page.connect();
  assert.equal(page.manager.state.phase, "signed-out");
  page.server.intercept = () => undefined;
  page.server.start(7);
  page.browser.openTab().postMessage({ type: "here", user: 1 });
  await flush();
  assert.deepEqual(page.shown, ["7 running"]);
});

test("tabs without a session do not make each other poll", async () => {
  page.server.intercept = () => page.server.respond(401, {});
  await page.connect();
  page.server.calls = [];
  page.browser.openTab().postMessage({ type: "polling" });
  await page.browser.pass(120_000);
  assert.deepEqual(page.server.calls, []);
});

test("an action in an expired session waits until its user has signed in", async () => {
  const timer = page.server.start(7);
  await page.connect();
  page.server.intercept = () => page.server.respond(401, {});
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

test("changes on other devices are not reported as this tab's", async () => {
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

test("an action of another tab shows before the server has responded", async () => {
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

test("a response received by another tab ends the offline state", async () => {
  await page.connect();
  page.server.intercept = loseConnection;
  await page.manager.refresh();
  assert.equal(page.manager.state.isConnected, false);
  const list = { type: "list", user: 1, timers: [], at: page.server.now + 1_000, etag: '"x"' };
  page.browser.openTab().postMessage(list);
  await flush();
  assert.equal(page.manager.state.isConnected, true);
});

test("a tab stops waiting when another tab has sent the pending actions", async () => {
  await page.connect();
  onPost("/start/", () => busy());
  page.manager.start(issue(7));
  await flush();
  const tab = page.browser.openTab();
  const [action] = page.browser.stored;
  const list = { type: "list", user: 1, timers: [], at: page.server.now + 1_000, etag: '"x"' };
  tab.postMessage(list);
  await flush();
  // The server has asked to wait before the pending actions are sent again.
  assert.equal(page.manager.state.isConnected, false);
  for (const key of Object.keys(page.browser.storage)) page.browser.storage.removeItem(key);
  const timer = { ...page.manager.state.timers[0], id: "timer-1" };
  tab.postMessage({ type: "confirmed", user: 1, action, timer, at: page.server.now + 1_000 });
  tab.postMessage({ ...list, timers: [timer], at: page.server.now + 2_000, etag: '"y"' });
  await flush();
  assert.deepEqual([page.manager.state.isConnected, page.manager.state.waiting], [true, 0]);
});

test("a tab polls when it gets a list that its clock shows as outdated", async () => {
  await page.connect();
  page.server.start(7);
  const list = { type: "list", user: 1, timers: [], at: page.server.now - 5_000, etag: '"other"' };
  page.browser.openTab().postMessage(list);
  await flush();
  assert.deepEqual(page.shown, ["7 running"]);
});

test("a timer that is started here and stopped elsewhere disappears with the next poll", async () => {
  await page.connect();
  page.server.intercept = ({ method }) => (method === "GET" ? loseConnection() : undefined);
  page.manager.start(issue(7));
  await flush();
  page.server.change(page.server.timers[0], "stop");
  page.server.intercept = () => undefined;
  await page.manager.refresh();
  await flush();
  assert.deepEqual(page.shown, []);
});

// ------------------------------------------------------------------ polling

test("a minute without changes takes four requests, with empty responses", async () => {
  page.server.start(7);
  await page.connect();
  await page.browser.pass(1_000);
  page.server.calls = [];
  /** @type {number[]} */
  const statuses = [];
  page.server.intercept = (call) => {
    const response = page.server.handle(call);
    statuses.push(response.status);
    return response;
  };
  await page.browser.pass(60_000);
  assert.deepEqual(statuses, [304, 304, 304, 304]);
});

test("a tab does not poll while another tab polls, even if that tab's response is late", async () => {
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

test("a hidden page neither polls nor ticks, and polls as soon as it becomes visible", async () => {
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

test("there are no ticks while no timer runs", async () => {
  const timer = page.server.start(7);
  page.server.change(timer, "pause");
  await page.connect();
  page.manager.addEventListener("tick", () => assert.fail("A tick"));
  await page.browser.pass(5_000);
});

// ------------------------------------------------------------------ time

for (const days of [-1, 1]) {
  test(`a clock that is off by ${days} days when the page is loaded changes no time`, async () => {
    page.browser.setClock(days * 86_400_000);
    page.server.start(7, page.server.now - 600_000);
    await page.connect();
    const [timer] = page.manager.state.timers;
    assert.ok(Math.abs(page.manager.active(timer) - 600) <= 1);
    page.manager.pause(timer.id);
    await flush();
    assert.ok(Math.abs(page.manager.active(page.manager.state.timers[0]) - 600) <= 1);
  });

  test(`setting the clock by ${days} days while a timer runs causes a poll and changes no time`, async () => {
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

test("without a connection, the time of sleep counts until the server responds", async () => {
  page.server.start(7);
  await page.connect();
  page.server.intercept = loseConnection;
  page.browser.setClock(3_600_000);
  await page.browser.pass(2_000);
  assert.ok(Math.abs(page.manager.active(page.manager.state.timers[0]) - 3_602) <= 2);
  page.server.intercept = () => undefined;
  await page.browser.pass(60_000);
  assert.ok(Math.abs(page.manager.active(page.manager.state.timers[0]) - 62) <= 2);
});

test("an action with a time in the future is sent with the time of sending", async () => {
  const timer = page.server.start(7);
  await page.connect();
  page.server.intercept = loseConnection;
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

test("no seconds are lost while the page is hidden", async () => {
  page.server.start(7);
  await page.connect();
  page.server.intercept = loseConnection;
  const before = page.manager.active(page.manager.state.timers[0]);
  const since = page.browser.monotonic;
  page.browser.setHidden(true);
  for (let i = 0; i < 24; i += 1) await page.browser.pass(100_000);
  const passed = (page.browser.monotonic - since) / 1_000;
  assert.ok(Math.abs(page.manager.active(page.manager.state.timers[0]) - before - passed) < 0.01);
});

// ------------------------------------------------------------------ counting

test("the timer that counts is the first, and the others keep their working time", async () => {
  page.server.start(7, page.server.now - 600_000);
  page.server.start(8, page.server.now - 60_000);
  await page.connect();
  const [counting, waiting] = page.manager.state.timers;
  assert.deepEqual([counting.github_issue_number, waiting.waiting_for], [8, "focus"]);
  await page.browser.pass(10_000);
  assert.deepEqual(
    [counting, waiting].map((timer) => Math.round(page.manager.working(timer))),
    [70, 540],
  );
  page.manager.focus(waiting.id);
  const first = () =>
    page.manager.state.timers.map((timer) => [timer.github_issue_number, timer.is_counting]);
  const expected = [
    [7, true],
    [8, false],
  ];
  assert.deepEqual(first(), expected);
  await flush();
  assert.deepEqual(first(), expected);
  assert.deepEqual(
    page.server.sent("POST").map(({ path }) => path),
    [`/api/timelogs/${waiting.id}/focus/`],
  );
  assert.deepEqual(
    page.reported.map(({ action, isOwn }) => [action, isOwn]),
    [["focus", true]],
  );
});

test("keeping a timer counting is sent with the wish for overtime", async () => {
  const timer = page.server.start(7);
  page.server.wait(timer, "schedule");
  await page.connect();
  page.manager.focus(timer.id, true);
  assert.equal(page.manager.state.timers[0].is_counting, true);
  await flush();
  assert.equal(page.server.sent("POST")[0].body.overtime, true);
});

test("counting ends and begins by itself, and the server is asked soon afterwards", async () => {
  const timer = page.server.start(7, page.server.now - 60_000);
  timer.counting_changes_at = new Date(page.server.now + 5_000).toISOString();
  await page.connect();
  page.server.calls = [];
  await page.browser.pass(5_500);
  assert.equal(page.manager.state.timers[0].waiting_for, "schedule");
  assert.equal(page.server.calls.length, 0);
  page.server.wait(timer, "schedule");
  timer.counting_changes_at = new Date(page.server.now + 50_000).toISOString();
  await page.browser.pass(4_000);
  // The new list and, because of it, the new total of today.
  assert.equal(page.server.calls.length, 2);
  assert.equal(page.reported.at(-1).action, "counting");
  page.server.intercept = loseConnection;
  await page.browser.pass(60_000);
  const [shown] = page.manager.state.timers;
  assert.equal(shown.is_counting, true);
  assert.ok(Math.abs(page.manager.working(shown) - 79) <= 2);
});

test("while a timer waits for the next day, polls are as rare as ever", async () => {
  const timer = page.server.start(7);
  page.server.wait(timer, "schedule");
  timer.counting_changes_at = new Date(page.server.now + 50_000_000).toISOString();
  await page.connect();
  await page.browser.pass(1_000);
  page.server.calls = [];
  let ticks = 0;
  page.manager.addEventListener("tick", () => (ticks += 1));
  await page.browser.pass(60_000);
  assert.deepEqual([page.server.calls.length, ticks], [4, 0]);
});

test("another device's switch is reported once, for the timer that counts now", async () => {
  const timer = page.server.start(7);
  page.server.start(8);
  await page.connect();
  page.server.change(timer, "focus");
  await page.browser.pass(15_100);
  assert.deepEqual(
    page.reported.map(({ action, timer: { github_issue_number: number }, isOwn }) => [action, number, isOwn]),
    [["counting", 7, false]],
  );
});

test("the consequences of own actions are not reported as changes made elsewhere", async () => {
  page.server.start(7);
  await page.connect();
  page.manager.start(issue(8));
  await flush();
  page.manager.pause(page.manager.state.timers[0].id);
  await flush();
  page.manager.resume(page.manager.state.timers.find(({ status }) => status === "paused")?.id ?? "");
  await flush();
  page.manager.stop(page.manager.state.timers[0].id);
  await flush();
  assert.deepEqual(
    page.reported.map(({ action, isOwn }) => [action, isOwn]),
    ["start", "pause", "resume", "stop"].map((action) => [action, true]),
  );
  assert.equal(page.manager.state.timers[0].is_counting, true);
});

// ------------------------------------------------------------------ today

test("today's seconds grow with each timer that counts", async () => {
  for (const [policy, seconds] of /** @type {const} */ ([
    ["focus", 610],
    ["parallel", 620],
  ])) {
    page.tearDown();
    page = await setUp();
    page.server.policy = policy;
    page.server.start(7);
    page.server.start(8);
    await page.connect();
    assert.equal(Math.round(page.manager.today ?? 0), 600);
    await page.browser.pass(10_000);
    assert.equal(Math.round(page.manager.today ?? 0), seconds);
  }
});

test("today's seconds stop growing at the end of the working hours", async () => {
  const timer = page.server.start(7);
  timer.counting_changes_at = new Date(page.server.now + 5_000).toISOString();
  await page.connect();
  page.server.intercept = loseConnection;
  await page.browser.pass(20_000);
  assert.equal(Math.round(page.manager.today ?? 0), 605);
});

test("today's seconds are requested again after one, two and three minutes, and with a new list", async () => {
  page.server.intercept = ({ path }) => (path.includes("/totals/") ? loseConnection() : undefined);
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

test("a retry for today's seconds waits for a slow response", async () => {
  let count = 0;
  page.server.intercept = (call) => {
    if (!call.path.includes("/totals/")) return undefined;
    count += 1;
    if (count === 1) return loseConnection();
    return new Promise((resolve) => setTimeout(() => resolve(page.server.handle(call)), 5_000));
  };
  page.server.start(7);
  await page.connect();
  assert.equal(page.manager.today, null);
  await page.browser.pass(64_000);
  assert.equal(count, 2);
  assert.equal(page.manager.today, null);
  await page.browser.pass(10_000);
  assert.equal(count, 2);
  assert.ok(Number(page.manager.today) >= 600);
});

test("a slow response about today that arrives after another user has signed in is ignored", async () => {
  let count = 0;
  page.server.intercept = (call) => {
    if (!call.path.includes("/totals/")) return undefined;
    count += 1;
    const delay = count === 1 ? 40_000 : 5_000;
    const body = { working_duration: count * 1_000, until: new Date(page.server.now).toISOString() };
    return new Promise((resolve) => setTimeout(() => resolve(page.server.respond(200, body)), delay));
  };
  page.server.start(7);
  await page.connect();
  page.server.user = 2;
  page.server.start(8);
  await page.manager.refresh();
  await page.browser.pass(60_000);
  assert.equal(count, 2);
  assert.ok(Number(page.manager.today) >= 2_000);
});
