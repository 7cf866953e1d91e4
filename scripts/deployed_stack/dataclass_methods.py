"""Compile the methods of a build's dataclasses, so that a function's start does not (`timer_core.startup`).

`compile_build` runs this file with the interpreter of the target's version, because that version's
``dataclasses`` writes the methods' sources. Arguments: the folder for the file, and the folders of modules.
"""

import dataclasses
import importlib
import marshal
import os
import sys
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

_PACKAGES = {
    "timer_core",
    "auth",
    "hooks",
    "reports",
    "schedule",
    "stale_sweeper",
    "timelogs",
    "timesheets",
    "webhook",
}
# Enough for the handlers' modules to be loaded. They send no requests while they are.
_ENVIRONMENT = {"AWS_DEFAULT_REGION": "us-east-1", "POWERTOOLS_TRACE_DISABLED": "true", "TABLE_NAME": "table"}


class _Without(MetaPathFinder):
    """Refuses modules in machine code, which may be that of another platform."""

    def __init__(self, packages: set[str]) -> None:
        self._packages = packages

    def find_spec(self, name: str, *_: object) -> None:
        if name.partition(".")[0] in self._packages:
            raise ImportError(name)


def sources(folders: list[Path]) -> list[str]:
    """Import all modules of ours in the folders, and return the sources that ``dataclasses`` executes."""
    found: set[str] = set()

    def execute(source: str, *scopes: Any) -> None:
        found.add(source)
        exec(source, *scopes)  # noqa: S102 - as dataclasses does

    sys.path[:0] = map(str, folders)
    libraries = [file.relative_to(folder) for folder in folders for file in folder.rglob("*.so")]
    in_machine_code = {library.parts[0].partition(".")[0] for library in libraries}
    sys.meta_path.insert(0, _Without(in_machine_code))
    os.environ.update(_ENVIRONMENT)
    vars(dataclasses)["exec"] = execute
    for name in sorted(set(_modules(folders))):
        try:
            importlib.import_module(name)
        except ImportError:
            # The module needs machine code; its dataclasses are compiled when it is loaded.
            continue
    return sorted(found)


def _modules(folders: list[Path]) -> Iterator[str]:
    for folder in folders:
        for file in folder.rglob("*.py"):
            parts = file.relative_to(folder).with_suffix("").parts
            if parts[0] in _PACKAGES:
                yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


if __name__ == "__main__":
    package, *given = map(Path, sys.argv[1:])
    compiled = {source: marshal.dumps(compile(source, "<dataclass>", "exec")) for source in sources(given)}
    file = package / f"dataclasses.{sys.implementation.cache_tag}.bin"
    file.write_bytes(marshal.dumps(compiled))
