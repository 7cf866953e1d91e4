// The Embed page: the snippet that embeds the widget, the options of the widget, and a preview.

import { IssueTimerElement } from "./issue-timer.js";
import { byId, control, formValues } from "./page/elements.js";
import { text } from "./page/language.js";
import { notify } from "./page/notices.js";
import { onAction, openPage } from "./page/session.js";

const form = byId("options", HTMLFormElement);
const preview = new IssueTimerElement();

/** Show the snippet with the selected options, and apply the options to the preview. */
function showSnippet() {
  const options = selectedOptions();
  const attributes = [...options].map(([name, value]) =>
    value ? ` ${name}="${escapeQuoted(value)}"` : ` ${name}`,
  );
  byId("snippet").textContent = [
    `<script type="module" src="${location.origin}/issue-timer.js"></script>`,
    `<issue-timer${attributes.join("")}></issue-timer>`,
  ].join("\n");
  for (const name of preview.getAttributeNames()) if (!options.has(name)) preview.removeAttribute(name);
  for (const [name, value] of options) {
    if (preview.getAttribute(name) !== value) preview.setAttribute(name, value);
  }
}

/**
 * Return the values of the widget's attributes by name. A checked box becomes an attribute without a
 * value.
 */
function selectedOptions() {
  /** @type {Map<string, string>} */
  const options = new Map();
  for (const [name, value] of Object.entries(formValues(form))) {
    if (value.trim()) options.set(name, control(form, name).type === "checkbox" ? "" : value.trim());
  }
  return options;
}

/** @param {string} value the value of an attribute, to be written in double quotes */
function escapeQuoted(value) {
  return value.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
}

form.addEventListener("input", showSnippet);
form.addEventListener("submit", (event) => event.preventDefault());

onAction("click", byId("copy"), async () => {
  await navigator.clipboard.writeText(byId("snippet").textContent ?? "");
  notify(text("copied"));
});

addEventListener("signed-out", () => preview.remove());

showSnippet();
openPage(() => byId("preview").append(preview));
