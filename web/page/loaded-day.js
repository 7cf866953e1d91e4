// A day as it was loaded: its timeline, its timers, and the timesheets of its week.

import { isolate } from "../widget/dom.js";
import { get, pages } from "./api.js";
import { addDays, isoTime, startOf } from "./calendar.js";
import { apportion, figureOf } from "./figures.js";
import { daysOfWeek, formats, text } from "./language.js";
import { timerName } from "./reasons.js";
import { confirmedIn, isFrozen, sheetsPath, withGain } from "./sheets.js";
import {
  overlappingTimers,
  overlapsOf,
  rangeOf,
  secondsOf,
  toBlocks,
  withoutConstantHours,
} from "./timeline.js";

/** @import { Timer as OpenTimer } from "../widget/types.d.ts" */
/** @import { Block, Stretch } from "./timeline.js" */
/** @import { Day, Figure, SheetDay, TimedIssue, Timeline, Timer } from "./types.d.ts" */

// A block that ended this long before it was loaded may still grow.
const GROWING_MS = 5_000;

/** @type {TimedIssue} */
const NO_ISSUE = {
  github_repo: null,
  github_issue_number: null,
  github_issue_url: null,
  github_issue_title: null,
};

export class LoadedDay {
  /**
   * @param {Day} day
   * @param {Timeline} timeline
   * @param {Timer[]} timers the timers that overlap the day
   * @param {SheetDay[]} sheets the timesheets of the week
   * @param {number} loadedAt in milliseconds since the epoch
   */
  constructor(day, timeline, timers, sheets, loadedAt) {
    this.day = day;
    this.timeline = withoutConstantHours(timeline, rangeOf(day));
    this.sheets = sheets;
    this.loadedAt = loadedAt;
    /** The timers of the day and of confirmed days, by their ids. */
    this.timers = new Map([...timersOfSheets(sheets), ...timers].map((timer) => [timer.id, timer]));
  }

  /** The time that counted, in order. @returns {Block[]} */
  get blocks() {
    return toBlocks(this.timeline.slices);
  }

  /**
   * The working time of the day, of its issues and of its blocks, rounded so that all of them add up.
   *
   * @returns {{sum: Figure, issues: Map<string, Figure>, blocks: Map<string, Figure>}} by `issueKey` and `blockKey`
   */
  get figures() {
    const ofIssues = Map.groupBy(this.blocks, ({ timer }) => this.issueKey(timer));
    const sum = figureOf(secondsOf(this.blocks));
    const rounded = apportion([...ofIssues.values()].map(secondsOf), sum);
    const issues = new Map([...ofIssues.keys()].map((key, index) => [key, rounded[index]]));
    const blocks = new Map();
    for (const [key, own] of ofIssues) {
      const figures = apportion(
        own.map((block) => secondsOf([block])),
        /** @type {Figure} */ (issues.get(key)),
      );
      for (const [index, block] of own.entries()) blocks.set(blockKey(block), figures[index]);
    }
    return { sum, issues, blocks };
  }

  /** @param {Block} block one of the day, or one that a correction would make @returns {string} its duration */
  durationOf(block) {
    const figure = this.figures.blocks.get(blockKey(block));
    return figure ? formats.figure(figure) : formats.duration(secondsOf([block]));
  }

  get overlaps() {
    return overlapsOf(this.timeline.slices);
  }

  /** @param {Day} date @returns {SheetDay | undefined} the timesheet of a day of the week */
  find(date) {
    return this.sheets.find((sheet) => sheet.date === date);
  }

  /** @param {Stretch} stretch @returns {SheetDay | undefined} the confirmed day because of which a time is fixed */
  lockOf(stretch) {
    return confirmedIn(this.sheets, stretch);
  }

  /** @param {string} id @returns {string} the name of a timer */
  nameOf(id) {
    const timer = this.timers.get(id);
    return timer ? timerName(timer) : text("noIssue");
  }

  /** @param {string} id @returns {string} a text that identifies what a timer is about */
  issueKey(id) {
    return this.timers.has(id) ? this.nameOf(id).toLowerCase() : id;
  }

  /** @param {Block} block @returns {string} a text about the timers that the block overlaps; "" if there are none */
  overlapOf(block) {
    const others = overlappingTimers(block, this.overlaps);
    const names = new Set(others.map((id) => isolate(this.nameOf(id))));
    return names.size ? text("overlapsWith", { names: formats.all([...names]), count: others.length }) : "";
  }

  /** @param {Block} block @returns {boolean} whether the block ends at the present because its timer counts */
  isGrowing(block) {
    const isLast = !this.blocks.some(({ timer, since }) => timer === block.timer && since >= block.until);
    return isLast && this.timers.get(block.timer)?.is_counting === true;
  }

  /**
   * Add the time that timers gained since the day was loaded.
   *
   * @param {Pick<OpenTimer, "id" | "counting_share" | "why">[]} counting the timers that count
   * @param {number} now in milliseconds since the epoch
   */
  grow(counting, now) {
    const ids = new Set(counting.map(({ id }) => id));
    for (const slice of this.timeline.slices) {
      const isGrowing = Date.parse(slice.until) >= this.loadedAt - GROWING_MS && ids.has(slice.timer);
      if (isGrowing) slice.until = isoTime(now);
    }
    this.sheets = withGain(this.sheets, counting, (now - this.loadedAt) / 1000);
    this.loadedAt = now;
  }
}

/** @param {Block} block */
function blockKey({ timer, since, until }) {
  return `${timer} ${since} ${until}`;
}

/**
 * Return a day without contents.
 *
 * @param {Day} day
 */
export function emptyDay(day) {
  return new LoadedDay(day, { slices: [], gaps: [], working_hours: [] }, [], [], 0);
}

/**
 * Load a day.
 *
 * @param {Day} day
 * @param {SheetDay[] | null} sheets the timesheets of the week, if they need not be loaded
 * @param {() => Date} now returns the present
 */
export async function loadDay(day, sheets, now) {
  const days = daysOfWeek(day);
  const [timeline, timers, week] = await Promise.all([
    get(`/api/timeline/?${periodOf(day)}`),
    timersOf(day),
    sheets ?? get(sheetsPath(days[0], days[6])).then((body) => body.days),
  ]);
  return new LoadedDay(day, timeline, timers, week, now().getTime());
}

/**
 * Return the timers of confirmed and locked days, which may have been deleted since.
 *
 * @param {SheetDay[]} sheets
 */
function timersOfSheets(sheets) {
  const rows = sheets.filter(isFrozen).flatMap(({ issues }) => issues);
  // Time of these days cannot be corrected, so that nothing else of its timers is needed.
  return rows.flatMap(({ issue, description, timers }) =>
    timers.map((id) => /** @type {Timer} */ ({ ...NO_ISSUE, ...issue, id, description })),
  );
}

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
