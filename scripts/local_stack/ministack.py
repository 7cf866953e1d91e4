"""Run MiniStack as a child process: start it, wait until it is ready, save its state and stop it."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import boto3

from deployed_stack.errors import ToolError
from local_stack.paths import MINISTACK_PYTHON

HOST = "127.0.0.1"
REGION = "us-east-1"
# The emulator accepts any access key.
_KEY = "local"
_START_SECONDS = 60
_STOP_SECONDS = 60


def free_port() -> int:
    """Return a TCP port that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class _EmulatorSession(boto3.Session):
    """A session whose clients share one endpoint; boto3 has no setting for a session's endpoint."""

    def __init__(self, endpoint_url: str) -> None:
        super().__init__(aws_access_key_id=_KEY, aws_secret_access_key=_KEY, region_name=REGION)
        self._endpoint_url = endpoint_url

    # Hide this method from the type checker, which derives the client's type from boto3's own signature.
    if not TYPE_CHECKING:

        def client(self, *args: object, **kwargs: object) -> object:
            """Create a client, as ``boto3.Session.client`` does."""
            return super().client(*args, **{"endpoint_url": self._endpoint_url} | kwargs)


class MiniStack:
    """An empty AWS on one local port, with its state in a folder.

    The state is saved within seconds of a change, and at the end of the context; the next emulator with the
    same folder loads it.

    Parameters
    ----------
    port
        The port to listen on, on the loopback interface only.
    state_dir
        Folder for the state, the log and the functions' unpacked code. It belongs to one port, because
        MiniStack identifies a queue by its URL, which contains the port.
    """

    def __init__(self, port: int, state_dir: Path) -> None:
        self.port = port
        self.state_dir = state_dir.resolve()
        self.log_file = self.state_dir / "ministack.log"
        self._scratch = self.state_dir / "tmp"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint_url(self) -> str:
        """The URL that all AWS services share."""
        return f"http://{HOST}:{self.port}"

    @property
    def session(self) -> boto3.Session:
        """A boto3 session whose clients call this emulator, regardless of environment variables."""
        return _EmulatorSession(self.endpoint_url)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of this process, with the emulator in place of any AWS account."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return inherited | {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _KEY,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

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
            The port is in use, the state belongs to another port, or the emulator did not start.
        """
        self.require_free_port()
        self._require_same_port()
        # Delete the scratch folder of an earlier run that was killed.
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir(parents=True)
        with self.log_file.open("ab") as log:
            process = self._process = subprocess.Popen(
                # With -P, Python does not search this file's folder for the modules that MiniStack imports.
                [MINISTACK_PYTHON, "-P", Path(__file__).with_name("emulator_main.py")],
                env=self.environment | self._settings(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
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

    def wait(self) -> None:
        """Wait for an unexpected end of the emulator.

        Raises
        ------
        ToolError
            Always; the message names the emulator's log.
        """
        if self._process is not None:
            self._process.wait()
        raise ToolError(f"MiniStack ended unexpectedly; its log is {self.log_file}")

    def _settings(self) -> dict[str, str]:
        return {
            "GATEWAY_PORT": str(self.port),
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

    def require_free_port(self) -> None:
        """Check that the port is free.

        Raises
        ------
        ToolError
            Something listens on the port.
        """
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, self.port))
            except PermissionError:
                raise ToolError(f"Port {self.port} needs privileges: choose one from 1024 on.") from None
            except OSError:
                raise ToolError(
                    f"Port {self.port} is in use. Is the local stack running already? "
                    "Otherwise choose another port: make run PORT=<port>"
                ) from None

    def _require_same_port(self) -> None:
        record = self.state_dir / "port"
        if record.exists() and record.read_text() != str(self.port):
            raise ToolError(f"{self.state_dir} holds the state of port {record.read_text()}")
        self.state_dir.mkdir(parents=True, exist_ok=True)
        record.write_text(str(self.port))

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            with socket.socket() as probe:
                # The emulator listens only after it has loaded its state.
                if probe.connect_ex((HOST, self.port)) == 0:
                    return
            time.sleep(0.1)
        raise ToolError(f"MiniStack did not start; its log is {self.log_file}")
