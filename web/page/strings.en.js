// The English texts that the modules show. The other English texts are in the HTML and in page-header.js.

/** @import { Text } from "./types.d.ts" */

/** @satisfies {Record<string, Text>} */
export const english = {
  // every page
  cancel: "Cancel",
  noConnection: "No connection to the server.",
  serverResponded: ({ status }) => `The server responded with status ${status}.`,
  notLoaded: "This page could not be loaded yet. It retries automatically.",
  tryAgain: "Try again",
  sessionExpired: "Your session has expired. Sign in again.",
  sessionExpiredWhileEditing: "Your session has expired. Sign in again in another tab, then save.",
  signedOut: "You are signed out.",
  signedOutEverywhere: "You are signed out on all devices.",

  // durations
  hoursAndMinutes: ({ hours, minutes }) => `${hours}h ${minutes}m`,
  onlyHours: ({ hours }) => `${hours}h`,
  onlyMinutes: ({ minutes }) => `${minutes}m`,
  onlySeconds: ({ seconds }) => `${seconds}s`,
  lessThanAMinute: "<1m",

  // history
  noIssue: "No issue",
  counting: "counting",
  waiting: "waiting",
  paused: "paused",
  endedBySweeper: "ended automatically",
  earlierDays: "Continued from earlier days",
  active: ({ duration }) => `${duration} active`,
  beganOn: ({ day }) => `began on ${day}`,
  continuesOn: ({ day }) => `continues on ${day}`,
  continuesUntil: ({ day }) => `continues until ${day}`,
  continuesToday: "continues until today",
  edit: "Edit",
  editNamed: ({ name, time }) => `Edit ${name}, ${time}`,
  delete: "Delete",
  deleteNamed: ({ name, time }) => `Delete ${name}, ${time}`,
  deleteQuestion: "Delete this entry?",
  deleteText: ({ duration, name, time }) => `${duration} on ${name} (${time}) will be permanently deleted.`,
  deleted: ({ duration, name }) => `${duration} on ${name} deleted.`,
  moreLoaded: ({ count }) => (count === 1 ? "1 more entry loaded." : `${count} more entries loaded.`),
  allEntries: ({ count }) => (count === 1 ? "1 entry" : `${count} entries`),
  firstEntries: ({ count }) => `Latest ${count}`,
  added: ({ duration }) => `${duration} added.`,
  saved: "Saved.",
  exporting: ({ count }) => `Exporting: ${count} entries so far…`,
  exportedEntries: ({ count }) => (count === 1 ? "1 entry exported." : `${count} entries exported.`),

  // one entry
  addTitle: "Add time",
  editTitle: "Edit entry",
  entryPaused: ({ duration }) => `Includes ${duration} of pauses, which do not count.`,
  result: ({ duration, time }) => `${duration} (${time})`,
  resultAtMost: ({ duration, time }) => `At most ${duration}, less the pauses in this time (${time})`,
  timeNeeded: "Enter a date and a time.",
  timeSkipped: ({ before, after, zone }) =>
    `This time does not exist. Clocks go from ${before} to ${after} (${zone}).`,
  occursTwice: "Clocks are put back, so this time occurs twice:",
  inTheFuture: "Must not be in the future.",
  durationNeeded: "Enter a duration, such as 1:30, 1h 30m, 90m or 1.5h.",
  durationAmbiguous: ({ meanings }) => `Do you mean ${meanings}?`,
  startAt: ({ time }) => `Start: ${time}`,
  endAt: ({ time }) => `End: ${time}`,
  noDurationQuestion: "The entry begins and ends at the same time.",
  longQuestion: ({ duration }) => `The entry is longer than 24 hours: ${duration}.`,
  overlapQuestion: ({ name, time }) => `The entry overlaps ${name} (${time}).`,
  overlapsQuestion: ({ name, time, more }) => `The entry overlaps ${name} (${time}) and ${more} more.`,
  runningSince: ({ time }) => `running since ${time}`,
  endsInTheFuture: "This would end in the future.",
  endBeforeStart: "The end is before the start.",

  // totals
  totalsAreIncomplete: "There are too many entries to add up at once. Choose a shorter period.",
  noTime: "No time on these days.",
  activeInAll: ({ duration }) => `Active time of the timers: ${duration}`,
  averageDay: ({ count, duration }) =>
    count === 1 ? `${duration} on one day` : `${duration} a day on average, on ${count} days`,
  averageWeek: ({ count, duration }) =>
    count === 1 ? `${duration} in one week` : `${duration} a week on average, in ${count} weeks`,
  averageMonth: ({ count, duration }) =>
    count === 1 ? `${duration} in one month` : `${duration} a month on average, in ${count} months`,
  averageYear: ({ count, duration }) =>
    count === 1 ? `${duration} in one year` : `${duration} a year on average, in ${count} years`,
  chartSummary: ({ average, most }) => `Bar chart. ${average}. Longest: ${most}.`,
  allIssues: ({ count }) => (count === 1 ? "Show 1 issue" : `Show all ${count} issues`),

  // account
  canRead: "read only",
  canWrite: "read and write",
  createdOn: ({ date }) => `created ${date}`,
  expiresOn: ({ date }) => `expires ${date}`,
  expiresNever: "does not expire",
  usedOn: ({ date }) => `last used ${date}`,
  usedNever: "never used",
  revoke: "Revoke",
  revokeNamed: ({ name }) => `Revoke ${name}`,
  revokeQuestion: ({ name }) => `Revoke ${name}?`,
  revokeText: "Everything that uses this token will stop working.",
  revoked: ({ name }) => `Token ${name} revoked.`,
  tokenCreated: ({ name }) => `Token ${name} created.`,
  copied: "Copied.",
  exported: ({ name }) => `${name} contains all data stored about you.`,
  deleteAccountQuestion: "Delete your account?",
  deleteAccountText: "All your timers and tokens will be permanently deleted.",
  deleteAccountYes: "Delete everything",
  deletingAccount: "Deleting…",
  accountDeleted: "Your account and all its data have been deleted.",
};
