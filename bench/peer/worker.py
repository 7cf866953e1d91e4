"""A process that responds to the bench's requests, and measures each response in itself.

This module is imported by the bench and by each worker, whose environments share the standard library only.
"""

import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

_ROOT = Path(__file__).parents[2]
_TIMEOUT_S = 120


class Request(NamedTuple):
    """An HTTP request, with the names of its headers in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


class Response(NamedTuple):
    """A response, the processor time of the worker's whole process, and the time on the clock."""

    status: int
    body: bytes
    cpu_ms: float
    wall_ms: float


class Account(NamedTuple):
    """A registered person."""

    github_id: int
    login: str
    token: str


class PastTimer(NamedTuple):
    """A stopped timer with one pause; times in milliseconds since the epoch."""

    repo: str
    number: int
    start_ms: int
    pause_ms: int
    resume_ms: int
    end_ms: int


class Worker:
    """The bench's end of a worker, a context manager.

    Parameters
    ----------
    python
        The interpreter of the worker's environment.
    module
        A module that calls `serve`.
    environment
        The environment variables.
    """

    def __init__(self, python: Path, module: str, environment: Mapping[str, str]) -> None:
        self._module = module
        self._connection, other_end = Pipe()
        self._process = subprocess.Popen(
            [python, "-m", module, str(other_end.fileno())],
            pass_fds=[other_end.fileno()],
            cwd=_ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            # The functions print their metrics.
            stdout=subprocess.DEVNULL,
            # Ctrl-C ends the bench, whose end closes the connection and so ends the worker.
            start_new_session=True,
        )
        other_end.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __call__(self, operation: str, *arguments: object) -> Any:
        """Return the result of one of the worker's operations.

        Raises
        ------
        RuntimeError
            If the worker has ended, or does not answer in two minutes.
        """
        try:
            self._connection.send((operation, arguments))
            if self._connection.poll(_TIMEOUT_S):
                return self._connection.recv()
        except (EOFError, OSError):
            raise RuntimeError(f"{self._module} has ended at {operation!r}.") from None
        raise RuntimeError(f"{self._module} takes too long for {operation!r}.")


def serve(connection: int, operations: Mapping[str, Callable[..., Any]]) -> None:
    """Run the operations that the bench asks for, until it closes the connection (a file descriptor)."""
    requests = Connection(connection)
    with suppress(EOFError, ConnectionError):
        while True:
            operation, arguments = requests.recv()
            requests.send(operations[operation](*arguments))


def measured(respond: Callable[[], tuple[int, bytes]]) -> Response:
    """Return the response with the time that it took."""
    cpu, wall = time.process_time(), time.perf_counter()
    status, body = respond()
    return Response(status, body, (time.process_time() - cpu) * 1000, (time.perf_counter() - wall) * 1000)
