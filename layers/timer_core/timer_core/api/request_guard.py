"""Middleware around each route: preflights, authentication, write limit, errors and session renewal."""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from timer_core.api import requests
from timer_core.api.auth import SAFE_METHODS, Authenticator, Caller
from timer_core.api.conditional import NotModified
from timer_core.api.direct import DirectRoutes, Unusual
from timer_core.api.errors import error_response
from timer_core.api.requests import Request
from timer_core.api.sessions import SESSION_COOKIE, Sessions, cookie
from timer_core.clients import client
from timer_core.domain.errors import TooManyRequests, Unauthorized
from timer_core.domain.ids import parse_timer_id
from timer_core.secrets import SESSION_STAGE, RotatingSecret
from timer_core.settings import settings
from timer_core.store.limits import WriteLimit
from timer_core.store.sessions import SessionStore
from timer_core.store.table import Table
from timer_core.store.tokens import TokenStore

if TYPE_CHECKING:
    from timer_core.api.resolver import Resolver

_PAUSE_OR_STOP = re.compile(r"/api/timelogs/([^/]+)/(?:pause|stop)/")
# The method is not safe because each response is another one; read-only tokens may request it.
TICKET_PATH = "/api/live/ticket/"
_ALLOWED_DURING_DELETION = {("DELETE", "/api/auth/me/"), ("POST", "/api/auth/logout/")}


class RequestGuard:
    """Authenticates callers, limits their writes, and renews their sessions."""

    def __init__(self, table: Table, logger: Logger) -> None:
        self._tokens = TokenStore(table)
        self.authenticator = Authenticator(self._tokens, SessionStore(table), sessions, settings().admins)
        self._logger = logger
        self._limit = WriteLimit(table, settings().writes_per_minute)

    def handle(
        self,
        event: dict[str, Any],
        context: LambdaContext,
        *,
        now_ms: int,
        direct: DirectRoutes,
        resolver: Callable[[], "Resolver"],
        is_public: Callable[[str], bool] = lambda _path: False,
        again: Callable[[Mapping[str, Any]], str | None] = lambda _event: None,
    ) -> dict[str, Any]:
        """Answer a request of API Gateway.

        Parameters
        ----------
        direct
            The routes that answer the usual forms of frequent requests.
        resolver
            A function that returns all routes. The function is called only for a request that no direct route
            answers.
        is_public
            Whether a path needs no caller.
        again
            A function that returns the address of an error page's link "Try again", or None for no link.
        """
        try:
            if requests.is_preflight(event):
                return requests.preflight_response()
            requests.normalize(event)
            route = direct.find(event["requestContext"]["http"]["method"], event["rawPath"])
            if route is None:
                resolver().refuse_other_methods(event)
            caller = None if is_public(event["rawPath"]) else self.before_request(event, now_ms=now_ms)
        except Exception as error:
            return error_response(error, event, self._logger)
        request = Request(event, context, now_ms, caller)
        try:
            response = route(request).to_response() if route else resolver().answer(request)
        except Unusual:
            response = resolver().answer(request)
        except NotModified as unchanged:
            response = unchanged.reply.to_response()
        except Exception as error:
            response = error_response(error, event, self._logger, again=again(event))
        return response if caller is None else self.after_request(response, caller, now_ms=now_ms)

    def before_request(self, event: Mapping[str, Any], *, now_ms: int) -> Caller:
        """Return the caller of a request, and count the request as a change if its method is not safe.

        Raises
        ------
        Unauthorized
            If there are no valid credentials, or the caller's account is being deleted.
        Forbidden
            If the credentials do not permit the request.
        TooManyRequests
            If the person has made too many changes in this minute. Pausing and stopping their own timers is
            counted and never refused, because a refusal would make a timer count too much time.
        """
        try:
            return self._authorize(event, now_ms=now_ms)
        except Exception:
            self._finish_token_writes()
            raise

    def _authorize(self, event: Mapping[str, Any], *, now_ms: int) -> Caller:
        method: str = event["requestContext"]["http"]["method"]
        caller = self.authenticator.authenticate(
            event["headers"],
            now_ms=now_ms,
            method=method,
            is_change=event["rawPath"] != TICKET_PATH,
            cookies=requests.cookies(event),
            own_origin=requests.origin(event),
        )
        if caller.person.is_being_deleted and (method, event["rawPath"]) not in _ALLOWED_DURING_DELETION:
            raise Unauthorized("Your account is being deleted. To keep it, sign in again.")
        if method not in SAFE_METHODS:
            try:
                self.count_write(caller, now_ms=now_ms)
            except TooManyRequests:
                if method != "POST" or not _pauses_or_stops_own_timer(event["rawPath"], caller):
                    raise
        return caller

    def count_write(self, caller: Caller, *, now_ms: int) -> None:
        """Count a change, or a request that costs as much as one.

        Raises
        ------
        TooManyRequests
            If the person has made too many changes in this minute.
        """
        self._limit.count(caller.user_id, now_ms=now_ms)

    def after_request(self, response: dict[str, Any], caller: Caller, *, now_ms: int) -> dict[str, Any]:
        """Return the response, and renew the session in the caller's cookie if the renewal is due."""
        self._finish_token_writes()
        response.setdefault("headers", {}).setdefault("Cache-Control", "no-store")
        session, now_s = caller.session, now_ms // 1000
        if session is None or not caller.by_cookie or not session.is_due(now_s):
            return response
        set_cookies: list[str] = response.setdefault("cookies", [])
        if any(header.startswith(f"{SESSION_COOKIE}=") for header in set_cookies):
            # The route has ended the session; do not renew it.
            return response
        renewed, token = sessions().renew(session, now_s=now_s)
        set_cookies.append(cookie(SESSION_COOKIE, token, max_age_s=renewed.expires_s - now_s))
        return response

    def _finish_token_writes(self) -> None:
        for failure in self._tokens.finish_writes():
            # The request still succeeds; the next look-up of the token records the use.
            self._logger.warning("Failed to record the use of a token", exc_info=failure)


def _pauses_or_stops_own_timer(path: str, caller: Caller) -> bool:
    match = _PAUSE_OR_STOP.fullmatch(path)
    timer = parse_timer_id(match[1]) if match else None
    return timer is not None and timer[0] == caller.user_id


@cache
def sessions() -> Sessions:
    """Return the sessions of this deployment."""
    return Sessions(RotatingSecret(client("secretsmanager"), settings().session_secret_arn, SESSION_STAGE))
