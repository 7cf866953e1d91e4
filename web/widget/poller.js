// The interval between polls, and the interval while the server sends hints of changes: a hint may be lost, and there is
// none of changed settings of the organization.
const POLL_MS = 15_000;
const LIVE_POLL_MS = 2_400_000;
const MAX_WAIT_MS = 60_000;

/** Decides when to poll the server. */
export class Poller {
  /** The number of requests that have failed since the last success. */
  failures = 0;
  /** The seconds that the server asked to wait when the last poll failed. */
  retryAfter = 0;
  #poll;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {() => void} poll */
  constructor(poll) {
    this.#poll = poll;
  }

  /**
   * Schedule the next poll.
   *
   * @param {boolean} isLive whether the server sends hints of changes
   * @param {number} [extra] milliseconds in addition to the interval
   * @param {number} [latest] the longest interval in milliseconds
   */
  schedule(isLive, extra = 0, latest = Infinity) {
    this.stop();
    const wait = this.failures
      ? jittered(POLL_MS * 2 ** (this.failures - 1), this.retryAfter)
      : Math.min(isLive ? LIVE_POLL_MS : POLL_MS, latest);
    this.#timer = setTimeout(this.#poll, wait + extra);
  }

  stop() {
    clearTimeout(this.#timer);
  }
}

/**
 * Return how long to wait before a retry. The time is random, so that clients do not all retry at the same
 * time after a common failure.
 *
 * @param {number} ms
 * @param {number} [retryAfter] seconds that the server asked to wait
 * @returns {number} milliseconds
 */
export function jittered(ms, retryAfter = 0) {
  return Math.max(Math.min(ms, MAX_WAIT_MS) * (0.75 + Math.random() / 2), retryAfter * 1_000);
}
