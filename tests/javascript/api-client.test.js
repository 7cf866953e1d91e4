import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { ApiClient, ApiError } from "../../web/widget/api-client.js";
import { EPOCH, FakeBrowser, flush, ORIGIN } from "./support/browser.js";

const OTHER = "https://other.example.com";
const KEY = `issue-timer:session:${OTHER}`;
const HOUR = 3_600_000;

/** @type {FakeBrowser} */
let browser;
/** @type {{url: URL, options: RequestInit & {headers: Record<string, string>}}[]} */
let requests;
/** @type {(url: URL) => Response | Promise<Response>} */
let respond;

beforeEach(() => {
  browser = new FakeBrowser();
  requests = [];
  respond = () => responseOf(200, {});
  mock.method(globalThis, "fetch", (/** @type {URL} */ url, /** @type {any} */ options) => {
    requests.push({ url, options });
    return Promise.resolve().then(() => respond(url));
  });
});

afterEach(() => browser.close());

/** @param {number} status @param {unknown} [body] @param {Record<string, string>} [headers] */
function responseOf(status, body, headers = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return new Response([204, 304].includes(status) ? null : text, {
    status,
    headers: { Date: new Date(EPOCH).toUTCString(), ...headers },
  });
}

/**
 * @param {number} status
 * @param {unknown} [body]
 * @param {Record<string, string>} [headers]
 * @returns {Promise<ApiError>}
 */
async function failure(status, body, headers) {
  respond = () => responseOf(status, body, headers);
  try {
    await new ApiClient(ORIGIN).request("GET", "/api/health/");
  } catch (error) {
    assert.ok(error instanceof ApiError);
    return error;
  }
  return assert.fail("No error");
}

/** @param {number} expires */
function storeSession(expires) {
  browser.storage.setItem(KEY, JSON.stringify({ token: "secret", expires }));
}

const session = () => JSON.parse(browser.storage.getItem(KEY));

test("a request sends its body as JSON, and returns the response with its times", async () => {
  respond = () => responseOf(200, { id: 1 });
  const { status, body, sent, received } = await new ApiClient(ORIGIN).request("POST", "/api/x/", { a: 1 });
  assert.deepEqual([status, body], [200, { id: 1 }]);
  assert.ok(sent <= received);
  const [{ url, options }] = requests;
  assert.equal(url.href, `${ORIGIN}/api/x/`);
  assert.deepEqual([options.method, options.body], ["POST", '{"a":1}']);
  assert.equal(options.headers["Content-Type"], "application/json");
});

test("a response without a body, or with a body that is not JSON, has no body", async () => {
  const client = new ApiClient(ORIGIN);
  for (const response of [responseOf(304), responseOf(204), responseOf(200, "<html>")]) {
    respond = () => response;
    assert.equal((await client.request("GET", "/api/x/")).body, undefined);
  }
});

test("only conditional requests use force-cache, which avoids a preflight", async () => {
  const client = new ApiClient(ORIGIN);
  await client.request("GET", "/api/x/", undefined, { headers: { "If-None-Match": '"1"' } });
  await client.request("GET", "/api/x/");
  assert.deepEqual(
    requests.map(({ options }) => options.cache),
    ["force-cache", "default"],
  );
});

test("an error has the server's message or, without one, the status", async () => {
  assert.equal((await failure(400, { detail: "Not on a Sunday." })).message, "Not on a Sunday.");
  const errors = [
    { loc: ["body"], msg: "One." },
    { loc: ["body"], msg: "Two." },
  ];
  assert.equal((await failure(422, { errors })).message, "One. Two.");
  assert.equal((await failure(502, "<html>")).message, "HTTP 502");
});

test("an error is explained in the language of the texts or, without a text, in English", async () => {
  const texts = { busy: "Ausgelastet.", required: "Fehlt.", too_long: "Zu lang." };
  const busy = await failure(429, { detail: "Busy.", code: "busy" });
  assert.deepEqual(busy.explain(texts), { message: "Ausgelastet." });
  assert.deepEqual(busy.explain({}), { message: "Busy.", lang: "en" });
  const fields = (/** @type {string[]} */ ...codes) => ({
    detail: "Invalid.",
    code: "busy",
    errors: codes.map((code) => ({ loc: ["body"], msg: `${code}!`, code })),
  });
  const known = await failure(400, fields("required", "too_long"));
  assert.deepEqual(known.explain(texts), { message: "Fehlt. Zu lang." });
  const partly = await failure(400, fields("required", "unheard_of"));
  assert.deepEqual(partly.explain(texts), { message: "required! unheard_of!", lang: "en" });
  assert.deepEqual((await failure(502, "<html>")).explain(texts), { message: "HTTP 502", lang: "en" });
});

test("errors are temporary unless the same request would fail again", async () => {
  for (const status of [408, 429, 500, 503]) assert.equal((await failure(status)).isTemporary, true);
  for (const status of [400, 401, 403, 404, 409]) assert.equal((await failure(status)).isTemporary, false);
  assert.equal(new ApiError(0).isTemporary, true);
});

test("a failed connection is an error with status 0", async () => {
  respond = () => {
    throw new TypeError("Failed to fetch");
  };
  await assert.rejects(new ApiClient(ORIGIN).request("GET", "/api/x/"), { status: 0, isTemporary: true });
});

for (const [value, seconds] of /** @type {const} */ ([
  ["4", 4],
  [new Date(EPOCH + 60_000).toUTCString(), 60],
  ["7200", 3_600],
  ["-1", 0],
  ["soon", 0],
])) {
  test(`Retry-After "${value}" is ${seconds} seconds`, async () => {
    assert.equal((await failure(503, {}, { "Retry-After": value })).retryAfter, seconds);
  });
}

test("without Retry-After, the time to wait is 0", async () => {
  assert.equal((await failure(503)).retryAfter, 0);
});

test("on the server's own pages, requests carry no session: the cookie authenticates them", async () => {
  storeSession(EPOCH + HOUR);
  const client = new ApiClient(ORIGIN);
  assert.deepEqual([client.isEmbedded, client.maySucceed], [false, true]);
  await client.request("GET", "/api/x/");
  assert.equal("Authorization" in requests[0].options.headers, false);
});

test("on another site, the session authenticates requests, and is sent only to its server", async () => {
  const client = new ApiClient(OTHER);
  assert.deepEqual([client.isEmbedded, client.maySucceed], [true, false]);
  storeSession(EPOCH + HOUR);
  assert.equal(client.maySucceed, true);
  await client.request("GET", "/api/x/");
  await client.request("GET", `${ORIGIN}/api/x/`);
  assert.deepEqual(
    requests.map(({ options }) => options.headers.Authorization),
    ["Bearer secret", undefined],
  );
});

test("a session that the server refuses is deleted, unless a new one has replaced it", async () => {
  const client = new ApiClient(OTHER);
  storeSession(EPOCH + HOUR);
  respond = () => {
    browser.storage.setItem(KEY, JSON.stringify({ token: "new", expires: EPOCH + HOUR }));
    return responseOf(401, {});
  };
  await assert.rejects(client.request("GET", "/api/x/"), { status: 401 });
  assert.equal(session().token, "new");
  respond = () => responseOf(401, {});
  await assert.rejects(client.request("GET", "/api/x/"), { status: 401 });
  assert.equal(client.maySucceed, false);
});

test("a session is renewed in its last 45 minutes", async () => {
  const client = new ApiClient(OTHER);
  const expires = new Date(EPOCH + HOUR).toISOString();
  respond = ({ pathname }) =>
    responseOf(200, pathname === "/api/auth/session/" ? { session: "renewed", expires } : {});
  storeSession(EPOCH + 46 * 60_000);
  await client.request("GET", "/api/x/");
  await flush();
  assert.equal(session().token, "secret");
  storeSession(EPOCH + 44 * 60_000);
  await client.request("GET", "/api/x/");
  await flush();
  assert.deepEqual(session(), { token: "renewed", expires: EPOCH + HOUR });
});

test("a renewed session does not replace the session of a later sign-in", async () => {
  const client = new ApiClient(OTHER);
  storeSession(EPOCH + 10 * 60_000);
  respond = ({ pathname }) => {
    if (pathname !== "/api/auth/session/") return responseOf(200, {});
    browser.storage.setItem(KEY, JSON.stringify({ token: "other", expires: EPOCH + HOUR }));
    return responseOf(200, { session: "renewed", expires: new Date(EPOCH + HOUR).toISOString() });
  };
  await client.request("GET", "/api/x/");
  await flush();
  assert.equal(session().token, "other");
});

test("signing out deletes the session only after the server has ended it", async () => {
  const client = new ApiClient(OTHER);
  storeSession(EPOCH + HOUR);
  respond = () => {
    throw new TypeError("Failed to fetch");
  };
  await assert.rejects(client.signOut());
  assert.equal(client.maySucceed, true);
  respond = () => responseOf(204);
  await client.signOut();
  assert.equal(client.maySucceed, false);
});

test("an aborted request rejects with the reason of the signal", async () => {
  const controller = new AbortController();
  controller.abort(new Error("Enough"));
  respond = () => {
    throw new TypeError("aborted");
  };
  const { signal } = controller;
  const request = new ApiClient(ORIGIN).request("GET", "/api/x/", undefined, { signal });
  await assert.rejects(request, { message: "Enough" });
});
