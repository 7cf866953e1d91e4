"""The table, the connection to it, and the errors that callers can handle.

PynamoDB models describe the items (see `timer_core.store.items`) and build the expressions. The models do not
make the calls, because each model would open a separate connection. All calls use a single connection. If a
condition fails, the error contains the present item, so that no read is needed.
"""

import contextlib
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias, TypeVar

from botocore.exceptions import ClientError
from botocore.session import Session
from pynamodb.connection import Connection
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path, Value
from pynamodb.expressions.update import Action, Update

from timer_core.clients import session
from timer_core.domain.errors import TooMuchContention
from timer_core.store.direct_requests import send_directly
from timer_core.store.throttling import THROTTLED, THROTTLED_REASONS, report_throttling

# An item in the format of DynamoDB's API: a mapping of names to typed values.
RawItem: TypeAlias = dict[str, dict[str, Any]]
# The partition key and the sort key of an item.
Key: TypeAlias = tuple[str, str]

INDEXES = {
    "by-start": ("pk", "start_key"),
    "by-end": ("pk", "end_key"),
    "open-timers": ("open_shard", "start_ms"),
    "slots-by-repo": ("slot_repo", "pk"),
    "by-issue": ("repo_key", "number"),
}
# The first attribute of each key is the partition key.
_TABLE_KEY = ("pk", "sk")

# A conflict lasts milliseconds, and DynamoDB's clients do not retry after a conflict. All waits between the
# attempts of a call add up to less than four seconds.
_ATTEMPTS = 20
_FIRST_WAIT_S = 0.005
_LONGEST_WAIT_S = 0.25
# The maximum number of keys in a BatchGetItem (AWS, "DynamoDB quotas").
_BATCH = 100
_TRANSIENT_REASONS = {"TransactionConflict"} | THROTTLED_REASONS


class Conflict(Exception):
    """Another request has changed, or is changing, data that this request needs."""


class ConditionFailed(Conflict):
    """A write was refused because its condition did not hold.

    Attributes
    ----------
    item
        The present item; None if the item does not exist.
    """

    def __init__(self, item: RawItem | None) -> None:
        super().__init__("The condition of a write did not hold.")
        self.item = item


class TransactionRefused(Conflict):
    """A transaction was refused because a condition in it did not hold.

    Attributes
    ----------
    failed
        The present item of each write whose condition failed, by the index of the write.
    """

    def __init__(self, failed: dict[int, RawItem | None]) -> None:
        super().__init__("A condition in a transaction did not hold.")
        self.failed = failed


@dataclass(frozen=True, slots=True)
class Write:
    """One write, which is executed alone or as part of a transaction; a check only in a transaction."""

    operation: Literal["Put", "Update", "Delete", "ConditionCheck"]
    pk: str
    sk: str
    condition: Condition | None = None
    actions: Sequence[Action] | None = None
    item: RawItem = field(default_factory=dict)


class _Connection(Connection):
    """A connection whose client is made by the session that all clients share."""

    @property
    def session(self) -> Session:
        return session()


class Table:
    """The calls to DynamoDB.

    Parameters
    ----------
    name
        The table's name.
    connection
        A connection for tests. The default connection reads region, credentials and endpoint from the
        environment.
    """

    def __init__(self, name: str, connection: Connection | None = None) -> None:
        self.name = name
        self._connection = connection or _Connection(
            # Three attempts fit into the API's ten seconds.
            connect_timeout_seconds=1,
            read_timeout_seconds=2,
            # Two of them are botocore's.
            retry_configuration={"mode": "standard", "total_max_attempts": 2},
        )

    @property
    def connection(self) -> Connection:
        """The connection, for tests that count or break its requests."""
        return self._connection

    @cached_property
    def _client(self) -> Any:
        client = self._connection.client
        send_directly(client)
        report_throttling(client)
        return client

    def get(self, pk: str, sk: str) -> RawItem | None:
        """Return an item, or None if it does not exist. The read is strongly consistent."""
        request = {"TableName": self.name, "Key": _key(pk, sk), "ConsistentRead": True}
        item: RawItem | None = self._call("GetItem", request).get("Item")
        return item

    def get_many(self, keys: Iterable[tuple[str, str]]) -> list[RawItem]:
        """Return items, in any order. Items that do not exist are not included.

        The read is strongly consistent. A request reads up to 100 items.
        """
        found: list[RawItem] = []
        batch: list[tuple[str, str]] = []
        for key in keys:
            batch.append(key)
            if len(batch) == _BATCH:
                found += self._get_batch(batch)
                batch = []
        return found + self._get_batch(batch)

    def get_map(self, keys: Iterable[Key]) -> dict[Key, RawItem]:
        """Return items by their keys; see `get_many`. A repeated key is read once."""
        return {(item["pk"]["S"], item["sk"]["S"]): item for item in self.get_many(dict.fromkeys(keys))}

    def _get_batch(self, keys: Sequence[tuple[str, str]]) -> list[RawItem]:
        pending = [_key(pk, sk) for pk, sk in keys]
        found: list[RawItem] = []

        def attempt() -> list[RawItem]:
            nonlocal pending
            if pending:
                request = {self.name: {"Keys": pending, "ConsistentRead": True}}
                response = self._call("BatchGetItem", {"RequestItems": request})
                found.extend(response["Responses"].get(self.name, []))
                pending = response.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
            if pending:
                raise Conflict
            return found

        return retry_on_conflict(attempt, "DynamoDB did not return all items of a batch.")

    def query(
        self,
        key: str,
        range_condition: Condition | None = None,
        *,
        index: str | None = None,
        filter_condition: Condition | None = None,
        forward: bool = True,
        limit: int | None = None,
        start: RawItem | None = None,
        count: bool = False,
    ) -> tuple[list[RawItem], int, RawItem | None]:
        """Return one page of a query: its items, their number, and the key after which the next page starts.

        A query is strongly consistent, unless it reads a global index. If ``count`` is set, no items are
        returned, only their number.
        """
        partition = INDEXES[index][0] if index else _TABLE_KEY[0]
        expressions = _Expressions()
        key_condition = Path([partition]) == Value(key)
        if range_condition is not None:
            key_condition &= range_condition
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": expressions.add(key_condition),
            "ConsistentRead": partition == _TABLE_KEY[0],
            "ScanIndexForward": forward,
        }
        if filter_condition is not None:
            request["FilterExpression"] = expressions.add(filter_condition)
        if index is not None:
            request["IndexName"] = index
        if limit is not None:
            request["Limit"] = limit
        if start is not None:
            request["ExclusiveStartKey"] = start
        if count:
            request["Select"] = "COUNT"
        response = self._call("Query", request | expressions.placeholders)
        return response.get("Items", []), response["Count"], response.get("LastEvaluatedKey")

    def query_all(
        self,
        key: str,
        range_condition: Condition | None = None,
        *,
        index: str | None = None,
        filter_condition: Condition | None = None,
        page_size: int | None = None,
    ) -> Iterator[RawItem]:
        """Yield all items of a query (see `query`). Each page has up to ``page_size`` items or 1 MB."""
        start: RawItem | None = None
        while True:
            items, _, start = self.query(
                key,
                range_condition,
                index=index,
                filter_condition=filter_condition,
                limit=page_size,
                start=start,
            )
            yield from items
            if start is None:
                return

    def write(self, write: Write) -> RawItem:
        """Execute one write. Return the new item after an update, or the old item after a put or delete.

        Raises
        ------
        ConditionFailed
            If the condition did not hold. The error contains the present item.
        TooMuchContention
            If other transactions kept writing the item.
        """
        request = self._request(write)
        request["ReturnValues"] = "ALL_NEW" if write.operation == "Update" else "ALL_OLD"

        def call() -> RawItem:
            try:
                response = self._call(f"{write.operation}Item", request)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "ConditionalCheckFailedException":
                    raise ConditionFailed(_response(error).get("Item")) from None
                if code == "TransactionConflictException":
                    raise _Busy from error
                raise
            attributes: RawItem = response.get("Attributes", {})
            return attributes

        return _retry_busy(call)

    def transact(self, writes: Sequence[Write]) -> None:
        """Execute all writes in one transaction.

        Raises
        ------
        TransactionRefused
            If a condition did not hold. Nothing was written.
        TooMuchContention
            If other transactions kept writing the items.
        """
        items = [{write.operation: self._request(write)} for write in writes]

        def call() -> None:
            try:
                self._call("TransactWriteItems", {"TransactItems": items})
            except ClientError as error:
                reasons = _response(error).get("CancellationReasons", ())
                refused = {
                    i: reason.get("Item")
                    for i, reason in enumerate(reasons)
                    if reason["Code"] == "ConditionalCheckFailed"
                }
                if refused:
                    raise TransactionRefused(refused) from None
                if any(reason["Code"] in _TRANSIENT_REASONS for reason in reasons):
                    raise _Busy from error
                raise

        _retry_busy(call)

    def _call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        try:
            response: dict[str, Any] = self._client._make_api_call(operation, request)
        except ClientError as error:
            if error.response["Error"]["Code"] in THROTTLED:
                raise TooMuchContention("The database is busy; nothing was changed.") from error
            raise
        return response

    def _request(self, write: Write) -> dict[str, Any]:
        """Return the parameters of a write."""
        request: dict[str, Any] = {
            "TableName": self.name,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        key = _key(write.pk, write.sk)
        if write.operation == "Put":
            request["Item"] = key | write.item
        else:
            request["Key"] = key
        expressions = _Expressions()
        if write.condition is not None:
            request["ConditionExpression"] = expressions.add(write.condition)
        if write.actions is not None:
            request["UpdateExpression"] = expressions.add(Update(*write.actions))
        return request | expressions.placeholders


class _Expressions:
    """The placeholders of a request's expressions."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {}

    def add(self, expression: Condition | Update) -> str:
        """Return the text of an expression."""
        return str(expression.serialize(self._names, self._values))

    @property
    def placeholders(self) -> dict[str, dict[str, Any]]:
        """The parameters of the request that define the placeholders."""
        parameters = dict[str, dict[str, Any]]()
        if self._names:
            parameters["ExpressionAttributeNames"] = {short: name for name, short in self._names.items()}
        if self._values:
            parameters["ExpressionAttributeValues"] = self._values
        return parameters


def _response(error: ClientError) -> dict[str, Any]:
    """Return the response of an error, whose type has no members of DynamoDB's errors."""
    return dict(error.response)


class _Busy(Exception):
    """Another transaction was writing the same item."""


T = TypeVar("T")


def _retry_busy(call: Callable[[], T]) -> T:
    return retry(call, _Busy, "Other requests kept changing the same timer; nothing was changed.")


def retry_on_conflict(attempt: Callable[[], T], message: str) -> T:
    """Return the result of the first attempt that ends without a conflict.

    Parameters
    ----------
    attempt
        A function that reads items, and writes on the condition that these items have not changed. The
        function is called again if it raises `Conflict` (or `ConditionFailed` or `TransactionRefused`).
    message
        The message of `TooMuchContention`.

    Raises
    ------
    TooMuchContention
        If all attempts ended in conflicts.
    """
    return retry(attempt, Conflict, message)


def retry(call: Callable[[], T], transient: type[Exception], message: str) -> T:
    """Repeat a call until it raises no transient error. The waits have full jitter, as AWS recommends."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            longest_s = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**attempt)
            time.sleep(random.uniform(0, longest_s))  # noqa: S311 - not for secrets
        with contextlib.suppress(transient):
            return call()
    raise TooMuchContention(message)


def _key(pk: str, sk: str) -> RawItem:
    return {"pk": {"S": pk}, "sk": {"S": sk}}
