"""The demo GitHub's pages and API, an ASGI application that is mounted below `/demo`.

The endpoints follow GitHub's documentation: "Authorizing OAuth apps", "Get the authenticated user" and
"Get an organization membership for the authenticated user".
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from html import escape
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from fake_github.oauth_flow import OAuthError, OAuthFlow, hidden_inputs, is_same

# GitHub's client ids never have this prefix; they begin with Iv or Ov, or are hexadecimal.
_CLIENT_ID_PREFIX = "demo-"


class Person(NamedTuple):
    """A demo user, with the numeric id of an account at GitHub."""

    id: int
    login: str


# The assignee in the sample events of events/, and a second user.
PEOPLE = (Person(21031067, "Codertocat"), Person(583231, "octocat"))


class DemoSite:
    """The demo GitHub.

    Parameters
    ----------
    base_url
        The address of this application, without a slash at its end.
    state_file
        The file that keeps the demo's state over a restart.

    Attributes
    ----------
    client_id, client_secret
        The credentials of the OAuth client, new at each start.
    callback_urls
        The addresses that browsers may return to; until they are set, every authorization is refused.
    """

    allows_any_path_below = False

    def __init__(self, *, base_url: str, state_file: Path) -> None:
        self.base_url = base_url
        self.state_file = state_file
        self.client_id = _CLIENT_ID_PREFIX + secrets.token_hex(10)
        self.client_secret = secrets.token_urlsafe(32)
        self.callback_urls: Sequence[str] = ()
        self._oauth: OAuthFlow[Person] = OAuthFlow(partial(datetime.now, UTC))
        self._people: dict[str, Person] = {}
        self._app = Starlette(
            routes=[
                Route("/login/oauth/authorize", self._show_choice, methods=["GET"]),
                Route("/login/oauth/authorize", self._redirect, methods=["POST"]),
                Route("/login/oauth/access_token", self._redeem, methods=["POST"]),
                Route("/user", self._user),
                Route("/user/memberships/orgs/{organization}", self._membership),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        await self._app(scope, receive, send)

    def connect(self, *, webhook_url: str, webhook_secret: str) -> None:
        """Send the deliveries of webhooks to this address, signed with this secret."""
        self._webhook = (webhook_url, webhook_secret)

    def _request_error(self, query: Mapping[str, str]) -> str:
        """Return the error in an authorization request; empty if the request is valid."""
        if not is_same(query.get("client_id", ""), self.client_id):
            return "The credentials of this stack have changed: stop `make run`, and start it again."
        if query.get("redirect_uri") not in self.callback_urls:
            return f"Browsers may return to {', '.join(self.callback_urls) or 'no address yet'} only."
        is_challenged = "code_challenge" in query
        try:
            self._oauth.check(self, query)
        except OAuthError:
            is_challenged = False
        return "" if is_challenged else "The request has no code_challenge of the method S256."

    async def _show_choice(self, request: Request) -> Response:
        query = request.query_params
        if error := self._request_error(query):
            return _page(400, f"<p>{escape(error)}</p>")
        hidden = hidden_inputs({name: value for name, value in query.items() if name != "login"})
        buttons = "\n".join(
            f'<p><button name="login" value="{login}">Continue as the demo user {login}</button></p>'
            for _id, login in PEOPLE
        )
        return _page(
            200,
            f"""<p>The local stack has no credentials for GitHub, so you sign in without a password, as a demo
user. {PEOPLE[0].login} is the assignee in the sample events.</p>
<form method="post" action="{escape(request.url.path)}">
{hidden}
{buttons}
<p><button name="login" value="">Cancel</button></p>
</form>""",
            query["redirect_uri"],
        )

    async def _redirect(self, request: Request) -> Response:
        form = await _form(request)
        # Other sites do not know the client's id, so checking it also protects the form against forgery.
        if error := self._request_error(form):
            return _page(400, f"<p>{escape(error)}</p>")
        person = next((person for person in PEOPLE if person.login == form.get("login")), None)
        response = RedirectResponse(self._oauth.authorize(self, person, form), 302)
        response.headers.update(_headers(form["redirect_uri"]))
        return response

    async def _redeem(self, request: Request) -> Response:
        form = await _form(request)
        client = self if is_same(form.get("client_id", ""), self.client_id) else None
        try:
            grant = self._oauth.redeem(client, form)
        except OAuthError as error:
            return JSONResponse({"error": str(error)})
        token = f"gho_{secrets.token_hex(18)}"
        self._people[token] = grant.user
        return JSONResponse({"access_token": token, "token_type": "bearer", "scope": grant.scope})

    def _person_of(self, request: Request) -> Person | None:
        return self._people.get(request.headers.get("Authorization", "").rpartition(" ")[2])

    async def _user(self, request: Request) -> Response:
        if (person := self._person_of(request)) is None:
            return JSONResponse({"message": "Bad credentials"}, 401)
        return JSONResponse(_account(person) | {"name": person.login})

    async def _membership(self, request: Request) -> Response:
        if (person := self._person_of(request)) is None:
            return JSONResponse({"message": "Bad credentials"}, 401)
        # Demo users are members of every organization, so that any value of AllowedOrgs works locally.
        organization = {"login": request.path_params["organization"]}
        member = {"state": "active", "role": "member"}
        return JSONResponse(member | {"organization": organization, "user": _account(person)})


def is_demo(credentials: str) -> bool:
    """Whether stored OAuth credentials are the demo's, and not GitHub's."""
    return str(json.loads(credentials)["client_id"]).startswith(_CLIENT_ID_PREFIX)


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode(errors="replace")))


def _account(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "login": person.login,
        "type": "User",
        "avatar_url": f"https://avatars.githubusercontent.com/u/{person.id}?v=4",
    }


def _headers(redirect_uri: str = "") -> dict[str, str]:
    # Chromium applies form-action also to the redirect after the form's submission.
    callback = urlsplit(redirect_uri)
    form_action = f"'self' {callback.scheme}://{callback.netloc}" if redirect_uri else "'none'"
    policy = f"default-src 'none'; form-action {form_action}; base-uri 'none'; frame-ancestors 'none'"
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "strict-origin",
        "X-Content-Type-Options": "nosniff",
    }


def _page(status: int, content: str, redirect_uri: str = "") -> Response:
    page = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Sign in to Issue Timer on your own machine</title>
<h1>This is your own machine</h1>
{content}
</html>
"""
    return HTMLResponse(page, status, headers=_headers(redirect_uri))
