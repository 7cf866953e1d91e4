"""The function `timelogs`: the routes of timers and timesheets, and those for admins and monitoring."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

# These modules add their routes to the app.
from timelogs import corrections, operation, reading, shared, timeline, timesheets, transitions  # noqa: F401
from timelogs.shared import app, guard, logger
from timer_core import startup
from timer_core.api import requests
from timer_core.clock import now_ms
from timer_core.observability import count_requests, make_metrics

metrics = make_metrics("timelogs")


@startup.completes
@logger.inject_lambda_context(correlation_id_path="requestContext.requestId")
@metrics.log_metrics
@count_requests(metrics, routes_of="timelogs")
@requests.answer_head
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a request of API Gateway (HTTP API, payload format 2.0)."""
    return guard.handle(
        app, event, lambda: app.resolve(event, context), now_ms=now_ms(), is_public=_is_public
    )


def _is_public(path: str) -> bool:
    return not path.startswith(("/api/timelogs/", "/api/timeline/", "/api/timesheets/", "/api/admin/"))
