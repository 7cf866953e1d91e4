// Timers as a CSV file (RFC 4180); docs/page.md describes the columns.

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
  start_utc: (timer) => timer.start_time,
  end_utc: (timer) => timer.end_time,
  start_local: (timer) => localTime(timer.start_time),
  end_local: (timer) => localTime(timer.end_time),
  active_seconds: (timer) => timer.active_duration,
  active_time: (timer) => hoursMinutesSeconds(timer.active_duration),
  paused_seconds: (timer) => timer.paused_duration,
};

// The positions at which a spreadsheet would evaluate a formula (OWASP, "CSV Injection"): the start of a text, and the
// start of a cell in programs that split lines at semicolons (Excel in many languages) or tabs.
const FORMULAS = /(?<=^|[;\t\r\n])(?=[" ]*[=+\-@\uff1d\uff0b\uff0d\uff20])|^(?=[\t\r\n])/gu;

/**
 * Return timers as the text of a CSV file.
 *
 * @param {Timer[]} timers
 */
export function toCsv(timers) {
  const rows = timers.map((timer) => Object.values(COLUMNS).map((value) => field(value(timer))));
  const lines = [Object.keys(COLUMNS), ...rows].map((row) => `${row.join(",")}\r\n`);
  // Excel recognizes UTF-8 by the byte order mark.
  return `\ufeff${lines.join("")}`;
}

/** @param {string | number | null} value */
function field(value) {
  const text = typeof value === "string" ? value.replaceAll(FORMULAS, "'") : String(value ?? "");
  return /[",\r\n]/u.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Return a time in the browser's time zone, in the form that spreadsheets of all languages read as a time.
 *
 * @param {string | null} time
 */
function localTime(time) {
  return time && toInputValue(new Date(time)).replace("T", " ");
}

/** @param {number} seconds */
function hoursMinutesSeconds(seconds) {
  const whole = Math.floor(seconds);
  const [hours, ...rest] = [whole / 3600, (whole / 60) % 60, whole % 60].map(Math.floor);
  return [hours, ...rest.map((part) => String(part).padStart(2, "0"))].join(":");
}
