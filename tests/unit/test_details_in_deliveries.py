"""The details of issues in GitHub's deliveries."""

import uuid
from typing import Any

import pytest

from tests.unit.test_github_payloads import GUID, HELLO_WORLD, TRIGGERS, ms, payload
from timer_core.domain.events import guid_time
from timer_core.github.messages import DetailsEvent, IssueEvent, MoveEvent, Seen, from_json, to_json
from timer_core.github.webhooks.payloads import Ignored, read

RECEIVED = "2021-10-12T00:00:00Z"
HOUR_MS = 3_600_000


def seen_in(name: str, body: dict[str, Any] | None = None, guid: str = GUID) -> Seen:
    """Return the details in the only event of a delivery that is about an issue."""
    events = read(
        name.partition(".")[0],
        payload(name) if body is None else body,
        delivery=guid,
        received_ms=ms(RECEIVED),
        triggers=TRIGGERS,
    )
    assert not isinstance(events, Ignored)
    assert from_json(to_json(events)).events == events
    (event,) = (one for one in events if isinstance(one, IssueEvent | DetailsEvent | MoveEvent))
    return event.seen


def contents(seen: Seen) -> dict[str, Any]:
    return {name: content for name, (_, _, content) in seen.items()}


def comment(body: str) -> dict[str, Any]:
    return payload("issue_comment.created") | {
        "comment": payload("issue_comment.created")["comment"] | {"body": body}
    }


def test_a_delivery_shows_the_details_of_its_issue() -> None:
    assert contents(seen_in("issues.assigned")) == {
        "title": "Spelling error in the README file",
        "state": "open",
        "labels": ["bug"],
        "milestone": "v1.0",
    }


def test_details_have_the_time_of_the_last_change_and_the_order_of_the_delivery() -> None:
    guid = str(uuid.uuid1())
    times = {(at_ms, order) for at_ms, order, _ in seen_in("issues.assigned", guid=guid).values()}
    assert times == {(ms("2019-05-15T15:20:18Z"), guid_time(guid))}


def test_details_are_never_newer_than_their_receipt() -> None:
    body = payload("issues.assigned")
    body["issue"]["updated_at"] = "9999-12-31T23:59:59Z"
    assert seen_in("issues.assigned", body)["title"][0] == ms(RECEIVED)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("issues.edited", {"title": "Spelling error in the README file"}),
        ("issues.milestoned", {"milestone": "v1.0"}),
        ("issues.demilestoned", {"milestone": ""}),
        ("issues.typed", {"type": "Bug"}),
        ("issues.untyped", {"type": ""}),
        ("issues.field_added", {"estimate": 4.5 * HOUR_MS}),
        ("issues.field_removed", {"estimate": None}),
        ("sub_issues.parent_issue_added", {"parent": [HELLO_WORLD, "Codertocat/Hello-World", 2]}),
        ("sub_issues.parent_issue_removed", {"parent": None}),
    ],
)
def test_a_change_that_concerns_no_timer_shows_details(name: str, changed: dict[str, Any]) -> None:
    found = contents(seen_in(name))
    assert {key: found[key] for key in changed} == changed


def test_a_parent_is_that_of_the_sub_issue_in_its_own_repository() -> None:
    (event,) = read(  # type: ignore[misc]
        "sub_issues",
        payload("sub_issues.parent_issue_added"),
        delivery=GUID,
        received_ms=ms(RECEIVED),
        triggers=TRIGGERS,
    )
    assert isinstance(event, DetailsEvent)
    assert (event.repo_id, event.repo, event.number) == (HELLO_WORLD, "Codertocat/Hello-World", 1)


def test_a_label_that_triggers_nothing_shows_details() -> None:
    body = payload("issues.labeled")
    body["label"] = body["label"] | {"name": "urgent"}
    body["issue"]["labels"] = [{"name": "urgent"}, {"name": "bug"}]
    assert contents(seen_in("issues.labeled", body))["labels"] == ["bug", "urgent"]


@pytest.mark.parametrize("member", ["title", "state", "labels"])
def test_a_member_that_is_missing_shows_nothing(member: str) -> None:
    body = payload("issues.assigned")
    del body["issue"][member]
    assert member not in seen_in("issues.assigned", body)


class TestFields:
    """The number field of estimates."""

    def with_values(self, *values: dict[str, Any]) -> Seen:
        body = payload("issues.field_added")
        body["issue"]["issue_field_values"] = list(values)
        return seen_in("issues.field_added", body)

    def value(self, name: str | None, value: object, kind: str = "number") -> dict[str, Any]:
        named = {} if name is None else {"issue_field_name": name}
        return {"issue_field_id": 1, "node_id": "IFNV_1", "data_type": kind, "value": value, **named}

    def test_other_fields_are_no_estimate(self) -> None:
        seen = self.with_values(self.value("Effort", 8), self.value("Estimate", "4", kind="text"))
        assert seen["estimate"][2] is None

    def test_a_field_without_its_name_shows_nothing(self) -> None:
        assert "estimate" not in self.with_values(self.value(None, 8))

    def test_the_field_is_found_beside_one_without_a_name(self) -> None:
        assert self.with_values(self.value(None, 8), self.value("Estimate", 2))["estimate"][2] == 2 * HOUR_MS

    @pytest.mark.parametrize("value", [0, -3, True, "4", None])
    def test_what_is_no_number_of_hours_is_no_estimate(self, value: object) -> None:
        assert self.with_values(self.value("Estimate", value))["estimate"][2] is None


class TestComments:
    def test_a_comment_without_a_command_shows_nothing(self) -> None:
        assert seen_in("issue_comment.created", comment("I am on it.")) == {}

    def test_a_command_shows_the_details(self) -> None:
        assert contents(seen_in("issue_comment.created", comment("/timer start")))["labels"] == ["bug"]

    @pytest.mark.parametrize(("text", "estimate_ms"), [("4h", 4 * HOUR_MS), ("none", None)])
    def test_a_command_gives_the_estimate(self, text: str, estimate_ms: int | None) -> None:
        events = read(
            "issue_comment",
            comment(f"/timer estimate {text}"),
            delivery=GUID,
            received_ms=ms(RECEIVED),
            triggers=TRIGGERS,
        )
        assert not isinstance(events, Ignored)
        (command, sign, _) = events
        assert isinstance(command, IssueEvent)
        assert isinstance(sign, IssueEvent)
        assert (command.kind, command.seen["command"][2]) == ("comment.estimate", estimate_ms)
        assert (sign.kind, sign.seen) == ("commented", {})

    def test_the_last_estimate_of_a_comment_counts(self) -> None:
        events = read(
            "issue_comment",
            comment("/timer estimate 4h\n/timer estimate 2h"),
            delivery=GUID,
            received_ms=ms(RECEIVED),
            triggers=TRIGGERS,
        )
        assert not isinstance(events, Ignored)
        first, second = (
            one.seen["command"] for one in events if isinstance(one, IssueEvent) and "command" in one.seen
        )
        assert first[:2] < second[:2]


def test_a_transfer_shows_the_details_of_the_new_issue() -> None:
    seen = seen_in("issues.transferred")
    assert contents(seen)["title"] == payload("issues.transferred")["changes"]["new_issue"]["title"]


def test_a_deleted_issue_is_in_the_state_deleted() -> None:
    assert contents(seen_in("issues.deleted"))["state"] == "deleted"
