"""A temporary PostgreSQL, which listens on the loopback interface only."""

import os
import pwd
import re
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local_stack import free_port

# The oldest version that Django 5.2 supports ("PostgreSQL notes").
_OLDEST = 14
# Debian and Ubuntu install the server's programs outside of PATH, in a folder for each version.
_DEBIAN = Path("/usr/lib/postgresql")
_START_SECONDS = 60
_USER = "peer"
_HOST = "127.0.0.1"
# PostgreSQL's own accounts are preferred to `nobody`, which other services may use too.
_ACCOUNTS = ("postgres", "_postgres", "nobody")
_SETTINGS = {
    # TCP, as with DynamoDB Local, so that both clients use the same kind of connection.
    "listen_addresses": _HOST,
    "unix_socket_directories": "",
    "max_connections": "10",
    "shared_buffers": "32MB",
    "max_wal_size": "128MB",
    "min_wal_size": "32MB",
    "temp_file_limit": "256MB",
    "statement_timeout": "10s",
    "max_parallel_workers": "0",
}
# Run the server until standard input closes, then delete its folder. Standard input closes when the parent
# process ends or is killed. PostgreSQL's SIGINT ends sessions and shuts down.
_UNTIL_PARENT_ENDS = """
folder=$1; shift
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ read -r _ <&3; kill -INT "$server" 2>/dev/null; } &
wait "$server"
rm -rf "$folder"
"""


class NotInstalled(Exception):
    """PostgreSQL or the peer's environment is not installed; the message says how to install it."""


def programs() -> Path:
    """Return the folder of the installed PostgreSQL's programs.

    Raises
    ------
    NotInstalled
        If there is none, or only versions that are too old.
    """
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += _DEBIAN.glob("*/bin")
    versions = {folder: major for folder in folders if (major := version(folder)) >= _OLDEST}
    if not versions:
        raise NotInstalled(
            f"No server of PostgreSQL {_OLDEST} or newer is in PATH or in {_DEBIAN}. "
            "On Debian and Ubuntu, install the package postgresql."
        )
    return max(versions, key=lambda folder: versions[folder])


def version(folder: Path) -> int:
    """Return the major version of the server in a folder of programs; 0 if there is none."""
    server = folder / "postgres"
    if not server.exists():
        return 0
    printed = subprocess.run([server, "--version"], capture_output=True, text=True, check=True).stdout
    major = re.search(r"\d+", printed)
    return int(major[0]) if major else 0


@contextmanager
def running() -> Iterator[dict[str, str]]:
    """Run a new cluster; yield the libpq variables with which a process connects to it.

    The server and its folder are gone when the context or this process ends, also if this process is killed.

    Raises
    ------
    NotInstalled
        If no PostgreSQL is installed.
    RuntimeError
        If the server does not start; the message has its log.
    """
    bin_ = programs()
    with tempfile.TemporaryDirectory(prefix="issue-timer-peer-") as name:
        folder = Path(name)
        account = _unprivileged_account(folder)
        data, log = folder / "data", folder / "log"
        password, password_file = secrets.token_urlsafe(), folder / "password"
        password_file.write_text(password)
        # Only the account can enter the folder.
        password_file.chmod(0o644)
        options = ["--auth", "scram-sha-256", "--pwfile", str(password_file), "--username", _USER]
        made = subprocess.run(
            [bin_ / "initdb", *options, "--encoding", "UTF8", "--no-locale", "--no-sync", data],
            capture_output=True,
            text=True,
            timeout=_START_SECONDS,
            cwd=folder,
            check=False,
            **account,
        )
        if made.returncode:
            raise RuntimeError(f"initdb failed:\n{made.stderr}")
        port = str(free_port())
        settings = {**_SETTINGS, "port": port}
        options = [word for key, text in settings.items() for word in ("-c", f"{key}={text}")]
        with log.open("wb") as output:
            server = subprocess.Popen(
                ["sh", "-c", _UNTIL_PARENT_ENDS, "sh", folder, bin_ / "postgres", "-D", data, *options],
                cwd="/",
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                # Ctrl-C must not end the server before its clients.
                start_new_session=True,
                **account,
            )
        try:
            _wait_for(data / "postmaster.pid", server, log)
            address = {"PGHOST": _HOST, "PGPORT": port, "PGDATABASE": "postgres"}
            yield {**address, "PGUSER": _USER, "PGPASSWORD": password}
        finally:
            assert server.stdin
            server.stdin.close()
            server.wait()


def _unprivileged_account(folder: Path) -> dict[str, Any]:
    """Give the folder to an unprivileged account if this process is root's, for whom PostgreSQL does not run.

    Return the arguments with which `subprocess` starts a process of this account.
    """
    if os.geteuid() != 0:
        return {}
    accounts = {entry.pw_name: entry for entry in pwd.getpwall()}
    account = next(accounts[name] for name in _ACCOUNTS if name in accounts)
    os.chown(folder, account.pw_uid, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _wait_for(status: Path, server: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until the file of the server's status says that it accepts connections, as `pg_ctl` does."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        if status.exists() and status.read_text().rstrip().endswith("ready"):
            return
        time.sleep(0.05)
    # The shell deletes the folder together with the log after a server that has ended.
    raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text() if log.exists() else ''}")
