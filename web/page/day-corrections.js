// The corrections of a day's time: those of the selected block with its buttons, borders and gaps.

import { content, h } from "../widget/dom.js";
import { randomName } from "../widget/storage.js";
import { get, lockedText } from "./api.js";
import { MINUTE_MS } from "./calendar.js";
import { insertPause, moveBorder, moveToIssue, removeBlock, splitTimer } from "./corrections.js";
import { describeBlock, timesOf } from "./day-bar.js";
import { addEntry, askForIssue } from "./edit-entry.js";
import { byId } from "./elements.js";
import { formats, text } from "./language.js";
import { notify, warn } from "./notices.js";
import { onAction } from "./session.js";
import { askForTimes } from "./time-dialog.js";

/** @import { Confirmation } from "./confirmation.js" */
/** @import { Send } from "./corrections.js" */
/** @import { LoadedDay } from "./loaded-day.js" */
/** @import { Block, Edge, Stretch } from "./timeline.js" */
/** @import { Timer } from "./types.d.ts" */
/** @import { UndoStack } from "./undo-stack.js" */

const PAUSE_MS = 15 * MINUTE_MS;

/** Corrects the time of the day that is shown, and offers to undo it. */
export class DayCorrections {
  #now;
  #shown;
  #confirmation;
  #undos;
  #reload;
  #restore;
  #changed;

  /**
   * @param {object} options
   * @param {() => Date} options.now returns the present
   * @param {() => LoadedDay} options.shown returns the day that is shown
   * @param {Confirmation} options.confirmation
   * @param {UndoStack} options.undos
   * @param {() => Promise<void>} options.reload loads the day again
   * @param {(block: Block) => void} options.restore shows the stored times of a block again
   * @param {() => unknown} options.changed is called after a correction
   */
  constructor({ now, shown, confirmation, undos, reload, restore, changed }) {
    this.#now = now;
    this.#shown = shown;
    this.#confirmation = confirmation;
    this.#undos = undos;
    this.#reload = reload;
    this.#restore = restore;
    this.#changed = changed;
  }

  /**
   * Show the selected block, and the buttons that correct it.
   *
   * @param {Block | null} block
   */
  show(block) {
    const group = byId("selection");
    const timer = block && this.#shown().timers.get(block.timer);
    if (!block || !timer) {
      const hadFocus = group.contains(document.activeElement);
      group.replaceChildren();
      group.hidden = true;
      return hadFocus && byId("day-title").focus();
    }
    const lock = this.#shown().lockOf(block);
    group.hidden = false;
    const label = describeBlock(block, timer, this.#shown().overlapOf(block));
    group.ariaLabel = label;
    const focused = [...group.querySelectorAll("button")].indexOf(
      /** @type {HTMLButtonElement} */ (document.activeElement),
    );
    /** @type {[Parameters<typeof text>[0], () => unknown][]} */
    const actions = [
      ["splitBlock", () => this.#split(block)],
      ["insertPause", () => this.#insertPause(block)],
      ["moveToIssue", () => this.#move(block, timer)],
      ["delete", () => this.#remove(block)],
    ];
    if (lock) actions.splice(0, actions.length, ["reopenDay", () => this.#confirmation.reopen(lock)]);
    const buttons = actions.map(([name, action]) => {
      const button = h("button", { type: "button" }, text(name));
      onAction("click", button, async () => {
        await action();
        this.#keepFocus();
      });
      return button;
    });
    group.replaceChildren(
      h("p", {}, ...content(label)),
      h("div", { className: "buttons" }, ...buttons),
      h("p", { className: "faint" }, lock ? lockedText(lock.date) : text("bordersHint")),
    );
    group.querySelectorAll("button")[focused]?.focus();
  }

  /**
   * @param {Block} block
   * @param {Edge} edge
   * @param {number} to
   */
  async moveBorder(block, edge, to) {
    const times = timesOf({ ...block, [edge]: to });
    const label = text("timesChanged", { time: times });
    await this.#correct(label, block, (send, timer) => moveBorder(send, timer, block, edge, to));
  }

  /** @param {Block} block */
  async #split(block) {
    const times = await askForTimes({
      title: text("splitAt"),
      proposed: middleOf(block, 0),
      isSingle: true,
      limits: { since: block.since + MINUTE_MS, until: block.until - MINUTE_MS },
    });
    if (!times) return;
    await this.#correct(text("wasSplit"), block, (send, timer) => splitTimer(send, timer, times.since));
  }

  /** @param {Block} block */
  async #insertPause(block) {
    const title = text("insertPause");
    const proposed = middleOf(block, Math.min(PAUSE_MS, (block.until - block.since) / 2));
    const times = await askForTimes({ title, proposed, isSingle: false, limits: block });
    if (!times || times.since === times.until) return;
    await this.#correct(text("pauseInserted"), block, (send, timer) => insertPause(send, timer, times));
  }

  /**
   * @param {Block} block
   * @param {Timer} shown
   */
  async #move(block, shown) {
    const now = this.#now().getTime();
    const until = this.#shown().isGrowing(block) ? Infinity : block.until;
    let label = "";
    const isMoved = await askForIssue(shown, this.#now, async (changes, name) => {
      const timer = await this.#timerOf(block);
      label = text("movedTo", { name });
      await this.#undos.record(label, (send) => {
        return moveToIssue(send, timer, { since: block.since, until }, changes, now);
      });
    });
    if (isMoved) await this.#done(label);
  }

  /** @param {Block} block */
  async #remove(block) {
    const label = text("timeDeleted", { time: timesOf(block) });
    await this.#correct(label, block, (send, timer) => removeBlock(send, timer, block));
  }

  /** @param {Stretch} gap */
  async fill({ since, until }) {
    const lock = this.#shown().lockOf({ since, until });
    if (lock) return warn(lockedText(lock.date));
    const key = randomName();
    const timer = await addEntry(this.#now, key, { start: new Date(since), end: new Date(until) });
    if (!timer) return;
    const label = text("added", { duration: formats.duration(timer.duration ?? 0) });
    this.#undos.addCorrections(label, [key]);
    await this.#done(label);
  }

  /**
   * Carry out a correction, show its effect, and offer to undo it.
   *
   * @param {string} label
   * @param {(send: Send) => Promise<unknown>} action
   */
  async correct(label, action) {
    await this.#undos.record(label, action);
    await this.#done(label);
  }

  /**
   * Correct the timer of a block.
   *
   * @param {string} label
   * @param {Block} block
   * @param {(send: Send, timer: Timer) => Promise<unknown>} action
   */
  async #correct(label, block, action) {
    try {
      const timer = await this.#timerOf(block);
      await this.correct(label, (send) => action(send, timer));
    } catch (error) {
      this.#restore(block);
      throw error;
    }
  }

  /**
   * Return the present timer of a block.
   *
   * @param {Block} block
   * @returns {Promise<Timer>}
   */
  async #timerOf({ timer }) {
    return get(`/api/timelogs/${timer}/`);
  }

  /** @param {string} label */
  async #done(label) {
    notify(label);
    await this.#reload();
    this.#keepFocus();
    await this.#changed();
  }

  /** Focus the selection or the heading if the focused element was replaced, for example behind a dialog. */
  #keepFocus() {
    if (document.activeElement !== document.body) return;
    (byId("selection").querySelector("button") ?? byId("day-title")).focus();
  }
}

/**
 * Return a time in the middle of a block, at full minutes.
 *
 * @param {Stretch} block
 * @param {number} length
 * @returns {Stretch}
 */
function middleOf({ since, until }, length) {
  const start = Math.round((since + until - length) / 2 / MINUTE_MS) * MINUTE_MS;
  return { since: start, until: start + Math.round(length / MINUTE_MS) * MINUTE_MS };
}
