"""The translation of errors to HTTP responses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from timer_core.api import pages
from timer_core.api.conditional import NotModified
from timer_core.api.problems import CONTENT_TYPE, HttpError, problem
from timer_core.domain.errors import (
    ChangedSince,
    DayConfirmed,
    ErrorCode,
    Forbidden,
    IdempotencyKeyReused,
    InvalidInput,
    IssueTimerError,
    NotFound,
    NotYourTimer,
    OtherTimerOpen,
    PreconditionFailed,
    PreconditionRequired,
    TooManyRequests,
    TooManyTokens,
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
    TooManyTokens: HTTPStatus.FORBIDDEN,
    NotYourTimer: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    ChangedSince: HTTPStatus.CONFLICT,
    PreconditionFailed: HTTPStatus.PRECONDITION_FAILED,
    PreconditionRequired: HTTPStatus.PRECONDITION_REQUIRED,
}

# The codes of pydantic's types of errors (pydantic's documentation, "Validation Errors"). Our own validators
# use the code as the type.
_CODES = {
    "missing": ErrorCode.REQUIRED,
    "extra_forbidden": ErrorCode.UNKNOWN_FIELD,
    "string_too_short": ErrorCode.TOO_SHORT,
    "string_too_long": ErrorCode.TOO_LONG,
    "greater_than_equal": ErrorCode.OUT_OF_RANGE,
    "less_than_equal": ErrorCode.OUT_OF_RANGE,
    **{code.value: code for code in ErrorCode},
}


@dataclass(frozen=True, slots=True)
class _Refusal:
    status: HTTPStatus
    detail: str
    code: ErrorCode
    headers: Mapping[str, str] = field(default_factory=dict)
    errors: Sequence[Mapping[str, Any]] = ()
    extension: Mapping[str, str] = field(default_factory=dict)


def install(
    app: APIGatewayHttpResolver,
    logger: Logger,
    again: Callable[[Mapping[str, Any]], str | None] = lambda _event: None,
) -> None:
    """Register handlers that translate errors to problems (RFC 9457), and `NotModified` to a 304.

    Parameters
    ----------
    again
        A function that returns the address of an error page's link "Try again", or None for no link.
    """

    def respond(error: Exception) -> Response[str]:
        event = app.current_event.raw_event
        response = error_response(error, event, logger, again=again(event))
        headers = dict(response["headers"])
        return Response(response["statusCode"], headers.pop("content-type"), response["body"], headers)

    def not_modified(unchanged: NotModified) -> Response[str]:
        return Response(HTTPStatus.NOT_MODIFIED.value, body="", headers={"ETag": unchanged.tag})

    app.exception_handler(NotModified)(not_modified)
    app.exception_handler([HttpError, RequestValidationError, NotFoundError, Exception])(respond)


def error_response(
    error: Exception, event: Mapping[str, Any], logger: Logger, *, again: str | None = None
) -> dict[str, Any]:
    """Return the response to a request that raised an error: a problem, or a page if a person sees it.

    An unexpected error is logged with the id of the request, which the response also contains.
    """
    is_read = event["requestContext"]["http"]["method"] == "GET"
    part = "query" if is_read else "body" if event.get("body") else "path"
    refusal = _refusal(error, part)
    if refusal is None:
        logger.error("Unexpected error", exc_info=error)
        refusal = _Refusal(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "An internal error occurred.",
            ErrorCode.INTERNAL_ERROR,
            extension={"request_id": event["requestContext"].get("requestId", "")},
        )
    if pages.is_wanted(event):
        response = pages.error(
            event,
            refusal.status,
            refusal.detail,
            refusal.code,
            refusal.errors,
            again=again,
            request_id=refusal.extension.get("request_id", ""),
        )
    else:
        body = problem(refusal.status, refusal.detail, refusal.code, refusal.errors, **refusal.extension)
        response = {
            "statusCode": refusal.status.value,
            "headers": {"content-type": CONTENT_TYPE},
            "body": body,
        }
    response["headers"] |= refusal.headers
    return response


def _refusal(error: Exception, part: str) -> _Refusal | None:
    """Return the refusal for an expected error; None for any other error.

    ``part`` is the part of the request whose fields may be invalid.
    """
    if isinstance(error, HttpError):
        return _Refusal(error.status, error.detail, ErrorCode.INVALID_REQUEST, error.headers)
    if isinstance(error, NotFoundError):
        return _Refusal(HTTPStatus.NOT_FOUND, "This path does not exist.", ErrorCode.NOT_FOUND)
    if isinstance(error, RequestValidationError):
        return _invalid([_field_error(detail) for detail in error.errors()])
    if isinstance(error, InvalidInput):
        return _invalid([{"loc": [part, *error.field.split(".")], "msg": error.message, "code": error.code}])
    if isinstance(error, Unauthorized):
        # A 401 names the scheme to use (RFC 9110, section 11.6.1).
        headers = {"WWW-Authenticate": "Bearer"}
        return _Refusal(HTTPStatus.UNAUTHORIZED, str(error), error.code, headers)
    if isinstance(error, TooManyRequests):
        headers = {"Retry-After": str(error.retry_after_s)}
        return _Refusal(HTTPStatus.TOO_MANY_REQUESTS, str(error), error.code, headers)
    if isinstance(error, TooMuchContention):
        return _Refusal(HTTPStatus.TOO_MANY_REQUESTS, str(error), error.code, {"Retry-After": "1"})
    if isinstance(error, DayConfirmed):
        date = {"date": error.date.isoformat()}
        return _Refusal(HTTPStatus.CONFLICT, str(error), error.code, extension=date)
    if isinstance(error, IssueTimerError):
        return _Refusal(_STATUS[type(error)], str(error), error.code)
    return None


def _invalid(errors: Sequence[Mapping[str, Any]]) -> _Refusal:
    detail = "The request is not valid."
    return _Refusal(HTTPStatus.BAD_REQUEST, detail, ErrorCode.INVALID_REQUEST, errors=errors)


def _field_error(detail: Mapping[str, Any]) -> dict[str, Any]:
    """Return the public form of one of pydantic's errors."""
    return {
        "loc": list(detail["loc"]),
        "msg": detail["msg"],
        "code": _CODES.get(detail["type"], ErrorCode.INVALID_VALUE),
    }
