"""The function `schedule`: the API of working hours, exceptions, holidays and settings."""

from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from schedule import shared
from schedule.direct import direct
from timer_core import startup
from timer_core.api import requests
from timer_core.clock import now_ms

if TYPE_CHECKING:
    from timer_core.api.resolver import Resolver


@startup.completes
@shared.logger.inject_lambda_context(correlation_id_path="requestContext.requestId")
@requests.answer_head
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a request of API Gateway (HTTP API, payload format 2.0)."""
    return shared.guard.handle(event, context, now_ms=now_ms(), direct=direct, resolver=resolver)


@cache
def resolver() -> "Resolver":
    """Return all routes of the function."""
    # Import on first use, because most cold starts need only the direct routes (see `timer_core.api.direct`).
    from schedule.webhook_routes import app

    return app
