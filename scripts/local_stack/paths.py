"""Paths of the local stack in the checkout."""

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


def known_ports() -> list[int]:
    """Return the ports of all stacks that ``make run`` keeps, running or not."""
    names = (path.name.removeprefix(_STATE) for path in LOCAL.glob(f"{_STATE}*"))
    return sorted(int(name) for name in names if name.isdecimal())
