"""Processor time, instructions and memory of a program in a fresh interpreter, without the interpreter's end.

Lambda ends a function's process only after its last request, so nobody waits for the end.
"""

import ast
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_ENVIRONMENT = {
    # Functions cannot write into their packages.
    "PYTHONDONTWRITEBYTECODE": "1",
    # Sets of strings have the same order in each run, so the number of instructions is the same.
    "PYTHONHASHSEED": "0",
}
_END = """
import os, time
report = {"seconds": time.process_time(), "kilobytes": 0, "result": globals().get("result")}
for line in open("/proc/self/status"):
    if line.startswith("VmHWM:"):
        report["kilobytes"] = int(line.split()[1])
print("\\n" + repr(report), flush=True)
os._exit(0)
"""


# Counts the instructions of byte code by the module that is being imported, so that a module's patterns and
# data classes count as its own; after the imports, by the module whose code runs. The interpreter reports the
# start and end of each module (sys.monitoring), and each file that is opened (sys.addaudithook).
_COUNT_BY_MODULE = """
import os, sys
executed, loaded, importing = {}, {}, []
def _start(code, _offset):
    if code.co_name == "<module>" and code.co_filename != "<string>":
        importing.append(sys._getframe(1).f_globals["__name__"])
def _end(code, *_):
    if code.co_name == "<module>" and code.co_filename != "<string>":
        importing.pop()
def _count(code, _offset):
    if code.co_filename.startswith("<frozen importlib"):
        name = "importlib"
    else:
        name = importing[-1] if importing else sys._getframe(1).f_globals.get("__name__", "")
    executed[name] = executed.get(name, 0) + 1
def _open(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and os.path.isfile(arguments[0]):
        path = os.path.abspath(arguments[0])
        folders = [folder for folder in sys.path if path.startswith(folder + "/")]
        path = path.removeprefix(max(folders, key=len, default="") + "/")
        loaded[path] = loaded.get(path, 0) + os.path.getsize(arguments[0])
sys.addaudithook(_open)
_tool, _events = sys.monitoring.PROFILER_ID, sys.monitoring.events
sys.monitoring.use_tool_id(_tool, "bench")
sys.monitoring.register_callback(_tool, _events.PY_START, _start)
sys.monitoring.register_callback(_tool, _events.PY_RETURN, _end)
sys.monitoring.register_callback(_tool, _events.PY_UNWIND, _end)
sys.monitoring.register_callback(_tool, _events.INSTRUCTION, _count)
sys.monitoring.set_events(
    _tool, _events.PY_START | _events.PY_RETURN | _events.PY_UNWIND | _events.INSTRUCTION
)
"""
_END_BY_MODULE = """
sys.monitoring.set_events(sys.monitoring.PROFILER_ID, 0)
print("\\n" + repr([executed, loaded]), flush=True)
os._exit(0)
"""
# A byte-code file is named after its module, so that it counts as the module.
_BYTE_CODE = re.compile(r"(?:/?__init__)?(?:\.cpython-\d+)?\.pyc?$|__pycache__/")


@dataclass(frozen=True, slots=True)
class Part:
    """What a module or a file of data adds to a program.

    Attributes
    ----------
    executed
        Instructions of byte code.
    loaded
        Bytes of byte code or data.
    """

    executed: int = 0
    loaded: int = 0

    @property
    def size(self) -> int:
        """Both in instructions of byte code: loading ten bytes takes about as long as one instruction.

        An instruction of byte code takes about 270 of the processor's; to load a byte of byte code takes 23,
        and of JSON 56.
        """
        return self.executed + self.loaded // 10


@dataclass(frozen=True, slots=True)
class Run:
    """What a program reports at its end.

    Attributes
    ----------
    seconds
        The processor time of all threads.
    megabytes
        The peak of the memory.
    result
        The value of the program's variable `result`.
    """

    seconds: float
    megabytes: float
    result: Any


@dataclass(frozen=True, slots=True)
class Program:
    """A program of Python, the folders of its packages, and its environment."""

    text: str
    paths: Iterable[Path] = ()
    environment: Mapping[str, str] | None = None

    def run(self, python: Path, *under: str | Path) -> Run:
        """Run the program.

        Parameters
        ----------
        under
            The command of a tool that runs the interpreter.

        Raises
        ------
        RuntimeError
            If the program fails; the message contains its output.
        """
        output = self._output([*under, python, "-c", self.text + _END])
        report = ast.literal_eval(output.splitlines()[-1])
        return Run(report["seconds"], report["kilobytes"] / 1024, report["result"])

    def count_instructions(self, python: Path) -> int:
        """Return the number of instructions that the processor executes, counted by Valgrind."""
        with tempfile.NamedTemporaryFile(mode="r") as log:
            counting = ["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
            self.run(python, "valgrind", *counting, f"--log-file={log.name}")
            (counted,) = re.findall(r"I +refs: +([\d,]+)", log.read())
        return int(counted.replace(",", ""))

    def by_module(self, python: Path) -> dict[str, Part]:
        """Return the parts of the program by their names: modules, and files of data."""
        output = self._output([python, "-c", _COUNT_BY_MODULE + self.text + _END_BY_MODULE])
        executed, loaded = ast.literal_eval(output.splitlines()[-1])
        sizes: dict[str, int] = {}
        for path, size in loaded.items():
            name = (
                _BYTE_CODE.sub("", path).strip("/").replace("/", ".")
                if path.endswith((".py", ".pyc"))
                else path
            )
            sizes[name] = sizes.get(name, 0) + size
        return {name: Part(executed.get(name, 0), sizes.get(name, 0)) for name in executed.keys() | sizes}

    def _output(self, command: Sequence[str | Path]) -> str:
        variables = {"PYTHONPATH": os.pathsep.join(map(str, self.paths)), **(self.environment or {})}
        finished = subprocess.run(
            command, env=_ENVIRONMENT | variables, capture_output=True, text=True, check=False
        )
        if finished.returncode != 0:
            raise RuntimeError(f"{self.text}\nfailed:\n{finished.stderr}")
        return finished.stdout


@cache
def counts_instructions() -> bool:
    """Return whether Valgrind is installed."""
    return shutil.which("valgrind") is not None
