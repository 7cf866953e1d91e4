"""The routes for those who operate the deployment: everybody's open timers, health, and the specification."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from timelogs import operation
from timelogs.routes.app import app, current_request, response
from timelogs.shared import names, table, timers
from timer_core.api import requests
from timer_core.api.cursors import decode_cursor, encode_cursor
from timer_core.api.models import DeliveriesOfDay, HealthDetails, HealthReport, OpenTimerPage
from timer_core.api.replies import Reply
from timer_core.api.representations import timer_facts
from timer_core.api.resolver import as_response
from timer_core.api.responses import responses
from timer_core.store.hooks import HookStore
from timer_core.store.positions import OpenTimersCursor


@app.get(
    "/api/admin/timers/",
    summary="For admins: list everybody's open timers",
    operation_id="list_open_timers",
    responses=responses(200, 400, 401, 403),
    tags=["operation"],
)
def list_open_timers(
    cursor: Annotated[str | None, Query(description="The cursor in a page's next", max_length=200)] = None,
) -> Response[OpenTimerPage]:
    """Return a page of all open timers, in no particular order."""
    app.refuse_unknown_parameters(list_open_timers)
    current_request().caller.require_admin()
    now = current_request().now_ms
    page, after = timers.open_page(None if cursor is None else decode_cursor(cursor, OpenTimersCursor.parse))
    following = None
    if after is not None:
        origin = requests.origin(current_request().event)
        following = f"{origin}/api/admin/timers/?cursor={encode_cursor(after)}"
    results = [timer_facts(timer, now) for timer in names.of(page, now_ms=now)]
    return as_response(Reply(HTTPStatus.OK, {"next": following, "results": results}))


@app.get(
    "/api/admin/health/",
    summary="For admins: get the health of the deployment in detail",
    operation_id="health_details",
    responses=responses(200, 401, 403),
    tags=["operation"],
)
def get_health_details() -> Response[HealthDetails]:
    """Return the numbers of deliveries per day, and the webhooks that sent them."""
    current_request().caller.require_admin()
    days = [
        DeliveriesOfDay(day=day, processed=processed, failed=failed)
        for day, processed, failed in operation.health_store.days()
    ]
    hooks = [hook.path for hook in HookStore(table).known()]
    return response(HTTPStatus.OK, HealthDetails(deliveries=days, webhooks=hooks))


@app.get(
    "/api/health/",
    summary="Get the health of the deployment",
    description="The figures are up to a minute old.",
    operation_id="health",
    responses=responses(200),
    tags=["operation"],
    security=[],
)
def get_health() -> Response[HealthReport]:
    """Return counts without personal data."""
    return as_response(operation.get_health(current_request()))


@app.get("/api/openapi.json", include_in_schema=False)
def get_specification() -> Response[str]:
    """Return the description of the API."""
    return as_response(operation.get_specification(current_request()))
