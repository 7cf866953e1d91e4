"""The OpenAPI document of the REST API, generated from its routes."""

import json
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.openapi.models import HTTPBearer, License, Tag
from timer_core import __version__
from timer_core.api.models import Problem, TimeLog
from timer_core.api.problems import CONTENT_TYPE

_DESCRIPTIONS = {
    200: "Done",
    201: "Created",
    204: "Deleted",
    400: "The request is not valid, or the timer's state does not allow it",
    401: "No credentials, or none that are valid",
    403: "Somebody else's timer",
    404: "No such timer",
    413: "The body is too large",
    415: "The body is not JSON",
    429: "Too many changes at once; try again",
    500: "An error on our side, with the id under which it is logged",
}


def responses(*statuses: int) -> dict[int, Any]:
    """Return the documentation of a route's answers; 429 and 500 can always happen."""
    documented: dict[int, Any] = {}
    for status in (*statuses, 429, 500):
        documented[status] = {"description": _DESCRIPTIONS[status]}
        if status >= 400:
            documented[status]["content"] = {CONTENT_TYPE: {"model": Problem}}
        elif status == 201:
            documented[status]["content"] = {"application/json": {"model": TimeLog}}
    return documented


def document(app: APIGatewayHttpResolver) -> str:
    """Return the document (OpenAPI 3.1, JSON)."""
    schema = app.get_openapi_json_schema(
        title="Issue Timer",
        version=__version__,
        description="Time tracking for GitHub issues. Times are UTC (RFC 3339), durations seconds.",
        license_info=License(name="Apache-2.0", identifier="Apache-2.0"),
        tags=[Tag(name="timers"), Tag(name="operation")],
        security_schemes={"token": HTTPBearer(bearerFormat="itt_...")},
        security=[{"token": []}],
    )
    written = json.loads(schema)
    # Powertools documents its own answer to invalid requests; ours is a 400 with a problem.
    for operations in written["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        written["components"]["schemas"].pop(name, None)
    return json.dumps(written, indent=2, ensure_ascii=False) + "\n"
