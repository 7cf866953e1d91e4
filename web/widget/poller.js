const POLL_MS = 15_000;
// The intervals of a user who has been inactive for so long, and nothing has changed.
const IDLE = [
  [3_600_000, 60_000],
  [600_000, 30_000],
];
const MAX_WAIT_MS = 60_000;

/** Decides when to ask the server again. */
export class Poller {
  /** How many requests have failed since the last answer. */
  failures = 0;
  /** The seconds that the server has asked to wait. */
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
   * Note that the user is there, or that a timer changed.
   *
   * @returns {boolean} whether polling had slowed down
   */
  noteActivity() {
    const wasSlow = this.#interval > POLL_MS;
    this.#activeAt = performance.now();
    return wasSlow;
  }

  /** Poll after the interval. @param {number} [extra] milliseconds more */
  schedule(extra = 0) {
    this.stop();
    const wait = this.failures
      ? jittered(POLL_MS * 2 ** (this.failures - 1), this.retryAfter)
      : this.#interval;
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
 * Return how long to wait before a retry: at random, so that clients that failed together do not retry
 * together.
 *
 * @param {number} ms
 * @param {number} [retryAfter] seconds that the server asked to wait
 * @returns {number} milliseconds
 */
export function jittered(ms, retryAfter = 0) {
  return Math.max(Math.min(ms, MAX_WAIT_MS) * (0.75 + Math.random() / 2), retryAfter * 1_000);
}
