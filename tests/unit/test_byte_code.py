"""Byte code of the packages."""

import subprocess
import sys
from pathlib import Path

import pytest

from deployed_stack.byte_code import compile_build, find_python

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def build_in(folder: Path, source: str = "VALUE = {'a', 'b', 'c'}\n\ndef f():\n    return VALUE\n") -> Path:
    (folder / "Function/code").mkdir(parents=True)
    (folder / "template.yaml").write_text("      CodeUri: Function\n")
    (folder / "Function/code/module.py").write_text(source)
    return folder


def compiled(build: Path) -> Path:
    compile_build(build, Path(sys.executable))
    (file,) = build.rglob("*.pyc")
    return file


def imported(build: Path) -> str:
    program = "import sys; sys.path.insert(0, sys.argv[1]); import module; print(module.VALUE)"
    command = [sys.executable, "-IB", "-c", program, str(build / "Function/code")]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_same_sources_give_the_same_byte_code_in_every_folder(tmp_path: Path) -> None:
    one, other = (compiled(build_in(tmp_path / name)) for name in ("one", "a/folder/elsewhere"))
    assert one.read_bytes() == other.read_bytes()


def test_byte_code_is_loaded_without_a_look_at_the_source(tmp_path: Path) -> None:
    build = build_in(tmp_path, "VALUE = 'compiled'\n")
    compiled(build)
    (build / "Function/code/module.py").write_text("VALUE = 'source'\n")
    assert imported(build) == "compiled"


def test_byte_code_of_another_version_is_ignored(tmp_path: Path) -> None:
    build = build_in(tmp_path, "VALUE = 'compiled'\n")
    file = compiled(build)
    file.rename(file.with_name("module.cpython-39.pyc"))
    (build / "Function/code/module.py").write_text("VALUE = 'source'\n")
    assert imported(build) == "source"


def test_a_source_that_does_not_compile_fails_the_build(tmp_path: Path) -> None:
    build = build_in(tmp_path, "def f(:\n")
    with pytest.raises(subprocess.CalledProcessError):
        compile_build(build, Path(sys.executable))


def test_an_interpreter_is_found_by_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    # The first file is no interpreter, as a wrapper of a version manager without that version.
    wrappers, installed = tmp_path / "wrappers", tmp_path / "installed"
    for folder in (wrappers, installed):
        folder.mkdir()
    broken = wrappers / f"python{VERSION}"
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    link = installed / f"python{VERSION}"
    link.symlink_to(sys.executable)
    monkeypatch.setenv("PATH", f"{wrappers}:{installed}")
    assert find_python(VERSION) == link
    assert find_python("3.99") is None
