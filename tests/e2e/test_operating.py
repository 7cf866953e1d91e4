"""Operators can trace deliveries, redrive dead letters, delete accounts, and rely on the schedules."""

import json
import subprocess
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid1

import pytest

from deployed_stack.paths import ROOT
from tests.e2e.conftest import ANN, Site, eventually, payload
from tests.support.repositories import repo_id
from timer_core.github.messages import IssueEvent, to_json


def log_of(site: Site, function: str, correlation_id: str) -> list[dict[str, Any]]:
    """Return a function's log records of a delivery or a request."""
    found = site.stack.aws.client("logs").filter_log_events(
        logGroupName=site.stack.resources[f"{function}LogGroup"],
        filterPattern=f'"{correlation_id}"',
    )["events"]
    records = [json.loads(event["message"]) for event in found if event["message"].startswith("{")]
    return [record for record in records if record.get("correlation_id") == correlation_id]


def test_the_delivery_id_is_in_the_logs_and_in_the_timers_history(site: Site) -> None:
    guid = str(uuid1())
    sent = payload("issues.assigned", "octo-org/traced", 1)
    assert site.deliver("issues", sent, delivery=guid).status == 202
    (received,) = eventually(lambda: log_of(site, "WebhookReceive", guid))
    assert received["message"] == "Delivery received"
    (processed,) = eventually(lambda: log_of(site, "WebhookProcess", guid))
    (timer,) = site.timers("octo-org/traced", 1)
    assert processed["timers"] == [timer["id"]]
    timers = [one for one in site.items(f"user#{ANN[0]}") if one["sk"]["S"].startswith("timer#")]
    (item,) = [one for one in timers if timer["id"].endswith(one["sk"]["S"].removeprefix("timer#"))]
    assert guid in json.dumps(item["causes"])


def test_dead_letters_are_listed_and_processed_after_a_redrive(site: Site) -> None:
    guid = str(uuid1())
    event = IssueEvent(
        guid, "assigned", repo_id("octo-org/lost"), "octo-org/lost", 1, int(time.time()) * 1000, (ANN[0],)
    )
    site.stack.aws.client("sqs").send_message(
        QueueUrl=site.stack.resources["DeliveryDeadLetterQueue"],
        MessageBody=to_json([event], None),
        MessageGroupId="lost",
        # The deduplication id of a dead letter differs from the delivery's id.
        MessageDeduplicationId=str(uuid1()),
    )
    (letter,) = site.stack.dead_letters()
    assert letter["delivery"] == guid
    assert json.loads(letter["message"])
    assert len(site.stack.dead_letters()) == 1
    assert site.stack.redrive() == 1
    (processed,) = eventually(lambda: log_of(site, "WebhookProcess", guid))
    (timer,) = site.timers("octo-org/lost", 1)
    assert processed["timers"] == [timer["id"]]
    assert timer["status"] == "running"
    assert site.stack.dead_letters() == []


def test_an_operator_can_sign_a_person_out_and_delete_their_account(site: Site) -> None:
    user_id = 987_654
    token = site.stack.mint_token(user_id, login="former-member")
    assert site.send("POST", "/api/timelogs/start/", {}, token=token).status == 201

    def make(target: str) -> str:
        command = ["make", "--silent", target, f"USER={user_id}", f"PORT={site.stack.port}"]
        return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout

    assert "tokens revoked: 1" in make("sign-out")
    assert "is deleted" in make("erase")
    (profile,) = site.items(f"user#{user_id}")
    assert profile.keys() == {"pk", "sk", "deletion_requested_ms", "events_ignored_until_ms", "expires_at"}


@pytest.mark.parametrize(("schedule", "stops_stale"), [("sweep", True), ("redelivery", False)])
def test_the_schedules_run_the_sweeper(site: Site, schedule: str, stops_stale: bool) -> None:
    two_days_ago = (datetime.now(UTC) - timedelta(hours=48)).isoformat()
    started = site.send(
        "POST",
        "/api/timelogs/start/",
        {"github_repo": f"octo-org/{schedule}", "github_issue_number": 1, "at": two_days_ago},
    )
    timer_id = json.loads(started.body)["id"]
    scheduler, name = site.stack.aws.client("scheduler"), f"{site.stack.name}-{schedule}"
    schedule_before = scheduler.get_schedule(Name=name)
    began_ms = int(time.time() * 1000)

    def run_at(expression: str) -> None:
        """Change the schedule's time, and nothing else."""
        scheduler.update_schedule(
            Name=name,
            ScheduleExpression=expression,
            FlexibleTimeWindow=schedule_before["FlexibleTimeWindow"],
            Target=schedule_before["Target"],
        )

    def swept() -> list[dict[str, Any]]:
        events = site.stack.aws.client("logs").filter_log_events(
            logGroupName=site.stack.resources["StaleSweeperLogGroup"], startTime=began_ms
        )["events"]
        records = [json.loads(event["message"]) for event in events if event["message"].startswith("{")]
        return [record for record in records if record.get("message") == "Sweep done"]

    run_at("rate(1 minute)")
    try:
        summary, *_ = eventually(swept, seconds=120)
    finally:
        run_at(schedule_before["ScheduleExpression"])
    assert (summary["dry_run"], summary["complete"]) == (False, True)
    status = site.get(f"/api/timelogs/{timer_id}/")["status"]
    assert status == ("stopped" if stops_stale else "running")
