// A field for a date and a time. If clocks show the time twice, the user chooses one of both.

import { h } from "../widget/dom.js";
import { instantsOf, skipOf, toInputValue } from "./calendar.js";
import { byId } from "./elements.js";
import { formats, text } from "./language.js";

/** @import { EnteredTime } from "./types.d.ts" */

export class TimeField {
  #input;
  #choice;
  /** The instant that was set, because the input's value has no milliseconds. @type {Date | null} */
  #instant = null;
  #value = "";

  /** @param {string} id of the input; the element for the choice has the id with "-choice" */
  constructor(id) {
    this.#input = byId(id, HTMLInputElement);
    this.#choice = byId(`${id}-choice`, HTMLFieldSetElement);
    this.#input.addEventListener("input", () => this.#showChoice());
  }

  /** @param {Date | null} instant */
  set(instant) {
    this.#instant = instant;
    // Show seconds only if the instant has seconds.
    this.#input.value = instant ? toInputValue(instant).replace(/:00$/, "") : "";
    // Read the value from the input, because the input may normalize it.
    this.#value = this.#input.value;
    this.#showChoice();
  }

  /**
   * Return the entered time. An unchanged time is the instant that was set, to the millisecond.
   *
   * @returns {EnteredTime}
   */
  read() {
    const { value } = this.#input;
    const instants = instantsOf(value);
    const instant = instants[this.#chosen] ?? instants[0];
    if (!instant) return { skip: skipOf(value) };
    return { instant: this.#isSet(instant) && this.#instant ? this.#instant : instant };
  }

  /** @param {string} day the last day that can be entered */
  set max(day) {
    this.#input.max = `${day}T23:59:59`;
  }

  /** The index of the chosen instant. */
  get #chosen() {
    return [...this.#choice.querySelectorAll("input")].findIndex((radio) => radio.checked);
  }

  /**
   * Return whether an instant is the one that was set, except for its milliseconds.
   *
   * @param {Date} instant
   */
  #isSet(instant) {
    return this.#input.value === this.#value && Math.abs(Number(this.#instant) - Number(instant)) < 1000;
  }

  /** If clocks show the time twice, show both instants, and choose the one that is nearer to the set instant. */
  #showChoice() {
    const instants = instantsOf(this.#input.value);
    this.#choice.hidden = instants.length < 2;
    const distances = instants.map((instant) => Math.abs(Number(instant) - Number(this.#instant)));
    const chosen = distances.indexOf(Math.min(...distances));
    const options = formats
      .clockTimes(instants)
      .map((label, index) =>
        h(
          "label",
          {},
          h("input", { type: "radio", name: this.#choice.id, checked: index === chosen }),
          h("span", {}, label),
        ),
      );
    this.#choice.replaceChildren(h("legend", {}, text("occursTwice")), ...options);
  }
}
