import { storage } from "./storage.js";

/** @import { Action } from "./types.d.ts" */

/** One person's actions, in order; each is stored by itself, so that tabs never overwrite each other's. */
export class Outbox {
  #prefix;

  /** @param {string} name of whom and for which server */
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
   * Do something in one tab at a time. A browser has no locks on pages without HTTPS; there, two tabs may send
   * the same, and its Idempotency-Key has it happen once.
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
