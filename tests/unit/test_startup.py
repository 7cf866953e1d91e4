"""The start of each function in a fresh process, as in Lambda."""

import marshal
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deployed_stack.byte_code import compile_build
from deployed_stack.paths import ROOT
from tests.support.template import template

HANDLERS = {
    name: function["Handler"].removesuffix(".handler")
    for name, function in template().of_type("AWS::Serverless::Function").items()
}
# Print whether no old objects were visited during the start, whether the collector runs, and whether the
# function's objects are frozen. A few young objects are visited before and after the start.
REPORT = """
import gc, importlib, sys
gc.collect()
before = gc.get_stats()[1:]
importlib.import_module(sys.argv[1])
print(gc.get_stats()[1:] == before, gc.isenabled(), gc.get_freeze_count() > 10_000, *sorted(sys.modules))
"""
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_REGION": "eu-west-1",
    "POWERTOOLS_TRACE_DISABLED": "true",
    "PYTHONPATH": str(ROOT / "functions"),
    "TABLE_NAME": "timers",
}


def started(module: str, **environment: str) -> list[str]:
    ran = subprocess.run(
        [sys.executable, "-c", REPORT, module],
        env={"PATH": os.environ["PATH"]} | ENVIRONMENT | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout.split()


@pytest.mark.parametrize("function", HANDLERS)
def test_nothing_is_collected_while_a_function_starts_and_its_objects_never_are(function: str) -> None:
    report = started(HANDLERS[function], AWS_LAMBDA_FUNCTION_NAME=function)
    assert report[:3] == ["True", "True", "True"]


@pytest.mark.parametrize("function", HANDLERS)
def test_no_function_loads_boto3(function: str) -> None:
    assert not {"boto3", "s3transfer"} & {*started(HANDLERS[function])}


def test_a_tool_that_imports_a_part_of_a_function_keeps_its_collector() -> None:
    assert started("schedule.models")[1:3] == ["True", "False"]


# Print the number of sources that `dataclasses` compiles when a module is loaded, and a class's behaviour.
CLASSES = """
import sys
compiled = []
sys.addaudithook(
    lambda event, args: event == "compile" and "__create_fn__" in str(args[0]) and compiled.append(args)
)
import webhook
from timer_core.domain.issues import Issue
issue = Issue("Acme", "App", 7)
print(len(compiled), hash(issue) == hash(Issue("Acme", "App", 7)), issue)
"""


def packages_in(folder: Path) -> Path:
    """Make a build of one function and its layer, and compile it."""
    shutil.copytree(ROOT / "functions/webhook", folder / "WebhookReceiveFunction/webhook")
    shutil.copytree(ROOT / "layers/timer_core/timer_core", folder / "TimerCoreLayer/python/timer_core")
    (folder / "template.yaml").write_text(
        "      CodeUri: WebhookReceiveFunction\n      ContentUri: TimerCoreLayer\n"
    )
    compile_build(folder, Path(sys.executable))
    return folder


def run_in(build: Path, **environment: str) -> str:
    paths = (build / "WebhookReceiveFunction", build / "TimerCoreLayer/python")
    return subprocess.run(
        [sys.executable, "-c", CLASSES],
        env=ENVIRONMENT | {"PYTHONPATH": os.pathsep.join(map(str, paths))} | environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_a_build_contains_the_compiled_methods_of_dataclasses(tmp_path: Path) -> None:
    build = packages_in(tmp_path / "one")
    (methods,) = build.rglob("dataclasses.*.bin")
    in_lambda, elsewhere = run_in(build, AWS_LAMBDA_FUNCTION_NAME="receive"), run_in(build)
    number, _, behaviour = in_lambda.partition(" ")
    assert (number, behaviour.partition(" ")[0]) == ("0", "True")
    assert elsewhere.partition(" ")[0] != "0"
    assert behaviour == elsewhere.partition(" ")[2]
    (again,) = packages_in(tmp_path / "other").rglob("dataclasses.*.bin")
    assert methods.read_bytes() == again.read_bytes()


def test_methods_with_another_source_are_compiled_as_usual(tmp_path: Path) -> None:
    build = packages_in(tmp_path)
    (methods,) = build.rglob("dataclasses.*.bin")
    before = run_in(build)
    methods.write_bytes(marshal.dumps({}))
    assert run_in(build, AWS_LAMBDA_FUNCTION_NAME="receive") == before
