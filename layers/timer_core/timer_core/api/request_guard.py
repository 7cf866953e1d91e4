"""What every request of a person goes through before its route, and every answer after it."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from timer_core.api import requests
from timer_core.api.auth import SAFE_METHODS, Authenticator, Caller
from timer_core.api.sessions import SESSION_COOKIE, Sessions, cookie
from timer_core.clients import CLIENT_CONFIG
from timer_core.domain.errors import Unauthorized
from timer_core.secrets import RotatingSecret
from timer_core.settings import settings
from timer_core.store.limits import WriteLimit
from timer_core.store.people import PeopleStore
from timer_core.store.table import Table

# What is left to do for those who have asked to be deleted.
_ALLOWED_DURING_DELETION = {("DELETE", "/api/auth/me/"), ("POST", "/api/auth/logout/")}


class RequestGuard:
    """Lets callers in: knows who they are, how much they have changed, and renews their sessions.

    Parameters
    ----------
    table
        Where people and the number of their changes are kept. All else is in the settings.
    """

    def __init__(self, table: Table, logger: Logger) -> None:
        self._people = PeopleStore(table)
        self.authenticator = Authenticator(self._people, sessions, settings().admins)
        self._logger = logger
        self._limit = WriteLimit(table, settings().writes_per_minute)

    def enter(self, event: Mapping[str, Any], *, now_ms: int) -> Caller:
        """Return who makes a request, and count it if it may change something.

        Raises
        ------
        Unauthorized
            If there are no credentials, or none that are valid; or whoever has them is leaving.
        Forbidden
            If they may not be used for this.
        TooManyRequests
            If the person has changed too much in this minute.
        """
        try:
            return self._admit(event, now_ms=now_ms)
        except Exception:
            self._settle_uses()
            raise

    def _admit(self, event: Mapping[str, Any], *, now_ms: int) -> Caller:
        method: str = event["requestContext"]["http"]["method"]
        caller = self.authenticator.authenticate(
            event["headers"],
            now_ms=now_ms,
            method=method,
            cookies=requests.cookies(event),
            own_origin=requests.origin(event),
        )
        if caller.person.is_being_deleted and (method, event["rawPath"]) not in _ALLOWED_DURING_DELETION:
            raise Unauthorized("You have asked to be deleted. If you have changed your mind, sign in again.")
        if method not in SAFE_METHODS:
            self.count(caller, now_ms=now_ms)
        return caller

    def count(self, caller: Caller, *, now_ms: int) -> None:
        """Count a request as a change, which it is or costs as much as.

        Raises
        ------
        TooManyRequests
            If the person has changed too much in this minute.
        """
        self._limit.admit(caller.user_id, now_ms=now_ms)

    def leave(self, answer: dict[str, Any], caller: Caller, *, now_ms: int) -> dict[str, Any]:
        """Return an answer with the caller's session renewed, if it is a cookie and due."""
        self._limit.settle(caller.user_id)
        self._settle_uses()
        answer.setdefault("headers", {}).setdefault("Cache-Control", "no-store")
        session, now_s = caller.session, now_ms // 1000
        if session is None or not caller.by_cookie or not session.is_due(now_s):
            return answer
        set_cookies: list[str] = answer.setdefault("cookies", [])
        if any(header.startswith(f"{SESSION_COOKIE}=") for header in set_cookies):
            # The route has ended it.
            return answer
        renewed, token = sessions().renew(session, now_s=now_s)
        set_cookies.append(cookie(SESSION_COOKIE, token, max_age_s=renewed.expires_s - now_s))
        return answer

    def _settle_uses(self) -> None:
        """Wait until uses of tokens are noted, before Lambda freezes what goes on after the answer."""
        for failure in self._people.settle():
            # No request fails for that; it is noted when the token is looked up the next time.
            self._logger.warning("The use of a token could not be noted", exc_info=failure)


@cache
def sessions() -> Sessions:
    """Return the sessions of this deployment."""
    # Imported with the first session: what comes with a token needs no more than botocore.
    import boto3

    client = boto3.client("secretsmanager", config=CLIENT_CONFIG)
    return Sessions(RotatingSecret(client, settings().session_secret_arn))
