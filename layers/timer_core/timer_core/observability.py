"""The logs and metrics of all functions."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeAlias

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from timer_core.settings import settings

NAMESPACE = "IssueTimer"

ApiHandler: TypeAlias = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]


def make_logger(service: str) -> Logger:
    """Return a logger that writes JSON lines with the request id."""
    return Logger(service=service, utc=True)


def make_metrics(service: str) -> Metrics:
    """Return the metrics of a function (CloudWatch's embedded metric format).

    Each metric has the dimensions ``stack``, which separates the stacks of an account, and ``service``.
    """
    metrics = Metrics(namespace=NAMESPACE, service=service)
    metrics.set_default_dimensions(stack=settings().stack_name)
    return metrics


def count_requests(metrics: Metrics, *, routes_of: str = "") -> Callable[[ApiHandler], ApiHandler]:
    """Return a decorator that publishes the metrics of an API Gateway handler.

    The metrics are the duration of each request (``Latency``, in milliseconds), responses with status 500 or
    more (``ServerErrors``), and responses with status 429 (``ThrottledRequests``).

    Parameters
    ----------
    metrics
        The function's metrics. ``log_metrics``, which must be the outer decorator, publishes them after the
        handler.
    routes_of
        If set, each metric is also published for its route. The dimensions of this metric are then
        ``service`` (the value of this parameter) and ``route`` (the route's key in the template, without a
        trailing slash).
    """

    def decorate(handler: ApiHandler) -> ApiHandler:
        @wraps(handler)
        def counted(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
            started_s = time.perf_counter()
            response = handler(event, context)
            duration_ms = round((time.perf_counter() - started_s) * 1000, 3)
            if routes_of:
                metrics.add_dimensions(service=routes_of, route=event["routeKey"].rstrip("/"))
            metrics.add_metric("Latency", MetricUnit.Milliseconds, duration_ms)
            # CloudWatch charges for each hour in which a metric has data, so zeros are not published.
            if response["statusCode"] >= 500:
                metrics.add_metric("ServerErrors", MetricUnit.Count, 1)
            elif response["statusCode"] == 429:
                metrics.add_metric("ThrottledRequests", MetricUnit.Count, 1)
            return response

        return counted

    return decorate
