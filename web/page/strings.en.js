// What the page says by itself; the other texts are in its HTML.
export default {
  cancel: "Cancel",
  noConnection: "There is no connection to the server.",
  serverAnswered: ({ status }) => `The server answered ${status}.`,
  sessionEnded: "The session is over: sign in again.",
  sessionOver: "The session is over: sign in again, in another tab, and then save.",
  signedOut: "You are signed out.",
  signedOutEverywhere: "You are signed out on all devices.",

  // durations
  hoursAndMinutes: ({ hours, minutes }) => `${hours}h ${minutes}m`,
  onlyHours: ({ hours }) => `${hours}h`,
  onlyMinutes: ({ minutes }) => `${minutes}m`,
  onlySeconds: ({ seconds }) => `${seconds}s`,

  // history
  noIssue: "No issue",
  running: "running",
  paused: "paused",
  endedBySweeper: "ended automatically",
  edit: "Edit",
  editNamed: ({ name, time }) => `Edit ${name}, ${time}`,
  delete: "Delete",
  deleteNamed: ({ name, time }) => `Delete ${name}, ${time}`,
  deleteQuestion: "Delete this entry?",
  deleteText: ({ duration, name, time }) => `${duration} on ${name} (${time}) are deleted, for good.`,
  deleted: ({ duration, name }) => `${duration} on ${name} are deleted.`,
  moreShown: ({ count }) => (count === 1 ? "1 more is shown." : `${count} more are shown.`),
  allEntries: ({ count }) => (count === 1 ? "1 entry" : `${count} entries`),
  firstEntries: ({ count }) => `The latest ${count}`,
  added: ({ duration }) => `${duration} are added.`,
  saved: "Saved.",
  exporting: ({ count }) => `Exporting: ${count} entries so far…`,
  exportedEntries: ({ count }) => (count === 1 ? "1 entry is exported." : `${count} entries are exported.`),

  // one entry
  addTitle: "Add time",
  editTitle: "Correct an entry",
  entryPaused: ({ duration }) => `Of this, ${duration} were pauses, which do not count.`,
  timeNeeded: "A date and a time are needed.",
  inTheFuture: "This lies in the future.",
  durationNeeded: "How long did it last?",
  endsInTheFuture: "It would end in the future.",
  endBeforeStart: "The end lies before the start.",

  // totals
  totalsAreCut: "Of 365 days at most; the entries below are all there are.",
  totalsAreIncomplete: "There is more than can be summed up at once: choose a shorter period.",
  noTime: "No time in these days.",
  averageDay: ({ count, duration }) =>
    count === 1 ? `${duration} on one day` : `${duration} a day on average, on ${count} days`,
  averageWeek: ({ count, duration }) =>
    count === 1 ? `${duration} in one week` : `${duration} a week on average, in ${count} weeks`,
  chartSummary: ({ average, most }) => `Time as bars. ${average}. The most: ${most}.`,
  allIssues: ({ count }) => (count === 1 ? "Show 1 issue" : `Show all ${count} issues`),

  // account
  mayRead: "may read",
  mayWrite: "may read and write",
  madeOn: ({ date }) => `made ${date}`,
  expiresOn: ({ date }) => `expires ${date}`,
  expiresNever: "does not expire",
  usedOn: ({ date }) => `used ${date}`,
  usedNever: "never used",
  revoke: "Revoke",
  revokeNamed: ({ name }) => `Revoke ${name}`,
  revokeQuestion: ({ name }) => `Revoke ${name}?`,
  revokeText: "Whatever uses it stops working.",
  revoked: ({ name }) => `${name} is revoked.`,
  tokenMade: ({ name }) => `${name} is made.`,
  copied: "Copied.",
  exported: ({ name }) => `${name} has everything that is stored about you.`,
  leaveQuestion: "Delete your account?",
  leaveText: "All of your timers and tokens are deleted, for good.",
  leaveYes: "Delete everything",
  leaving: "Deleting…",
  left: "Everything is deleted.",
};
