// Types that the modules share. No page loads this file: the type checker and editors read it.

import type { ApiError } from "./api-client.js";

/** A timer as the API shows it (`TimeLog` in docs/openapi.json). */
export interface ApiTimer {
  id: string;
  status: "running" | "paused" | "stopped";
  /** Seconds, as of `as_of`. */
  active_duration: number;
  paused_duration: number;
  start_time: string;
  last_pause_time: string | null;
  github_issue_url: string | null;
  github_repo: string | null;
  github_issue_number: number | null;
  github_issue_title?: string | null;
  description: string;
  /** The trigger that started it: `manual`, `assigned`, `project`... */
  source: string;
  /** Milliseconds since the epoch, by the server's clock; 0 if it does not run. Derived from the answer. */
  as_of: number;
}

/** An open timer as it is shown, with the pending actions applied. */
export interface Timer extends Omit<ApiTimer, "paused_duration" | "last_pause_time"> {
  /** Stays the same while the timer is open, also before the server has assigned an id. */
  key: string;
  /** Whether an action is pending. */
  is_pending?: boolean;
}

export interface State {
  phase: "loading" | "signed-out" | "ready";
  /** Whether the server answers, and not with an error of its own. */
  isConnected: boolean;
  /**
   * While `isConnected` is false: whether it answered with an error or asked to wait, rather than not at all.
   */
  isBusy: boolean;
  /** While `phase` is `signed-out`: whether a session has expired. */
  isExpired: boolean;
  /** The open timers, newest first. */
  timers: Timer[];
  /** How many actions are pending. */
  waiting: number;
}

export interface Issue {
  /** owner/name */
  github_repo: string;
  github_issue_number: number;
}

export type Kind = "start" | "pause" | "resume" | "stop";

/** A user's action, pending until the server has answered it. */
export interface Action {
  /** Identifies it here, and is its Idempotency-Key. */
  key: string;
  kind: Kind;
  /** The timer's id or, until the server has assigned one, the key of the action that starts it. */
  timer: string;
  /** The time of the action by the server's clock, in milliseconds since the epoch. */
  at: number;
  /** Identifies the tab of the action. */
  tab: string;
  /** Of a start, the timer's issue. */
  issue?: Issue;
}

/** A change of a timer that the server has confirmed. */
export interface Transition {
  action: Kind;
  /** Of a `stop` elsewhere, the timer before it. */
  timer: ApiTimer;
  /** Whether it is due to an action in this tab: also a pause by a start, where timers are exclusive. */
  isOwn: boolean;
}

/** The answer to a request, with the times of `performance.now()` between which the server made it. */
export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: docs/openapi.json describes the bodies.
  body: any;
  headers: Headers;
  sent: number;
  received: number;
}

/** The details of `TimerManager`'s events, by type. */
export interface Events {
  /** `state` has changed. */
  change: undefined;
  /** A second has passed; only while the page is visible and a timer runs. */
  tick: undefined;
  transition: Transition;
  /**
   * `refused`: an action was reverted, `message` is the server's. `waiting`: the action will be sent later.
   * `popup`: the browser blocked the one for signing in. `failed`: signing in or out failed.
   */
  problem: {
    code: "refused" | "waiting" | "popup" | "failed";
    message?: string;
    action?: Kind;
    timer?: Timer;
  };
}

/** What `Sender` needs of its owner. */
export interface SenderHost {
  /** The server's time in milliseconds since the epoch. */
  now(): number;
  /** Whether the user is known to be the outbox's, and the time to be right. */
  canSend(): boolean;
  /** Poll the server, unless disconnected. */
  refresh(): Promise<boolean>;
  /** Find out who is signed in. */
  checkUser(): Promise<boolean>;
  /** The server has carried out an action. */
  confirm(action: Action, answer: Answer): void;
  /** The server has refused an action; `reverted` are itself and those that depend on it. */
  revert(action: Action, reverted: Action[], message: string): void;
  /** An action has to wait because of an error; `isFirst`: since the last success. */
  wait(error: ApiError, isFirst: boolean): void;
}

/** Today's seconds. */
export interface Total {
  /** The beginning of the day, in milliseconds since the epoch. */
  since: number;
  seconds: number;
  /** As of when, by the server's clock. */
  at: number;
}

/**
 * Messages between tabs; `user` is the sender's, as far as it knows. Pages send `here` when they are loaded.
 */
export type TabMessage = { user?: number | null } & (
  | { type: "signed-out" }
  | { type: "here" }
  | { type: "polling" }
  | { type: "pending"; action: Action }
  | { type: "confirmed"; action: Action; timer: ApiTimer; at: number }
  | { type: "refused"; key: string }
  | { type: "list"; timers: ApiTimer[]; at: number; etag: string }
  | { type: "today"; today: Total }
);

/** A session of an embedded widget, as the browser stores it. */
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
  running: string;
  paused: string;
  since: (time: string) => string;
  noIssue: string;
  loading: string;
  none: string;
  noneHint: string;
  signedOut: string;
  expired: string;
  kept: (count: number) => string;
  signIn: string;
  signOut: string;
  offline: string;
  busy: string;
  again: string;
  waiting: (count: number) => string;
  tryNow: string;
  unsent: string;
  /** By a timer's `source`; nothing is shown of others. */
  sources: Record<string, string>;
  /** Confirmations of actions on this page; `time` is the timer's. */
  did: Record<Kind, (name: string, time?: string) => string>;
  /** Actions in another tab, or on GitHub. */
  elsewhere: Record<Kind, (name: string) => string>;
  already: (name: string) => string;
  problems: Record<Events["problem"]["code"], string>;
  mistakes: Record<"empty" | "form" | "pull" | "number", string>;
}
