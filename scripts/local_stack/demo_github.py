"""A stand-in for GitHub on the local stack, where people sign in without an account.

Only `make run` starts this OAuth provider, in a separate process and on the loopback interface. The product
has no code for this provider, because the local stack's parameters contain its address in place of GitHub's.
In AWS, no process on a function's loopback interface is an OAuth provider, so nobody could sign in with such
an address.

The endpoints follow GitHub's documentation: "Authorizing OAuth apps", "Get the authenticated user" and
"Get an organization membership for the authenticated user".
"""

import json
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from fake_github.oauth_flow import OAuthError, OAuthFlow, hidden_inputs, is_same
from local_stack.ministack import HOST

_AUTHORIZE = "/login/oauth/authorize"
_ACCESS_TOKEN = "/login/oauth/access_token"  # noqa: S105
_MEMBERSHIP = re.compile(r"/user/memberships/orgs/([^/]+)")
# GitHub's client ids never have this prefix; they begin with Iv or Ov, or are hexadecimal.
_CLIENT_ID_PREFIX = "demo-"
_MAX_FORM_BYTES = 10_000


class Person(NamedTuple):
    """A demo user, with the numeric id of an account at GitHub."""

    id: int
    login: str


# The assignee in the sample events of events/, and a second user.
PEOPLE = (Person(21031067, "Codertocat"), Person(583231, "octocat"))


class DemoGitHub(ThreadingHTTPServer):
    """An OAuth provider for the local stack, with a page where people choose a demo user.

    Parameters
    ----------
    port
        The port on the loopback interface; 0 for any free one.

    Attributes
    ----------
    client_id, client_secret
        The credentials of the client, new at each start.
    callback_url
        The address that browsers return to; until it is set, every authorization is refused.

    Raises
    ------
    OSError
        If the port is in use.
    """

    daemon_threads = True
    allows_any_path_below = False

    def __init__(self, port: int) -> None:
        super().__init__((HOST, port), _Handler)
        self.host = f"{HOST}:{self.server_port}"
        self.client_id = _CLIENT_ID_PREFIX + secrets.token_hex(10)
        self.client_secret = secrets.token_urlsafe(32)
        self.callback_url = ""
        self._oauth: OAuthFlow[Person] = OAuthFlow(partial(datetime.now, UTC))
        self._people: dict[str, Person] = {}

    @property
    def callback_urls(self) -> tuple[str, ...]:
        """The client's callback address, for `OAuthFlow`."""
        return (self.callback_url,)

    @property
    def url(self) -> str:
        """The replacement for https://github.com and https://api.github.com."""
        return f"http://{self.host}"

    def start(self) -> None:
        """Serve requests in a thread."""
        Thread(target=self.serve_forever, args=(0.1,), daemon=True).start()

    def stop(self) -> None:
        """Stop serving."""
        self.shutdown()
        self.server_close()

    def request_error(self, query: Mapping[str, str]) -> str:
        """Return the error in an authorization request; empty if the request is valid."""
        if not is_same(query.get("client_id", ""), self.client_id):
            return "The credentials of this stack have changed: stop `make run`, and start it again."
        if query.get("redirect_uri") != self.callback_url:
            return f"Browsers may return to {self.callback_url} only."
        is_challenged = "code_challenge" in query
        try:
            self._oauth.check(self, query)
        except OAuthError:
            is_challenged = False
        return "" if is_challenged else "The request has no code_challenge of the method S256."

    def authorize(self, query: Mapping[str, str]) -> str:
        """Return the redirect for a person's choice; an unknown login cancels."""
        person = next((person for person in PEOPLE if person.login == query.get("login")), None)
        return self._oauth.authorize(self, person, query)

    def redeem(self, form: Mapping[str, str]) -> dict[str, str]:
        """Return a token for a code, or GitHub's error code."""
        client = self if is_same(form.get("client_id", ""), self.client_id) else None
        try:
            grant = self._oauth.redeem(client, form)
        except OAuthError as error:
            return {"error": str(error)}
        token = f"gho_{secrets.token_hex(18)}"
        self._people[token] = grant.user
        return {"access_token": token, "token_type": "bearer", "scope": grant.scope}

    def person_of(self, token: str) -> Person | None:
        """Return the owner of a token; None if it is unknown."""
        return self._people.get(token)


class _Handler(BaseHTTPRequestHandler):
    """Answers browsers and the product's functions."""

    server: DemoGitHub

    def do_GET(self) -> None:
        """Serve the page, or data about the user who has signed in."""
        url = urlsplit(self.path)
        if not self._is_addressed():
            self._answer_page(HTTPStatus.FORBIDDEN, "<p>Page not found.</p>")
        elif url.path == _AUTHORIZE:
            self._show_choice(dict(parse_qsl(url.query)))
        else:
            self._answer_api(url.path)

    def do_POST(self) -> None:
        """Process the person's choice, or redeem a code."""
        form = self._form()
        if not self._is_addressed():
            self._answer_page(HTTPStatus.FORBIDDEN, "<p>Page not found.</p>")
        elif self.path == _ACCESS_TOKEN:
            self._answer_json(HTTPStatus.OK, self.server.redeem(form))
        elif self.path == _AUTHORIZE:
            self._redirect(form)
        else:
            self._answer_json(HTTPStatus.NOT_FOUND, {"message": "Not Found"})

    def _is_addressed(self) -> bool:
        """Whether the Host is ours; another site's name may resolve to this machine (DNS rebinding)."""
        return self.headers.get("Host") == self.server.host

    def _form(self) -> dict[str, str]:
        length = min(int(self.headers.get("Content-Length", 0)), _MAX_FORM_BYTES)
        return dict(parse_qsl(self.rfile.read(length).decode(errors="replace")))

    def _show_choice(self, query: Mapping[str, str]) -> None:
        if error := self.server.request_error(query):
            self._answer_page(HTTPStatus.BAD_REQUEST, f"<p>{escape(error)}</p>")
            return
        hidden = hidden_inputs({name: value for name, value in query.items() if name != "login"})
        buttons = "\n".join(
            f'<p><button name="login" value="{login}">Continue as the demo user {login}</button></p>'
            for _id, login in PEOPLE
        )
        self._answer_page(
            HTTPStatus.OK,
            f"""<p>The local stack has no credentials for GitHub, so you sign in without a password, as a demo
user. {PEOPLE[0].login} is the assignee in the sample events.</p>
<form method="post" action="{_AUTHORIZE}">
{hidden}
{buttons}
<p><button name="login" value="">Cancel</button></p>
</form>""",
        )

    def _redirect(self, form: Mapping[str, str]) -> None:
        # Other sites do not know the client's id, so checking it also protects the form against forgery.
        if error := self.server.request_error(form):
            self._answer_page(HTTPStatus.BAD_REQUEST, f"<p>{escape(error)}</p>")
        else:
            self._answer_page(HTTPStatus.FOUND, "<p>Done.</p>", location=self.server.authorize(form))

    def _answer_api(self, path: str) -> None:
        person = self.server.person_of(self.headers.get("Authorization", "").rpartition(" ")[2])
        if person is None:
            self._answer_json(HTTPStatus.UNAUTHORIZED, {"message": "Bad credentials"})
        elif path == "/user":
            self._answer_json(HTTPStatus.OK, _account(person) | {"name": person.login})
        elif match := _MEMBERSHIP.fullmatch(path):
            # Demo users are members of every organization, so that any value of AllowedOrgs works locally.
            organization = {"login": unquote(match.group(1))}
            member = {"state": "active", "role": "member"}
            self._answer_json(
                HTTPStatus.OK, member | {"organization": organization, "user": _account(person)}
            )
        else:
            self._answer_json(HTTPStatus.NOT_FOUND, {"message": "Not Found"})

    def _answer_json(self, status: HTTPStatus, content: Mapping[str, Any]) -> None:
        self._answer(status, "application/json; charset=utf-8", json.dumps(content))

    def _answer_page(self, status: HTTPStatus, content: str, **headers: str) -> None:
        self._answer(status, "text/html; charset=utf-8", _page(content), **headers)

    def _answer(self, status: HTTPStatus, content_type: str, content: str, **headers: str) -> None:
        body = content.encode()
        # Chromium applies form-action also to the redirect after the form's submission.
        callback = urlsplit(self.server.callback_url)
        form_action = f"'self' {callback.scheme}://{callback.netloc}" if callback.netloc else "'none'"
        policy = f"default-src 'none'; form-action {form_action}; base-uri 'none'; frame-ancestors 'none'"
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", policy)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "strict-origin")
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing, because addresses contain codes."""


def is_demo(credentials: str) -> bool:
    """Whether stored OAuth credentials are the demo's, and not GitHub's."""
    return str(json.loads(credentials)["client_id"]).startswith(_CLIENT_ID_PREFIX)


def _account(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "login": person.login,
        "type": "User",
        "avatar_url": f"https://avatars.githubusercontent.com/u/{person.id}?v=4",
    }


def _page(content: str) -> str:
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Sign in to Issue Timer on your own machine</title>
<h1>This is your own machine</h1>
{content}
</html>
"""
