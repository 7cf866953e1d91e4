"""Logs, metrics and traces, the same in every function."""

from aws_lambda_powertools import Logger, Metrics

NAMESPACE = "IssueTimer"


def make_logger(service: str) -> Logger:
    """Return a logger of JSON lines that carry the request's id."""
    return Logger(service=service, utc=True)


def make_metrics(service: str) -> Metrics:
    """Return the metrics of a function (CloudWatch's embedded metric format)."""
    return Metrics(namespace=NAMESPACE, service=service)
