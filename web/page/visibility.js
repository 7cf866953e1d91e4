// The section of the Account page in which a person chooses who sees their time, and sees who does.

import { content, h, isolate } from "../widget/dom.js";
import { get, request } from "./api.js";
import { byId, control } from "./elements.js";
import { text } from "./language.js";
import { notify } from "./notices.js";
import { onAction } from "./session.js";

/** @import { Lead, Visibility, VisibilitySettings } from "./types.d.ts" */

const VISIBILITY = "/api/auth/me/visibility/";
/** From the narrowest to the widest. @type {Visibility[]} */
const CHOICES = ["nobody", "leads", "everyone"];
const VISIBILITY_NAMES = /** @type {const} */ ({
  nobody: "visibleToNobody",
  leads: "visibleToLeads",
  everyone: "visibleToEveryone",
});

export class VisibilitySection {
  #form = byId("visibility-form", HTMLFormElement);

  constructor() {
    onAction("submit", this.#form, async () => {
      const { value } = control(this.#form, "visibility");
      const { body } = await request("PUT", VISIBILITY, { visibility: value || null });
      this.#show(body);
      notify(text("saved"));
    });
  }

  /** Load and show the choice. */
  async open() {
    this.#show(await get(VISIBILITY));
  }

  /** @param {VisibilitySettings} settings */
  #show(settings) {
    const { visibility, default: byDefault, seen_by } = settings;
    const asSet = text("visibilityDefault", { choice: text(VISIBILITY_NAMES[byDefault]) });
    byId("visibility-choices").replaceChildren(
      visibilityChoice("", asSet, "", visibility === null),
      ...CHOICES.map((one) =>
        visibilityChoice(one, text(VISIBILITY_NAMES[one]), explanation(one, settings), visibility === one),
      ),
    );
    const isHidden = (visibility ?? byDefault) === "nobody";
    const others = seen_by.everyone ? [seenByItem(everyoneText(settings), text("seesReports"))] : [];
    const leads = seen_by.leads.map((lead) => seenByItem(leadName(lead), leadReason(lead)));
    byId("seen-by").replaceChildren(
      seenByItem(text("you"), text("youSee")),
      ...others,
      ...leads,
      seenByItem(text("admins"), text(isHidden ? "adminsSeeMinimum" : "adminsSee")),
    );
    const isEmpty = !seen_by.everyone && !leads.length;
    byId("seen-by-nobody").textContent = text(isHidden ? "nobodySees" : "noLeadsYet");
    byId("seen-by-nobody").hidden = !isEmpty;
  }
}

/**
 * @param {Visibility | ""} value empty for the default
 * @param {string} label
 * @param {string} details
 * @param {boolean} checked
 */
function visibilityChoice(value, label, details, checked) {
  const radio = h("input", { type: "radio", name: "visibility", value, checked });
  const texts = [h("strong", {}, label), ...(details ? [" ", h("span", {}, ...content(details))] : [])];
  return h("label", {}, radio, h("span", {}, ...texts));
}

/**
 * @param {Visibility} visibility
 * @param {VisibilitySettings} settings
 */
function explanation(visibility, settings) {
  if (visibility === "nobody") return text("visibleToNobodyText");
  if (visibility === "everyone") return `${everyoneText(settings)}.`;
  const teams = settings.lead_teams.map(isolate).join(", ");
  return teams ? text("visibleToLeadsText", { teams }) : text("visibleToAdminsText");
}

/** @param {VisibilitySettings} settings */
function everyoneText({ organizations }) {
  const names = organizations.map(isolate).join(", ");
  return names ? text("membersWhoSignIn", { organizations: names }) : text("everybodyWhoSignsIn");
}

/** @param {Lead} lead */
function leadName({ login, name }) {
  return name && name !== login ? `${isolate(name)} (${isolate(login)})` : isolate(login);
}

/** @param {Lead} lead */
function leadReason({ teams, is_admin }) {
  const names = teams.map(isolate).join(", ");
  const reasons = [names && text("leadOf", { teams: names }), is_admin && text("asAdmin")];
  return reasons.filter(Boolean).join(" · ");
}

/** @param {string} who @param {string} what */
function seenByItem(who, what) {
  return h("li", {}, h("div", {}, ...content(who), h("small", {}, ...content(what))));
}
