"""Fixtures for tests of the handlers in this process, on Amazon's DynamoDB Local.

Where possible, the tests of a module share a table; each test has its own people and issues.
"""

import uuid
from collections.abc import Callable, Iterator
from itertools import count
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from pynamodb.connection import Connection

from fake_github import FakeGitHub
from tests.support.app import KEY, App, open_app
from tests.support.connection import REGION, connect, environment
from tests.support.gateway import Client
from tests.support.handlers import Clock, loaded
from tests.support.permissions import enforce_policies, guard
from tests.support.product import TOKEN, Product, product
from tests.support.table import create_table, delete_table
from timer_core.clock import now_ms
from timer_core.store.people import Person
from timer_core.store.table import Table
from timer_core.store.tokens import TokenStore

_numbers = count(1)


@pytest.fixture(scope="session", autouse=True)
def _iam() -> Iterator[None]:
    """Apply the policies of template.yaml to the handlers' calls to AWS."""
    with pytest.MonkeyPatch.context() as patch:
        enforce_policies(patch)
        yield


@pytest.fixture(autouse=True)
def _no_call_is_refused() -> Iterator[None]:
    """Fail a test if the policies do not allow a call of its handlers."""
    guard.refused.clear()
    yield
    assert not guard.refused


@pytest.fixture(scope="module")
def shared_table(dynamodb: str) -> Iterator[Table]:
    """The table of a module's tests."""
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
    """A function that returns a new person on each call."""
    return lambda: Person(1_000_000 + (number := next(_numbers)), f"person-{number}")


class Api(NamedTuple):
    """Clients of the REST API: one for each of two people, and one without credentials."""

    ann: Client
    bob: Client
    nobody: Client
    module: ModuleType
    ann_id: int
    tokens: TokenStore


@pytest.fixture(scope="module")
def timelogs(shared_table: Table) -> Iterator[ModuleType]:
    with loaded("timelogs.api", shared_table.name) as module:
        yield module


@pytest.fixture
def api(timelogs: ModuleType, shared_table: Table, new_person: Callable[[], Person]) -> Api:
    tokens = TokenStore(shared_table)
    ann, bob = new_person(), new_person()
    as_ann, as_bob = (
        Client(timelogs.handler, tokens.mint(person, name="test", now_ms=now_ms())[1])
        for person in (ann, bob)
    )
    return Api(as_ann, as_bob, Client(timelogs.handler), timelogs, ann.user_id, tokens)


@pytest.fixture
def calls(api: Api, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operations of the API's requests to DynamoDB, without the counts of the write limit."""
    made: list[str] = []
    client = api.module.shared.table.connection.client
    call = client._make_api_call

    def count_call(operation: str, parameters: Any) -> Any:
        # These counts are updated beside the request, which does not wait for them.
        if "writes#" not in str(parameters):
            made.append(operation)
        return call(operation, parameters)

    monkeypatch.setattr(client, "_make_api_call", count_call)
    return made


@pytest.fixture
def clock(timelogs: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The API's clock, which stands still until the test advances it."""
    clock = Clock(now_ms())
    monkeypatch.setattr(timelogs, "now_ms", clock)
    return clock


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as github:
        yield github


@pytest.fixture(scope="module")
def running(shared_table: Table, github: FakeGitHub) -> Iterator[Product]:
    with product(shared_table, github.url) as running:
        running.store_credential({"token": TOKEN})
        yield running


@pytest.fixture(scope="module")
def shared_app(shared_table: Table, github: FakeGitHub) -> Iterator[App]:
    with open_app(shared_table, github) as app:
        yield app


@pytest.fixture
def app(shared_app: App) -> App:
    """The functions auth and timelogs after a cold start, at the present time."""
    shared_app.clock.ms = now_ms()
    shared_app.sign_with(KEY)
    shared_app.cold_start()
    return shared_app
