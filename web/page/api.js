// Asking the API, as whom the browser's cookie says.

import { ApiClient, ApiError } from "../widget/api-client.js";
import { text } from "./language.js";

const client = new ApiClient(location.origin);

/**
 * Send a request, and return the answer: status, headers and body.
 *
 * Throws an ApiError whose message is one for people, in its language `lang`.
 */
export async function call(method, path, body, options) {
  try {
    return await client.request(method, path, body, options);
  } catch (error) {
    if (error instanceof ApiError) {
      if (!error.status) error.message = text("noConnection");
      else if (!error.problem.detail && !error.problem.errors) error.message = text("serverAnswered", error);
      else error.lang = "en";
    }
    throw error;
  }
}

/** Return what an address answers. */
export async function get(path, options) {
  return (await call("GET", path, undefined, options)).body;
}

/** Return a page of a list: the next one with something on it, as a search ends a page that takes long without. */
export async function getPage(path, options) {
  let page = await get(path, options);
  while (page.next && !page.results.length) page = await get(page.next, options);
  return page;
}

/** Yield a list's pages one after the other. */
export async function* pages(path) {
  for (let next = path; next; ) {
    const page = await get(next);
    yield page;
    next = page.next;
  }
}
