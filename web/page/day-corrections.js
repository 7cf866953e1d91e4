// The corrections of a day's time: those of the selected block with its buttons, borders and gaps.

import { content, h } from "../widget/dom.js";
import { get, lockedText } from "./api.js";
import { MINUTE_MS } from "./calendar.js";
import { deletionOf, insertPause, moveBorder, moveToIssue, removeBlock, splitTimer } from "./corrections.js";
import { describeBlock, timesOf } from "./day-bar.js";
import { addEntry, askForIssue } from "./edit-entry.js";
import { byId } from "./elements.js";
import { formats, text } from "./language.js";
import { notify, warn } from "./notices.js";
import { onAction } from "./session.js";
import { askForTimes } from "./time-dialog.js";

/** @import { Confirmation } from "./confirmation.js" */
/** @import { Send, Undo } from "./corrections.js" */
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
    const { blocks } = this.#shown();
    const move = (/** @type {Timer} */ timer) => moveBorder(this.#undos.send, timer, block, edge, to, blocks);
    await this.#correct(text("timesChanged", { time: times }), move, block);
  }

  /** @param {Block} block */
  async #split(block) {
    const times = await askForTimes({
      title: text("splitAt"),
      proposed: middleOf(block, 0),
      isSingle: true,
      limits: { since: block.since + MINUTE_MS, until: block.until - MINUTE_MS },
    });
    if (times)
      await this.#correct(
        text("wasSplit"),
        (timer) => splitTimer(this.#undos.send, timer, times.since),
        block,
      );
  }

  /** @param {Block} block */
  async #insertPause(block) {
    const title = text("insertPause");
    const proposed = middleOf(block, Math.min(PAUSE_MS, (block.until - block.since) / 2));
    const times = await askForTimes({ title, proposed, isSingle: false, limits: block });
    if (!times || times.since === times.until) return;
    await this.#correct(text("pauseInserted"), (timer) => insertPause(this.#undos.send, timer, times), block);
  }

  /**
   * @param {Block} block
   * @param {Timer} shown
   */
  async #move(block, shown) {
    const now = this.#now().getTime();
    let label = "";
    /** @type {Undo | null} */
    let undo = null;
    const isMoved = await askForIssue(shown, this.#now, async (changes, name) => {
      label = text("movedTo", { name });
      undo = await moveToIssue(this.#undos.send, await this.#timerOf(block), block, changes, now);
    });
    if (isMoved && undo) await this.#done(label, undo);
  }

  /** @param {Block} block */
  async #remove(block) {
    const label = text("timeDeleted", { time: timesOf(block) });
    await this.#correct(label, (timer) => removeBlock(this.#undos.send, timer, block), block);
  }

  /** @param {Stretch} gap */
  async fill({ since, until }) {
    const lock = this.#shown().lockOf({ since, until });
    if (lock) return warn(lockedText(lock.date));
    const timer = await addEntry(this.#now, { start: new Date(since), end: new Date(until) });
    if (!timer) return;
    const duration = formats.duration(timer.duration ?? 0);
    await this.#done(text("added", { duration }), deletionOf(this.#undos.send, timer));
  }

  /**
   * Carry out a correction that another card asks for, show its effect, and offer to undo it if that is possible.
   *
   * @param {string} label
   * @param {(send: Send) => Promise<Undo | null>} action
   */
  async correct(label, action) {
    await this.#done(label, await action(this.#undos.send));
  }

  /**
   * Correct the timer of a block, and offer to undo it.
   *
   * @param {string} label
   * @param {(timer: Timer) => Promise<Undo>} action
   * @param {Block} block
   */
  async #correct(label, action, block) {
    try {
      await this.#done(label, await action(await this.#timerOf(block)));
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

  /**
   * @param {string} label
   * @param {Undo | null} undo null if the correction cannot be undone
   */
  async #done(label, undo) {
    if (undo) this.#undos.add(label, undo);
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
