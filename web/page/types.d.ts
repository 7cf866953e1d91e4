// Types of the API's responses (docs/openapi.json) and of the page modules. Pages do not load this file.

import type { Skip } from "./calendar.js";
import type { ReadDuration } from "./durations.js";

/**
 * A calendar day in the browser's time zone, such as "2026-11-24". In a filter, "" means that there is no
 * limit.
 */
export type Day = string;

/** A text of the page, or a function that fills in its placeholders. */
export type Text = string | ((parts: Parts) => string);
export type Parts = Record<string, string | number>;

/** `TimeLog` of the API. Durations are in seconds, and times are in ISO 8601. */
export interface Timer {
  id: string;
  status: "running" | "paused" | "stopped";
  organization: string | null;
  start_time: string;
  end_time: string | null;
  duration: number | null;
  active_duration: number;
  working_duration: number;
  /** The working time in the requested period, and on its first day; null without a period. */
  part_working_duration: number | null;
  part_first_day_working_duration: number | null;
  paused_duration: number;
  last_pause_time: string | null;
  pauses: Pause[];
  github_issue_url: string | null;
  github_issue_number: number | null;
  github_repo: string | null;
  github_issue_title: string | null;
  description: string;
  source: string;
  stopped_by: string | null;
}

/** A pause of a timer. The present pause has no end. */
export interface Pause {
  start: string;
  end: string | null;
}

/** An interval of time of the API, in ISO 8601. */
export interface Interval {
  from: string;
  until: string;
}

/** A time that counts for a timer. `share` is less than 1 if several timers share the time. */
export interface Slice extends Interval {
  timer: string;
  share: number;
  rule: string;
  overtime: boolean;
}

/** `TimelineShown` of the API: what counts, what is missing within elapsed working hours, and the working hours. */
export interface Timeline {
  slices: Slice[];
  gaps: Interval[];
  working_hours: Interval[];
}

/** `TimeLogPage` of the API. */
export interface TimerPage {
  next: string | null;
  results: Timer[];
}

/** The issue of a timer or of a total. */
export type TimedIssue = Pick<
  Timer,
  "github_repo" | "github_issue_number" | "github_issue_url" | "github_issue_title"
>;

/** `IssueTotal` of the API. */
export interface IssueTotal extends TimedIssue {
  working_duration: number;
  timers: number;
}

/** `TimeTotals` of the API. The days are in ascending order. */
export interface Totals {
  working_duration: number;
  days: { date: Day; working_duration: number }[];
  issues: IssueTotal[];
  /** False if there are too many timers to add up in one request. */
  complete: boolean;
}

/** `TokenShown` of the API. */
export interface Token {
  id: string;
  name: string;
  scope: "read" | "write";
  created: string;
  expires: string | null;
  last_used: string | null;
}

/** `Me` of the API. */
export interface Profile {
  id: number;
  login: string;
  name: string;
}

/** A selection of timers. The page's address contains the filter (docs/page.md, "Addresses"). */
export interface Filter {
  period: string;
  from: Day;
  to: Day;
  repo: string;
  /** The number of an issue, as digits; "" if the filter has no issue. */
  issue: string;
}

/** A time, and the multiple of a unit that is shown for it. All are in seconds. */
export interface Figure {
  exact: number;
  shown: number;
  unit: number;
}

/** A bar of the chart, which stands for a day, or for the days of a week, a month or a year. */
export interface Bar extends Figure {
  first: Day;
  last: Day;
}

/** Error messages by the names of the entry form's fields. Other errors have the name `form`. */
export type FieldErrors = Record<string, string>;

/** A date and a time that the user entered: the instant; or, if there is none, the skip that is the reason. */
export type EnteredTime = { instant: Date } | { skip: Skip | null };

/** The start and the end of an entry. */
export interface Span {
  start: Date;
  end: Date;
}

/** The values of the entry form's fields. */
export interface EntryValues {
  issue: string;
  /** The two values that determine the span. */
  by: "start-end" | "start-duration" | "duration-end";
  start: EnteredTime;
  end: EnteredTime;
  duration: ReadDuration;
}

/** A correction that the form offers for a field, on a button. */
export interface Offer {
  field: "start" | "end" | "duration";
  label: string;
  /** The value of the field: an instant, or a text for the duration. */
  value: Date | string;
}

/** The result of checking the entry form. */
export interface Checked {
  errors: FieldErrors;
  offers: Offer[];
  /** Null if the form does not determine a start and an end, which an open timer does not need. */
  span: Span | null;
}
