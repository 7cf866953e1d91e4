// The explanation in place of the entries of a person who has no timer yet.

import { h } from "../widget/dom.js";
import { get } from "./api.js";
import { byId } from "./elements.js";
import { text } from "./language.js";

/** @import { Profile } from "./types.d.ts" */

/** Explains an empty history: what will be here, and how the first timer begins. */
export class FirstSteps {
  #profile;
  /** Whether the person has no timer at all; null before the first request. @type {?boolean} */
  #isNew = null;

  /** @param {Profile} profile */
  constructor(profile) {
    this.#profile = profile;
  }

  /**
   * Show the explanation if the person has no timer at all, and otherwise the advice to choose another period.
   *
   * @param {boolean} isEmpty whether the filter selects no entry
   */
  async update(isEmpty) {
    if (!isEmpty) this.#isNew = false;
    // Without the server's response, the page shows the advice only.
    else if (this.#isNew !== false) await this.#explain().catch(() => {});
    byId("no-entries-advice").hidden = Boolean(this.#isNew);
    byId("first-steps").hidden = !this.#isNew;
  }

  async #explain() {
    const { results, github_url: github } = await get("/api/timelogs/?page_size=1");
    this.#isNew = results.length === 0;
    if (!this.#isNew || byId("first-steps").firstChild) return;
    const { webhook_success_rate: rate } = await get("/api/health/");
    const open = h("a", { href: github }, text("openGitHub"));
    const steps = [
      h("li", {}, text("emptyAssign"), " ", open),
      h("li", {}, text("emptyStart")),
      h("li", {}, text("emptyComment")),
    ];
    byId("first-steps").replaceChildren(
      h("h3", {}, text("emptyTitle")),
      h("p", {}, text("emptyText")),
      h("ol", {}, ...steps),
      this.#connection(rate !== null),
    );
  }

  /**
   * Return the paragraph about the connection with GitHub.
   *
   * @param {boolean} hasDeliveries whether a delivery has arrived since yesterday
   */
  #connection(hasDeliveries) {
    if (hasDeliveries) return h("p", { className: "faint" }, text("emptyConnected"));
    if (!this.#profile.is_admin) return h("p", {}, text("emptyUnconnected"));
    const link = h("a", { href: "github.html" }, text("emptyConnectLink"));
    return h("p", {}, text("emptyConnect"), " ", link);
  }
}
