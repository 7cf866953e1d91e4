// Requests to the API, signed in by the browser's cookie.

import { ApiClient, ApiError } from "../widget/api-client.js";
import { text } from "./language.js";

/** @import { TimerPage } from "./types.d.ts" */

/** @typedef {{headers?: Record<string, string>, signal?: AbortSignal}} Options */

const client = new ApiClient(location.origin);

/**
 * Send a request.
 *
 * @param {string} method
 * @param {string} path
 * @param {object} [body] sent as JSON
 * @param {Options} [options]
 * @throws {ApiError}
 */
export function request(method, path, body, options) {
  return client.request(method, path, body, options);
}

/**
 * Return the body of the answer to a GET request.
 *
 * @param {string} path
 * @param {Options} [options]
 * @throws {ApiError}
 */
export async function get(path, options) {
  return (await request("GET", path, undefined, options)).body;
}

/**
 * Return a page of a list. Skip empty pages, which a long search ends with before it has found anything.
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
 * Return the HTTP status that a request failed with; 0 without an answer, undefined for other errors.
 *
 * @param {unknown} error
 */
export function statusOf(error) {
  return error instanceof ApiError ? error.status : undefined;
}

/**
 * Return an error's message for people, and its language if that is not the page's.
 *
 * @param {unknown} error
 * @returns {{message: string, lang?: string}}
 */
export function messageOf(error) {
  if (!(error instanceof ApiError))
    return { message: error instanceof Error ? error.message : String(error) };
  if (!error.status) return { message: text("noConnection") };
  if (!error.problem.detail && !error.problem.errors) {
    return { message: text("serverAnswered", { status: error.status }) };
  }
  return { message: error.message, lang: "en" };
}
