"""The demo GitHub, an ASGI application that is mounted below `/demo`: pages for people, and GitHub's API.

People are signed in at the demo with a cookie that names one of the team, without a password, as everything
is made up and on one machine. Other web sites cannot perform actions, because their requests have another
origin.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from demo_github import pages, team
from demo_github.actions import ACTIONS, Impossible, Submission, read_number
from demo_github.changes import Changes
from demo_github.github import DemoGitHub
from fake_github import Drop, messages
from fake_github.messages import ApiError
from fake_github.oauth_flow import hidden_inputs
from fake_github.sign_in import client_of, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from fake_github.model import Account

_PERSON, _CONSENT = "demo-person", "demo-consent"
# The time in which the person who pressed "Show … timers" signs in to the product (seconds).
_CONSENT_S = 60
_STATIC_FILES = {path.name for path in pages.STATIC.iterdir()}
# The longest comment has 65,536 characters, of which each may take 12 bytes in a form.
_MAX_FORM_BYTES = 1_000_000
# The API's paths; the demo offers none of GitHub's pages besides its own.
_API = (
    "/app",
    "/graphql",
    "/login/oauth/access_token",
    "/orgs/",
    "/rate_limit",
    "/repos/",
    "/repositories/",
    "/user",
)
_MEMBERSHIP = "/user/memberships/orgs/"
_ISSUE_PAGES = f"/{team.ORGANIZATION}/{{repository}}/{{kind}}/{{number}}"


@dataclass(frozen=True)
class _Consent:
    """A person's consent to sign in to the product as someone, given on the demo's page."""

    login: str
    expires: float


class DemoSite:
    """The demo GitHub.

    Parameters
    ----------
    base_url
        The address of this application, without a slash at its end.
    state_file
        The file that keeps the demo's state over a restart.
    """

    def __init__(self, *, base_url: str, state_file: Path) -> None:
        self.base_url = base_url
        self.github = DemoGitHub(base_url, state_file)
        self._changes = Changes()
        self.github.on_change = self._changes.report
        self._consents: dict[str, _Consent] = {}
        self._app = Starlette(
            routes=[
                Route("/", self._show_board),
                Route(_ISSUE_PAGES, self._show_issue),
                Route("/deliveries", self._show_deliveries),
                Route("/deliveries/{guid}", self._show_delivery),
                Route("/avatars/{id}.svg", self._show_avatar),
                Route("/static/labels.css", self._show_label_styles),
                Route("/static/{name}", self._show_static),
                Route("/changes", self._stream_changes),
                Route("/person", self._choose_person, methods=["POST"]),
                Route("/connect", self._connect_widget, methods=["POST"]),
                Route("/actions/{name}", self._act, methods=["POST"]),
                Route("/login/oauth/authorize", self._show_authorization, methods=["GET"]),
                Route("/login/oauth/authorize", self._authorize, methods=["POST"]),
                Route("/{path:path}", self._answer_api, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
            ]
        )

    # ------------------------------------------------------------------ the local stack's side

    @property
    def client_id(self) -> str:
        """The public identifier with which the product signs people in."""
        return self.github.app.client_id

    @property
    def client_secret(self) -> str:
        """The password of the client."""
        return self.github.app.client_secret

    @property
    def api_credential(self) -> dict[str, str]:
        """The product's credential for the API, in the form of its SSM parameter."""
        return {"app_id": self.github.app.client_id, "private_key": self.github.app.private_key}

    @property
    def callback_urls(self) -> Sequence[str]:
        """The addresses that browsers may return to; until they are set, every authorization is refused."""
        return self.github.app.callback_urls

    @callback_urls.setter
    def callback_urls(self, urls: Sequence[str]) -> None:
        self.github.app.callback_urls = urls

    def connect(self, *, webhook_url: str, webhook_secret: str) -> None:
        """Send deliveries to this address, signed with this secret."""
        self.github.connect(webhook_url, webhook_secret)

    def close(self) -> None:
        """Stop sending deliveries, and end the streams of open pages."""
        self._changes.close()
        self.github.disconnect()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        await self._app(scope, receive, send)

    # ------------------------------------------------------------------ pages

    async def _show_board(self, request: Request) -> Response:
        chosen = request.query_params.get("repository", "")
        return self._page(request, "board.html", chosen=chosen, issues=self._issues(chosen))

    def _issues(self, repository: str) -> Mapping[str, list[Any]]:
        """Return the issues of each column, those that changed last first in the last column."""
        columns: dict[str, list[Any]] = {status: [] for status in team.STATUSES}
        with self.github.lock:
            for issue in self.github.all_issues:
                if issue.cards and repository in ("", issue.repository.name):
                    columns[issue.cards[0].values["Status"].option.name].append(issue)
        columns[team.STATUSES[-1]].sort(key=lambda issue: issue.updated_at, reverse=True)
        return columns

    async def _show_issue(self, request: Request) -> Response:
        number = read_number(request.path_params["number"])
        issue = self.github.find(request.path_params["repository"], number) if number else None
        root = request.scope["root_path"]
        if issue is None:
            return self._page(request, "missing.html", HTTPStatus.NOT_FOUND)
        path = issue.url.removeprefix(self.base_url)
        if not request.url.path.endswith(path):
            return RedirectResponse(root + path)
        pulls = [one for one in issue.repository.pulls.values() if issue in one.closes]
        return self._page(request, "issue.html", issue=issue, pulls=pulls)

    async def _show_deliveries(self, request: Request) -> Response:
        return self._page(request, "deliveries.html", shown=len(self.github.outbox))

    async def _show_delivery(self, request: Request) -> Response:
        guid = request.path_params["guid"]
        found = next((one for one in self.github.outbox if one.guid == guid), None)
        if found is None:
            return self._page(request, "missing.html", HTTPStatus.NOT_FOUND)
        return self._page(request, "delivery.html", delivery=found)

    async def _show_avatar(self, request: Request) -> Response:
        wanted = read_number(request.path_params["id"])
        account = next((one for one in self.github.accounts.values() if one.id == wanted), None)
        if account is None:
            return Response(status_code=HTTPStatus.NOT_FOUND)
        return Response(pages.avatar(account), media_type="image/svg+xml", headers=_SAFE)

    async def _show_label_styles(self, _request: Request) -> Response:
        return Response(pages.label_styles(), media_type="text/css", headers=_SAFE)

    async def _show_static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _STATIC_FILES:
            return Response(status_code=HTTPStatus.NOT_FOUND)
        return FileResponse(pages.STATIC / name, headers={**_SAFE, "Cache-Control": "no-cache"})

    async def _stream_changes(self, _request: Request) -> Response:
        headers = {**_SAFE, "Cache-Control": "no-store"}
        return StreamingResponse(self._changes.stream(), media_type="text/event-stream", headers=headers)

    def _page(
        self, request: Request, name: str, status: HTTPStatus = HTTPStatus.OK, **values: Any
    ) -> Response:
        root = request.scope["root_path"]
        with self.github.lock:
            text = pages.render(
                name,
                root=root,
                path=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
                github=self.github,
                me=self._person(request),
                **{"shown": 12, **values},
            )
        return HTMLResponse(text, status, headers=self._headers())

    # ------------------------------------------------------------------ actions

    async def _choose_person(self, request: Request) -> Response:
        form = await _form(request)
        if not _is_own(request):
            return self._refuse(request)
        response = RedirectResponse(_back(request, form), HTTPStatus.SEE_OTHER, headers=_SAFE)
        _remember(request, response, self._by_login(form.get("login")))
        return response

    async def _connect_widget(self, request: Request) -> Response:
        """Sign the demo's person in to the product, without asking again."""
        form, me = await _form(request), self._person(request)
        if me is None or not _is_own(request):
            return self._refuse(request)
        code = secrets.token_urlsafe(16)
        now = time.monotonic()
        self._consents = {key: one for key, one in self._consents.items() if one.expires > now}
        self._consents[code] = _Consent(me.login, now + _CONSENT_S)
        login = f"/api/auth/login/?{urlencode({'next': _back(request, form)})}"
        response = RedirectResponse(login, HTTPStatus.SEE_OTHER, headers=self._headers())
        path = f"{request.scope['root_path']}/login/oauth/authorize"
        response.set_cookie(_CONSENT, code, max_age=_CONSENT_S, path=path, httponly=True, samesite="lax")
        return response

    async def _act(self, request: Request) -> Response:
        form, me = await _form(request), self._person(request)
        action = ACTIONS.get(request.path_params["name"])
        if me is None or action is None or not _is_own(request):
            return self._refuse(request)
        try:
            message = await run_sync(action, Submission(self.github, me, form))
        except Impossible as error:
            if _wants_json(request):
                return JSONResponse({"message": str(error)}, HTTPStatus.CONFLICT, headers=_SAFE)
            return self._page(request, "problem.html", HTTPStatus.CONFLICT, problem=str(error))
        await run_sync(self.github.changed)
        if _wants_json(request):
            return JSONResponse({"message": message}, headers=_SAFE)
        return RedirectResponse(_back(request, form), HTTPStatus.SEE_OTHER, headers=self._headers())

    def _refuse(self, request: Request) -> Response:
        problem = "Choose a person first, on a page of this demo."
        if _wants_json(request):
            return JSONResponse({"message": problem}, HTTPStatus.FORBIDDEN, headers=_SAFE)
        return self._page(request, "problem.html", HTTPStatus.FORBIDDEN, problem=problem)

    def _person(self, request: Request) -> Account | None:
        return self._by_login(request.cookies.get(_PERSON))

    def _by_login(self, login: str | None) -> Account | None:
        return next((one for one in self.github.people if one.login == login), None)

    # ------------------------------------------------------------------ signing in to the product

    async def _show_authorization(self, request: Request) -> Response:
        query = dict(request.query_params)
        try:
            client = client_of(self.github, query)
        except ApiError:
            return self._page(request, "problem.html", HTTPStatus.NOT_FOUND, problem="There is no such App.")
        if refused := refusal(self.github, client, query):
            return RedirectResponse(refused, HTTPStatus.FOUND, headers=_SAFE)
        if consent := self._consents.pop(request.cookies.get(_CONSENT, ""), None):
            person = self._by_login(consent.login)
            if person and consent.expires > time.monotonic():
                return self._redirect_to_client(query, person)
        hidden = hidden_inputs({name: value for name, value in query.items() if name != "login"})
        return self._page(request, "authorize.html", hidden=hidden)

    async def _authorize(self, request: Request) -> Response:
        form = await _form(request)
        try:
            client = client_of(self.github, form)
        except ApiError:
            return self._refuse(request)
        if not _is_own(request):
            return self._refuse(request)
        if refused := refusal(self.github, client, form):
            return RedirectResponse(refused, HTTPStatus.FOUND, headers=self._headers())
        person = self._by_login(form.get("login"))
        response = self._redirect_to_client(form, person)
        _remember(request, response, person)
        return response

    def _redirect_to_client(self, query: Mapping[str, str], person: Account | None) -> Response:
        location = self.github.oauth.authorize(client_of(self.github, query), person, query)
        return RedirectResponse(location, HTTPStatus.FOUND, headers=self._headers())

    # ------------------------------------------------------------------ GitHub's API

    async def _answer_api(self, request: Request) -> Response:
        path = "/" + request.path_params["path"]
        if not path.startswith(_API):
            return self._page(request, "missing.html", HTTPStatus.NOT_FOUND)
        headers = {name.lower(): value for name, value in request.headers.items()}
        content = await _content(request)
        asked = messages.Request(request.method, path, request.url.query, headers, content)
        try:
            answer = await run_sync(self._answer, asked)
        except Drop:
            return JSONResponse({"message": "Server Error"}, HTTPStatus.BAD_GATEWAY)
        return Response(
            answer.content, answer.status, {**_SAFE, **answer.headers, "Content-Type": answer.content_type}
        )

    def _answer(self, asked: messages.Request) -> messages.Answer:
        if asked.method == "GET" and asked.path.startswith(_MEMBERSHIP) and self._is_authenticated(asked):
            # The team is a member of every organization, so that any value of AllowedOrgs works locally.
            login = asked.path.removeprefix(_MEMBERSHIP)
            if login.lower() not in self.github.accounts:
                self.github.new_organization(login, dict.fromkeys(self.github.people, "member"))
        answer = self.github.handle(asked)
        # Tests read these records; here, they would grow for as long as the demo runs.
        self.github.requests.clear()
        self.github.mistakes.clear()
        if asked.method != "GET" and asked.path.startswith(("/repos/", "/repositories/", "/app/hook/")):
            self.github.changed()
        return answer

    def _is_authenticated(self, asked: messages.Request) -> bool:
        try:
            return self.github.viewer(asked) is not None
        except ApiError:
            return False

    def _headers(self) -> dict[str, str]:
        # Chromium applies form-action also to the redirects after the form's submission.
        urls = [self.base_url, *self.callback_urls]
        origins = sorted({f"{url.scheme}://{url.netloc}" for url in map(urlsplit, urls)})
        return {**_SAFE, "Content-Security-Policy": f"{_POLICY}; form-action 'self' {' '.join(origins)}"}


_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_SAFE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": f"{_POLICY}; form-action 'self'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def _remember(request: Request, response: Response, person: Account | None) -> None:
    """Sign a person in at the demo."""
    if person is not None:
        response.set_cookie(
            _PERSON,
            person.login,
            max_age=31_536_000,
            path=request.scope["root_path"] or "/",
            httponly=True,
            samesite="lax",
        )


def _is_own(request: Request) -> bool:
    """Whether a request comes from a page of this origin.

    Browsers send Sec-Fetch-Site ("Fetch Metadata Request Headers", section 2.4), and all of them send Origin
    with a POST request. Without both, the request comes from a program.
    """
    if site := request.headers.get("sec-fetch-site"):
        return site == "same-origin"
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")


def _back(request: Request, form: Mapping[str, str]) -> str:
    """Return the page that the form was on."""
    root = request.scope["root_path"] + "/"
    path = form.get("back", "")
    return path if path.startswith(root) and "\\" not in path and "//" not in path else root


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await _content(request)).decode(errors="replace"), keep_blank_values=True))


async def _content(request: Request) -> bytes:
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > _MAX_FORM_BYTES:
            return b""
    return content
