"""The logs and metrics of all functions."""

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from timer_core.settings import stack_name

NAMESPACE = "IssueTimer"


def make_logger(service: str) -> Logger:
    """Return a logger that writes JSON lines with the request id."""
    return Logger(service=service, utc=True)


def publish(name: str, value: float, unit: MetricUnit = MetricUnit.Count, **properties: str) -> None:
    """Publish a metric (CloudWatch's embedded metric format), with the dimension ``stack``.

    CloudWatch charges for each metric, for the hours in which it has data. So the only metrics are those that
    an alarm reads, and states that are of interest for longer than logs are kept; everything else is counted
    from logs (docs/decisions/0016-metrics-and-alarms.md).

    Parameters
    ----------
    properties
        Additional fields of the log entry that contains the metric.
    """
    with single_metric(
        name=name,
        unit=unit,
        value=value,
        namespace=NAMESPACE,
        default_dimensions={"stack": stack_name()},
    ) as metric:
        for key, text in properties.items():
            metric.add_metadata(key, text)
