// A wall clock is adjusted by less than this all the time. More means that it was set, or that the machine
// slept.
const MAX_DRIFT_MS = 2_000;
/** The most that the estimates of the server's time differ between two tabs. */
export const MAX_SKEW_MS = 1_000;

/**
 * The server's time, whatever this machine's clock says: derived from the server's answers, and continued by
 * `performance.now()`, which cannot be set.
 *
 * Each answer was made between two moments here and states, with some precision, the time there. These are
 * bounds of the difference of both clocks; further answers narrow them.
 */
export class ServerClock {
  /** By how many milliseconds this machine's clock went ahead of `performance.now()` since `settle`. */
  jump = 0;
  #least = -Infinity;
  #most = Infinity;
  #latest = 0;
  #wall = wallAhead();

  /**
   * Synchronize with an answer.
   *
   * @param {number} time milliseconds since the epoch, there
   * @param {number} precision by how many milliseconds it may have been later
   * @param {{sent: number, received: number}} answer
   */
  sync(time, precision, { sent, received }) {
    if (Number.isNaN(time)) return;
    const least = time - received;
    const most = time + precision - sent;
    this.#least = Math.max(this.#least, least);
    this.#most = Math.min(this.#most, most);
    if (this.#least <= this.#most) return;
    // One of both clocks was set, or stood still while the machine slept: earlier answers are worthless.
    [this.#least, this.#most, this.#latest] = [least, most, 0];
  }

  /**
   * The server's time in milliseconds since the epoch, and before its first answer this machine's; it never
   * goes back, except when a clock was set.
   */
  now() {
    if (this.#least === -Infinity) return Date.now();
    this.#latest = Math.max(this.#latest, (this.#least + this.#most) / 2 + performance.now());
    return this.#latest;
  }

  /**
   * Measure `jump`.
   *
   * @returns {boolean} whether this machine slept, or its clock was set, since the last call
   */
  check() {
    const jump = wallAhead() - this.#wall;
    this.#wall += jump;
    this.jump += jump;
    return Math.abs(jump) > MAX_DRIFT_MS;
  }

  /** Whether this machine slept, or its clock was set, since `settle`. */
  get hasJumped() {
    return Math.abs(this.jump) > MAX_DRIFT_MS;
  }

  /**
   * End a jump. Without an answer of the server, the machine probably slept: that time has passed there, too.
   *
   * @param {boolean} isAnswered
   */
  settle(isAnswered) {
    if (!isAnswered && this.jump > MAX_DRIFT_MS) {
      this.#least += this.jump;
      this.#most += this.jump;
    }
    this.jump = 0;
  }
}

function wallAhead() {
  return Date.now() - performance.now();
}
