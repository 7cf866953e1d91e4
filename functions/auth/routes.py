"""All routes of the function, with their descriptions.

Import this module on first use, because it imports pydantic (see `timer_core.api.direct`).
"""

from http import HTTPStatus
from typing import Annotated, TypeVar

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from pydantic import BaseModel

from auth import account, export, models, visibility
from auth.shared import account_deletion, again, guard, live, logger, people, table, token_store
from timer_core.api import pages, requests
from timer_core.api.cursors import decode_cursor, encode_cursor
from timer_core.api.replies import Reply
from timer_core.api.requests import Request
from timer_core.api.resolver import Resolver, as_response
from timer_core.api.responses import responses
from timer_core.api.times import to_ms
from timer_core.domain.errors import NotFound
from timer_core.domain.tokens import new_token
from timer_core.store.account_export import AccountExport
from timer_core.store.connections import token_credential
from timer_core.store.lead_teams import LeadTeamStore
from timer_core.store.positions import ExportPosition
from timer_core.store.repositories import PresentNames

_EXPORT_PAGE = 500
# The longest duration of a step of a deletion. No step begins if less time than this remains before Lambda's
# time limit.
_RESERVE_MS = 3_000

account_export = AccountExport(table)
app = Resolver(logger, again)

_Model = TypeVar("_Model", bound=BaseModel)


@app.get(pages.LOGIN_PATH, include_in_schema=False)
def log_in(
    next: Annotated[str, Query()] = "/",  # noqa: A002 - the usual name
    origin: Annotated[str, Query(max_length=300)] = "",
) -> Response[str]:
    """Redirect to GitHub, which redirects to the callback."""
    return as_response(account.log_in(_request(), next_path=next, origin=origin))


@app.get(pages.CALLBACK_PATH, include_in_schema=False)
def complete_sign_in() -> Response[str]:
    """Complete a sign-in after GitHub's redirect."""
    return as_response(account.complete_sign_in(_request()))


@app.get(
    "/api/auth/me/",
    summary="Get your account",
    operation_id="me",
    responses=responses(200, 401),
    tags=["account"],
)
def get_me() -> Response[models.Me]:
    """Return the caller's account, and the scope and session of the request's credentials."""
    return as_response(account.get_me(_request()))


@app.delete(
    "/api/auth/me/",
    summary="Delete your account, with all of your tokens and timers",
    operation_id="delete_account",
    responses=responses(202, 204, 401, 403),
    tags=["account"],
)
def delete_account() -> Response[str]:
    """Delete everything. 202 means that hourly runs, or further requests, delete the rest."""
    request = _request()
    user_id = account.own_session(request).user_id
    guard.authenticator.forget()

    def has_time() -> bool:
        return request.context.get_remaining_time_in_millis() >= _RESERVE_MS

    # A concurrent request may already have deleted the account.
    if people.profile(user_id) is not None:
        account.current_session(request)
        pending = account_deletion.request(user_id, now_ms=request.now_ms)
        # The function `live` refuses connections from now on, so this finds all of them.
        live.end(user_id)
        if not account_deletion.finish(pending, now_ms=request.now_ms, has_time=has_time):
            return as_response(Reply(HTTPStatus.ACCEPTED))
        logger.info("An account was deleted")
    return as_response(Reply(HTTPStatus.NO_CONTENT, cookies=[account.END_SESSION_COOKIE]))


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
    request = _request()
    caller, now = account.not_embedded(request), request.now_ms
    position = None if cursor is None else decode_cursor(cursor, ExportPosition.parse)
    # A page counts as a write, because reading a page costs as much as many writes.
    guard.count_write(caller, now_ms=now)
    page = account_export.page(caller.user_id, position=position, page_size=_EXPORT_PAGE)
    page.timers = PresentNames(table).of(page.timers, now_ms=now)
    following = None
    if page.next is not None:
        own_origin = requests.origin(request.event)
        following = f"{own_origin}/api/auth/me/export/?cursor={encode_cursor(page.next)}"
    exported = export.Export.of(
        caller,
        people.profile(caller.user_id),
        token_store.of(caller.user_id) if cursor is None else (),
        page,
        lead_teams=LeadTeamStore(table).teams_of(caller.user_id),
        now_ms=now,
        following=following,
    )
    return _response(HTTPStatus.OK, exported)


@app.get(
    "/api/auth/me/visibility/",
    summary="Get who sees your time",
    operation_id="get_visibility",
    responses=responses(200, 401, 403),
    tags=["team"],
)
def get_visibility() -> Response[models.VisibilityShown]:
    """Return the caller's choice, the default, and the people who see the caller's time, with the reasons."""
    return as_response(visibility.get_visibility(_request()))


@app.put(
    "/api/auth/me/visibility/",
    summary="Choose who sees your time",
    description="The choice decides about all of your time, also about time from before the choice.",
    operation_id="put_visibility",
    responses=responses(200, 400, 401, 403, 413, 415),
    tags=["team"],
)
def put_visibility(
    request: Annotated[models.VisibilityRequest, Body()],
) -> Response[models.VisibilityShown]:
    """Store the caller's choice, and return what `get_visibility` returns."""
    return as_response(visibility.put_visibility(_request(), request.visibility))


@app.get(
    "/api/team/",
    summary="List the people whose time you see",
    operation_id="list_team",
    responses=responses(200, 401, 403),
    tags=["team"],
)
def list_team() -> Response[models.TeamList]:
    """Return the caller, and the people who have allowed the caller to see their time."""
    return as_response(visibility.list_team(_request()))


@app.post(
    "/api/auth/session/",
    summary="Renew your session",
    operation_id="renew",
    responses=responses(200, 401, 403),
    tags=["account"],
)
def renew() -> Response[models.NewSession]:
    """Return the renewed session; a session in a cookie is renewed automatically."""
    return as_response(account.renew(_request()))


@app.post(
    "/api/auth/logout/",
    summary="Sign out",
    operation_id="logout",
    responses=responses(204, 400, 401, 403),
    tags=["account"],
)
def log_out(request: Annotated[models.SignOutRequest | None, Body()] = None) -> Response[str]:
    """End this session, or all of the caller's sessions."""
    everywhere = request is not None and request.everywhere
    return as_response(account.log_out(_request(), everywhere=everywhere))


@app.get(
    "/api/auth/tokens/",
    summary="List your API tokens",
    operation_id="list_tokens",
    responses=responses(200, 401, 403),
    tags=["account"],
)
def list_tokens() -> Response[models.TokenList]:
    """Return the caller's tokens without their texts, oldest first."""
    tokens = token_store.of(account.not_embedded(_request()).user_id)
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
    session, now = account.current_session(_request()), _request().now_ms
    expires_at = None if request.expires is None else to_ms(request.expires) // 1000
    token, text = new_token(name=request.name, now_ms=now, expires_at=expires_at, scope=request.scope)
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
    user_id = account.current_session(_request()).user_id
    if not token_store.revoke(user_id, token_id):
        raise NotFound("This token does not exist.")
    live.end(user_id, lambda connection: connection.credential == token_credential(token_id))
    guard.authenticator.forget()
    return as_response(Reply(HTTPStatus.NO_CONTENT))


def _request() -> Request:
    return app.present_request()


def _response(status: HTTPStatus, body: _Model) -> Response[_Model]:
    return Response(status.value, "application/json", body, headers=account.NO_STORE)
