"""Register a GitHub App from a manifest, with the browser of the person at the terminal.

A page of this server posts the manifest to GitHub, where the person names and creates the App. GitHub then
redirects the browser to this server with a code, which the server exchanges for the App's key.

https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

import hmac
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from deployed_stack.deliveries import WEBHOOK_PATH
from deployed_stack.sign_in import CALLBACK_PATH

# The host is not "localhost", because that name may resolve to another interface (RFC 8252, section 7.3).
_HOST = "127.0.0.1"
_CALLBACK = "/registered"

# docs/github.md explains each permission. GitHub refuses events that need another permission. An App without
# `organization` receives `installation_target` if its owner is renamed.
PERMISSIONS = {
    "metadata": "read",
    "issues": "write",
    "pull_requests": "read",
    "contents": "read",
    "organization_projects": "read",
}
MEMBERS_PERMISSION = {"members": "read"}
# To write time into the fields of projects. GitHub documents no key of its permission "Issue Fields".
WRITE_BACK_PERMISSION = {"organization_projects": "write"}
EVENTS = [
    "issues",
    "issue_comment",
    "pull_request",
    "pull_request_review",
    "create",
    "repository",
    "projects_v2_item",
    "sub_issues",
    "installation_target",
]
# The events of teams, for lead teams. They need the permission to read members.
TEAM_EVENTS = ["membership", "team", "organization"]


def manifest(
    *, organization: str | None, public_url: str, permissions: Mapping[str, str], events: Sequence[str]
) -> dict[str, Any]:
    """Return the manifest of an App. GitHub's page lets people change the name, which must be unique."""
    # A name has at most 34 characters ("Registering a GitHub App").
    return {
        "name": f"Issue Timer {organization or ''}".rstrip()[:34],
        "url": public_url,
        "hook_attributes": {"url": public_url + WEBHOOK_PATH, "active": True},
        "callback_urls": [public_url + CALLBACK_PATH],
        "public": False,
        "default_permissions": dict(permissions),
        "default_events": [*events],
    }


class AppRegistration(ThreadingHTTPServer):
    """A web server on this machine that sends a browser to GitHub and waits until it returns.

    Both of its addresses require a random text, the manifest flow's ``state``. So neither another site nor
    another user of this machine can start a registration, or substitute the code of another App. The server
    is threaded, because a connection that a browser opens and does not use must not block it.

    Parameters
    ----------
    github_url
        The address of GitHub's pages, such as ``https://github.com``.
    organization
        The owner of the App; None for the person who is signed in at GitHub.
    manifest
        The manifest as GitHub documents it, without ``redirect_url``.
    complete
        Called once, with GitHub's code; returns the address of the next page.
    """

    def __init__(
        self,
        *,
        github_url: str,
        organization: str | None,
        manifest: Mapping[str, Any],
        complete: Callable[[str], str],
    ) -> None:
        super().__init__((_HOST, 0), _Handler)
        self.host = f"{_HOST}:{self.server_port}"
        self._github_url = github_url
        self._organization = organization
        self._manifest = dict(manifest) | {"redirect_url": f"http://{self.host}{_CALLBACK}"}
        self._complete = complete
        self._state = secrets.token_urlsafe(32)
        self._lock = Lock()
        self._outcome: Future[str] = Future()

    @property
    def url(self) -> str:
        """The page to open in a browser."""
        return f"http://{self.host}/?state={self._state}"

    def run(self) -> None:
        """Serve until the browser returns from GitHub; raise any error of ``complete``."""
        self.serve_forever(poll_interval=0.1)
        self._outcome.result(timeout=0)

    def knows(self, state: str) -> bool:
        """Whether a request's ``state`` is ours; the comparison takes constant time."""
        return hmac.compare_digest(state.encode(), self._state.encode())

    def complete(self, code: str) -> str:
        """Return the address of the next page; a repeated request gets the same result."""
        with self._lock:
            if not self._outcome.done():
                try:
                    self._outcome.set_result(self._complete(code))
                except Exception as error:
                    # The error is raised below for the browser, and in `run` for the person at the terminal.
                    self._outcome.set_exception(error)
        return self._outcome.result()

    @property
    def content_security_policy(self) -> str:
        """The policy, which forbids scripts, styles and all other resources, and allows forms to GitHub."""
        parts = urlsplit(self._github_url)
        return (
            f"default-src 'none'; form-action {parts.scheme}://{parts.netloc}; "
            "base-uri 'none'; frame-ancestors 'none'"
        )

    def page(self) -> str:
        """Return the page with the button that posts the manifest to GitHub."""
        account = f"/organizations/{quote(self._organization, safe='')}" if self._organization else ""
        action = f"{self._github_url}{account}/settings/apps/new?state={self._state}"
        owner = f"the organization {self._organization}" if self._organization else "your own account"
        return _page(
            f"""<p>It will belong to <strong>{escape(owner)}</strong>, and GitHub will send its events to
<code>{escape(self._manifest["hook_attributes"]["url"])}</code>.</p>
<form method="post" action="{escape(action)}">
<input type="hidden" name="manifest" value="{escape(json.dumps(self._manifest))}">
<button>Continue to GitHub</button>
</form>
<p>There, give it a name that no other App has. Its key is then stored in the stack, and you choose the
repositories to install it on.</p>"""
        )


class _Handler(BaseHTTPRequestHandler):
    """Answers the browser."""

    server: AppRegistration

    def do_GET(self) -> None:
        """Serve the page, or complete the registration when the browser returns from GitHub."""
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        # Another site's name may resolve to this machine (DNS rebinding), so the Host is checked too.
        if self.headers.get("Host") != self.server.host or not self.server.knows(query.get("state", "")):
            self._answer(HTTPStatus.FORBIDDEN, _page("<p>Use the address that the terminal shows.</p>"))
        elif url.path == "/":
            self._answer(HTTPStatus.OK, self.server.page())
        elif url.path == _CALLBACK and "code" in query:
            self._complete(query["code"])
        else:
            self._answer(HTTPStatus.NOT_FOUND, _page("<p>Page not found.</p>"))

    def _complete(self, code: str) -> None:
        try:
            location = self.server.complete(code)
        except Exception:
            page = _page("<p>The registration failed. The terminal shows the reason.</p>")
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, page)
        else:
            self._answer(HTTPStatus.SEE_OTHER, _page("<p>Done.</p>"), location)
        finally:
            self.server.shutdown()

    def _answer(self, status: HTTPStatus, page: str, location: str | None = None) -> None:
        body = page.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", self.server.content_security_policy)
        self.send_header("Cache-Control", "no-store")
        # With no-referrer, the form's Origin would be "null", which servers reject as forged.
        self.send_header("Referrer-Policy", "strict-origin")
        self.send_header("X-Content-Type-Options", "nosniff")
        if location is not None:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing, because the addresses contain secrets."""


def _page(content: str) -> str:
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="color-scheme" content="light dark">
<title>Issue Timer's GitHub App</title>
<h1>Issue Timer's GitHub App</h1>
{content}
</html>
"""
