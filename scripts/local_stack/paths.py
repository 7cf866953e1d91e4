"""Paths of the local stack in the checkout."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deployed_stack.paths import ROOT

LOCAL = ROOT / ".local"
# The emulator runs the functions in its own interpreter, so the layers are built for that interpreter.
MINISTACK_PYTHON = ROOT / ".venv-ministack/bin/python"
# The packages of Lambda's runtime, and nothing else.
LAMBDA_PYTHON = ROOT / ".venv-lambda/bin/python"

_STATE = "stack-"


def state_dir(port: int) -> Path:
    """Return the folder in which ``make run`` keeps the state of the stack on a port."""
    return LOCAL / f"{_STATE}{port}"


@contextmanager
def findable(port: int, folder: Path) -> Iterator[None]:
    """Let the tools find the state of a stack that keeps it in another folder, while the stack runs."""
    link = state_dir(port)
    if link.is_symlink():
        # The process that made the link was killed.
        link.unlink()
    is_elsewhere = not link.exists() and folder.resolve() != link
    if is_elsewhere:
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(folder.resolve())
    try:
        yield
    finally:
        if is_elsewhere:
            link.unlink(missing_ok=True)


def known_ports() -> list[int]:
    """Return the ports of all stacks that ``make run`` keeps, running or not."""
    names = (path.name.removeprefix(_STATE) for path in LOCAL.glob(f"{_STATE}*"))
    return sorted(int(name) for name in names if name.isdecimal())
