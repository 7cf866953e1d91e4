// The figures that the page shows side by side with their sum: rounded so that they add up, and updated while
// timers run.

/** @import { Day, Figure, Timer, Totals } from "./types.d.ts" */

const MINUTE = 60;

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
 * Round totals, their days and their issues.
 *
 * @param {Totals} totals
 * @returns {{sum: Figure, days: Map<Day, Figure>, issues: Figure[]}} the issues are in the order of the totals
 */
export function roundTotals({ working_duration, days, issues }) {
  const sum = figureOf(working_duration);
  const dates = days.map(({ date }) => date);
  const ofDays = apportion(days.map(workingDuration), sum);
  return {
    sum,
    days: new Map(dates.map((date, index) => [date, ofDays[index]])),
    issues: apportion(issues.map(workingDuration), sum),
  };
}

/**
 * Add the time that running timers gained since the totals were loaded.
 *
 * @param {Totals} totals
 * @param {Day} today
 * @param {{timer: Timer, seconds: number}[]} gains
 * @returns {Totals}
 */
export function withGains(totals, today, gains) {
  const sum = gains.reduce((seconds, gain) => seconds + gain.seconds, 0);
  if (!sum) return totals;
  const gainOf = (/** @type {string} */ issue) =>
    gains.reduce(
      (seconds, { timer, seconds: gained }) => seconds + (issueKey(timer) === issue ? gained : 0),
      0,
    );
  const before = totals.days.filter(({ date }) => date !== today);
  const ofToday = totals.days.find(({ date }) => date === today)?.working_duration ?? 0;
  const issues = totals.issues.map((issue) => ({
    ...issue,
    working_duration: issue.working_duration + gainOf(issueKey(issue)),
  }));
  const known = new Set(issues.map(issueKey));
  for (const { timer } of gains) {
    const key = issueKey(timer);
    if (!known.has(key)) issues.push({ ...timer, working_duration: gainOf(key), timers: 1 });
    known.add(key);
  }
  return {
    ...totals,
    working_duration: totals.working_duration + sum,
    days: [...before, { date: today, working_duration: ofToday + sum }],
    issues,
  };
}

/**
 * Return a text that identifies the issue of a timer or total. GitHub ignores the case of names.
 *
 * @param {Pick<Timer, "github_repo" | "github_issue_number">} timed
 */
function issueKey({ github_repo: repo, github_issue_number: number }) {
  return repo ? `${repo}#${number}`.toLowerCase() : "";
}

/** @param {{working_duration: number}} total */
function workingDuration({ working_duration }) {
  return working_duration;
}

/** @param {number} seconds the API's durations have at most three decimals */
function milliseconds(seconds) {
  return Math.round(seconds * 1000);
}
