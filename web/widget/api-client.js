import { storage } from "./storage.js";

/** @import { ApiResponse, Session } from "./types.d.ts" */

const TIMEOUT_MS = 30_000;
const RENEW_BEFORE_MS = 45 * 60_000;

/** The server has responded with an error, or has not responded. Without a response, the status is 0. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {{detail?: string, code?: string, date?: string, errors?: {loc: (string|number)[], msg: string, code: string}[]}} [problem]
   *   as in RFC 9457
   * @param {number} [retryAfter] seconds
   */
  constructor(status, problem = {}, retryAfter = 0) {
    super(problem.errors?.map(({ msg }) => msg).join(" ") || problem.detail || `HTTP ${status}`);
    this.status = status;
    this.problem = problem;
    this.retryAfter = retryAfter;
  }

  /**
   * Return the message in the language of the texts or, if a text is missing, in English.
   *
   * @param {Record<string, string>} texts the translations by code
   * @returns {{message: string, lang?: "en"}}
   */
  explain(texts) {
    const { errors, code = "" } = this.problem;
    const found = errors ? errors.map((error) => texts[error.code]) : [texts[code]];
    if (found.every(Boolean)) return { message: found.join(" ") };
    return { message: this.message, lang: "en" };
  }

  /** Whether the same request may succeed if it is sent again later. */
  get isTemporary() {
    return !this.status || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

/**
 * Sends requests as the user. On the server's own pages, the browser's cookie authorizes requests. On other
 * sites, a session from the sign-in popup authorizes them (docs/security.md).
 */
export class ApiClient {
  #isRenewing = false;

  /** @param {string} [server] Issue Timer's origin; by default the origin of this module */
  constructor(server = import.meta.url) {
    this.server = new URL(server, location.href).origin;
    this.isEmbedded = this.server !== location.origin;
    this.sessionKey = `issue-timer:session:${this.server}`;
  }

  /** Whether requests may be authorized. On another site, requests need a session. */
  get maySucceed() {
    return !this.isEmbedded || storage.get(this.sessionKey) !== null;
  }

  /**
   * Send a request.
   *
   * @param {string} method
   * @param {string} path a path with its query, or a URL of the server, such as the `next` of a page
   * @param {object} [body] sent as JSON
   * @param {{headers?: Record<string, string>, signal?: AbortSignal}} [options]
   * @returns {Promise<ApiResponse>} the response, which may be a 304
   * @throws {ApiError}
   */
  async request(method, path, body, { headers = {}, signal } = {}) {
    const url = new URL(path, this.server);
    /** @type {?Session} */
    const session = this.isEmbedded && url.origin === this.server ? storage.get(this.sessionKey) : null;
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    const sent = performance.now();
    let response, text;
    try {
      response = await fetch(url, {
        method,
        headers: {
          ...(session && { Authorization: `Bearer ${session.token}` }),
          ...(body && { "Content-Type": "application/json" }),
          ...headers,
        },
        body: body && JSON.stringify(body),
        // With "force-cache", Chromium sends no preflight before a conditional request. Nothing is cached,
        // because responses are no-store.
        cache: "If-None-Match" in headers ? "force-cache" : "default",
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
      text = await response.text();
    } catch {
      signal?.throwIfAborted();
      throw new ApiError(0);
    }
    const received = performance.now();
    const parsed = parse(text);
    if (!response.ok && response.status !== 304) {
      // Remove the session only if it was used for this request. The user may have signed in again during the
      // request.
      if (response.status === 401 && session?.token === storage.get(this.sessionKey)?.token) {
        storage.remove(this.sessionKey);
      }
      throw new ApiError(response.status, parsed, retryAfter(response.headers));
    }
    if (session) this.#renew(session, dateOf(response.headers));
    return { status: response.status, body: parsed, headers: response.headers, sent, received };
  }

  /**
   * Load the sign-in module before the user clicks, because browsers allow a popup only right after a
   * click.
   */
  prepareSignIn() {
    if (this.isEmbedded) import("./popup.js").catch(() => {});
  }

  /**
   * Sign the user in. On the server's own pages, navigate to GitHub and back. On another site, open a popup,
   * and wait for the session from the popup.
   *
   * @param {AbortSignal} [signal] ends the wait
   */
  async signIn(signal) {
    if (!this.isEmbedded) {
      const { pathname, search, hash } = location;
      // The address is absolute, because the page may have a <base>.
      location.assign(
        `${this.server}/api/auth/login/?${new URLSearchParams({ next: pathname + search + hash })}`,
      );
      return new Promise(() => {});
    }
    const { sessionOfPopup } = await import("./popup.js");
    storage.set(this.sessionKey, await sessionOfPopup(this.server, signal));
  }

  /** Sign out on this device. */
  async signOut() {
    await this.request("POST", "/api/auth/logout/");
    storage.remove(this.sessionKey);
  }

  /**
   * Renew a session that expires within 45 minutes.
   *
   * @param {Session} session
   * @param {number} now by the server's clock, in milliseconds since the epoch
   */
  async #renew({ token, expires }, now) {
    if (this.#isRenewing || !(expires - now < RENEW_BEFORE_MS)) return;
    this.#isRenewing = true;
    try {
      const { body } = await this.request("POST", "/api/auth/session/");
      // Store the new session only if no user has signed out or in during the request.
      if (storage.get(this.sessionKey)?.token === token) {
        storage.set(this.sessionKey, { token: body.session, expires: Date.parse(body.expires) });
      }
    } catch {
      // Ignore a failure. The session is still valid, and the next request tries the renewal again.
    } finally {
      this.#isRenewing = false;
    }
  }
}

/**
 * @param {Headers} headers
 * @returns {number} milliseconds since the epoch; NaN if the header is missing
 */
export function dateOf(headers) {
  return Date.parse(headers.get("Date") ?? "");
}

/**
 * @param {Headers} headers
 * @returns {number} seconds, at most an hour; 0 if the header is missing. The header contains seconds or a
 *   date (RFC 9110, section 10.2.3)
 */
function retryAfter(headers) {
  const value = headers.get("Retry-After") ?? "";
  const seconds = Number(value) || (Date.parse(value) - dateOf(headers)) / 1_000;
  return Math.min(Math.max(0, seconds || 0), 3_600);
}

/** @param {string} text */
function parse(text) {
  try {
    return text ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}
