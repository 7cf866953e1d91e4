// The corrections of a day's time: those of the selected block with its buttons, borders and gaps.

import { content, h } from "../widget/dom.js";
import { randomName } from "../widget/storage.js";
import { get, lockedText } from "./api.js";
import { MINUTE_MS } from "./calendar.js";
import { insertPause, moveBorder, moveToIssue, removeBlock, splitTimer } from "./corrections.js";
import { blockName, describeBlock, timesOf } from "./day-bar.js";
import { addEntry, askForIssue } from "./edit-entry.js";
import { byId, named, setChildren } from "./elements.js";
import { formats, text } from "./language.js";
import { notify, warn } from "./notices.js";
import { onAction } from "./session.js";
import { askForTimes } from "./time-dialog.js";
import { movedBlock } from "./timeline.js";

/** @import { Confirmation } from "./confirmation.js" */
/** @import { Send } from "./corrections.js" */
/** @import { LoadedDay } from "./loaded-day.js" */
/** @import { Block, Edge, Stretch } from "./timeline.js" */
/** @import { Timer } from "./types.d.ts" */
/** @import { UndoStack } from "./undo-stack.js" */

const PAUSE_MS = 15 * MINUTE_MS;
const STEPS_MS = [5 * MINUTE_MS, MINUTE_MS];

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
    const label = this.#describe(block, timer);
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
    if (lock) actions.length = 0;
    if (lock?.state === "confirmed") actions.push(["reopenDay", () => this.#confirmation.reopen(lock)]);
    const buttons = actions.map(([name, action]) => {
      const button = named(name, h("button", { type: "button" }, text(name)));
      onAction("click", button, async () => {
        await action();
        this.#keepFocus();
      });
      return button;
    });
    setChildren(group, [
      h("p", {}, ...content(label)),
      // The buttons of another block are new ones, so that no press acts on the wrong block.
      named(blockName(block), h("div", { className: "buttons" }, ...buttons)),
      h("p", { className: "faint" }, lock ? lockedText(lock.date, lock.state) : text("bordersHint")),
    ]);
    group.querySelectorAll("button")[focused]?.focus();
  }

  /**
   * @param {Block} block
   * @param {Timer | undefined} [timer]
   */
  #describe(block, timer = this.#shown().timers.get(block.timer)) {
    const loaded = this.#shown();
    return describeBlock(block, timer, loaded.durationOf(block), loaded.overlapOf(block));
  }

  /**
   * @param {Block} block
   * @param {Edge} edge
   * @param {number} to
   */
  async moveBorder(block, edge, to) {
    const label = text("blockChanged", { time: timesOf(block) });
    const moved = (/** @type {Send} */ send, /** @type {Timer} */ timer) =>
      moveBorder(send, timer, block, edge, to);
    await this.#correct(label, block, moved, () => {
      // Another timer may count in a part of the new time.
      const shown = this.#shown();
      const issue = shown.issueKey(block.timer);
      const blocks = shown.blocks.filter(({ timer }) => shown.issueKey(timer) === issue);
      const counted = movedBlock(blocks, block, edge, to);
      if (!counted) return text("changedAndCountsNothing");
      const time = timesOf(counted);
      return text(counted[edge] === to ? "changedTo" : "changedButCounts", { time });
    });
  }

  /** @param {Block} block */
  async #split(block) {
    const times = await askForTimes({
      title: text("splitAt"),
      about: this.#describe(block),
      proposed: middleOf(block, 0),
      isSingle: true,
      limits: { since: block.since + MINUTE_MS, until: block.until - MINUTE_MS },
    });
    if (!times) return;
    await this.#correct(text("wasSplit"), block, (send, timer) => splitTimer(send, timer, times.since));
  }

  /** @param {Block} block */
  async #insertPause(block) {
    const times = await askForTimes({
      title: text("insertPause"),
      about: this.#describe(block),
      proposed: middleOf(block, Math.min(PAUSE_MS, (block.until - block.since) / 2)),
      isSingle: false,
      limits: block,
    });
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
    const isMoved = await askForIssue(shown, this.#describe(block), this.#now, async (changes, name) => {
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
    if (lock) return warn(lockedText(lock.date, lock.state));
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
   * @param {() => string} [outcome] returns the message about the effect, after the day was loaded; by default the label
   */
  async correct(label, action, outcome) {
    await this.#undos.record(label, action);
    await this.#done(label, outcome);
  }

  /**
   * Correct the timer of a block.
   *
   * @param {string} label
   * @param {Block} block
   * @param {(send: Send, timer: Timer) => Promise<unknown>} action
   * @param {() => string} [outcome]
   */
  async #correct(label, block, action, outcome) {
    try {
      const timer = await this.#timerOf(block);
      await this.correct(label, (send) => action(send, timer), outcome);
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
   * @param {() => string} [outcome]
   */
  async #done(label, outcome) {
    if (!outcome) notify(label);
    await this.#reload();
    if (outcome) notify(outcome());
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
 * Return a time in the middle of a block that begins at a multiple of five minutes, or at a full minute in a short block.
 *
 * @param {Stretch} block
 * @param {number} length
 * @returns {Stretch}
 */
function middleOf({ since, until }, length) {
  const rounded = Math.round(length / MINUTE_MS) * MINUTE_MS;
  const [start, fallback] = STEPS_MS.map((step) => Math.round((since + until - length) / 2 / step) * step);
  const begin = start > since && start + rounded < until ? start : fallback;
  return { since: begin, until: begin + rounded };
}
