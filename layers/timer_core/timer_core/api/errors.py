"""The translation of errors to HTTP responses."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, NamedTuple

from aws_lambda_powertools import Logger

from timer_core.api import pages
from timer_core.api.problems import CONTENT_TYPE, HttpError, problem
from timer_core.domain.errors import (
    ChangedSince,
    DayConfirmed,
    ErrorCode,
    ExportRunning,
    Forbidden,
    IdempotencyKeyReused,
    InvalidInput,
    IssueTimerError,
    NotFound,
    NotYourTimer,
    OtherTimerOpen,
    PreconditionFailed,
    PreconditionRequired,
    ReportTooLarge,
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
    ExportRunning: HTTPStatus.CONFLICT,
    PreconditionFailed: HTTPStatus.PRECONDITION_FAILED,
    PreconditionRequired: HTTPStatus.PRECONDITION_REQUIRED,
    ReportTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}


class InvalidRequest(Exception):
    """A request whose parameters or body do not have the form that the API describes.

    Attributes
    ----------
    errors
        The errors as a problem shows them, each with ``loc``, ``msg`` and ``code``.
    """

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(errors)
        self.errors = errors


class _Refusal(NamedTuple):
    status: HTTPStatus
    detail: str
    code: ErrorCode
    headers: Mapping[str, str] = MappingProxyType({})
    errors: Sequence[Mapping[str, Any]] = ()
    extension: Mapping[str, str] = MappingProxyType({})


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
    if isinstance(error, InvalidRequest):
        return _invalid(error.errors)
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
