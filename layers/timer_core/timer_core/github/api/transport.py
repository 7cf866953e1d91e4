"""Send HTTP requests to GitHub's API, and raise errors for failed requests.

GitHub's documentation: "Rate limits for the REST API" and "Rate limits and query limits for the GraphQL API".
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
# At most one connection for each thread of a function.
_CONNECTIONS = 8
# GitHub may close an idle connection while Lambda freezes the function between invocations.
_MAX_IDLE_S = 30
# GitHub's advice: "Otherwise, wait for at least one minute before retrying."
_RATE_LIMIT_S = 60.0
# The link to the next page ("Using pagination in the REST API").
_NEXT_PAGE = re.compile(r'<([^>]*)>; *rel="next"')


@dataclass(frozen=True, slots=True)
class Response:
    """A response of GitHub's API.

    Attributes
    ----------
    headers
        The headers; their names are case-insensitive.
    data
        The body, parsed as JSON; None if it is empty, or the body of an error is not JSON.
    next_page
        The path of a list's next page, without the API's base URL; None if there is none.
    """

    status: int
    headers: Mapping[str, str]
    data: Any
    next_page: str | None = None


class Transport:
    """Sends requests without retries and without following redirects; for any number of threads.

    Parameters
    ----------
    api_url
        The API's base URL, such as https://api.github.com, without a trailing slash.
    now_s
        The clock, in seconds since the epoch.
    read_s
        How long to wait for a response (seconds).
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
        """Return a successful response, or a response with a status in `accept`.

        Parameters
        ----------
        path
            The path after the API's base URL, with its leading slash.
        token
            The token for the header ``Authorization: Bearer``.
        body
            The content to send as JSON.
        accept
            Statuses to return instead of raising Refused.

        Raises
        ------
        RateLimited
            If a rate limit is reached.
        Refused
            If GitHub responds with any other status from 300 to 499.
        Unavailable
            If no whole response arrived in time, or GitHub failed.
        """
        self._close_idle_connections()
        headers = _HEADERS | {"Authorization": f"Bearer {token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            response = self._pool.request(
                method,
                f"{self._api_url}{path}",
                body=None if body is None else json.dumps(body),
                headers=headers,
                # urllib3 1.26 follows redirects in spite of retries=False.
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"GitHub does not respond: {error}") from error
        return self._checked(response.status, response.headers, response.data, accept)

    def _close_idle_connections(self) -> None:
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
                raise Unavailable(f"GitHub's response ({status}) is incomplete or not JSON.")
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
        # No other host may receive the token. If the link were ignored, an incomplete list would appear
        # complete.
        if not link[1].startswith(f"{self._api_url}/"):
            raise Unavailable("The link to GitHub's next page leads outside of its API.")
        return link[1].removeprefix(self._api_url)


def rate_limited(
    headers: Mapping[str, str], reason: str, now_s: float, *, is_primary: bool = False
) -> RateLimited:
    """Return the error for a response that reports a rate limit, with the time to wait.

    Parameters
    ----------
    reason
        GitHub's message.
    now_s
        The present time (seconds since the epoch).
    is_primary
        Whether the response names the primary limit. If so, the wait ends at ``x-ratelimit-reset``, even if a
        part of the limit remains: a GraphQL query may cost more than the remaining part.
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
