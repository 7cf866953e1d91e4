// The limit of a routine adjustment of a machine's clock. A larger change means that the clock was set or
// that the machine slept.
const MAX_DRIFT_MS = 2_000;
/** The largest difference between two tabs' estimates of the server's time. */
export const MAX_SKEW_MS = 1_000;

/**
 * The server's time, independent of this machine's clock. The time is estimated from the server's responses,
 * and advanced by `performance.now()`, which cannot be set.
 *
 * The server creates a response after the request was sent and before the response is received. The timestamp
 * of the response therefore gives a lower and an upper bound of the offset of the server's clock from
 * `performance.now()`. Further responses narrow the bounds.
 */
export class ServerClock {
  /** The milliseconds that this machine's clock has gained on `performance.now()` since `endJump`. */
  jump = 0;
  #least = -Infinity;
  #most = Infinity;
  #latest = 0;
  #wall = wallAhead();

  /**
   * Narrow the bounds by the timestamp of a response.
   *
   * @param {number} time the timestamp, in milliseconds since the epoch
   * @param {number} precision how much later than the timestamp the response may have been created, in
   *   milliseconds
   * @param {{sent: number, received: number}} response
   */
  sync(time, precision, { sent, received }) {
    if (Number.isNaN(time)) return;
    const least = time - received;
    const most = time + precision - sent;
    this.#least = Math.max(this.#least, least);
    this.#most = Math.min(this.#most, most);
    if (this.#least <= this.#most) return;
    // If the bounds contradict each other, discard the earlier bounds. A clock was set, or
    // `performance.now()` stopped while the machine slept.
    [this.#least, this.#most, this.#latest] = [least, most, 0];
  }

  /**
   * Return the server's time in milliseconds since the epoch. Before the first response, return this
   * machine's time.
   *
   * The time decreases only if a clock was set.
   */
  now() {
    if (this.#least === -Infinity) return Date.now();
    this.#latest = Math.max(this.#latest, (this.#least + this.#most) / 2 + performance.now());
    return this.#latest;
  }

  /**
   * Update `jump`.
   *
   * @returns {boolean} whether this machine slept, or its clock was set, since the last call
   */
  check() {
    const jump = wallAhead() - this.#wall;
    this.#wall += jump;
    this.jump += jump;
    return Math.abs(jump) > MAX_DRIFT_MS;
  }

  /** Whether this machine slept, or its clock was set, since `endJump`. */
  get hasJumped() {
    return Math.abs(this.jump) > MAX_DRIFT_MS;
  }

  /**
   * End a jump of this machine's clock. If the server did not respond, assume that the machine slept, and add
   * the time of the sleep to the server's time.
   *
   * @param {boolean} hasResponse
   */
  endJump(hasResponse) {
    if (!hasResponse && this.jump > MAX_DRIFT_MS) {
      this.#least += this.jump;
      this.#most += this.jump;
    }
    this.jump = 0;
  }
}

function wallAhead() {
  return Date.now() - performance.now();
}
