"""The imports of timer_core.github are limited, so that the receiver starts fast."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / "layers" / "timer_core" / "timer_core" / "github"
NOT_FOR_THE_RECEIVER = {
    "timer_core.github.api",
    "timer_core.services",
    "timer_core.store",
    "aws_xray_sdk",
    "cryptography",
    "jwt",
    "markdown_it",
    "pydantic",
    "pynamodb",
}


def imports(folder: Path) -> Iterator[str]:
    """Yield the modules that the modules of a folder import."""
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                yield str(node.module)
            elif isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)


def test_the_webhooks_package_imports_only_the_standard_library_the_domain_and_shared_modules() -> None:
    # The parser of comments is imported by the first comment with a command.
    allowed = ("markdown_it", "timer_core.clock", "timer_core.domain.", "timer_core.github.")
    modules = set(imports(GITHUB / "webhooks"))
    assert {name for name in modules if name.startswith("timer_core.github.api")} == set()
    foreign = {name for name in modules if name.partition(".")[0] not in sys.stdlib_module_names}
    assert {name for name in foreign if not name.startswith(allowed)} == set()


def test_the_api_package_does_not_import_the_webhooks_package() -> None:
    assert {name for name in imports(GITHUB / "api") if "webhooks" in name} == set()


@pytest.mark.parametrize("shared", ["messages", "trigger_config"])
def test_the_shared_modules_import_neither_package(shared: str) -> None:
    tree = ast.parse((GITHUB / f"{shared}.py").read_text())
    modules = {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name for name in modules if name.startswith("timer_core")} == set()


def test_the_receiver_loads_no_package_that_it_does_not_need() -> None:
    environment = {
        "AWS_DEFAULT_REGION": "eu-west-1",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "TABLE_NAME": "unused",
        "WEBHOOK_SECRET_ARN": "unused",
    }
    program = "import sys, webhook.receive; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    assert "timer_core.github.webhooks.payloads" in loaded
    assert NOT_FOR_THE_RECEIVER & set(loaded) == set()
