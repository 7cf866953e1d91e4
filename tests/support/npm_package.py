"""Files of pinned npm packages, downloaded once into ``.cache`` with the npm of ``.venv-node``."""

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

_ROOT = Path(__file__).parents[2]
CACHE = _ROOT / ".cache"
_NPM = _ROOT / ".venv-node/bin/npm"


class InstallError(Exception):
    """A dependency of the tests cannot be installed on this machine; the message names it."""


class NpmPackage(NamedTuple):
    """A file or folder of a package.

    Attributes
    ----------
    name
        The package's name and version.
    sha512
        The package's `dist.integrity` (a Subresource Integrity hash), without its prefix.
    part
        The path of the file or folder within the package.
    """

    name: str
    sha512: str
    part: str

    def unpack(self, folder: Path) -> None:
        """Download the package and unpack its ``part`` into `folder`.

        Raises
        ------
        InstallError
            The download failed, or the hash differs.
        """
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            run([str(_NPM), "pack", "--loglevel=error", self.name], cwd=scratch)
            (package,) = Path(scratch).glob("*.tgz")
            digest = hashlib.sha512(package.read_bytes()).digest()
            if base64.b64encode(digest).decode() != self.sha512:
                raise InstallError(
                    f"{self.name} is not the package that this project was tested with: its hash differs"
                )
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
    """Return a folder of the cache, after calling `fill` if the folder does not exist.

    Several processes may call this function concurrently. One process fills the folder, and the others wait.
    The folder appears only when it is complete.
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
    """Unpack a wheel into `folder`, outside of this process's environment."""
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
    run([sys.executable, "-m", "pip", "install", *options, "--target", str(folder), requirement])


def run(command: list[str], cwd: str | None = None) -> None:
    """Run a command that downloads or installs something.

    Raises
    ------
    InstallError
        The command is missing or failed; the message has its output.
    """
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise InstallError(f"{command[0]} is missing; `make install` installs it") from error
    if done.returncode:
        raise InstallError(f"`{' '.join(command)}` failed:\n{done.stderr or done.stdout}")
