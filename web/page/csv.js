// The export of timers as a CSV file (RFC 4180). docs/page.md describes the columns.

import { toInputValue } from "./calendar.js";

/** @import { Timer } from "./types.d.ts" */

/** @type {Record<string, (timer: Timer) => string | number | null>} */
const COLUMNS = {
  id: (timer) => timer.id,
  status: (timer) => timer.status,
  organization: (timer) => timer.organization,
  repository: (timer) => timer.github_repo,
  issue: (timer) => timer.github_issue_number,
  issue_title: (timer) => timer.github_issue_title,
  issue_url: (timer) => timer.github_issue_url,
  description: (timer) => timer.description,
  source: (timer) => timer.source,
  start_utc: (timer) => (timer.details_deleted ? null : timer.start_time),
  end_utc: (timer) => (timer.details_deleted ? null : timer.end_time),
  start_local: (timer) => localTime(timer.start_time, timer),
  end_local: (timer) => localTime(timer.end_time, timer),
  working_seconds: (timer) => timer.working_duration,
  working_time: (timer) => hoursMinutesSeconds(timer.working_duration),
  part_working_seconds: (timer) => timer.part_working_duration,
  part_working_time: (timer) => hoursMinutesSeconds(timer.part_working_duration ?? 0),
  active_seconds: (timer) => timer.active_duration,
  active_time: (timer) => hoursMinutesSeconds(timer.active_duration),
  part_active_seconds: (timer) => timer.part_active_duration,
  part_active_time: (timer) => hoursMinutesSeconds(timer.part_active_duration ?? 0),
  paused_seconds: (timer) => timer.paused_duration,
};

// The positions at which a spreadsheet would evaluate a formula (OWASP, "CSV Injection"). One position is the
// start of a text. The others follow a semicolon or a tab, because some programs split lines there (Excel
// splits lines at semicolons in many languages).
const FORMULAS = /(?<=^|[;\t\r\n])(?=[" ]*[=+\-@\uff1d\uff0b\uff0d\uff20])|^(?=[\t\r\n])/gu;

/** The separators of fields and of decimals. @typedef {{separator: "," | ";", decimal: "." | ","}} Dialect */

/** The dialect of RFC 4180, which programs read in every locale. @type {Dialect} */
export const NEUTRAL = { separator: ",", decimal: "." };

/**
 * Return the dialect that spreadsheets use in a locale: fields are separated by semicolons where a comma
 * separates the decimals.
 *
 * @param {string} locale
 * @returns {Dialect}
 */
export function dialectOf(locale) {
  const parts = new Intl.NumberFormat(locale).formatToParts(1.5);
  const decimal = parts.find(({ type }) => type === "decimal")?.value;
  return decimal === "," ? { separator: ";", decimal } : NEUTRAL;
}

/**
 * Return the text of a CSV file with a line for each timer.
 *
 * @param {Timer[]} timers
 * @param {Dialect} [dialect]
 */
export function toCsv(timers, { separator, decimal } = NEUTRAL) {
  const shown = (/** @type {string | number | null} */ value) =>
    typeof value === "number" ? String(value).replace(".", decimal) : field(value ?? "", separator);
  const rows = timers.map((timer) => Object.values(COLUMNS).map((value) => shown(value(timer))));
  const lines = [Object.keys(COLUMNS), ...rows].map((row) => `${row.join(separator)}\r\n`);
  // Begin with a byte order mark, by which Excel recognizes UTF-8.
  return `\ufeff${lines.join("")}`;
}

/**
 * @param {string} value
 * @param {string} separator
 */
function field(value, separator) {
  const text = value.replaceAll(FORMULAS, "'");
  return text.includes(separator) || /["\r\n]/u.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Format a time in the browser's time zone, or its date if the details of the timer are deleted. Spreadsheets in all
 * languages read these formats.
 *
 * @param {string | null} time
 * @param {Timer} timer
 */
function localTime(time, { details_deleted }) {
  const local = time && toInputValue(new Date(time)).replace("T", " ");
  return local && details_deleted ? local.slice(0, "2026-11-30".length) : local;
}

/** @param {number} seconds */
function hoursMinutesSeconds(seconds) {
  const whole = Math.floor(seconds);
  const [hours, ...rest] = [whole / 3600, (whole / 60) % 60, whole % 60].map(Math.floor);
  return [hours, ...rest.map((part) => String(part).padStart(2, "0"))].join(":");
}
