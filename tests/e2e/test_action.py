"""The GitHub Action with the deployed stack: forwarded events change timers."""

import json
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from deployed_stack.deliveries import WEBHOOK_PATH
from tests.e2e.conftest import ANN, Site, eventually, payload
from tests.support.composite_action import Run, run_action

_NUMBERS = count(7000)
_RUN_IDS = count(1)
_REPO = "octo-org/hello-action"


class Workflow:
    """A repository whose workflow forwards events of its issues to the stack."""

    def __init__(self, site: Site, folder: Path) -> None:
        self._site = site
        self._folder = folder

    def run(self, event: str, payload: dict[str, Any], **options: Any) -> Run:
        run = {"run_id": next(_RUN_IDS), "secret": self._site.secret, **options}
        body = json.dumps(payload, indent=2).encode()
        return run_action(self._folder, event, body, url=self._site.url + WEBHOOK_PATH, **run)


@pytest.fixture
def workflow(site: Site, tmp_path: Path) -> Workflow:
    return Workflow(site, tmp_path)


def comment(text: str, number: int) -> dict[str, Any]:
    written = payload("issue_comment.created", _REPO, number)
    written["comment"] |= {"body": text, "created_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
    return written


def test_an_assigned_and_closed_issue_has_a_stopped_timer(site: Site, workflow: Workflow) -> None:
    number = next(_NUMBERS)
    run = workflow.run("issues", payload("issues.assigned", _REPO, number))
    assert (run.exit_status, run.outputs) == (0, {"status": "accepted"}), run.log
    (timer,) = eventually(lambda: site.timers(_REPO, number))
    assert (timer["status"], timer["source"], timer["user"]) == ("running", "assigned", ANN[0])

    workflow.run("issues", payload("issues.closed", _REPO, number))
    assert eventually(lambda: site.timers(_REPO, number)[0]["status"] == "stopped")


def test_a_command_counts_once_if_its_run_is_repeated(site: Site, workflow: Workflow) -> None:
    number, run_id = next(_NUMBERS), next(_RUN_IDS)
    written = comment("/timer start\n/timer log 1h", number)
    for attempt in (1, 2):
        run = workflow.run("issue_comment", written, run_id=run_id, attempt=attempt)
        assert run.outputs == {"status": "accepted"}, run.log
    site.process_everything()
    assert sorted(timer["status"] for timer in site.timers(_REPO, number)) == ["running", "stopped"]


def test_an_event_without_effect_is_ignored(workflow: Workflow) -> None:
    run = workflow.run("issue_comment", comment("Thank you!", next(_NUMBERS)) | {"action": "edited"})
    assert run.outputs == {"status": "ignored"}
    assert "not_handled" in run.log


def test_a_wrong_secret_forwards_nothing(site: Site, workflow: Workflow) -> None:
    number = next(_NUMBERS)
    run = workflow.run(
        "issues", payload("issues.assigned", _REPO, number), secret="another", fail_on_error="true"
    )
    assert (run.exit_status, run.outputs) == (1, {"status": "failed"})
    assert "answered 401" in run.log
    site.process_everything()
    assert site.timers(_REPO, number) == []
