import { button, h } from "./dom.js";

/** @import { Strings } from "./types.d.ts" */

/** @typedef {ReturnType<typeof createView>} View the widget's elements */

/**
 * Create the elements of the widget in a language.
 *
 * @param {string} language
 * @param {Strings} strings
 * @param {object} options
 * @param {string} options.issue the initial value of the field
 * @param {boolean} options.isEmbedded whether the page is on another site; if so, there is no sign-out button
 * @param {() => void} options.onSignIn
 * @param {() => void} options.onSignOut
 * @param {() => void} options.onRetry
 * @param {() => void} options.onInput
 * @param {(event: SubmitEvent) => void} options.onSubmit
 */
export function createView(language, strings, options) {
  const today = h("span", { role: "timer", ariaLive: "off", ariaLabel: strings.today, part: "today" });
  const signOut = options.isEmbedded ? button("plain", strings.signOut, options.onSignOut) : "";
  const bar = h("div", { part: "bar" }, h("span", {}, strings.today, today), signOut);
  const reason = h("p");
  const signIn = button("primary", strings.signIn, options.onSignIn);
  const signInPanel = h("div", { part: "sign-in" }, reason, signIn);
  const loading = h("p", { part: "loading" }, strings.loading);
  const bannerText = h("span");
  const banner = h("div", { part: "banner" }, bannerText, button("", strings.tryNow, options.onRetry));
  const list = h("ul", { part: "timers", role: "list" });
  const none = h("p", { part: "empty" }, strings.none, h("span", {}, strings.noneHint));
  const input = h("input", {
    id: "issue",
    part: "input",
    autocomplete: "off",
    spellcheck: false,
    placeholder: strings.placeholder,
    value: options.issue,
    oninput: options.onInput,
  });
  input.setAttribute("aria-describedby", "mistake");
  const mistake = h("p", { id: "mistake", part: "mistake", hidden: true });
  const form = h(
    "form",
    { part: "form", noValidate: true, onsubmit: options.onSubmit },
    h("label", { htmlFor: "issue" }, strings.issue, input),
    h("button", { part: "button primary" }, strings.start),
    mistake,
  );
  const notice = h("p", { part: "notice", role: "status" });
  // Use a separate live region, because screen readers ignore a text that appears at the same time as its
  // region.
  const announcement = h("p", { className: "announcement", ariaLive: "polite" });
  const section = h(
    "section",
    {
      part: "widget",
      lang: language,
      ariaLabel: strings.widget,
      onkeydown: keepFromPage,
      onkeypress: keepFromPage,
      onkeyup: keepFromPage,
    },
    ...[bar, signInPanel, loading, banner, list, none, form, notice, announcement],
  );
  return {
    language,
    strings,
    section,
    today,
    bar,
    reason,
    signIn,
    signInPanel,
    loading,
    bannerText,
    banner,
    list,
    none,
    input,
    mistake,
    form,
    notice,
    announcement,
  };
}

/**
 * Stop key events at the widget. Outside the shadow tree their target is the widget, so the page's shortcuts
 * would not recognize a text field. Escape and Tab reach the page, because a dialog that contains the widget
 * may need them.
 *
 * @param {KeyboardEvent} event
 */
function keepFromPage(event) {
  if (event.key !== "Escape" && event.key !== "Tab") event.stopPropagation();
}
