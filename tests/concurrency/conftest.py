"""Fixtures that run every race on DynamoDB Local and on MiniStack, the emulator of `make run`."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pynamodb.connection import Connection

from local_stack import MiniStack
from tests.support.connection import REGION, connect, environment
from tests.support.table import create_table, delete_table
from timer_core.store.table import Table

THREADS = 50


@pytest.fixture(params=["dynamodb", "ministack"], scope="session")
def endpoint_url(request: pytest.FixtureRequest) -> str:
    back_end: str | MiniStack = request.getfixturevalue(request.param)
    return back_end.endpoint_url if isinstance(back_end, MiniStack) else back_end


@pytest.fixture
def table(endpoint_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    for variable, value in environment(endpoint_url).items():
        monkeypatch.setenv(variable, value)
    client = connect(endpoint_url)
    name = f"timers-{uuid.uuid4()}"
    create_table(client, name)
    yield Table(name, Connection(region=REGION, host=endpoint_url, max_pool_connections=THREADS))
    delete_table(client, name)


@pytest.fixture(scope="session")
def threads() -> Iterator[ThreadPoolExecutor]:
    """A pool of `THREADS` threads, one for each racer."""
    with ThreadPoolExecutor(THREADS) as pool:
        yield pool
