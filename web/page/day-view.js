// The card of a day: its bar, its issues, its table, and whether it is confirmed. The timesheets of its week are
// loaded with it.

import { content, h, isolate, setText } from "../widget/dom.js";
import { addDays, dayOf, MINUTE_MS, startOf } from "./calendar.js";
import { describeState } from "./confirmation.js";
import { DayBar, describeBlock, isSame, stretchDuration } from "./day-bar.js";
import { DayCorrections } from "./day-corrections.js";
import { byId, named, setChildren, showButton } from "./elements.js";
import { issueLink } from "./issue.js";
import { daysOfWeek, formats, text } from "./language.js";
import { emptyDay, loadDay } from "./loaded-day.js";
import { clearNotice } from "./notices.js";
import { onAction, showError } from "./session.js";
import { secondsOf, stretchOf, visibleRange } from "./timeline.js";

/** @import { Timer as OpenTimer } from "../widget/types.d.ts" */
/** @import { Confirmation } from "./confirmation.js" */
/** @import { LoadedDay } from "./loaded-day.js" */
/** @import { Block, Stretch } from "./timeline.js" */
/** @import { Day, SheetDay, Timer } from "./types.d.ts" */
/** @import { UndoStack } from "./undo-stack.js" */

const COLOURS = 6;

/** Shows a day, and lets the user choose and correct it. */
export class DayView {
  /** The day that is shown. @type {LoadedDay | null} */
  #loaded = null;
  /** The day to show, which may still be loading. @type {Day} */
  #chosen = "";
  /** Whether to follow the present day. */
  #isToday = true;
  /** @type {Block | null} */
  #selected = null;
  #requests = 0;
  /** The last request. @type {Promise<void>} */
  #loading = Promise.resolve();
  #bar;
  #now;
  #counting;
  #exceptionTextOn;
  #confirmation;
  #undos;
  #chose;
  #shown;

  /** The corrections of the day that is shown. */
  corrections;

  /**
   * @param {object} options
   * @param {() => Date} options.now returns the present
   * @param {() => OpenTimer[]} options.counting returns the timers that count at present
   * @param {(day: Day) => string} options.exceptionTextOn returns why a day has other hours than its weekday, or ""
   * @param {Confirmation} options.confirmation
   * @param {UndoStack} options.undos
   * @param {(day: Day) => unknown} options.chose is called when the user chooses a day; "" stands for today
   * @param {(day: Day, week: SheetDay[]) => unknown} options.shown is called with the timesheets of the week
   * @param {() => unknown} options.changed is called after a correction
   */
  constructor({ now, counting, exceptionTextOn, confirmation, undos, chose, shown, changed }) {
    this.#now = now;
    this.#counting = counting;
    this.#exceptionTextOn = exceptionTextOn;
    this.#confirmation = confirmation;
    this.#undos = undos;
    this.#chose = chose;
    this.#shown = shown;
    this.corrections = new DayCorrections({
      now,
      shown: () => /** @type {LoadedDay} */ (this.#loaded),
      confirmation,
      undos,
      reload: () => this.#load(),
      restore: (block) => this.#select(block),
      changed,
    });
    this.#bar = new DayBar({
      select: (block) => this.#select(block),
      fill: (gap) => this.corrections.fill(gap).catch(showError),
      move: (block, edge, to) => this.corrections.moveBorder(block, edge, to).catch(showError),
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
      const sheet = this.#sheet;
      const reason = byId("day-state-reason", HTMLInputElement).value.trim();
      if (sheet?.state === "over") await this.#confirmation.confirm([sheet], reason);
      else if (sheet) await this.#confirmation.reopen(sheet, reason);
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
    await this.#load(isLoaded ? this.#loaded?.sheets : null);
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
    return this.#loaded?.find(day);
  }

  /** The timesheet of the day that is shown. */
  get #sheet() {
    return this.#loaded?.find(this.#loaded.day);
  }

  /** Show the time that timers gained since the day was loaded. */
  run() {
    if (this.#bar.isBusy || !this.#loaded || this.#now().getTime() < this.#loaded.loadedAt + MINUTE_MS)
      return;
    this.#grow();
    this.render();
  }

  /** Add the time that timers gained since the day was loaded. */
  #grow() {
    this.#loaded?.grow(this.#counting(), this.#now().getTime());
  }

  clear() {
    // Ignore the responses to requests in progress.
    this.#requests++;
    this.#loading = Promise.resolve();
    this.#undos.clear();
    this.#selected = null;
    if (!this.#loaded) return;
    this.#loaded = emptyDay(this.#loaded.day);
    this.render();
  }

  /**
   * Load the day that was chosen last, and show it.
   *
   * @param {SheetDay[] | null} [loaded] the timesheets of the week, if they need not be loaded
   */
  #load(loaded = null) {
    this.#loading = this.#loadAs(++this.#requests, loaded);
    return this.#loading;
  }

  /**
   * @param {number} number
   * @param {SheetDay[] | null} loaded
   */
  async #loadAs(number, loaded) {
    const day = this.#chosen;
    for (const card of ["day", "week"]) byId(`${card}-date`, HTMLInputElement).value = day;
    const shown = await loadDay(day, loaded, this.#now);
    // Another day may have been chosen during the requests, or a change was announced. Wait for what it shows.
    if (number !== this.#requests) return this.#loading;
    this.#loaded = shown;
    this.render();
  }

  /** Show what is known of the day. */
  render() {
    const loaded = this.#loaded;
    if (!loaded) return;
    const { day, timeline, timers, blocks, overlaps, sheets } = loaded;
    const now = this.#now();
    this.#selected = counterpart(blocks, this.#selected);
    setText(byId("day-title"), formats.day(startOf(day), now));
    const today = dayOf(now);
    showButton(byId("day-today"), day !== today, "day-title");
    showButton(byId("week-today"), !daysOfWeek(day).includes(today), "week-title");
    const keys = [...new Set(blocks.map(({ timer }) => loaded.issueKey(timer)))];
    this.#bar.show({
      day,
      range: visibleRange(day, timeline, now.getTime()),
      now: now.getTime(),
      blocks,
      gaps: timeline.gaps,
      working: timeline.working_hours,
      timerOf: (id) => timers.get(id),
      overlaps,
      describe: (block) =>
        describeBlock(block, timers.get(block.timer), loaded.durationOf(block), loaded.overlapOf(block)),
      colourOf: ({ timer }) => (keys.indexOf(loaded.issueKey(timer)) % COLOURS) + 1,
      selected: this.#selected,
      isLocked: (block) => loaded.lockOf(block) !== undefined,
    });
    const exception = byId("day-exception");
    setText(exception, this.#exceptionTextOn(day));
    exception.hidden = !exception.textContent;
    showLegend(loaded);
    this.#showState();
    showSums(loaded, blocks);
    this.#showTable(loaded, blocks);
    // Of a day without details, only the sums are true.
    const hasDetails = !this.#sheet?.details_deleted;
    byId("day-bar").hidden = !hasDetails;
    byId("day-legend").hidden = !hasDetails;
    byId("day-table").hidden ||= !hasDetails;
    this.corrections.show(this.#selected);
    this.#undos.show();
    this.#shown(day, sheets);
  }

  /** Show whether the day is confirmed, and the button that confirms or reopens it. */
  #showState() {
    const sheet = this.#sheet;
    const { state = "", at = "", note = "", action = null } = sheet ? describeState(sheet) : {};
    const badge = byId("day-state-badge");
    badge.hidden = !state;
    setText(badge, state);
    setText(byId("day-state-at"), at);
    setText(byId("day-state-note"), note);
    const button = byId("day-state-button");
    if (action) setText(button, text(action));
    if (!action && document.activeElement === button) byId("day-title").focus();
    button.hidden = !action;
    const why = byId("day-state-why", HTMLDetailsElement);
    why.hidden = !action;
    // A reason belongs to one change of one day.
    const subject = `${sheet?.date} ${action}`;
    if (why.dataset.subject !== subject) {
      why.dataset.subject = subject;
      why.open = false;
      byId("day-state-reason", HTMLInputElement).value = "";
    }
    byId("day-state").hidden = !state && !action;
  }

  /**
   * @param {LoadedDay} loaded
   * @param {Block[]} blocks
   */
  #showTable(loaded, blocks) {
    const gaps = loaded.timeline.gaps.map(stretchOf);
    const rows = [
      ...blocks.map((block) => ({ since: block.since, row: this.#row(loaded, block) })),
      ...gaps.map((gap) => ({ since: gap.since, row: gapRow(gap, () => this.corrections.fill(gap)) })),
    ].sort((one, other) => one.since - other.since);
    byId("day-table").hidden = !rows.length;
    setChildren(
      byId("day-rows"),
      rows.map(({ row }) => row),
    );
  }

  /**
   * @param {LoadedDay} loaded
   * @param {Block} block
   */
  #row(loaded, block) {
    const title = loaded.timers.get(block.timer)?.github_issue_title;
    const name = content(isolate(loaded.nameOf(block.timer)));
    const label = title ? [...content(isolate(title)), " ", h("small", {}, ...name)] : name;
    const select = h("button", { type: "button", className: "quiet" }, ...label);
    select.onclick = () => {
      this.#select(block);
      this.#bar.focus();
    };
    const badge = block.overtime && h("span", { className: "badge" }, text("overtime"));
    const overlap = loaded.overlapOf(block);
    const note = overlap && h("small", { className: "note" }, ...content(overlap));
    const head = h("th", { scope: "row" }, select, badge || "", note);
    return tableRow(`${block.timer} ${block.since}`, head, block, loaded.durationOf(block));
  }

  /** @param {Block | null} block */
  #select(block) {
    this.#selected = block;
    this.render();
  }
}

/**
 * Explain what the bar shows.
 *
 * @param {LoadedDay} loaded
 */
function showLegend({ blocks, overlaps, timeline }) {
  const shown = [
    timeline.working_hours.length > 0,
    timeline.gaps.length > 0,
    blocks.some(({ overtime }) => overtime),
    overlaps.length > 0,
  ];
  [...byId("day-legend").children].forEach((item, index) => {
    /** @type {HTMLElement} */ (item).hidden = !shown[index];
  });
}

/**
 * Show the sum of the day, and the sum of each issue.
 *
 * @param {LoadedDay} loaded
 * @param {Block[]} blocks
 */
function showSums(loaded, blocks) {
  const { sum, issues } = loaded.figures;
  const overtime = secondsOf(blocks.filter((block) => block.overtime));
  const missing = loaded.timeline.gaps.map(stretchOf).reduce((ms, { since, until }) => ms + until - since, 0);
  const isAll = sum.exact - overtime < 60;
  const worked = blocks.length ? text("worked", { duration: formats.figure(sum) }) : text("noTimeOnDay");
  const parts = [
    overtime >= 60 &&
      (isAll ? text("allOvertime") : text("ofItOvertime", { duration: formats.duration(overtime) })),
    missing >= MINUTE_MS && text("notRecorded", { duration: formats.duration(missing / 1000) }),
  ];
  byId("day-sum").replaceChildren(
    h(blocks.length ? "strong" : "span", {}, worked),
    parts
      .filter(Boolean)
      .map((part) => `, ${part}`)
      .join(""),
  );
  setChildren(
    byId("day-issues"),
    [...issues].map(([key, figure], index) => {
      const id = blocks.find((block) => loaded.issueKey(block.timer) === key)?.timer ?? "";
      const timer = loaded.timers.get(id);
      const item = h(
        "li",
        {},
        h("span", { className: `swatch colour-${(index % COLOURS) + 1}`, ariaHidden: "true" }),
        h("span", {}, timer ? nameElement(timer) : text("noIssue")),
        h("span", { className: "duration" }, formats.figure(figure)),
      );
      return named(key, item);
    }),
  );
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
  return tableRow(`gap ${gap.since}`, h("th", { scope: "row" }, button), gap, stretchDuration(gap));
}

/**
 * @param {string} name
 * @param {HTMLElement} head
 * @param {Stretch} stretch
 * @param {string} duration
 */
function tableRow(name, head, stretch, duration) {
  const [since, until] = [stretch.since, stretch.until].map((time) => formats.date("time", new Date(time)));
  const cells = [since, until, duration].map((cell) => h("td", {}, cell));
  return named(name, h("tr", {}, head, ...cells));
}
