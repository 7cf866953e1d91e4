/**
 * The server's time, whatever this machine's clock says: read off the server's answers, and counted on with
 * a clock that nobody can set.
 *
 * Each answer was made between two moments here, and says what time it was there, more or less. That puts
 * bounds to the difference of both clocks; all answers together make them narrow.
 */
export class ServerClock {
  #least = -Infinity;
  #most = Infinity;
  #latest = 0;
  #wall = wallAhead();

  /**
   * Hear what time it is.
   *
   * @param {number} time milliseconds since the epoch, there
   * @param {number} precision by how many milliseconds it may have been later
   * @param {{sent: number, received: number}} answer
   */
  hear(time, precision, { sent, received }) {
    if (Number.isNaN(time)) return;
    const least = time - received;
    const most = time + precision - sent;
    this.#least = Math.max(this.#least, least);
    this.#most = Math.min(this.#most, most);
    if (this.#least <= this.#most) return;
    // One of both clocks was set, or stood still while the machine slept: what was known is worth nothing.
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

  /** @returns {number} by how many milliseconds this machine's clock went ahead since this was asked last */
  jump() {
    const before = this.#wall;
    this.#wall = wallAhead();
    return this.#wall - before;
  }

  /**
   * Count time that passed while this machine slept, until the server's next answer.
   *
   * @param {number} ms
   */
  advance(ms) {
    this.#least += ms;
    this.#most += ms;
  }
}

function wallAhead() {
  return Date.now() - performance.now();
}
