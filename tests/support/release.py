"""A release's store of timers, in a process of its own, as a function that is not updated yet runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

RELEASES = Path(__file__).parents[1] / "releases"
_MAIN = Path(__file__).with_name("release_main.py")


class Refused(Exception):
    """The release refused what it was asked; the message is the name of its error."""


class Release:
    """An earlier release at work on a table.

    Parameters
    ----------
    version
        Which release, of those in tests/releases/; None for the present one.
    table_name
        The table; where it is says the environment.
    """

    def __init__(self, version: str | None, table_name: str) -> None:
        environment = {**os.environ, "TABLE_NAME": table_name}
        if version is not None:
            environment["PYTHONPATH"] = str(RELEASES / f"timer_core-{version}.zip")
        self._process = subprocess.Popen(
            [sys.executable, _MAIN], env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def ask(self, command: str, **arguments: Any) -> Any:
        """Return the answer to a command of tests/support/release_main.py.

        Raises
        ------
        Refused
            If the store raised one of its errors.
        """
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"command": command, **arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"The release ended with status {self._process.wait()}.")
        answer = json.loads(line)
        if "refused" in answer:
            raise Refused(answer["refused"])
        return answer["answer"]
