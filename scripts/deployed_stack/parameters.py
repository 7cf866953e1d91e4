"""The values of the template's parameters, and their changes by a deployment."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from deployed_stack.errors import ToolError

_HIDDEN = "(hidden)"


class Parameters:
    """The value of every parameter of a template.

    CloudFormation keeps the value of each parameter that an update does not set. So that a parameter removed
    from samconfig.toml returns to its default, a deployment sets all of them.

    Parameters
    ----------
    template
        The file of the template.
    configured
        The values that differ from the defaults.

    Raises
    ------
    ToolError
        The template does not have one of the configured parameters, or one without a default is missing.
    """

    def __init__(self, template: Path, configured: Mapping[str, str]) -> None:
        # The base loader reads numbers and CloudFormation's functions as text.
        declared: dict[str, dict[str, Any]] = yaml.load(template.read_text(), Loader=yaml.BaseLoader)[  # noqa: S506
            "Parameters"
        ]
        for name in configured:
            if name not in declared:
                raise ToolError(f"There is no parameter {name!r}. There are {', '.join(sorted(declared))}.")
        for name, one in declared.items():
            if name not in configured and "Default" not in one:
                raise ToolError(f"The parameter {name} has no default: set it in samconfig.toml.")
        self.values = {name: configured.get(name, one.get("Default", "")) for name, one in declared.items()}
        self._hidden = {name for name, one in declared.items() if one.get("NoEcho") == "true"}

    def write(self, file: Path) -> str:
        """Store the values in a file, and return the SAM CLI's form of a reference to it."""
        # The SAM CLI reads YAML files, and JSON is YAML.
        file.write_text(json.dumps(self.values, indent=2))
        return f"file://{file}"

    def changes(self, deployed: Mapping[str, str]) -> Iterator[str]:
        """Describe each parameter whose value differs from that of the deployed stack.

        CloudFormation does not return the value of a parameter with NoEcho, so such a parameter is always
        listed, without its value.
        """
        for name in sorted(self.values.keys() | deployed.keys()):
            before, after = deployed.get(name), self.values.get(name)
            if name in self._hidden:
                yield f"{name}: {_HIDDEN}"
            elif before != after:
                yield f"{name}: {_shown(before)} -> {_shown(after)}"


def _shown(value: str | None) -> str:
    return "(none)" if value is None else f"'{value}'"
