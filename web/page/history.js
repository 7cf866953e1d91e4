// The list of what was timed, newest first and a page at a time.

import { call, getPage } from "./api.js";
import { dayOf, startOf } from "./calendar.js";
import { byId, confirmed, html, icon, put, say } from "./dom.js";
import { listQuery, selects } from "./filter.js";
import { issueLink, issueName } from "./issue.js";
import { show, showDay, showDuration, showRange, text } from "./language.js";
import { on } from "./session.js";

/**
 * The entries that a filter selects, as far as they have been asked for.
 *
 * `now` is called for the present, `edit` with the timer whose entry is to be changed, `changed` after one was deleted.
 */
export class History {
  #timers = [];
  #next = null;
  #filter = null;
  #address = "";
  #days = new Map();
  // The seconds of open timers by their id, counted on since they were asked for.
  #counted = new Map();
  #now;
  #edit;
  #changed;

  constructor({ now, edit, changed }) {
    this.#now = now;
    this.#edit = edit;
    this.#changed = changed;
    on("click", byId("load-more"), () => this.#more());
  }

  /** Ask for the first page of what a filter selects, and return what shows it. */
  async load(filter, signal) {
    this.#filter = filter;
    this.#address = `/api/timelogs/?${listQuery(filter, this.#now())}`;
    const page = await getPage(this.#address, { signal });
    return () => this.#take(page.results, page.next);
  }

  /** Ask for what has changed among the newest entries, and return what shows it and leaves the others as they are. */
  async refresh(signal) {
    const page = await getPage(this.#address, { signal });
    return () => {
      const isAll = page.next === null;
      const oldest = page.results.at(-1)?.start_time;
      const kept = isAll
        ? []
        : unlike(page.results, this.#timers).filter((timer) => timer.start_time < oldest);
      const counted = kept.map((timer) => ({ ...timer, active_duration: this.#seconds(timer) }));
      this.#take([...page.results, ...counted], kept.length ? this.#next : page.next);
    };
  }

  /** Show the time of each day, as the totals have it: they part a night's work at midnight. */
  showDays(days) {
    this.#days = days;
    for (const heading of byId("entries").querySelectorAll("[data-day]")) this.#showDay(heading);
  }

  /** Show how long open timers have been active, and return how much longer that is than when they were asked for. */
  count(timers, active) {
    for (const timer of timers) this.#counted.set(timer.id, active(timer));
    for (const timer of this.#timers) if (this.#counted.has(timer.id)) this.#showDuration(timer);
    const today = byId("entries").querySelector(`[data-day="${dayOf(this.#now())}"]`);
    if (today) this.#showTime(today);
    return this.#gained;
  }

  /** Show a timer as it is now, if the filter still selects it. */
  replace(timer) {
    if (!selects(this.#filter, timer, this.#now())) return this.#remove(timer);
    this.#timers = this.#timers.map((shown) => (shown.id === timer.id ? timer : shown));
    this.#timers.sort((one, other) => (one.start_time < other.start_time ? 1 : -1));
    this.#show();
    this.#focus(timer);
  }

  clear() {
    this.#take([], null);
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

  #take(timers, next) {
    this.#timers = timers;
    this.#next = next;
    this.#counted.clear();
    this.#show();
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
    byId("entry-count").textContent = count
      ? text(this.#next ? "firstEntries" : "allEntries", { count })
      : "";
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
      return html(
        "section",
        { class: "day" },
        heading,
        html("ul", {}, ...ofDay.map((timer) => this.#entry(timer))),
      );
    });
  }

  #showDay(heading) {
    const { day } = heading.dataset;
    heading.replaceChildren(showDay(startOf(day), this.#now()), html("span"));
    this.#showTime(heading);
  }

  #showTime(heading) {
    const { day } = heading.dataset;
    const time = (this.#days.get(day) ?? 0) + (day === dayOf(this.#now()) ? this.#gained : 0);
    put(heading.querySelector("span"), time ? showDuration(time) : "");
  }

  #showDuration(timer) {
    put(byId(entryId(timer)).querySelector(".duration"), showDuration(this.#seconds(timer)));
  }

  #seconds({ id, active_duration: seconds }) {
    return this.#counted.get(id) ?? seconds;
  }

  get #gained() {
    return this.#timers.reduce((sum, timer) => sum + this.#seconds(timer) - timer.active_duration, 0);
  }

  #entry(timer) {
    const start = new Date(timer.start_time);
    const end = timer.end_time && new Date(timer.end_time);
    const named = { name: issueName(timer), time: show("moment", start) };
    const edit = tool("edit", text("edit"), text("editNamed", named));
    on("click", edit, () => this.#edit(timer));
    const remove = tool("delete", text("delete"), text("deleteNamed", named));
    on("click", remove, () => this.#delete(timer));
    const when = end
      ? showRange(dayOf(start) === dayOf(end) ? "time" : "moment", start, end)
      : show("time", start);
    return html(
      "li",
      { class: "entry", id: entryId(timer) },
      html("div", { class: "what" }, issueLink(timer), timer.description && html("p", {}, timer.description)),
      html(
        "div",
        { class: "when" },
        when,
        timer.status !== "stopped" && html("span", { class: `badge ${timer.status}` }, text(timer.status)),
        timer.stopped_by === "sweeper" && html("span", { class: "badge" }, text("endedBySweeper")),
      ),
      html("div", { class: "duration" }, showDuration(this.#seconds(timer))),
      html("div", { class: "tools" }, edit, remove),
    );
  }

  async #delete(timer) {
    const time = show("moment", new Date(timer.start_time));
    const named = { name: issueName(timer), duration: showDuration(this.#seconds(timer)), time };
    if (!(await confirmed(text("deleteQuestion"), text("deleteText", named), text("delete")))) return;
    try {
      await call("DELETE", `/api/timelogs/${timer.id}/`);
    } catch (error) {
      // It was deleted elsewhere, or here without our hearing of it.
      if (error.status !== 404) throw error;
    }
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
