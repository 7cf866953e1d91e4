"""The stages of ``make deploy``, which are the sections of samconfig.toml."""

import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path

from deployed_stack.errors import ToolError

ARCHITECTURES = ("arm64", "x86_64")
RUNTIMES = ("python3.12", "python3.13", "python3.14")


@dataclass(frozen=True)
class Stage:
    """A deployment and its platform.

    Attributes
    ----------
    overrides
        The template's parameters, in the SAM CLI's form.
    architecture, runtime
        The functions' platform, as Lambda names it.
    """

    stack_name: str
    overrides: list[str]
    architecture: str
    runtime: str


def read_stage(config: Path, name: str, architecture: str | None, runtime: str | None) -> Stage:
    """Return a stage; a given architecture or runtime overrides the value in the file.

    Raises
    ------
    ToolError
        There is no such stage, or the layers cannot be built for its platform.
    """
    stages = tomllib.loads(config.read_text())
    if not isinstance(stages.get(name), dict):
        raise ToolError(f"{config.name} has no stage {name!r}.")
    overrides: list[str] | str = stages[name]["deploy"]["parameters"].get("parameter_overrides", [])
    if isinstance(overrides, str):
        # `sam deploy --guided` saves all overrides as one string.
        overrides = shlex.split(overrides)
    # The value of an override may be quoted.
    configured = dict(shlex.split(override)[0].partition("=")[::2] for override in overrides)
    stage = Stage(
        stages[name]["global"]["parameters"]["stack_name"],
        overrides,
        architecture or configured.get("Architecture", "arm64"),
        runtime or configured.get("PythonRuntime", "python3.13"),
    )
    if stage.architecture not in ARCHITECTURES:
        raise ToolError(f"The architecture must be {' or '.join(ARCHITECTURES)}, not {stage.architecture!r}.")
    if stage.runtime not in RUNTIMES:
        raise ToolError(f"The runtime must be one of {', '.join(RUNTIMES)}, not {stage.runtime!r}.")
    return stage
