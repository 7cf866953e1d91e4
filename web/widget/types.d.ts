// Types that the modules share. No page loads this file: the type checker and editors read it.

/** An open timer as the API shows it (`TimeLog` in docs/openapi.json), with what was done here already done. */
export interface Timer {
  id: string;
  /** The same for as long as the timer is open, also before the server has named it. */
  key: string;
  status: "running" | "paused";
  /** Seconds, as of `as_of`. */
  active_duration: number;
  /** Milliseconds since the epoch, by the server's clock. */
  as_of: number;
  /** Whether something was done that the server has not answered yet. */
  is_pending?: boolean;
  github_issue_url: string | null;
  github_repo: string | null;
  github_issue_number: number | null;
  github_issue_title?: string | null;
  description: string;
  /** What started it: `manual`, `assigned`, `project`... */
  source: string;
  start_time: string;
}

export interface State {
  phase: "loading" | "signed-out" | "ready";
  /** Whether the server answers, and not with an error of its own. */
  isConnected: boolean;
  /** Whether, without that, it does answer: that it is to be left alone for a while, or an error. */
  isBusy: boolean;
  /** Whether somebody who was signed in has to sign in again. */
  isExpired: boolean;
  /** The open timers, newest first. */
  timers: Timer[];
  /** How many actions wait for the server's answer. */
  waiting: number;
}

export interface Issue {
  /** owner/name */
  github_repo: string;
  github_issue_number: number;
}

export type Kind = "start" | "pause" | "resume" | "stop";

/** What somebody did and the server has not answered yet. */
export interface Action {
  /** Its name here, and its Idempotency-Key. */
  key: string;
  kind: Kind;
  /** The timer's id; of one that the server has not named yet, the key of its start. */
  timer: string;
  /** When it was done, by the server's clock, in milliseconds since the epoch. */
  at: number;
  /** The tab that it was done in. */
  tab: string;
  /** What to start on. */
  issue?: Issue;
}

/** The answer to a request, with the times of `performance.now()` between which the server made it. */
export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: each path has another body, which docs/openapi.json describes.
  body: any;
  headers: Headers;
  sent: number;
  received: number;
}

/** What `TimerManager` tells, by the type of its events. */
export interface Events {
  /** `state` is another. */
  change: undefined;
  /** A second has passed; only while the page is visible and a timer runs. */
  tick: undefined;
  /**
   * The server confirms what was done; `isOwn` if it was in this tab, or followed from that, as a start pauses
   * other timers where they are exclusive. A `stop` that was done elsewhere has the timer as it was last seen.
   */
  transition: { action: Kind; timer: Timer; isOwn: boolean };
  /**
   * `refused`: the action was taken back, `message` is the server's. `waiting`: it will be sent later.
   * `popup`: the browser did not open one. `failed`: signing out did not work.
   */
  problem: {
    code: "refused" | "waiting" | "popup" | "failed";
    message?: string;
    action?: Kind;
    timer?: Timer;
  };
}

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
  did: Record<Kind, (name: string, time: string) => string>;
  /** Actions in another tab, or on GitHub. */
  elsewhere: Record<Kind, (name: string) => string>;
  already: (name: string) => string;
  problems: Record<Events["problem"]["code"], string>;
  mistakes: Record<"empty" | "form" | "pull" | "number", string>;
}
