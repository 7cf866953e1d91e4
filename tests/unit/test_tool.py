"""The environment and the messages of the command-line tools."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deployed_stack.paths import ROOT

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


def commands_without_a_stack(source: str) -> list[str]:
    """Return the commands in a module's texts that `make` would run on the local stack."""
    makefile = (ROOT / "Makefile").read_text()
    on_stack = set(
        re.findall(r"^([a-z-]+):.*\n(?:\t.*\n)*?\t.*\$\((?:on-stack|connect-github)\)", makefile, re.M)
    )
    assert {"sweep", "restore", "github-rotate", "logs"} <= on_stack
    tree = ast.parse(source)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and isinstance(node.body[0], ast.Expr)
    }
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    ]
    return [
        match[0]
        for text in texts
        for match in re.finditer(r"\bmake ([a-z-]+)(?! STACK=)", text)
        if match[1] in on_stack
    ]


def test_printed_commands_name_the_stack_that_the_tool_works_on() -> None:
    assert commands_without_a_stack('print(f"`make sweep` or: make restore TABLE={name}")') == [
        "make sweep",
        "make restore",
    ]
    # run_local.py and the demo work on the local stack only.
    scripts = ROOT / "scripts"
    local = {"local_stack", "demo_github", "demo_month"}
    modules = {path for path in scripts.rglob("*.py") if not local & set(path.parts)}
    found = {
        path.relative_to(scripts).as_posix(): commands
        for path in modules - {scripts / "run_local.py"}
        if (commands := commands_without_a_stack(path.read_text()))
    }
    assert found == {}
