"""template.yaml's alarms and dashboard use published metrics, and docs/runbook.md explains the alarms."""

from __future__ import annotations

import json
import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from botocore.exceptions import ClientError

from tests.support.fake_github import FakeGitHub
from tests.support.gateway import Client
from tests.support.handlers import loaded
from tests.support.product import TOKEN, Message, ago, new_team, product
from tests.support.template import ACCOUNT, STACK, template
from timer_core.clock import now_ms
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


def watched_by(alarm: dict[str, Any]) -> Iterator[Metric]:
    """Yield the metrics that an alarm reads."""
    alarm = template().value(alarm)
    stats = [one["MetricStat"]["Metric"] for one in alarm.get("Metrics", ()) if "MetricStat" in one] or [
        alarm
    ]
    for one in stats:
        dimensions = frozenset((dimension["Name"], dimension["Value"]) for dimension in one["Dimensions"])
        yield Metric(one["Namespace"], one["MetricName"], dimensions)


def widgets() -> list[dict[str, Any]]:
    (dashboard,) = template().of_type("AWS::CloudWatch::Dashboard").values()
    parsed: list[dict[str, Any]] = json.loads(template().value(dashboard["DashboardBody"]))["widgets"]
    return parsed


def drawn() -> set[Metric]:
    """Return the metrics that the dashboard names, except those in search expressions."""
    found = set()
    for widget in widgets():
        for line in widget["properties"]["metrics"]:
            if isinstance(line[0], str):
                namespace, name, *pairs = (part for part in line if isinstance(part, str))
                found.add(Metric(namespace, name, frozenset(zip(pairs[::2], pairs[1::2], strict=True))))
    return found


def refuse(**_: Any) -> None:
    raise ClientError({"Error": {"Code": "ServiceUnavailable", "Message": ""}}, "SendMessage")


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as github:
        yield github


@pytest.fixture(scope="module")
def product_metrics(shared_table: Table, github: FakeGitHub) -> set[Metric]:
    """The metrics that the functions publish in many situations, including failures."""
    with redirect_stdout(StringIO()) as output, pytest.MonkeyPatch.context() as patch:
        token = TokenStore(shared_table).mint(Person(1, "octocat"), name="test", now_ms=now_ms())[1]
        with loaded("timelogs.api", shared_table.name, STACK_NAME=STACK, WRITES_PER_MINUTE="1") as timelogs:
            api = Client(timelogs.handler, token)
            statuses = [api("POST", "/api/timelogs/start/").status for _ in range(5)]
            assert (statuses[0], statuses[-1]) == (201, 429)
            patch.setattr(timelogs.shared.timers, "page", lambda *_arguments, **_options: 1 / 0)
            assert api("GET", "/api/timelogs/").status == 500
        with product(shared_table, github.url, STACK_NAME=STACK) as running:
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
    return published(output.getvalue())


def test_the_functions_publish_every_metric_of_alarms_and_dashboard(product_metrics: set[Metric]) -> None:
    wanted = drawn().union(*(watched_by(alarm) for alarm in ALARMS.values()))
    assert {metric for metric in wanted if metric.namespace == NAMESPACE} - product_metrics == set()


def test_every_metric_of_a_route_on_the_dashboard_is_published(product_metrics: set[Metric]) -> None:
    of_routes = {
        (metric.name, frozenset(name for name, _ in metric.dimensions))
        for metric in product_metrics
        if "route" in dict(metric.dimensions)
    }
    for widget in widgets():
        for line in widget["properties"]["metrics"]:
            if isinstance(line[0], dict):
                (schema,) = re.findall(r"\{(.*?)\}", line[0]["expression"])
                (name,) = re.findall(r'MetricName="(\w+)"', line[0]["expression"])
                namespace, *dimensions = schema.split(",")
                assert namespace == NAMESPACE
                assert (name, frozenset(dimensions)) in of_routes


def test_metrics_have_only_the_templates_routes(product_metrics: set[Metric]) -> None:
    routes = {route for metric in product_metrics if (route := dict(metric.dimensions).get("route"))}
    assert routes == {"GET /api/timelogs", "POST /api/timelogs/start"}


@pytest.mark.parametrize("metric", sorted(drawn().union(*map(watched_by, ALARMS.values())), key=str), ids=str)
def test_metrics_of_aws_name_resources_of_the_stack(metric: Metric) -> None:
    if metric.namespace == NAMESPACE:
        return
    kinds, names = AWS_METRICS[metric.namespace]
    assert metric.name in names
    dimensions = dict(metric.dimensions)
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
