"""Fixtures that run every race on DynamoDB Local and on MiniStack, the emulator of `make run`."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest
from pynamodb.connection import Connection

from local_stack import MiniStack
from tests.support.connection import ACCESS_KEY, REGION, connect, environment
from tests.support.table import create_table, delete_table
from timer_core.store.table import Table

THREADS = 50


class BackEnd(NamedTuple):
    """A DynamoDB, and the access key that it accepts."""

    endpoint_url: str
    access_key: str = ACCESS_KEY


@pytest.fixture(params=["dynamodb", "ministack"], scope="session")
def back_end(request: pytest.FixtureRequest) -> BackEnd:
    back_end: str | MiniStack = request.getfixturevalue(request.param)
    if isinstance(back_end, MiniStack):
        return BackEnd(back_end.endpoint_url, back_end.access.access_key_id)
    return BackEnd(back_end)


@pytest.fixture
def table(back_end: BackEnd, monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    for variable, value in environment(*back_end).items():
        monkeypatch.setenv(variable, value)
    client = connect(*back_end)
    name = f"timers-{uuid.uuid4()}"
    create_table(client, name)
    yield Table(name, Connection(region=REGION, host=back_end.endpoint_url, max_pool_connections=THREADS))
    delete_table(client, name)


@pytest.fixture(scope="session")
def threads() -> Iterator[ThreadPoolExecutor]:
    """A pool of `THREADS` threads, one for each racer."""
    with ThreadPoolExecutor(THREADS) as pool:
        yield pool
