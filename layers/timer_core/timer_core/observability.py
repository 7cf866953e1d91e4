"""Logs, metrics and traces, the same in every function."""

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
    """Return a logger of JSON lines that carry the request's id."""
    return Logger(service=service, utc=True)


def make_metrics(service: str) -> Metrics:
    """Return the metrics of a function (CloudWatch's embedded metric format).

    Each has the dimensions ``stack``, so that two stacks of one account are kept apart, and ``service``.
    """
    metrics = Metrics(namespace=NAMESPACE, service=service)
    metrics.set_default_dimensions(stack=settings().stack_name)
    return metrics


def count_requests(metrics: Metrics, *, routes_of: str = "") -> Callable[[ApiHandler], ApiHandler]:
    """Have a handler of API Gateway's requests measured.

    Counted are the time of each request (``Latency``, in milliseconds), whether it failed on our side
    (``ServerErrors``) and whether too much was asked for (``ThrottledRequests``).

    Parameters
    ----------
    metrics
        Published after the handler by ``log_metrics``, which has to stand before this.
    routes_of
        A service of which each route is counted by itself too, named as in the template but for the slash at
        its end: there are as many more metrics as it has routes.
    """

    def decorate(handler: ApiHandler) -> ApiHandler:
        @wraps(handler)
        def counted(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
            started_s = time.perf_counter()
            answer = handler(event, context)
            taken_ms = round((time.perf_counter() - started_s) * 1000, 3)
            if routes_of:
                metrics.add_dimensions(service=routes_of, route=event["routeKey"].rstrip("/"))
            metrics.add_metric("Latency", MetricUnit.Milliseconds, taken_ms)
            # CloudWatch charges for each metric by the hours in which there is anything of it.
            if answer["statusCode"] >= 500:
                metrics.add_metric("ServerErrors", MetricUnit.Count, 1)
            elif answer["statusCode"] == 429:
                metrics.add_metric("ThrottledRequests", MetricUnit.Count, 1)
            return answer

        return counted

    return decorate
