"""Builds of the stack's functions and layers for this machine, cached by the sources' digest."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from deployed_stack.byte_code import compile_build
from deployed_stack.errors import ToolError
from deployed_stack.paths import ROOT, SAM
from local_stack.paths import LOCAL, MINISTACK_PYTHON

_BUILDS = LOCAL / "builds"
_BUILDS_KEPT = 3
_SOURCES = (
    "template.yaml",
    "functions",
    "layers",
    "requirements/ministack.txt",
    "scripts/deployed_stack/byte_code.py",
    "scripts/deployed_stack/dataclass_methods.py",
)


def sources_digest() -> str:
    """Return a digest of all inputs of a build."""
    digest = hashlib.sha256()
    for source in _SOURCES:
        path = ROOT / source
        files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if _is_source(p))
        for file in files:
            digest.update(f"{file.relative_to(ROOT)}\0{file.stat().st_size}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _is_source(path: Path) -> bool:
    return (
        path.is_file()
        and "__pycache__" not in path.parts
        and not any(part.endswith(".egg-info") for part in path.parts)
    )


def build() -> Path:
    """Build with ``sam build``, or reuse an earlier build of the same sources.

    Returns
    -------
    Path
        The built template; the functions and layers are in the same folder.

    Raises
    ------
    ToolError
        The build failed; the message has its output.
    """
    destination = _BUILDS / sources_digest()
    with contextlib.suppress(FileNotFoundError):
        # Mark the build as used, because the least recently used builds are deleted.
        os.utime(destination)
    if not destination.exists():
        _BUILDS.mkdir(parents=True, exist_ok=True)
        # Build in a scratch folder and rename it, so that an interrupted build is never used.
        with tempfile.TemporaryDirectory(dir=_BUILDS, prefix="building-") as scratch:
            run_sam(
                "build", "--template-file", str(ROOT / "template.yaml"), "--build-dir", f"{scratch}/build"
            )
            # Each of the emulator's workers unpacks the layer, and would compile it again.
            compile_build(Path(scratch, "build"), MINISTACK_PYTHON)
            try:
                Path(scratch, "build").rename(destination)
            except OSError:
                # Another process may have built the same sources in the meantime.
                if not destination.exists():
                    raise
        _delete_old_builds()
    return destination / "template.yaml"


def _delete_old_builds() -> None:
    used: dict[Path, float] = {}
    for path in _BUILDS.iterdir():
        # Another process may delete this build at the same time.
        with contextlib.suppress(FileNotFoundError):
            if not path.name.startswith("building-"):
                used[path] = path.stat().st_mtime
    for old in sorted(used, key=lambda path: used[path])[:-_BUILDS_KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def run_sam(command: str, *arguments: str, environment: dict[str, str] | None = None) -> None:
    """Run one command of the SAM CLI quietly, with a layer for the emulator's interpreter.

    Raises
    ------
    ToolError
        The command failed; the message has its output.
    """
    settings = {
        "SAM_CLI_TELEMETRY": "0",
        # Seconds between polls of a change set; the default of 5 is meant for AWS.
        "SAM_CLI_POLL_DELAY": "0.5",
        "LAYER_PLATFORM": "host",
        "PYTHON": str(MINISTACK_PYTHON),
    }
    finished = subprocess.run(
        [SAM, command, *arguments],
        cwd=ROOT,
        env=(environment or dict(os.environ)) | settings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if finished.returncode != 0:
        raise ToolError(f"sam {command} failed:\n{finished.stdout}")
