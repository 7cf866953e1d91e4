"""Byte code of a build's functions and layers, so that Lambda does not compile them at each cold start.

Byte code is valid for one minor version of Python, and a file's name contains that version
(``__pycache__/clock.cpython-313.pyc``), so other versions ignore the file.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from deployed_stack.packing import code_folders

# The folders in which pyenv and uv install versions of Python that may not be on PATH.
_MANAGED = (".pyenv/versions/*/bin", ".local/share/uv/python/*/bin")
_DATACLASS_METHODS = Path(__file__).with_name("dataclass_methods.py")
_PRINT_VERSION = (
    "import sys; i = sys.version_info; print(*i[:2], sep='.') if i.releaselevel == 'final' else sys.exit(1)"
)


def find_python(version: str) -> Path | None:
    """Return an installed interpreter of a minor version such as ``3.13``, or None."""
    return next((python for python in _candidates(version) if _version_of(python) == version), None)


def _candidates(version: str) -> Iterator[Path]:
    folders = [Path(folder) for folder in os.get_exec_path()]
    folders += [folder for pattern in _MANAGED for folder in sorted(Path.home().glob(pattern), reverse=True)]
    for folder in folders:
        if found := shutil.which(f"python{version}", path=folder):
            yield Path(found)


def _version_of(python: Path) -> str:
    """Return the minor version that an interpreter reports; empty if it cannot run or is no release."""
    ran = subprocess.run([python, "-I", "-c", _PRINT_VERSION], capture_output=True, text=True, check=False)
    return ran.stdout.strip() if ran.returncode == 0 else ""


def compile_build(build: Path, python: Path) -> None:
    """Compile each function and layer of a build for the version of an interpreter.

    The mode is "unchecked", because the packages do not keep the times of the files, which Python would
    otherwise compare. The stored paths are relative, so that the same sources give the same bytes in every
    folder.
    """
    for folder in code_folders(build):
        subprocess.run(
            [
                python,
                "-I",
                "-m",
                "compileall",
                "-q",
                "--invalidation-mode",
                "unchecked-hash",
                "-s",
                folder,
                folder,
            ],
            check=True,
        )
    _store_dataclass_methods(build, python)


def _store_dataclass_methods(build: Path, python: Path) -> None:
    """Store the compiled methods of all dataclasses beside `timer_core.startup`, which uses them."""
    layers = [folder / "python" for folder in code_folders(build) if (folder / "python").exists()]
    functions = [folder for folder in code_folders(build) if not (folder / "python").exists()]
    for package in (layer / "timer_core" for layer in layers if (layer / "timer_core").exists()):
        command: list[str | Path] = [python, "-I", "-B", _DATACLASS_METHODS, package, *functions, *layers]
        subprocess.run(command, check=True)
