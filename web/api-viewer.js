// The API page: Swagger UI with the description of the API. page/styles/api.css adapts its looks.

import { get } from "./page/api.js";
import { byId } from "./page/elements.js";
import { openPage, showError } from "./page/session.js";

/**
 * Return the description as the viewer shows it. The browser sends the session's cookie by itself, and a script
 * cannot set it, so the viewer offers tokens only. Without servers, requests go to the page's own origin.
 *
 * @param {any} description
 */
function shownDescription(description) {
  const { servers: _, components, security, ...rest } = description;
  const { session: __, ...securitySchemes } = components.securitySchemes;
  const isForToken = (/** @type {object} */ scheme) => !("session" in scheme);
  return { ...rest, components: { ...components, securitySchemes }, security: security.filter(isForToken) };
}

/** Show the viewer in dark colours if the visitor prefers them. */
function followColours() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", follow);
  follow();
}

async function showViewer() {
  followColours();
  const description = await get("/api/openapi.json");
  // The bundle's script defines this function.
  Reflect.get(
    window,
    "SwaggerUIBundle",
  )({
    spec: shownDescription(description),
    domNode: byId("viewer"),
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    filter: true,
    syntaxHighlight: { theme: "monokai" },
    // The page loads nothing from other sites.
    validatorUrl: null,
  });
}

showViewer().catch(showError);
openPage(() => {});
