"""Time and memory for loading each handler's module as it is built, compared with bare boto3 clients."""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from deployed_stack.byte_code import compile_build, find_python
from deployed_stack.paths import ROOT, SAM

_PYTHON = "3.13"  # the default of template.yaml's PythonRuntime
_ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64"}
_ROUNDS = 11
_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_LAMBDA_FUNCTION_NAME": "bench",
    "DELIVERY_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/bench.fifo",
    "LAMBDA_TASK_ROOT": "/var/task",
    "TABLE_NAME": "bench",
    "WEBHOOK_SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:bench",
    # Functions cannot write into their packages.
    "PYTHONDONTWRITEBYTECODE": "1",
}
_BASES = ("boto3.client('dynamodb')", "boto3.client('sqs')")
_BACKGROUND = ("TimerCoreLayer", "BackgroundLayer")
# For each module, the function's package and layers, and the program that loads it.
_MODULES = {
    "timelogs.api": ("TimelogsFunction", _BACKGROUND[:1], "handler.shared.table.connection.client"),
    "auth.api": ("AuthFunction", _BACKGROUND[:1], "handler.shared.table.connection.client"),
    "schedule.api": (
        "ScheduleFunction",
        ("TimerCoreLayer", "HolidaysLayer"),
        "handler.shared.table.connection.client",
    ),
    "webhook.receive": ("WebhookReceiveFunction", _BACKGROUND[:1], "handler"),
    "webhook.process": ("WebhookProcessFunction", _BACKGROUND, "handler.table.connection.client"),
    "stale_sweeper.sweep": ("StaleSweeperFunction", _BACKGROUND, "handler.table.connection.client"),
}

# Print the status of the process, which contains its peak memory in KB. The peak that `os.wait4` returns
# would include the parent process.
_PRINT_PEAK = "; print(open('/proc/self/status').read())"


def measure() -> str:
    """Return a table of each module's lowest processor time in several fresh interpreters."""
    installed = find_python(_PYTHON)
    if installed is None:
        sys.exit(f"Python {_PYTHON}, the runtime's version, is not installed on this machine.")
    with tempfile.TemporaryDirectory() as scratch:
        runtime = _install_runtime(installed, Path(scratch, "runtime"))
        built, sources = Path(scratch, "built"), Path(scratch, "sources")
        _build(built, installed)
        shutil.copytree(built, sources, ignore=shutil.ignore_patterns("__pycache__"))
        return _table(runtime, built, sources)


def _install_runtime(python: Path, folder: Path) -> Path:
    """Install the packages of Lambda's runtime; return the interpreter that finds them."""
    uv = Path(sys.executable).with_name("uv")
    requirements = ROOT / "requirements/lambda.txt"
    subprocess.run([uv, "venv", "--quiet", "--python", python, folder], check=True)
    install: list[str | Path] = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--no-deps"]
    subprocess.run([*install, "--requirement", requirements, "--python", folder], check=True)
    return folder / "bin/python"


def _build(folder: Path, python: Path) -> None:
    """Build for this machine's architecture, as `make build` does for Lambda's."""
    machine = platform.machine()
    platforms = {"LAYER_PLATFORM": machine, "LAYER_PYTHON": _PYTHON, "PYTHON": str(SAM.with_name("python"))}
    parameters = [f"Architecture={_ARCHITECTURES[machine]}", f"PythonRuntime=python{_PYTHON}"]
    subprocess.run(
        [SAM, "build", "--build-dir", folder, "--parameter-overrides", *parameters],
        cwd=ROOT,
        env=os.environ | platforms,
        capture_output=True,
        check=True,
    )
    compile_build(folder, python)


def _table(python: Path, built: Path, sources: Path) -> str:
    programs: dict[str, tuple[str, list[Path]]] = {
        "nothing": ("pass", []),
        **{base: (f"import boto3; {base}", []) for base in _BASES},
    }
    for build in (built, sources):
        for module, (function, layers, use) in _MODULES.items():
            paths = [build / function, *(build / layer / "python" for layer in layers)]
            programs[f"{build.name} {module}"] = f"import {module} as handler; {use}", paths
    times: dict[str, list[float]] = {name: [] for name in programs}
    peaks: dict[str, float] = {}
    for _ in range(_ROUNDS):
        for name, (program, paths) in programs.items():
            seconds, peaks[name] = _run(python, program, paths)
            times[name].append(seconds)
    least = {name: min(seconds) for name, seconds in times.items()}
    interpreter = least.pop("nothing")
    own = {name: seconds - interpreter for name, seconds in least.items()}

    ratios = [f"ratio to `{base}`" for base in _BASES]
    heading = ["module", "ms of processor time", *ratios, "peak MB", f"without byte code, {ratios[0]}"]
    rows = [f"| {' | '.join(heading)} |", f"| --- |{' ---: |' * 5}"]
    for name in [*_BASES, *_MODULES]:
        measured, source = (name, name) if name in _BASES else (f"built {name}", f"sources {name}")
        cells = [f"{own[measured] * 1000:.0f}"]
        cells += [f"{own[measured] / own[base]:.2f}" for base in _BASES]
        cells += [f"{peaks[measured]:.0f}", f"{own[source] / own[_BASES[0]]:.2f}"]
        rows.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(rows)


def _run(python: Path, program: str, paths: Iterable[Path]) -> tuple[float, float]:
    """Return the processor time of a fresh interpreter in seconds, and its peak memory in MB."""
    environment = _ENVIRONMENT | {"PYTHONPATH": os.pathsep.join(map(str, paths))}
    process = subprocess.Popen(
        [python, "-c", program + _PRINT_PEAK], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise RuntimeError(f"{program!r} failed")
    (kilobytes,) = re.findall(r"^VmHWM:\s+(\d+) kB$", output, re.MULTILINE)
    return usage.ru_utime + usage.ru_stime, int(kilobytes) / 1024
