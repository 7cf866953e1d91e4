"""What the routes document of their answers."""

from typing import Any

from pydantic import BaseModel

from timer_core.api.models import Problem
from timer_core.api.problems import CONTENT_TYPE

_DESCRIPTIONS = {
    200: "Done",
    201: "Created",
    202: "Begun; it goes on by itself, and sooner if you ask again",
    204: "Deleted",
    304: "Nothing has changed but the time of what runs",
    400: "The request is not valid, or the timer's state does not allow it",
    401: "No credentials, or none that are valid",
    403: "Not for you, or not with these credentials",
    404: "There is no such thing",
    413: "The body is too large",
    415: "The body is not JSON",
    429: "Too many changes; try again later",
    500: "An error on our side, with the id under which it is logged",
}


def responses(*statuses: int, model: type[BaseModel] | None = None) -> dict[int, Any]:
    """Return the documentation of a route's answers; 429 and 500 can always happen.

    ``model`` is what a 201 holds; what a 200 holds is known from the route.
    """
    documented: dict[int, Any] = {}
    for status in (*statuses, 429, 500):
        documented[status] = {"description": _DESCRIPTIONS[status]}
        if status >= 400:
            documented[status]["content"] = {CONTENT_TYPE: {"model": Problem}}
        elif status == 201 and model is not None:
            documented[status]["content"] = {"application/json": {"model": model}}
    return documented
