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

/** The working time and the active time of a timer or a total, in seconds. */
export interface Durations {
  working_duration: number;
  active_duration: number;
}

/** `TimeLog` of the API. Durations are in seconds, and times are in ISO 8601. */
export interface Timer extends Durations {
  id: string;
  status: "running" | "paused" | "stopped";
  is_counting: boolean;
  /** Why a running timer does not count; null if it counts, or if nothing of the user's has happened for long. */
  waiting_for: "schedule" | "focus" | "break" | null;
  organization: string | null;
  start_time: string;
  end_time: string | null;
  duration: number | null;
  /** The working time in the requested period, and on its first day; null without a period. */
  part_working_duration: number | null;
  part_first_day_working_duration: number | null;
  /** The active time in the requested period; null without a period. */
  part_active_duration: number | null;
  paused_duration: number;
  last_pause_time: string | null;
  pauses: Pause[];
  github_issue_url: string | null;
  github_issue_number: number | null;
  github_repo: string | null;
  github_issue_title: string | null;
  /** The issue for which the time of a pull request counts. */
  counts_for?: Pick<Timer, "github_repo" | "github_issue_number"> | null;
  description: string;
  source: string;
  stopped_by: string | null;
  /** The last act, comment or event that shows that somebody works on the issue. */
  last_sign_at: string;
  /** Whether only the sums of the timer are kept: its times only say the dates, and it cannot be corrected. */
  details_deleted: boolean;
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

/** `ChangedMembers` of the API: the members that a change replaced; the others are absent. */
export interface ChangedMembers {
  start_time?: string;
  end_time?: string | null;
  pauses?: { start: string; end: string | null }[];
  github_repo?: string | null;
  github_issue_number?: number | null;
  organization?: string | null;
  description?: string;
}

/** `AuditEntryShown` of the API: a change of a person's time. */
export interface AuditEntry {
  id: string;
  at: string;
  kind:
    | "added"
    | "logged"
    | "corrected"
    | "divided"
    | "deleted"
    | "undone"
    | "stopped"
    | "expired"
    | "unexpired"
    | "confirmed"
    | "reopened";
  by: "self" | "admin" | "sweeper";
  reason: string;
  differences: {
    timer: string | null;
    date: Day | null;
    from: ChangedMembers | null;
    to: ChangedMembers | null;
  }[];
}

/** `LockShown` of the API. */
export interface Lock {
  locked_until: Day | null;
  changes: { at: string; user: number; reason: string; from: Day | null; to: Day | null }[];
}

/** What an outgoing webhook can be told about; a ping tests it. */
export type HookEvent =
  | "timer.started"
  | "timer.paused"
  | "timer.resumed"
  | "timer.stopped"
  | "timer.corrected"
  | "timer.deleted"
  | "timesheet.confirmed"
  | "ping";

/** `Hook` of the API: an outgoing webhook. */
export interface Hook {
  id: string;
  url: string;
  events: HookEvent[];
  format: "json" | "slack";
  is_signed: boolean;
  created: string;
}

/** `HookAttempt` of the API: an attempt to send a notification. */
export interface HookAttempt {
  at: string;
  duration: number;
  /** Null without a response. */
  status: number | null;
  failure: string | null;
}

/** `HookDelivery` of the API: what became of sending a notification. */
export interface HookDelivery {
  id: string;
  event: HookEvent;
  state: "sent" | "waiting" | "given_up";
  attempts: HookAttempt[];
}

/** `TimesheetShown` of the API: a day in the time zone of the working hours. */
export interface SheetDay {
  date: Day;
  since: string;
  until: string;
  time_zone: string;
  state: "upcoming" | "running" | "over" | "confirmed" | "locked";
  confirmed_at: string | null;
  /** Null without working hours: all time counts. */
  scheduled_duration: number | null;
  working_duration: number;
  overtime_duration: number;
  /** The working time less the working hours that have passed; null without working hours. */
  balance_duration: number | null;
  /** Of a confirmed day: what events have made of it since; null if nothing has changed. */
  changed_since: { working_duration: number; difference_duration: number } | null;
  /** Whether only the sums of the day are kept. It can no longer be reopened. */
  details_deleted: boolean;
  etag: string;
  issues: { issue: TimedIssue | null; description: string; timers: string[] }[];
}

/** `TimeLogPage` of the API. */
export interface TimerPage {
  next: string | null;
  results: Timer[];
}

/** The issue of a timer or of a total. */
export type TimedIssue = Pick<
  Timer,
  "github_repo" | "github_issue_number" | "github_issue_url" | "github_issue_title" | "counts_for"
>;

/** `IssueTotal` of the API. */
export interface IssueTotal extends TimedIssue, Durations {
  timers: number;
}

/** `TimeTotals` of the API. The days are in ascending order. */
export interface Totals extends Durations {
  days: ({ date: Day } & Durations)[];
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
  is_admin: boolean;
}

export type Weekday = "mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun";

/** Hours of a day in local time, such as [["09:00", "12:30"], ["13:00", "24:00"]]. */
export type Intervals = [string, string][];

export type Week = Record<Weekday, Intervals>;

/** Working hours. All time counts if there is no week. */
export interface WorkingHours {
  time_zone: string;
  week: Week | null;
}

export interface ScheduleVersion extends WorkingHours {
  valid_from: Day;
}

/** Other hours than the week's on one day; none on a day off. */
export interface DayException {
  date: Day;
  intervals: Intervals;
  reason: string;
}

export type ConcurrentTimers = "focus" | "shared" | "parallel";
export type AssignmentStarts = "any" | "self" | "never";

/** The organization's rules that apply to everybody. */
export interface Rules {
  concurrent_timers: ConcurrentTimers;
  assignment_starts: AssignmentStarts;
  overtime_hours: number;
  stale_after_hours: number;
}

/** The organization's rules, as admins change them. */
export interface OrganizationRules extends Rules {
  /** Null if all time counts. */
  working_hours: WorkingHours | null;
}

/** `Settings` of the API. */
export interface OrganizationSettings extends OrganizationRules {
  /** All rules, the latest first, with the time from which they hold; null for the rules from the beginning. */
  versions: (OrganizationRules & { valid_from: string | null })[];
}

/** `Schedule` of the API. */
export interface Schedule {
  source: "own" | "default";
  /** Whether the person has chosen working hours, or that all time counts. */
  chosen: boolean;
  current: WorkingHours & { valid_from: Day | null };
  versions: ScheduleVersion[];
  exceptions: DayException[];
  default: WorkingHours;
  /** Null if the organization's rule holds. */
  assignment_starts: AssignmentStarts | null;
  organization: Rules;
}

/** A day whose working time a change of the working hours would change. In seconds. */
export interface ChangedDay {
  date: Day;
  before: number;
  after: number;
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

/** An error of one field of a request, which has the field's path, such as `week.mon`. */
export interface FieldError {
  field: string;
  message: string;
  /** The language of the message, if it differs from the page's language. */
  lang?: string;
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

/** How the server is connected with GitHub, as `GET /api/admin/github/` returns it. */
export interface GitHubConnection {
  connection: "app" | "token" | "webhook" | "none";
  /** The stack's name, for the commands. */
  stack: string;
  /** The port of a local stack, for the commands; null for a stack in AWS. */
  local_port: number | null;
  webhook_url: string;
  github_url: string;
  github: { credential: string | null; cannot: Capability[] };
  webhooks: { kind: "app" | "organization" | "repository"; name: string | null; repaired: string | null }[];
  last_delivery: Delivery | null;
  last_refused: string | null;
  deliveries: { day: string; processed: number; ignored: number; failed: number }[];
}

export type Capability =
  | "project_cards"
  | "replies"
  | "redelivery"
  | "reconcile"
  | "lead_teams"
  | "write_back";

export type Visibility = "nobody" | "leads" | "everyone";

/** Who sees the person's time, as `GET /api/auth/me/visibility/` returns it. */
export interface VisibilitySettings {
  /** The person's choice; null for the default. */
  visibility: Visibility | null;
  default: Visibility;
  lead_teams: string[];
  /** The organizations whose members may sign in; empty if everybody may. */
  organizations: string[];
  seen_by: { everyone: boolean; leads: Lead[] };
}

/** A person who sees somebody's time as a lead. */
export interface Lead {
  login: string;
  name: string;
  teams: string[];
  is_admin: boolean;
}

/** A delivery of GitHub, and what became of it. */
export interface Delivery {
  event: string;
  source: string | null;
  received: string;
  state: "processed" | "ignored" | "given_up" | "waiting" | "failed";
  reason: string | null;
}

/** A property by which the rows of a report are grouped. */
export type Grouping =
  | "person"
  | "repository"
  | "issue"
  | "label"
  | "milestone"
  | "type"
  | "project"
  | "day"
  | "week"
  | "month";

/** A value by which a report selects time; "" selects time without one. */
export interface ReportFilter {
  name: Grouping;
  value: string;
}

/** What the Team page shows. `from` and `to` are "" unless the period is "custom". */
export interface ReportState {
  period: string;
  from: Day;
  to: Day;
  groupBy: Grouping[];
  filters: ReportFilter[];
}

/** The figures of a report and of its rows. Durations are in seconds. */
export interface ReportFigures extends Durations {
  confirmed_duration: number;
  entries: number;
  estimate: number | null;
  left: number | null;
}

/** A person whose time the user can see. */
export interface ReportPerson {
  id: number;
  login: string;
  name: string;
}

/** `ReportRow` of the API: the members by which the report is grouped, and the figures. */
export interface ReportRow extends ReportFigures {
  person?: ReportPerson;
  repository?: string | null;
  issue?: TimedIssue | null;
  label?: string | null;
  milestone?: string | null;
  type?: string | null;
  project?: string | null;
  day?: Day;
  week?: Day;
  month?: Day;
  working_duration_with_sub_issues?: number;
}

/** `ReportShown` of the API. */
export interface Report {
  from: Day;
  to: Day;
  group_by: Grouping[];
  rows: ReportRow[];
  totals: ReportFigures;
  overlapping: boolean;
  complete: boolean;
  people: ReportPerson[];
}

/** `ExportShown` of the API. */
export interface ReportExport {
  state: "waiting" | "running" | "done" | "failed";
  from: Day;
  to: Day;
  people: number;
  people_done: number;
  expires: string;
  failure: string | null;
  complete: boolean | null;
}
