import { MAX_SKEW_MS } from "./clock.js";
import { jittered } from "./poller.js";

/** @import { Action, SenderHost } from "./types.d.ts" */
/** @import { ApiClient, ApiError } from "./api-client.js" */
/** @import { Outbox } from "./outbox.js" */

// The number of responses with status 500 after which an action is reverted, because the action itself may be
// the cause.
const MAX_TRIES = 6;

/**
 * Sends a user's actions in order. Each action is sent again until the server has accepted or refused the
 * action.
 */
export class Sender {
  #api;
  #host;
  /** @type {?Outbox} */
  #outbox = null;
  #failures = 0;
  #serverErrors = 0;
  // The earliest time of the next try (by performance.now()), if the server has asked to wait.
  #notBefore = 0;
  #isSending = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {Pick<ApiClient, "request">} api
   * @param {SenderHost} host
   */
  constructor(api, host) {
    this.#api = api;
    this.#host = host;
  }

  /** Whether a wait that the server has asked for is still in progress. */
  get mustWait() {
    return this.#notBefore > performance.now();
  }

  /** Switch to another user's actions. @param {?Outbox} outbox */
  setOutbox(outbox) {
    this.#outbox = outbox;
    clearTimeout(this.#timer);
    this.#reset();
  }

  /** End the wait if no action is pending any more, for example because another tab has sent the actions. */
  resetIfEmpty() {
    if (!this.#outbox?.actions.length) this.#reset();
  }

  stop() {
    clearTimeout(this.#timer);
  }

  async send() {
    clearTimeout(this.#timer);
    const outbox = this.#outbox;
    if (this.#isSending || !outbox?.actions.length) return;
    if (!this.#host.canSend()) return this.#host.refresh();
    const wait = this.#notBefore - performance.now();
    if (wait > 0) return this.#sendIn(wait);
    let hasSent = false;
    this.#isSending = true;
    try {
      await outbox.runExclusively(async () => {
        while (this.#host.canSend() && this.#outbox === outbox) {
          const [next] = outbox.actions;
          if (!next) break;
          await this.#sendOne(next, outbox);
          hasSent = true;
        }
      });
    } catch (error) {
      if (this.#outbox === outbox) this.#retryLater(/** @type {ApiError} */ (error));
      return;
    } finally {
      this.#isSending = false;
    }
    // An action may change which timer counts.
    if (hasSent) this.#host.sent();
  }

  /** @param {Action} stored @param {Outbox} outbox */
  async #sendOne(stored, outbox) {
    const action = { ...stored };
    // Correct a time in the future, because the server would refuse the action. A wrong clock of this machine
    // may have caused the time.
    if (action.at > this.#host.now() + MAX_SKEW_MS) {
      outbox.remove(stored);
      action.at = Math.round(this.#host.now());
      outbox.put(action);
    }
    const { key, kind, timer, issue, at, overtime } = action;
    const path = issue ? "start" : `${timer}/${kind}`;
    const body = { ...issue, at: new Date(at).toISOString(), overtime };
    const headers = { "Idempotency-Key": key };
    let response;
    try {
      response = await this.#api.request("POST", `/api/timelogs/${path}/`, body, { headers });
    } catch (error) {
      return this.#handle(/** @type {ApiError} */ (error), action, outbox);
    }
    this.#failures = this.#serverErrors = 0;
    for (const later of outbox.actions) {
      if (later.timer === key) outbox.put({ ...later, timer: response.body.id });
    }
    outbox.remove(action);
    if (this.#outbox === outbox) this.#host.confirm(action, response);
  }

  /**
   * Handle an error. If the server has refused the action, revert the action and the actions that depend on
   * it.
   *
   * @param {ApiError} error
   * @param {Action} action
   * @param {Outbox} outbox
   * @throws {ApiError} if the action must be retried later
   */
  async #handle(error, action, outbox) {
    const { status, isTemporary } = error;
    if (status === 500) this.#serverErrors += 1;
    if (status === 401 || (isTemporary && this.#serverErrors < MAX_TRIES)) throw error;
    // Status 403 may mean that another user has signed in. If so, the action stays in the outbox of its user.
    if (status === 403 && !((await this.#host.checkUser()) && this.#outbox === outbox)) return;
    this.#failures = this.#serverErrors = 0;
    const reverted = outbox.actions.filter(({ key, timer }) => key === action.key || timer === action.key);
    for (const one of reverted) outbox.remove(one);
    if (this.#outbox === outbox) this.#host.revert(action, reverted, error);
  }

  /** @param {ApiError} error */
  #retryLater(error) {
    const { retryAfter } = error;
    this.#failures += 1;
    this.#notBefore = performance.now() + retryAfter * 1_000;
    this.#sendIn(jittered(1_000 * 2 ** this.#failures, retryAfter));
    this.#host.wait(error, this.#failures === 1);
  }

  /** @param {number} wait */
  #sendIn(wait) {
    this.#timer = setTimeout(() => this.send(), wait);
  }

  #reset() {
    this.#failures = this.#serverErrors = this.#notBefore = 0;
  }
}
