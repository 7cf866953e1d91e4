// The geometry of a day's bar: the hours that it shows, the places of slices, and the limits of their borders.

import { addDays, HOUR_MS, MINUTE_MS, startOf } from "./calendar.js";

/** @import { Day, Interval, Slice, Timeline } from "./types.d.ts" */

/**
 * A time on the bar, in milliseconds since the epoch.
 *
 * @typedef {{since: number, until: number}} Stretch
 */

/**
 * Adjacent slices of a timer, which the bar shows as one.
 *
 * @typedef {Stretch & {timer: string, share: number, overtime: boolean, claimed: boolean, lane: number}} Block
 */

/**
 * A time for which statements on two timers overlap, so that it counts for both in full.
 *
 * @typedef {Stretch & {timers: string[]}} Overlap
 */

/** A border of a block. @typedef {"since" | "until"} Edge */

// The bar shows at least these hours of the day, if the time that it has to show is shorter.
const LEAST_HOURS = 10;
const USUAL_START_HOUR = 8;
const LABEL_STEPS = [1, 2, 3, 4, 6];
const MAX_HOUR_LABELS = 12;

/**
 * @param {Interval} interval
 * @returns {Stretch}
 */
export function stretchOf({ from, until }) {
  return { since: Date.parse(from), until: Date.parse(until) };
}

/**
 * Return the first and the last instant of a day, by local clocks.
 *
 * @param {Day} day
 * @returns {Stretch}
 */
export function rangeOf(day) {
  return { since: startOf(day).getTime(), until: startOf(addDays(day, 1)).getTime() };
}

/**
 * Return the part of a time that lies in a range; its length is 0 if there is none.
 *
 * @param {Stretch} stretch
 * @param {Stretch} range
 * @returns {Stretch}
 */
export function cut({ since, until }, range) {
  const start = Math.max(since, range.since);
  return { since: start, until: Math.max(start, Math.min(until, range.until)) };
}

/**
 * Return the timeline of a day without working hours and gaps if the working hours are the whole day, as they are
 * for people for whom all time counts. Gaps of less than a minute are omitted.
 *
 * @param {Timeline} timeline
 * @param {Stretch} range the day
 * @returns {Timeline}
 */
export function withoutConstantHours({ slices, gaps, working_hours }, range) {
  const hours = working_hours.map(stretchOf);
  if (hours.some(({ since, until }) => since <= range.since && range.until <= until)) {
    return { slices, gaps: [], working_hours: [] };
  }
  const isLong = (/** @type {Interval} */ gap) => Date.parse(gap.until) - Date.parse(gap.from) >= MINUTE_MS;
  return { slices, gaps: gaps.filter(isLong), working_hours };
}

/**
 * Join adjacent slices of the same timer, and give blocks that overlap different lanes.
 *
 * @param {Slice[]} slices in any order
 * @returns {Block[]} in order of time
 */
export function toBlocks(slices) {
  /** @type {Block[]} */
  const blocks = [];
  const sorted = slices
    .map((slice) => ({ ...slice, ...stretchOf(slice) }))
    .sort((one, other) => one.since - other.since || (one.timer < other.timer ? -1 : 1));
  for (const { timer, share, overtime, rule, since, until } of sorted) {
    const claimed = rule === "claim";
    const before = blocks.findLast((block) => block.timer === timer);
    if (before?.until === since && before.overtime === overtime && before.share === share) {
      before.until = until;
      before.claimed &&= claimed;
    } else blocks.push({ timer, share, overtime, claimed, since, until, lane: 0 });
  }
  /** The end of the last block in each lane. @type {number[]} */
  const ends = [];
  for (const block of blocks) {
    const free = ends.findIndex((end) => end <= block.since);
    block.lane = free < 0 ? ends.length : free;
    ends[block.lane] = block.until;
  }
  return blocks;
}

/**
 * Return the times for which statements on different timers overlap.
 *
 * @param {Slice[]} slices
 * @returns {Overlap[]}
 */
export function overlapsOf(slices) {
  const stated = slices
    .filter(({ rule }) => rule === "claim")
    .map((slice) => ({ timer: slice.timer, ...stretchOf(slice) }));
  return stated
    .flatMap((one, index) =>
      stated
        .slice(index + 1)
        .filter(({ timer }) => timer !== one.timer)
        .map((other) => ({ ...cut(one, other), timers: [one.timer, other.timer] })),
    )
    .filter(({ since, until }) => since < until);
}

/**
 * Return the timers on which statements overlap those of a block.
 *
 * @param {Pick<Block, "timer" | "since" | "until">} block
 * @param {Overlap[]} overlaps
 * @returns {string[]}
 */
export function overlappingTimers({ timer, ...stretch }, overlaps) {
  const own = overlaps.filter((overlap) => {
    const { since, until } = cut(overlap, stretch);
    return overlap.timers.includes(timer) && since < until;
  });
  return [...new Set(own.flatMap(({ timers }) => timers))].filter((one) => one !== timer);
}

/**
 * Return the working time of blocks, in seconds.
 *
 * @param {Pick<Block, "since" | "until" | "share">[]} blocks
 */
export function secondsOf(blocks) {
  return blocks.reduce((sum, { since, until, share }) => sum + ((until - since) * share) / 1000, 0);
}

/**
 * Return the hours that the bar of a day shows: those with slices, gaps or working hours and an hour around
 * them, at least ten.
 *
 * @param {Day} day
 * @param {Timeline} timeline
 * @param {number} now in milliseconds since the epoch
 * @returns {Stretch}
 */
export function visibleRange(day, { slices, gaps, working_hours }, now) {
  const range = rangeOf(day);
  const shown = [...slices, ...gaps, ...working_hours].map(stretchOf);
  const hours = hoursOf(range);
  const usual = hours[USUAL_START_HOUR] ?? range.since;
  if (!shown.length) shown.push({ since: usual, until: usual });
  if (range.since <= now && now < range.until) shown.push({ since: now, until: now });
  let since = Math.min(...shown.map((one) => one.since)) - HOUR_MS / 2;
  let until = Math.max(...shown.map((one) => one.until)) + HOUR_MS / 2;
  const missing = LEAST_HOURS * HOUR_MS - (until - since);
  if (missing > 0) until += missing;
  if (until > range.until) since -= until - range.until;
  since = hours.findLast((hour) => hour <= since) ?? range.since;
  until = hours.find((hour) => hour >= until) ?? range.until;
  return { since, until };
}

/**
 * Return the instants at which local clocks show a full hour. An hour that clocks skip is missing; an hour that
 * they show twice is there twice.
 *
 * @param {Stretch} range
 */
export function hoursOf({ since, until }) {
  const hours = [];
  // Local clocks show full hours at quarters of UTC's hours. Lord Howe puts clocks forward by half an hour.
  for (let instant = since; instant < until; instant += HOUR_MS / 4) {
    if (new Date(instant).getMinutes() === 0 && new Date(instant).getSeconds() === 0) hours.push(instant);
  }
  return hours;
}

/**
 * Return the hours to label, at equal distances.
 *
 * @param {Stretch} range
 */
export function labelledHours(range) {
  const hours = hoursOf(range);
  const step = LABEL_STEPS.find((one) => hours.length / one <= MAX_HOUR_LABELS) ?? 6;
  return hours.filter((hour) => new Date(hour).getHours() % step === 0);
}

/**
 * Return the place of a time on a bar, in percent of its width. A time that lies partly outside of the bar is
 * cut.
 *
 * @param {Stretch} stretch
 * @param {Stretch} range
 */
export function placeOf(stretch, range) {
  const length = range.until - range.since;
  const since = Math.min(Math.max(stretch.since, range.since), range.until);
  const until = Math.min(stretch.until, range.until);
  return {
    start: ((since - range.since) / length) * 100,
    size: Math.max(0, ((until - since) / length) * 100),
  };
}

/**
 * Return the first and the last instant to which a border can be moved: a block keeps a minute, ends by now, and
 * stays within the day and clear of the timer's other blocks.
 *
 * @param {Block} block
 * @param {Edge} edge
 * @param {Block[]} blocks all blocks of the day
 * @param {Stretch} range the day
 * @param {number} now
 * @returns {Stretch}
 */
export function limitsOf(block, edge, blocks, range, now) {
  const others = blocks.filter((one) => one.timer === block.timer && one !== block);
  if (edge === "since") {
    const ends = others.map(({ until }) => until).filter((until) => until <= block.since);
    return { since: Math.max(range.since, ...ends), until: block.until - MINUTE_MS };
  }
  const starts = others.map(({ since }) => since).filter((since) => since >= block.until);
  return { since: block.since + MINUTE_MS, until: Math.min(range.until, now, ...starts) };
}

/**
 * Return the time that a block has become after one of its borders was moved. A part of the new time may count for
 * another timer, and more time may be an entry of its own on the same issue.
 *
 * @param {Block[]} blocks the blocks of the same issue, as they are now
 * @param {Block} block the block as it was
 * @param {Edge} edge the border that was moved
 * @param {number} to
 * @returns {Stretch | null} null if nothing of the block counts
 */
export function movedBlock(blocks, block, edge, to) {
  const isEnd = edge === "until";
  // The block that goes on from an instant in the direction of the border.
  const from = (/** @type {number} */ at) =>
    blocks.find(({ since, until }) => (isEnd ? since <= at && at < until : since < at && at <= until));
  let next = from(isEnd ? block.since : block.until);
  if (!next) return null;
  let reached = next[edge];
  while ((isEnd ? reached < to : reached > to) && (next = from(reached))) reached = next[edge];
  return isEnd ? { since: block.since, until: reached } : { since: reached, until: block.until };
}

/**
 * Return the instant to which a border moves by a number of steps. The first step goes to a multiple of the step.
 *
 * @param {number} instant
 * @param {number} steps negative for earlier
 * @param {number} minutes the length of a step, a divisor of 15 minutes: the offsets of time zones are
 *   multiples of it
 * @param {Stretch} limits
 */
export function stepped(instant, steps, minutes, limits) {
  const step = minutes * MINUTE_MS;
  const base = steps < 0 ? Math.ceil(instant / step) : Math.floor(instant / step);
  return limited((base + steps) * step, limits);
}

/**
 * Return the instant at a place of the bar, as a multiple of a step.
 *
 * @param {number} part the place, as a part of the bar's width
 * @param {Stretch} range
 * @param {number} minutes the length of a step
 * @param {Stretch} limits
 */
export function instantAt(part, range, minutes, limits) {
  const step = minutes * MINUTE_MS;
  const instant = range.since + part * (range.until - range.since);
  return limited(Math.round(instant / step) * step, limits);
}

/**
 * @param {number} instant
 * @param {Stretch} limits
 */
function limited(instant, { since, until }) {
  return Math.max(since, Math.min(until, instant));
}
