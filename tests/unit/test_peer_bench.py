"""The bench of the Django peer: its tables, its search for PostgreSQL, its queue and its workers.

`make bench-peer` itself checks each response of the peer and of the product.
"""

import os
import sys
from pathlib import Path

import boto3
import pytest

from bench.peer import postgres, queue
from bench.peer.compare import DJANGO, PERSISTENT, PRODUCT, TUNED, tables
from bench.peer.worker import Worker
from tests.support.connection import REGION


def test_the_tables_have_medians_and_the_products_ratios() -> None:
    times = {
        DJANGO: {"get": [(8.0, 9.0), (9.0, 10.0), (30.0, 40.0)]},
        PERSISTENT: {"get": [(4.0, 5.0)]},
        TUNED: {"get": [(2.0, 2.5)]},
        PRODUCT: {"get": [(3.0, 7.0)]},
    }
    cpu, clock = tables(times).split("\n\n")
    assert cpu.splitlines()[2:] == ["| get | 9.00 | 4.00 | 2.00 | 3.00 | 0.75 | 1.50 |"]
    assert clock.splitlines()[2:] == ["| get | 10.00 | 5.00 | 2.50 | 7.00 |"]
    for table in (cpu, clock):
        assert len({line.count("|") for line in table.splitlines()}) == 1


@pytest.fixture
def debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of Debian's PostgreSQL versions, which is empty; PATH has no PostgreSQL."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(postgres, "_DEBIAN", tmp_path / "postgresql")
    return tmp_path / "postgresql"


def install(folder: Path, version: str) -> None:
    folder.mkdir(parents=True)
    for name in ("initdb", "postgres"):
        (folder / name).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)


def test_the_newest_installed_postgresql_is_used(debian: Path) -> None:
    install(debian / "14/bin", "14.21 (Debian 14.21-1)")
    install(debian / "17/bin", "17.2")
    install(debian.parent / "bin", "16beta1")
    assert postgres.programs() == debian / "17/bin"


def test_a_postgresql_in_path_is_found(debian: Path) -> None:
    install(debian.parent / "bin", "16beta1")
    assert postgres.programs() == debian.parent / "bin"


def test_the_package_is_named_if_there_is_no_postgresql(debian: Path) -> None:
    (debian / "15/bin").mkdir(parents=True)  # an uninstalled version leaves its folder
    with pytest.raises(postgres.NotInstalled, match="install the package postgresql"):
        postgres.programs()


def test_versions_that_django_does_not_support_are_not_used(debian: Path) -> None:
    install(debian / "13/bin", "13.20")
    with pytest.raises(postgres.NotInstalled, match="PostgreSQL 14 or newer"):
        postgres.programs()


def test_the_queue_receives_what_a_client_of_sqs_sends() -> None:
    with queue.running() as messages:
        sqs = boto3.client(
            "sqs",
            endpoint_url=messages.url,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        for body in ("first", "second"):
            sent = sqs.send_message(QueueUrl=messages.url, MessageBody=body, MessageGroupId="group")
            assert sent["MessageId"]
        assert [messages.get(), messages.get()] == ["first", "second"]


def test_a_worker_that_ends_is_reported() -> None:
    # The module `this` prints a text, and ends.
    worker = Worker(Path(sys.executable), "this", os.environ)
    with worker, pytest.raises(RuntimeError, match="this has ended at 'versions'"):
        worker("versions")
