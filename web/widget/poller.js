const POLL_MS = 15_000;
// The longer intervals that apply while the user is inactive and no timer changes, as [inactivity, interval]
// in milliseconds.
const IDLE = [
  [3_600_000, 60_000],
  [600_000, 30_000],
];
const MAX_WAIT_MS = 60_000;

/** Decides when to poll the server. */
export class Poller {
  /** The number of requests that have failed since the last success. */
  failures = 0;
  /** The seconds that the server asked to wait when the last poll failed. */
  retryAfter = 0;
  #poll;
  #activeAt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {() => void} poll */
  constructor(poll) {
    this.#poll = poll;
  }

  /**
   * Record that the user is active, or that a timer has changed.
   *
   * @returns {boolean} whether polling had slowed down
   */
  noteActivity() {
    const wasSlow = this.#interval > POLL_MS;
    this.#activeAt = performance.now();
    return wasSlow;
  }

  /**
   * Schedule the next poll.
   *
   * @param {number} [extra] milliseconds in addition to the interval
   * @param {number} [latest] the longest interval in milliseconds
   */
  schedule(extra = 0, latest = Infinity) {
    this.stop();
    const wait = this.failures
      ? jittered(POLL_MS * 2 ** (this.failures - 1), this.retryAfter)
      : Math.min(this.#interval, latest);
    this.#timer = setTimeout(this.#poll, wait + extra);
  }

  stop() {
    clearTimeout(this.#timer);
  }

  get #interval() {
    const idle = performance.now() - this.#activeAt;
    return IDLE.find(([from]) => idle >= from)?.[1] ?? POLL_MS;
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
