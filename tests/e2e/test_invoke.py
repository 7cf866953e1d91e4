"""Each built function under AWS's runtime interface emulator, on the tables and queues of a running stack."""

import json
import subprocess
import tempfile
from typing import Any

import pytest

from deployed_stack.errors import ToolError
from deployed_stack.paths import ROOT
from local_stack.invoke import BuiltFunction, environment_of, filled_in, functions_of
from local_stack.paths import LAMBDA_PYTHON
from local_stack.stack import DEMO_USER_ID
from tests.e2e.conftest import Site

EVENTS = ROOT / "events"
SAMPLES = sorted(path.name for path in EVENTS.glob("*Function*.json"))


def sample(site: Site, name: str) -> Any:
    return filled_in(json.loads((EVENTS / name).read_text()), site.stack)


def invoke(site: Site, *names: str) -> list[Any]:
    """Invoke one instance of a function with its samples, and return its responses."""
    with tempfile.TemporaryFile() as log, BuiltFunction(site.stack, names[0].split(".")[0], log) as function:
        return [function.invoke(sample(site, name)) for name in names]


def body(answer: Any) -> Any:
    return json.loads(answer["body"])


def test_every_function_has_a_sample_and_every_sample_has_a_function(site: Site) -> None:
    assert {name.split(".")[0] for name in SAMPLES} == set(functions_of(site.stack))


def test_timelogs(site: Site) -> None:
    health, started, listed = invoke(
        site, "TimelogsFunction.json", "TimelogsFunction.start.json", "TimelogsFunction.list.json"
    )
    assert health["statusCode"] == 200
    assert "version" in body(health)
    assert started["statusCode"] in {200, 201}
    assert body(started)["user"] == DEMO_USER_ID
    assert body(started)["id"] in [timer["id"] for timer in body(listed)["results"]]


def test_auth(site: Site) -> None:
    me, nobody = invoke(site, "AuthFunction.json", "AuthFunction.signed_out.json")
    assert (me["statusCode"], body(me)["id"]) == (200, DEMO_USER_ID)
    assert nobody["statusCode"] == 401


def test_reports(site: Site) -> None:
    [report] = invoke(site, "ReportsFunction.json")
    assert report["statusCode"] == 200
    assert {person["id"] for person in body(report)["people"]} >= {DEMO_USER_ID}


def test_report_export(site: Site) -> None:
    """No such export waits, so the function writes nothing and returns nothing."""
    assert invoke(site, "ReportExportFunction.json") == [None]


def test_hooks(site: Site) -> None:
    assert invoke(site, "HooksFunction.json") == [{"batchItemFailures": []}]


def test_webhook_receive(site: Site) -> None:
    ping, forged, assigned = invoke(
        site,
        "WebhookReceiveFunction.json",
        "WebhookReceiveFunction.forged.json",
        "WebhookReceiveFunction.assigned.json",
    )
    assert (ping["statusCode"], body(ping)["status"]) == (200, "pong")
    assert forged["statusCode"] == 401
    assert assigned["statusCode"] == 202
    # The processor of the stack receives the message.
    site.process_everything()


def test_webhook_process(site: Site) -> None:
    event = sample(site, "WebhookProcessFunction.json")
    queued = json.loads(event["Records"][0]["body"])
    queued["events"][0] |= {"repo": "Codertocat/invoked", "repo_id": 186853003, "number": 7}
    event["Records"][0]["body"] = json.dumps(queued)
    with (
        tempfile.TemporaryFile() as log,
        BuiltFunction(site.stack, "WebhookProcessFunction", log) as function,
    ):
        assert function.invoke(event) == {"batchItemFailures": []}
    [timer] = site.timers("Codertocat/invoked", 7)
    assert (timer["status"], timer["source"]) == ("running", "assigned")


def test_live(site: Site) -> None:
    [refused] = invoke(site, "LiveFunction.json")
    (statement,) = refused["policyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"


def test_stale_sweeper(site: Site) -> None:
    [summary] = invoke(site, "StaleSweeperFunction.json")
    assert summary["dry_run"] is True


def test_the_runtime_contains_boto3_but_not_the_projects_packages() -> None:
    def imports(module: str) -> bool:
        command = (LAMBDA_PYTHON, "-c", f"import {module}")
        return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0

    assert imports("boto3")
    assert not imports("pydantic")
    assert not imports("timer_core")


def test_the_error_for_an_unknown_function_lists_the_known_ones(site: Site) -> None:
    with pytest.raises(ToolError, match=r"'Sweeper' is none of .*StaleSweeperFunction"):
        BuiltFunction(site.stack, "Sweeper")


def test_the_environment_for_docker_is_that_of_the_running_stack(site: Site) -> None:
    environment = environment_of(site.stack, "TimelogsFunction")
    assert environment["TABLE_NAME"] == site.stack.table_name
    assert environment["AWS_ENDPOINT_URL"] == site.stack.endpoint_url
