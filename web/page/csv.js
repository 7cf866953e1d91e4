// Timers as a file for spreadsheets: RFC 4180, and times both exact and as a spreadsheet reads them.

import { toField } from "./calendar.js";

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
  start_local: (timer) => local(timer.start_time),
  end_local: (timer) => local(timer.end_time),
  active_seconds: (timer) => timer.active_duration,
  active_time: (timer) => clock(timer.active_duration),
  paused_seconds: (timer) => timer.paused_duration,
};

// Where a spreadsheet would take what follows for a formula, and run it (OWASP, "CSV Injection"): where a text begins,
// and where a cell does for one that parts lines at semicolons, as Excel does in many languages, or at tabs.
const FORMULAS = /(?<=^|[;\t\r\n])(?=[" ]*[=+\-@\uff1d\uff0b\uff0d\uff20])|^(?=[\t\r\n])/gu;

/** Return timers as the text of a CSV file, with a byte order mark, without which Excel does not read UTF-8. */
export function toCsv(timers) {
  const rows = timers.map((timer) => Object.values(COLUMNS).map((value) => field(value(timer))));
  return `\ufeff${[Object.keys(COLUMNS), ...rows].map((row) => `${row.join(",")}\r\n`).join("")}`;
}

function field(value) {
  let text = String(value ?? "");
  if (typeof value === "string") text = text.replaceAll(FORMULAS, "'");
  return /[",\r\n]/u.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** In the browser's time zone, in the form that spreadsheets of all languages take for a time. */
function local(time) {
  return time && toField(new Date(time)).replace("T", " ");
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  const [hours, ...rest] = [whole / 3600, (whole / 60) % 60, whole % 60].map(Math.floor);
  return [hours, ...rest.map((part) => String(part).padStart(2, "0"))].join(":");
}
