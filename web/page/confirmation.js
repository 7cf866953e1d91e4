// Confirming and reopening days: the actions, their messages, and how they are undone.

import { get, messageOf, request, statusOf } from "./api.js";
import { startOf } from "./calendar.js";
import { formats, text } from "./language.js";
import { notify, warn } from "./notices.js";
import { isFrozen, setConfirmed, sheetsPath } from "./sheets.js";

/** @import { Day, SheetDay } from "./types.d.ts" */
/** @import { UndoStack } from "./undo-stack.js" */

/**
 * The part of the page that shows the days.
 *
 * @typedef {object} DaysShown
 * @property {() => Promise<unknown>} refresh loads the days again
 * @property {(day: Day) => Promise<unknown>} show loads the days again, and lets the user check one of them
 * @property {(day: Day) => SheetDay | undefined} find returns a day as it was loaded last
 * @property {UndoStack} undos
 * @property {() => unknown} changed is called after the time of a day has changed
 */

/** Confirms and reopens days. */
export class Confirmation {
  /** The dates of the confirmations that can be undone. @type {Set<Day>[]} */
  #undoable = [];
  #shown;

  /** @param {DaysShown} shown */
  constructor(shown) {
    this.#shown = shown;
  }

  /**
   * Confirm days.
   *
   * @param {SheetDay[]} days
   * @param {string} [reason] for the list of changes
   */
  async confirm(days, reason) {
    const { done, changed, failed } = await setConfirmed(send, "POST", days, reason);
    if (failed && !done.length && !changed.length) throw failed.error;
    await this.#load(changed);
    if (done.length) this.#offerUndo(done);
    // A day may differ because another tab has confirmed it.
    const toCheck = changed.filter(({ date, state }) => !isFrozen(this.#shown.find(date) ?? { state }));
    const count = days.length - toCheck.length - (failed ? days.length - days.indexOf(failed.day) : 0);
    const [first] = days;
    const isComplete = count === days.length;
    const sentences = [
      ...(days.length > 1 || isComplete ? [confirmedText(first, count, days.length)] : []),
      ...toCheck.map((day) => this.#changedText(day)),
      ...(failed
        ? [text("notConfirmed", { day: longName(failed.day), reason: messageOf(failed.error).message })]
        : []),
    ];
    (isComplete ? notify : warn)(sentences.join(" "));
    if (failed && statusOf(failed.error) === 401) throw failed.error;
  }

  /**
   * Reopen a day.
   *
   * @param {SheetDay} day
   * @param {string} [reason] for the list of changes
   */
  async reopen(day, reason) {
    const { changed, failed } = await setConfirmed(send, "DELETE", [day], reason);
    if (failed) throw failed.error;
    await this.#load(changed);
    if (changed.length) return warn(this.#changedText(day));
    for (const dates of this.#undoable) dates.delete(day.date);
    notify(text("dayReopened", { day: longName(day) }));
    if (day.changed_since) await this.#shown.changed();
  }

  /**
   * Load the days again. If days have changed in the meantime, let the user check the first of them.
   *
   * @param {SheetDay[]} changed
   */
  async #load([first]) {
    // The message about the action is shown even if the days cannot be loaded.
    await (first ? this.#shown.show(first.date) : this.#shown.refresh()).catch(() => {});
  }

  /** @param {SheetDay[]} days */
  #offerUndo(days) {
    const dates = new Set(days.map(({ date }) => date));
    this.#undoable.push(dates);
    const label = confirmedText(days[0], days.length, days.length);
    const undo = async () => {
      const ordered = [...dates].sort();
      const { days: present } = await get(sheetsPath(ordered[0], ordered[ordered.length - 1]));
      const confirmed = present.filter(
        (/** @type {SheetDay} */ { date, state }) => dates.has(date) && state === "confirmed",
      );
      const { changed, failed } = await setConfirmed(send, "DELETE", confirmed);
      if (failed) throw failed.error;
      if (changed.length) throw new Error(this.#changedText(changed[0]));
      const [date] = ordered;
      const count = dates.size;
      return count === 1 ? text("dayReopened", { day: longName({ date }) }) : text("daysReopened", { count });
    };
    this.#shown.undos.add(label, undo, () => !dates.size);
  }

  /** @param {SheetDay} day */
  #changedText(day) {
    const { working_duration } = this.#shown.find(day.date) ?? day;
    return text("changedMeanwhile", { day: longName(day), duration: formats.duration(working_duration) });
  }
}

/**
 * Describe whether a day is confirmed or locked.
 *
 * @param {SheetDay} day
 * @returns {{state: string, at: string, note: string, action: "confirmDay" | "reopenDay" | null}} texts, "" if there is
 *   nothing to say; and what the user can do
 */
export function describeState({ state, confirmed_at, changed_since, details_deleted }) {
  if (!isFrozen({ state })) {
    const note = details_deleted ? text("detailsDeleted") : "";
    return { state: "", at: "", note, action: state === "over" && !details_deleted ? "confirmDay" : null };
  }
  const seconds = changed_since?.difference_duration ?? 0;
  const change = seconds > 0 ? "changedMore" : seconds < 0 ? "changedLess" : "changedOtherwise";
  const difference = changed_since ? text(change, { duration: formats.duration(Math.abs(seconds)) }) : "";
  const note = [difference, details_deleted ? text("detailsDeleted") : ""].filter(Boolean).join(" · ");
  const at = confirmed_at ? formats.date("moment", new Date(confirmed_at)) : "";
  if (state === "locked") return { state: text("locked"), at, note, action: null };
  return { state: text("confirmed"), at, note, action: details_deleted ? null : "reopenDay" };
}

/** @param {Pick<SheetDay, "date">} day */
export function longName({ date }) {
  return formats.date("longDay", startOf(date));
}

/**
 * @param {SheetDay} first
 * @param {number} count the number of confirmed days
 * @param {number} all
 */
function confirmedText(first, count, all) {
  if (all === 1) return text("dayConfirmed", { day: longName(first) });
  return count === all ? text("daysConfirmed", { count }) : text("someConfirmed", { count, all });
}

/** @type {import("./sheets.js").SendDay} */
async function send(method, path, etag, reason) {
  const query = method === "DELETE" && reason ? `?${new URLSearchParams({ reason })}` : "";
  const body = method === "POST" && reason ? { reason } : undefined;
  return (await request(method, path + query, body, { headers: { "If-Match": etag } })).body;
}
