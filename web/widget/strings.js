/** @import { Strings } from "./types.d.ts" */

/**
 * The widget's texts in English. Each other language has its own module, such as strings.de.js.
 *
 * @type {Strings}
 */
const en = {
  widget: "Issue Timer",
  today: "Today",
  issue: "Issue",
  placeholder: "owner/repo#1 or URL",
  start: "Start",
  pause: "Pause",
  resume: "Resume",
  stop: "Stop",
  focus: "Switch to this",
  keep: "Keep counting",
  states: {
    counting: "Counting",
    overtime: "Overtime",
    focus: "Waiting",
    break: "On a break",
    schedule: "Outside of working hours",
    stale: "Inactive",
    paused: "Paused",
  },
  continues: (time) => `Continues ${time}`,
  why: {
    focus: (name) => `${name} comes first`,
    break: (name) => `${name} was paused`,
  },
  byYou: "by you",
  began: (time) => `started ${time}`,
  counts_for: (name) => `counts for ${name}`,
  noIssue: "Timer without an issue",
  loading: "Loading…",
  none: "No timer is running.",
  noneHint: "Assign yourself an issue on GitHub, or start one here.",
  signedOut: "Sign in to view and control your timers.",
  expired: "Your session has expired. Sign in to continue.",
  kept: "Your changes are kept until then.",
  signIn: "Sign in with GitHub",
  signOut: "Sign out",
  offline: "No connection.",
  busy: "The server is busy.",
  retrying: "Trying again…",
  pending: (count) => `Changes waiting to be sent: ${count}.`,
  tryNow: "Try now",
  unsent: "not sent yet",
  sources: {
    assigned: "assigned to you",
    reopened: "reopened",
    labeled: "labelled",
    closed: "issue closed",
    review_requested: "review requested",
    project: "moved on the board",
    comment: "by comment",
  },
  own: {
    start: (name) => `Started ${name}.`,
    pause: (name) => `Paused ${name}.`,
    resume: (name) => `Resumed ${name}.`,
    stop: (name, time) => `Stopped ${name} at ${time}.`,
  },
  elsewhere: {
    start: (name) => `${name} was started.`,
    pause: (name) => `${name} was paused elsewhere.`,
    resume: (name) => `${name} was resumed elsewhere.`,
    stop: (name, cause = "elsewhere") => `${name} was stopped (${cause}).`,
  },
  problems: {
    refused: "Reverted:",
    waiting: "Your change will be sent as soon as possible.",
    popup: "The browser blocked the sign-in window. Allow pop-ups for this site and try again.",
    failed: "That did not work:",
  },
  mistakes: {
    empty: "Which issue? Paste its address or type owner/repo#1.",
    form: "This is not an issue on GitHub. Paste its address or type owner/repo#1.",
    number: "There is no issue with this number.",
  },
  // The server's messages are in English.
  errors: {},
};

/** @type {Record<string, () => {default: Strings} | Promise<{default: Strings}>>} */
const languages = { en: () => ({ default: en }), de: () => import("./strings.de.js") };

/**
 * @param {string} language as in `lang` (BCP 47)
 * @returns {Promise<{language: string, strings: Strings}>} the strings of the language; the English strings
 *   if there is no translation
 */
export async function stringsFor(language) {
  const [primary] = language.toLowerCase().split("-");
  try {
    const [tag] = Intl.getCanonicalLocales(language);
    return { language: tag, strings: (await languages[primary]()).default };
  } catch {
    return language === primary ? { language: "en", strings: en } : stringsFor(primary);
  }
}
