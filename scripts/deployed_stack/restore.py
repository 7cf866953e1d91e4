"""Restoring the table to a point in time (docs/decisions/0012-restoring.md).

DynamoDB restores into a new table only. The stack keeps its table with all settings, and its items become
those of the restored table.
"""

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from deployed_stack.errors import ToolError
from deployed_stack.stack import DeployedStack
from timer_core.store.items import has_requested_deletion
from timer_core.store.keys import (
    FULL_RESTORE_SK,
    OUTGOING_PK,
    PENDING_DELETIONS_PK,
    PROFILE_SK,
    RESTORE_PK,
    kind_of,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TableDescriptionTypeDef, WriteRequestTypeDef

Item = dict[str, Any]
Key = tuple[str, str]

# The functions that write to the table. The receiver only queues deliveries, so it continues.
INVOKED_FUNCTIONS = (
    "TimelogsFunction",
    "AuthFunction",
    "ScheduleFunction",
    "ReportsFunction",
    "ReportExportFunction",
    "LiveFunction",
    "StaleSweeperFunction",
)
# This event source is off in a stack that writes no time to GitHub.
_WRITE_BACK = "WriteBackFunctionIssues"
# The event sources of the functions that read a queue or the table's stream.
EVENT_SOURCES = {
    "WebhookProcessFunction": ("WebhookProcessFunctionDeliveries",),
    "TimesheetsFunction": ("TimesheetsFunctionChanges", "TimesheetsFunctionRepeated"),
    "HooksFunction": ("HooksFunctionNotifications",),
    "WriteBackFunction": (_WRITE_BACK,),
}
# The item that marks a table whose items are all being replaced, also those of people's access.
_FULL_RESTORE: Key = (RESTORE_PK, FULL_RESTORE_SK)
# BatchWriteItem accepts 25 items.
_BATCH = 25


@dataclass(frozen=True)
class Changes:
    """The numbers of items that were written to a table and deleted from it."""

    written: int
    deleted: int


def restored_table(stack: DeployedStack, at: datetime) -> str:
    """Restore the stack's table as it was at a time into a new table, and return that table's name.

    The table is created without indexes, because it is only read. A table that an earlier call created for
    the same time is used again.
    """
    dynamodb = stack.aws.client("dynamodb")
    name = f"{stack.table_name}-restored-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    with suppress(dynamodb.exceptions.TableAlreadyExistsException):
        dynamodb.restore_table_to_point_in_time(
            SourceTableName=stack.table_name,
            TargetTableName=name,
            RestoreDateTime=at,
            GlobalSecondaryIndexOverride=[],
            LocalSecondaryIndexOverride=[],
        )
    # A restore takes from minutes to hours.
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 10, "MaxAttempts": 8640})
    return name


def pause(stack: DeployedStack, *, drain_s: float) -> None:
    """Stop the functions that write to the table, and wait until running invocations have ended.

    Lambda refuses invocations of a function whose reserved concurrency is 0. Queues and the stream keep their
    messages while their event source mappings are disabled; throttled messages would become dead letters.
    """
    functions = stack.aws.client("lambda")
    for mapping in _mappings(stack):
        functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    for name in INVOKED_FUNCTIONS:
        functions.put_function_concurrency(FunctionName=stack.resources[name], ReservedConcurrentExecutions=0)
    for mapping in _mappings(stack):
        while functions.get_event_source_mapping(UUID=mapping)["State"] != "Disabled":
            time.sleep(1)
    time.sleep(drain_s)


def longest_run_s(stack: DeployedStack) -> int:
    """Return the longest time that an invocation of a writing function can take, in seconds."""
    functions = stack.aws.client("lambda")
    return max(
        functions.get_function_configuration(FunctionName=stack.resources[name])["Timeout"]
        for name in (*INVOKED_FUNCTIONS, *EVENT_SOURCES)
    )


def resume(stack: DeployedStack) -> None:
    """Start the functions again that `pause` stopped."""
    functions = stack.aws.client("lambda")
    for name in INVOKED_FUNCTIONS:
        functions.delete_function_concurrency(FunctionName=stack.resources[name])
    for mapping in _mappings(stack):
        functions.update_event_source_mapping(UUID=mapping, Enabled=True)


def _mappings(stack: DeployedStack) -> list[str]:
    parameters = stack.parameters
    writes_back = parameters.get("TimeField") or parameters.get("ClosingComment") == "true"
    return [
        stack.resources[source]
        for sources in EVENT_SOURCES.values()
        for source in sources
        if writes_back or source != _WRITE_BACK
    ]


def check_restored_table(dynamodb: "DynamoDBClient", table: str, restored: str) -> None:
    """Check that a table's items can replace those of the stack's table.

    Raises
    ------
    ToolError
        The table does not exist, is not ready, is the stack's own, has other keys, or has no items.
    """
    if restored == table:
        raise ToolError(f"{restored} is the stack's own table, and not a restored one.")
    try:
        description = dynamodb.describe_table(TableName=restored)["Table"]
    except dynamodb.exceptions.ResourceNotFoundException:
        raise ToolError(f"There is no table {restored} in this account and region.") from None
    if description["TableStatus"] != "ACTIVE":
        raise ToolError(f"{restored} is not ready ({description['TableStatus']}): wait until it is ACTIVE.")
    if _keys_of(description) != _keys_of(dynamodb.describe_table(TableName=table)["Table"]):
        raise ToolError(f"{restored} is not a restored table of Issue Timer.")
    # DynamoDB updates the number of items in a table's description every six hours only.
    if not dynamodb.scan(TableName=restored, ConsistentRead=True, Limit=1)["Items"]:
        raise ToolError(f"{restored} has no items.")


def replace_items(dynamodb: "DynamoDBClient", table: str, restored: str) -> Changes:
    """Make the items of a table those of a restored table. Only items that differ are written.

    A restored table also contains what people have revoked since. So profiles (with ended sessions), tokens,
    completed sign-ins and pending deletions stay as they are, and items of deleted accounts are not restored.
    A profile that only the restored table has is restored, because a deleted account leaves a marker for
    longer than DynamoDB keeps backups.

    If the table has no people at all, everything is restored. An item marks the table until that is finished,
    so that an interrupted restore continues in the same way, although the table has people by then.

    Raises
    ------
    ToolError
        The tables differ after all items were written.
    """
    changes = _replace_items(dynamodb, table, restored)
    if _replace_items(dynamodb, table, restored) != Changes(0, 0):
        raise ToolError(f"Something else has written to {table} during the restore.")
    dynamodb.delete_item(TableName=table, Key=_attributes(_FULL_RESTORE))
    return changes


def _replace_items(dynamodb: "DynamoDBClient", table: str, restored: str) -> Changes:
    """Read both tables once, and write the differences.

    Expired items are neither restored nor deleted, because DynamoDB deletes them at any time. The clock is
    read for each item: an item that DynamoDB deleted before it was read in the table has expired when it is
    read in the restored table.
    """
    present: dict[Key, tuple[bytes, int | None]] = {}
    has_people, deleted_people = False, set()
    for item in _scan(dynamodb, table):
        key = _key(item)
        present[key] = _digest(item), _expiry(item)
        if key[1] == PROFILE_SK:
            has_people = True
            if has_requested_deletion(item):
                deleted_people.add(key[0])
    everything = not has_people or _FULL_RESTORE in present
    if everything:
        dynamodb.put_item(TableName=table, Item=_attributes(_FULL_RESTORE))
        deleted_people.clear()

    def stays(key: Key) -> bool:
        if key == _FULL_RESTORE:
            return True
        return not everything and (key in present if key[1] == PROFILE_SK else _is_access(*key))

    writes, wanted = BatchWriter(dynamodb, table), set()
    for item in _scan(dynamodb, restored):
        key = _key(item)
        if stays(key) or _has_expired(_expiry(item)) or _people_of(key) & deleted_people:
            continue
        wanted.add(key)
        if key not in present or present[key][0] != _digest(item):
            writes.add({"PutRequest": {"Item": item}})
    written = writes.count
    for key in present.keys() - wanted:
        if not stays(key) and not _has_expired(present[key][1]):
            writes.add({"DeleteRequest": {"Key": _attributes(key)}})
    writes.flush()
    return Changes(written, writes.count - written)


def ensure_settings(stack: DeployedStack) -> None:
    """Enable time to live, backups and, in production, deletion protection, in case somebody disabled them.

    CloudFormation does not set them again while the template stays the same.
    """
    dynamodb, table = stack.aws.client("dynamodb"), stack.table_name
    expiry = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    if expiry["TimeToLiveStatus"] not in {"ENABLED", "ENABLING"}:
        dynamodb.update_time_to_live(
            TableName=table, TimeToLiveSpecification={"AttributeName": "expires_at", "Enabled": True}
        )
    dynamodb.update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    is_production = stack.parameters["Stage"] == "prod"
    description = dynamodb.describe_table(TableName=table)["Table"]
    if is_production and not description["DeletionProtectionEnabled"]:
        dynamodb.update_table(TableName=table, DeletionProtectionEnabled=True)


class BatchWriter:
    """Writes items to a table, and deletes items from it, in batches."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self.count = 0
        self._dynamodb = dynamodb
        self._table = table
        self._waiting: list[Any] = []

    def add(self, request: "WriteRequestTypeDef") -> None:
        """Add a request, and send the batch if it is full."""
        self.count += 1
        self._waiting.append(request)
        if len(self._waiting) == _BATCH:
            self.flush()

    def flush(self) -> None:
        """Send the requests that wait, until DynamoDB has processed all of them."""
        while self._waiting:
            answer = self._dynamodb.batch_write_item(RequestItems={self._table: self._waiting})
            self._waiting = answer["UnprocessedItems"].get(self._table, [])
            if self._waiting:
                # DynamoDB has throttled a part of the batch.
                time.sleep(1)


def _scan(dynamodb: "DynamoDBClient", table: str) -> Iterator[Item]:
    for page in dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        yield from page["Items"]


def _key(item: Item) -> Key:
    return item["pk"]["S"], item["sk"]["S"]


def _attributes(key: Key) -> Item:
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


def _keys_of(description: "TableDescriptionTypeDef") -> list[tuple[str, str, str]]:
    """Return name, role and type of the attributes in a table's key."""
    types = {one["AttributeName"]: one["AttributeType"] for one in description["AttributeDefinitions"]}
    return [
        (one["AttributeName"], one["KeyType"], types[one["AttributeName"]])
        for one in description["KeySchema"]
    ]


def _expiry(item: Item) -> int | None:
    """Return the time after which DynamoDB may delete an item, in seconds since the epoch."""
    return int(item["expires_at"]["N"]) if "expires_at" in item else None


def _has_expired(expires_at: int | None) -> bool:
    return expires_at is not None and expires_at <= time.time()


def _digest(item: Item) -> bytes:
    """Return a digest of an item that does not depend on the order of attributes and of a set's elements."""
    normal = {
        name: {kind: sorted(value) if kind in {"SS", "NS", "BS"} else value for kind, value in typed.items()}
        for name, typed in item.items()
    }
    return hashlib.sha256(json.dumps(normal, sort_keys=True, default=bytes.hex).encode()).digest()


def _is_access(pk: str, sk: str) -> bool:
    """Whether an item gives access, or sends data to somebody, or records that this has ended."""
    return (
        pk in {PENDING_DELETIONS_PK, OUTGOING_PK}
        or kind_of(pk) in {"token", "state"}
        or kind_of(sk) == "token"
    )


def _people_of(key: Key) -> set[str]:
    """Return the partition keys of the people whose items have a key: their own items, and their slots."""
    return {f"user#{one.rpartition('user#')[2]}" for one in key if "user#" in one}
