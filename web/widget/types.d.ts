// Types that the modules share, for the type checker and editors. Pages do not load this file.

import type { ApiError } from "./api-client.js";

/** The fields of a timer that determine whether it counts, and how much. */
export interface Countable {
  status: "running" | "paused" | "stopped";
  /** The active seconds until `as_of`. */
  active_duration: number;
  /** The seconds of working time until `as_of`. */
  working_duration: number;
  is_counting: boolean;
  /** Why a running timer does not count; null if it counts, or if nothing of the user's has happened for long. */
  waiting_for: "schedule" | "focus" | "break" | null;
  /** The part of the time that counts for the timer while it counts: 1, or less if timers share the time. */
  counting_share: number;
  /** The time at which the timer begins or ceases to count by itself. */
  counting_changes_at: string | null;
  /** The rule and the transition that decided whether the timer counts; null if the server has not responded. */
  why: Why | null;
  /**
   * The time up to which the durations count, by the server's clock in milliseconds since the epoch. The time
   * is the beginning of the pause if the timer is paused. The widget computes the time from the response.
   */
  as_of: number;
}

/** `CountingReason` of the API. */
export interface Why {
  rule: string;
  /** The action of the transition, such as `start` or `focus`. */
  action: string | null;
  /** The cause of the transition, such as `manual` or `assigned`. */
  by: string | null;
  at: string | null;
  /** The id of the timer that counts instead, or whose pause began the break. */
  timer: string | null;
}

/** Whether an open timer counts, or why it does not. `stale`: nothing of the user's has happened for long. */
export type Standing = "counting" | "overtime" | "focus" | "break" | "schedule" | "stale" | "paused";

/** An open timer: fields of the API (`TimeLog` in docs/openapi.json), and `as_of`. */
export interface OpenTimer extends Countable {
  id: string;
  start_time: string;
  github_issue_url: string | null;
  github_repo: string | null;
  github_issue_number: number | null;
  github_issue_title?: string | null;
  description: string;
  /** The issue for which the time of a pull request counts. */
  counts_for?: Issue | null;
  /** The trigger that started the timer, such as `manual`, `assigned` or `project`. */
  source: string;
  /** The last act, comment or event that shows that somebody works on the issue. */
  last_sign_at?: string;
  /** Whether an action is pending. */
  is_pending?: boolean;
}

/** A timer in a response. */
export interface ApiTimer extends OpenTimer {
  paused_duration: number;
  last_pause_time: string | null;
}

/** An open timer after the pending actions were applied. */
export interface Timer extends OpenTimer {
  /** Identifies the timer while it is open, even before the server has assigned an id. */
  key: string;
}

export interface State {
  phase: "loading" | "signed-out" | "ready";
  /**
   * Whether the server can be reached. False after a failed request, and while the server has asked to
   * wait.
   */
  isConnected: boolean;
  /** While `isConnected` is false: whether the server has responded with an error. */
  isBusy: boolean;
  /** While `phase` is `signed-out`: whether the session has expired. */
  isExpired: boolean;
  /** The open timers: what counts, what waits, and what is paused; on a break, what was paused last is the first. */
  timers: Timer[];
  /** The number of pending actions. */
  waiting: number;
  /** The address of the GitHub that the server is connected to; undefined until the server has responded. */
  github?: string;
}

export interface Issue {
  /** owner/name */
  github_repo: string;
  github_issue_number: number;
  /** an address of a pull request */
  github_issue_url?: string;
}

/** A timer to start, on an issue or on none. */
export interface NewTimer extends Partial<Issue> {
  description?: string;
}

export type Kind = "start" | "pause" | "resume" | "stop" | "focus";

/** A user's action. The action is pending until the server has accepted or refused it. */
export interface Action {
  /** The unique name of the action, which is also sent as the request's Idempotency-Key. */
  key: string;
  kind: Kind;
  /** The timer's id or, until the server has assigned one, the key of the action that starts the timer. */
  timer: string;
  /** The time of the action by the server's clock, in milliseconds since the epoch. */
  at: number;
  /** The name of the tab in which the action was made. */
  tab: string;
  /** For a start: the timer's issue and description. */
  issue?: NewTimer;
  /** For a focus: whether the timer is to count after the working hours, too. */
  overtime?: boolean;
}

/** A change of a timer that the server has confirmed. */
export interface Transition {
  /** `counting`: the timer began or ceased to count without a transition of its own. */
  action: Kind | "counting";
  /**
   * The timer after the transition. If the timer was stopped elsewhere, this is the timer before the
   * stop.
   */
  timer: OpenTimer;
  /** Whether an action in this tab caused the transition. */
  isOwn: boolean;
}

/** A response. `sent` and `received` are times by `performance.now()`. */
export interface ApiResponse {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: docs/openapi.json describes the bodies.
  body: any;
  headers: Headers;
  sent: number;
  received: number;
}

/** The details of `TimerManager`'s events by type. */
export interface Events {
  /** `state` has changed. */
  change: undefined;
  /**
   * A second has passed. The event occurs only while the page is visible. If no timer counts, it occurs once a minute.
   */
  tick: undefined;
  /**
   * One of the user's timers, which may be a stopped one, or the calendar has changed. The event also occurs when changes may have been missed. The manager refreshes its own state.
   */
  hint: undefined;
  transition: Transition;
  /**
   * `refused`: the server has refused an action with `error`, and the action was reverted. `waiting`: an
   * action will be sent later. `popup`: the browser blocked the sign-in popup. `failed`: signing in or out
   * failed.
   */
  problem: {
    code: "refused" | "waiting" | "popup" | "failed";
    error?: ApiError;
    action?: Kind;
    timer?: Timer;
  };
}

/** Functions that `Sender` calls; its owner provides them. */
export interface SenderHost {
  /** The server's time in milliseconds since the epoch. */
  now(): number;
  /**
   * Whether actions may be sent. The owner must be connected, and the server must have confirmed the
   * user and the time.
   */
  canSend(): boolean;
  /** Poll the server if the owner is connected. */
  refresh(): Promise<boolean>;
  /** Load all timers after the server has executed actions. */
  sent(): void;
  /** Ask the server which user is signed in. Return false if the server did not respond. */
  checkUser(): Promise<boolean>;
  /** Show an action that the server has executed. */
  confirm(action: Action, response: ApiResponse): void;
  /**
   * Revert an action that the server has refused. `reverted` contains this action and the actions that
   * depend on it.
   */
  revert(action: Action, reverted: Action[], error: ApiError): void;
  /**
   * Show that an action waits because of an error. `isFirst` is whether no other error has occurred since the
   * last success.
   */
  wait(error: ApiError, isFirst: boolean): void;
}

/** Permission to open a live connection: the response of `POST /api/live/ticket/`. Durations are in seconds. */
export interface Ticket {
  url: string;
  ping_after: number;
  renew_after: number;
}

/** Functions that `Live` calls; its owner provides them. */
export interface LiveHost {
  /** `isConnected` has changed. */
  changed(): void;
  /** Send the list of open timers to the other tabs. */
  share(): void;
  /** The server has sent a hint, to this tab or to another one, or may have sent one before the connection began. */
  hint(): void;
  /**
   * Poll the server. `hasChanged`: also load what the list does not show.
   *
   * @returns whether the list's entity tag has changed, which tells of changes of stopped timers, too
   */
  refresh(hasChanged: boolean): Promise<boolean>;
}

/** Messages between the tabs that share a connection. */
export type LiveMessage =
  /** Ask the tab that has the lock for the list and whether it is connected. */
  | { type: "check" }
  /** `hintAge`: the milliseconds since the last hint. */
  | { type: "connection"; isConnected: boolean; hintAge: number }
  /** The server has sent a hint. */
  | { type: "changed" };

/** The working time of a day. */
export interface Total {
  /** The beginning of the day, in milliseconds since the epoch. */
  since: number;
  seconds: number;
  /** The time up to which `seconds` counts, by the server's clock. */
  at: number;
}

/**
 * Messages between tabs. `user` is the user who was signed in when the sender last asked the server. Issue
 * Timer's own pages send `here` when they are loaded.
 */
export type TabMessage = { user?: number | null } & (
  | { type: "signed-out" }
  | { type: "here" }
  | { type: "polling" }
  | { type: "pending"; action: Action }
  | { type: "confirmed"; action: Action; timer: OpenTimer; at: number }
  | { type: "refused"; key: string }
  | { type: "list"; timers: OpenTimer[]; at: number; etag: string }
  | { type: "today"; today: Total }
);

/** The session of an embedded widget, stored by the browser. */
export interface Session {
  token: string;
  /** Milliseconds since the epoch, by the server's clock. */
  expires: number;
}

/** The widget's texts in one language. */
export interface Strings {
  widget: string;
  today: string;
  issue: string;
  placeholder: string;
  start: string;
  pause: string;
  resume: string;
  stop: string;
  focus: string;
  keep: string;
  states: Record<Standing, string>;
  /** Instead of the state `schedule`, if it is known when a timer will count. */
  continues: (time: string) => string;
  /** Why a timer waits. `name` is the timer that counts, or whose pause began the break. */
  why: Partial<Record<Standing, (name: string) => string>>;
  byYou: string;
  began: (time: string) => string;
  /** `name` is the issue for which the time of a pull request counts. */
  counts_for: (name: string) => string;
  noIssue: string;
  loading: string;
  none: string;
  noneHint: string;
  signedOut: string;
  expired: string;
  kept: string;
  signIn: string;
  signOut: string;
  offline: string;
  busy: string;
  retrying: string;
  pending: (count: number) => string;
  tryNow: string;
  unsent: string;
  /** The texts by a timer's `source`. A source without a text is not shown. */
  sources: Record<string, string>;
  /** The notices of actions in this tab. `time` is the timer's working time. */
  own: Record<Exclude<Kind, "focus">, (name: string, time?: string) => string>;
  /** Notices of actions in another tab, on another device or on GitHub. */
  /** `cause`: why a timer was stopped, if the server says so. */
  elsewhere: Record<Exclude<Kind, "focus">, (name: string, cause?: string) => string>;
  problems: Record<Events["problem"]["code"], string>;
  mistakes: Record<"empty" | "form" | "number", string>;
  /** Translations of the server's messages, by the code of the error (`ErrorCode` in docs/openapi.json). */
  errors: Record<string, string>;
}
