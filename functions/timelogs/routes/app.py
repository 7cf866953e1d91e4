"""What the routes have in common: the app, the present request, and parameters."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header
from pydantic import BaseModel

from timelogs.shared import logger
from timer_core.api.requests import Request
from timer_core.api.resolver import Resolver
from timer_core.api.times import to_ms

app = Resolver(logger)

_Body = TypeVar("_Body", bound=BaseModel)
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="idempotency-key",
        description="Makes repeating the request safe",
        min_length=1,
        max_length=255,
    ),
]
IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="if-none-match",
        description="The ETag of an earlier response: 304 if only elapsed time has changed since",
    ),
]


def current_request() -> Request:
    """Return the request that the route answers."""
    return app.present_request()


def given(**parameters: Any) -> dict[str, Any]:
    """Return the parameters that are not None, with times in milliseconds since the epoch."""
    return {
        name: to_ms(value) if isinstance(value, datetime) else value
        for name, value in parameters.items()
        if value is not None
    }


def response(status: HTTPStatus, body: _Body) -> Response[_Body]:
    """Return a response with a JSON body."""
    return Response(status.value, "application/json", body)


def content_of(request: BaseModel | None) -> str:
    """Return the text of a body for its digest."""
    return request.model_dump_json() if request else ""
