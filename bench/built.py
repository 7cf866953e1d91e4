"""A build of the functions for this machine's architecture, and the packages of Lambda's runtime."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from bench.aws_over_tls import make_certificates
from deployed_stack.byte_code import compile_build, find_python
from deployed_stack.paths import ROOT, SAM
from local_stack.build import sources_digest
from local_stack.paths import LOCAL
from tests.support.table import TemplateLoader

PYTHON = "3.13"  # the default of template.yaml's PythonRuntime
_ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64"}
_FOLDER = LOCAL / "bench"
_RUNTIME_PACKAGES = ROOT / "requirements/lambda.txt"


@dataclass(frozen=True)
class Built:
    """A build and an interpreter with the packages of Lambda's runtime.

    Attributes
    ----------
    python
        The interpreter.
    folder
        The functions and layers.
    certificates
        The key and certificates of a server that both trust, besides the authorities that they trust in AWS.
    """

    python: Path
    folder: Path
    certificates: Path

    def paths(self, function: str) -> list[Path]:
        """Return the folders from which a function imports its modules, in their order in Lambda."""
        return [self.folder / function, *(layer / "python" for layer in self._layers(function))]

    def environment(self, function: str) -> dict[str, str]:
        """Return the variables in the template that are the same in each stack."""
        variables = _variables(self._template["Globals"]["Function"])
        variables |= _variables(self._properties(function))
        return {
            name: self._on_this_machine(str(value), function)
            for name, value in variables.items()
            if not isinstance(value, Mapping)
        }

    @property
    def _template(self) -> dict[str, Any]:
        template: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), Loader=TemplateLoader)  # noqa: S506
        return template

    def _properties(self, function: str) -> dict[str, Any]:
        properties: dict[str, Any] = self._template["Resources"][function]["Properties"]
        return properties

    def _layers(self, function: str) -> list[Path]:
        used = [
            *self._template["Globals"]["Function"]["Layers"],
            *self._properties(function).get("Layers", ()),
        ]
        return [self.folder / layer["!Ref"] for layer in used]

    def _on_this_machine(self, value: str, function: str) -> str:
        """Return the value with the path of a file in Lambda replaced by that of the file in the build."""
        if value.startswith("/var/task/"):
            return str(self.folder / function / value.removeprefix("/var/task/"))
        if value.startswith("/opt/"):
            files = [layer / value.removeprefix("/opt/") for layer in self._layers(function)]
            return str(next(file for file in files if file.exists()))
        return value


def _variables(properties: Mapping[str, Any]) -> dict[str, Any]:
    return dict(properties.get("Environment", {}).get("Variables", {}))


def prepare() -> Built:
    """Build the present sources; an earlier build of the same sources is reused."""
    installed = find_python(PYTHON)
    if installed is None:
        sys.exit(f"Python {PYTHON}, the runtime's version, is not installed on this machine.")
    built = Built(_FOLDER / "runtime/bin/python", _FOLDER / "build", _FOLDER / "server.pem")
    sources = f"{sources_digest()} {sha256(_RUNTIME_PACKAGES.read_bytes()).hexdigest()} {installed}"
    used = _FOLDER / "sources"
    if used.exists() and used.read_text() == sources:
        return built
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _FOLDER.mkdir(parents=True)
    _install_runtime(installed)
    _build(built.folder)
    compile_build(built.folder, installed)
    make_certificates(_FOLDER / "root.pem", built.certificates)
    for folder in ("runtime", "build"):
        _trust(_FOLDER / "root.pem", _FOLDER / folder)
    used.write_text(sources)
    return built


def _install_runtime(python: Path) -> None:
    uv = Path(sys.executable).with_name("uv")
    folder = _FOLDER / "runtime"
    subprocess.run([uv, "venv", "--quiet", "--python", python, folder], check=True)
    install: list[str | Path] = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--no-deps"]
    subprocess.run([*install, "--requirement", _RUNTIME_PACKAGES, "--python", folder], check=True)


def _build(folder: Path) -> None:
    """Build for this machine's architecture, as `make build` does for Lambda's."""
    machine = platform.machine()
    platforms = {"LAYER_PLATFORM": machine, "LAYER_PYTHON": PYTHON, "PYTHON": str(SAM.with_name("python"))}
    parameters = [f"Architecture={_ARCHITECTURES[machine]}", f"PythonRuntime=python{PYTHON}"]
    built = subprocess.run(
        [SAM, "build", "--build-dir", folder, "--parameter-overrides", *parameters],
        cwd=ROOT,
        env=os.environ | platforms,
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode != 0:
        sys.exit(f"sam build failed:\n{built.stderr}")


def _trust(root: Path, folder: Path) -> None:
    """Add a certificate to each list of authorities, so that a list costs what it costs in AWS."""
    for bundle in folder.rglob("*.pem"):
        trusted = bundle.read_bytes() + b"\n" + root.read_bytes()
        # The file may be a link to the package manager's cache.
        bundle.unlink()
        bundle.write_bytes(trusted)
