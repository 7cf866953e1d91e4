"""The start of each function in a fresh process, as in Lambda."""

import os
import subprocess
import sys

import pytest

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
