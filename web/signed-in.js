// The last page of a sign-in in a popup: it hands the session to the page that opened it, if that is of the
// web site that asked for it. The browser sees to this, and gives it to no other.

const page = document.getElementById("signed-in");
const { session, expires, origin } = page.dataset;
page.removeAttribute("data-session");

if (window.opener) {
  const message = { type: "issue-timer:session", session, expires: Number(expires) * 1000 };
  window.opener.postMessage(message, origin);
  window.close();
} else {
  page.querySelector("h1").textContent = "Not signed in";
  page.querySelector("p").textContent =
    "The page that opened this window is gone. Close this one, and sign in there again.";
}
