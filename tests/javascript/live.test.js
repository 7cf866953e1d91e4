// The live connection, over which the server sends hints of changes, as the manager uses it.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { FakeSocket, flush, ORIGIN } from "./support/browser.js";
import { issue, setUp } from "./support/widget.js";

const MINUTE_MS = 60_000;
const LOCK = `issue-timer:live:${ORIGIN}:1`;
const CHANGED = { type: "changed" };
const TICKET = "/api/live/ticket/";

/** @type {Awaited<ReturnType<typeof setUp>>} */
let page;
let hints = 0;

beforeEach(async () => {
  page = await setUp();
  page.browser.enableLocks();
  hints = 0;
  page.manager.addEventListener("hint", () => (hints += 1));
});

afterEach(() => page.tearDown());

/** Connect the manager, and wait until the connection is open and the page has no requests any more. */
async function connect() {
  await page.connect();
  // The first import of the module takes longer than the other tasks.
  await import("../../web/widget/live.js");
  await page.browser.pass(5_000);
  page.server.calls = [];
}

/** The method and the path of the requests since the last call. */
function requests() {
  const made = page.server.calls.map(({ method, path }) => `${method} ${path.replace(/\?.*/, "")}`);
  page.server.calls = [];
  return made;
}

const LIST = "GET /api/timelogs/";
const TOTALS = "GET /api/timelogs/totals/";
const POST_TICKET = `POST ${TICKET}`;

/** @returns {never} */
function loseConnection() {
  throw new TypeError("Failed to fetch");
}

/** Let another tab hold the lock. @returns {Promise<() => void>} a function that closes the tab */
async function openLeader() {
  const { promise, resolve } = /** @type {PromiseWithResolvers<void>} */ (Promise.withResolvers());
  navigator.locks.request(LOCK, {}, () => promise).catch(() => {});
  await flush();
  return resolve;
}

/** @param {any} tab @param {boolean} isConnected @param {number} [hintAge] */
const postConnection = (tab, isConnected, hintAge = Infinity) =>
  tab.postMessage({ type: "connection", isConnected, hintAge });

// ------------------------------------------------------------------ requests

test("after the first list, a page connects with a ticket and asks for the list once more", async () => {
  await page.connect();
  await import("../../web/widget/live.js");
  await page.browser.pass(5_000);
  // The empty list does not contain its user.
  assert.deepEqual(requests(), [LIST, "GET /api/auth/me/", TOTALS, POST_TICKET, LIST]);
  assert.deepEqual(
    FakeSocket.open.map(({ url }) => url),
    ["wss://timer.example.com/live?ticket=1"],
  );
  assert.equal(page.manager.isLive, true);
  assert.equal(hints, 0);
});

test("a correction between the first list and the connection is a hint to all tabs", async () => {
  const tab = page.browser.openLiveTab();
  /** @type {string[]} */
  const messages = [];
  tab.onmessage = ({ data }) => messages.push(data.type);
  page.server.start(7);
  await page.connect();
  page.server.revision += 1;
  await import("../../web/widget/live.js");
  await page.browser.pass(1_000);
  assert.equal(hints, 1);
  assert.equal(messages.at(-1), "changed");
  assert.deepEqual(requests().slice(-2), [LIST, TOTALS]);
  await page.browser.pass(10_000);
  assert.deepEqual([hints, requests()], [1, []]);
});

test("an idle page makes no requests for 39 minutes", async () => {
  page.server.start(7);
  await connect();
  await page.browser.pass(39 * MINUTE_MS);
  assert.deepEqual(requests(), []);
  await page.browser.pass(2 * MINUTE_MS);
  assert.deepEqual(requests(), [LIST]);
});

test("a change shows at once, with a new total of today", async () => {
  await connect();
  page.server.start(7);
  FakeSocket.open[0].receive(CHANGED);
  await flush();
  assert.deepEqual(page.shown, ["7 running"]);
  assert.deepEqual(requests(), [LIST, TOTALS]);
  assert.equal(hints, 1);
});

test("a burst of hints takes one request at once and one afterwards", async () => {
  await connect();
  for (let i = 0; i < 20; i += 1) {
    FakeSocket.open[0].receive(CHANGED);
    await page.browser.pass(40);
  }
  assert.deepEqual(requests(), [LIST, TOTALS]);
  await page.browser.pass(10_000);
  assert.deepEqual(requests(), [LIST, TOTALS]);
});

test("a change of which there is a hint while the list is on its way is requested again", async () => {
  await connect();
  let isFirst = true;
  page.server.intercept = (call) => {
    if (call.path.includes("totals") || !isFirst) return undefined;
    isFirst = false;
    const response = page.server.handle(call);
    return new Promise((resolve) => setTimeout(() => resolve(response), 3_000));
  };
  FakeSocket.open[0].receive(CHANGED);
  await page.browser.pass(1_000);
  page.server.start(7);
  FakeSocket.open[0].receive(CHANGED);
  await page.browser.pass(2_500);
  assert.deepEqual(page.shown, ["7 running"]);
});

test("the effects of an own action are requested with the server's hint", async () => {
  await connect();
  page.manager.start(issue(7));
  await page.browser.pass(500);
  assert.deepEqual(requests(), ["POST /api/timelogs/start/"]);
  FakeSocket.open[0].receive(CHANGED);
  await page.browser.pass(10_000);
  assert.deepEqual(requests(), [LIST, TOTALS]);
});

test("without a hint, the effects of an own action are requested after three seconds", async () => {
  await connect();
  page.manager.start(issue(7));
  await page.browser.pass(2_900);
  assert.deepEqual(requests(), ["POST /api/timelogs/start/"]);
  await page.browser.pass(200);
  assert.deepEqual(requests(), [LIST, TOTALS]);
});

test("after a correction without a connection, the list and the total are requested at once", async () => {
  FakeSocket.isAccepting = false;
  await connect();
  page.manager.expectChange();
  await flush();
  assert.deepEqual(requests(), [LIST, TOTALS]);
});

test("when counting changes by itself, the server is asked soon afterwards", async () => {
  const timer = page.server.start(7, page.server.now - MINUTE_MS);
  timer.counting_changes_at = new Date(page.server.now + 10 * MINUTE_MS).toISOString();
  await connect();
  await page.browser.pass(9 * MINUTE_MS);
  assert.deepEqual(requests(), []);
  page.server.wait(timer, "schedule");
  timer.counting_changes_at = null;
  await page.browser.pass(MINUTE_MS);
  assert.deepEqual(requests(), [LIST, TOTALS]);
});

test("an idle page shows its texts again every minute", async () => {
  const timer = page.server.start(7);
  await connect();
  for (const kind of ["", "pause"]) {
    if (kind) {
      page.server.change(timer, kind);
      FakeSocket.open[0].receive(CHANGED);
      await page.browser.pass(5_000);
      assert.deepEqual(page.shown, ["7 paused"]);
      requests();
    }
    let changes = 0;
    const count = () => (changes += 1);
    page.manager.addEventListener("change", count);
    await page.browser.pass(10 * MINUTE_MS);
    page.manager.removeEventListener("change", count);
    assert.ok(changes >= 9 && changes <= 11, `${changes} changes`);
  }
  assert.deepEqual(requests(), []);
});

// ------------------------------------------------------------------ the connection's life

test("a connection is pinged every nine minutes", async () => {
  await connect();
  const [socket] = FakeSocket.open;
  for (let pings = 1; pings <= 3; pings += 1) {
    await page.browser.pass(540_000);
    assert.deepEqual(socket.sent, new Array(pings).fill('{"type":"ping"}'));
  }
  assert.deepEqual(FakeSocket.all, [socket]);
});

test("a connection that does not reply to two pings is replaced", async () => {
  FakeSocket.isReplying = false;
  page.server.start(7);
  await connect();
  await page.browser.pass(544_000);
  assert.deepEqual([FakeSocket.all.length, FakeSocket.all[0].sent.length], [1, 2]);
  await page.browser.pass(10_000);
  assert.deepEqual(
    FakeSocket.all.map(({ state }) => state),
    ["closed", "open"],
  );
  assert.deepEqual(requests(), [POST_TICKET, LIST, TOTALS]);
});

test("a single ping without a reply is repeated, and the connection is kept", async () => {
  FakeSocket.isReplying = false;
  await connect();
  await page.browser.pass(536_000);
  const [socket] = FakeSocket.open;
  assert.equal(socket.sent.length, 1);
  FakeSocket.isReplying = true;
  await page.browser.pass(MINUTE_MS);
  assert.equal(socket.sent.length, 2);
  assert.deepEqual([FakeSocket.all, page.manager.isLive, requests()], [[socket], true, []]);
});

test("connections without replies are replaced at growing intervals, until one replies", async () => {
  FakeSocket.isReplying = false;
  await connect();
  /** @type {number[]} */
  const waits = [];
  const loseOne = async () => {
    while (FakeSocket.open.length) await page.browser.pass(1_000);
    const at = page.browser.monotonic;
    while (!FakeSocket.open.length) await page.browser.pass(1_000);
    waits.push(Math.floor((page.browser.monotonic - at) / 4_000) * 4);
  };
  for (let i = 0; i < 4; i += 1) await loseOne();
  assert.deepEqual(waits, [4, 8, 16, 32]);
  FakeSocket.isReplying = true;
  await page.browser.pass(10 * MINUTE_MS);
  FakeSocket.isReplying = false;
  await loseOne();
  assert.equal(waits.at(-1), 4);
});

test("a connection is renewed before it ends, and overlaps with the next one", async () => {
  await connect();
  /** @type {string[][]} */
  const states = [];
  for (let seconds = 0; seconds < 6_900; seconds += 5) {
    await page.browser.pass(5_000);
    const state = FakeSocket.all.map((socket) => socket.state);
    if (String(state) !== String(states.at(-1))) states.push(state);
  }
  assert.deepEqual(states, [["open"], ["open", "open"], ["closed", "open"]]);
  assert.deepEqual(requests(), [LIST, LIST, POST_TICKET, LIST]);
  assert.equal(hints, 0);
});

test("while a connection is renewed, hints over both connections count", async () => {
  await connect();
  while (!FakeSocket.all[1]) await page.browser.pass(5_000);
  await page.browser.pass(2_000);
  hints = 0;
  for (const socket of FakeSocket.open) {
    socket.receive(CHANGED);
    await page.browser.pass(2_000);
  }
  assert.equal(hints, 2);
});

test("after the server closes the connection, the page connects again and asks for what it missed", async () => {
  await connect();
  await page.browser.pass(2 * MINUTE_MS);
  page.server.start(7);
  FakeSocket.open[0].drop();
  assert.equal(page.manager.isLive, false);
  await page.browser.pass(6_000);
  assert.equal(page.manager.isLive, true);
  assert.deepEqual(page.shown, ["7 running"]);
  assert.deepEqual(requests(), [POST_TICKET, LIST, TOTALS]);
  assert.equal(hints, 1);
});

test("while connecting fails, the page polls, and tries again at growing intervals", async () => {
  FakeSocket.isAccepting = false;
  /** @type {number[]} */
  const times = [];
  page.server.intercept = ({ path }) => {
    if (path === TICKET) times.push(page.browser.monotonic);
    return undefined;
  };
  await connect();
  await page.browser.pass(MINUTE_MS);
  assert.equal(requests().filter((request) => request === LIST).length, 4);
  await page.browser.pass(200 * MINUTE_MS);
  const waits = times.slice(1).map((time, i) => Math.floor((time - times[i]) / 4_000) * 4);
  assert.deepEqual(waits.slice(0, 12), [4, 8, 16, 32, 64, 128, 256, 512, 1024, 1800, 1800, 1800]);
  FakeSocket.isAccepting = true;
  await page.browser.pass(30 * MINUTE_MS);
  assert.equal(page.manager.isLive, true);
});

for (const [
  what,
  status,
  headers,
  wait,
] of /** @type {[string, number, Record<string, string>, number][]} */ ([
  ["has no such route", 404, {}, 4],
  ["has enough connections", 429, { "Retry-After": "300" }, 300],
  ["fails", 500, {}, 4],
])) {
  test(`if the server ${what}, the page polls and asks again after ${wait} seconds`, async () => {
    page.server.intercept = ({ path }) =>
      path === TICKET ? page.server.respond(status, {}, headers) : undefined;
    await page.connect();
    await import("../../web/widget/live.js");
    await page.browser.pass(1_000);
    page.server.calls = [];
    await page.browser.pass((wait - 2) * 1_000);
    assert.equal(requests().includes(POST_TICKET), false);
    await page.browser.pass(4_000);
    assert.equal(requests().includes(POST_TICKET), true);
    assert.deepEqual([page.manager.isLive, FakeSocket.all.length], [false, 0]);
    assert.equal(page.manager.state.isConnected, true);
  });
}

test("a browser that closes each connection soon is not asked to connect again and again", async () => {
  await connect();
  for (let minutes = 0; minutes < 30; minutes += 1) {
    for (const socket of FakeSocket.open) socket.drop();
    await page.browser.pass(MINUTE_MS);
  }
  assert.ok(FakeSocket.all.length <= 10, `${FakeSocket.all.length} connections`);
});

test("a page without locks polls", async () => {
  Object.defineProperty(navigator, "locks", { value: undefined, configurable: true });
  await connect();
  await page.browser.pass(MINUTE_MS);
  assert.deepEqual(requests(), new Array(4).fill(LIST));
});

test("a network that is back is used at once", async () => {
  await connect();
  page.server.intercept = loseConnection;
  FakeSocket.open[0].drop();
  await page.browser.pass(5 * MINUTE_MS);
  assert.equal(page.manager.isLive, false);
  page.server.intercept = () => undefined;
  page.server.calls = [];
  page.browser.window.dispatchEvent(new Event("online"));
  await flush();
  assert.equal(page.manager.isLive, true);
  assert.equal(page.manager.state.isConnected, true);
});

test("after the machine has slept, the connection is replaced", async () => {
  const timer = page.server.start(7);
  page.server.change(timer, "pause");
  await connect();
  page.browser.setClock(10 * MINUTE_MS);
  await page.browser.pass(MINUTE_MS);
  assert.deepEqual(
    FakeSocket.all.map(({ state }) => state),
    ["closed", "open"],
  );
  assert.equal(hints, 1);
});

test("after the clock was set back by days, a page that is visible again checks its connection", async () => {
  await connect();
  const [socket] = FakeSocket.open;
  page.browser.setHidden(true);
  await page.browser.pass(3 * MINUTE_MS);
  page.browser.setClock(-3 * 24 * 60 * MINUTE_MS);
  page.browser.setHidden(false);
  await flush();
  assert.deepEqual(socket.sent, ['{"type":"ping"}']);
});

test("a clock that was set back by the time that has passed hides nothing", async () => {
  await connect();
  const [socket] = FakeSocket.open;
  page.browser.setHidden(true);
  await page.browser.pass(3 * MINUTE_MS);
  page.browser.setClock(-3 * MINUTE_MS);
  page.browser.setHidden(false);
  await flush();
  assert.deepEqual(socket.sent, ['{"type":"ping"}']);
});

test("after the clock was set back, the connection of a visible page is replaced, as after a sleep", async () => {
  await connect();
  page.browser.setClock(-3 * 24 * 60 * MINUTE_MS);
  await page.browser.pass(MINUTE_MS);
  assert.deepEqual(
    FakeSocket.all.map(({ state }) => state),
    ["closed", "open"],
  );
  await page.browser.pass(5 * MINUTE_MS);
  assert.equal(FakeSocket.all.length, 2);
});

test("a page that the browser keeps for going back has no connection meanwhile", async () => {
  await connect();
  page.browser.window.dispatchEvent(new Event("pagehide"));
  assert.deepEqual(FakeSocket.open, []);
  await openLeader();
  page.browser.window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
  await page.browser.pass(500);
  assert.deepEqual(FakeSocket.open, []);
  // The other tab does not reply.
  await page.browser.pass(1_000);
  assert.equal(FakeSocket.open.length, 1);
});

// ------------------------------------------------------------------ visibility

test("a hidden page keeps the connection for five minutes, and connects when it is visible again", async () => {
  await connect();
  page.browser.setHidden(true);
  await page.browser.pass(299_000);
  assert.equal(FakeSocket.open.length, 1);
  await page.browser.pass(2_000);
  assert.deepEqual([FakeSocket.open.length, page.manager.isLive], [0, false]);
  await page.browser.pass(60 * MINUTE_MS);
  assert.deepEqual(requests(), []);
  page.server.start(7);
  page.browser.setHidden(false);
  await page.browser.pass(1_000);
  assert.deepEqual([FakeSocket.open.length, page.shown], [1, ["7 running"]]);
});

test("a hidden page without a connection does not try to connect", async () => {
  await connect();
  page.browser.setHidden(true);
  FakeSocket.open[0].drop();
  await page.browser.pass(10 * MINUTE_MS);
  assert.deepEqual(requests(), []);
  page.browser.setHidden(false);
  await page.browser.pass(1_000);
  assert.equal(page.manager.isLive, true);
  FakeSocket.isAccepting = false;
  FakeSocket.open[0].drop();
  page.browser.setHidden(true);
  requests();
  await page.browser.pass(10 * MINUTE_MS);
  assert.deepEqual(requests(), []);
});

test("a hidden page keeps the connection while another tab is visible, and passes changes on", async () => {
  await connect();
  const tab = page.browser.openLiveTab();
  /** @type {any[]} */
  const messages = [];
  tab.onmessage = ({ data }) => messages.push(data);
  page.browser.setHidden(true);
  for (let minutes = 0; minutes < 8; minutes += 1) {
    tab.postMessage({ type: "check" });
    await page.browser.pass(MINUTE_MS);
  }
  assert.deepEqual(
    messages.map(({ type, isConnected }) => [type, isConnected]),
    new Array(8).fill(["connection", true]),
  );
  const lists = page.browser.openTab();
  /** @type {any[]} */
  const received = [];
  lists.onmessage = ({ data }) => received.push(data);
  page.server.start(7);
  FakeSocket.open[0].receive(CHANGED);
  await flush();
  assert.deepEqual(messages.at(-1), CHANGED);
  assert.equal(received.find(({ type }) => type === "list").timers.length, 1);
  // The other tab is closed.
  await page.browser.pass(12 * MINUTE_MS);
  assert.deepEqual(FakeSocket.open, []);
});

test("a page that is visible again soon makes one request, and checks an old connection", async () => {
  await connect();
  const [socket] = FakeSocket.open;
  FakeSocket.isReplying = false;
  page.browser.setHidden(true);
  await page.browser.pass(30_000);
  page.browser.setHidden(false);
  await page.browser.pass(1_000);
  assert.deepEqual([requests(), socket.sent], [[LIST], []]);
  page.browser.setHidden(true);
  await page.browser.pass(3 * MINUTE_MS);
  page.browser.setHidden(false);
  await flush();
  assert.deepEqual([requests(), socket.sent], [[LIST], ['{"type":"ping"}']]);
  await page.browser.pass(15_000);
  assert.deepEqual(
    FakeSocket.all.map(({ state }) => state),
    ["closed", "open"],
  );
});

// ------------------------------------------------------------------ other tabs

test("a page neither connects nor polls while another tab is connected", async () => {
  await openLeader();
  const tab = page.browser.openLiveTab();
  tab.onmessage = ({ data }) => data.type === "check" && postConnection(tab, true);
  await connect();
  await page.browser.pass(39 * MINUTE_MS);
  assert.deepEqual([requests(), FakeSocket.all], [[], []]);
  tab.postMessage(CHANGED);
  await flush();
  // The list comes from the other tab.
  assert.deepEqual([requests(), hints], [[], 1]);
});

for (const [when, age, expected] of /** @type {[string, number, number][]} */ ([
  ["since the page was opened", 300, 1],
  ["before", 3_600_000, 0],
])) {
  test(`a new page gets ${expected} hints if the server has sent the last one ${when}`, async () => {
    await openLeader();
    const tab = page.browser.openLiveTab();
    tab.onmessage = ({ data }) => data.type === "check" && postConnection(tab, true, age);
    await connect();
    await page.browser.pass(5 * MINUTE_MS);
    assert.deepEqual([page.manager.isLive, hints], [true, expected]);
  });
}

test("a hidden page gets a hint when another tab connects after a time without a connection", async () => {
  await openLeader();
  const tab = page.browser.openLiveTab();
  tab.onmessage = ({ data }) => data.type === "check" && postConnection(tab, true);
  await connect();
  page.browser.setHidden(true);
  // The other tab is closed.
  postConnection(tab, false);
  await page.browser.pass(60 * MINUTE_MS);
  assert.deepEqual([page.manager.isLive, hints], [false, 0]);
  // A new tab connects, and has no reason to send hints. It posts the connection more than once.
  postConnection(tab, true);
  postConnection(tab, true);
  await flush();
  assert.deepEqual([page.manager.isLive, hints], [true, 1]);
});

test("a tab that connects within five seconds informs the others, and refreshes only its list", async () => {
  const others = page.browser.openLiveTab();
  /** @type {any[]} */
  const messages = [];
  others.onmessage = ({ data }) => messages.push(data);
  await connect();
  const connections = messages.filter(({ type }) => type === "connection");
  assert.deepEqual(
    connections.map(({ isConnected }) => isConnected),
    [false, true],
  );
  assert.equal(hints, 0);
});

test("a page that the browser has kept for going back gets a hint when another tab is connected", async () => {
  await openLeader();
  const tab = page.browser.openLiveTab();
  tab.onmessage = ({ data }) => data.type === "check" && postConnection(tab, true);
  await connect();
  page.browser.window.dispatchEvent(new Event("pagehide"));
  await page.browser.pass(10 * MINUTE_MS);
  page.browser.window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
  await page.browser.pass(500);
  assert.deepEqual([page.manager.isLive, hints], [true, 1]);
});

test("a page polls while the tab with the lock cannot connect", async () => {
  await openLeader();
  const tab = page.browser.openLiveTab();
  tab.onmessage = ({ data }) => data.type === "check" && postConnection(tab, false);
  await connect();
  await page.browser.pass(MINUTE_MS);
  assert.deepEqual([requests().length, FakeSocket.all], [4, []]);
});

test("a page connects at once when the tab with the connection is closed", async () => {
  const close = await openLeader();
  const tab = page.browser.openLiveTab();
  tab.onmessage = ({ data }) => data.type === "check" && postConnection(tab, true);
  await connect();
  await page.browser.pass(10 * MINUTE_MS);
  page.server.start(7);
  close();
  await page.browser.pass(200);
  assert.deepEqual([FakeSocket.open.length, page.shown, hints], [1, ["7 running"], 1]);
  assert.deepEqual(requests(), [POST_TICKET, LIST, TOTALS]);
});

test("a visible page takes over from a tab that does not reply", async () => {
  await openLeader();
  const tab = page.browser.openLiveTab();
  let isFrozen = false;
  tab.onmessage = ({ data }) => !isFrozen && data.type === "check" && postConnection(tab, true);
  await connect();
  isFrozen = true;
  await page.browser.pass(62_000);
  assert.equal(FakeSocket.open.length, 1);
  assert.equal(page.manager.isLive, true);
});

test("a page whose lock is stolen closes its connection and follows the other tab", async () => {
  await connect();
  const tab = page.browser.openLiveTab();
  tab.onmessage = ({ data }) => data.type === "check" && postConnection(tab, true);
  navigator.locks.request(LOCK, { steal: true }, () => new Promise(() => {})).catch(() => {});
  await page.browser.pass(10 * MINUTE_MS);
  assert.deepEqual([FakeSocket.open, page.manager.isLive], [[], true]);
  assert.deepEqual(requests(), []);
  // The page was frozen, and may have missed hints.
  assert.equal(hints, 1);
});

// ------------------------------------------------------------------ users

test("signing out ends the connection", async () => {
  await connect();
  await page.manager.signOut();
  assert.deepEqual(FakeSocket.open, []);
  page.server.calls = [];
  await page.browser.pass(5 * MINUTE_MS);
  assert.deepEqual(requests(), []);
});

test("another user gets another connection", async () => {
  await connect();
  page.server.user = 2;
  await page.manager.refresh();
  await page.browser.pass(1_000);
  assert.equal(FakeSocket.open.length, 1);
  assert.equal(FakeSocket.all.length, 2);
  assert.deepEqual(FakeSocket.all[0].state, "closed");
});

test("a disconnected manager has no connection, and connects again", async () => {
  await connect();
  page.manager.disconnect();
  assert.deepEqual(FakeSocket.open, []);
  await page.browser.pass(60 * MINUTE_MS);
  assert.equal(FakeSocket.all.length, 1);
  await connect();
  assert.equal(FakeSocket.open.length, 1);
});
