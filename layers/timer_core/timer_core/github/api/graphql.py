"""Read the response to a GraphQL query.

The HTTP status is 200 even if the query failed, and the response may contain both data and errors. A partial
response never counts as a complete one: the result lists all errors, or an exception is raised.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from timer_core.github.api.errors import QueryFailed, Refused, Unavailable
from timer_core.github.api.transport import Response, rate_limited

# Errors that a retry does not resolve: the object does not exist, or we have no access to it.
_PERMANENT = frozenset({"NOT_FOUND", "FORBIDDEN", "INSUFFICIENT_SCOPES"})
# The first type is documented; the second type was observed (octokit/plugin-throttling.js#824).
_PRIMARY_RATE_LIMIT = frozenset({"RATE_LIMITED", "RATE_LIMIT"})


@dataclass(frozen=True, slots=True)
class GraphQLError:
    """An error in one part of a query.

    Attributes
    ----------
    type
        ``NOT_FOUND``, ``FORBIDDEN`` or ``INSUFFICIENT_SCOPES``.
    path
        The keys and positions of the part in the data.
    message
        GitHub's message.
    """

    type: str
    path: tuple[str | int, ...]
    message: str


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The result of a GraphQL query.

    Attributes
    ----------
    data
        The requested data; null in place of each part with an error, and empty if there are only errors.
    """

    data: dict[str, Any]
    errors: tuple[GraphQLError, ...] = ()


def read_result(response: Response, now_s: float) -> QueryResult:
    """Return the result in a response.

    Parameters
    ----------
    now_s
        The present time (seconds since the epoch).

    Raises
    ------
    RateLimited
        If a rate limit is reached.
    Refused
        If the query is wrong.
    QueryFailed
        If GitHub could not execute the query or a part of it, for example ``RESOURCE_LIMITS_EXCEEDED``.
    Unavailable
        If the response contains no result.
    """
    data = response.data.get("data")
    errors: list[dict[str, Any]] = response.data.get("errors") or []
    for error in errors:
        if error.get("type") not in _PERMANENT:
            raise _failure(error, response.headers, now_s)
    if data is None and not errors:
        raise Unavailable("GitHub answered a query with neither data nor an error.")
    return QueryResult(data or {}, tuple(_read_error(error) for error in errors))


def _failure(error: Mapping[str, Any], headers: Mapping[str, str], now_s: float) -> Refused | Unavailable:
    message = str(error.get("message"))
    is_primary = error.get("type") in _PRIMARY_RATE_LIMIT
    if is_primary or "rate limit" in message.lower():
        return rate_limited(headers, message, now_s, is_primary=is_primary)
    # GitHub's error has a code if the query is invalid, and a list of problems if a variable is invalid.
    if not error.get("type") and (error.get("extensions") or {}).keys() & {"code", "problems"}:
        return Refused(200, message)
    return QueryFailed(f"GitHub failed at a query: {message}")


def _read_error(error: Mapping[str, Any]) -> GraphQLError:
    return GraphQLError(error["type"], tuple(error.get("path") or ()), str(error.get("message")))
