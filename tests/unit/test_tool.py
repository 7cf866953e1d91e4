"""The environment of the command-line tools."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import boto3
from deployed_stack.tool import run_tool

def main() -> int:
    print(boto3.Session().region_name)
    return 0

run_tool(main)
"""


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_REGION": "eu-central-1"}, "eu-central-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-west-1"}, "eu-central-1"),
        ({}, "None"),
    ],
)
def test_aws_region_takes_precedence_as_in_the_aws_cli(
    variables: dict[str, str], region: str, tmp_path: Path
) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment["AWS_CONFIG_FILE"] = str(tmp_path / "none")
    printed = subprocess.run(
        [sys.executable, "-c", CODE], env=environment | variables, capture_output=True, text=True, check=True
    ).stdout
    assert printed.strip() == region
