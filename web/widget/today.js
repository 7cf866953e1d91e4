import { worked } from "./counting.js";

/** @import { ApiClient } from "./api-client.js" */
/** @import { Countable, Total } from "./types.d.ts" */

const RETRY_MS = 60_000;

/** The working time of a user today, in this machine's time zone. */
export class Today {
  #api;
  /** @type {?Total} */
  #total = null;
  /** The beginning of the day for which the total was requested last. */
  since = 0;
  #requests = 0;
  #failures = 0;
  #retryAt = Infinity;

  /** @param {Pick<ApiClient, "request">} api */
  constructor(api) {
    this.#api = api;
  }

  /** Forget the total, and make a new request due. The response to a request in progress will be ignored. */
  reset() {
    this.#total = null;
    this.since = 0;
    this.#requests += 1;
  }

  /** Adopt a total that another tab has received. @param {Total} total */
  adopt(total) {
    this.#total = total;
  }

  /** @param {number} now @param {Countable[]} timers @returns {?number} null if unknown */
  seconds(now, timers) {
    return this.#total && this.#total.seconds + worked(timers, this.#total.at, now);
  }

  /**
   * Add the time since the last update, before the timers change.
   *
   * @param {number} now
   * @param {Countable[]} timers
   */
  accrue(now, timers) {
    const total = this.#total;
    if (!total) return;
    total.seconds += worked(timers, total.at, now);
    total.at = Math.max(now, total.at);
  }

  /**
   * @param {number} now
   * @returns {boolean} whether to request the total, because a day has begun or a retry is due
   */
  isDue(now) {
    return startOfDay(now) !== this.since || performance.now() >= this.#retryAt;
  }

  /**
   * Request the total.
   *
   * @param {number} now
   * @returns {Promise<?Total | undefined>} null after a failure, undefined if a later request was sent
   */
  async load(now) {
    const request = ++this.#requests;
    const since = (this.since = startOfDay(now));
    // No retry is due while this request is in progress.
    this.#retryAt = Infinity;
    const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
    const query = new URLSearchParams({ since: new Date(since).toISOString(), time_zone: timeZone });
    const total = await this.#api.request("GET", `/api/timelogs/totals/?${query}`).then(
      ({ body }) => ({ since, seconds: body.working_duration, at: Date.parse(body.until) }),
      () => null,
    );
    if (request !== this.#requests) return undefined;
    this.#failures = total ? 0 : this.#failures + 1;
    if (!total) this.#retryAt = performance.now() + this.#failures * RETRY_MS;
    if (total || this.#total?.since !== since) this.#total = total;
    return total;
  }
}

/** @param {number} now */
function startOfDay(now) {
  return new Date(now).setHours(0, 0, 0, 0);
}
