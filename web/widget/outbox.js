import { storage } from "./storage.js";

/** @import { Action } from "./types.d.ts" */

/**
 * A user's actions without an answer, in order. Each has its own key, so that tabs do not overwrite each
 * other's.
 */
export class Outbox {
  #prefix;

  /** @param {string} name names the server and the user */
  constructor(name) {
    this.#prefix = `issue-timer:outbox:${name}:`;
  }

  /** @returns {Action[]} oldest first */
  get actions() {
    return storage.keys(this.#prefix).map(storage.get).filter(Boolean);
  }

  /** @param {Action} action */
  put(action) {
    storage.set(this.#keyOf(action), action);
  }

  /** @param {Action} action */
  remove(action) {
    storage.remove(this.#keyOf(action));
  }

  /**
   * Run a task in one tab at a time. Pages without HTTPS have no locks: there, two tabs may send the same
   * action, which its Idempotency-Key has the server do once.
   *
   * @param {() => Promise<void>} task
   */
  async alone(task) {
    await (navigator.locks?.request(this.#prefix, task) ?? task());
  }

  /** @param {Action} action */
  #keyOf({ at, key }) {
    return `${this.#prefix}${at}:${key}`;
  }
}
