"""Back ends that all worker processes of a test run share.

The first process that needs a back end starts a keeper (``python -m tests.support.shared_back_ends``), which
runs the back end and stops it when no process uses it any more. A process uses a back end while it holds a
shared lock on a file; the keeper waits for the exclusive lock on the same file. The kernel releases the locks
of a killed process, so every back end stops after a crash or Ctrl-C.
"""

from __future__ import annotations

import fcntl
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

ROOT = Path(__file__).parents[2]

_keepers: list[subprocess.Popen[bytes]] = []


@contextmanager
def shared(name: str, folder: Path) -> Iterator[str]:
    """Use a back end together with the other processes of the test run.

    Parameters
    ----------
    name
        A key of ``BACK_ENDS``.
    folder
        The folder of the test run, the same in all processes of the run.

    Yields
    ------
    str
        The address of the back end, as its function in ``BACK_ENDS`` yields it.

    Raises
    ------
    RuntimeError
        The back end did not start; the message contains its log.
    """
    address = folder / f"{name}.address"
    with (folder / f"{name}.users").open("a") as users:
        with (folder / f"{name}.start").open("a") as start:
            # One process starts the back end. The others wait here until the back end is ready.
            fcntl.flock(start, fcntl.LOCK_EX)
            fcntl.flock(users, fcntl.LOCK_SH)
            if not address.exists():
                _start_keeper(name, folder, address)
        yield address.read_text()


def wait_for_keepers() -> None:
    """Wait until the keepers that this process started have stopped their back ends, after the last test.

    Call this function after this process has released its back ends, because other processes may wait for
    them.
    """
    for keeper in _keepers:
        keeper.wait()
    _keepers.clear()


def _start_keeper(name: str, folder: Path, address: Path) -> None:
    log = folder / f"{name}.log"
    with log.open("ab") as output:
        keeper = subprocess.Popen(
            [sys.executable, "-m", __name__, name, str(folder)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # Ctrl-C must not end the keeper, which cleans up after the tests end.
            start_new_session=True,
        )
    _keepers.append(keeper)
    while not address.exists():
        if keeper.poll() is not None:
            raise RuntimeError(f"{name} did not start:\n{log.read_text(errors='replace')}")
        time.sleep(0.05)


# ---------------------------------------------------------------------- the keeper


@contextmanager
def _dynamodb(_folder: Path) -> Iterator[str]:
    """Run DynamoDB Local; yield its URL."""
    from tests.support.dynamodb_local import DynamoDBLocal

    with DynamoDBLocal() as server:
        yield server.endpoint_url


@contextmanager
def _ministack(folder: Path) -> Iterator[str]:
    """Run MiniStack without a stack; yield the folder of its state."""
    from local_stack import MiniStack

    with MiniStack(folder / "ministack") as emulator:
        yield str(emulator.state_dir)


BACK_ENDS: dict[str, Callable[[Path], AbstractContextManager[str]]] = {
    "dynamodb": _dynamodb,
    "ministack": _ministack,
}


def _keep(name: str, folder: Path) -> None:
    """Run a back end until no process uses it."""
    address = folder / f"{name}.address"
    with BACK_ENDS[name](folder) as value, (folder / f"{name}.users").open("a") as users:
        unfinished = address.with_suffix(".unfinished")
        unfinished.write_text(value)
        unfinished.rename(address)
        fcntl.flock(users, fcntl.LOCK_EX)
        address.unlink()


if __name__ == "__main__":
    _keep(sys.argv[1], Path(sys.argv[2]))
