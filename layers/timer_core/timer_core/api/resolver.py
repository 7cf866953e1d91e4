"""Powertools' resolver: it validates requests by the routes' annotations, and describes them as OpenAPI.

Import this module on first use, because it imports pydantic (see `timer_core.api.direct`).
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from inspect import signature
from typing import Annotated, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import AfterValidator
from pydantic_core import from_json

from timer_core.api.conditional import NotModified
from timer_core.api.errors import InvalidRequest, error_response
from timer_core.api.models import printable
from timer_core.api.problems import HttpError
from timer_core.api.replies import Reply, to_json
from timer_core.api.requests import Request
from timer_core.domain.audit import MAX_REASON
from timer_core.domain.errors import ErrorCode, InvalidInput, NotFound

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

# The reason of a change by a DELETE request, which has no body.
ReasonParameter = Annotated[
    str,
    Query(description="Why; the audit log has it.", max_length=MAX_REASON),
    AfterValidator(printable),
]


class Resolver(APIGatewayHttpResolver):
    """The routes of a function, with our JSON, our errors, and the request that they answer.

    Parameters
    ----------
    again
        A function that returns the address of an error page's link "Try again", or None for no link.
    """

    def __init__(
        self, logger: Logger, again: Callable[[Mapping[str, Any]], str | None] = lambda _event: None
    ) -> None:
        super().__init__(enable_validation=True, json_body_deserializer=_parse_json, serializer=to_json)

        def refuse(error: Exception) -> Response[str]:
            event = self.current_event.raw_event
            response = error_response(translated(error), event, logger, again=again(event))
            headers = dict(response["headers"])
            return Response(response["statusCode"], headers.pop("content-type"), response["body"], headers)

        def not_modified(unchanged: NotModified) -> Response[Any]:
            return as_response(unchanged.reply)

        self.exception_handler(NotModified)(not_modified)
        self.exception_handler([HttpError, RequestValidationError, NotFoundError, Exception])(refuse)

    def answer(self, request: Request) -> dict[str, Any]:
        """Return the response to a request."""
        self.context["normalized"] = request
        return self.resolve(request.event, request.context)

    def present_request(self) -> Request:
        """Return the request that a route answers."""
        request: Request = self.context["normalized"]
        return request

    def refuse_other_methods(self, event: Mapping[str, Any]) -> None:
        """Refuse a method that a known path does not have (RFC 9110, section 15.5.6).

        API Gateway passes these requests to the functions, because its routes for any method match them.

        Raises
        ------
        HttpError
            405, with the path's methods in ``Allow``.
        """
        method, path = event["requestContext"]["http"]["method"], event["rawPath"]
        allowed = self._methods(path)
        if allowed and method not in allowed:
            raise HttpError(
                HTTPStatus.METHOD_NOT_ALLOWED,
                f"This path does not allow {method}.",
                {"Allow": ", ".join(sorted(allowed))},
            )

    def _methods(self, path: str) -> set[str]:
        # Powertools has no public list of its routes. A path such as /api/timelogs/start/ is not a timer's.
        for routes in (self._static_routes, self._dynamic_routes):
            methods = {route.method for route in routes if route.rule.match(path)}
            if methods:
                return methods | {"HEAD"} if "GET" in methods else methods
        return set()

    def refuse_unknown_parameters(self, route: Callable[..., Any]) -> None:
        """Refuse unknown query parameters, because ignoring a mistyped filter would select everything.

        Raises
        ------
        InvalidInput
            If the request has an unknown parameter.
        """
        known = {
            note.alias or name
            for name, parameter in signature(route).parameters.items()
            for note in getattr(parameter.annotation, "__metadata__", ())
            if isinstance(note, Query)
        }
        for name in self.present_request().parameters:
            if name not in known:
                raise InvalidInput(name, "Is not a parameter of this route.", ErrorCode.UNKNOWN_FIELD)


def as_response(reply: Reply) -> Response[Any]:
    """Return the reply of a route for Powertools, which compares a JSON body with the model of the route."""
    content_type = None if isinstance(reply.body, str) else "application/json"
    # Powertools writes the texts of the cookies, so that they need not be its own objects.
    cookies: list[Any] = [*reply.cookies]
    return Response(reply.status.value, content_type, reply.body, reply.headers, cookies)


def _parse_json(text: str) -> Any:
    """Parse a body.

    Raises
    ------
    RequestValidationError
        If the text is not JSON (RFC 8259), is nested too deeply, or contains an infinite number.
    """
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError as error:
        detail = {"loc": ("body",), "msg": f"Not valid JSON: {error}", "type": "json_invalid"}
        raise RequestValidationError([detail]) from None


def translated(error: Exception) -> Exception:
    """Return an error of Powertools as one of ours, and any other error as it is."""
    if isinstance(error, NotFoundError):
        return NotFound("This path does not exist.")
    if not isinstance(error, RequestValidationError):
        return error
    paths = [detail["loc"] for detail in error.errors()]
    if any(path[:1] == ("response",) for path in paths):
        # Powertools raises the same error for a body of ours that does not match its model. The values, which
        # may be personal, stay out of the log.
        return ValueError(f"The response does not match its model: {paths}")
    return InvalidRequest([_field_error(detail) for detail in error.errors()])


def _field_error(detail: Mapping[str, Any]) -> dict[str, Any]:
    """Return the public form of one of pydantic's errors."""
    return {
        "loc": list(detail["loc"]),
        "msg": detail["msg"],
        "code": _CODES.get(detail["type"], ErrorCode.INVALID_VALUE),
    }
