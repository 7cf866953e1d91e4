"""The caller's account and session, and the steps of the sign-in: what these requests do."""

from http import HTTPStatus

from auth.me import me
from auth.shared import guard, live, people, session_store, sign_in
from auth.sign_in import SignInResponse
from timer_core.api import pages, requests
from timer_core.api.auth import Caller
from timer_core.api.replies import Reply
from timer_core.api.request_guard import sessions
from timer_core.api.requests import Request
from timer_core.api.sessions import SESSION_COOKIE, Session, cookie
from timer_core.api.times import format_ms
from timer_core.domain.errors import Forbidden, Unauthorized
from timer_core.settings import settings
from timer_core.store.connections import is_session_credential, session_credential

END_SESSION_COOKIE = cookie(SESSION_COOKIE, "", max_age_s=0)
NO_STORE = {"Cache-Control": "no-store"}
_OWN_PAGE_ONLY = "Only a session of Issue Timer's own page may do this."


def log_in(request: Request, *, next_path: str, origin: str) -> Reply:
    """Redirect to GitHub, which redirects to the callback."""
    event = request.event
    own_origin, cookies = requests.origin(event), requests.cookies(event)
    begun = sign_in.begin(own_origin, cookies, next_path=next_path, origin=origin, now_ms=request.now_ms)
    return _sign_in_reply(request, begun)


def complete_sign_in(request: Request) -> Reply:
    """Complete a sign-in after GitHub's redirect."""
    finished = sign_in.finish(
        requests.origin(request.event),
        request.parameters,
        requests.cookies(request.event),
        is_signed_in=lambda: _is_signed_in(request),
        now_ms=request.now_ms,
    )
    return _sign_in_reply(request, finished)


def get_me(request: Request) -> Reply:
    """Return the caller's account, and the scope and session of the request's credentials."""
    profile = people.profile(request.caller.user_id)
    return Reply(HTTPStatus.OK, me(request.caller, profile), NO_STORE)


def renew(request: Request) -> Reply:
    """Return the renewed session; a session in a cookie is renewed automatically."""
    caller = request.caller
    if caller.session is None:
        raise Forbidden("Only a session can be renewed.")
    if caller.session.origin and caller.session.origin not in settings().allowed_origins:
        raise Forbidden("This web site is no longer allowed to use Issue Timer.")
    if caller.by_cookie:
        # Scripts must not be able to read the session in the cookie.
        raise Forbidden("A session in a cookie is renewed automatically.")
    session, token = sessions().renew(caller.session, now_s=request.now_ms // 1000)
    return Reply(HTTPStatus.OK, {"session": token, "expires": format_ms(session.expires_s * 1000)}, NO_STORE)


def log_out(request: Request, *, everywhere: bool) -> Reply:
    """End this session, or all of the caller's sessions."""
    caller, now = request.caller, request.now_ms
    if everywhere:
        current_session(request)
        session_store.end_all(caller.user_id, now_ms=now)
        live.end(caller.user_id, lambda connection: is_session_credential(connection.credential))
    elif caller.session is None:
        raise Forbidden("A token cannot be signed out; revoke it instead.")
    else:
        until_ms = caller.session.ends_s * 1000
        session_store.end(caller.user_id, caller.session.session_id, now_ms=now, until_ms=until_ms)
        credential = session_credential(caller.session.session_id)
        live.end(caller.user_id, lambda connection: connection.credential == credential)
    guard.authenticator.forget()
    return Reply(HTTPStatus.NO_CONTENT, cookies=[END_SESSION_COOKIE])


def current_session(request: Request) -> Session:
    """Return the session of our own page, for actions that cannot be undone.

    The session is checked without the cache.

    Raises
    ------
    Forbidden
        If the request has a token, or a session of a web site that embeds the widget.
    Unauthorized
        If the session has ended since it was cached.
    """
    session = own_session(request)
    session_store.person_of(session.user_id, session.session_id, session.signed_in_ms)
    return session


def own_session(request: Request) -> Session:
    """Return the session of our own page. The session may have been cached for a minute.

    Raises
    ------
    Forbidden
        If the request has other credentials.
    """
    session = not_embedded(request).session
    if session is None:
        raise Forbidden(_OWN_PAGE_ONLY)
    return session


def not_embedded(request: Request) -> Caller:
    """Return the caller.

    Raises
    ------
    Forbidden
        If the session was issued to a web site that embeds the widget.
    """
    caller = request.caller
    if caller.is_embedded:
        raise Forbidden(_OWN_PAGE_ONLY)
    return caller


def _is_signed_in(request: Request) -> bool:
    """Whether the browser has a session of our own page."""
    cookies = requests.cookies(request.event)
    try:
        caller = guard.authenticator.authenticate({}, now_ms=request.now_ms, cookies=cookies)
    except Unauthorized:
        return False
    return not caller.person.is_being_deleted


def _sign_in_reply(request: Request, result: SignInResponse) -> Reply:
    return result.response.render(pages.language_of(request.event), result.cookies)
