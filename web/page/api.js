// Requests to the API. The browser's session cookie authenticates them.

import { ApiClient, ApiError } from "../widget/api-client.js";
import { startOf } from "./calendar.js";
import { errorTexts, formats, text } from "./language.js";

/** @import { Day, FieldError, SheetDay, TimerPage } from "./types.d.ts" */

/** @typedef {{headers?: Record<string, string>, signal?: AbortSignal}} Options */

const client = new ApiClient(location.origin);

/**
 * Send a request. After a successful response, dispatch the event "authenticated", and the event "entry-added" if an
 * entry was added.
 *
 * @param {string} method
 * @param {string} path
 * @param {object} [body] sent as JSON
 * @param {Options} [options]
 * @throws {ApiError}
 */
export async function request(method, path, body, options) {
  const response = await client.request(method, path, body, options);
  dispatchEvent(new Event("authenticated"));
  if (method === "POST" && path === "/api/timelogs/") {
    dispatchEvent(new CustomEvent("entry-added", { detail: response.body }));
  }
  return response;
}

/**
 * Send a GET request and return the response's body.
 *
 * @param {string} path
 * @param {Options} [options]
 * @throws {ApiError}
 */
export async function get(path, options) {
  return (await request("GET", path, undefined, options)).body;
}

/**
 * Return a page of a list. Skip empty pages. The server returns an empty page if the server interrupts a long
 * search before any timer was found.
 *
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<TimerPage>}
 * @throws {ApiError}
 */
export async function getPage(path, options) {
  let page = await get(path, options);
  while (page.next && !page.results.length) page = await get(page.next, options);
  return page;
}

/**
 * Yield the pages of a list.
 *
 * @param {string} path
 * @throws {ApiError}
 */
export async function* pages(path) {
  for (let next = path; next; ) {
    const page = await get(next);
    yield page;
    next = page.next;
  }
}

/**
 * Return the HTTP status of a failed request, 0 if the server did not respond, or undefined for another
 * error.
 *
 * @param {unknown} error
 */
export function statusOf(error) {
  return error instanceof ApiError ? error.status : undefined;
}

/**
 * Return the message to show for an error, and the message's language if it differs from the page's language.
 *
 * @param {unknown} error
 * @returns {{message: string, lang?: string}}
 */
export function messageOf(error) {
  if (!(error instanceof ApiError))
    return { message: error instanceof Error ? error.message : String(error) };
  if (!error.status) return { message: text("noConnection") };
  const { code, date } = error.problem;
  if (code === "day_confirmed" && date) return { message: lockedText(date, "confirmed") };
  if (code === "day_locked" && date) return { message: lockedText(date, "locked") };
  if (!error.problem.detail && !error.problem.errors) {
    return { message: text("serverResponded", { status: error.status }) };
  }
  return error.explain(errorTexts);
}

/**
 * Return the message that a confirmed or locked day cannot be changed.
 *
 * @param {Day} day
 * @param {SheetDay["state"]} state
 */
export function lockedText(day, state) {
  return text(state === "locked" ? "dayIsLocked" : "dayIsConfirmed", {
    day: formats.date("longDay", startOf(day)),
  });
}

/**
 * Return the errors of the fields of a request.
 *
 * @param {unknown} error
 * @returns {FieldError[]} empty if the error is not about fields
 */
export function fieldErrors(error) {
  if (!(error instanceof ApiError) || error.status !== 400) return [];
  return (error.problem.errors ?? []).map(({ loc, msg, code }) => {
    // The first part of the path is the part of the request.
    const field = loc.slice(1).join(".");
    const translated = errorTexts[code];
    return translated ? { field, message: translated } : { field, message: msg, lang: "en" };
  });
}
