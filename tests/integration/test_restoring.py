"""`make restore` restores items, and nothing that people have revoked or deleted since."""

from __future__ import annotations

import subprocess
import sys
import time
from importlib import import_module
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any, cast
from zipfile import ZipFile

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from deployed_stack import DeployedStack
from deployed_stack.errors import ToolError
from deployed_stack.paths import ROOT
from deployed_stack.restore import (
    EVENT_SOURCES,
    INVOKED_FUNCTIONS,
    Changes,
    check_restored_table,
    ensure_settings,
    replace_items,
)
from tests.support.account_deletion import delete_account
from tests.support.connection import REGION, connect
from tests.support.table import create_table, delete_table
from tests.support.template import template, translated
from timer_core.clock import now_ms
from timer_core.domain.errors import Unauthorized
from timer_core.store.account_deletion import AccountDeletionStore
from timer_core.store.outgoing_webhooks import OutgoingWebhooks
from timer_core.store.people import PeopleStore, Person
from timer_core.store.sessions import SessionStore
from timer_core.store.table import Table
from timer_core.store.tokens import TokenStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

ANN, BOB = 1, 2


@pytest.fixture
def client(dynamodb: str) -> DynamoDBClient:
    return connect(dynamodb)


@pytest.fixture
def restored(client: DynamoDBClient, table_name: str) -> Iterator[str]:
    """The name of an empty table beside the stack's."""
    name = f"{table_name}-restored"
    create_table(client, name)
    yield name
    delete_table(client, name)


def items(client: DynamoDBClient, table: str) -> list[dict[str, Any]]:
    found = client.scan(TableName=table, ConsistentRead=True)["Items"]
    return sorted(found, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))


def back_up(client: DynamoDBClient, table: str, copy: str) -> list[dict[str, Any]]:
    """Copy a table as it is now, as DynamoDB restores it, and return the items."""
    for item in items(client, table):
        client.put_item(TableName=copy, Item=item)
    return items(client, copy)


def put(client: DynamoDBClient, table: str, pk: str, sk: str, **attributes: Any) -> None:
    client.put_item(TableName=table, Item={"pk": {"S": pk}, "sk": {"S": sk}, **attributes})


def test_items_are_those_of_the_restored_table(
    client: DynamoDBClient, table_name: str, restored: str
) -> None:
    for number in range(60):
        put(client, table_name, "user#1", f"timer#{number}", start_ms={"N": str(number)})
    put(client, table_name, "issue#a/b#1", "user#1", timers={"SS": ["x", "y"]}, blob={"B": b"\x00"})
    before = back_up(client, table_name, restored)
    for number in range(0, 60, 2):
        put(client, table_name, "user#1", f"timer#{number}", start_ms={"N": "0"}, note={"S": "wrong"})
    client.delete_item(TableName=table_name, Key={"pk": {"S": "user#1"}, "sk": {"S": "timer#1"}})
    put(client, table_name, "user#1", "timer#later", start_ms={"N": "1"})

    assert replace_items(client, table_name, restored) == Changes(written=31, deleted=1)
    assert items(client, table_name) == before
    assert replace_items(client, table_name, restored) == Changes(written=0, deleted=0)


def test_revoked_access_stays_revoked_and_new_access_stays(
    client: DynamoDBClient, table_name: str, restored: str
) -> None:
    table = Table(table_name)
    people, tokens, sessions = PeopleStore(table), TokenStore(table), SessionStore(table)
    people.register(ANN, "ann", now_ms=now_ms())
    ann = Person(ANN, "ann")
    token, revoked = tokens.mint(ann, name="old", now_ms=now_ms())
    put(client, table_name, "user#1", "timer#1", start_ms={"N": "1"})
    back_up(client, table_name, restored)
    tokens.revoke(ANN, token.token_id)
    sessions.end(ANN, "session", now_ms=now_ms(), until_ms=now_ms() + 3_600_000)
    _, valid = tokens.mint(ann, name="new", now_ms=now_ms())
    client.delete_item(TableName=table_name, Key={"pk": {"S": "user#1"}, "sk": {"S": "timer#1"}})

    assert replace_items(client, table_name, restored) == Changes(written=1, deleted=0)
    with pytest.raises(Unauthorized):
        tokens.authenticate(revoked, now_ms=now_ms())
    assert tokens.authenticate(valid, now_ms=now_ms()).user_id == ANN
    with pytest.raises(Unauthorized):
        sessions.person_of(ANN, "session", now_ms())


def test_nothing_is_sent_to_an_outgoing_webhook_that_was_removed(
    client: DynamoDBClient, table_name: str, restored: str
) -> None:
    PeopleStore(Table(table_name)).register(ANN, "ann", now_ms=now_ms())
    put(client, table_name, "outgoing-webhooks", "hook#1")
    back_up(client, table_name, restored)
    client.delete_item(TableName=table_name, Key={"pk": {"S": "outgoing-webhooks"}, "sk": {"S": "hook#1"}})
    replace_items(client, table_name, restored)
    assert OutgoingWebhooks(Table(table_name)).all() == []


def test_deleted_accounts_stay_deleted(client: DynamoDBClient, table_name: str, restored: str) -> None:
    table = Table(table_name)
    people = PeopleStore(table)
    for user_id, login in ((ANN, "ann"), (BOB, "bob")):
        people.register(user_id, login, now_ms=now_ms())
        put(client, table_name, f"user#{user_id}", "timer#1", start_ms={"N": "1"})
        put(client, table_name, "issue#a/b#1", f"user#{user_id}")
    back_up(client, table_name, restored)
    delete_account(AccountDeletionStore(table, track_unregistered=False), ANN, now_ms=now_ms())
    # The deletion finds slots by the attributes of real timers.
    client.delete_item(TableName=table_name, Key={"pk": {"S": "issue#a/b#1"}, "sk": {"S": "user#1"}})
    after_deletion = items(client, table_name)
    client.delete_item(TableName=table_name, Key={"pk": {"S": "user#2"}, "sk": {"S": "timer#1"}})

    replace_items(client, table_name, restored)
    assert items(client, table_name) == after_deletion


def test_an_empty_table_gets_everything(client: DynamoDBClient, table_name: str, restored: str) -> None:
    table = Table(table_name)
    people, tokens = PeopleStore(table), TokenStore(table)
    people.register(ANN, "ann", now_ms=now_ms())
    ann = Person(ANN, "ann")
    tokens.mint(ann, name="old", now_ms=now_ms())
    before = back_up(client, table_name, restored)
    for item in before:
        client.delete_item(TableName=table_name, Key={"pk": item["pk"], "sk": item["sk"]})
    assert replace_items(client, table_name, restored) == Changes(written=len(before), deleted=0)
    assert items(client, table_name) == before


class Interrupted(Exception):
    """A restore was interrupted."""


class LimitedClient:
    """A client that interrupts the restore at one of its writes."""

    def __init__(self, client: DynamoDBClient, allowed_writes: int) -> None:
        self._client = client
        self._allowed_writes = allowed_writes

    def __getattr__(self, name: str) -> Any:
        if name in {"batch_write_item", "put_item", "delete_item"}:
            self._allowed_writes -= 1
            if self._allowed_writes < 0:
                raise Interrupted
        return getattr(self._client, name)


def test_an_interrupted_restore_of_everything_can_be_repeated(
    client: DynamoDBClient, table_name: str, restored: str
) -> None:
    table = Table(table_name)
    people, tokens = PeopleStore(table), TokenStore(table)
    for user_id in range(1, 31):
        people.register(user_id, f"person-{user_id}", now_ms=now_ms())
        tokens.mint(Person(user_id, f"person-{user_id}"), name="token", now_ms=now_ms())
        put(client, table_name, f"user#{user_id}", "timer#1", start_ms={"N": "1"})
    delete_account(
        AccountDeletionStore(table, track_unregistered=False), ANN, now_ms=now_ms(), has_time=lambda: False
    )
    put(client, table_name, "user#1", "timer#not-deleted-yet", start_ms={"N": "1"})
    before = back_up(client, table_name, restored)
    assert any(item["pk"]["S"] == "pending-deletions" for item in before)

    def interrupted_after(writes: int) -> bool:
        for item in items(client, table_name):
            client.delete_item(TableName=table_name, Key={"pk": item["pk"], "sk": item["sk"]})
        try:
            replace_items(cast("DynamoDBClient", LimitedClient(client, writes)), table_name, restored)
        except Interrupted:
            return True
        return False

    writes = 0
    while interrupted_after(writes):
        replace_items(client, table_name, restored)
        assert items(client, table_name) == before, f"interrupted after {writes} writes"
        writes += 1
    assert writes > len(before) // 25 + 2
    assert items(client, table_name) == before


def test_expired_items_are_neither_restored_nor_deleted(
    client: DynamoDBClient, table_name: str, restored: str
) -> None:
    now_s = now_ms() // 1000
    expired, valid = {"N": str(now_s - 1)}, {"N": str(now_s + 3600)}
    put(client, restored, "issue#1#1", "event#expired", expires_at=expired)
    put(client, restored, "issue#1#1", "event#valid", expires_at=valid)
    put(client, restored, "issue#1#1", "user#1", expires_at=expired)
    put(client, table_name, "issue#1#1", "event#expired-too", expires_at=expired)
    put(client, table_name, "issue#1#1", "event#later", expires_at=valid)
    put(client, table_name, "issue#1#1", "user#1", open_ulid={"S": "01X"})

    assert replace_items(client, table_name, restored) == Changes(written=1, deleted=2)
    remaining = [item["sk"]["S"] for item in items(client, table_name)]
    assert remaining == ["event#expired-too", "event#valid"]


def test_a_restore_succeeds_if_dynamodb_deletes_an_expired_item_meanwhile(
    client: DynamoDBClient, table_name: str, restored: str
) -> None:
    expiring = {"pk": {"S": "issue#1#1"}, "sk": {"S": "event#1"}}
    put(client, restored, "issue#1#1", "event#1", expires_at={"N": str(now_ms() // 1000 + 2)})
    put(client, restored, "issue#1#1", "event#2", expires_at={"N": str(now_ms() // 1000 + 3600)})

    class Expiring(LimitedClient):
        """A client of a table in which an item expires after it was written."""

        def batch_write_item(self, **request: Any) -> Any:
            answer = client.batch_write_item(**request)
            time.sleep(3)
            client.delete_item(TableName=table_name, Key=expiring)
            return answer

    expiring_client = cast("DynamoDBClient", Expiring(client, 100))
    assert replace_items(expiring_client, table_name, restored) == Changes(written=2, deleted=0)
    assert [item["sk"]["S"] for item in items(client, table_name)] == ["event#2"]


def test_tables_that_cannot_be_restored_are_refused(
    client: DynamoDBClient, table_name: str, restored: str
) -> None:
    other = f"{table_name}-other"
    client.create_table(
        TableName=other,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for name, message in {
        f"{table_name}-mistyped": "There is no table",
        other: "is not a restored table of Issue Timer",
        restored: "has no items",
        table_name: "is the stack's own table",
    }.items():
        with pytest.raises(ToolError, match=message):
            check_restored_table(client, table_name, name)
    delete_table(client, other)
    put(client, restored, "user#1", "timer#1")
    check_restored_table(client, table_name, restored)


# ---------------------------------------------------------------- make restore


class OperatedStack(DeployedStack):
    """The resources in moto that `make restore` uses."""

    def __init__(self) -> None:
        super().__init__(boto3.Session(region_name=REGION), "issue-timer-prod")
        self.__dict__["parameters"] = {"Stage": "dev", "TimeField": "Time spent"}
        self.__dict__["outputs"] = {"TableName": "timers"}
        for table in ("timers", "restored"):
            create_table(self.aws.client("dynamodb"), table)
        put(self.aws.client("dynamodb"), "restored", "user#1", "timer#1", start_ms={"N": "1"})
        role = self.aws.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")["Role"]
        functions = self.aws.client("lambda")
        code = BytesIO()
        with ZipFile(code, "w") as package:
            package.writestr("handler.py", "")
        self.__dict__["resources"] = {
            name: functions.create_function(
                FunctionName=name,
                Role=role["Arn"],
                Code={"ZipFile": code.getvalue()},
                Runtime="python3.13",
                Handler="handler.main",
            )["FunctionName"]
            for name in (*INVOKED_FUNCTIONS, *EVENT_SOURCES)
        }
        sqs = self.aws.client("sqs")
        for function, sources in EVENT_SOURCES.items():
            for name in sources:
                queue = sqs.create_queue(QueueName=name)["QueueUrl"]
                read = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
                arn = read["Attributes"]["QueueArn"]
                source = functions.create_event_source_mapping(FunctionName=function, EventSourceArn=arn)
                self.resources[name] = source["UUID"]

    def paused(self) -> set[str]:
        """Return the functions that are paused."""
        functions = self.aws.client("lambda")
        limits = {
            name: functions.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
            for name in INVOKED_FUNCTIONS
        }
        states = {
            function: {
                functions.get_event_source_mapping(UUID=self.resources[source])["State"] for source in sources
            }
            for function, sources in EVENT_SOURCES.items()
        }
        without_sources = {function for function, found in states.items() if found == {"Disabled"}}
        return {name for name, limit in limits.items() if limit == 0} | without_sources

    def restored_items(self) -> list[dict[str, Any]]:
        return items(self.aws.client("dynamodb"), "timers")


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[OperatedStack]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        stack = OperatedStack()
        monkeypatch.syspath_prepend(ROOT / "scripts")
        monkeypatch.setattr(import_module("operate"), "chosen_stack", lambda _options: stack)
        yield stack


def make_restore(monkeypatch: pytest.MonkeyPatch, table: str, *options: str) -> None:
    command = ["operate.py", "--stack", "issue-timer-prod", "restore", "--table", table]
    monkeypatch.setattr(sys, "argv", [*command, "--drain-seconds", "0", *options])
    assert import_module("operate").main() == 0


AGAIN = "make restore STACK=issue-timer-prod TABLE=restored"
EVERYTHING = {*INVOKED_FUNCTIONS, *EVENT_SOURCES}


def test_a_mistyped_table_pauses_nothing(stack: OperatedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ToolError, match="There is no table mistyped"):
        make_restore(monkeypatch, "mistyped", "--yes")
    assert stack.paused() == set()


def test_a_restore_that_is_not_confirmed_pauses_nothing(
    stack: OperatedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO())
    with pytest.raises(ToolError, match=f"Nothing was changed. To continue later: {AGAIN}$"):
        make_restore(monkeypatch, "restored")
    assert stack.paused() == set()


@pytest.mark.parametrize(
    "operation",
    [
        "lambda.PutFunctionConcurrency",
        "dynamodb.BatchWriteItem",
        "dynamodb.UpdateContinuousBackups",
        "lambda.DeleteFunctionConcurrency",
    ],
)
@pytest.mark.parametrize("fault", ["refused", "interrupted"])
def test_a_failure_names_the_command_that_continues(
    operation: str,
    fault: str,
    stack: OperatedStack,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(**_event: Any) -> None:
        if fault == "interrupted":
            raise KeyboardInterrupt
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "refused"}}, operation)

    stack.aws.events.register_first(f"before-call.{operation}", fail)
    with pytest.raises((ToolError, ClientError)) as raised:
        make_restore(monkeypatch, "restored", "--yes")
    printed = f"{capsys.readouterr().err}\n{raised.value}"
    assert "the functions are paused" in printed
    assert AGAIN in printed
    assert stack.paused() >= EVENT_SOURCES.keys()

    stack.aws.events.unregister(f"before-call.{operation}", fail)
    make_restore(monkeypatch, "restored", "--yes")
    assert stack.paused() == set()
    assert [item["sk"]["S"] for item in stack.restored_items()] == ["timer#1"]
    assert "`make sweep STACK=issue-timer-prod`" in capsys.readouterr().out


def test_all_writers_are_paused_during_the_copy(
    stack: OperatedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused: list[set[str]] = []
    stack.aws.events.register_first(
        "before-call.dynamodb.BatchWriteItem", lambda **_event: paused.append(stack.paused())
    )
    make_restore(monkeypatch, "restored", "--yes")
    assert paused == [EVERYTHING]


def test_a_time_and_a_table_exclude_each_other() -> None:
    command = ["make", "restore", "AT=2026-11-29T14:05:00Z", "TABLE=restored"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode != 0
    assert "AT= and TABLE= exclude each other" in finished.stderr


def test_every_function_that_may_write_to_the_table_is_paused() -> None:
    source = template()
    writers = {
        name.removesuffix("Role") + "Function"
        for name, role in source.of_type("AWS::IAM::Role").items()
        for policy in role.get("Policies", ())
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
        and {"dynamodb:PutItem", "dynamodb:UpdateItem"} & set(statement["Action"])
    }
    assert writers == {*INVOKED_FUNCTIONS, *EVENT_SOURCES}
    sources = {source for names in EVENT_SOURCES.values() for source in names}
    assert sources == translated().of_type("AWS::Lambda::EventSourceMapping").keys()


@pytest.mark.parametrize(("stage", "is_protected"), [("prod", True), ("dev", False)])
def test_a_restore_ends_with_the_settings_of_the_template(
    stage: str, is_protected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        stack = DeployedStack(boto3.Session(region_name=REGION), "issue-timer")
        monkeypatch.setattr(DeployedStack, "table_name", "timers")
        stack.__dict__["parameters"] = {"Stage": stage}
        client = stack.aws.client("dynamodb")
        create_table(client, "timers")
        client.update_time_to_live(
            TableName="timers", TimeToLiveSpecification={"AttributeName": "expires_at", "Enabled": False}
        )
        for _ in range(2):
            ensure_settings(stack)
            expiry = client.describe_time_to_live(TableName="timers")["TimeToLiveDescription"]
            assert expiry == {"AttributeName": "expires_at", "TimeToLiveStatus": "ENABLED"}
            backups = client.describe_continuous_backups(TableName="timers")["ContinuousBackupsDescription"]
            recovery = backups["PointInTimeRecoveryDescription"]
            assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"
            table = client.describe_table(TableName="timers")["Table"]
            assert table["DeletionProtectionEnabled"] is is_protected
