"""Direct routes, which answer the usual forms of frequent requests without Powertools' resolver and pydantic.

The import of these two would be half of a cold start. So a direct route reads its parameters with the readers
of this module. A reader accepts a value only if pydantic would read the same from it; it refuses all others,
valid or not, with `Unusual`. The resolver then answers the request, so that the checks of values and the
messages about invalid ones are in one place, the models.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import date as Date  # noqa: N812 - a reader has the name
from datetime import datetime
from typing import Any, NoReturn, TypeAlias

from timer_core.api.replies import Reply
from timer_core.api.requests import Request
from timer_core.api.times import parse_date, to_ms
from timer_core.domain.errors import InvalidInput
from timer_core.domain.ids import parse_timer_id

# Reads a value of the query or the body; raises Unusual.
Reader: TypeAlias = Callable[[Any], Any]
_Route: TypeAlias = Callable[..., Reply]

_NUMBER = re.compile(r"[0-9]{1,18}")
# The form of JavaScript's Date.toISOString() and of our own responses.
_TIME = re.compile(
    r"(?:19[7-9]|[2-9][0-9]{2})[0-9]-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3])(?::[0-9]{2}){2}\.[0-9]{3}Z"
)
# Replaces an id in the segments of a path; a segment contains no slash.
_ANY_ID = "/"
_FLAGS = {"true": True, "false": False}


class Unusual(Exception):
    """Only the resolver can answer the request."""


class DirectRoutes:
    """The direct routes of a function."""

    def __init__(self) -> None:
        self._routes: dict[tuple[str, ...], _Route] = {}

    def route(self, method: str, path: str) -> Callable[[_Route], _Route]:
        """Return a decorator that adds a route.

        Its function gets the request, and the id of the timer if the path contains ``<timer_id>``.
        """

        def add(function: _Route) -> _Route:
            segments = (_ANY_ID if segment == "<timer_id>" else segment for segment in path.split("/"))
            self._routes[method, *segments] = function
            return function

        return add

    def find(self, method: str, path: str) -> Callable[[Request], Reply] | None:
        """Return the function that answers requests with a method and a path; None if there is none."""
        segments = path.split("/")
        ids = [segment for segment in segments if parse_timer_id(segment)]
        route = self._routes.get((method, *(_ANY_ID if segment in ids else segment for segment in segments)))
        return route and (lambda request: route(request, *ids))


def query(request: Request, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """Return the parameters of a request's query."""
    sent = request.parameters
    # The resolver distinguishes repeated parameters, which API Gateway joins, from values with a comma.
    if any("," in value for value in sent.values()):
        raise Unusual
    return _read(sent, readers)


def body(request: Request, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """Return the members of a request's body, which is a JSON object or missing."""
    text = request.event.get("body")
    # An escape may be half of a surrogate pair, which pydantic refuses.
    if text and "\\u" in text:
        raise Unusual
    try:
        sent = _DECODER.decode(text) if text else {}
    except (ValueError, RecursionError):
        raise Unusual from None
    if not isinstance(sent, dict):
        raise Unusual
    return _read(sent, readers)


def header(request: Request, name: str, least: int = 0, most: int | None = None) -> str | None:
    """Return the value of a header, of a number of characters; None if the request does not have it."""
    value: str | None = request.event["headers"].get(name)
    if value is not None and not least <= len(value) <= (most or len(value)):
        raise Unusual
    return value


def flag(value: str) -> bool:
    """Read a Boolean in a query."""
    if value not in _FLAGS:
        raise Unusual
    return _FLAGS[value]


def boolean(value: object) -> bool:
    """Read a Boolean in a body."""
    if not isinstance(value, bool):
        raise Unusual
    return value


def number(least: int, most: int) -> Reader:
    """Return a reader of integers in a query."""

    def read(value: str) -> int:
        if not _NUMBER.fullmatch(value) or not least <= int(value) <= most:
            raise Unusual
        return int(value)

    return read


def integer(least: int, most: int) -> Reader:
    """Return a reader of integers in a body."""

    def read(value: object) -> int:
        if type(value) is not int or not least <= value <= most:
            raise Unusual
        return value

    return read


def text(most: int, least: int = 0) -> Reader:
    """Return a reader of texts without control characters, with a number of characters."""

    def read(value: object) -> str:
        if not isinstance(value, str) or not least <= len(value) <= most or not value.isprintable():
            raise Unusual
        return value

    return read


def time(value: object) -> int:
    """Read a time in milliseconds since the epoch."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise Unusual
    try:
        return to_ms(datetime.fromisoformat(value))
    except ValueError:
        raise Unusual from None


def date(value: object) -> Date:
    """Read a date."""
    try:
        return parse_date(value)
    except InvalidInput:
        raise Unusual from None


def _read(sent: Mapping[str, Any], readers: Mapping[str, Reader]) -> dict[str, Any]:
    if not sent.keys() <= readers.keys():
        raise Unusual
    return {name: readers[name](value) for name, value in sent.items()}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise Unusual
    return members


def _refuse(_number: str) -> NoReturn:
    raise Unusual


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_refuse, parse_constant=_refuse)
