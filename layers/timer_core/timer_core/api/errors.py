"""The translation of errors to HTTP responses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from timer_core.api.conditional import NotModified
from timer_core.api.problems import CONTENT_TYPE, HttpError, problem
from timer_core.domain.errors import (
    Forbidden,
    IdempotencyKeyReused,
    InvalidInput,
    IssueTimerError,
    NotFound,
    NotYourTimer,
    OtherTimerOpen,
    TooManyRequests,
    TooManyTransitions,
    TooMuchContention,
    TransitionNotAllowed,
    TransitionTooEarly,
    Unauthorized,
)

_STATUS: dict[type[IssueTimerError], HTTPStatus] = {
    TransitionNotAllowed: HTTPStatus.BAD_REQUEST,
    TransitionTooEarly: HTTPStatus.BAD_REQUEST,
    TooManyTransitions: HTTPStatus.BAD_REQUEST,
    OtherTimerOpen: HTTPStatus.BAD_REQUEST,
    IdempotencyKeyReused: HTTPStatus.BAD_REQUEST,
    Forbidden: HTTPStatus.FORBIDDEN,
    NotYourTimer: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
}


@dataclass(frozen=True, slots=True)
class _Refusal:
    status: HTTPStatus
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)
    errors: Sequence[Mapping[str, Any]] = ()


def install(app: APIGatewayHttpResolver, logger: Logger) -> None:
    """Register handlers that translate errors to problems (RFC 9457), and `NotModified` to a 304."""

    def respond(error: Exception) -> Response[str]:
        response = error_response(error, app.current_event.raw_event, logger)
        return Response(
            response["statusCode"],
            CONTENT_TYPE,
            response["body"],
            {name: value for name, value in response["headers"].items() if name != "content-type"},
        )

    def not_modified(unchanged: NotModified) -> Response[str]:
        return Response(HTTPStatus.NOT_MODIFIED.value, body="", headers={"ETag": unchanged.tag})

    app.exception_handler(NotModified)(not_modified)
    app.exception_handler([HttpError, RequestValidationError, NotFoundError, Exception])(respond)


def error_response(error: Exception, event: Mapping[str, Any], logger: Logger) -> dict[str, Any]:
    """Return the response to a request that raised an error.

    An unexpected error is logged with the id of the request, which the response also contains.
    """
    part = "query" if event["requestContext"]["http"]["method"] == "GET" else "body"
    refusal = _refusal(error, part)
    headers = {"content-type": CONTENT_TYPE, **(refusal.headers if refusal else {})}
    if refusal is None:
        request_id = event["requestContext"].get("requestId", "")
        logger.error("Unexpected error", exc_info=error)
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        body = problem(status, "An internal error occurred.", request_id=request_id)
    else:
        status = refusal.status
        body = problem(status, refusal.detail, refusal.errors)
    return {"statusCode": status.value, "headers": headers, "body": body}


def _refusal(error: Exception, part: str) -> _Refusal | None:
    """Return the refusal for an expected error; None for any other error.

    ``part`` is the part of the request whose fields may be invalid.
    """
    if isinstance(error, HttpError):
        return _Refusal(error.status, error.detail, error.headers)
    if isinstance(error, NotFoundError):
        return _Refusal(HTTPStatus.NOT_FOUND, "This path does not exist.")
    if isinstance(error, RequestValidationError):
        details = [
            {"loc": list(detail["loc"]), "msg": detail["msg"].removeprefix("Value error, ")}
            for detail in error.errors()
        ]
        return _Refusal(HTTPStatus.BAD_REQUEST, "The request is not valid.", errors=details)
    if isinstance(error, InvalidInput):
        details = [{"loc": [part, error.field], "msg": error.message}]
        return _Refusal(HTTPStatus.BAD_REQUEST, "The request is not valid.", errors=details)
    if isinstance(error, Unauthorized):
        # A 401 names the scheme to use (RFC 9110, section 11.6.1).
        return _Refusal(HTTPStatus.UNAUTHORIZED, str(error), {"WWW-Authenticate": "Bearer"})
    if isinstance(error, TooManyRequests):
        return _Refusal(HTTPStatus.TOO_MANY_REQUESTS, str(error), {"Retry-After": str(error.retry_after_s)})
    if isinstance(error, TooMuchContention):
        return _Refusal(HTTPStatus.TOO_MANY_REQUESTS, str(error), {"Retry-After": "1"})
    if isinstance(error, IssueTimerError):
        return _Refusal(_STATUS[type(error)], str(error))
    return None
