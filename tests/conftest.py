"""Back ends that tests share."""

import uuid
from collections.abc import Iterator

import pytest
from hypothesis import settings
from pynamodb.connection import Connection

from tests.support.connection import REGION, connect, environment
from tests.support.dynamodb_local import DynamoDBLocal
from tests.support.table import create_table, delete_table
from timer_core.store.table import Table

settings.register_profile("default", deadline=None, print_blob=True)
settings.load_profile("default")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the file that takes longest, so that no process is alone with it in the end."""
    items.sort(key=lambda item: item.path.name != "test_github_faults.py")


@pytest.fixture(scope="session")
def dynamodb() -> Iterator[str]:
    """Amazon's DynamoDB Local."""
    with DynamoDBLocal() as db:
        yield db.endpoint_url


@pytest.fixture
def table_name(dynamodb: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A table of its own for a test, and an environment in which every SDK finds it."""
    for name, value in environment(dynamodb).items():
        monkeypatch.setenv(name, value)
    client = connect(dynamodb)
    name = f"timers-{uuid.uuid4()}"
    create_table(client, name)
    yield name
    delete_table(client, name)


@pytest.fixture
def table(table_name: str, dynamodb: str) -> Table:
    return Table(table_name, Connection(region=REGION, host=dynamodb, max_pool_connections=64))
