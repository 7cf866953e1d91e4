"""The port of the local stack, from `make`'s PORT= to the tools."""

import argparse
import re
import shlex
import subprocess
import sys

import pytest

from deployed_stack.errors import ToolError
from deployed_stack.paths import ROOT
from local_stack.choice import DEFAULT_PORT, add_port_option

_MAKEFILE = (ROOT / "Makefile").read_text()
# Values for the options that some targets require.
_REQUIRED = sorted({f"{name}=x" for name in re.findall(r"\(call required,(\w+)\)", _MAKEFILE)})
_TARGETS = [
    recipe.partition(":")[0]
    for recipe in re.split(r"\n(?=[a-z.])", _MAKEFILE)
    if re.search(r"^\t.*\$\((on-port|on-stack|connect-github)\)", recipe, flags=re.MULTILINE)
]
_NO_PORTS = ["99999", "65536", "0", "-1", "", " ", "4570x", "4570; id", "'; id; '", "0x11da", "٤٥٧٠", "1e3"]


def _parsed(text: str) -> int:
    parser = argparse.ArgumentParser()
    add_port_option(parser)
    port: int = parser.parse_args([f"--port={text}"]).port
    return port


@pytest.mark.parametrize("target", _TARGETS)
@pytest.mark.parametrize("port", ["4571", "4570; id", "4570'; id; '", '"$PATH`id`'])
def test_every_target_passes_its_port_on_unchanged(target: str, port: str) -> None:
    # In a Makefile, $$ is a dollar sign.
    command = ["make", "--dry-run", "--silent", target, *_REQUIRED, f"PORT={port.replace('$', '$$')}"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    words = shlex.split(printed.replace("\\\n", " "))
    assert words[words.index("--port") + 1] == port


def test_the_targets_with_a_port_are_found() -> None:
    assert {"run", "send", "invoke", "invoke-env", "aws-env", "token", "secret", "github-app"} <= set(
        _TARGETS
    )


@pytest.mark.parametrize("text", ["1", "4570", "65535"])
def test_a_port_is_accepted(text: str) -> None:
    assert _parsed(text) == int(text)
    assert 1 <= DEFAULT_PORT <= 65_535


@pytest.mark.parametrize("text", _NO_PORTS)
def test_anything_else_is_refused_with_the_range(text: str) -> None:
    with pytest.raises(ToolError, match="must be a number from 1 to 65535") as refused:
        _parsed(text)
    assert f"PORT={text} " in str(refused.value)


def test_make_run_reports_an_invalid_port_in_one_line() -> None:
    command = [sys.executable, str(ROOT / "scripts/run_local.py"), "--port", "99999"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stdout) == (1, "")
    assert finished.stderr == "PORT=99999 is not a port: it must be a number from 1 to 65535.\n"
