"""Faults of requests, to append to ``FakeGitHub.faults``.

A fault applies to the next request whose path begins with ``path``, which may contain the method
(``POST /graphql``). GitHub documents these faults in "Rate limits for the REST API", "Rate limits and query
limits for the GraphQL API" and "Troubleshooting the REST API".
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from fake_github.messages import Answer, ApiError, Drop

if TYPE_CHECKING:
    from collections.abc import Callable

    from fake_github.messages import Request

# A function that returns the answer to a request. Its second argument executes the request and returns the
# normal answer.
_Answering: TypeAlias = "Callable[[Request, Callable[[], Answer]], Answer]"


@dataclass(frozen=True)
class Fault:
    """A fault of the next matching request."""

    answer: _Answering
    path: str = ""
    released: threading.Event = field(default_factory=threading.Event)

    def is_for(self, request: Request) -> bool:
        paths = (request.path, f"{request.method} {request.path}")
        return any(path.startswith(self.path) for path in paths)

    def release(self) -> None:
        """Close the connection of a request that waits for an answer."""
        self.released.set()


def status(code: int, *, path: str = "") -> Fault:
    """Answer with an error without details, such as 502."""
    return Fault(lambda _request, _carry_out: Answer(code, {"message": "Server Error"}), path)


def timeout(*, path: str = "") -> Fault:
    """Send no answer and keep the connection open, until `Fault.release` or the end of the fake."""
    released = threading.Event()

    def answer(_request: Request, _carry_out: Callable[[], Answer]) -> Answer:
        released.wait()
        raise Drop

    return Fault(answer, path, released)


def lost_response(*, path: str = "") -> Fault:
    """Execute the request, but close the connection without an answer."""

    def answer(_request: Request, carry_out: Callable[[], Answer]) -> Answer:
        carry_out()
        raise Drop

    return Fault(answer, path)


def primary_limit(reset_in_s: float, *, path: str = "") -> Fault:
    """Report the primary rate limit, which ends ``reset_in_s`` seconds from now by the real clock."""

    def answer(request: Request, _carry_out: Callable[[], Answer]) -> Answer:
        headers = {
            "X-RateLimit-Limit": "5000",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": str(int(time.time() + reset_in_s)),
        }
        if request.path == "/graphql":
            error = {"type": "RATE_LIMITED", "message": "API rate limit exceeded for user ID 1."}
            return Answer(200, {"errors": [error]}, headers)
        return ApiError(403, "API rate limit exceeded for user ID 1.", headers).answer

    return Fault(answer, path)


def secondary_limit(retry_after_s: int | None, *, status: int = 403, path: str = "") -> Fault:
    """Report the secondary rate limit; None omits the header ``Retry-After``."""
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    message = "You have exceeded a secondary rate limit."
    return Fault(lambda _request, _carry_out: ApiError(status, message, headers).answer, path)


def graphql_error(
    type: str | None = None,  # noqa: A002
    message: str = "Something went wrong while executing your query.",
    *,
    partial: bool = False,
) -> Fault:
    """Answer a query with an error and no data; if ``partial``, omit only the first member of the data."""

    def answer(_request: Request, carry_out: Callable[[], Answer]) -> Answer:
        error: dict[str, Any] = {"message": message} | ({"type": type} if type else {})
        if not partial:
            return Answer(200, {"data": None, "errors": [error]})
        normal = carry_out()
        data = dict(normal.body["data"])
        first = next(iter(data))
        data[first] = None
        errors = [*normal.body.get("errors", []), {**error, "path": [first]}]
        return replace(normal, body={"data": data, "errors": errors})

    return Fault(answer, "/graphql")
