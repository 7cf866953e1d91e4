"""`make run` survives a failed call while it restores the stack, and ends with a message if that lasts."""

import runpy
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

from deployed_stack.errors import ToolError
from deployed_stack.paths import ROOT
from local_stack import LocalStack, stack

BUSY = ClientError({"Error": {"Code": "InternalError", "Message": "busy"}}, "PutParameter")
CLOSED = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


class _Done(Exception):
    """The stack is up again."""


class _Stack(LocalStack):
    """A stack whose emulator has ended, and whose restoration fails with these errors."""

    def __init__(self, state_dir: Path, failures: list[Exception]) -> None:
        self.reported: list[str] = []
        super().__init__(4570, state_dir, self.reported.append)
        self.failures = failures

    def recover(self) -> None:
        if not self.failures:
            raise _Done
        raise self.failures.pop(0)


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "_SUPERVISION_SECONDS", 0)
    monkeypatch.setattr(stack, "_CHECK_SECONDS", 0)
    monkeypatch.setattr("local_stack.ministack.MiniStack.is_running", True)


@pytest.mark.parametrize("error", [BUSY, CLOSED])
def test_a_failed_call_is_tried_again(tmp_path: Path, error: ClientError | BotoCoreError) -> None:
    supervised = _Stack(tmp_path, [error])
    with pytest.raises(_Done):
        supervised.supervise()
    assert supervised.reported == [f"The stack could not be restored, and is tried again: {error}"]


def test_calls_that_fail_again_end_the_run_with_the_name_of_the_log(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"ministack\.log: .*busy"):
        _Stack(tmp_path, [CLOSED, BUSY]).supervise()


def test_a_stack_that_could_not_be_restored_is_restored_by_the_next_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes: list[Exception | None] = [BUSY, None]
    supervised = LocalStack(4570, tmp_path)

    def deploy_changes() -> None:
        if outcome := outcomes.pop(0):
            raise outcome

    monkeypatch.setattr(supervised, "_deploy_changes", deploy_changes)
    # The emulator has the stack, but the front door was not opened to it.
    monkeypatch.setattr(supervised, "_has_data", lambda: True)
    with pytest.raises(ClientError):
        supervised.recover()
    supervised.recover()
    supervised.recover()
    assert outcomes == []


def test_a_failed_call_at_the_start_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_stack: LocalStack) -> None:
        raise BUSY

    monkeypatch.setattr(LocalStack, "start", fail)
    monkeypatch.setattr("sys.argv", ["run_local.py", "--port", "4571"])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "scripts/run_local.py"), run_name="__main__")
    assert str(BUSY) in str(ended.value)
    assert capsys.readouterr().err == ""
