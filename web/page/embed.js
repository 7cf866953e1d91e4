// The page that shows what to put into another web site.

import "../issue-timer.js";
import { byId, html, say } from "./dom.js";
import { text } from "./language.js";
import { on, open } from "./session.js";

const form = byId("options");

function showSnippet() {
  const options = [...new FormData(form)].filter(([, value]) => value.trim());
  const attributes = options.map(([name, value]) =>
    value === "on" ? ` ${name}` : ` ${name}="${escaped(value.trim())}"`,
  );
  byId("snippet").textContent = [
    `<script type="module" src="${location.origin}/issue-timer.js"></script>`,
    `<issue-timer${attributes.join("")}></issue-timer>`,
  ].join("\n");

  const widget = byId("preview").firstElementChild;
  if (!widget) return;
  for (const { name } of form.elements) {
    const value = options.find(([given]) => given === name)?.[1].trim();
    if (value === undefined) widget.removeAttribute(name);
    else widget.setAttribute(name, value === "on" ? "" : value);
  }
}

function escaped(value) {
  return value.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
}

form.addEventListener("input", showSnippet);
form.addEventListener("submit", (event) => event.preventDefault());

on("click", byId("copy"), async () => {
  await navigator.clipboard.writeText(byId("snippet").textContent);
  say(text("copied"));
});

addEventListener("signed-out", () => byId("preview").replaceChildren());

showSnippet();
open(() => {
  byId("preview").append(html("issue-timer"));
  showSnippet();
});
