"""Run MiniStack as a child process: start it, wait until it is ready, save its state and stop it."""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, Self

import boto3

from deployed_stack.errors import ToolError
from deployed_stack.paths import ROOT
from local_stack.paths import MINISTACK_PYTHON

HOST = "127.0.0.1"
REGION = "us-east-1"
_START_SECONDS = 60
_STOP_SECONDS = 60
_EARLIER_RUN = "Waiting for the emulator of an earlier run, which saves its data"


def free_port() -> int:
    """Return a TCP port that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Access(NamedTuple):
    """The port of an emulator, and the keys with which it can be used during one run."""

    port: int
    access_key_id: str
    secret_access_key: str
    secret: str
    """The front door's secret."""

    @property
    def endpoint_url(self) -> str:
        """The URL that all AWS services share."""
        return f"http://{HOST}:{self.port}"


class _EmulatorSession(boto3.Session):
    """A session whose clients share one endpoint and one access key.

    boto3 has no setting for a session's endpoint. The key is read when a client is created, because it
    belongs to a run of the emulator.
    """

    def __init__(self, emulator: "MiniStack") -> None:
        super().__init__(region_name=REGION)
        self._emulator = emulator

    # Hide this method from the type checker, which derives the client's type from boto3's own signature.
    if not TYPE_CHECKING:

        def client(self, *args: object, **kwargs: object) -> object:
            """Create a client, as ``boto3.Session.client`` does."""
            access = self._emulator.access
            settings = {
                "endpoint_url": access.endpoint_url,
                "aws_access_key_id": access.access_key_id,
                "aws_secret_access_key": access.secret_access_key,
            }
            return super().client(*args, **settings | kwargs)


class MiniStack:
    """An empty AWS on a local port, with its state in a folder.

    The state contains each change that was acknowledged; the next emulator with the same folder loads it. A
    file in the folder tells the tools of this machine's user the port and the access key.

    Parameters
    ----------
    state_dir
        Folder for the state, the log and the functions' unpacked code. One emulator at a time uses it.
    report
        Called with a line of text before a long wait.
    """

    def __init__(self, state_dir: Path, report: Callable[[str], None] = lambda _line: None) -> None:
        self.state_dir = state_dir.resolve()
        self._report = report
        self.log_file = self.state_dir / "ministack.log"
        self._access_file = self.state_dir / "emulator.json"
        self._scratch = self.state_dir / "tmp"
        self._access: Access | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def access(self) -> Access:
        """The port and the keys of the emulator that this object or another process has started.

        Raises
        ------
        ToolError
            No emulator was ever started with this folder.
        """
        access = self._access or self._recorded_access()
        if access is None:
            raise ToolError(f"No emulator has used {self.state_dir} yet.")
        return access

    @property
    def endpoint_url(self) -> str:
        """The URL that all AWS services share."""
        return self.access.endpoint_url

    @property
    def session(self) -> boto3.Session:
        """A boto3 session whose clients call this emulator, regardless of environment variables."""
        return _EmulatorSession(self)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of this process, with the emulator in place of any AWS account."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return inherited | {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": self.access.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.access.secret_access_key,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def is_running(self) -> bool:
        """Whether the process that this object has started still runs."""
        return self._process is not None and self._process.poll() is None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the emulator and wait until it is ready.

        Raises
        ------
        ToolError
            The emulator did not start, or another one uses the folder.
        """
        self.state_dir.mkdir(parents=True, exist_ok=True)
        # The state contains secrets.
        self.state_dir.chmod(0o700)
        with self._locked() as lock, self.log_file.open("ab") as log:
            self._record_access()
            # Delete the scratch folder of an earlier run that was killed.
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch.mkdir()
            process = self._process = subprocess.Popen(
                # With -P, Python does not search this file's folder for the modules that MiniStack imports.
                [MINISTACK_PYTHON, "-P", ROOT / "scripts/emulator/main.py"],
                env=self.environment | self._settings(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[lock],
                # Ctrl-C reaches only this process, which then stops the emulator cleanly.
                start_new_session=True,
            )
        try:
            self._wait_until_ready(process)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the emulator after it has saved its state, and stop its workers."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        # Kill the functions' busy workers, which are in the emulator's process group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        shutil.rmtree(self._scratch, ignore_errors=True)

    def reset(self) -> None:
        """Stop the emulator, and start an empty one; keep the former state in the folder ``lost``."""
        self.stop()
        lost = self.state_dir / "lost"
        shutil.rmtree(lost, ignore_errors=True)
        lost.mkdir()
        for folder in ("services", "s3"):
            with contextlib.suppress(FileNotFoundError):
                (self.state_dir / folder).rename(lost / folder)
        self.start()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """Lock the folder; yield the file that a process inherits to keep the lock until it ends.

        An emulator whose parent was killed still saves its state, so that the next one has to wait for it.

        Raises
        ------
        ToolError
            An emulator kept the lock.
        """
        with (self.state_dir / "lock").open("a") as lock:
            if not _take(lock):
                self._report(_EARLIER_RUN)
                deadline = time.monotonic() + _STOP_SECONDS
                while not _take(lock):
                    if time.monotonic() > deadline:
                        raise ToolError(f"Another emulator uses {self.state_dir}: stop its `make run` first.")
                    time.sleep(0.1)
            yield lock.fileno()

    def _settings(self) -> dict[str, str]:
        return {
            "EMULATOR_PORT": str(self.access.port),
            "EMULATOR_SECRET": self.access.secret,
            "BIND_HOST": HOST,
            "MINISTACK_REGION": REGION,
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self.state_dir / "services"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self.state_dir / "s3"),
            "TMPDIR": str(self._scratch),
            # These services are not used, and would open further ports.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
        }

    def _recorded_access(self) -> Access | None:
        try:
            return Access(**json.loads(self._access_file.read_text()))
        except FileNotFoundError:
            return None

    def _record_access(self) -> None:
        """Choose a port, the previous one if it is free, and keys, which this object keeps."""
        previous = self.access if self._access or self._access_file.exists() else None
        port = previous.port if previous and _is_free(previous.port) else free_port()
        keys = self._access or Access(
            port,
            f"LOCAL{secrets.token_hex(16).upper()}",
            secrets.token_urlsafe(32),
            secrets.token_urlsafe(32),
        )
        self._access = keys._replace(port=port)
        unfinished = self._access_file.with_suffix(".tmp")
        unfinished.unlink(missing_ok=True)
        unfinished.touch(0o600, exist_ok=False)
        unfinished.write_text(json.dumps(self._access._asdict()))
        unfinished.rename(self._access_file)

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            with socket.socket() as probe:
                # The emulator listens only after it has loaded its state.
                if probe.connect_ex((HOST, self.access.port)) == 0:
                    return
            time.sleep(0.1)
        raise ToolError(f"MiniStack did not start; its log is {self.log_file}")


def _take(lock: IO[str]) -> bool:
    """Lock a file for the processes that have it open, and return whether no other one has locked it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_free(port: int) -> bool:
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True
