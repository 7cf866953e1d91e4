// The figures that the page shows side by side with their sum: rounded so that they add up, and updated while
// timers run.

/** @import { Day, Durations, Figure, Timer, Totals } from "./types.d.ts" */

const MINUTE = 60;
/** @type {Durations} */
const NOTHING = { working_duration: 0, active_duration: 0 };

/**
 * Round a time down to a unit.
 *
 * @param {number} seconds
 * @param {number} [unit] in seconds; by default a minute, or a second if the time is below a minute
 * @returns {Figure}
 */
export function figureOf(seconds, unit = seconds < MINUTE ? 1 : MINUTE) {
  return { exact: seconds, shown: Math.floor(milliseconds(seconds) / (unit * 1000)) * unit, unit };
}

/**
 * Round the parts of a sum to the unit of the sum, so that they add up to what is shown for the sum: each part
 * is rounded down, and then the parts with the largest remainders are rounded up (the largest remainder
 * method).
 *
 * @param {number[]} parts in seconds
 * @param {Figure} sum
 * @returns {Figure[]}
 */
export function apportion(parts, sum) {
  const unit = sum.unit * 1000;
  const figures = parts.map((part) => figureOf(part, sum.unit));
  const missing = (sum.shown - figures.reduce((shown, figure) => shown + figure.shown, 0)) / sum.unit;
  const remainders = parts.map((part, index) => ({ index, remainder: milliseconds(part) % unit }));
  const rounded = remainders
    .filter(({ remainder }) => remainder)
    .sort((one, other) => other.remainder - one.remainder)
    .slice(0, Math.max(0, missing));
  for (const { index } of rounded) figures[index].shown += sum.unit;
  return figures;
}

/**
 * Round the working time of totals, their days and their issues, and the active time beside it.
 *
 * @param {Totals} totals
 */
export function roundTotals(totals) {
  return { ...rounded(totals, "working_duration"), active: rounded(totals, "active_duration") };
}

/**
 * @param {Totals} totals
 * @param {keyof Durations} field
 * @returns {{sum: Figure, days: Map<Day, Figure>, issues: Figure[]}} the issues are in the order of the totals
 */
function rounded({ days, issues, ...totals }, field) {
  const durationOf = (/** @type {Durations} */ total) => total[field];
  const sum = figureOf(totals[field]);
  const ofDays = apportion(days.map(durationOf), sum);
  return {
    sum,
    days: new Map(days.map(({ date }, index) => [date, ofDays[index]])),
    issues: apportion(issues.map(durationOf), sum),
  };
}

/**
 * Return whether the active time is to be shown beside the working time: if they differ by a minute or more.
 *
 * @param {Durations} durations
 */
export function hasOtherActive({ working_duration, active_duration }) {
  return active_duration - working_duration >= MINUTE;
}

/**
 * Add the time that running timers gained since the totals were loaded.
 *
 * @param {Totals} totals
 * @param {Day} today
 * @param {({timer: Timer} & Durations)[]} gains
 * @returns {Totals}
 */
export function withGains(totals, today, gains) {
  if (!gains.length) return totals;
  const ofToday = totals.days.find(({ date }) => date === today) ?? NOTHING;
  const gainsOf = Map.groupBy(gains, ({ timer }) => issueKey(timer));
  const issues = totals.issues.map((issue) => ({ ...issue, ...sumOf(issue, gainsOf.get(issueKey(issue))) }));
  const known = new Set(issues.map(issueKey));
  for (const [key, ofIssue] of gainsOf) {
    if (!known.has(key)) issues.push({ ...ofIssue[0].timer, ...sumOf(NOTHING, ofIssue), timers: 1 });
  }
  return {
    ...totals,
    ...sumOf(totals, gains),
    days: [...totals.days.filter(({ date }) => date !== today), { date: today, ...sumOf(ofToday, gains) }],
    issues,
  };
}

/**
 * @param {Durations} durations
 * @param {Durations[]} [gains]
 * @returns {Durations} the durations with the gains
 */
function sumOf({ working_duration, active_duration }, gains = []) {
  for (const gain of gains) {
    working_duration += gain.working_duration;
    active_duration += gain.active_duration;
  }
  return { working_duration, active_duration };
}

/**
 * Return a text that identifies the issue of a timer or total. GitHub ignores the case of names.
 *
 * @param {Pick<Timer, "github_repo" | "github_issue_number">} timed
 */
function issueKey({ github_repo: repo, github_issue_number: number }) {
  return repo ? `${repo}#${number}`.toLowerCase() : "";
}

/** @param {number} seconds the API's durations have at most three decimals */
function milliseconds(seconds) {
  return Math.round(seconds * 1000);
}
