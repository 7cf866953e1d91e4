"""The routes of signing in and of one's own account: parse, call, answer."""

import json
from http import HTTPStatus
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from auth import models, pages
from auth.github_sign_in import GitHubSignIn
from auth.sign_in import Reply, SignIn
from timer_core.api import errors, requests
from timer_core.api.auth import Caller
from timer_core.api.models import to_ms, to_time
from timer_core.api.problems import CONTENT_TYPE
from timer_core.api.request_guard import RequestGuard, sessions
from timer_core.api.responses import responses
from timer_core.api.sessions import SESSION_COOKIE, Session, cookie
from timer_core.clock import now_ms
from timer_core.domain.errors import Forbidden, NotFound
from timer_core.github.api.credentials import OAuthParameter
from timer_core.observability import count_requests, make_logger, make_metrics
from timer_core.settings import settings
from timer_core.store.account_deletion import AccountDeletionStore
from timer_core.store.people import PeopleStore, new_token
from timer_core.store.table import Table

logger = make_logger("auth")
metrics = make_metrics("auth")

_EXPORT_PAGE = 500
# What is under way when time runs out needs this long at most.
_RESERVE_MS = 3_000
_ELSEWHERE = "This takes signing in on Issue Timer's own page."
_PUBLIC = ("/api/auth/login/", "/api/auth/callback/")

table = Table(settings().table_name)
people = PeopleStore(table)
leaving = AccountDeletionStore(table, track_unregistered=settings().track_unregistered)
guard = RequestGuard(table, logger)
sign_in = SignIn(
    GitHubSignIn(settings().github_url, settings().github_api_url),
    OAuthParameter(settings().oauth_credential),
    sessions,
    people,
    logger,
    allowed_orgs=settings().allowed_orgs,
    allowed_origins=settings().allowed_origins,
)

app = APIGatewayHttpResolver(
    enable_validation=True, json_body_deserializer=requests.parse_json, serializer=requests.to_json
)
errors.install(app, logger)

_Model = TypeVar("_Model", bound=BaseModel)


@app.get("/api/auth/login/", include_in_schema=False)
def log_in(
    next: Annotated[str, Query(max_length=600)] = "/",  # noqa: A002 - as it is called elsewhere
    origin: Annotated[str, Query(max_length=300)] = "",
) -> Response[str]:
    """Lead to GitHub, which leads back to the callback."""
    own = requests.origin(app.current_event.raw_event)
    return _reply(sign_in.begin(own, next_path=next, origin=origin, now_ms=now_ms()))


@app.get("/api/auth/callback/", include_in_schema=False)
def come_back() -> Response[str]:
    """Take whoever comes back from GitHub into a session."""
    event = app.current_event.raw_event
    query = dict(app.current_event.query_string_parameters)
    own = requests.origin(event)
    return _reply(sign_in.finish(own, query, requests.cookies(event), now_ms=now_ms()))


@app.get(
    "/api/auth/me/",
    summary="See who you are",
    operation_id="me",
    responses=responses(200, 401),
    tags=["account"],
)
def get_me() -> Response[models.Me]:
    """Return the caller's account and what the request was made with."""
    caller = _caller()
    return _answer(HTTPStatus.OK, models.Me.of(caller, people.profile(caller.user_id)))


@app.delete(
    "/api/auth/me/",
    summary="Delete yourself, and all of your tokens and timers",
    operation_id="leave",
    responses=responses(202, 204, 401, 403),
    tags=["account"],
)
def leave() -> Response[str]:
    """Delete everything: 204, or 202 if there is so much that it goes on by the hour, or when asked again."""
    user_id = _own_session().user_id
    guard.authenticator.forget()

    def has_time() -> bool:
        return app.lambda_context.get_remaining_time_in_millis() >= _RESERVE_MS

    # Who asks twice at once is gone already the second time.
    if people.profile(user_id) is not None:
        _on_our_own_page()
        if not leaving.delete_all(user_id, now_ms=now_ms(), has_time=has_time):
            return Response(HTTPStatus.ACCEPTED.value, body="")
        logger.info("Somebody has left")
    _set_cookie(cookie(SESSION_COOKIE, "", max_age_s=0))
    return Response(HTTPStatus.NO_CONTENT.value, body="")


@app.get(
    "/api/auth/me/export/",
    summary="Get all that is stored about you",
    operation_id="export",
    responses=responses(200, 400, 401, 403),
    tags=["account"],
)
def export(
    cursor: Annotated[
        str | None,
        Query(description="from a page's next", max_length=100, pattern="^[a-z]+(#[0-9A-Za-z]+)?$"),
    ] = None,
) -> Response[models.Export]:
    """Return profile, tokens, timers with their histories, and all else, in pages."""
    caller, now = _not_embedded(), now_ms()
    # It reads so much that it is limited like a change.
    guard.count(caller, now_ms=now)
    page = leaving.page(caller.user_id, after=cursor, page_size=_EXPORT_PAGE)
    following = None
    if page.after is not None:
        own = requests.origin(app.current_event.raw_event)
        following = f"{own}/api/auth/me/export/?cursor={quote(page.after)}"
    exported = models.Export.of(
        caller,
        people.profile(caller.user_id),
        people.tokens(caller.user_id) if cursor is None else (),
        page,
        now_ms=now,
        following=following,
    )
    return _answer(HTTPStatus.OK, exported)


@app.post(
    "/api/auth/session/",
    summary="Renew your session",
    operation_id="renew",
    responses=responses(200, 401, 403),
    tags=["account"],
)
def renew() -> Response[models.NewSession]:
    """Return a session that goes on; one in a cookie is renewed by itself."""
    caller = _caller()
    if caller.session is None:
        raise Forbidden("Only a session can be renewed.")
    if caller.session.origin and caller.session.origin not in settings().allowed_origins:
        raise Forbidden("Issue Timer does not sign people in for this web site any more.")
    if caller.by_cookie:
        # What is in a cookie is not for scripts to read.
        raise Forbidden("A session in a cookie renews itself.")
    session, token = sessions().renew(caller.session, now_s=now_ms() // 1000)
    expires = to_time(session.expires_s * 1000)
    return _answer(HTTPStatus.OK, models.NewSession(session=token, expires=expires))


@app.post(
    "/api/auth/logout/",
    summary="Sign out",
    operation_id="logout",
    responses=responses(204, 400, 401, 403),
    tags=["account"],
)
def log_out(request: Annotated[models.SignOutRequest | None, Body()] = None) -> Response[str]:
    """End this session, or all of them."""
    caller, now = _caller(), now_ms()
    if request and request.everywhere:
        _on_our_own_page()
        people.end_all_sessions(caller.user_id, now_ms=now)
    elif caller.session is None:
        raise Forbidden("A token is revoked, not signed out.")
    else:
        until_ms = caller.session.ends_s * 1000
        people.end_session(caller.user_id, caller.session.session_id, now_ms=now, until_ms=until_ms)
    guard.authenticator.forget()
    _set_cookie(cookie(SESSION_COOKIE, "", max_age_s=0))
    return Response(HTTPStatus.NO_CONTENT.value, body="")


@app.get(
    "/api/auth/tokens/",
    summary="List your API tokens",
    operation_id="list_tokens",
    responses=responses(200, 401, 403),
    tags=["account"],
)
def list_tokens() -> Response[models.TokenList]:
    """Return the caller's tokens, oldest first, without their texts."""
    tokens = people.tokens(_not_embedded().user_id)
    return _answer(HTTPStatus.OK, models.TokenList(results=[models.TokenShown.of(one) for one in tokens]))


@app.post(
    "/api/auth/tokens/",
    summary="Make an API token",
    operation_id="make_token",
    responses=responses(201, 400, 401, 403, 413, 415, model=models.TokenMade),
    tags=["account"],
)
def make_token(request: Annotated[models.TokenRequest, Body()]) -> Response[models.TokenMade]:
    """Make a token and show its text, this once."""
    session = _on_our_own_page()
    expires_at = None if request.expires is None else to_ms(request.expires) // 1000
    token, text = new_token(name=request.name, now_ms=now_ms(), expires_at=expires_at, scope=request.scope)
    # Before it is kept: what could not be shown would be in every list from then on.
    shown = models.TokenMade(**dict(models.TokenShown.of(token)), token=text)
    people.add_token(session.user_id, token, text, signed_in_ms=session.signed_in_ms)
    return _answer(HTTPStatus.CREATED, shown)


@app.delete(
    "/api/auth/tokens/<token_id>/",
    summary="Revoke an API token",
    operation_id="revoke_token",
    responses=responses(204, 401, 403, 404),
    tags=["account"],
)
def revoke_token(token_id: str) -> Response[str]:
    """Revoke a token: at once, but for functions that have seen it within the last minute."""
    if not people.revoke_token(_on_our_own_page().user_id, token_id):
        raise NotFound("There is no such token.")
    guard.authenticator.forget()
    return Response(HTTPStatus.NO_CONTENT.value, body="")


@logger.inject_lambda_context(correlation_id_path="requestContext.requestId")
@metrics.log_metrics
@count_requests(metrics, routes_of="auth")
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request of API Gateway (HTTP API, payload format 2.0)."""
    now = now_ms()
    app.context["set_cookies"] = []
    try:
        if requests.is_preflight(event):
            return requests.answer_preflight()
        requests.normalize(event)
        caller = None if event["rawPath"] in _PUBLIC else guard.enter(event, now_ms=now)
    except Exception as error:
        return errors.answer(error, event, logger)
    app.context["caller"], set_cookies = caller, app.context["set_cookies"]
    answer = app.resolve(event, context)
    answer["cookies"] = [*answer.get("cookies", ()), *set_cookies]
    return _as_page(answer) if caller is None else guard.leave(answer, caller, now_ms=now)


def _as_page(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer as a person can read it in a browser: a page in place of a problem."""
    if answer["headers"].get("Content-Type") != CONTENT_TYPE:
        return answer
    problem = json.loads(answer["body"])
    text = problem["detail"]
    if "request_id" in problem:
        text += f" It is logged as {problem['request_id']}."
    page = pages.message(HTTPStatus(problem["status"]), problem["title"], text)
    return {**answer, "headers": {**page.headers, "Content-Type": page.content_type}, "body": page.body}


def _caller() -> Caller:
    caller: Caller = app.context["caller"]
    return caller


def _on_our_own_page() -> Session:
    """Return the session of a person on our own page, as of now: what follows cannot be undone.

    Raises
    ------
    Forbidden
        If it is a token, or a page that we are embedded in: what concerns the account is not theirs to do.
    Unauthorized
        If the session was ended since it was looked up.
    """
    session = _own_session()
    people.signed_in(session.user_id, session.session_id, session.signed_in_ms)
    return session


def _own_session() -> Session:
    """Return the session of a person on our own page, as of a minute ago at most.

    Raises
    ------
    Forbidden
        If it is something else.
    """
    session = _not_embedded().session
    if session is None:
        raise Forbidden(_ELSEWHERE)
    return session


def _not_embedded() -> Caller:
    """Return the caller, if it is not another site's page.

    Raises
    ------
    Forbidden
        If it is.
    """
    caller = _caller()
    if caller.session is not None and caller.session.origin:
        raise Forbidden(_ELSEWHERE)
    return caller


def _set_cookie(header: str) -> None:
    app.context["set_cookies"].append(header)


def _reply(reply: Reply) -> Response[str]:
    for header in reply.cookies:
        _set_cookie(header)
    return reply.response


def _answer(status: HTTPStatus, body: _Model) -> Response[_Model]:
    return Response(status.value, "application/json", body, headers={"Cache-Control": "no-store"})
