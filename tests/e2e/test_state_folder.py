"""One emulator at a time uses a folder of state."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from deployed_stack.errors import ToolError
from local_stack import MiniStack, ministack

# A run that stores a parameter in an emulator, and then waits to be killed.
EARLIER_RUN = """
import sys, time
from pathlib import Path
from local_stack import MiniStack
emulator = MiniStack(Path(sys.argv[1]))
emulator.start()
emulator.session.client("ssm").put_parameter(Name="/kept", Value="1", Type="String")
print(emulator._process.pid, emulator.access.port, flush=True)
time.sleep(600)
"""


def test_a_new_emulator_waits_until_that_of_a_killed_run_has_ended(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", EARLIER_RUN, tmp_path], stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        pid, port = map(int, run.stdout.readline().split())
        # The earlier emulator takes long to notice the end of its parent, and to save its state.
        os.kill(pid, signal.SIGSTOP)
        run.kill()
    threading.Timer(3, os.kill, (pid, signal.SIGCONT)).start()
    reported: list[str] = []
    with MiniStack(tmp_path, reported.append) as emulator:
        # The former port is used again, if the earlier emulator has released it.
        assert emulator.access.port == port
        found = emulator.session.client("ssm").get_parameter(Name="/kept")
        assert found["Parameter"]["Value"] == "1"
    assert reported == ["Waiting for the emulator of an earlier run, which saves its data"]


def test_an_emulator_that_keeps_its_folder_is_not_disturbed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ministack, "_STOP_SECONDS", 0.3)
    with MiniStack(tmp_path) as emulator:
        access = (tmp_path / "emulator.json").read_text()
        with pytest.raises(ToolError, match=f"Another emulator uses {tmp_path}"):
            MiniStack(tmp_path).start()
        assert (tmp_path / "emulator.json").read_text() == access
        emulator.session.client("ssm").put_parameter(Name="/kept", Value="1", Type="String")
    with (tmp_path / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
