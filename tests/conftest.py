"""Shared back ends, hypothesis profiles, and the distribution of tests to workers."""

from __future__ import annotations

import os
import uuid
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.loaders import create_loader
from hypothesis import settings
from pynamodb.connection import Connection
from xdist.scheduler import LoadGroupScheduling

from local_stack import MiniStack
from tests.support.connection import REGION, connect, environment
from tests.support.shared_back_ends import shared, wait_for_keepers
from tests.support.table import create_table, delete_table
from timer_core.store.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

# The number of examples of a property test, by profile: `dev` while developing, `ci` if the variable CI is
# set, `nightly` before a release (`make test EXAMPLES=nightly`). Tests that need more or fewer use
# `tests.support.examples`.
for name, examples in {"dev": 30, "ci": 100, "nightly": 2_000}.items():
    settings.register_profile(name, deadline=None, print_blob=True, max_examples=examples)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


# ---------------------------------------------------------------------- workers

# Long groups run first; otherwise one worker might still run a long group after the others have finished.
_ORDER = ["browser", "e2e", "integration", "concurrency", "unit"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run long tests first, and all tests of a deployed stack on the same worker.

    The stack calls the fake GitHub of the worker that deployed the stack, and tests change the stack's
    credentials. The browser tests have two stacks, because one after another they take longest.
    """
    tests = Path(__file__).parent
    for item in items:
        if "site" in getattr(item, "fixturenames", ()):
            group = item.path.relative_to(tests).parts[0]
            if item.path.name.startswith(("test_page_", "test_forgotten_")):
                group = "browser pages"
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(
        key=lambda item: (
            _ORDER.index(item.path.relative_to(tests).parts[0]),
            item.path.name != "test_github_faults.py",
        )
    )


class _ByGroupOrFile(LoadGroupScheduling):  # type: ignore[misc]
    """Runs the tests of a group on one worker; tests without a group are grouped by file."""

    def _split_scope(self, nodeid: str) -> str:
        scope: str = super()._split_scope(nodeid)
        return scope.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadGroupScheduling:
    return _ByGroupOrFile(config, log)


def pytest_sessionfinish() -> None:
    wait_for_keepers()


# ---------------------------------------------------------------------- back ends


@pytest.fixture(scope="session", autouse=True)
def _share_botocore_loader() -> Iterator[None]:
    """Parse AWS's service models once per process instead of once per botocore session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", cache(create_loader))
        yield


@pytest.fixture(scope="session")
def folder_of_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all workers of this test run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def dynamodb(folder_of_run: Path) -> Iterator[str]:
    """The URL of Amazon's DynamoDB Local, which all workers share; each test creates its own table."""
    with shared("dynamodb", folder_of_run) as endpoint_url:
        yield endpoint_url


@pytest.fixture(scope="session")
def ministack(folder_of_run: Path) -> Iterator[MiniStack]:
    """The AWS emulator without a stack, which all workers share."""
    with shared("ministack", folder_of_run) as state_dir:
        yield MiniStack(Path(state_dir))


@pytest.fixture
def table_name(dynamodb: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A new table, and environment variables with which AWS SDKs find it."""
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
