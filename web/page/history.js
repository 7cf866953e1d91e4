// The list of what was timed, newest first and a page at a time.

import { call, getPage } from "./api.js";
import { dayOf, startOf } from "./calendar.js";
import { byId, confirmed, html, icon, say } from "./dom.js";
import { listQuery } from "./filter.js";
import { issueLink, issueName } from "./issue.js";
import { show, showDay, showDuration, showRange, text } from "./language.js";
import { on } from "./session.js";

/**
 * The entries that a filter selects, as far as they have been asked for.
 *
 * `edit` is called with the timer whose entry is to be changed, `changed` after one was deleted.
 */
export class History {
  #timers = [];
  #next = null;
  #address = "";
  #days = new Map();
  #edit;
  #changed;

  constructor({ edit, changed }) {
    this.#edit = edit;
    this.#changed = changed;
    on("click", byId("load-more"), () => this.#more());
  }

  /** Show the first page of what a filter selects. */
  async load(filter, signal) {
    this.#address = `/api/timelogs/?${listQuery(filter)}`;
    const page = await getPage(this.#address, { signal });
    this.#timers = page.results;
    this.#next = page.next;
    this.#show();
  }

  /** Take in what has changed among the newest entries, and leave the others as they are. */
  async refresh(signal) {
    const page = await getPage(this.#address, { signal });
    const isAll = page.next === null;
    const oldest = page.results.at(-1)?.start_time;
    const kept = isAll ? [] : unlike(page.results, this.#timers).filter((timer) => timer.start_time < oldest);
    if (!kept.length) this.#next = page.next;
    this.#timers = [...page.results, ...kept];
    this.#show();
  }

  /** Show the time of each day, as the totals have it: they part a night's work at midnight. */
  showDays(days) {
    this.#days = days;
    for (const heading of byId("entries").querySelectorAll("[data-day]")) this.#showDay(heading);
  }

  /** Show a timer as it is now. */
  replace(timer) {
    this.#timers = this.#timers.map((shown) => (shown.id === timer.id ? timer : shown));
    this.#timers.sort((one, other) => (one.start_time < other.start_time ? 1 : -1));
    this.#show();
    this.#focus(timer);
  }

  clear() {
    this.#timers = [];
    this.#next = null;
    this.#show();
  }

  async #more() {
    const next = this.#next;
    const page = await getPage(next);
    // Something else is shown by now, of which this is not the next page.
    if (next !== this.#next) return;
    // One that was corrected may be further up by now.
    const added = unlike(this.#timers, page.results);
    this.#timers.push(...added);
    this.#next = page.next;
    const group = byId("entries").lastElementChild;
    const day = group?.querySelector("[data-day]").dataset.day;
    const [same, others] = [[], []];
    for (const timer of added) (startDay(timer) === day ? same : others).push(timer);
    group?.querySelector("ul").append(...same.map((timer) => this.#entry(timer)));
    byId("entries").append(...this.#groups(others));
    this.#showCount();
    say(text("moreShown", { count: added.length }));
    if (!this.#next) this.#focus(added[0] ?? this.#timers.at(-1));
  }

  #show() {
    const focused = document.activeElement.closest(".entry");
    const place = focused && [...focused.querySelectorAll("a, button")].indexOf(document.activeElement);
    byId("entries").replaceChildren(...this.#groups(this.#timers));
    this.#showCount();
    if (focused) byId(focused.id)?.querySelectorAll("a, button")[place]?.focus({ preventScroll: true });
  }

  #showCount() {
    byId("load-more").hidden = !this.#next;
    byId("no-entries").hidden = this.#timers.length > 0;
    const count = this.#timers.length;
    byId("entry-count").textContent = count ? text(this.#next ? "firstEntries" : "allEntries", { count }) : "";
  }

  #groups(timers) {
    const groups = new Map();
    for (const timer of timers) {
      const day = startDay(timer);
      if (!groups.has(day)) groups.set(day, []);
      groups.get(day).push(timer);
    }
    return [...groups].map(([day, ofDay]) => {
      const heading = html("h3", { "data-day": day });
      this.#showDay(heading);
      return html("section", { class: "day" }, heading, html("ul", {}, ...ofDay.map((timer) => this.#entry(timer))));
    });
  }

  #showDay(heading) {
    const { day } = heading.dataset;
    const time = this.#days.get(day);
    heading.replaceChildren(showDay(startOf(day)), time ? html("span", {}, showDuration(time)) : "");
  }

  #entry(timer) {
    const start = new Date(timer.start_time);
    const end = timer.end_time && new Date(timer.end_time);
    const named = { name: issueName(timer), time: show("moment", start) };
    const edit = tool("edit", text("edit"), text("editNamed", named));
    on("click", edit, () => this.#edit(timer));
    const remove = tool("delete", text("delete"), text("deleteNamed", named));
    on("click", remove, () => this.#delete(timer));
    const when = end ? showRange(dayOf(start) === dayOf(end) ? "time" : "moment", start, end) : show("time", start);
    return html(
      "li",
      { class: "entry", id: entryId(timer) },
      html(
        "div",
        { class: "what" },
        issueLink(timer),
        timer.description && html("p", {}, timer.description),
      ),
      html(
        "div",
        { class: "when" },
        when,
        timer.status !== "stopped" && html("span", { class: `badge ${timer.status}` }, text(timer.status)),
        timer.stopped_by === "sweeper" && html("span", { class: "badge" }, text("endedBySweeper")),
      ),
      html("div", { class: "duration" }, showDuration(timer.active_duration)),
      html("div", { class: "tools" }, edit, remove),
    );
  }

  async #delete(timer) {
    const time = show("moment", new Date(timer.start_time));
    const named = { name: issueName(timer), duration: showDuration(timer.active_duration), time };
    if (!(await confirmed(text("deleteQuestion"), text("deleteText", named), text("delete")))) return;
    await call("DELETE", `/api/timelogs/${timer.id}/`);
    this.#remove(timer);
    say(text("deleted", named));
    await this.#changed();
  }

  #remove(timer) {
    const place = this.#timers.findIndex((shown) => shown.id === timer.id);
    // Something else may be shown by now.
    if (place < 0) return;
    this.#timers.splice(place, 1);
    const entry = byId(entryId(timer));
    const group = entry.closest("section");
    entry.remove();
    if (!group.querySelector("li")) group.remove();
    this.#showCount();
    const neighbour = this.#timers[place] ?? this.#timers.at(-1);
    if (neighbour) this.#focus(neighbour);
    else byId("add").focus();
  }

  #focus(timer) {
    byId(entryId(timer))?.querySelector("button").focus();
  }
}

function tool(name, title, label) {
  return html("button", { type: "button", class: "quiet", title, "aria-label": label }, icon(name));
}

/** Return those of some timers that are not among others. */
function unlike(others, timers) {
  const ids = new Set(others.map(({ id }) => id));
  return timers.filter(({ id }) => !ids.has(id));
}

function startDay(timer) {
  return dayOf(new Date(timer.start_time));
}

function entryId(timer) {
  return `entry-${timer.id}`;
}
