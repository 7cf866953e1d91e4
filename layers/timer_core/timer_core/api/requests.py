"""Requests of API Gateway: normalization of path and body, preflights, ``HEAD``, cookies, origin."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from functools import wraps
from http import HTTPStatus
from typing import Any, NamedTuple, TypeAlias

from aws_lambda_powertools.utilities.typing import LambdaContext

from timer_core.api.auth import Caller
from timer_core.api.problems import HttpError
from timer_core.domain.errors import Unauthorized

ApiHandler: TypeAlias = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]

MAX_BODY_BYTES = 64 * 1024
# Only these paths accept a body in a POST request.
BODY_PATHS = (
    "/timelogs/",
    "/start/",
    "/pause/",
    "/resume/",
    "/stop/",
    "/focus/",
    "/undo/",
    "/pauses/",
    "/split/",
    "/confirm/",
    "/lock/",
    "/hooks/",
    "/tokens/",
    "/logout/",
)
# A name, or an IPv6 address in brackets, and a port.
_HOST = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


class Request(NamedTuple):
    """A normalized request.

    Attributes
    ----------
    event
        API Gateway's event (payload format 2.0).
    context
        Lambda's context of the invocation.
    now_ms
        The time of the request (milliseconds since the epoch).
    authenticated
        The person who makes the request; None if the path is public.
    """

    event: dict[str, Any]
    context: LambdaContext
    now_ms: int
    authenticated: Caller | None

    @property
    def caller(self) -> Caller:
        """The person who makes the request.

        Raises
        ------
        Unauthorized
            If the path is public.
        """
        if self.authenticated is None:
            raise Unauthorized("This request has no caller.")
        return self.authenticated

    @property
    def parameters(self) -> Mapping[str, str]:
        """The query parameters."""
        sent: Mapping[str, str] = self.event.get("queryStringParameters") or {}
        return sent


def normalize(event: dict[str, Any]) -> None:
    """Change a request in place, so that the path ends in a slash and the body is JSON text.

    Raises
    ------
    HttpError
        413 if the body is too large, 415 if its media type is not JSON, 400 if it is not UTF-8.
    """
    path = event["rawPath"]
    if not path.endswith(("/", ".json")):
        event["rawPath"] = event["requestContext"]["http"]["path"] = path + "/"
    body = _body(event) if _accepts_body(event) else b""
    if len(body) > MAX_BODY_BYTES:
        raise HttpError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {MAX_BODY_BYTES // 1024} KB."
        )
    if not body.strip():
        event["body"] = None
    else:
        content_type = event["headers"].get("content-type", "application/json")
        if content_type.partition(";")[0].strip().lower() != "application/json":
            raise HttpError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body must be application/json.")
        try:
            event["body"] = body.decode()
        except UnicodeDecodeError:
            raise HttpError(HTTPStatus.BAD_REQUEST, "The body is not UTF-8.") from None
    event["isBase64Encoded"] = False
    # Powertools parses only bodies of this media type. Clients may omit the type or add parameters.
    event["headers"]["content-type"] = "application/json"


def answer_head(handler: ApiHandler) -> ApiHandler:
    """Let a handler answer HEAD as it answers GET, without the body (RFC 9110, section 9.3.2)."""

    @wraps(handler)
    def answered(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        request = event["requestContext"]["http"]
        if request["method"] != "HEAD":
            return handler(event, context)
        request["method"] = "GET"
        return {**handler(event, context), "body": ""}

    return answered


def is_preflight(event: Mapping[str, Any]) -> bool:
    """Whether a request is a CORS preflight (Fetch standard, "CORS-preflight request").

    API Gateway responds to preflights itself, except on routes for any method or any path.
    """
    method: str = event["requestContext"]["http"]["method"]
    return method == "OPTIONS"


def preflight_response() -> dict[str, Any]:
    """Return the response to a preflight, to which API Gateway adds its CORS headers."""
    return {"statusCode": HTTPStatus.NO_CONTENT.value, "headers": {}, "body": ""}


def _accepts_body(event: dict[str, Any]) -> bool:
    """Whether the request's route reads the body; the other routes ignore the body."""
    method: str = event["requestContext"]["http"]["method"]
    path: str = event["rawPath"]
    return method in {"PATCH", "PUT"} or (method == "POST" and path.endswith(BODY_PATHS))


def _body(event: dict[str, Any]) -> bytes:
    body: str = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return body.encode(errors="surrogatepass")
    try:
        return base64.b64decode(body)
    except binascii.Error:
        raise HttpError(HTTPStatus.BAD_REQUEST, "The body is not base64.") from None


def cookies(event: Mapping[str, Any]) -> list[str]:
    """Return the ``Cookie`` headers of a request; API Gateway passes them in a separate field."""
    sent: list[str] = list(event.get("cookies") or ())
    header = event["headers"].get("cookie")
    return sent if header is None or sent else [header]


def origin(event: Mapping[str, Any]) -> str:
    """Return the scheme and host that the client used, also behind CloudFront (see template.yaml)."""
    headers = event["headers"]
    scheme = headers.get("x-forwarded-proto", "https")
    host = headers.get("x-viewer-host", "")
    if not _HOST.fullmatch(host):
        host = event["requestContext"]["domainName"]
    return f"{'http' if scheme == 'http' else 'https'}://{host}"
