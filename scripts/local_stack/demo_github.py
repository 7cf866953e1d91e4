"""GitHub as far as signing in goes, for the local stack: no account is needed, and none is asked for.

It is an OAuth provider that only `make run` starts, in its own process and on the loopback interface. The
deployed product takes it for GitHub because its parameters say so, and has no code for it; in AWS there is
nothing on a function's own loopback interface that could sign anybody in.

Its endpoints are those of "Authorizing OAuth apps", "Get the authenticated user" and "Get an organization
membership for the authenticated user" in GitHub's documentation.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from local_stack.ministack import HOST

_AUTHORIZE = "/login/oauth/authorize"
_ACCESS_TOKEN = "/login/oauth/access_token"  # noqa: S105
_MEMBERSHIP = re.compile(r"/user/memberships/orgs/([^/]+)")
# GitHub's client ids begin with Iv or Ov, or are hexadecimal.
_CLIENT_ID_PREFIX = "demo-"
_MAX_FORM_BYTES = 10_000


class Person(NamedTuple):
    """Somebody to sign in as, with the numeric id of an account at GitHub."""

    id: int
    login: str


# The assignee in the samples of events/, and somebody else.
PEOPLE = (Person(21031067, "Codertocat"), Person(583231, "octocat"))


@dataclass(frozen=True, slots=True)
class _Grant:
    """What a person allowed, until it is redeemed with its code."""

    person: Person
    scope: str
    challenge: str


class DemoGitHub(ThreadingHTTPServer):
    """A provider of sign-in that asks which of the demo people one wants to be.

    Parameters
    ----------
    port
        Where to listen, on the loopback interface only; 0 for any port.

    Attributes
    ----------
    client_id, client_secret
        The credentials of its one client, new each time.
    callback_url
        Where browsers may be sent back to, which is nowhere before it is set.

    Raises
    ------
    OSError
        Something else listens on the port.
    """

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__((HOST, port), _Handler)
        self.host = f"{HOST}:{self.server_port}"
        self.client_id = _CLIENT_ID_PREFIX + secrets.token_hex(10)
        self.client_secret = secrets.token_urlsafe(32)
        self.callback_url = ""
        self._grants: dict[str, _Grant] = {}
        self._people: dict[str, Person] = {}

    @property
    def url(self) -> str:
        """What takes the place of https://github.com, and of https://api.github.com."""
        return f"http://{self.host}"

    def start(self) -> None:
        """Answer requests from now on."""
        Thread(target=self.serve_forever, args=(0.1,), daemon=True).start()

    def stop(self) -> None:
        """Answer no more."""
        self.shutdown()
        self.server_close()

    def mistake(self, asked: Mapping[str, str]) -> str:
        """Return what is wrong with a request for authorization, or nothing."""
        if not _same(asked.get("client_id", ""), self.client_id):
            return "This stack signs in with other credentials by now: stop `make run`, and start it again."
        if asked.get("redirect_uri") != self.callback_url:
            return f"People are sent back to {self.callback_url} only."
        # RFC 7636, section 4.2: the length of SHA-256 in base64url.
        if asked.get("code_challenge_method") != "S256" or len(asked.get("code_challenge", "")) != 43:
            return "The request has no code_challenge of the method S256."
        return ""

    def grant(self, asked: Mapping[str, str]) -> str:
        """Return where a browser goes back to when its person has chosen; nobody is a choice, too."""
        person = next((person for person in PEOPLE if person.login == asked.get("login")), None)
        if person is None:
            answer = {"error": "access_denied"}
        else:
            code = secrets.token_hex(10)
            self._grants[code] = _Grant(person, asked.get("scope", ""), asked["code_challenge"])
            answer = {"code": code}
        return f"{self.callback_url}?{urlencode(answer | {'state': asked.get('state', '')})}"

    def redeem(self, asked: Mapping[str, str]) -> dict[str, str]:
        """Return a token for a code, once, or an error as GitHub names it."""
        if not (
            _same(asked.get("client_id", ""), self.client_id)
            and _same(asked.get("client_secret", ""), self.client_secret)
        ):
            return {"error": "incorrect_client_credentials"}
        grant = self._grants.pop(asked.get("code", ""), None)
        if grant is None:
            return {"error": "bad_verification_code"}
        if asked.get("redirect_uri") != self.callback_url:
            return {"error": "redirect_uri_mismatch"}
        if not _same(_challenge(asked.get("code_verifier", "")), grant.challenge):
            return {"error": "bad_verification_code"}
        token = f"gho_{secrets.token_hex(18)}"
        self._people[token] = grant.person
        return {"access_token": token, "token_type": "bearer", "scope": grant.scope}

    def person_of(self, token: str) -> Person | None:
        """Return whom a token stands for."""
        return self._people.get(token)


class _Handler(BaseHTTPRequestHandler):
    """Answers browsers and the product's functions."""

    server: DemoGitHub

    def do_GET(self) -> None:
        """Answer the page, or a question about the person who has signed in."""
        url = urlsplit(self.path)
        if not self._is_addressed():
            self._answer_page(HTTPStatus.FORBIDDEN, "<p>There is nothing here.</p>")
        elif url.path == _AUTHORIZE:
            self._ask(dict(parse_qsl(url.query)))
        else:
            self._tell(url.path)

    def do_POST(self) -> None:
        """Take the person's choice, or a code."""
        form = self._form()
        if not self._is_addressed():
            self._answer_page(HTTPStatus.FORBIDDEN, "<p>There is nothing here.</p>")
        elif self.path == _ACCESS_TOKEN:
            self._answer_json(HTTPStatus.OK, self.server.redeem(form))
        elif self.path == _AUTHORIZE:
            self._hear(form)
        else:
            self._answer_json(HTTPStatus.NOT_FOUND, {"message": "Not Found"})

    def _is_addressed(self) -> bool:
        """Whether we are meant: the name of another site may have been made to mean this machine."""
        return self.headers.get("Host") == self.server.host

    def _form(self) -> dict[str, str]:
        length = min(int(self.headers.get("Content-Length", 0)), _MAX_FORM_BYTES)
        return dict(parse_qsl(self.rfile.read(length).decode(errors="replace")))

    def _ask(self, asked: Mapping[str, str]) -> None:
        if mistake := self.server.mistake(asked):
            self._answer_page(HTTPStatus.BAD_REQUEST, f"<p>{escape(mistake)}</p>")
            return
        hidden = "\n".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
            for name, value in asked.items()
            if name != "login"
        )
        buttons = "\n".join(
            f'<p><button name="login" value="{login}">Continue as the demo user {login}</button></p>'
            for _id, login in PEOPLE
        )
        self._answer_page(
            HTTPStatus.OK,
            f"""<p>The stack that runs here has no credentials for GitHub, so nobody asks for a password:
choose who you are. {PEOPLE[0].login} is the assignee in the sample events.</p>
<form method="post" action="{_AUTHORIZE}">
{hidden}
{buttons}
<p><button name="login" value="">Cancel</button></p>
</form>""",
        )

    def _hear(self, asked: Mapping[str, str]) -> None:
        # The client's id, which other sites do not know, also tells that the form is ours.
        if mistake := self.server.mistake(asked):
            self._answer_page(HTTPStatus.BAD_REQUEST, f"<p>{escape(mistake)}</p>")
        else:
            self._answer_page(HTTPStatus.FOUND, "<p>Done.</p>", location=self.server.grant(asked))

    def _tell(self, path: str) -> None:
        person = self.server.person_of(self.headers.get("Authorization", "").rpartition(" ")[2])
        if person is None:
            self._answer_json(HTTPStatus.UNAUTHORIZED, {"message": "Bad credentials"})
        elif path == "/user":
            self._answer_json(HTTPStatus.OK, _account(person) | {"name": person.login})
        elif match := _MEMBERSHIP.fullmatch(path):
            # They are members everywhere, so that AllowedOrgs can stay as it will be in AWS.
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
        # Chromium follows the answer to a form only to where forms may be posted.
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
        """Log nothing: addresses have codes in them."""


def is_demo(credentials: str) -> bool:
    """Whether OAuth credentials, as the stack keeps them, are those of a demo rather than of GitHub."""
    return str(json.loads(credentials)["client_id"]).startswith(_CLIENT_ID_PREFIX)


def _account(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "login": person.login,
        "type": "User",
        "avatar_url": f"https://avatars.githubusercontent.com/u/{person.id}?v=4",
    }


def _challenge(verifier: str) -> str:
    """Return the S256 challenge that a verifier answers (RFC 7636, section 4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _same(given: str, expected: str) -> bool:
    """Whether two texts are the same; takes the same time for every wrong one."""
    return hmac.compare_digest(given.encode(), expected.encode())


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
