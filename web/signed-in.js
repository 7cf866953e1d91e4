// The script of the last page of a sign-in in a popup. The script posts the session to the page that opened
// the popup. The browser delivers the message only if the origin of that page is the origin that requested
// the session.

const main = /** @type {HTMLElement} */ (document.getElementById("signed-in"));
const { session, expires, origin, failed = "", reason = "" } = main.dataset;
main.removeAttribute("data-session");

if (window.opener) {
  const message = { type: "issue-timer:session", session, expires: Number(expires) * 1000 };
  window.opener.postMessage(message, origin);
  window.close();
} else {
  const [heading, explanation] = main.children;
  heading.textContent = failed;
  explanation.textContent = reason;
}
