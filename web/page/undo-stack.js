// The actions that can be undone, and the buttons that undo them.

import { setText } from "../widget/dom.js";
import { randomName } from "../widget/storage.js";
import { get, request, statusOf } from "./api.js";
import { byId, showButton } from "./elements.js";
import { text } from "./language.js";
import { notify } from "./notices.js";
import { onAction } from "./session.js";

/** @import { Send } from "./corrections.js" */

/** The buttons, by the cards that contain them. */
const BUTTONS = { day: "undo", week: "week-undo" };

/** Undoes actions, the last one first. */
export class UndoStack {
  /** @type {{label: string, undo: () => Promise<string | void>, isDone?: () => boolean}[]} */
  #actions = [];
  #undone;

  /** @param {() => Promise<unknown>} undone is called after an action was undone, or could not be undone */
  constructor(undone) {
    this.#undone = undone;
    for (const [card, button] of Object.entries(BUTTONS)) {
      onAction("click", byId(button), () => this.undo());
      byId(card).addEventListener("keydown", (event) => {
        const isUndo = event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey;
        if (!isUndo || !this.#actions.length || event.target instanceof HTMLInputElement) return;
        event.preventDefault();
        byId(BUTTONS.day).click();
      });
    }
  }

  /**
   * Offer to undo an action.
   *
   * @param {string} label
   * @param {() => Promise<string | void>} undo returns the message to show, unless that is the label
   * @param {() => boolean} [isDone] returns whether the action was undone in another way
   */
  add(label, undo, isDone) {
    this.#actions.push({ label, undo, isDone });
    this.show();
  }

  /**
   * Offer to undo corrections.
   *
   * @param {string} label
   * @param {string[]} keys the Idempotency-Keys of their requests, in order
   */
  addCorrections(label, keys) {
    this.add(label, () => undoCorrections(keys));
  }

  /**
   * Carry out a correction and offer to undo it. If one of its requests fails, undo those before it.
   *
   * @template T
   * @param {string} label
   * @param {(send: Send) => Promise<T>} correct
   * @returns {Promise<T>} the result of the correction
   */
  async record(label, correct) {
    /** @type {string[]} */
    const keys = [];
    /** @type {T} */
    let result;
    try {
      result = await correct(async (method, path, body) => {
        if (method === "GET") return get(path);
        const key = randomName();
        keys.push(key);
        try {
          return (await request(method, path, body, { headers: { "Idempotency-Key": key } })).body;
        } catch (error) {
          const status = statusOf(error) ?? 0;
          // A request that was refused has changed nothing.
          if (400 <= status && status < 500) keys.pop();
          throw error;
        }
      });
    } catch (error) {
      // The correction's own error is the one to show.
      await undoCorrections(keys).catch(() => {});
      throw error;
    }
    if (keys.length) this.addCorrections(label, keys);
    return result;
  }

  /** Undo the last action. Without a connection, it can still be undone later. */
  async undo() {
    const last = this.#actions.at(-1);
    if (!last) return;
    /** @type {string | void} */
    let message;
    try {
      message = await last.undo();
      this.#remove(last);
    } catch (error) {
      if (statusOf(error) !== 0) this.#remove(last);
      throw error;
    } finally {
      await this.#undone();
    }
    notify(message ?? text("correctionUndone", { label: last.label }));
  }

  /** @param {object} action */
  #remove(action) {
    this.#actions = this.#actions.filter((one) => one !== action);
  }

  /** Show the buttons if there is something to undo. */
  show() {
    this.#actions = this.#actions.filter(({ isDone }) => !isDone?.());
    const last = this.#actions.at(-1);
    for (const [card, id] of Object.entries(BUTTONS)) {
      const button = byId(id);
      // Confirmations can be undone in the card of the week, too.
      showButton(button, Boolean(card === "day" ? last : last?.isDone), `${card}-title`);
      setText(button, text("undo"));
      button.title = last?.label ?? "";
    }
  }

  clear() {
    this.#actions = [];
  }
}

/**
 * Undo corrections, the last one first. A request without an effect (404) needs no undo.
 *
 * @param {string[]} keys the Idempotency-Keys of their requests; those that are undone are removed
 */
async function undoCorrections(keys) {
  for (; keys.length; keys.pop()) {
    try {
      await request("POST", "/api/timelogs/undo/", { idempotency_key: keys.at(-1) });
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
    }
  }
}
