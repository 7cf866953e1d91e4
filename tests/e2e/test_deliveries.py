"""GitHub's deliveries, signed and posted over HTTP, and the resulting timers."""

import random
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from tests.e2e.conftest import ANN, BOB, Site, eventually, payload

_NUMBERS = count(1000)
_REPO = "Codertocat/Hello-World"


def person(account: tuple[int, str]) -> dict[str, Any]:
    return {"id": account[0], "login": account[1], "type": "User"}


def test_the_five_actions_give_the_expected_timers(site: Site) -> None:
    number = next(_NUMBERS)

    def timers() -> list[dict[str, Any]]:
        return site.timers(_REPO, number)

    def deliver(action: str, **issue: Any) -> None:
        response = site.deliver("issues", payload(f"issues.{action}", number=number, **issue))
        assert response.status == 202, response

    deliver("assigned")
    (timer,) = eventually(timers)
    assert (timer["status"], timer["source"], timer["user"]) == ("running", "assigned", ANN[0])
    assert timer["organization"] == "Codertocat"

    deliver("unassigned")
    assert eventually(lambda: timers()[0]["is_paused"])
    deliver("assigned")
    assert eventually(lambda: timers()[0]["status"] == "running")
    assert timers()[0]["paused_duration"] > 0

    deliver("closed")
    assert eventually(lambda: timers()[0]["status"] == "stopped")
    closed = timers()[0]
    assert (closed["stopped_by"], closed["duration"]) == ("closed", closed["active_duration"])

    deliver("reopened", assignees=[person(ANN)])
    assert len(eventually(lambda: timers() if len(timers()) == 2 else None)) == 2
    deliver("deleted")
    assert eventually(lambda: timers()[1]["stopped_by"] == "deleted")


def test_commands_in_a_comment_control_their_authors_timer(site: Site) -> None:
    number = next(_NUMBERS)

    def comment(text: str) -> None:
        sent = payload("issue_comment.created", number=number)
        written = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        sent["comment"] |= {"id": next(_NUMBERS), "body": text, "created_at": written}
        assert site.deliver("issue_comment", sent).status == 202

    comment("On it.\n/timer start")
    (timer,) = eventually(lambda: site.timers(_REPO, number))
    assert (timer["status"], timer["source"]) == ("running", "comment")
    comment("/timer stop\n/timer log 1h30m")
    timers = eventually(lambda: found if len(found := site.timers(_REPO, number)) == 2 else None)
    assert [(t["status"], t["stopped_by"]) for t in timers] == [("stopped", "comment")] * 2
    assert timers[0]["duration"] == 5400


def test_a_timer_starts_at_the_events_time(site: Site) -> None:
    number = next(_NUMBERS)
    happened = (datetime.now(UTC) - timedelta(hours=5)).replace(microsecond=0)
    site.deliver(
        "issues", payload("issues.assigned", number=number, updated_at=f"{happened:%Y-%m-%dT%H:%M:%SZ}")
    )
    (timer,) = eventually(lambda: site.timers(_REPO, number))
    assert timer["start_time"] == f"{happened:%Y-%m-%dT%H:%M:%S}.000Z"
    assert timer["active_duration"] >= 5 * 3600


def test_one_delivery_sent_five_times_starts_one_timer(site: Site) -> None:
    number, delivery = next(_NUMBERS), str(uuid.uuid4())
    for _ in range(5):
        assert (
            site.deliver("issues", payload("issues.assigned", number=number), delivery=delivery).status == 202
        )
    site.process_everything()
    assert len(site.timers(_REPO, number)) == 1


def test_unregistered_users_are_not_tracked(site: Site) -> None:
    number = next(_NUMBERS)
    stranger = payload("issues.assigned", number=number)
    stranger["assignee"] = {"id": 4711, "login": "stranger", "type": "User"}
    assert site.deliver("issues", stranger).status == 202
    site.deliver("issues", payload("issues.assigned", number=number))
    site.process_everything()
    assert site.items("user#4711") == []
    on_issue = site.items(f"issue#{stranger['repository']['id']}#{number}")
    assert [item["sk"]["S"] for item in on_issue if "open_ulid" in item] == [f"user#{ANN[0]}"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X_Hub_Signature_256": "sha256=" + "0" * 64}, 401),
        ({"X_Hub_Signature_256": ""}, 401),
        ({"X_Hub_Signature_256": "sha1=abc"}, 401),
        ({"X_GitHub_Event": ""}, 400),
        ({"X_GitHub_Delivery": "not a guid; drop table"}, 400),
        ({"Content_Type": "text/xml"}, 415),
    ],
)
def test_a_delivery_that_is_not_from_github_is_refused(
    site: Site, headers: dict[str, str], status: int
) -> None:
    number = next(_NUMBERS)
    response = site.deliver("issues", payload("issues.assigned", number=number), **headers)
    assert (response.status, response.headers["Content-Type"]) == (status, "application/problem+json")
    assert site.timers(_REPO, number) == []


def test_shuffled_and_tripled_deliveries_give_the_same_timers(site: Site) -> None:
    """Four random histories; each is delivered in order for one issue, and shuffled for another."""
    rng = random.Random(7)
    started = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=20)
    histories = []
    for _ in range(4):
        history, moment = [], started
        for _ in range(8):
            moment += timedelta(seconds=rng.randrange(60, 4000))
            action = rng.choice(["assigned", "unassigned", "closed", "reopened", "assigned"])
            history.append((str(uuid.uuid4()), action, rng.choice([ANN, BOB]), moment))
        histories.append(history)

    def send(number: int, step: tuple[str, str, tuple[int, str], datetime]) -> int:
        delivery, action, who, moment = step
        at = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
        sent = payload(f"issues.{action}", number=number, updated_at=at, assignees=[person(who)])
        if action == "closed":
            sent["issue"]["closed_at"] = at
        if "assignee" in sent:
            sent["assignee"] = person(who)
        return site.deliver("issues", sent, delivery=f"{number}-{delivery}").status

    ordered, disordered = ([next(_NUMBERS) for _ in histories] for _ in range(2))
    statuses = [send(n, step) for n, history in zip(ordered, histories, strict=True) for step in history]
    disorder = [(n, step) for n, history in zip(disordered, histories, strict=True) for step in history * 3]
    rng.shuffle(disorder)
    with ThreadPoolExecutor(8) as pool:
        statuses += pool.map(lambda pair: send(*pair), disorder)
    assert set(statuses) == {202}

    def seen(number: int) -> list[tuple[Any, ...]]:
        return sorted(
            (
                t["user"],
                t["start_time"],
                t["end_time"] or "",
                t["duration"],
                t["paused_duration"],
                t["stopped_by"],
            )
            for token in (site.ann, site.bob)
            for t in site.timers(_REPO, number, token)
        )

    site.process_everything()
    assert all(seen(number) for number in ordered)
    assert [seen(number) for number in disordered] == [seen(number) for number in ordered]
