// The bar of a day: working hours, gaps, and blocks of time that one can select and whose borders one can move.

import { content, h, isolate } from "../widget/dom.js";
import { MINUTE_MS } from "./calendar.js";
import { setChildren } from "./elements.js";
import { formats, text } from "./language.js";
import { timerName } from "./reasons.js";
import { instantAt, labelledHours, limitsOf, placeOf, rangeOf, stepped, stretchOf } from "./timeline.js";

/** @import { Block, Edge, Overlap, Stretch } from "./timeline.js" */
/** @import { Day, Interval, Timer } from "./types.d.ts" */

/**
 * The contents of the bar.
 *
 * @typedef {object} DayContent
 * @property {Day} day
 * @property {Stretch} range the time that the bar shows
 * @property {number} now
 * @property {Block[]} blocks
 * @property {Interval[]} gaps
 * @property {Interval[]} working
 * @property {(id: string) => Timer | undefined} timerOf
 * @property {Overlap[]} overlaps
 * @property {(block: Block) => string} describe describes a block
 * @property {(block: Block) => number} colourOf returns the number of a block's colour
 * @property {Block | null} selected
 * @property {(block: Block) => boolean} isLocked returns whether a block must not be corrected
 */

/** A border that is being moved. @typedef {{block: Block, edge: Edge, to: number}} Draft */

const STEP_MINUTES = 5;
const FINE_MINUTES = 1;
// A border that was moved by keys is saved after this time without a key.
const SAVE_AFTER_MS = 1_200;

export class DayBar {
  element = h("div", { className: "day-bar" });
  #blocks = h("div", { className: "blocks", role: "toolbar" });
  #handles = h("div", { className: "handles" });
  /** @type {DayContent | null} */
  #content = null;
  /** @type {Draft | null} */
  #draft = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #saving;
  #options;

  /**
   * @param {object} options
   * @param {(block: Block | null) => void} options.select is called when a block is pressed
   * @param {(gap: Stretch) => void} options.fill is called when a gap is pressed
   * @param {(block: Block, edge: Edge, to: number) => void} options.move is called when a border was moved
   */
  constructor(options) {
    this.#options = options;
    this.#blocks.addEventListener("keydown", (event) => this.#onKey(event));
    const handles = this.#handles;
    handles.addEventListener("keydown", (event) => this.#onHandleKey(event));
    handles.addEventListener("focusout", () => this.#save());
    handles.addEventListener("pointerdown", (event) => this.#onHandlePress(event));
    handles.addEventListener("pointermove", (event) => this.#onHandleMove(event));
    handles.addEventListener("pointerup", () => this.#save());
    handles.addEventListener("pointercancel", () => this.#cancel());
  }

  /** Whether a border is being moved. The bar must not be shown anew meanwhile. */
  get isBusy() {
    return this.#draft !== null;
  }

  /**
   * Show a day, and keep the focus on the control that was focused.
   *
   * @param {DayContent} shown
   */
  show(shown) {
    const hadFocus = this.element.contains(document.activeElement);
    this.#content = shown;
    const { range, working, gaps, blocks, overlaps, now } = shown;
    const lanes = Math.max(1, ...blocks.map(({ lane }) => lane + 1));
    this.element.style.setProperty("--lanes", String(lanes));
    this.#blocks.ariaLabel = text("timelineOf", { day: formats.date("longDay", new Date(range.since)) });
    const items = [
      ...gaps.map((gap) => ({ since: Date.parse(gap.from), button: this.#gap(gap, range) })),
      ...blocks.map((block) => ({ since: block.since, button: this.#block(block, shown) })),
    ].sort((one, other) => one.since - other.since);
    setChildren(
      this.#blocks,
      items.map(({ button }) => button),
    );
    this.#showHandles();
    const isPresent = range.since <= now && now < range.until;
    setChildren(this.element, [
      ...working.map((one) => band("working", placeOf(stretchOf(one), range))),
      ...hourLines(range),
      this.#blocks,
      ...overlaps.map((overlap) => band("overlap", placeOf(overlap, range))),
      this.#handles,
      ...(isPresent ? [band("present-line", placeOf({ since: now, until: now }, range))] : []),
    ]);
    const buttons = this.#buttons;
    const { activeElement } = document;
    const current =
      buttons.find((one) => one === activeElement) ??
      buttons.find(({ ariaPressed }) => ariaPressed === "true") ??
      buttons[0];
    if (current) current.tabIndex = 0;
    // The focused block may have vanished.
    if (hadFocus && !this.element.contains(activeElement)) current?.focus({ preventScroll: true });
  }

  /** Move the focus to the selected block. */
  focus() {
    (this.#buttons.find(({ ariaPressed }) => ariaPressed === "true") ?? this.#buttons[0])?.focus();
  }

  get #buttons() {
    return /** @type {HTMLButtonElement[]} */ ([...this.#blocks.children]);
  }

  /**
   * @param {Interval} gap
   * @param {Stretch} range
   */
  #gap(gap, range) {
    const stretch = stretchOf(gap);
    const label = text("gapOf", { time: timesOf(stretch), duration: stretchDuration(stretch) });
    const sign = h("span", { ariaHidden: "true" }, "+");
    const button = h(
      "button",
      { type: "button", className: "gap", ariaLabel: label, title: label, tabIndex: -1 },
      sign,
    );
    button.dataset.name = `gap ${gap.from}`;
    button.onclick = () => this.#options.fill(stretch);
    return placed(button, placeOf(stretch, range));
  }

  /**
   * @param {Block} block
   * @param {DayContent} shown
   */
  #block(block, { range, timerOf, describe, colourOf, selected }) {
    const timer = timerOf(block.timer);
    const label = describe(block);
    const isSelected = selected !== null && isSame(block, selected);
    const button = h(
      "button",
      {
        type: "button",
        className: `block colour-${colourOf(block)}${block.overtime ? " overtime" : ""}`,
        ariaLabel: label,
        ariaPressed: String(isSelected),
        title: label,
        tabIndex: -1,
      },
      shortName(timer),
    );
    button.dataset.name = blockName(block);
    button.onclick = () => this.#options.select(isSelected ? null : block);
    button.style.setProperty("--lane", String(block.lane));
    return placed(button, placeOf(this.#drafted(block), range));
  }

  /** @param {Block} block @returns {Stretch} the times of a block, with the border that is being moved */
  #drafted(block) {
    const draft = this.#draft;
    return draft && isSame(block, draft.block) ? { ...block, [draft.edge]: draft.to } : block;
  }

  /** @param {KeyboardEvent} event moves the focus between blocks and gaps */
  #onKey(event) {
    const buttons = this.#buttons;
    const index = buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const steps = { Home: -index, End: buttons.length - 1 - index, ...arrows(this.element) };
    const step = /** @type {Record<string, number>} */ (steps)[event.key];
    const next = buttons[index + step];
    if (step === undefined || !next) return;
    event.preventDefault();
    for (const button of buttons) button.tabIndex = button === next ? 0 : -1;
    next.focus();
  }

  // ---------------------------------------------------------------- borders

  #showHandles() {
    const { selected } = this.#content ?? {};
    const edges = selected
      ? /** @type {Edge[]} */ (["since", "until"]).filter((edge) => this.#canMove(selected, edge))
      : [];
    setChildren(
      this.#handles,
      edges.map((edge) => this.#handle(/** @type {Block} */ (selected), edge)),
    );
  }

  /**
   * Return whether a border can be moved. The end of a block that still grows cannot, and neither can a border at
   * midnight, which the timer passed, or a border of a confirmed day.
   *
   * @param {Block} block
   * @param {Edge} edge
   */
  #canMove(block, edge) {
    const { day, timerOf, now, isLocked } = /** @type {DayContent} */ (this.#content);
    const timer = timerOf(block.timer);
    const range = rangeOf(day);
    if (!timer || isLocked(block)) return false;
    if (edge === "since") return block.since > range.since || Date.parse(timer.start_time) >= range.since;
    if (block.until >= now - MINUTE_MS && timer.status === "running") return false;
    return block.until < range.until || Date.parse(timer.end_time ?? "") <= range.until;
  }

  /**
   * @param {Block} block
   * @param {Edge} edge
   */
  #handle(block, edge) {
    const { timerOf, range } = /** @type {DayContent} */ (this.#content);
    const limits = this.#limits(block, edge);
    const timer = timerOf(block.timer);
    const draft = this.#draft?.edge === edge ? this.#draft : null;
    const at = draft ? draft.to : block[edge];
    const time = formats.date("time", new Date(at));
    const handle = h("div", {
      className: `handle ${edge}${draft ? " moving" : ""}`,
      role: "slider",
      tabIndex: 0,
      ariaLabel: text(edge === "since" ? "startOf" : "endOf", { name: timer ? timerName(timer) : "" }),
      ariaValueMin: String(limits.since / MINUTE_MS),
      ariaValueMax: String(limits.until / MINUTE_MS),
      ariaValueNow: String(at / MINUTE_MS),
      ariaValueText: time,
    });
    Object.assign(handle.dataset, { name: `handle ${edge}`, edge, time });
    handle.style.setProperty("--lane", String(block.lane));
    return placed(handle, { start: placeOf({ since: range.since, until: at }, range).size });
  }

  /**
   * @param {Block} block
   * @param {Edge} edge
   * @returns {Stretch} the times to which a border can be moved
   */
  #limits(block, edge) {
    const { day, blocks, now } = /** @type {DayContent} */ (this.#content);
    return limitsOf(block, edge, blocks, rangeOf(day), now);
  }

  /**
   * Return the border that the handle of an event moves, as it is now.
   *
   * @param {Event} event
   * @returns {Draft}
   */
  #borderOf({ target }) {
    const edge = /** @type {Edge} */ (/** @type {HTMLElement} */ (target).dataset.edge);
    const block = /** @type {Block} */ (this.#content?.selected);
    return this.#draft ?? { block, edge, to: block[edge] };
  }

  /** @param {Draft | null} draft */
  #showDraft(draft) {
    this.#draft = draft;
    this.#showHandles();
    const { selected, range } = /** @type {DayContent} */ (this.#content);
    const button = selected && this.#buttons.find(({ dataset }) => dataset.name === blockName(selected));
    if (button) placed(button, placeOf(this.#drafted(selected), range));
  }

  /** @param {KeyboardEvent} event moves a border, and saves or cancels the move */
  #onHandleKey(event) {
    if (event.key === "Enter") return this.#save();
    if (event.key === "Escape") return this.#cancel();
    const { block, edge, to: from } = this.#borderOf(event);
    const to = this.#target(event, from, this.#limits(block, edge));
    if (to === null) return;
    event.preventDefault();
    this.#showDraft({ block, edge, to });
    clearTimeout(this.#saving);
    this.#saving = setTimeout(() => this.#save(), SAVE_AFTER_MS);
  }

  /** @param {PointerEvent} event begins to move a border */
  #onHandlePress(event) {
    const handle = /** @type {HTMLElement} */ (event.target);
    handle.setPointerCapture(event.pointerId);
    handle.focus();
    this.#showDraft(this.#borderOf(event));
    event.preventDefault();
  }

  /** @param {PointerEvent} event moves a border */
  #onHandleMove(event) {
    if (!(/** @type {HTMLElement} */ (event.target).hasPointerCapture(event.pointerId))) return;
    const { block, edge } = this.#borderOf(event);
    const { range } = /** @type {DayContent} */ (this.#content);
    const limits = this.#limits(block, edge);
    this.#showDraft({ block, edge, to: instantAt(this.#partAt(event.clientX), range, STEP_MINUTES, limits) });
  }

  /**
   * Return the instant to which a key moves a border.
   *
   * @param {KeyboardEvent} event
   * @param {number} from
   * @param {Stretch} limits
   * @returns {number | null} null if the key moves no border
   */
  #target({ key, shiftKey }, from, limits) {
    if (key === "Home") return limits.since;
    if (key === "End") return limits.until;
    const steps = arrows(this.element)[key];
    return steps ? stepped(from, steps, shiftKey ? FINE_MINUTES : STEP_MINUTES, limits) : null;
  }

  #save() {
    const draft = this.#draft;
    if (!draft || draft.to === draft.block[draft.edge]) return this.#cancel();
    clearTimeout(this.#saving);
    // The bar shows the moved border until the day is shown anew.
    this.#draft = null;
    this.#options.move(draft.block, draft.edge, draft.to);
  }

  #cancel() {
    clearTimeout(this.#saving);
    if (this.#draft) this.#showDraft(null);
  }

  /** @param {number} x @returns {number} the place of a pointer, as a part of the bar's width */
  #partAt(x) {
    const { left, right, width } = this.#blocks.getBoundingClientRect();
    return (isMirrored(this.element) ? right - x : x - left) / width;
  }
}

/** @param {Block} block @returns {string} the name of its element, which stays the same while the block grows */
export function blockName({ timer, since }) {
  return `block ${timer} ${since}`;
}

/**
 * Return whether two blocks are the same, except for an end that has grown.
 *
 * @param {Block} one
 * @param {Block} other
 */
export function isSame(one, other) {
  return one.timer === other.timer && one.since === other.since;
}

/**
 * Describe a block: its issue, its times and its duration, and what is special. The title that the block shows is a
 * part of its name (WCAG 2.5.3).
 *
 * @param {Block} block
 * @param {Timer | undefined} timer
 * @param {string} duration
 * @param {string} overlap describes with what the block overlaps; "" for nothing
 */
export function describeBlock(block, timer, duration, overlap) {
  const title = timer?.github_issue_title;
  const issue = timer ? timerName(timer) : text("noIssue");
  const name = title ? `${title}, ${issue}` : issue;
  const described = text("blockOf", { name, time: timesOf(block), duration });
  return [described, block.overtime && text("overtime"), overlap].filter(Boolean).join(", ");
}

/**
 * Return the element with a timer's name on its block. The number of the issue is shown if the block has no space
 * for the rest.
 *
 * @param {Timer} [timer]
 */
function shortName(timer) {
  const { github_repo: repo, github_issue_number: number, github_issue_title: title } = timer ?? {};
  const name = title || repo || (timer ? timerName(timer) : text("noIssue"));
  return h(
    "span",
    { className: "label" },
    h("span", { className: "name" }, ...content(isolate(name))),
    repo && h("span", { className: title ? "number instead" : "number" }, `#${number}`),
  );
}

/** @param {Stretch} stretch */
export function timesOf({ since, until }) {
  return formats.range("time", new Date(since), new Date(until));
}

/** @param {Stretch} stretch */
export function stretchDuration({ since, until }) {
  return formats.duration((until - since) / 1000);
}

/**
 * Return the steps of the arrow keys, by their names.
 *
 * @param {Element} element
 * @returns {Record<string, number>}
 */
function arrows(element) {
  const forward = isMirrored(element) ? -1 : 1;
  return { ArrowRight: forward, ArrowLeft: -forward, ArrowUp: 1, ArrowDown: -1 };
}

/** @param {Element} element */
function isMirrored(element) {
  return getComputedStyle(element).direction === "rtl";
}

/** @param {Stretch} range */
function hourLines(range) {
  return labelledHours(range).map((hour, index) => {
    const label = h("span", {}, formats.hour(new Date(hour)));
    const kind = hour === range.since ? "edge" : index % 2 ? "minor" : "";
    const line = h("div", { className: `hour ${kind}`, ariaHidden: "true" }, label);
    return placed(line, { start: placeOf({ since: hour, until: hour }, range).start });
  });
}

/**
 * @param {string} className
 * @param {{start: number, size: number}} place
 */
function band(className, place) {
  return placed(h("div", { className, ariaHidden: "true" }), place);
}

/**
 * Place an element on the bar.
 *
 * @template {HTMLElement} T
 * @param {T} element
 * @param {{start: number, size?: number}} place in percent
 */
function placed(element, { start, size }) {
  element.style.insetInlineStart = `${start}%`;
  if (size !== undefined) element.style.inlineSize = `${size}%`;
  return element;
}
