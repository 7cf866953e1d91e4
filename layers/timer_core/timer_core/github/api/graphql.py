"""What GitHub's answer to a GraphQL query means.

The status is 200 whatever happened, and part of the data may be there although something went wrong. A
partial answer is never taken for the whole: all errors are ones that the caller is told of, or none of the
data counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from timer_core.github.api.errors import QueryFailed, Refused, Unavailable
from timer_core.github.api.transport import Response, rate_limited

# What is asked for is not there, or not for us.
_LASTING = frozenset({"NOT_FOUND", "FORBIDDEN", "INSUFFICIENT_SCOPES"})
# The first is documented, the second has been seen (octokit/plugin-throttling.js#824).
_PRIMARY_RATE_LIMIT = frozenset({"RATE_LIMITED", "RATE_LIMIT"})


@dataclass(frozen=True, slots=True)
class GraphQLError:
    """A part of a query that GitHub did not answer.

    Attributes
    ----------
    type
        ``NOT_FOUND``, ``FORBIDDEN`` or ``INSUFFICIENT_SCOPES``.
    path
        The keys and positions that lead to it in the data.
    message
        GitHub's words.
    """

    type: str
    path: tuple[str | int, ...]
    message: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a GraphQL query.

    Attributes
    ----------
    data
        What was asked for, with null at the path of each error; empty if there is nothing else.
    """

    data: dict[str, Any]
    errors: tuple[GraphQLError, ...] = ()


def read_answer(response: Response, now_s: float) -> Answer:
    """Return the answer that a response holds.

    Parameters
    ----------
    now_s
        The present, in seconds since the epoch.

    Raises
    ------
    RateLimited
        A rate limit is reached.
    Refused
        The query is wrong.
    QueryFailed
        GitHub failed at a part of the query or at all of it, for example with ``RESOURCE_LIMITS_EXCEEDED``.
    Unavailable
        There is no answer to the query.
    """
    data = response.data.get("data")
    errors: list[dict[str, Any]] = response.data.get("errors") or []
    for error in errors:
        if error.get("type") not in _LASTING:
            raise _failure(error, response.headers, now_s)
    if data is None and not errors:
        raise Unavailable("GitHub answered a query with neither data nor an error.")
    return Answer(data or {}, tuple(_read_error(error) for error in errors))


def _failure(error: Mapping[str, Any], headers: Mapping[str, str], now_s: float) -> Refused | Unavailable:
    message = str(error.get("message"))
    is_primary = error.get("type") in _PRIMARY_RATE_LIMIT
    if is_primary or "rate limit" in message.lower():
        return rate_limited(headers, message, now_s, is_primary=is_primary)
    # The validation of a query names the rule that was broken, that of its variables what is wrong with them.
    if not error.get("type") and (error.get("extensions") or {}).keys() & {"code", "problems"}:
        return Refused(200, message)
    return QueryFailed(f"GitHub failed at a query: {message}")


def _read_error(error: Mapping[str, Any]) -> GraphQLError:
    return GraphQLError(error["type"], tuple(error.get("path") or ()), str(error.get("message")))
