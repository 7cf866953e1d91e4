"""`make deploy` sets every parameter of the template, and describes the changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from deployed_stack.errors import ToolError
from deployed_stack.parameters import Parameters
from tests.support.table import TEMPLATE

if TYPE_CHECKING:
    from pathlib import Path

DEFAULTS = Parameters(TEMPLATE, {}).values


def test_parameters_that_are_not_configured_have_their_defaults() -> None:
    values = Parameters(TEMPLATE, {"AdminLogins": "octocat"}).values
    assert values == DEFAULTS | {"AdminLogins": "octocat"}
    assert (values["AllowedOrigins"], values["WritesPerMinute"]) == ("", "120")
    assert values["SweepSchedule"] == "cron(0 3 * * ? *)"


def test_a_removed_parameter_returns_to_its_default() -> None:
    deployed = Parameters(TEMPLATE, {"AdminLogins": "octocat", "Stage": "prod"}).values
    changes = Parameters(TEMPLATE, {"Stage": "prod"}).changes(deployed)
    assert list(changes) == ["AdminLogins: 'octocat' -> ''"]


def test_parameters_of_another_version_are_described_too() -> None:
    deployed = {name: value for name, value in DEFAULTS.items() if name != "DomainName"} | {"Former": "1"}
    assert list(Parameters(TEMPLATE, {}).changes(deployed)) == [
        "DomainName: (none) -> ''",
        "Former: '1' -> (none)",
    ]


def test_secret_values_are_hidden(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text("Parameters: {Key: {Type: String, NoEcho: true, Default: old}}")
    parameters = Parameters(template, {"Key": "new"})
    assert list(parameters.changes({"Key": "****"})) == ["Key: (hidden)"]


def test_unknown_and_missing_parameters_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"There is no parameter 'AdminLogin'\. There are AdminLogins, "):
        Parameters(TEMPLATE, {"AdminLogin": "octocat"})
    template = tmp_path / "template.yaml"
    template.write_text("Parameters: {Key: {Type: String}}")
    with pytest.raises(ToolError, match="Key has no default"):
        Parameters(template, {})


def test_values_are_stored_exactly(tmp_path: Path) -> None:
    parameters = Parameters(TEMPLATE, {"StartLabels": """it's "urgent", \\o/ ü""", "AllowedOrgs": ""})
    reference = parameters.write(tmp_path / "parameters.yaml")
    assert reference == f"file://{tmp_path}/parameters.yaml"
    assert json.loads((tmp_path / "parameters.yaml").read_text()) == parameters.values
