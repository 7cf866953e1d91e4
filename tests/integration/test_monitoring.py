"""template.yaml's alarms and dashboard use published metrics, and docs/runbook.md explains the alarms."""

from __future__ import annotations

import json
import math
import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from botocore.exceptions import ClientError

from fake_github import FakeGitHub
from tests.support.gateway import Client
from tests.support.handlers import loaded
from tests.support.network import Network, refusal
from tests.support.product import SECRET, TOKEN, Message, ago, new_team, product
from tests.support.template import ACCOUNT, STACK, template
from timer_core.clock import now_ms
from timer_core.github.webhooks.signature import sign
from timer_core.observability import NAMESPACE
from timer_core.store.people import Person
from timer_core.store.tokens import TokenStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from timer_core.store.table import Table

RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook.md"
DAY = 86_400
ALARMS = template().of_type("AWS::CloudWatch::Alarm")
# Each namespace of AWS's metrics has a map from its dimensions to the types of the resources that they name,
# and a set of the names of its metrics. Source: "Monitoring" in the documentation of each service.
AWS_METRICS: dict[str, tuple[dict[str, str], set[str]]] = {
    "AWS/SQS": (
        {"QueueName": "AWS::SQS::Queue"},
        {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"},
    ),
    "AWS/Lambda": ({"FunctionName": "AWS::Serverless::Function"}, {"Errors", "Throttles", "IteratorAge"}),
    "AWS/ApiGateway": ({"ApiId": "AWS::Serverless::HttpApi"}, {"Count", "Latency", "4xx", "5xx"}),
    "AWS/DynamoDB": ({"TableName": "AWS::DynamoDB::Table"}, {"ReadThrottleEvents", "WriteThrottleEvents"}),
}


class Metric(NamedTuple):
    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]

    def __str__(self) -> str:
        return " ".join(
            [self.namespace, self.name, *(f"{name}={value}" for name, value in sorted(self.dimensions))]
        )


def published(output: str) -> set[Metric]:
    """Return the metrics in the functions' output, which has CloudWatch's embedded metric format."""
    found = set()
    for line in output.splitlines():
        if not line.startswith('{"_aws"'):
            continue
        blob = json.loads(line)
        for directive in blob["_aws"]["CloudWatchMetrics"]:
            for names in directive["Dimensions"]:
                dimensions = frozenset((name, blob[name]) for name in names)
                for metric in directive["Metrics"]:
                    assert all(isinstance(value, float) for value in blob[metric["Name"]])
                    found.add(Metric(directive["Namespace"], metric["Name"], dimensions))
    return found


def logged(output: str) -> set[str]:
    """Return the messages and the fields of log lines; the name of a nested field is its path."""
    names = set()
    for line in output.splitlines():
        if line.startswith('{"level"'):
            entry = json.loads(line)
            names.add(entry["message"])
            for field, value in entry.items():
                names |= {field} | {f"{field}.{name}" for name in (value if isinstance(value, dict) else ())}
    return names


def watched_by(alarm: dict[str, Any]) -> Iterator[Metric]:
    """Yield the metrics that an alarm reads."""
    alarm = template().value(alarm)
    stats = [one["MetricStat"]["Metric"] for one in alarm.get("Metrics", ()) if "MetricStat" in one] or [
        alarm
    ]
    for one in stats:
        dimensions = frozenset((named["Name"], named["Value"]) for named in one.get("Dimensions", ()))
        yield Metric(one["Namespace"], one["MetricName"], dimensions)


def widgets() -> list[dict[str, Any]]:
    (dashboard,) = template().of_type("AWS::CloudWatch::Dashboard").values()
    parsed: list[dict[str, Any]] = json.loads(template().value(dashboard["DashboardBody"]))["widgets"]
    return parsed


def drawn() -> set[Metric]:
    """Return the metrics that the dashboard names."""
    found = set()
    for widget in widgets():
        for line in widget["properties"].get("metrics", ()):
            namespace, name, *pairs = (part for part in line if isinstance(part, str))
            found.add(Metric(namespace, name, frozenset(zip(pairs[::2], pairs[1::2], strict=True))))
    return found


def queries() -> dict[str, str]:
    """Return the dashboard's queries of logs, by the title of their widgets."""
    return {
        widget["properties"]["title"]: widget["properties"]["query"]
        for widget in widgets()
        if widget["type"] == "log"
    }


def refuse(**_: Any) -> None:
    raise ClientError({"Error": {"Code": "ServiceUnavailable", "Message": ""}}, "SendMessage")


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as github:
        yield github


@pytest.fixture(scope="module")
def product_output(shared_table: Table, github: FakeGitHub) -> str:
    """The logs and metrics that the functions write in many situations, including failures."""
    with redirect_stdout(StringIO()) as output, pytest.MonkeyPatch.context() as patch:
        token = TokenStore(shared_table).mint(Person(1, "octocat"), name="test", now_ms=now_ms())[1]
        with loaded("timelogs.api", shared_table.name, STACK_NAME=STACK, WRITES_PER_MINUTE="1") as timelogs:
            api = Client(timelogs.handler, token)
            statuses = [api("POST", "/api/timelogs/start/").status for _ in range(5)]
            assert (statuses[0], statuses[-1]) == (201, 429)
            network = Network(timelogs.shared.table.connection)
            network.every_request = refusal("ThrottlingException")
            assert api("GET", "/api/timelogs/").status == 429
            network.close()
        with product(shared_table, github.url, STACK_NAME=STACK) as running:
            for function in (running.receiver, running.processor, running.sweeper):
                # Loggers write to the standard output of their creation.
                patch.setattr(function.logger.registered_handler, "stream", output)
            team = new_team(github, running, size=1, t0=ago(2 * DAY // 60))
            issue = github.new_issue(github.new_repository(f"{team.name}/app"))
            github.assign(issue, team.people[0])
            github.assign(issue, github.new_user("unknown"))
            github.comment(issue, team.people[0], "/timer pause")
            team.deliver()
            assert running.receive({}, b"") == 401
            with patch.context() as broken:
                broken.setattr(running.queue, "send_message", refuse)
                github.close(issue)
                (lost,) = team.pop_deliveries()
                assert github.send(lost) == 503
            for receives in (0, 9):
                running.queue.waiting.append(Message("not JSON", "group", receives))
                running.process()
                running.queue.failed.clear()
            running.store_credential({"token": TOKEN})
            summary = running.sweep(stop_stale=True)
            assert summary["redelivery"] is not None
            assert summary["reconcile"] is not None
            patch.setattr(running.sweeper, "_repair", lambda *_arguments, **_options: 1 / 0)
            assert not running.sweep()["complete"]
    return output.getvalue()


def test_the_functions_publish_the_metrics_of_alarms_and_dashboard_and_no_others(product_output: str) -> None:
    """CloudWatch charges for each."""
    wanted = drawn().union(*(watched_by(alarm) for alarm in ALARMS.values()))
    assert {metric for metric in wanted if metric.namespace == NAMESPACE} == published(product_output)


@pytest.mark.parametrize("title", queries())
def test_a_query_of_the_dashboard_reads_what_is_logged(title: str, product_output: str) -> None:
    query = queries()[title]
    (group,) = re.findall(r"SOURCE '(.*?)'", query)
    (of,) = (name for name, one in template().of_type("AWS::Logs::LogGroup").items() if name == group)
    if of == "ApiLogGroup":
        names = {*json.loads(template().resources["HttpApi"]["Properties"]["AccessLogSettings"]["Format"])}
    else:
        names = logged(product_output) | {"accepted", "ignored", "@timestamp"}
    # Names that the query gives itself, and names of Logs Insights.
    defined = set(re.findall(r" as (\w+)", query))
    syntax = {
        "SOURCE",
        "fields",
        "filter",
        "stats",
        "sort",
        "limit",
        "sum",
        "count",
        "pct",
        "strcontains",
        "bin",
    }
    unquoted = re.sub(r"'.*?'", "", query)
    used = set(re.findall(r"@?[a-z][\w.]*", unquoted, re.IGNORECASE)) - {"as", "by", "desc", "m"} - defined
    used |= set(re.findall(r"'(.*?)'", query)) - {group}
    assert used - syntax <= names


@pytest.mark.parametrize(
    ("failed", "received", "is_alarm"),
    [
        (2, 2, False),
        (3, 3, True),
        (3, 19, True),
        (3, 21, False),
        (5, 59, True),
        (50, 1000, False),
        (53, 1000, True),
    ],
)
def test_deliveries_alarm_if_failures_exceed_a_twentieth_by_more_than_two(
    shared_table: Table, github: FakeGitHub, failed: int, received: int, is_alarm: bool
) -> None:
    alarm = ALARMS["WebhookFailureAlarm"]
    with product(shared_table, github.url, STACK_NAME=STACK) as running:
        values = {}
        for status, signed in ((401, {}), (200, {"x-hub-signature-256": sign(SECRET, b"{}")})):
            headers = {"x-github-event": "ping", "x-github-delivery": "1", "content-type": "application/json"}
            with redirect_stdout(StringIO()) as output:
                assert running.receive(headers | signed, b"{}") == status
            (line,) = (one for one in output.getvalue().splitlines() if one.startswith('{"_aws"'))
            (values[status],) = json.loads(line)[alarm["MetricName"]]
    total = failed * values[401] + (received - failed) * values[200]
    assert (alarm["Statistic"], alarm["ComparisonOperator"]) == ("Sum", "GreaterThanThreshold")
    assert (total > alarm["Threshold"]) is is_alarm


@pytest.mark.parametrize(
    ("slow", "requests", "is_alarm"),
    [
        ((0, 1, 0), 1, False),
        ((2, 2, 0), 5, False),
        ((1, 1, 1), 20, False),
        ((1, 1, 1), 3, True),
        ((4, 4, 4), 100, False),
        ((10, 10, 10), 100, True),
    ],
)
def test_slow_requests_alarm_if_they_are_a_twentieth_for_three_periods(
    slow: tuple[int, ...], requests: int, is_alarm: bool
) -> None:
    alarm = ALARMS["ApiLatencyAlarm"]
    assert (len(slow), alarm["ComparisonOperator"]) == (alarm["EvaluationPeriods"], "GreaterThanThreshold")
    share = float(alarm["ExtendedStatistic"].removeprefix("p")) / 100
    ranked = ([50] * (requests - count) + [5_000] * count for count in slow)
    percentiles = [latencies[math.ceil(share * requests) - 1] for latencies in ranked]
    assert (min(percentiles) > alarm["Threshold"]) is is_alarm


@pytest.mark.parametrize("metric", sorted(drawn().union(*map(watched_by, ALARMS.values())), key=str), ids=str)
def test_metrics_of_aws_name_resources_of_the_stack(metric: Metric) -> None:
    if metric.namespace == NAMESPACE:
        return
    kinds, names = AWS_METRICS[metric.namespace]
    assert metric.name in names
    dimensions = dict(metric.dimensions)
    if not dimensions:
        # All functions of the account.
        assert metric.name == "Throttles"
        return
    index = dimensions.pop("GlobalSecondaryIndexName", None)
    ((dimension, resource),) = dimensions.items()
    found = template().resources[resource]
    assert found["Type"] == kinds[dimension]
    if index is not None:
        assert index in {one["IndexName"] for one in found["Properties"]["GlobalSecondaryIndexes"]}


@pytest.mark.parametrize("name", ALARMS)
class TestAlarms:
    def test_each_alarm_notifies_the_topic(self, name: str) -> None:
        own = f"arn:aws:sns:us-east-1:{ACCOUNT}:own"
        alarm = template(AlarmEmail="ops@example.com", AlarmTopicArn=own).value(ALARMS[name])
        assert [action.rpartition(":")[2] for action in alarm["AlarmActions"]] == ["AlarmTopic", "own"]
        assert alarm["OKActions"] == alarm["AlarmActions"]
        assert template().value(ALARMS[name])["AlarmActions"] == []

    def test_each_alarm_is_within_cloudwatchs_limits(self, name: str) -> None:
        """An alarm's periods last a day at most, or a week if each lasts an hour or more (PutMetricAlarm)."""
        alarm = template().value(ALARMS[name])
        queries = [one["MetricStat"] for one in alarm.get("Metrics", ()) if "MetricStat" in one]
        (period,) = {one["Period"] for one in queries or [alarm]}
        assert period * alarm["EvaluationPeriods"] <= (7 * DAY if period >= 3_600 else DAY)

    def test_an_expression_reads_all_of_its_metrics_and_no_others(self, name: str) -> None:
        queries = template().value(ALARMS[name]).get("Metrics", ())
        read = {one["Id"] for one in queries if "MetricStat" in one}
        for one in queries:
            if "Expression" in one:
                assert set(re.findall(r"\b[a-z]+\b", one["Expression"])) == read

    def test_each_alarm_has_its_section_in_the_runbook(self, name: str) -> None:
        sections = re.split(r"^## ", RUNBOOK.read_text(), flags=re.MULTILINE)
        (section,) = (one for one in sections if one.splitlines()[0] == name)
        description = template().value(ALARMS[name])["AlarmDescription"]
        assert description in " ".join(section.split())
        for heading in ("What it means", "Look", "Do"):
            assert f"**{heading}.**" in section


def test_the_runbook_explains_existing_alarms_only() -> None:
    headings = re.findall(r"^## (\w+Alarm)$", RUNBOOK.read_text(), flags=re.MULTILINE)
    assert sorted(headings) == sorted(ALARMS)
