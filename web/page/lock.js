// The form of the Account page with which admins lock days.

import { h } from "../widget/dom.js";
import { fieldErrors, get, request } from "./api.js";
import { startOf } from "./calendar.js";
import { byId, control, setMessage } from "./elements.js";
import { formats, text } from "./language.js";
import { confirm, notify } from "./notices.js";
import { onAction } from "./session.js";

/** @import { Day, Lock } from "./types.d.ts" */

const LOCK = "/api/admin/lock/";

export class LockForm {
  #form = byId("lock-form", HTMLFormElement);

  constructor() {
    onAction("submit", this.#form, () => this.#lock());
    onAction("click", byId("lock-open"), () => this.#open());
  }

  /** Load and show the lock. */
  async open() {
    this.#show(await get(LOCK));
  }

  async #lock() {
    const until = control(this.#form, "until").value;
    setMessage(byId("lock-error"), "");
    if (!until) return control(this.#form, "until").focus();
    if (!(await confirm(text("lockQuestion", { day: dayName(until) }), text("lockText"), text("lockDays"))))
      return;
    try {
      const reason = control(this.#form, "reason").value;
      this.#show((await request("POST", LOCK, { until, reason })).body);
    } catch (error) {
      const [first] = fieldErrors(error);
      if (!first) throw error;
      return setMessage(byId("lock-error"), first.message, first.lang);
    }
    notify(text("saved"));
  }

  async #open() {
    if (!(await confirm(text("openQuestion"), text("openText"), text("openLocked")))) return;
    this.#show((await request("DELETE", LOCK)).body);
    notify(text("saved"));
  }

  /** @param {Lock} lock */
  #show({ locked_until: until, changes }) {
    byId("lock-state").textContent = until ? text("lockedUntil", { day: dayName(until) }) : text("notLocked");
    this.#form.reset();
    byId("lock-open").hidden = !until;
    byId("lock-history").hidden = !changes.length;
    byId("lock-changes").replaceChildren(...changes.map(changeItem));
  }
}

/** @param {Lock["changes"][number]} change */
function changeItem({ at, reason, from, to }) {
  const [before, after] = [from, to].map((day) => (day ? dayName(day) : text("nothing")));
  const when = formats.date("dateAndTime", new Date(at));
  const details = [text("lockChanged", { before, after }), ...(reason ? [reason] : [])].join(" · ");
  return h("li", {}, h("div", {}, when, h("small", {}, details)));
}

/** @param {Day} day */
function dayName(day) {
  return formats.date("date", startOf(day));
}
