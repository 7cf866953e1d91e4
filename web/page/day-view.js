// The card of a day: its bar, its issues, its table, the corrections of its time, and whether it is confirmed. The
// timesheets of its week are loaded with it.

import { content, h, isolate, setText } from "../widget/dom.js";
import { get, lockedText, pages } from "./api.js";
import { addDays, dayOf, isoTime, MINUTE_MS, startOf } from "./calendar.js";
import { describeState } from "./confirmation.js";
import { deletionOf, insertPause, moveBorder, moveToIssue, removeBlock, splitTimer } from "./corrections.js";
import { blockDuration, DayBar, describeBlock, isSame, timesOf } from "./day-bar.js";
import { addEntry, askForIssue } from "./edit-entry.js";
import { byId, showButton } from "./elements.js";
import { apportion, figureOf } from "./figures.js";
import { issueLink } from "./issue.js";
import { daysOfWeek, formats, text } from "./language.js";
import { clearNotice, notify, warn } from "./notices.js";
import { timerName } from "./reasons.js";
import { onAction, showError } from "./session.js";
import { confirmedIn, sheetsPath, withGain } from "./sheets.js";
import { askForTimes } from "./time-dialog.js";
import {
  overlappingTimers,
  overlapsOf,
  rangeOf,
  secondsOf,
  stretchOf,
  toBlocks,
  visibleRange,
  withoutConstantHours,
} from "./timeline.js";

/** @import { Timer as OpenTimer } from "../widget/types.d.ts" */
/** @import { Confirmation } from "./confirmation.js" */
/** @import { Send, Undo } from "./corrections.js" */
/** @import { Block, Edge, Stretch } from "./timeline.js" */
/** @import { Day, SheetDay, Timeline, Timer } from "./types.d.ts" */
/** @import { UndoStack } from "./undo-stack.js" */

const COLOURS = 6;
const PAUSE_MS = 15 * MINUTE_MS;
// A block that ended this long before it was loaded may still grow.
const GROWING_MS = 5_000;

/** @type {Timeline} */
const EMPTY = { slices: [], gaps: [], working_hours: [] };

/** Shows a day, and lets the user correct it. */
export class DayView {
  /** The day that is shown. @type {Day} */
  #day = "";
  /** The day to show, which may still be loading. @type {Day} */
  #chosen = "";
  #timeline = EMPTY;
  /** The timesheets of the week. @type {SheetDay[]} */
  #sheets = [];
  /** Whether to follow the present day. */
  #isToday = true;
  /** The timers of the day, by their ids. @type {Map<string, Timer>} */
  #timers = new Map();
  #loadedAt = 0;
  /** @type {Block | null} */
  #selected = null;
  #requests = 0;
  #bar;
  #now;
  #counting;
  #confirmation;
  #undos;
  #chose;
  #shown;
  #changed;

  /**
   * @param {object} options
   * @param {() => Date} options.now returns the present
   * @param {() => OpenTimer[]} options.counting returns the timers that count at present
   * @param {Confirmation} options.confirmation
   * @param {UndoStack} options.undos
   * @param {(day: Day) => unknown} options.chose is called when the user chooses a day; "" stands for today
   * @param {(day: Day, week: SheetDay[]) => unknown} options.shown is called with the timesheets of the week
   * @param {() => unknown} options.changed is called after a correction
   */
  constructor({ now, counting, confirmation, undos, chose, shown, changed }) {
    this.#now = now;
    this.#counting = counting;
    this.#confirmation = confirmation;
    this.#undos = undos;
    this.#chose = chose;
    this.#shown = shown;
    this.#changed = changed;
    this.#bar = new DayBar({
      select: (block) => this.#select(block),
      fill: (gap) => this.#fill(gap).catch(showError),
      move: (block, edge, to) => this.#moveBorder(block, edge, to).catch(showError),
    });
    byId("day-bar").append(this.#bar.element);
    for (const [card, days] of /** @type {const} */ ([
      ["day", 1],
      ["week", 7],
    ])) {
      this.#onChoice("click", `${card}-previous`, () => addDays(this.#chosen, -days));
      this.#onChoice("click", `${card}-next`, () => addDays(this.#chosen, days));
      this.#onChoice("click", `${card}-today`, () => dayOf(this.#now()));
      const date = byId(`${card}-date`, HTMLInputElement);
      // The value is empty while a day is typed that does not exist.
      this.#onChoice("change", date.id, () => date.value || this.#chosen);
    }
    onAction("click", byId("day-state-button"), async () => {
      const sheet = this.find(this.#day);
      if (sheet?.state === "over") await this.#confirmation.confirm([sheet]);
      else if (sheet) await this.#confirmation.reopen(sheet);
    });
  }

  /**
   * Show a day when a control chooses it, even if another day is still loading.
   *
   * @param {string} type the type of the event
   * @param {string} id the id of the control
   * @param {() => Day} chosen
   */
  #onChoice(type, id, chosen) {
    byId(id).addEventListener(type, () => {
      clearNotice();
      this.show(chosen()).catch(showError);
    });
  }

  /**
   * Show a day that the user has chosen. If days are chosen faster than they load, the last one is shown.
   *
   * @param {Day} day
   * @param {{isStale?: boolean}} [options] whether to load its week again
   */
  async show(day, { isStale = false } = {}) {
    this.choose(day);
    this.#chose(this.#isToday ? "" : day);
    const isLoaded = this.find(day) !== undefined && !isStale;
    if (isLoaded) this.#grow();
    await this.#load(isLoaded ? this.#sheets : null);
  }

  /**
   * Choose the day that `refresh` loads.
   *
   * @param {Day} day "" for today
   */
  choose(day) {
    this.#selected = null;
    const today = dayOf(this.#now());
    this.#chosen = day || today;
    this.#isToday = this.#chosen === today;
  }

  /** Load the day and its week again. If it is the day that was today, show the present day. */
  async refresh() {
    if (this.#bar.isBusy) return;
    if (this.#isToday) this.#chosen = dayOf(this.#now());
    await this.#load();
  }

  /** Load the day and its week again after a correction. */
  async reload() {
    await this.#load();
  }

  /** @param {Day} day @returns {SheetDay | undefined} the timesheet of a day of the week that is shown */
  find(day) {
    return this.#sheets.find(({ date }) => date === day);
  }

  /** Show the time that timers gained since the day was loaded. */
  run() {
    if (this.#bar.isBusy || !this.#day || this.#now().getTime() < this.#loadedAt + MINUTE_MS) return;
    this.#grow();
    this.#render();
  }

  /** Add the time that timers gained since the day was loaded. */
  #grow() {
    const now = this.#now().getTime();
    const counting = this.#counting();
    const ids = new Set(counting.map(({ id }) => id));
    for (const slice of this.#timeline.slices) {
      const isGrowing = Date.parse(slice.until) >= this.#loadedAt - GROWING_MS && ids.has(slice.timer);
      if (isGrowing) slice.until = isoTime(now);
    }
    this.#sheets = withGain(this.#sheets, counting, (now - this.#loadedAt) / 1000);
    this.#loadedAt = now;
  }

  clear() {
    // Ignore the responses to requests in progress.
    this.#requests++;
    this.#timeline = EMPTY;
    this.#sheets = [];
    this.#timers.clear();
    this.#undos.clear();
    this.#selected = null;
    this.#render();
  }

  /** @param {SheetDay[] | null} [loaded] the timesheets of the week, if they need not be loaded */
  async #load(loaded = null) {
    const number = ++this.#requests;
    const day = this.#chosen;
    for (const card of ["day", "week"]) byId(`${card}-date`, HTMLInputElement).value = day;
    const days = daysOfWeek(day);
    const [timeline, timers, sheets] = await Promise.all([
      get(`/api/timeline/?${periodOf(day)}`),
      timersOf(day),
      loaded ?? get(sheetsPath(days[0], days[6])).then((body) => body.days),
    ]);
    // Another day may have been chosen during the requests.
    if (number !== this.#requests) return;
    this.#day = day;
    this.#timeline = withoutConstantHours(timeline, rangeOf(day));
    this.#sheets = sheets;
    this.#timers = new Map([...timersOfSheets(sheets), ...timers].map((timer) => [timer.id, timer]));
    this.#loadedAt = this.#now().getTime();
    this.#render();
  }

  #render() {
    const day = this.#day;
    if (!day) return;
    const now = this.#now();
    const { slices, gaps, working_hours } = this.#timeline;
    const blocks = toBlocks(slices);
    this.#selected = counterpart(blocks, this.#selected);
    setText(byId("day-title"), formats.day(startOf(day), now));
    const today = dayOf(now);
    showButton(byId("day-today"), day !== today, "day-title");
    showButton(byId("week-today"), !daysOfWeek(day).includes(today), "week-title");
    const keys = [...new Set(blocks.map(({ timer }) => this.#issueKey(timer)))];
    const colourOf = (/** @type {Block} */ { timer }) => (keys.indexOf(this.#issueKey(timer)) % COLOURS) + 1;
    this.#bar.show({
      day,
      range: visibleRange(day, this.#timeline, now.getTime()),
      now: now.getTime(),
      blocks,
      gaps,
      working: working_hours,
      timerOf: (id) => this.#timers.get(id),
      overlaps: overlapsOf(slices),
      describe: (block) => this.#describe(block),
      colourOf,
      selected: this.#selected,
      isLocked: (block) => this.#lockOf(block) !== undefined,
    });
    this.#showState();
    this.#showSums(blocks, keys);
    this.#showTable(blocks);
    this.#showSelection();
    this.#undos.show();
    this.#shown(day, this.#sheets);
  }

  /** Show whether the day is confirmed, and the button that confirms or reopens it. */
  #showState() {
    const sheet = this.find(this.#day);
    const { state = "", at = "", note = "", action = null } = sheet ? describeState(sheet) : {};
    const badge = byId("day-state-badge");
    badge.hidden = !state;
    setText(badge, state);
    setText(byId("day-state-at"), at);
    setText(byId("day-state-note"), note);
    const button = byId("day-state-button");
    if (action) setText(button, text(action));
    if (!action && document.activeElement === button) byId("day-title").focus();
    byId("day-state").hidden = !action;
  }

  /** @param {Stretch} stretch @returns {SheetDay | undefined} the confirmed day because of which a time is fixed */
  #lockOf(stretch) {
    return confirmedIn(this.#sheets, stretch);
  }

  /** @param {Block} block */
  #describe(block) {
    return describeBlock(block, this.#timers.get(block.timer), this.#overlapOf(block));
  }

  /** @param {Block} block @returns {string} a text about the timers that the block overlaps; "" if there are none */
  #overlapOf(block) {
    const others = overlappingTimers(block, overlapsOf(this.#timeline.slices));
    const names = new Set(others.map((id) => isolate(this.#nameOf(id))));
    return names.size ? text("overlapsWith", { names: formats.all([...names]), count: others.length }) : "";
  }

  /** @param {string} id */
  #nameOf(id) {
    const timer = this.#timers.get(id);
    return timer ? timerName(timer) : text("noIssue");
  }

  /** @param {string} id @returns {string} a text that identifies what a timer is about */
  #issueKey(id) {
    const timer = this.#timers.get(id);
    return timer ? timerName(timer).toLowerCase() : id;
  }

  /**
   * Show the sum of the day, and the sum of each issue.
   *
   * @param {Block[]} blocks
   * @param {string[]} keys
   */
  #showSums(blocks, keys) {
    const sum = figureOf(secondsOf(blocks));
    const overtime = secondsOf(blocks.filter((block) => block.overtime));
    const missing = this.#timeline.gaps
      .map(stretchOf)
      .reduce((ms, { since, until }) => ms + until - since, 0);
    const parts = [
      text("worked", { duration: formats.figure(sum) }),
      overtime >= 60 && text("ofItOvertime", { duration: formats.duration(overtime) }),
      missing >= MINUTE_MS && text("notRecorded", { duration: formats.duration(missing / 1000) }),
    ];
    setText(byId("day-sum"), blocks.length ? parts.filter(Boolean).join(", ") : text("noTime"));
    const ofIssues = keys.map((key) => blocks.filter(({ timer }) => this.#issueKey(timer) === key));
    const figures = apportion(ofIssues.map(secondsOf), sum);
    byId("day-issues").replaceChildren(
      ...ofIssues.map(([{ timer: id }], index) => {
        const timer = this.#timers.get(id);
        return h(
          "li",
          {},
          h("span", { className: `swatch colour-${(index % COLOURS) + 1}`, ariaHidden: "true" }),
          h("span", {}, timer ? nameElement(timer) : text("noIssue")),
          h("span", { className: "duration" }, formats.figure(figures[index])),
        );
      }),
    );
  }

  /** @param {Block[]} blocks */
  #showTable(blocks) {
    const gaps = this.#timeline.gaps.map(stretchOf);
    const rows = [
      ...blocks.map((block) => ({ since: block.since, row: this.#row(block) })),
      ...gaps.map((gap) => ({ since: gap.since, row: gapRow(gap, () => this.#fill(gap)) })),
    ].sort((one, other) => one.since - other.since);
    byId("day-table").hidden = !rows.length;
    byId("day-rows").replaceChildren(...rows.map(({ row }) => row));
  }

  /** @param {Block} block */
  #row(block) {
    const name = this.#nameOf(block.timer);
    const select = h("button", { type: "button", className: "quiet" }, ...content(isolate(name)));
    select.addEventListener("click", () => {
      this.#select(block);
      this.#bar.focus();
    });
    const badge = block.overtime && h("span", { className: "badge" }, text("overtime"));
    const overlap = this.#overlapOf(block);
    const note = overlap && h("small", { className: "note" }, ...content(overlap));
    return tableRow(h("th", { scope: "row" }, select, badge || "", note), block);
  }

  // ---------------------------------------------------------------- corrections

  /** @param {Block | null} block */
  #select(block) {
    this.#selected = block;
    this.#render();
  }

  /** Show the selected block, and the buttons that correct it. */
  #showSelection() {
    const group = byId("selection");
    const block = this.#selected;
    const timer = block && this.#timers.get(block.timer);
    const lock = block && this.#lockOf(block);
    if (!block || !timer) {
      const hasFocus = group.contains(document.activeElement);
      group.replaceChildren();
      group.hidden = true;
      return hasFocus && byId("day-title").focus();
    }
    group.hidden = false;
    const label = this.#describe(block);
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
  async #moveBorder(block, edge, to) {
    const times = timesOf({ ...block, [edge]: to });
    const blocks = toBlocks(this.#timeline.slices);
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
  async #fill({ since, until }) {
    const lock = this.#lockOf({ since, until });
    if (lock) return warn(lockedText(lock.date));
    const timer = await addEntry(this.#now, { start: new Date(since), end: new Date(until) });
    if (!timer) return;
    const duration = formats.duration(timer.duration ?? 0);
    await this.#done(text("added", { duration }), deletionOf(this.#undos.send, timer));
  }

  /**
   * Carry out a correction that another card asks for, show its effect, and offer to undo it.
   *
   * @param {string} label
   * @param {(send: Send) => Promise<Undo>} action
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
      // Show the stored times again.
      this.#selected = block;
      this.#render();
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
   * @param {Undo} undo
   */
  async #done(label, undo) {
    this.#undos.add(label, undo);
    notify(label);
    await this.#load();
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
 * Return the block that a block has become: the one with the same start or, if a correction has moved it, the first
 * of the same timer that it overlaps.
 *
 * @param {Block[]} blocks
 * @param {Block | null} former
 */
function counterpart(blocks, former) {
  if (!former) return null;
  const overlapping = blocks.filter(
    ({ timer, since, until }) => timer === former.timer && since < former.until && former.since < until,
  );
  return overlapping.find((block) => isSame(block, former)) ?? overlapping[0] ?? null;
}

/**
 * Return the timers of confirmed days, which may have been deleted since.
 *
 * @param {SheetDay[]} sheets
 */
function timersOfSheets(sheets) {
  const rows = sheets.filter(({ state }) => state === "confirmed").flatMap(({ issues }) => issues);
  // Time of confirmed days cannot be corrected, so that nothing else of its timers is needed.
  return rows.flatMap(({ issue, description, timers }) =>
    timers.map((id) => /** @type {Timer} */ ({ ...NO_ISSUE, ...issue, id, description })),
  );
}

/** @type {import("./types.d.ts").TimedIssue} */
const NO_ISSUE = {
  github_repo: null,
  github_issue_number: null,
  github_issue_url: null,
  github_issue_title: null,
};

/**
 * Return the period of the API that is a day.
 *
 * @param {Day} day
 */
function periodOf(day) {
  const [since, until] = [startOf(day), startOf(addDays(day, 1))].map((instant) => instant.toISOString());
  return new URLSearchParams({ since, until });
}

/**
 * Return the timers that overlap a day.
 *
 * @param {Day} day
 */
async function timersOf(day) {
  /** @type {Timer[]} */
  const timers = [];
  for await (const page of pages(`/api/timelogs/?${periodOf(day)}&page_size=100`)) {
    timers.push(...page.results);
  }
  return timers;
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

/** @param {Timer} timer */
function nameElement(timer) {
  return timer.github_repo || !timer.description
    ? issueLink(timer)
    : h("span", {}, ...content(isolate(timer.description)));
}

/**
 * @param {Stretch} gap
 * @param {() => unknown} fill
 */
function gapRow(gap, fill) {
  const button = h("button", { type: "button", className: "quiet" }, text("fillGap"));
  onAction("click", button, fill);
  return tableRow(h("th", { scope: "row" }, button), gap);
}

/**
 * @param {HTMLElement} head
 * @param {Stretch & {share?: number}} stretch
 */
function tableRow(head, stretch) {
  const [since, until] = [stretch.since, stretch.until].map((time) => formats.date("time", new Date(time)));
  return h("tr", {}, head, h("td", {}, since), h("td", {}, until), h("td", {}, blockDuration(stretch)));
}
