// A dialog that asks for a time, or for the start and the end of a time.

import { setText } from "../widget/dom.js";
import { byId, showAbout } from "./elements.js";
import { formats, text } from "./language.js";
import { TimeField } from "./time-field.js";

/** @import { Stretch } from "./timeline.js" */

/**
 * @typedef {object} TimeQuestion
 * @property {string} title
 * @property {string} [about] describes the time to change
 * @property {Stretch} proposed the initial times; a single time is `since`
 * @property {boolean} isSingle whether to ask for one time
 * @property {Stretch} limits
 */

const timeDialog = byId("time-dialog", HTMLDialogElement);
const timeForm = byId("time-form", HTMLFormElement);
const fields = { since: new TimeField("time-start"), until: new TimeField("time-end") };

/** The label of the start in the page's language. */
let startText = "";

/** @type {{question: TimeQuestion, resolve: (times: Stretch | null) => void} | null} */
let asked = null;

/**
 * Ask for a time, or for the start and the end of a time.
 *
 * @param {TimeQuestion} question
 * @returns {Promise<Stretch | null>} the entered times, within the limits; null if the user cancels
 */
export function askForTimes(question) {
  const { title, about, proposed, isSingle } = question;
  setText(byId("time-title"), title);
  showAbout("time-about", about);
  setText(byId("time-error"), "");
  byId("time-end-field").hidden = isSingle;
  startText ||= byId("time-start-label").textContent;
  setText(byId("time-start-label"), isSingle ? text("singleTime") : startText);
  fields.since.set(new Date(proposed.since));
  fields.until.set(new Date(proposed.until));
  timeDialog.showModal();
  return new Promise((resolve) => {
    asked = { question, resolve };
  });
}

/**
 * Read the entered times.
 *
 * @param {TimeQuestion} question
 * @returns {Stretch | string} an error if they are not valid
 */
function read({ isSingle, limits }) {
  const [start, end] = [fields.since.read(), isSingle ? fields.since.read() : fields.until.read()];
  if (!("instant" in start) || !("instant" in end)) return text("timeNeeded");
  const times = { since: start.instant.getTime(), until: end.instant.getTime() };
  if (times.since > times.until) return text("endBeforeStart");
  if (times.since < limits.since || times.until > limits.until) {
    const [from, until] = [limits.since, limits.until].map((instant) => new Date(instant));
    const format = from.toDateString() === until.toDateString() ? "time" : "moment";
    return text("outsideOf", { time: formats.range(format, from, until) });
  }
  return times;
}

timeForm.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!asked) return;
  const times = read(asked.question);
  if (typeof times === "string") return setText(byId("time-error"), times);
  asked.resolve(times);
  asked = null;
  timeDialog.close();
});

byId("time-cancel").addEventListener("click", () => timeDialog.close());

timeDialog.addEventListener("close", () => {
  asked?.resolve(null);
  asked = null;
});
