"""Run DynamoDB Local, whose conditions, transactions and indexes work as in production."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.install_dynamodb_local import install

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

START_SECONDS = 60.0

# DynamoDB Local's main class listens on every interface, at a given port. Jetty, its web server, can start
# the same handler from an XML file on the loopback interface only, at a port that the system chooses
# (https://eclipse.dev/jetty/documentation/jetty-9/, "Jetty XML Syntax").
_SERVER = """\
<?xml version="1.0"?>
<Configure id="server" class="org.eclipse.jetty.server.Server">
  <Call name="addConnector">
    <Arg>
      <New class="org.eclipse.jetty.server.ServerConnector">
        <Arg><Ref refid="server"/></Arg>
        <Set name="host">127.0.0.1</Set>
        <Set name="port">0</Set>
      </New>
    </Arg>
  </Call>
  <Set name="handler">
    <New class="com.amazonaws.services.dynamodbv2.local.server.LocalDynamoDBServerHandler">
      <Arg>
        <New class="com.amazonaws.services.dynamodbv2.local.server.LocalDynamoDBRequestHandler">
          <Arg type="int">0</Arg>         <!-- port, unused -->
          <Arg type="boolean">true</Arg>  <!-- in memory -->
          <Arg/>                          <!-- path of the database -->
          <Arg type="boolean">true</Arg>  <!-- shared by all regions and access keys -->
          <Arg type="boolean">false</Arg> <!-- delay transient statuses -->
        </New>
      </Arg>
      <Arg/>                              <!-- CORS -->
    </New>
  </Set>
</Configure>
"""
_STARTED = re.compile(r"Started ServerConnector@.*\{127\.0\.0\.1:(\d+)\}")

_JAVA_OPTIONS = [
    # Start fast and use little processor time, because the server runs for seconds or minutes only.
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-Dorg.eclipse.jetty.util.log.class=org.eclipse.jetty.util.log.StdErrLog",
    # DynamoDB Local silences Jetty, whose log line contains the port.
    "-Dorg.eclipse.jetty.server.LEVEL=INFO",
    "-Dorg.eclipse.jetty.xml.XmlParser.Validating=false",
    "-Djava.library.path=DynamoDBLocal_lib",
    "-classpath",
    "DynamoDBLocal.jar",
    "org.eclipse.jetty.xml.XmlConfiguration",
]

# Run a command until standard input closes. It closes when the parent process ends or is killed.
_UNTIL_PARENT_ENDS = """
exec 3<&0
"$@" </dev/null 3<&- &
command=$!
{ read -r _ <&3; kill -9 "$command" 2>/dev/null; } &
wait "$command"
"""


class DynamoDBLocal:
    """A context manager that runs a new DynamoDB Local, with its data in memory.

    DynamoDB Local listens on the loopback interface, and ends when this process ends or is killed.
    Entering the context installs it if it is missing, and returns when it accepts requests.

    Raises
    ------
    InstallError
        On entering: DynamoDB Local cannot be installed on this machine.
    RuntimeError
        On entering: DynamoDB Local did not start; the message has its log.

    Examples
    --------
    >>> with DynamoDBLocal() as db:
    ...     create_table(connect(db.endpoint_url), "timers")
    """

    endpoint_url: str

    def __enter__(self) -> Self:
        java, folder = install()
        self._scratch = tempfile.TemporaryDirectory(prefix="dynamodb-local-")
        log = Path(self._scratch.name, "log")
        server = Path(self._scratch.name, "server.xml")
        server.write_text(_SERVER)
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                ["sh", "-c", _UNTIL_PARENT_ENDS, "sh", java, *_JAVA_OPTIONS, server],
                cwd=folder,
                env={**os.environ, "DDB_LOCAL_TELEMETRY": "0"},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                # Ctrl-C must not end DynamoDB Local, because the tests need it for their clean-up.
                start_new_session=True,
            )
        try:
            self.endpoint_url = f"http://127.0.0.1:{self._port(log)}"
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def _port(self, log: Path) -> int:
        """Wait until DynamoDB Local listens, and return its port."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if started := _STARTED.search(log.read_text(errors="replace")):
                return int(started[1])
            time.sleep(0.05)
        raise RuntimeError(f"DynamoDB Local did not start:\n{log.read_text(errors='replace')}")

    def _stop(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()
        self._scratch.cleanup()
