"""The instruction budget of the cold starts, on the built packages."""

import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from bench.built import PYTHON
from deployed_stack.byte_code import find_python

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(
    shutil.which("valgrind") is None,
    reason="Valgrind, which counts instructions, is not installed (apt-get install valgrind)",
)
@pytest.mark.skipif(
    find_python(PYTHON) is None,
    reason=f"python{PYTHON}, the runtime's, is neither on PATH nor among the versions of pyenv and uv",
)
def test_no_cold_start_takes_more_instructions_than_its_budget() -> None:
    # In a process of its own, because the bench loads the handlers with its own table.
    finished = subprocess.run(
        [sys.executable, "-m", "bench.budget"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    for line in finished.stdout.splitlines():
        if "`make budget`" in line:
            warnings.warn(line, stacklevel=1)
