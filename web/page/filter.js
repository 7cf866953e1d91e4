// What to show of the history, as the page's address says it: ?period=this-week&repo=octocat/hello-world&issue=7

import { addDays, dayOf, startOf, startOfWeek, timeZone } from "./calendar.js";
import { firstWeekday } from "./language.js";

export const DEFAULT_PERIOD = "30-days";

// The totals are of 366 days at most, and a day of them may have 25 hours.
const MOST_DAYS = 365;

const PERIODS = {
  "this-week": (today) => {
    const first = startOfWeek(today, firstWeekday);
    return [first, addDays(first, 6)];
  },
  "last-week": (today) => {
    const first = startOfWeek(today, firstWeekday);
    return [addDays(first, -7), addDays(first, -1)];
  },
  "30-days": (today) => [addDays(today, -29), today],
  "this-month": (today) => [firstOfMonth(today), lastOfMonth(today)],
  "last-month": (today) => {
    const last = addDays(firstOfMonth(today), -1);
    return [firstOfMonth(last), last];
  },
  "this-year": (today) => [`${today.slice(0, 4)}-01-01`, `${today.slice(0, 4)}-12-31`],
  all: () => ["", ""],
};

/** Read a filter from an address, leaving out what makes no sense there. */
export function readFilter(search) {
  const given = new URLSearchParams(search);
  let [from, to] = [given.get("from"), given.get("to")].map((day) => (isDay(day) ? day : ""));
  if (from && to && to < from) [from, to] = [to, from];
  const period = Object.hasOwn(PERIODS, given.get("period")) ? given.get("period") : DEFAULT_PERIOD;
  return {
    period: from || to ? "custom" : period,
    from,
    to,
    repo: given.get("repo") ?? "",
    issue: /^[1-9]\d{0,9}$/u.test(given.get("issue")) ? given.get("issue") : "",
  };
}

/** Return the address's search part that says a filter; empty for the one that the page begins with. */
export function writeFilter({ period, from, to, repo, issue }) {
  const shown = { repo, issue };
  if (period === "custom") Object.assign(shown, { from, to });
  else if (period !== DEFAULT_PERIOD) shown.period = period;
  const search = new URLSearchParams(Object.entries(shown).filter(([, value]) => value));
  // A slash needs no escape in a query (RFC 3986, section 3.4), and is easier to read.
  return search.size ? `?${String(search).replaceAll("%2F", "/")}` : "";
}

/** Return the first and the last day that a filter selects, at an instant; "" where there is no limit. */
export function selectedDays(filter, now) {
  return filter.period === "custom" ? [filter.from, filter.to] : PERIODS[filter.period](dayOf(now));
}

/** Return whether a filter selects a timer. */
export function selects(filter, timer, now) {
  const [from, to] = selectedDays(filter, now);
  const day = dayOf(new Date(timer.start_time));
  return (
    from <= day &&
    (!to || day <= to) &&
    (!filter.repo || filter.repo.toLowerCase() === timer.github_repo?.toLowerCase()) &&
    (!filter.issue || filter.issue === String(timer.github_issue_number))
  );
}

/** Return the days that totals are of, up to today if some of them are over, and whether the filter selects more. */
export function totalledDays(filter, now) {
  const [from, to] = selectedDays(filter, now);
  const today = dayOf(now);
  const last = [from, to && to < today ? to : today].sort().at(-1);
  const first = [from, addDays(last, 1 - MOST_DAYS)].sort().at(-1);
  return { first, last, isCut: first !== from };
}

/** Return the query for the list of timers that a filter selects. */
export function listQuery(filter, now) {
  const [from, to] = selectedDays(filter, now);
  return query({
    github_repo: filter.repo,
    github_issue_number: filter.issue,
    start_time__gte: from && startOf(from).toISOString(),
    start_time__lt: to && startOf(addDays(to, 1)).toISOString(),
    page_size: 100,
  });
}

/** Return the query for the totals of the days that a filter selects. */
export function totalsQuery(filter, now) {
  const { first, last } = totalledDays(filter, now);
  return query({
    github_repo: filter.repo,
    github_issue_number: filter.issue,
    since: startOf(first).toISOString(),
    until: startOf(addDays(last, 1)).toISOString(),
    time_zone: timeZone(),
  });
}

/** Return whether a text is a day that a calendar has, and the API instants of it, wherever one is. */
function isDay(given) {
  if (!/^\d{4}-\d\d-\d\d$/u.test(given) || given < "1970-01-02" || given > "9998-12-31") return false;
  const date = new Date(`${given}T00:00Z`);
  // Some browsers take February 31 for a day in March.
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(given);
}

function query(parameters) {
  return new URLSearchParams(Object.entries(parameters).filter(([, value]) => value));
}

function firstOfMonth(day) {
  return `${day.slice(0, 8)}01`;
}

function lastOfMonth(day) {
  return addDays(firstOfMonth(addDays(firstOfMonth(day), 31)), -1);
}
