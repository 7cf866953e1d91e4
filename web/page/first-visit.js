// The card that proposes working hours to people who have not chosen any.

import { content, h } from "../widget/dom.js";
import { timeZone } from "./calendar.js";
import { text } from "./language.js";
import { notify } from "./notices.js";
import { changeSchedule } from "./schedule-api.js";
import { weekText, workingHoursText } from "./schedule-texts.js";
import { onAction } from "./session.js";
import { PROPOSED_WEEK } from "./week.js";
import { clocksIn } from "./zones.js";

/** @import { Schedule, Week, WorkingHours } from "./types.d.ts" */

/**
 * Return the hours to propose, in the browser's time zone: the organization's, or else 09:00 to 17:00.
 *
 * @param {Schedule} schedule
 * @returns {WorkingHours & {week: Week}}
 */
export function proposedHours({ default: { week } }) {
  return { time_zone: timeZone(), week: week ?? PROPOSED_WEEK };
}

/**
 * Return the card, or null if the person has chosen already. The card removes itself when the person chooses.
 *
 * @param {Schedule} schedule
 * @param {() => Date} now
 * @param {() => unknown} chosen is called after the choice was stored; the focus was on the card
 */
export function firstVisitCard(schedule, now, chosen) {
  if (schedule.chosen) return null;
  const proposed = proposedHours(schedule);
  const accept = h(
    "button",
    { type: "button", className: "primary" },
    text("useHours", { hours: weekText(proposed.week) }),
  );
  const always = h("button", { type: "button" }, text("countAlways"));
  const state = schedule.default.week ? "organizationHoursCount" : "nightsCount";
  const card = h(
    "section",
    { className: "card first-visit" },
    h("h2", { id: "first-visit-title" }, text("whenDoYouWork")),
    h("p", {}, ...content(text(state, { hours: workingHoursText(schedule.default) }))),
    h("p", {}, text("proposedIn", { zone: proposed.time_zone.replaceAll("_", " ") })),
    h(
      "div",
      { className: "buttons" },
      accept,
      h("a", { className: "button", href: "account.html#change-hours" }, text("otherHours")),
      always,
    ),
  );
  card.setAttribute("aria-labelledby", "first-visit-title");
  const choose = async (/** @type {WorkingHours} */ hours) => {
    if (!(await changeSchedule({ ...hours, valid_from: clocksIn(hours.time_zone, now()).day }))) return;
    card.remove();
    notify(text("hoursSaved", { hours: weekText(hours.week) }));
    await chosen();
  };
  onAction("click", accept, () => choose(proposed));
  onAction("click", always, () => choose({ time_zone: timeZone(), week: null }));
  return card;
}
