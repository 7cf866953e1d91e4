"""The handlers in this process, on DynamoDB Local, with every call to the database in view."""

import importlib
import os
import time
import uuid
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any

from tests.support.connection import connect, environment
from tests.support.dynamodb_local import DynamoDBLocal
from tests.support.gateway import Client
from tests.support.table import create_table
from timer_core.clock import now_ms
from timer_core.store.people import PeopleStore, Person


@dataclass
class Meter:
    """What went to the database since it was last set to zero."""

    calls: list[str] = field(default_factory=list)
    capacity_units: float = 0
    seconds: float = 0

    def reset(self) -> None:
        self.calls, self.capacity_units, self.seconds = [], 0, 0

    def watch(self, client: Any) -> None:
        """Count and time the calls of a botocore client."""
        call = client._make_api_call

        def counted(operation: str, parameters: dict[str, Any]) -> Any:
            began = time.perf_counter()
            try:
                response = call(operation, parameters)
            finally:
                self.seconds += time.perf_counter() - began
                self.calls.append(operation)
            consumed = response.get("ConsumedCapacity", {})
            for entry in consumed if isinstance(consumed, list) else [consumed]:
                self.capacity_units += entry.get("CapacityUnits", 0)
            return response

        client._make_api_call = counted


@dataclass(frozen=True)
class Stage:
    """The loaded handlers and a client of the API."""

    api: Client
    other: Client
    process: ModuleType
    sweep: ModuleType
    meter: Meter


@cache
def stage() -> Stage:
    """Load the handlers on a new table with two people; once, because modules load once."""
    db = DynamoDBLocal().__enter__()  # ends with this process
    name = f"bench-{uuid.uuid4()}"
    os.environ.update(environment(db.endpoint_url), TABLE_NAME=name)
    os.environ.update(POWERTOOLS_TRACE_DISABLED="true", POWERTOOLS_LOG_LEVEL="CRITICAL")
    create_table(connect(db.endpoint_url), name)
    timelogs, process, sweep = map(
        importlib.import_module, ("timelogs.api", "webhook.process", "stale_sweeper.sweep")
    )
    people = PeopleStore(timelogs.table)
    clients = []
    for person in (Person(21031067, "Codertocat"), Person(583231, "octocat")):
        people.register(person.user_id, person.login, now_ms=now_ms())
        _, token = people.mint_token(person, name="bench", now_ms=now_ms())
        clients.append(Client(timelogs.handler, token))
    meter = Meter()
    for module in (timelogs, process, sweep):
        meter.watch(module.table.connection.client)
    return Stage(clients[0], clients[1], process, sweep, meter)
