import { storage } from "./storage.js";

/** @import { Action } from "./types.d.ts" */

/**
 * A user's pending actions in the browser's storage. Each action has its own key, so that tabs do not
 * overwrite each other's actions.
 */
export class Outbox {
  #prefix;

  /** @param {string} name identifies the server and the user */
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
   * Wait until no other tab runs a task, and then run the given task.
   *
   * Pages without HTTPS have no locks, so two of their tabs may send the same action. The server executes the
   * action only once, because both requests have the same Idempotency-Key.
   *
   * @param {() => Promise<void>} task
   */
  async runExclusively(task) {
    await (navigator.locks?.request(this.#prefix, task) ?? task());
  }

  /** @param {Action} action */
  #keyOf({ at, key }) {
    return `${this.#prefix}${at}:${key}`;
  }
}
