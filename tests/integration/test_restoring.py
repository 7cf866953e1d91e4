"""`make restore` restores items, and nothing that people have revoked or deleted since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from deployed_stack import DeployedStack
from deployed_stack.errors import ToolError
from deployed_stack.restore import CALLED, PROCESSOR, Changes, ensure_settings, replace_items
from tests.support.connection import REGION, connect
from tests.support.table import create_table, delete_table
from tests.support.template import template, translated
from timer_core.clock import now_ms
from timer_core.domain.errors import Unauthorized
from timer_core.store.account_deletion import AccountDeletionStore
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


def test_deleted_accounts_stay_deleted(client: DynamoDBClient, table_name: str, restored: str) -> None:
    table = Table(table_name)
    people = PeopleStore(table)
    for user_id, login in ((ANN, "ann"), (BOB, "bob")):
        people.register(user_id, login, now_ms=now_ms())
        put(client, table_name, f"user#{user_id}", "timer#1", start_ms={"N": "1"})
        put(client, table_name, "issue#a/b#1", f"user#{user_id}")
    back_up(client, table_name, restored)
    AccountDeletionStore(table, track_unregistered=False).delete_all(
        ANN, now_ms=now_ms(), has_time=lambda: True
    )
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


def test_another_products_table_is_refused(client: DynamoDBClient, table_name: str) -> None:
    other = f"{table_name}-other"
    client.create_table(
        TableName=other,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    put(client, table_name, "user#1", "timer#1")
    with pytest.raises(ToolError, match="is not a restored table of Issue Timer"):
        replace_items(client, table_name, other)
    assert len(items(client, table_name)) == 1
    delete_table(client, other)


def test_every_function_that_may_write_to_the_table_is_paused() -> None:
    source = template()
    writers = {
        name.removesuffix("Role") + "Function"
        for name, role in source.of_type("AWS::IAM::Role").items()
        for policy in role.get("Policies", ())
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow" and "dynamodb:PutItem" in statement["Action"]
    }
    assert writers == {*CALLED, PROCESSOR}
    assert "WebhookProcessFunctionDeliveries" in translated().of_type("AWS::Lambda::EventSourceMapping")


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
