"""The stages that `make deploy` reads from samconfig.toml."""

from pathlib import Path

import pytest
import yaml

from deployed_stack.errors import ToolError
from deployed_stack.paths import ROOT
from deployed_stack.stages import ARCHITECTURES, RUNTIMES, Stage, read_stage
from tests.support.table import TEMPLATE, TemplateLoader


def written(folder: Path, *overrides: str) -> Path:
    config = folder / "samconfig.toml"
    listed = ", ".join(f"'{override}'" for override in overrides)
    config.write_text(
        "version = 0.1\n"
        '[dev.global.parameters]\nstack_name = "timer"\n'
        f"[dev.deploy.parameters]\nparameter_overrides = [{listed}]\n"
    )
    return config


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_the_default_stages_are_for_arm64_and_a_current_python(name: str) -> None:
    assert read_stage(ROOT / "samconfig.toml", name, None, None) == Stage(
        f"issue-timer-{name}", {"Stage": name, "Architecture": "arm64", "PythonRuntime": "python3.13"}
    )


def test_parameters_saved_by_the_sam_cli_are_read(tmp_path: Path) -> None:
    config = tmp_path / "samconfig.toml"
    config.write_text(
        '[dev.global.parameters]\nstack_name = "timer"\n[dev.deploy.parameters]\n'
        'parameter_overrides = "Stage=\\"dev\\" Architecture=\\"x86_64\\" StartLabels=\\"in progress\\""\n'
    )
    stage = read_stage(config, "dev", None, None)
    assert stage.architecture == "x86_64"
    assert stage.configured == {
        "Stage": "dev",
        "Architecture": "x86_64",
        "StartLabels": "in progress",
        "PythonRuntime": "python3.13",
    }


@pytest.mark.parametrize(
    "overrides",
    [
        """['Stage=dev', 'SweepSchedule="cron(0 3 * * ? *)"', 'AllowedOrgs=']""",
        """'Stage=dev SweepSchedule="cron(0 3 * * ? *)" AllowedOrgs=""'""",
        """{Stage = "dev", SweepSchedule = "cron(0 3 * * ? *)", AllowedOrgs = ""}""",
    ],
    ids=["list", "string", "table"],
)
def test_parameters_are_read_in_every_form_of_the_sam_cli(tmp_path: Path, overrides: str) -> None:
    config = tmp_path / "samconfig.toml"
    config.write_text(
        '[dev.global.parameters]\nstack_name = "timer"\n'
        f"[dev.deploy.parameters]\nparameter_overrides = {overrides}\n"
    )
    configured = read_stage(config, "dev", None, None).configured
    assert (configured["SweepSchedule"], configured["AllowedOrgs"]) == ("cron(0 3 * * ? *)", "")


def test_a_value_with_spaces_and_without_quotes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"'Progress', which is not Name=value\. Quote"):
        read_stage(written(tmp_path, "StartStatuses=In Progress"), "dev", None, None)


@pytest.mark.parametrize("section", ["global", "deploy"])
def test_a_stage_names_its_region_and_profile(tmp_path: Path, section: str) -> None:
    config = written(tmp_path)
    text = config.read_text()
    header = f"[dev.{section}.parameters]\n"
    config.write_text(text.replace(header, header + 'region = "eu-central-1"\nprofile = "team"\n'))
    stage = read_stage(config, "dev", None, None)
    assert (stage.region, stage.profile) == ("eu-central-1", "team")


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_stage_names_its_platform_with_or_without_quotes(tmp_path: Path, quote: str) -> None:
    config = written(
        tmp_path, f"Architecture={quote}x86_64{quote}", f"PythonRuntime={quote}python3.14{quote}"
    )
    stage = read_stage(config, "dev", None, None)
    assert (stage.architecture, stage.runtime) == ("x86_64", "python3.14")


def test_the_command_line_overrides_the_stage(tmp_path: Path) -> None:
    stage = read_stage(written(tmp_path, "Architecture=x86_64"), "dev", "arm64", "python3.12")
    assert (stage.architecture, stage.runtime) == ("arm64", "python3.12")


# Lambda runs Python 3.11 on Amazon Linux 2, whose C library is too old for the wheels.
@pytest.mark.parametrize("runtime", ["python3.11", "python3.15", "python3.99", "nodejs22.x"])
def test_a_runtime_without_matching_wheels_is_refused(tmp_path: Path, runtime: str) -> None:
    with pytest.raises(ToolError, match=r"python3\.12, python3\.13, python3\.14, not"):
        read_stage(written(tmp_path), "dev", None, runtime)


def test_an_unknown_architecture_or_stage_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="arm64 or x86_64, not 'arm'"):
        read_stage(written(tmp_path), "dev", "arm", None)
    for name in ("version", "test"):
        with pytest.raises(ToolError, match=f"samconfig.toml has no stage '{name}'"):
            read_stage(written(tmp_path), name, None, None)


def test_the_template_allows_the_same_architectures_and_runtimes() -> None:
    parameters = yaml.load(TEMPLATE.read_text(), Loader=TemplateLoader)["Parameters"]  # noqa: S506
    assert tuple(parameters["PythonRuntime"]["AllowedValues"]) == RUNTIMES
    assert tuple(parameters["Architecture"]["AllowedValues"]) == ARCHITECTURES
