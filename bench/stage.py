"""The handlers in this process, on DynamoDB Local, with every call to the database measured."""

import importlib
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from itertools import count
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tests.support.connection import connect, environment
from tests.support.dynamodb_local import DynamoDBLocal
from tests.support.gateway import Client
from tests.support.live import ManagementApi
from tests.support.table import create_table
from timer_core.api import request_guard
from timer_core.clock import now_ms
from timer_core.store.people import PeopleStore, Person
from timer_core.store.tokens import TokenStore

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


_READS = {"BatchGetItem", "GetItem", "Query"}


@dataclass
class Meter:
    """Calls to the database since the last reset.

    Attributes
    ----------
    read_units, write_units
        Capacity units as AWS counts them. DynamoDB Local reports twice the documented units for transactions
        that write to indexes, and too few for others. `Meter` corrects this: each item takes at least two
        ("Amazon DynamoDB Transactions: How it works", "Capacity management for transactions").
    seconds
        The time during which at least one call was in progress.
    client_s
        The processor time of the client: to write requests, and to read responses.
    """

    calls: list[str] = field(default_factory=list)
    read_units: float = 0
    write_units: float = 0
    seconds: float = 0
    client_s: float = 0
    _under_way: int = 0
    _since: float = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reset(self) -> None:
        self.calls, self.read_units, self.write_units = [], 0, 0
        self.seconds = self.client_s = 0

    def watch(self, client: Any) -> None:
        """Count and time the calls of a botocore client."""
        call = client._make_api_call

        def counted(operation: str, parameters: dict[str, Any]) -> Any:
            response = {}
            parameters = {**parameters, "ReturnConsumedCapacity": "TOTAL"}
            began_s = time.thread_time()
            self._begin()
            try:
                response = call(operation, parameters)
            finally:
                in_transaction = len(parameters.get("TransactItems", ()))
                self._end(operation, response, time.thread_time() - began_s, in_transaction)
            return response

        client._make_api_call = counted

    def _begin(self) -> None:
        with self._lock:
            if not self._under_way:
                self._since = time.perf_counter()
            self._under_way += 1

    def _end(self, operation: str, response: dict[str, Any], client_s: float, in_transaction: int) -> None:
        consumed = response.get("ConsumedCapacity", {})
        entries = consumed if isinstance(consumed, list) else [consumed]
        units = sum(entry.get("CapacityUnits", 0) for entry in entries)
        with self._lock:
            self._under_way -= 1
            if not self._under_way:
                self.seconds += time.perf_counter() - self._since
            self.client_s += client_s
            self.calls.append(operation)
            if operation in _READS:
                self.read_units += units
            elif in_transaction and units:
                self.write_units += max(units / 2, 2 * in_transaction)
            else:
                self.write_units += units


@dataclass(frozen=True)
class Stage:
    """The loaded handlers."""

    timelogs: ModuleType
    process: ModuleType
    sweep: ModuleType
    timesheets: ModuleType
    live: ModuleType
    meter: Meter
    database: "DynamoDBClient"
    table_name: str
    _user_ids: Iterator[int] = field(default_factory=lambda: count(1000))

    def new_person(self) -> tuple[Person, Client]:
        """Register a new person; return the person and an API client that sends the person's token."""
        user_id = next(self._user_ids)
        person = Person(user_id, f"octocat-{user_id}")
        people = PeopleStore(self.timelogs.shared.table)
        # Register at time 0, because events before a person's registration are ignored.
        people.register(person.user_id, person.login, now_ms=0)
        _, token = TokenStore(self.timelogs.shared.table).mint(person, name="bench", now_ms=now_ms())
        return person, Client(self.timelogs.handler, token)


class _Keys:
    """Secrets Manager with a session key."""

    def get_secret_value(self, **_: str) -> dict[str, Any]:
        keys = {"current": "the key that sessions are signed with, of sixty-four characters."}
        return {"SecretString": json.dumps(keys), "CreatedDate": datetime.fromtimestamp(0, UTC)}


@cache
def stage() -> Stage:
    """Load the handlers with a new table. Later calls return the same stage, because modules load once."""
    db = DynamoDBLocal().__enter__()  # ends with this process
    name = f"bench-{uuid.uuid4()}"
    os.environ.update(environment(db.endpoint_url), TABLE_NAME=name, WRITES_PER_MINUTE="1000000")
    os.environ.update(POWERTOOLS_TRACE_DISABLED="true", POWERTOOLS_LOG_LEVEL="CRITICAL")
    os.environ.update(TIMESHEET_QUEUE_URL="https://queue.example")
    database = connect(db.endpoint_url)
    create_table(database, name)
    os.environ["LIVE_ENDPOINT"] = ManagementApi().__enter__().url  # ends with this process
    vars(request_guard)["client"] = lambda _service: _Keys()
    names = (
        "timelogs.api",
        "webhook.process",
        "stale_sweeper.sweep",
        "timesheets.refresh",
        "live.connections",
    )
    timelogs, process, sweep, timesheets, live = map(importlib.import_module, names)
    meter = Meter()
    for module in (timelogs.shared, process, sweep, timesheets, live):
        meter.watch(module.table.connection.client)
    return Stage(timelogs, process, sweep, timesheets, live, meter, database, name)
