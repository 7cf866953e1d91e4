"""The handlers in this process, on Amazon's DynamoDB Local.

Tests of a module share a table where they can, and keep apart by their people and issues.
"""

import importlib
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from types import ModuleType
from typing import NamedTuple

import pytest
from pynamodb.connection import Connection

from tests.support.connection import REGION, connect, environment
from tests.support.gateway import Client
from tests.support.table import create_table, delete_table
from timer_core import settings
from timer_core.clock import now_ms
from timer_core.store.people import PeopleStore, Person
from timer_core.store.table import Table

_numbers = count(1)


@contextmanager
def loaded(name: str, table_name: str, **variables: str) -> Iterator[ModuleType]:
    """Import a handler's module anew, as a cold start does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TABLE_NAME", table_name)
        patch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
        for variable, value in variables.items():
            patch.setenv(variable, value)
        patch.delitem(sys.modules, name, raising=False)
        settings.settings.cache_clear()
        yield importlib.import_module(name)
    settings.settings.cache_clear()


@pytest.fixture(scope="module")
def shared_table(dynamodb: str) -> Iterator[Table]:
    """A table that the tests of a module share."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(dynamodb).items():
            patch.setenv(name, value)
        client = connect(dynamodb)
        name = f"timers-{uuid.uuid4()}"
        create_table(client, name)
        yield Table(name, Connection(region=REGION, host=dynamodb, max_pool_connections=64))
        delete_table(client, name)


@pytest.fixture
def new_person() -> Callable[[], Person]:
    """Makes people whom no other test knows."""
    return lambda: Person(1_000_000 + (number := next(_numbers)), f"person-{number}")


@dataclass
class Clock:
    """The present, as a handler reads it; it moves only when told to."""

    ms: int

    def __call__(self) -> int:
        return self.ms

    def advance(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)


class Api(NamedTuple):
    """The REST API with two people and nobody."""

    ann: Client
    bob: Client
    nobody: Client
    module: ModuleType
    ann_id: int
    people: PeopleStore


@pytest.fixture(scope="module")
def timelogs(shared_table: Table) -> Iterator[ModuleType]:
    with loaded("timelogs.api", shared_table.name) as module:
        yield module


@pytest.fixture
def api(timelogs: ModuleType, shared_table: Table, new_person: Callable[[], Person]) -> Api:
    people = PeopleStore(shared_table)
    ann, bob = new_person(), new_person()
    as_ann, as_bob = (
        Client(timelogs.handler, people.mint_token(person, name="test", now_ms=now_ms())[1])
        for person in (ann, bob)
    )
    return Api(as_ann, as_bob, Client(timelogs.handler), timelogs, ann.user_id, people)


@pytest.fixture
def clock(timelogs: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the API, stopped at the present."""
    clock = Clock(now_ms())
    monkeypatch.setattr(timelogs, "now_ms", clock)
    return clock
