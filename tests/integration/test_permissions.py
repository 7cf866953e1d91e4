"""Each function uses all of its permissions in AWS.

The other tests of this folder check that no function needs more permissions, because
tests/integration/conftest.py evaluates the functions' policies for every call.
"""

from __future__ import annotations

import json
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from tests.support.browser import ORIGIN, Browser
from tests.support.connection import REGION
from tests.support.live import add_connection
from tests.support.permissions import Call, acting_as, guard, is_allowed, statements_of
from tests.support.product import SECRET, TOKEN, Message, Product, ago, new_team, product
from tests.support.template import ACCOUNT, template, translated
from tests.support.write_back import FIELD, write_back
from timer_core import settings
from timer_core.api.times import format_time, to_time
from timer_core.clients import client
from timer_core.clock import now_ms
from timer_core.domain.schedule import DAY_MS, local_date
from timer_core.secrets import SESSION_STAGE, WEBHOOK_STAGE, RotatingSecret
from timer_core.store.calendars import Calendars

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fake_github import FakeGitHub
    from tests.support.app import App
    from timer_core.store.table import Table

TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/TimerTable"
FUNCTIONS = sorted(template().of_type("AWS::Serverless::Function"))
# Permissions that Lambda itself uses on behalf of a function, for logs, traces and the queue.
BY_LAMBDA = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
FOR_THE_QUEUE = {"sqs:GetQueueAttributes", "sqs:ReceiveMessage"}
# The URL that moto gives the queue.
WRITE_BACK_URL = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/write-back.fifo"
BY_LAMBDA_FOR_FAILED_RUNS = (
    "sqs:SendMessage",
    template().value({"!GetAtt": "BackgroundDeadLetterQueue.Arn"}),
)


class TestEvaluation:
    """The evaluation of policies supports everything that template.yaml uses."""

    ALLOW: Mapping[str, Any] = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": TABLE}
    NO_TOKENS: Mapping[str, Any] = {
        "Effect": "Deny",
        "Action": "dynamodb:*",
        "Resource": TABLE,
        "Condition": {"ForAnyValue:StringLike": {"dynamodb:LeadingKeys": "token#*"}},
    }

    def test_a_call_without_a_statement_is_not_allowed(self) -> None:
        assert not is_allowed(Call("dynamodb:GetItem", TABLE), [])

    @pytest.mark.parametrize(
        ("action", "resource", "allowed"),
        [
            ("dynamodb:GetItem", TABLE, True),
            ("dynamodb:getitem", TABLE, True),
            ("dynamodb:PutItem", TABLE, False),
            ("dynamodb:GetItem", TABLE.lower(), False),
            ("dynamodb:GetItem", f"{TABLE}/index/by-start", False),
            ("dynamodb:GetItem", f"{TABLE}2", False),
        ],
    )
    def test_a_statement_must_name_action_and_resource(
        self, action: str, resource: str, allowed: bool
    ) -> None:
        assert is_allowed(Call(action, resource), [self.ALLOW]) is allowed

    @pytest.mark.parametrize(
        ("pattern", "allowed"),
        [("dynamodb:*", True), ("dynamodb:?etItem", True), ("*", True), ("sqs:*", False)],
    )
    def test_a_pattern_allows_all_matching_actions(self, pattern: str, allowed: bool) -> None:
        assert is_allowed(Call("dynamodb:GetItem", TABLE), [{**self.ALLOW, "Action": pattern}]) is allowed

    @pytest.mark.parametrize(
        ("keys", "allowed"),
        [(("user#1",), True), (("user#1", "token#a"), False), (("token#a",), False), ((), True)],
    )
    def test_a_denied_call_is_not_allowed(self, keys: tuple[str, ...], allowed: bool) -> None:
        call = Call("dynamodb:GetItem", TABLE, keys)
        assert is_allowed(call, [self.ALLOW, self.NO_TOKENS]) is allowed

    @pytest.mark.parametrize(
        ("keys", "allowed"),
        [(("user#1",), True), (("user#1", "state#a"), True), (("user#1", "token#a"), False), (("x",), False)],
    )
    def test_a_call_on_some_keys_is_allowed_if_all_of_its_keys_are(
        self, keys: tuple[str, ...], allowed: bool
    ) -> None:
        own = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["user#*", "state#*"]}}
        call = Call("dynamodb:GetItem", TABLE, keys)
        assert is_allowed(call, [{**self.ALLOW, "Condition": own}]) is allowed

    def test_an_unsupported_condition_fails_an_assertion(self) -> None:
        other = {**self.ALLOW, "Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}}
        with pytest.raises(AssertionError):
            is_allowed(Call("dynamodb:GetItem", TABLE), [other])

    def test_a_refused_call_gets_the_error_of_aws(self, shared_table: Table) -> None:
        with acting_as("WebhookProcessFunction", {shared_table.name: "TimerTable"}):
            assert shared_table.get("user#1", "profile") is None
            with pytest.raises(ClientError, match="AccessDenied"):
                shared_table.get("token#a", "token")
        (refused,) = guard.refused
        assert refused == ("WebhookProcessFunction", Call("dynamodb:GetItem", TABLE, ("token#a",)))
        guard.refused.clear()


# ---------------------------------------------------------------------- granted permissions


@pytest.mark.parametrize("function", FUNCTIONS)
def test_only_logs_and_traces_are_granted_on_all_resources(function: str) -> None:
    for statement in statements_of(function):
        # Connections have no names of their own.
        resources = str(statement["Resource"]).replace(":log-group:", "").replace("/@connections/*", "")
        if statement["Effect"] == "Allow" and "*" in resources:
            actions = statement["Action"]
            assert all(action.startswith(("xray:", "logs:")) for action in actions), statement
        assert "*" not in str(statement["Action"]) or statement["Effect"] == "Deny"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_only_a_function_itself_writes_to_its_log_group(function: str) -> None:
    group = template().value(template().resources[function]["Properties"]["LoggingConfig"]["LogGroup"])
    assert group == function.removesuffix("Function") + "LogGroup"
    writing = Call("logs:PutLogEvents", template().value({"!GetAtt": f"{group}.Arn"}))
    assert [name for name in FUNCTIONS if is_allowed(writing, statements_of(name))] == [function]


@pytest.mark.parametrize(
    ("function", "allowed"),
    [
        ("WebhookProcessFunction", set()),
        ("WriteBackFunction", set()),
        ("TimesheetsFunction", set()),
        ("StaleSweeperFunction", {"DeleteItem"}),
    ],
)
def test_the_background_functions_cannot_use_tokens(function: str, allowed: set[str]) -> None:
    """The sweeper may delete tokens for account deletions, but may not find, read or create tokens."""
    actions = ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "BatchGetItem", "Query")
    calls = {action: Call(f"dynamodb:{action}", TABLE, ("token#a",)) for action in actions}
    assert {action for action in actions if is_allowed(calls[action], statements_of(function))} == allowed


@pytest.mark.parametrize(
    ("key", "allowed"),
    [("user#1", True), ("state#a", True), ("token#a", False), ("issue#1#1", False), ("github", False)],
)
def test_the_live_function_uses_items_of_people_and_tickets_only(key: str, allowed: bool) -> None:
    for action in ("GetItem", "PutItem", "UpdateItem"):
        call = Call(f"dynamodb:{action}", TABLE, (key,))
        assert is_allowed(call, statements_of("LiveFunction")) is allowed


@pytest.mark.parametrize(
    ("action", "key", "allowed"),
    [
        ("BatchGetItem", "outgoing-webhooks", True),
        ("BatchGetItem", "user#1", True),
        ("BatchGetItem", "hook#1", True),
        ("UpdateItem", "hook#1", True),
        ("BatchGetItem", "token#a", False),
        ("BatchGetItem", "settings", False),
        ("UpdateItem", "user#1", False),
        ("UpdateItem", "outgoing-webhooks", False),
        ("PutItem", "hook#1", False),
        ("Query", "user#1", False),
    ],
)
def test_the_function_that_calls_outgoing_webhooks_has_access_to_nothing_else(
    action: str, key: str, allowed: bool
) -> None:
    call = Call(f"dynamodb:{action}", TABLE, (key,))
    assert is_allowed(call, statements_of("HooksFunction")) is allowed
    others = {
        granted.partition(":")[0]
        for statement in statements_of("HooksFunction")
        for granted in _listed(statement["Action"])
    }
    assert others == {"logs", "dynamodb", "sqs", "xray"}


@pytest.mark.parametrize(
    ("stage", "readers"),
    [
        (
            SESSION_STAGE,
            ["AuthFunction", "LiveFunction", "ReportsFunction", "ScheduleFunction", "TimelogsFunction"],
        ),
        (WEBHOOK_STAGE, ["WebhookReceiveFunction"]),
        ("", []),
        ("AWSPREVIOUS", []),
    ],
)
def test_a_function_reads_only_the_key_that_it_needs(stage: str, readers: list[str]) -> None:
    """Both keys are versions of one secret; a request without a staging label could read either by its id."""
    keys = template().value({"!Ref": "SigningKeys"})
    reading = Call("secretsmanager:GetSecretValue", keys, stage=stage)
    assert [name for name in FUNCTIONS if is_allowed(reading, statements_of(name))] == readers


# ---------------------------------------------------------------------- used permissions


def unused(function: str) -> set[tuple[str, str]]:
    """Return the permissions that a function has not used, as pairs of action and resource."""
    granted = {
        (action, resource)
        for statement in statements_of(function)
        if statement["Effect"] == "Allow"
        for action in _listed(statement["Action"])
        for resource in _listed(statement["Resource"])
        if action not in BY_LAMBDA
    }

    def is_used(action: str, resource: str) -> bool:
        permission = {"Effect": "Allow", "Action": action, "Resource": resource}
        return any(is_allowed(call, [permission]) for call in guard.calls.get(function, ()))

    return {permission for permission in granted if not is_used(*permission)}


def export(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Export a report through Lambda's API, which runs nothing."""
    with mock_aws(config={"lambda": {"use_docker": False}}):
        role = boto3.client("iam").create_role(RoleName="exports", AssumeRolePolicyDocument="{}")
        package = BytesIO()
        with ZipFile(package, "w") as archive:
            archive.writestr("exports.py", "")
        boto3.client("lambda").create_function(
            FunctionName="exports",
            Runtime="python3.13",
            Role=role["Role"]["Arn"],
            Handler="exports.handler",
            Code={"ZipFile": package.getvalue()},
        )
        monkeypatch.setattr(import_module("reports.exporting"), "_lambda", lambda: client("lambda"))
        assert browser("POST", "/api/reports/export/").status == 202


def test_the_api_uses_all_of_its_permissions(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    browser, _ = app.signed_in()
    started = browser("POST", "/api/timelogs/start/", {"github_repo": "a/b", "github_issue_number": 1}).json()
    # Signing in cached the user; with empty caches, the timelogs function reads the user from the table.
    app.cold_start()
    # Only timers whose start has moved are in the index by-start.
    earlier = {"start_time": format_time(to_time(app.clock.ms - 60_000))}
    assert browser("PATCH", f"/api/timelogs/{started['id']}/", earlier).status == 200
    assert browser("GET", "/api/timelogs/").status == 200
    assert browser("GET", "/api/timelogs/?end_time__isnull=true").status == 200
    assert browser("DELETE", f"/api/timelogs/{started['id']}/").status == 204
    (day, *_) = browser("GET", "/api/timesheets/?from=2026-01-01&to=2026-01-01").json()["days"]
    path = f"/api/timesheets/{day['date']}/confirm/"
    confirmed = browser("POST", path, if_match=day["etag"])
    assert browser("DELETE", path, if_match=confirmed.json()["etag"]).status == 200
    admin, _ = app.signed_in(app.new_person("boss"))
    browser("POST", "/api/timelogs/start/", {})
    target: str | None = "/api/admin/timers/"
    while target:
        target = (admin("GET", target.removeprefix(ORIGIN)).json())["next"]
    assert admin("GET", "/api/admin/health/").status == 200
    assert unused("TimelogsFunction") == set()
    # The preview of another schedule reads the days that are confirmed.
    (day, *_) = admin("GET", "/api/timesheets/?from=2026-01-01&to=2026-01-01").json()["days"]
    assert admin("POST", f"/api/timesheets/{day['date']}/confirm/", if_match=day["etag"]).status == 200
    app.cold_start()
    assert admin("PUT", "/api/admin/settings/", {"overtime_hours": 1}).status == 200
    assert admin("PUT", "/api/admin/settings/", {"overtime_hours": 2}).status == 200
    assert admin("PUT", "/api/schedule/", {"time_zone": "UTC", "week": None}).status == 200
    past = {"time_zone": "UTC", "week": {}, "valid_from": "2025-12-15"}
    assert admin("PUT", "/api/schedule/?preview=true", past).status == 200
    assert admin("POST", "/api/admin/lock/", {"until": "2025-12-01"}).status == 200
    assert admin("DELETE", "/api/admin/lock/").status == 200
    boto3.client("sqs").create_queue(QueueName="hooks")
    hook = {"url": "https://example.com/", "events": ["timer.stopped"]}
    path = f"/api/admin/hooks/{admin('POST', '/api/admin/hooks/', hook).json()['id']}/"
    assert admin("POST", f"{path}test/").status == 202
    assert admin("DELETE", path).status == 204
    assert unused("ScheduleFunction") == set()
    with_token = app.caller(app.token(admin))
    app.cold_start()
    for caller in (admin, with_token):
        assert caller("GET", "/api/reports/?from=2026-01-01&to=2026-02-01").status == 200
    export(admin, monkeypatch)
    assert unused("ReportsFunction") == set()
    token = browser("POST", "/api/auth/tokens/", {"name": "test"}).json()["id"]
    assert browser("GET", "/api/auth/me/export/").status == 200
    assert browser("DELETE", f"/api/auth/tokens/{token}/").status == 204
    add_connection(app.table, app.session(browser).user_id, now_ms=app.clock.ms)
    assert browser("DELETE", "/api/auth/me/").status == 204
    assert unused("AuthFunction") == set()


@pytest.fixture(scope="module")
def running(shared_table: Table, github: FakeGitHub) -> Iterator[Product]:
    """The receiver, the processor and the sweeper."""
    with product(shared_table, github.url, WRITE_BACK_QUEUE_URL=WRITE_BACK_URL) as running:
        running.store_credential({"token": TOKEN})
        sqs = boto3.client("sqs")
        sqs.create_queue(QueueName="write-back.fifo", Attributes={"FifoQueue": "true"})
        yield running


@pytest.fixture
def queue_url(running: Product, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of moto's queue; the functions also use moto's webhook secret."""
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName="deliveries.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    secrets = boto3.client("secretsmanager")
    keys = json.dumps({"current": SECRET, "previous": ""})
    arn = secrets.create_secret(Name="keys", SecretString="{}")["ARN"]
    secrets.put_secret_value(SecretId=arn, SecretString=keys, VersionStages=[WEBHOOK_STAGE])
    monkeypatch.setenv("DELIVERY_QUEUE_URL", url)
    monkeypatch.setenv("WEBHOOK_SECRET_ARN", arn)
    settings.settings.cache_clear()
    monkeypatch.setattr(running.receiver, "sqs", sqs)
    monkeypatch.setattr(running.receiver, "secrets", RotatingSecret(secrets, arn, WEBHOOK_STAGE))
    monkeypatch.setattr(running.processor, "_sqs", lambda: sqs)
    return url


def pop_messages(queue_url: str) -> list[Message]:
    sqs, messages = boto3.client("sqs"), []
    while found := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages"):
        messages += [Message(one["Body"], "group") for one in found]
        for one in found:
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=one["ReceiptHandle"])
    return messages


def test_the_webhook_uses_all_of_its_permissions(
    github: FakeGitHub, running: Product, queue_url: str
) -> None:
    team = new_team(github, running, size=1, t0=ago(60))
    (ann,) = team.people
    repository = github.new_repository(f"{team.name}/app")
    issue = github.new_issue(repository)
    # The settings at the time of an assignment are read, unless they were read after it.
    team.at(3_600)
    github.assign(issue, ann)
    github.archive_repository(repository)
    # Time of an earlier day depends on the organization's lock.
    github.comment(issue, ann, "/timer pause\n/timer log 24h")
    github.close(issue)
    team.send()
    assert unused("WebhookReceiveFunction") == set()
    running.queue.waiting += [*pop_messages(queue_url), Message("not JSON", "group")]
    (broken,) = running.process()
    running.queue.failed.remove(broken)
    # Lambda has already received the message that contains the reply, so the function deletes it itself.
    running.queue.waiting += [Message(one.body, one.group, receives=1) for one in pop_messages(queue_url)]
    assert running.process() == []
    assert {action for action, _ in unused("WebhookProcessFunction")} == FOR_THE_QUEUE


def test_the_write_back_uses_all_of_its_permissions(github: FakeGitHub, running: Product) -> None:
    team = new_team(github, running, size=1, t0=ago(60))
    (ann,) = team.people
    github.new_issue_field(github.accounts[team.name], FIELD)
    issue = github.new_issue(f"{team.name}/app")
    pull = github.open_pull_request(issue.repository, "A fix", [issue])
    github.assign(pull, ann)
    team.at(600)
    github.close_pull_request(pull)
    team.deliver()
    with write_back(running) as function:
        # The message is passed on to the issue.
        assert function.write(pull) == []
        assert issue.field_values[FIELD].value == 0.17
    # The queue of the test is in memory.
    assert all(action.startswith("sqs:") for action, _ in unused("WriteBackFunction"))


def test_the_sweeper_uses_all_of_its_permissions(github: FakeGitHub, running: Product) -> None:
    team = new_team(github, running, size=1, t0=ago(60))
    (ann,) = team.people
    repository = github.new_repository(f"{team.name}/app")
    issue = github.new_issue(repository)
    github.assign(issue, ann)
    github.unassign(issue, ann)
    team.deliver()
    github.assign(issue, ann)
    github.archive_repository(repository)
    for delivery in team.pop_deliveries():
        github.fail(delivery)
    github.hooks.clear()
    calendars = Calendars(running.table)
    calendars.lock(local_date("UTC", now_ms() - 2 * DAY_MS), by=1, reason="", now_ms=now_ms())
    try:
        assert running.sweep(stop_stale=True)["reconcile"]["backfilled"] == 1
    finally:
        calendars.lock(None, by=1, reason="", now_ms=now_ms())
    assert unused("StaleSweeperFunction") == {BY_LAMBDA_FOR_FAILED_RUNS}


# ---------------------------------------------------------------------- the template after SAM's transform


def test_sam_adds_no_roles() -> None:
    assert translated().of_type("AWS::IAM::Role").keys() == template().of_type("AWS::IAM::Role").keys()


@pytest.mark.parametrize("schedule", ["Daily", "Hourly"])
def test_a_schedule_may_invoke_only_the_sweeper_and_passes_valid_options(
    schedule: str, running: Product
) -> None:
    source = translated()
    target = source.resources[f"StaleSweeperFunction{schedule}"]["Properties"]["Target"]
    role = source.resources["SweepScheduleRole"]["Properties"]
    (policy,) = role["Policies"]
    statements = source.value(policy["PolicyDocument"])["Statement"]
    assert source.value(target["RoleArn"]) == source.value({"Fn::GetAtt": ["SweepScheduleRole", "Arn"]})
    assert is_allowed(Call("lambda:InvokeFunction", source.value(target["Arn"])), statements)
    assert not is_allowed(Call("lambda:InvokeFunction", f"{source.value(target['Arn'])}2"), statements)
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert source.value(trust["Condition"]) == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    assert running.sweeper.Options.of(json.loads(target["Input"]))


def _listed(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]
