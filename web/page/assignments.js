// The choice which assignments start a timer.

import { h } from "../widget/dom.js";
import { text } from "./language.js";

/** @import { AssignmentStarts } from "./types.d.ts" */

/** From the widest to the narrowest. @type {AssignmentStarts[]} */
export const ASSIGNMENT_RULES = ["any", "self", "never"];
const NAMES = /** @type {const} */ ({
  any: "assignmentAny",
  self: "assignmentSelf",
  never: "assignmentNever",
});

/** @param {AssignmentStarts} rule */
export function assignmentText(rule) {
  return text(NAMES[rule]);
}

/**
 * Return a radio button.
 *
 * @param {AssignmentStarts | ""} value empty for the organization's rule
 * @param {string} label
 * @param {boolean} [checked]
 */
export function assignmentChoice(value, label, checked = false) {
  const radio = h("input", { type: "radio", name: "assignment_starts", value, checked });
  return h("label", {}, radio, h("span", {}, label));
}
