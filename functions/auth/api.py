"""The routes of the sign-in and of the caller's account."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from auth import export, models
from auth.github_sign_in import GitHubSignIn
from auth.sign_in import SignIn, SignInResponse
from timer_core import startup
from timer_core.api import errors, pages, requests
from timer_core.api.auth import Caller
from timer_core.api.cursors import decode_cursor, encode_cursor
from timer_core.api.models import to_ms, to_time
from timer_core.api.request_guard import RequestGuard, sessions
from timer_core.api.responses import responses
from timer_core.api.sessions import SESSION_COOKIE, Session, cookie
from timer_core.clock import now_ms
from timer_core.domain.errors import Forbidden, NotFound, Unauthorized
from timer_core.domain.tokens import new_token
from timer_core.github.api.credentials import OAuthParameter
from timer_core.observability import count_requests, make_logger, make_metrics
from timer_core.settings import settings
from timer_core.store.account_deletion import AccountDeletionStore
from timer_core.store.account_export import AccountExport
from timer_core.store.people import PeopleStore
from timer_core.store.positions import ExportPosition
from timer_core.store.repositories import PresentNames
from timer_core.store.sessions import SessionStore
from timer_core.store.table import Table
from timer_core.store.tokens import TokenStore

logger = make_logger("auth")
metrics = make_metrics("auth")

_EXPORT_PAGE = 500
# The longest duration of a step of a deletion. No step begins if less time than this remains before Lambda's
# time limit.
_RESERVE_MS = 3_000
_OWN_PAGE_ONLY = "Only a session of Issue Timer's own page may do this."

table = Table(settings().table_name)
people = PeopleStore(table)
session_store = SessionStore(table)
token_store = TokenStore(table)
account_deletion = AccountDeletionStore(table, track_unregistered=settings().track_unregistered)
account_export = AccountExport(table)
guard = RequestGuard(table, logger)
sign_in = SignIn(
    GitHubSignIn(settings().github_url, settings().github_api_url),
    OAuthParameter(settings().oauth_credential),
    sessions,
    people,
    session_store,
    token_store,
    logger,
    allowed_orgs=settings().allowed_orgs,
    allowed_origins=settings().allowed_origins,
)

app = APIGatewayHttpResolver(
    enable_validation=True, json_body_deserializer=requests.parse_json, serializer=requests.to_json
)

_Model = TypeVar("_Model", bound=BaseModel)


def _again(event: Mapping[str, Any]) -> str | None:
    """Return the address of the link "Try again" on the page for an error; None if there is no such link."""
    if event["rawPath"] not in pages.SIGN_IN_PATHS:
        return None
    return sign_in.again(event.get("queryStringParameters") or {})


errors.install(app, logger, _again)


@app.get(pages.LOGIN_PATH, include_in_schema=False)
def log_in(
    next: Annotated[str, Query()] = "/",  # noqa: A002 - the usual name
    origin: Annotated[str, Query(max_length=300)] = "",
) -> Response[str]:
    """Redirect to GitHub, which redirects to the callback."""
    event = app.current_event.raw_event
    own_origin, cookies = requests.origin(event), requests.cookies(event)
    return _with_cookies(sign_in.begin(own_origin, cookies, next_path=next, origin=origin, now_ms=now_ms()))


@app.get(pages.CALLBACK_PATH, include_in_schema=False)
def complete_sign_in() -> Response[str]:
    """Complete a sign-in after GitHub's redirect."""
    event = app.current_event.raw_event
    query = dict(app.current_event.query_string_parameters)
    own_origin = requests.origin(event)
    result = sign_in.finish(
        own_origin, query, requests.cookies(event), is_signed_in=_is_signed_in, now_ms=now_ms()
    )
    return _with_cookies(result)


@app.get(
    "/api/auth/me/",
    summary="Get your account",
    operation_id="me",
    responses=responses(200, 401),
    tags=["account"],
)
def get_me() -> Response[models.Me]:
    """Return the caller's account, and the scope and session of the request's credentials."""
    caller = _caller()
    return _response(HTTPStatus.OK, models.Me.of(caller, people.profile(caller.user_id)))


@app.delete(
    "/api/auth/me/",
    summary="Delete your account, with all of your tokens and timers",
    operation_id="delete_account",
    responses=responses(202, 204, 401, 403),
    tags=["account"],
)
def delete_account() -> Response[str]:
    """Delete everything. 202 means that hourly runs, or further requests, delete the rest."""
    user_id = _own_session().user_id
    guard.authenticator.forget()

    def has_time() -> bool:
        return app.lambda_context.get_remaining_time_in_millis() >= _RESERVE_MS

    # A concurrent request may already have deleted the account.
    if people.profile(user_id) is not None:
        _current_session()
        if not account_deletion.delete_all(user_id, now_ms=now_ms(), has_time=has_time):
            return Response(HTTPStatus.ACCEPTED.value, body="")
        logger.info("An account was deleted")
    _set_cookie(cookie(SESSION_COOKIE, "", max_age_s=0))
    return Response(HTTPStatus.NO_CONTENT.value, body="")


@app.get(
    "/api/auth/me/export/",
    summary="Export everything that is stored about you",
    operation_id="export",
    responses=responses(200, 400, 401, 403),
    tags=["account"],
)
def export_account(
    cursor: Annotated[str | None, Query(description="The cursor in a page's next", max_length=200)] = None,
) -> Response[export.Export]:
    """Return the profile, the tokens, the timers with their histories, and all other data, in pages."""
    caller, now = _not_embedded(), now_ms()
    position = None if cursor is None else decode_cursor(cursor, ExportPosition.parse)
    # A page counts as a write, because reading a page costs as much as many writes.
    guard.count_write(caller, now_ms=now)
    page = account_export.page(caller.user_id, position=position, page_size=_EXPORT_PAGE)
    page.timers = PresentNames(table).of(page.timers, now_ms=now)
    following = None
    if page.next is not None:
        own_origin = requests.origin(app.current_event.raw_event)
        following = f"{own_origin}/api/auth/me/export/?cursor={encode_cursor(page.next)}"
    exported = export.Export.of(
        caller,
        people.profile(caller.user_id),
        token_store.of(caller.user_id) if cursor is None else (),
        page,
        now_ms=now,
        following=following,
    )
    return _response(HTTPStatus.OK, exported)


@app.post(
    "/api/auth/session/",
    summary="Renew your session",
    operation_id="renew",
    responses=responses(200, 401, 403),
    tags=["account"],
)
def renew() -> Response[models.NewSession]:
    """Return the renewed session; a session in a cookie is renewed automatically."""
    caller = _caller()
    if caller.session is None:
        raise Forbidden("Only a session can be renewed.")
    if caller.session.origin and caller.session.origin not in settings().allowed_origins:
        raise Forbidden("This web site is no longer allowed to use Issue Timer.")
    if caller.by_cookie:
        # Scripts must not be able to read the session in the cookie.
        raise Forbidden("A session in a cookie is renewed automatically.")
    session, token = sessions().renew(caller.session, now_s=now_ms() // 1000)
    expires = to_time(session.expires_s * 1000)
    return _response(HTTPStatus.OK, models.NewSession(session=token, expires=expires))


@app.post(
    "/api/auth/logout/",
    summary="Sign out",
    operation_id="logout",
    responses=responses(204, 400, 401, 403),
    tags=["account"],
)
def log_out(request: Annotated[models.SignOutRequest | None, Body()] = None) -> Response[str]:
    """End this session, or all of the caller's sessions."""
    caller, now = _caller(), now_ms()
    if request and request.everywhere:
        _current_session()
        session_store.end_all(caller.user_id, now_ms=now)
    elif caller.session is None:
        raise Forbidden("A token cannot be signed out; revoke it instead.")
    else:
        until_ms = caller.session.ends_s * 1000
        session_store.end(caller.user_id, caller.session.session_id, now_ms=now, until_ms=until_ms)
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
    """Return the caller's tokens without their texts, oldest first."""
    tokens = token_store.of(_not_embedded().user_id)
    return _response(HTTPStatus.OK, models.TokenList(results=[models.TokenShown.of(one) for one in tokens]))


@app.post(
    "/api/auth/tokens/",
    summary="Create an API token",
    operation_id="make_token",
    responses=responses(201, 400, 401, 403, 413, 415, model=models.TokenMade),
    tags=["account"],
)
def make_token(request: Annotated[models.TokenRequest, Body()]) -> Response[models.TokenMade]:
    """Create a token and return its text, which is not shown again."""
    session = _current_session()
    expires_at = None if request.expires is None else to_ms(request.expires) // 1000
    token, text = new_token(name=request.name, now_ms=now_ms(), expires_at=expires_at, scope=request.scope)
    # Build the response before storing the token: an expiry that cannot be represented would break the list
    # of tokens.
    shown = models.TokenMade(**dict(models.TokenShown.of(token)), token=text)
    token_store.add(session.user_id, token, text, signed_in_ms=session.signed_in_ms)
    return _response(HTTPStatus.CREATED, shown)


@app.delete(
    "/api/auth/tokens/<token_id>/",
    summary="Revoke an API token",
    operation_id="revoke_token",
    responses=responses(204, 401, 403, 404),
    tags=["account"],
)
def revoke_token(token_id: str) -> Response[str]:
    """Revoke a token; functions that have cached it may accept it for another minute."""
    if not token_store.revoke(_current_session().user_id, token_id):
        raise NotFound("This token does not exist.")
    guard.authenticator.forget()
    return Response(HTTPStatus.NO_CONTENT.value, body="")


@startup.completes
@logger.inject_lambda_context(correlation_id_path="requestContext.requestId")
@metrics.log_metrics
@count_requests(metrics, routes_of="auth")
@requests.answer_head
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a request of API Gateway (HTTP API, payload format 2.0)."""
    set_cookies: list[str] = []
    app.context["set_cookies"] = set_cookies

    def resolve() -> dict[str, Any]:
        response = app.resolve(event, context)
        response["cookies"] = [*response.get("cookies", ()), *set_cookies]
        return response

    return guard.handle(app, event, resolve, now_ms=now_ms(), is_public=pages.SIGN_IN_PATHS.__contains__)


def _is_signed_in() -> bool:
    """Whether the browser has a session of our own page."""
    event = app.current_event.raw_event
    try:
        caller = guard.authenticator.authenticate({}, now_ms=now_ms(), cookies=requests.cookies(event))
    except Unauthorized:
        return False
    return not caller.person.is_being_deleted


def _caller() -> Caller:
    caller: Caller = app.context["caller"]
    return caller


def _current_session() -> Session:
    """Return the session of our own page, for actions that cannot be undone.

    The session is checked without the cache.

    Raises
    ------
    Forbidden
        If the request has a token, or a session of a web site that embeds the widget.
    Unauthorized
        If the session has ended since it was cached.
    """
    session = _own_session()
    session_store.person_of(session.user_id, session.session_id, session.signed_in_ms)
    return session


def _own_session() -> Session:
    """Return the session of our own page. The session may have been cached for a minute.

    Raises
    ------
    Forbidden
        If the request has other credentials.
    """
    session = _not_embedded().session
    if session is None:
        raise Forbidden(_OWN_PAGE_ONLY)
    return session


def _not_embedded() -> Caller:
    """Return the caller.

    Raises
    ------
    Forbidden
        If the session was issued to a web site that embeds the widget.
    """
    caller = _caller()
    if caller.session is not None and caller.session.origin:
        raise Forbidden(_OWN_PAGE_ONLY)
    return caller


def _set_cookie(header: str) -> None:
    app.context["set_cookies"].append(header)


def _with_cookies(result: SignInResponse) -> Response[str]:
    for header in result.cookies:
        _set_cookie(header)
    return result.response.render(pages.language_of(app.current_event.raw_event))


def _response(status: HTTPStatus, body: _Model) -> Response[_Model]:
    return Response(status.value, "application/json", body, headers={"Cache-Control": "no-store"})
