"""The handlers in this process, on a table of their own."""

import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import NamedTuple

import pytest
from timer_core import settings
from timer_core.clock import now_ms
from timer_core.store.people import PeopleStore, Person
from timer_core.store.table import Table

from tests.support.gateway import Client

ANN = Person(21031067, "Codertocat")
BOB = Person(583231, "octocat")


class Api(NamedTuple):
    """The REST API with two people and nobody."""

    ann: Client
    bob: Client
    nobody: Client
    module: ModuleType


def load(name: str, monkeypatch: pytest.MonkeyPatch, table_name: str, **environment: str) -> ModuleType:
    """Import a handler's module anew, as a cold start does."""
    monkeypatch.setenv("TABLE_NAME", table_name)
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    settings.settings.cache_clear()
    return importlib.reload(importlib.import_module(name))


@pytest.fixture
def people(table: Table) -> PeopleStore:
    store = PeopleStore(table)
    for person in (ANN, BOB):
        store.register(person.user_id, person.login, now_ms=now_ms())
    return store


@pytest.fixture
def api(table_name: str, people: PeopleStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    module = load("timelogs.api", monkeypatch, table_name)
    clients = [
        Client(module.handler, people.mint_token(person, name="test", now_ms=now_ms())[1])
        for person in (ANN, BOB)
    ]
    yield Api(*clients, Client(module.handler), module)
    settings.settings.cache_clear()
