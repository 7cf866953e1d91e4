"""Where the local stack's things are in the checkout."""

from pathlib import Path

from deployed_stack.paths import ROOT

LOCAL = ROOT / ".local"
# The emulator runs the functions in its own interpreter: the layer has to be built for this one.
MINISTACK_PYTHON = ROOT / ".venv-ministack/bin/python"
# What Lambda's runtime has, and nothing else.
LAMBDA_PYTHON = ROOT / ".venv-lambda/bin/python"

_STATE = "stack-"


def state_dir(port: int) -> Path:
    """Return where ``make run`` keeps the state of the stack on this port."""
    return LOCAL / f"{_STATE}{port}"


def known_ports() -> list[int]:
    """Return the ports that ``make run`` has kept a stack of, whether it runs or not."""
    names = (path.name.removeprefix(_STATE) for path in LOCAL.glob(f"{_STATE}*"))
    return sorted(int(name) for name in names if name.isdecimal())
