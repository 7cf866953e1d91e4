// The actions that can be undone, and the buttons that undo them.

import { setText } from "../widget/dom.js";
import { request } from "./api.js";
import { byId, showButton } from "./elements.js";
import { text } from "./language.js";
import { notify } from "./notices.js";
import { onAction } from "./session.js";

/** @import { Send, Undo } from "./corrections.js" */

const TIMER_ID = /(?<=^\/api\/timelogs\/)[^/]+/u;

/** The buttons, by the cards that contain them. */
const BUTTONS = { day: "undo", week: "week-undo" };

/** Undoes actions, the last one first. */
export class UndoStack {
  /** @type {{label: string, undo: Undo, isDone?: () => boolean}[]} */
  #actions = [];
  /** The ids of timers, by the ids of the deleted timers that they replace. @type {Map<string, string>} */
  #successors = new Map();
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
   * @param {Undo} undo
   * @param {() => boolean} [isDone] returns whether the action was undone in another way
   */
  add(label, undo, isDone) {
    this.#actions.push({ label, undo, isDone });
    this.show();
  }

  /** Undo the last action. */
  async undo() {
    const last = this.#actions.pop();
    if (!last) return;
    try {
      const successors = (await last.undo()) ?? {};
      for (const [former, present] of Object.entries(successors)) this.#successors.set(former, present);
    } finally {
      await this.#undone();
    }
    notify(text("correctionUndone", { label: last.label }));
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

  /**
   * Send a request for a timer, or for the one that has replaced it, and return the body of the response.
   *
   * @type {Send}
   */
  send = async (method, path, body) => {
    const present = path.replace(TIMER_ID, (id) => this.#presentId(id));
    return (await request(method, present, body)).body;
  };

  /** @param {string} id @returns {string} */
  #presentId(id) {
    const successor = this.#successors.get(id);
    return successor ? this.#presentId(successor) : id;
  }
}
