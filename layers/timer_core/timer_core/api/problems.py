"""Errors as ``application/problem+json`` (RFC 9457)."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from timer_core.domain.errors import ErrorCode

CONTENT_TYPE = "application/problem+json"


class HttpError(Exception):
    """The refusal of a request with an HTTP status, such as 415."""

    def __init__(self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


def problem(
    status: HTTPStatus,
    detail: str,
    code: ErrorCode,
    errors: Sequence[Mapping[str, Any]] = (),
    **extension: str,
) -> str:
    """Return the body of an error.

    Parameters
    ----------
    code
        The reason. The RFC names it ``type`` and wants a URI; clients compare a word more easily.
    errors
        The validation errors, each with ``loc`` (the path of the field), ``msg`` (the message) and ``code``.
    extension
        Members that the RFC does not define, such as ``request_id``.
    """
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "code": code,
        **extension,
    }
    if errors:
        body["errors"] = list(errors)
    return json.dumps(body)


def response(status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return a refusal as a response to API Gateway (payload format 2.0)."""
    return {
        "statusCode": status.value,
        "headers": {"content-type": CONTENT_TYPE, **(headers or {})},
        "body": problem(status, detail, ErrorCode.INVALID_REQUEST),
    }
