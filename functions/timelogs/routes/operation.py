"""The routes for those who operate the deployment: everybody's open timers, health, and the specification."""

from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from timelogs import operation
from timelogs.routes.app import app, current_request, response
from timelogs.shared import names, table, timers, visible_people
from timer_core.api import requests
from timer_core.api.cursors import decode_cursor, encode_cursor
from timer_core.api.models import (
    ConnectedWebhook,
    DeliveriesOfDay,
    DeliveryReport,
    GitHubConnection,
    GitHubReport,
    HealthDetails,
    HealthReport,
    OpenTimerPage,
)
from timer_core.api.replies import Reply
from timer_core.api.representations import hidden_timer, timer_facts
from timer_core.api.resolver import as_response
from timer_core.api.responses import responses
from timer_core.api.times import to_time
from timer_core.github.messages import APP_HOOK
from timer_core.settings import settings
from timer_core.store.health import DeliveryDay, LastDelivery
from timer_core.store.hooks import HookStore, KnownHook
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
    """Return a page of all open timers, in no particular order.

    Of the timers of people whose time the admin does not see, the page has only what stopping them takes.
    """
    app.refuse_unknown_parameters(list_open_timers)
    current_request().caller.require_admin()
    now = current_request().now_ms
    page, after = timers.open_page(None if cursor is None else decode_cursor(cursor, OpenTimersCursor.parse))
    following = None
    if after is not None:
        origin = requests.origin(current_request().event)
        following = f"{origin}/api/admin/timers/?cursor={encode_cursor(after)}"
    seen = visible_people(current_request(), {timer.user_id for timer in page})
    results = [
        timer_facts(timer, now) if timer.user_id in seen else hidden_timer(timer)
        for timer in names.of(page, now_ms=now)
    ]
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
    days = [_deliveries(day) for day in operation.health_store.days()]
    hooks = [hook.path for hook in HookStore(table).known()]
    return response(HTTPStatus.OK, HealthDetails(deliveries=days, webhooks=hooks))


@app.get(
    "/api/admin/github/",
    summary="For admins: get how the deployment is connected with GitHub",
    operation_id="github_connection",
    responses=responses(200, 401, 403),
    tags=["operation"],
)
def get_github_connection() -> Response[GitHubConnection]:
    """Return the webhooks, the credential's kind and the last delivery."""
    request = current_request()
    request.caller.require_admin()
    days, hooks = operation.health_store.days(), HookStore(table).known()
    credential, cannot = operation.health_store.github()
    last = next((day.last for day in reversed(days) if day.last), None)
    refused_ms = next((day.refused_ms for day in reversed(days) if day.refused_ms), None)
    yesterday = f"{to_time(request.now_ms) - timedelta(days=1):%Y-%m-%d}"
    shown = GitHubConnection(
        connection=_connection(credential, hooks, has_delivery=last is not None),
        stack=settings().stack_name,
        local_port=settings().local_port,
        webhook_url=f"{requests.origin(request.event)}/api/github-timer-webhook/",
        github_url=settings().github_url,
        github=GitHubReport(credential=credential, cannot=[*cannot]),
        webhooks=[_webhook(hook) for hook in hooks],
        last_delivery=None if last is None else _report(last),
        last_refused=None if refused_ms is None else to_time(refused_ms),
        deliveries=[_deliveries(day) for day in days if day.date >= yesterday],
    )
    return response(HTTPStatus.OK, shown)


def _connection(
    credential: str | None, hooks: Sequence[KnownHook], *, has_delivery: bool
) -> Literal["app", "token", "webhook", "none"]:
    if credential == "app" or any(hook.path == APP_HOOK for hook in hooks):
        return "app"
    if credential == "token":
        return "token"
    return "webhook" if hooks or has_delivery else "none"


def _webhook(hook: KnownHook) -> ConnectedWebhook:
    repaired = None if hook.repaired_ms is None else to_time(hook.repaired_ms)
    if hook.path == APP_HOOK:
        return ConnectedWebhook(kind="app", name=None, repaired=repaired)
    # /orgs/<login>/hooks/<id> or /repos/<owner>/<name>/hooks/<id>
    _, kind, *name, _, _ = hook.path.split("/")
    return ConnectedWebhook(
        kind="organization" if kind == "orgs" else "repository", name="/".join(name), repaired=repaired
    )


def _report(last: LastDelivery) -> DeliveryReport:
    return DeliveryReport(
        event=last.event,
        source=last.source or None,
        received=to_time(last.received_ms),
        state=last.state,
        reason=last.reason or None,
    )


def _deliveries(day: DeliveryDay) -> DeliveriesOfDay:
    return DeliveriesOfDay(day=day.date, processed=day.processed, ignored=day.ignored, failed=day.failed)


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
