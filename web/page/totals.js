// How much time it was: in sum, per day as a chart and a table, and per issue.

import { get } from "./api.js";
import { daysBetween, startOf, startOfWeek } from "./calendar.js";
import { byId, html, put, svg } from "./dom.js";
import { totalledDays, totalsQuery, writeFilter } from "./filter.js";
import { issueLink } from "./issue.js";
import { firstWeekday, show, showDay, showDuration, showRange, text } from "./language.js";

const HEIGHT = 160;
const ABOVE = 12;
const BELOW = 24;
const HOUR = 3600;
const MOST_BARS = 62;
const STEPS = [0.25, 0.5, 1, 2, 4, 8, 12, 24, 40, 80, 160, 320, 640];
const FEW = 6;
const LINKS = "#days a, #issues a";

// What is offered in the filter, as far as it has been seen.
const repositories = new Set();

/** Ask for the totals of what a filter selects now. */
export function getTotals(filter, now, signal) {
  return get(`/api/timelogs/totals/?${totalsQuery(filter, now)}`, { signal });
}

/** Show the totals of what a filter selects, and return the time of each day. */
export function showTotals(totals, filter, now) {
  const days = new Map(totals.days.map(({ date, active_duration }) => [date, active_duration]));
  const { first, last, isCut } = totalledDays(filter, now);
  const begin = startOf(isCut && totals.days.length && !filter.from ? totals.days[0].date : first);

  showSum(totals.active_duration);
  byId("total-of").textContent = showRange("date", begin, startOf(last));
  const notes = [isCut && text("totalsAreCut"), !totals.complete && text("totalsAreIncomplete")];
  byId("totals-note").textContent = notes.filter(Boolean).join(" ");
  byId("totals-note").hidden = !byId("totals-note").textContent;

  const shown = days.size ? chart(toBars(days, first, last)) : html("p", { class: "faint" }, text("noTime"));
  const focused = document.activeElement.closest(LINKS)?.getAttribute("href");
  byId("chart").replaceChildren(shown);
  byId("days-table").hidden = !days.size;
  byId("days").replaceChildren(...totals.days.toReversed().map((day) => dayRow(day, filter, now)));
  showIssues(totals);
  const again = [...document.querySelectorAll(LINKS)].find((link) => link.getAttribute("href") === focused);
  again?.focus({ preventScroll: true });
  return days;
}

/** Show the time that all of it took. */
export function showSum(seconds) {
  put(byId("total"), showDuration(seconds));
}

// ------------------------------------------------------------------ days

/** Sum up the days in bars, of a week each if there are many. */
function toBars(times, first, last) {
  let days = daysBetween(first, last);
  const [earliest] = times.keys();
  // Nothing is gained by showing the empty months before the first timer.
  if (days.length > MOST_BARS) days = days.slice(Math.max(0, days.indexOf(earliest) - 6));
  if (days.length <= MOST_BARS)
    return days.map((day) => ({ first: day, last: day, seconds: times.get(day) ?? 0 }));
  const bars = new Map();
  for (const day of days) {
    const week = startOfWeek(day, firstWeekday);
    const bar = bars.get(week) ?? { first: week, seconds: 0 };
    bars.set(week, { ...bar, last: day, seconds: bar.seconds + (times.get(day) ?? 0) });
  }
  return [...bars.values()];
}

function barName({ first, last }) {
  return first === last ? show("day", startOf(first)) : showRange("shortDay", startOf(first), startOf(last));
}

/** Draw bars over days. Places along the days are percentages, so that the chart fits any width. */
function chart(bars) {
  const most = Math.max(...bars.map((bar) => bar.seconds));
  const step = (STEPS.find((hours) => most <= hours * HOUR * 3) ?? STEPS.at(-1)) * HOUR;
  const top = Math.ceil(most / step) * step;
  const y = (seconds) => ABOVE + HEIGHT * (1 - seconds / top);
  const isMirrored = getComputedStyle(document.documentElement).direction === "rtl";
  const width = 100 / bars.length;
  const x = (index) => (isMirrored ? 100 - width * (index + 1) : width * index);

  const height = ABOVE + HEIGHT + BELOW;
  const axis = svg("svg", { class: "axis", width: 44, height, "aria-hidden": "true" });
  const plot = svg("svg", { class: "plot", width: "100%", height, role: "img", "aria-label": summary(bars) });
  for (let seconds = 0; seconds <= top; seconds += step) {
    const height = y(seconds);
    const label = seconds ? showDuration(seconds) : "0";
    axis.append(svg("text", { x: isMirrored ? 8 : 36, y: height + 4, "text-anchor": "end" }, label));
    plot.append(svg("line", { class: seconds ? "grid" : "base", x1: 0, x2: "100%", y1: height, y2: height }));
  }
  const every = Math.ceil(bars.length / FEW);
  const isOneWeek = bars.length <= 7 && bars.every((bar) => bar.first === bar.last);
  const reading = html("p", { class: "reading", "aria-hidden": "true" });
  const reset = () => (reading.textContent = average(bars));
  bars.forEach((bar, index) => {
    const thickness = Math.min(width * 0.72, 8);
    const shown = svg("rect", {
      class: "bar",
      x: `${x(index) + (width - thickness) / 2}%`,
      y: bar.seconds ? Math.min(y(bar.seconds), y(0) - 2) : y(0),
      width: `${thickness}%`,
      height: bar.seconds ? Math.max(y(0) - y(bar.seconds), 2) : 0,
      rx: 2,
    });
    // All of a bar's place answers to the pointer, not only as much as is coloured.
    const place = svg("rect", {
      class: "place",
      x: `${x(index)}%`,
      y: 0,
      width: `${width}%`,
      height: ABOVE + HEIGHT,
    });
    const read = () => (reading.textContent = `${barName(bar)}: ${showDuration(bar.seconds)}`);
    place.addEventListener("pointerenter", read);
    shown.addEventListener("pointerenter", read);
    plot.append(svg("g", {}, place, shown));
    const after = bars.length - 1 - index;
    if (after % every === 0) {
      const label = show(isOneWeek ? "weekday" : "shortDay", startOf(bar.first));
      // Where it is narrow, every other label goes.
      const isMinor = (after / every) % 2 === 1;
      const place = { x: `${x(index) + width / 2}%`, y: height - 6, "text-anchor": "middle" };
      plot.append(svg("text", { class: isMinor && "minor", ...place }, label));
    }
  });
  plot.addEventListener("pointerleave", reset);
  reset();
  return html("div", {}, reading, html("div", { class: "chart" }, axis, plot));
}

function average(bars) {
  const count = bars.filter((bar) => bar.seconds).length;
  const seconds = bars.reduce((sum, bar) => sum + bar.seconds, 0) / count;
  const name = bars.some((bar) => bar.first !== bar.last) ? "averageWeek" : "averageDay";
  return text(name, { count, duration: showDuration(seconds) });
}

/** What a screen reader says of the chart; the table below has it all. */
function summary(bars) {
  const most = bars.reduce((one, other) => (other.seconds > one.seconds ? other : one));
  return text("chartSummary", {
    average: average(bars),
    most: `${barName(most)}, ${showDuration(most.seconds)}`,
  });
}

function dayRow({ date, active_duration: seconds }, filter, now) {
  const address = writeFilter({ ...filter, period: "custom", from: date, to: date });
  return html(
    "tr",
    {},
    html(
      "th",
      { scope: "row" },
      html("a", { href: address, "data-filter": "" }, showDay(startOf(date), now)),
    ),
    html("td", {}, showDuration(seconds)),
  );
}

// ------------------------------------------------------------------ issues

function showIssues({ issues, active_duration: sum }) {
  for (const { github_repo: repo } of issues) if (repo) repositories.add(repo);
  byId("repositories").replaceChildren(...[...repositories].sort().map((value) => html("option", { value })));
  byId("issues-title").parentElement.hidden = !issues.length;
  const rows = issues.map((issue) => issueRow(issue, sum));
  const button = byId("all-issues");
  const areAllShown = button.hidden && byId("issues").children.length > FEW;
  byId("issues").replaceChildren(...rows);
  for (const row of rows.slice(FEW)) row.hidden = !areAllShown;
  button.hidden = areAllShown || rows.length <= FEW;
  button.textContent = text("allIssues", { count: rows.length });
  button.onclick = () => {
    for (const row of rows) row.hidden = false;
    button.hidden = true;
    (rows[FEW].querySelector("a") ?? rows[FEW].firstElementChild).focus();
  };
}

function issueRow(issue, sum) {
  const share = svg(
    "svg",
    { class: "share", width: "100%", height: 6, "aria-hidden": "true" },
    svg("rect", { class: "track", width: "100%", height: 6, rx: 3 }),
    svg("rect", { class: "bar", width: `${sum && (100 * issue.active_duration) / sum}%`, height: 6, rx: 3 }),
  );
  return html(
    "tr",
    {},
    html("th", { scope: "row", tabindex: issue.github_repo ? null : -1 }, issueLink(issue), share),
    html("td", {}, String(issue.timers)),
    html("td", {}, showDuration(issue.active_duration)),
  );
}
