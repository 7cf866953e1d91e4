"""The OpenAPI documentation of responses."""

from typing import Any

from pydantic import BaseModel

from timer_core.api.models import Problem
from timer_core.api.problems import CONTENT_TYPE

_DESCRIPTIONS = {
    200: "Success",
    201: "Created",
    202: "Accepted: the deletion continues in the background; repeating the request speeds it up",
    204: "Success, without a body",
    304: "Not modified (elapsed time is ignored)",
    400: "The request is not valid, or the timer's state does not allow it",
    401: "Credentials are missing or invalid",
    403: "Forbidden",
    404: "Not found",
    409: "A confirmed day would change; the body names its date",
    412: "Changed since the response that had the ETag in If-Match",
    413: "The body is too large",
    415: "The body is not JSON",
    428: "The header If-Match is missing",
    429: "Too many changes; try again later",
    500: "Internal error, logged under the request_id of the response",
}


def responses(*statuses: int, model: type[BaseModel] | None = None) -> dict[int, Any]:
    """Return the documentation of a route's responses; 429 and 500 are always possible.

    ``model`` is the body of a 201; the body of a 200 is the return type of the route.
    """
    documented: dict[int, Any] = {}
    for status in (*statuses, 429, 500):
        documented[status] = {"description": _DESCRIPTIONS[status]}
        if status >= 400:
            documented[status]["content"] = {CONTENT_TYPE: {"model": Problem}}
        elif status == 201 and model is not None:
            documented[status]["content"] = {"application/json": {"model": model}}
    return documented
