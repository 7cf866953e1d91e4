"""Environments that Lambda restores from one snapshot share nothing that has to be unique or fresh."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HANDLERS = ["timelogs.api", "auth.api", "schedule.api", "webhook.receive"]
# The package of Lambda's runtime: it records what is called after a restore.
HOOKS = "hooks = []\n\n\ndef register_after_restore(hook):\n    hooks.append(hook)\n    return hook\n"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "snapshot_restore_py.py").write_text(HOOKS)
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
        "POWERTOOLS_TRACE_DISABLED": "true",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]),
        "TABLE_NAME": "unused",
    }


def run(program: str, environment: dict[str, str]) -> str:
    finished = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    return finished.stdout.strip()


@pytest.mark.parametrize("handler", HANDLERS)
def test_restored_environments_wait_differently_before_they_repeat_a_request(
    handler: str, environment: dict[str, str]
) -> None:
    program = f"""
import random, {handler}, snapshot_restore_py
state = random.getstate()
waits = set()
for _ in range(20):
    random.setstate(state)
    [hook() for hook in snapshot_restore_py.hooks]
    waits.add(random.random())
print(len(waits))
"""
    assert run(program, environment) == "20"


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_snapshot_contains_no_connection_and_nothing_that_was_fetched(
    handler: str, environment: dict[str, str]
) -> None:
    program = f"""
import socket
connected = []
socket.socket.connect = lambda _, address: connected.append(address)
socket.create_connection = lambda address, *_, **__: connected.append(address)
import {handler}
print(connected)
"""
    assert run(program, environment) == "[]"


def test_a_process_that_becomes_no_snapshot_needs_no_hooks(environment: dict[str, str]) -> None:
    on_demand = environment | {"AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand"}
    program = "import sys, timer_core.settings; print('snapshot_restore_py' in sys.modules)"
    assert run(program, on_demand) == "False"
