"""The stages of ``make deploy``, which are the sections of samconfig.toml."""

import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployed_stack.errors import ToolError

ARCHITECTURES = ("arm64", "x86_64")
RUNTIMES = ("python3.12", "python3.13", "python3.14")


@dataclass(frozen=True)
class Stage:
    """A deployment and its platform.

    Attributes
    ----------
    stack_name
        The stack's name in CloudFormation.
    configured
        The template's parameters that samconfig.toml sets, and the platform.
    region, profile
        The AWS region and profile in samconfig.toml; None for those of the environment.
    """

    stack_name: str
    configured: Mapping[str, str]
    region: str | None = None
    profile: str | None = None

    @property
    def architecture(self) -> str:
        """The functions' processor architecture, as Lambda names it."""
        return self.configured["Architecture"]

    @property
    def runtime(self) -> str:
        """The functions' runtime, as Lambda names it."""
        return self.configured["PythonRuntime"]


def read_stage(config: Path, name: str, architecture: str | None, runtime: str | None) -> Stage:
    """Return a stage; a given architecture or runtime overrides the value in the file.

    Raises
    ------
    ToolError
        There is no such stage, its parameters cannot be parsed, or the layers cannot be built for its
        platform.
    """
    stages = tomllib.loads(config.read_text())
    if not isinstance(stages.get(name), dict):
        raise ToolError(f"{config.name} has no stage {name!r}.")
    common, deploy = stages[name]["global"]["parameters"], stages[name]["deploy"]["parameters"]
    platform = {"Architecture": "arm64", "PythonRuntime": "python3.13"}
    platform |= _parameters(deploy.get("parameter_overrides", []))
    stage = Stage(
        common["stack_name"],
        platform
        | ({"Architecture": architecture} if architecture else {})
        | ({"PythonRuntime": runtime} if runtime else {}),
        deploy.get("region", common.get("region")),
        deploy.get("profile", common.get("profile")),
    )
    if stage.architecture not in ARCHITECTURES:
        raise ToolError(f"The architecture must be {' or '.join(ARCHITECTURES)}, not {stage.architecture!r}.")
    if stage.runtime not in RUNTIMES:
        raise ToolError(f"The runtime must be one of {', '.join(RUNTIMES)}, not {stage.runtime!r}.")
    return stage


def _parameters(overrides: list[str] | str | Mapping[str, Any]) -> dict[str, str]:
    """Return parameters in any form that the SAM CLI reads: a list, one string, or a table."""
    if isinstance(overrides, Mapping):
        return {name: str(value) for name, value in overrides.items()}
    # `sam deploy --guided` saves all overrides as one string.
    listed = [overrides] if isinstance(overrides, str) else overrides
    words = [word for override in listed for word in shlex.split(override)]
    for word in words:
        if "=" not in word:
            raise ToolError(
                f"parameter_overrides contains {word!r}, which is not Name=value. "
                "Quote a value that contains spaces: 'StartStatuses=\"In Progress\"'."
            )
    return dict(word.partition("=")[::2] for word in words)
