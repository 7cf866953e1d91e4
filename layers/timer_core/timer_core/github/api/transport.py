"""One request to GitHub's API over HTTP: its answer, or what it means that there is none.

The rules are those of GitHub's documentation, "Rate limits for the REST API" and "Rate limits and query
limits for the GraphQL API".
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.client import responses
from typing import Any

import urllib3

from timer_core.github.api.errors import RateLimited, Refused, Unavailable

_HEADERS = {
    "Accept": "application/vnd.github+json",
    "User-Agent": "issue-timer",
    "X-GitHub-Api-Version": "2022-11-28",
}
_CONNECT_S = 2
READ_S = 5.0
# Each thread of a function may have a request under way.
_CONNECTIONS = 8
# Lambda freezes a function between its invocations, and a connection may not live as long.
_MAX_IDLE_S = 30
# "Otherwise, wait for at least one minute before retrying."
_RATE_LIMIT_S = 60.0
# "Using pagination in the REST API"
_NEXT_PAGE = re.compile(r'<([^>]*)>; *rel="next"')


@dataclass(frozen=True, slots=True)
class Response:
    """An answer of GitHub's.

    Attributes
    ----------
    headers
        The names are found in any case.
    data
        What the body holds as JSON; None if it is empty, or an error's body is something else.
    next_page
        The path of the next page of a list, from the API's base URL on; None if there is none.
    """

    status: int
    headers: Mapping[str, str]
    data: Any
    next_page: str | None = None


class Transport:
    """Sends requests, without trying again and without following redirects; for any number of threads.

    Parameters
    ----------
    api_url
        The API's base URL, such as https://api.github.com, without a slash at its end.
    now_s
        The clock, in seconds since the epoch.
    read_s
        How long GitHub may take to answer.
    """

    def __init__(self, api_url: str, now_s: Callable[[], float], read_s: float = READ_S) -> None:
        self._api_url = api_url
        self._now_s = now_s
        timeout = urllib3.Timeout(connect=_CONNECT_S, read=read_s)
        self._pool = urllib3.PoolManager(maxsize=_CONNECTIONS, timeout=timeout, retries=False)
        self._used_at_s = now_s()

    def send(
        self,
        method: str,
        path: str,
        token: str,
        *,
        body: Mapping[str, Any] | None = None,
        accept: frozenset[int] = frozenset(),
    ) -> Response:
        """Return the answer: a success, or a status of `accept`.

        Parameters
        ----------
        path
            From the API's base URL on, with the slash it begins with.
        token
            Any token that goes with ``Authorization: Bearer``.
        body
            Sent as JSON.
        accept
            Statuses that the caller wants to see instead of Refused.

        Raises
        ------
        RateLimited
            A rate limit is reached.
        Refused
            Any other status of a request that is not carried out, redirects among them.
        Unavailable
            There was no whole answer in time, or the error is GitHub's.
        """
        self._forget_idle_connections()
        headers = _HEADERS | {"Authorization": f"Bearer {token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            answer = self._pool.request(
                method,
                f"{self._api_url}{path}",
                body=None if body is None else json.dumps(body),
                headers=headers,
                # urllib3 1.26 would follow in spite of retries=False.
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"GitHub does not answer: {error}") from error
        return self._checked(answer.status, answer.headers, answer.data, accept)

    def _forget_idle_connections(self) -> None:
        now_s = self._now_s()
        if now_s - self._used_at_s > _MAX_IDLE_S:
            self._pool.clear()
        self._used_at_s = now_s

    def _checked(
        self, status: int, headers: Mapping[str, str], body: bytes, accept: frozenset[int]
    ) -> Response:
        try:
            data, is_json = json.loads(body) if body else None, True
        except ValueError:
            data, is_json = None, False
        if 200 <= status < 300:
            if not is_json:
                raise Unavailable(f"GitHub's answer ({status}) is cut off or not its own.")
            return Response(status, headers, data, self._next_page(headers))
        reason = _message(status, data)
        if _is_rate_limit(status, headers, reason):
            raise rate_limited(headers, reason, self._now_s())
        if status >= 500:
            raise Unavailable(f"GitHub failed ({status}): {reason}", _seconds(headers.get("retry-after")))
        if status in accept:
            return Response(status, headers, data)
        raise Refused(status, reason)

    def _next_page(self, headers: Mapping[str, str]) -> str | None:
        link = _NEXT_PAGE.search(headers.get("link", ""))
        if link is None:
            return None
        # The token goes nowhere else, and a list without its end is not the list.
        if not link[1].startswith(f"{self._api_url}/"):
            raise Unavailable("GitHub's next page is not one of its API.")
        return link[1].removeprefix(self._api_url)


def rate_limited(
    headers: Mapping[str, str], reason: str, now_s: float, *, is_primary: bool = False
) -> RateLimited:
    """Return the error for an answer that says a rate limit is reached, with the time to wait.

    Parameters
    ----------
    reason
        GitHub's message.
    now_s
        The present, in seconds since the epoch.
    is_primary
        Whether it is known to be the primary limit, which ends at ``x-ratelimit-reset`` even if some of
        it remains. It does when a GraphQL query costs more than that.
    """
    wait_s = _seconds(headers.get("retry-after"))
    reset_s = _seconds(headers.get("x-ratelimit-reset"))
    if wait_s is None and reset_s is not None and (is_primary or _is_used_up(headers)):
        wait_s = max(reset_s - now_s, 1.0)
    return RateLimited(
        f"GitHub's rate limit is reached: {reason}", _RATE_LIMIT_S if wait_s is None else wait_s
    )


def _is_rate_limit(status: int, headers: Mapping[str, str], reason: str) -> bool:
    return status == HTTPStatus.TOO_MANY_REQUESTS or (
        status == HTTPStatus.FORBIDDEN
        and ("retry-after" in headers or _is_used_up(headers) or "rate limit" in reason.lower())
    )


def _is_used_up(headers: Mapping[str, str]) -> bool:
    return headers.get("x-ratelimit-remaining") == "0"


def _seconds(header: str | None) -> float | None:
    return float(header) if header is not None and header.isdecimal() else None


def _message(status: int, data: Any) -> str:
    if isinstance(data, dict) and isinstance(data.get("message"), str):
        return str(data["message"])
    return responses.get(status, "no reason given")
