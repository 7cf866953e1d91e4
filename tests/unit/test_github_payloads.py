"""The events in each of GitHub's deliveries."""

import copy
import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timer_core.domain.events import EFFECTS, guid_time_at
from timer_core.github.marks import mark_of
from timer_core.github.messages import (
    CardEvent,
    CardKind,
    CommentEvent,
    DetailsEvent,
    Hook,
    IssueEvent,
    LeadTeamChange,
    LeadTeamEvent,
    Message,
    MoveEvent,
    OwnerRenamed,
    QueuedEvent,
    RepositoryEvent,
    RepositoryKind,
    from_json,
    to_json,
)
from timer_core.github.trigger_config import TriggerConfig
from timer_core.github.webhooks.payloads import (
    READERS,
    REDELIVERY_WINDOW,
    Ignored,
    IgnoredReason,
    MalformedDelivery,
    event_time,
    hook_of,
    not_timed,
    read,
    server_of,
)

PAYLOADS = Path(__file__).parents[1] / "payloads"
CODERTOCAT = 21031067
# The id of the repository Codertocat/Hello-World.
HELLO_WORLD = 186853002
TITLE = "Spelling error in the README file"
GUID = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
TRIGGERS = TriggerConfig(
    start_labels=frozenset({"bug"}),
    command_prefix="/timer",
    status_field="Status",
    start_statuses=frozenset({"in progress"}),
    stop_statuses=frozenset({"done"}),
    lead_teams=frozenset({"octocoders/github"}),
)


def payload(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())
    return loaded


def ms(time: str) -> int:
    return int(datetime.fromisoformat(time).astimezone(UTC).timestamp() * 1000)


def deliver_all(
    name: str, body: dict[str, Any] | None = None, received: str = "2021-10-12T00:00:00Z"
) -> tuple[QueuedEvent, ...] | Ignored:
    """Read a delivery, and return what concerns timers."""
    return concerning_timers(read_all(name, body, received))


def concerning_timers(found: tuple[QueuedEvent, ...] | Ignored) -> tuple[QueuedEvent, ...] | Ignored:
    """Return events without the details of issues, which test_details_in_deliveries.py tests."""
    if isinstance(found, Ignored):
        return found
    if isinstance(found[0], DetailsEvent):
        return Ignored(cast("IgnoredReason", found[0].reason))
    return tuple(map(_without_details, found))


def _without_details(event: QueuedEvent) -> QueuedEvent:
    if isinstance(event, IssueEvent | MoveEvent):
        return replace(event, seen={})
    return replace(event, project="", changed_ms=0) if isinstance(event, CardEvent) else event


def read_all(
    name: str, body: dict[str, Any] | None = None, received: str = "2021-10-12T00:00:00Z"
) -> tuple[QueuedEvent, ...] | Ignored:
    return read(
        name.partition(".")[0],
        payload(name) if body is None else body,
        delivery=GUID,
        received_ms=ms(received),
        triggers=TRIGGERS,
    )


def deliver(
    name: str, body: dict[str, Any] | None = None, received: str = "2021-10-12T00:00:00Z"
) -> QueuedEvent | Ignored:
    """Read a delivery, and return its only event."""
    found = deliver_all(name, body, received)
    if isinstance(found, Ignored):
        return found
    (event,) = found
    return event


HANDLED = {
    "issues.assigned": ("2019-05-15T15:20:18Z", (CODERTOCAT,)),
    "issues.unassigned": ("2019-05-15T15:20:25Z", (CODERTOCAT,)),
    "issues.closed": ("2021-10-11T16:40:56Z", None),
    "issues.reopened": ("2021-10-11T16:40:56Z", (CODERTOCAT,)),
    "issues.labeled": ("2019-05-15T15:20:18Z", (CODERTOCAT,)),
    "issues.unlabeled": ("2019-05-15T15:20:18Z", (CODERTOCAT,)),
}


@pytest.mark.parametrize("name", HANDLED)
def test_an_event_has_a_kind_a_time_and_users(name: str) -> None:
    happened, users = HANDLED[name]
    assert deliver(name, received=happened) == IssueEvent(
        delivery=GUID,
        kind=name.partition(".")[2],
        repo="Codertocat/Hello-World",
        number=1,
        at_ms=ms(happened),
        users=users,
        title=TITLE,
        repo_id=HELLO_WORLD,
        actor=CODERTOCAT,
    )


def test_a_deletion_with_an_old_guid_has_the_time_of_receipt() -> None:
    received = "2021-10-11T16:41:00Z"
    event = deliver("issues.deleted", received=received)
    assert event == IssueEvent(
        GUID,
        "deleted",
        HELLO_WORLD,
        "Codertocat/Hello-World",
        1,
        ms(received),
        None,
        title=TITLE,
        actor=CODERTOCAT,
    )


def test_every_kind_of_event_has_an_effect() -> None:
    kinds = {name.partition(".")[2] for name in READERS if name.startswith("issues.")}
    kinds -= {"opened"}  # a move
    kinds -= {"edited", "milestoned", "demilestoned", "typed", "untyped", "field_added", "field_removed"}
    kinds |= {f"comment.{action}" for action in ("start", "pause", "resume", "stop")}
    kinds |= {name.partition(".")[2] for name in READERS if name.startswith("repository.")}
    # Transfers of issues are moves. New names of repositories change only what is shown.
    kinds -= {"transferred", "renamed"}
    kinds |= {TRIGGERS.kind_of_status(status) for status in ("In Progress", "In review", "Done", "")}
    kinds |= {"unassigned.others", "project.removed", "project.restored", "commented"}
    kinds |= {name.partition(".")[2] for name in READERS if name.startswith("pull_request.")}
    # These change only details.
    kinds -= {"edited", "milestoned", "demilestoned"}
    kinds |= {"branch_created", "review_submitted"}
    assert kinds == set(EFFECTS)


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in PAYLOADS.glob("*.json") if path.stem not in READERS)
)
def test_an_event_without_effect_is_ignored(name: str) -> None:
    assert deliver(name) == Ignored("not_handled")


@pytest.mark.parametrize("name", ["issues", "", "issues.assigned", "Issues", "pull_requests", "x" * 1000])
def test_an_unknown_event_is_ignored(name: str) -> None:
    body = payload("issues.assigned")
    body["action"] = "assigned" if name != "issues" else "invented"
    found = read(name, body, delivery=GUID, received_ms=0, triggers=TRIGGERS)
    assert found == Ignored("not_handled")


class TestUsers:
    def test_unassigning_concerns_the_unassigned_user_only(self) -> None:
        body = payload("issues.unassigned")
        body["assignee"] = {"login": "octocat", "id": 583231, "type": "User"}
        event = deliver("issues.unassigned", body)
        assert isinstance(event, IssueEvent)
        assert event.users == (583231,)

    def test_reopening_concerns_every_assignee(self) -> None:
        body = payload("issues.reopened")
        body["issue"]["assignees"] = [{"id": 9, "type": "User"}, {"id": 3, "type": "User"}]
        event = deliver("issues.reopened", body)
        assert isinstance(event, IssueEvent)
        assert event.users == (3, 9)

    @pytest.mark.parametrize("assignees", [[], None])
    def test_reopening_without_assignees_is_ignored(self, assignees: list[Any] | None) -> None:
        body = payload("issues.reopened")
        body["issue"] |= {"assignees": assignees, "assignee": None}
        assert deliver("issues.reopened", body) == Ignored("no_assignees")

    def test_without_a_list_of_assignees_the_single_one_counts(self) -> None:
        body = payload("issues.reopened")
        body["issue"] |= {"assignees": None, "assignee": {"id": 5, "login": "ann"}}
        event = deliver("issues.reopened", body)
        assert isinstance(event, IssueEvent)
        assert event.users == (5,)

    NEVER_TIMED = (
        ("bot", {"login": "dependabot[bot]", "type": "Bot"}),
        ("not_a_person", {"login": "imported", "type": "Mannequin"}),
        ("not_a_person", {"login": "octo-org", "type": "Organization"}),
        ("not_a_person", {"login": "new", "type": "Invented"}),
        ("ghost", {"login": "ghost", "id": 10137, "type": "User"}),
    )

    @pytest.mark.parametrize("name", ["issues.assigned", "issues.unassigned"])
    @pytest.mark.parametrize(("reason", "account"), NEVER_TIMED)
    def test_an_account_that_is_no_person_is_never_timed(
        self, name: str, reason: IgnoredReason, account: dict[str, Any]
    ) -> None:
        body = payload(name)
        body["assignee"] |= account
        assert deliver(name, body) == Ignored(reason)
        assert not_timed(body) == [f"{reason} {body['assignee']['id']}"]

    def test_an_account_without_a_type_is_a_person(self) -> None:
        body = payload("issues.assigned")
        del body["assignee"]["type"]
        event = deliver("issues.assigned", body)
        assert isinstance(event, IssueEvent)
        assert (event.users, not_timed(body)) == ((CODERTOCAT,), [])

    def test_without_the_new_assignee_all_assignees_count(self) -> None:
        body = payload("issues.assigned") | {"assignee": None}
        body["issue"]["assignees"] = [{"id": 9, "type": "User"}, None, {"id": 3, "type": "User"}]
        event = deliver("issues.assigned", body)
        assert isinstance(event, IssueEvent)
        assert (event.kind, event.users) == ("assigned", (3, 9))

    def test_without_the_former_assignee_the_event_concerns_all_but_the_remaining_ones(self) -> None:
        body = payload("issues.unassigned")
        del body["assignee"]
        body["issue"]["assignees"] = [{"id": 9, "type": "User"}, {"id": 3, "type": "User"}]
        event = deliver("issues.unassigned", body)
        assert isinstance(event, IssueEvent)
        assert (event.kind, event.users, event.except_users) == ("unassigned.others", None, (3, 9))

    def test_without_the_remaining_assignees_nobody_is_known_to_be_unassigned(self) -> None:
        body = payload("issues.unassigned") | {"assignee": None}
        body["issue"]["assignees"] = None
        assert deliver("issues.unassigned", body) == Ignored("no_assignees")

    def test_a_bot_among_the_assignees_is_skipped(self) -> None:
        body = payload("issues.reopened")
        body["issue"]["assignees"].append({"id": 49699333, "login": "dependabot[bot]", "type": "Bot"})
        event = deliver("issues.reopened", body)
        assert isinstance(event, IssueEvent)
        assert event.users == (CODERTOCAT,)
        assert not_timed(body) == ["bot 49699333"]

    def test_assigning_a_closed_issue_starts_nothing(self) -> None:
        body = payload("issues.assigned")
        body["issue"]["state"] = "closed"
        assert deliver("issues.assigned", body) == Ignored("issue_closed")

    def test_unassigning_from_a_closed_issue_is_an_event(self) -> None:
        body = payload("issues.unassigned")
        body["issue"]["state"] = "closed"
        assert isinstance(deliver("issues.unassigned", body), IssueEvent)


class TestTimes:
    HAPPENED = "2026-01-10T12:00:00Z"

    @pytest.mark.parametrize(
        "received", ["2026-01-10T12:00:00Z", "2026-01-11T00:00:00Z", "2026-01-13T12:00:00Z"]
    )
    def test_an_event_has_its_own_time_within_three_days(self, received: str) -> None:
        assert event_time(self.HAPPENED, ms(received)) == ms(self.HAPPENED)

    @pytest.mark.parametrize(
        "received", ["2026-01-13T12:00:01Z", "2027-01-10T12:00:00Z", "2026-01-10T11:59:59Z"]
    )
    def test_outside_the_window_an_event_has_the_time_of_receipt(self, received: str) -> None:
        assert event_time(self.HAPPENED, ms(received)) == ms(received)

    def test_an_old_sample_has_the_time_of_receipt(self) -> None:
        event = deliver("issues.assigned", received="2026-01-10T12:00:00Z")
        assert isinstance(event, IssueEvent)
        assert event.at_ms == ms("2026-01-10T12:00:00Z")

    @pytest.mark.parametrize(
        "happened", ["2026-01-10T12:00:00Z", "2026-01-10T13:00:00+01:00", "2026-01-10T12:00:00"]
    )
    def test_a_time_without_an_offset_is_utc(self, happened: str) -> None:
        assert event_time(happened, ms("2026-01-10T12:30:00Z")) == ms("2026-01-10T12:00:00Z")

    @pytest.mark.parametrize("happened", ["", "yesterday", "2026-13-01T00:00:00Z", "1768046400", "\ud800"])
    def test_an_invalid_time_is_malformed(self, happened: str) -> None:
        with pytest.raises(MalformedDelivery, match="Not a time"):
            event_time(happened, 0)

    def test_a_close_without_its_time_has_the_time_of_the_last_change(self) -> None:
        body = payload("issues.closed")
        body["issue"]["closed_at"] = None
        body["issue"]["updated_at"] = "2021-10-11T17:00:00Z"
        event = deliver("issues.closed", body)
        assert isinstance(event, IssueEvent)
        assert event.at_ms == ms("2021-10-11T17:00:00Z")

    @given(st.integers(-(10**12), 10**12), st.integers(10**12, 2 * 10**12))
    def test_no_event_is_in_the_future_or_before_the_window(self, ago: int, now: int) -> None:
        happened = datetime.fromtimestamp((now - ago) // 1000, UTC).isoformat()
        window = REDELIVERY_WINDOW.total_seconds() * 1000
        assert now - window <= event_time(happened, now) <= now

    def test_an_event_without_its_time_has_the_time_of_receipt(self) -> None:
        body = payload("issues.assigned")
        body["issue"]["updated_at"] = None
        event = deliver("issues.assigned", body, "2019-05-15T15:30:00Z")
        assert isinstance(event, IssueEvent)
        assert event.at_ms == ms("2019-05-15T15:30:00Z")

    def test_an_event_without_its_time_has_the_time_in_the_guid_of_its_delivery(self) -> None:
        # A redelivery has the same GUID.
        ticks = guid_time_at(ms("2026-01-10T12:00:00Z"))
        fields = (ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48, 0x80, 0, 5)
        guid = str(uuid.UUID(fields=fields, version=1))
        received = ms("2026-01-10T15:00:00Z")
        assert event_time(None, received, guid) == ms("2026-01-10T12:00:00Z")
        assert event_time(None, ms("2026-01-14T12:00:00Z"), guid) == ms("2026-01-14T12:00:00Z")
        assert event_time(None, received, str(uuid.UUID(int=1, version=4))) == received
        assert event_time("2026-01-10T13:00:00Z", received, guid) == ms("2026-01-10T13:00:00Z")


class TestTitles:
    @pytest.mark.parametrize(
        ("title", "stored"), [(None, ""), ("\ud800 is lone", "? is lone"), ("x" * 300, "x" * 256)]
    )
    def test_a_title_can_be_stored(self, title: str | None, stored: str) -> None:
        body = payload("issues.assigned")
        body["issue"]["title"] = title
        event = deliver("issues.assigned", body)
        assert isinstance(event, IssueEvent)
        assert event.title == stored


class TestMalformed:
    MISSING = (
        ("issues.assigned", ("assignee", "id")),
        ("issues.assigned", ("issue",)),
        ("issues.assigned", ("issue", "number")),
        ("issues.assigned", ("repository",)),
        ("issues.assigned", ("repository", "id")),
        ("issues.assigned", ("repository", "full_name")),
        ("issues.closed", ("issue", "number")),
        ("issues.deleted", ("repository", "full_name")),
        ("issues.transferred", ("changes",)),
        ("issues.transferred", ("changes", "new_issue")),
        ("repository.renamed", ("repository", "id")),
        ("projects_v2_item.edited", ("projects_v2_item",)),
        ("organization.renamed", ("organization", "id")),
    )

    @pytest.mark.parametrize(("name", "path"), MISSING, ids=str)
    def test_a_missing_member_is_malformed(self, name: str, path: tuple[str, ...]) -> None:
        body = payload(name)
        *parents, last = path
        parent = body
        for key in parents:
            parent = parent[key]
        del parent[last]
        with pytest.raises(MalformedDelivery):
            deliver(name, body)

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            (("assignee", "id"), "21031067"),
            (("assignee", "id"), True),
            (("assignee", "id"), 1.5),
            (("assignee", "id"), 0),
            (("assignee", "id"), -1),
            (("issue", "number"), "1"),
            (("issue", "number"), True),
            (("issue", "number"), 1.0),
            (("issue", "updated_at"), 1557933618),
            (("issue", "updated_at"), "soon"),
            (("repository", "full_name"), None),
            (("repository", "full_name"), "\ud800/Hello-World"),
            (("repository", "full_name"), "Hello-World"),
            (("issue", "number"), 0),
            (("issue", "number"), 10**30),
        ],
    )
    def test_a_member_of_a_wrong_type_is_malformed(self, path: tuple[str, str], value: object) -> None:
        body = payload("issues.assigned")
        body[path[0]][path[1]] = value
        with pytest.raises(MalformedDelivery):
            deliver("issues.assigned", body)

    JSON = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    )
    PATHS = (
        ("action",),
        ("issue",),
        ("issue", "number"),
        ("issue", "state"),
        ("issue", "assignees"),
        ("issue", "assignees", 0),
        ("issue", "assignees", 0, "id"),
        ("issue", "assignees", 0, "type"),
        ("issue", "updated_at"),
        ("issue", "closed_at"),
        ("assignee",),
        ("assignee", "id"),
        ("assignee", "type"),
        ("repository",),
        ("repository", "full_name"),
        ("changes",),
        ("changes", "new_issue", "number"),
        ("issue", "labels"),
        ("issue", "labels", 0),
        ("issue", "milestone"),
        ("issue", "type"),
        ("issue", "issue_field_values"),
        ("issue", "issue_field_values", 0),
        ("issue", "issue_field_values", 0, "value"),
        ("sub_issue",),
        ("sub_issue", "number"),
        ("parent_issue_repo",),
        ("parent_issue", "number"),
        ("changes", "old_issue"),
        ("changes", "owner", "from"),
        ("changes", "repository", "name"),
        ("changes", "field_value"),
        ("changes", "field_value", "to"),
        ("changes", "field_value", "field_name"),
        ("projects_v2_item",),
        ("projects_v2_item", "content_node_id"),
        ("organization",),
        ("comment", "id"),
    )
    BODIES: ClassVar = {name: payload(name.replace("project_", "projects_")) for name in READERS}
    for body in BODIES.values():
        body.get("projects_v2_item", {})["content_type"] = "Issue"

    @given(
        st.sampled_from(sorted(READERS)),
        st.dictionaries(st.sampled_from(PATHS), JSON, min_size=1, max_size=3),
    )
    def test_any_payload_is_read_or_malformed(self, name: str, changes: dict[tuple[Any, ...], Any]) -> None:
        body = copy.deepcopy(self.BODIES[name])
        for path, value in changes.items():
            target: Any = body
            try:
                for key in path[:-1]:
                    target = target[key]
                target[path[-1]] = value
            except (KeyError, TypeError, IndexError):
                body[path[0]] = value
        try:
            events = read_all(name, body)
        except MalformedDelivery:
            return
        assert isinstance(events, Ignored) or from_json(to_json(events)).events == events

    @given(st.dictionaries(st.text() | st.sampled_from(["action", "issue", "assignee", "repository"]), JSON))
    def test_any_json_object_is_read_or_malformed(self, body: dict[str, Any]) -> None:
        for action in READERS:
            try:
                found = deliver_all(action, {**body, "action": action.partition(".")[2]})
            except MalformedDelivery:
                continue
            assert isinstance(found, Ignored)


@pytest.mark.parametrize("users", [None, (), (1,), (1, 2**63)])
def test_an_event_is_the_same_after_the_queue(users: tuple[int, ...] | None) -> None:
    event = IssueEvent(GUID, "assigned", HELLO_WORLD, "octocat/Hello-World", 7, 1_763_900_000_000, users)
    assert from_json(to_json([event, event])) == Message((event, event))
    assert from_json(to_json([], Hook("/app/hook"))) == Message((), Hook("/app/hook"))


class TestLeadTeams:
    """Changes of the teams of an organization that has lead teams."""

    @pytest.mark.parametrize(
        ("name", "change", "member"),
        [
            ("membership.added", "added", 21031067),
            ("membership.removed", "removed", 21031067),
            ("team.created", "edited", 0),
            ("team.edited", "edited", 0),
            ("team.deleted", "deleted", 0),
        ],
    )
    def test_a_change_of_a_team_names_the_team_and_the_member(
        self, name: str, change: LeadTeamChange, member: int
    ) -> None:
        assert deliver(name) == LeadTeamEvent(GUID, "octocoders", change, "github", 3253328, member)

    def test_a_person_who_leaves_the_organization_leaves_all_teams(self) -> None:
        event = LeadTeamEvent(GUID, "octocoders", "removed", member=39652351, is_of_organization=True)
        assert deliver("organization.member_removed") == event

    def test_a_deleted_team_has_no_slug(self) -> None:
        body = payload("membership.removed") | {"team": {"id": 3253328, "name": "github", "deleted": True}}
        event = LeadTeamEvent(GUID, "octocoders", "removed", "", 3253328, 21031067)
        assert deliver("membership.removed", body) == event

    def test_other_teams_of_the_organization_count_because_they_may_be_children(self) -> None:
        body = payload("membership.added")
        body["team"]["slug"] = "night-shift"
        assert isinstance(deliver("membership.added", body), LeadTeamEvent)

    @pytest.mark.parametrize("name", ["membership.added", "team.edited", "organization.member_removed"])
    def test_other_organizations_have_no_leads(self, name: str) -> None:
        body = payload(name)
        body["organization"]["login"] = "octocoders-2"
        assert deliver(name, body) == Ignored("no_lead_team")


class TestLabels:
    def test_start_labels_are_compared_case_insensitively(self) -> None:
        body = payload("issues.labeled")
        body["label"]["name"] = "BUG"
        assert isinstance(deliver("issues.labeled", body), IssueEvent)
        body["label"]["name"] = "bugs"
        assert deliver("issues.labeled", body) == Ignored("other_label")
        assert deliver("issues.unlabeled", payload("issues.unlabeled") | {"label": body["label"]}) == Ignored(
            "other_label"
        )

    def test_removing_one_of_two_start_labels_changes_nothing(self) -> None:
        triggers = replace(TRIGGERS, start_labels=frozenset({"bug", "urgent"}))
        body = payload("issues.unlabeled")

        def deliver_with(*labels: str) -> tuple[QueuedEvent, ...] | Ignored:
            body["issue"]["labels"] = [{"name": label} for label in labels]
            found = read("issues", body, delivery=GUID, received_ms=0, triggers=triggers)
            return concerning_timers(found)

        assert deliver_with("other", "Urgent") == Ignored("start_label_left")
        # The removed label does not count as remaining, even if the payload still lists that label.
        for labels in ((), ("other",), ("bug",)):
            assert isinstance(deliver_with(*labels), tuple)

    def test_a_removed_label_without_a_name_is_judged_by_the_labels_left(self) -> None:
        body = payload("issues.unlabeled")
        del body["label"]
        body["issue"]["labels"] = [{"name": "other"}, {"name": "Bug"}]
        assert deliver("issues.unlabeled", body) == Ignored("start_label_left")
        body["issue"]["labels"] = [{"name": "other"}]
        event = deliver("issues.unlabeled", body)
        assert isinstance(event, IssueEvent)
        assert (event.kind, event.users) == ("unlabeled", (CODERTOCAT,))
        no_labels = replace(TRIGGERS, start_labels=frozenset())
        found = read("issues", body, delivery=GUID, received_ms=0, triggers=no_labels)
        assert concerning_timers(found) == Ignored("other_label")
        del body["issue"]["labels"]
        assert deliver("issues.unlabeled", body) == Ignored("other_label")

    def test_an_added_label_without_a_name_starts_nothing(self) -> None:
        assert deliver("issues.labeled", payload("issues.labeled") | {"label": None}) == Ignored(
            "other_label"
        )

    def test_a_label_on_a_closed_issue_starts_nothing(self) -> None:
        body = payload("issues.labeled")
        body["issue"]["state"] = "closed"
        assert deliver("issues.labeled", body) == Ignored("issue_closed")

    def test_a_label_concerns_the_assignees(self) -> None:
        body = payload("issues.labeled")
        body["issue"]["assignees"] = []
        assert deliver("issues.labeled", body) == Ignored("no_assignees")


class TestOwnWrites:
    """Deliveries about what the product itself has written."""

    def field_changed(self, name: str) -> Any:
        body = payload("issues.field_added")
        body["issue_field"] = {"id": 2002, "name": name, "field_type": "number"}
        triggers = replace(TRIGGERS, time_field="Time spent")
        return read("issues", body, delivery=GUID, received_ms=0, triggers=triggers)

    def test_the_field_of_time_is_ignored(self) -> None:
        assert self.field_changed("Time spent") == Ignored("time_field")

    def test_another_field_is_a_detail_of_the_issue(self) -> None:
        (event,) = self.field_changed("Estimate")
        assert isinstance(event, DetailsEvent)

    @pytest.mark.parametrize("mark", [mark_of("total"), mark_of("1234")])
    def test_a_comment_with_our_mark_is_no_sign_of_life(self, mark: str) -> None:
        body = payload("issue_comment.created")
        body["comment"]["body"] = f"Time on this issue: **1.00 h**.\n\n{mark}"
        assert deliver("issue_comment.created", body) == Ignored("own_comment")

    def test_a_mark_in_the_middle_of_a_comment_is_not_ours(self) -> None:
        body = payload("issue_comment.created")
        body["comment"]["body"] = f"{mark_of('total')}\n\n/timer stop"
        found = read("issue_comment", body, delivery=GUID, received_ms=0, triggers=TRIGGERS)
        assert found != Ignored("own_comment")


class TestComments:
    def comment(self, text: str) -> dict[str, Any]:
        body = payload("issue_comment.created")
        body["comment"]["body"] = text
        return body

    def test_a_command_concerns_its_author_at_the_time_of_the_comment(self) -> None:
        body = self.comment("Now.\n/timer start")
        written = ms("2019-05-15T15:20:21Z")
        assert deliver_all("issue_comment.created", body, "2019-05-15T15:21:00Z") == (
            IssueEvent(
                f"comment-{body['comment']['id']}",
                "comment.start",
                HELLO_WORLD,
                "Codertocat/Hello-World",
                1,
                written,
                (CODERTOCAT,),
                title=TITLE,
                actor=CODERTOCAT,
            ),
            CommentEvent(
                GUID,
                HELLO_WORLD,
                "Codertocat/Hello-World",
                1,
                written,
                body["comment"]["id"],
                CODERTOCAT,
            ),
        )

    def test_several_commands_keep_their_order(self) -> None:
        body = self.comment("/timer stop\n\n/timer log 1h30m\n/timer start")
        events = deliver_all("issue_comment.created", body)
        assert not isinstance(events, Ignored)
        commands = [event for event in events if isinstance(event, IssueEvent)]
        name = f"comment-{body['comment']['id']}"
        assert [(event.kind, event.delivery, event.duration_ms) for event in commands] == [
            ("comment.stop", name, 0),
            ("comment.log", f"{name}.1", 5_400_000),
            ("comment.start", f"{name}.2", 0),
        ]
        assert [event.at_ms - commands[0].at_ms for event in commands] == [0, 1, 2]

    @pytest.mark.parametrize("text", ["Thanks!", "", None, "> /timer start", "use /timer start"])
    def test_an_ordinary_comment_is_a_sign_of_life_of_its_author(self, text: str | None) -> None:
        body = self.comment("")
        body["comment"]["body"] = text
        body["comment"]["user"] = {"id": 5, "type": "User"}
        event = deliver("issue_comment.created", body, "2019-05-15T15:21:00Z")
        assert event == IssueEvent(
            delivery=GUID,
            kind="commented",
            repo_id=HELLO_WORLD,
            repo="Codertocat/Hello-World",
            number=1,
            at_ms=ms(body["comment"]["created_at"]),
            users=(5,),
            title=TITLE,
            actor=5,
        )

    @pytest.mark.parametrize("text", ["/timer", "/timer dance", "/timer log soon"])
    def test_a_mistake_gets_a_reply_and_is_only_a_sign_of_life(self, text: str) -> None:
        events = deliver_all("issue_comment.created", self.comment(text))
        assert not isinstance(events, Ignored)
        sign, reply = events
        assert isinstance(sign, IssueEvent)
        assert sign.kind == "commented"
        assert isinstance(reply, CommentEvent)
        assert len(reply.mistakes) == 1

    @pytest.mark.parametrize(
        ("text", "kinds"),
        [
            ("/timer log 1h", ["comment.log", "commented"]),
            ("/timer log 1h\n/timer pause", ["comment.log", "comment.pause"]),
        ],
    )
    def test_logged_time_without_another_command_is_a_sign_of_life_too(
        self, text: str, kinds: list[str]
    ) -> None:
        events = deliver_all("issue_comment.created", self.comment(text))
        assert not isinstance(events, Ignored)
        assert [event.kind for event in events if isinstance(event, IssueEvent)] == kinds

    def test_a_command_on_a_pull_request_is_one_on_its_timer(self) -> None:
        body = self.comment("/timer start")
        body["issue"]["pull_request"] = {"url": "https://api.github.com/repos/o/r/pulls/1"}
        assert deliver_all("issue_comment.created", body) == deliver_all(
            "issue_comment.created", self.comment("/timer start")
        )

    @pytest.mark.parametrize(
        ("user", "reason"),
        [
            ({"id": 5, "type": "Bot"}, "bot"),
            ({"id": 5, "type": "Mannequin"}, "not_a_person"),
            ({"id": 10137, "type": "User"}, "ghost"),
            (None, "ghost"),
        ],
    )
    def test_a_comment_of_no_person_is_ignored(
        self, user: dict[str, Any] | None, reason: IgnoredReason
    ) -> None:
        body = self.comment("/timer start")
        body["comment"]["user"] = user
        assert deliver("issue_comment.created", body) == Ignored(reason)


class TestActors:
    """The actor of an event is the person who caused it."""

    ISSUE_EVENTS = (
        "issues.assigned",
        "issues.unassigned",
        "issues.closed",
        "issues.deleted",
        "issues.reopened",
    )
    CARD_EVENTS = ("projects_v2_item.archived", "projects_v2_item.deleted", "projects_v2_item.restored")
    OTHERS = ("issues.labeled", "issues.unlabeled", "repository.archived", "repository.deleted")

    @pytest.mark.parametrize("name", [*ISSUE_EVENTS, *CARD_EVENTS, *OTHERS])
    @pytest.mark.parametrize(
        ("sender", "actor"),
        [
            ({"login": "octocat", "id": 583231, "type": "User"}, 583231),
            ({"login": "octocat", "id": 583231}, 583231),
            ({"login": "github-actions[bot]", "id": 41898282, "type": "Bot"}, 0),
            ({"login": "imported", "id": 7, "type": "Mannequin"}, 0),
            ({"login": "ghost", "id": 10137, "type": "User"}, 0),
            (None, 0),
        ],
        ids=["person", "without a type", "bot", "mannequin", "ghost", "null"],
    )
    def test_the_actor_is_the_sender_if_it_is_a_person(
        self, name: str, sender: dict[str, Any] | None, actor: int
    ) -> None:
        event = deliver(name, payload(name) | {"sender": sender})
        assert isinstance(event, IssueEvent | CardEvent | RepositoryEvent)
        assert event.actor == actor

    def test_without_a_sender_the_actor_is_unknown(self) -> None:
        body = payload("issues.assigned")
        del body["sender"]
        event = deliver("issues.assigned", body)
        assert isinstance(event, IssueEvent)
        assert (event.actor, event.users) == (0, (CODERTOCAT,))

    def test_an_unnamed_unassignment_has_an_actor_too(self) -> None:
        event = deliver("issues.unassigned", payload("issues.unassigned") | {"assignee": None})
        assert isinstance(event, IssueEvent)
        assert (event.kind, event.actor) == ("unassigned.others", CODERTOCAT)

    def test_the_actor_of_a_command_is_the_author_of_its_comment(self) -> None:
        body = payload("issue_comment.created")
        body["comment"] |= {"body": "/timer start", "user": {"id": 5, "type": "User"}}
        events = deliver_all("issue_comment.created", body)
        assert not isinstance(events, Ignored)
        assert isinstance(events[0], IssueEvent)
        assert (events[0].actor, events[0].users) == (5, (5,))


class TestMoves:
    def test_a_transfer_names_both_repositories_and_numbers(self) -> None:
        received = "2019-10-25T22:47:00Z"
        assert deliver("issues.transferred", received=received) == MoveEvent(
            delivery=GUID,
            origin="octo-org/octo-repo",
            target="Codertocat/Hello-World",
            at_ms=ms(received),
            numbers=(1, 1),
            repo_ids=(17273051, HELLO_WORLD),
        )

    def test_the_new_repository_delivers_the_transfer_too(self) -> None:
        old = {
            "old_repository": {"id": 17273051, "full_name": "octo-org/octo-repo"},
            "old_issue": {"number": 7},
        }
        event = deliver("issues.opened", payload("issues.opened") | {"changes": old})
        assert isinstance(event, MoveEvent)
        assert (event.origin, event.target, event.numbers) == (
            "octo-org/octo-repo",
            "Codertocat/Hello-World",
            (7, 1),
        )
        assert event.repo_ids == (17273051, HELLO_WORLD)

    def test_a_new_issue_is_not_a_transfer(self) -> None:
        assert deliver("issues.opened") == Ignored("not_transferred")


class TestRepositories:
    RECEIVED = "2019-05-15T15:21:00Z"

    @pytest.mark.parametrize("kind", ["renamed", "transferred", "archived", "unarchived", "deleted"])
    def test_an_event_of_a_repository_has_its_id_and_the_time_of_receipt(self, kind: RepositoryKind) -> None:
        assert deliver(f"repository.{kind}", received=self.RECEIVED) == RepositoryEvent(
            delivery=GUID,
            kind=kind,
            repo_id=186853261,
            repo="Octocoders/Hello-World",
            # The payload has only the time of the last change, which can be long ago.
            at_ms=ms(self.RECEIVED),
            received_ms=ms(self.RECEIVED),
            actor=CODERTOCAT,
        )

    @pytest.mark.parametrize("name", ["organization.renamed", "installation_target.renamed"])
    def test_a_renamed_owner_has_an_id_and_two_logins(self, name: str) -> None:
        assert deliver(name, received=self.RECEIVED) == OwnerRenamed(
            delivery=GUID,
            origin="Octocoders",
            target=payload("organization.renamed")["organization"]["login"],
            owner_id=38302899,
            at_ms=ms(self.RECEIVED),
        )

    @pytest.mark.parametrize("login", ["", "../../evil?x=#", "\ud800", "a" * 40, "octo/org"])
    @pytest.mark.parametrize("name", ["organization.renamed", "installation_target.renamed"])
    def test_a_new_login_that_github_does_not_allow_is_malformed(self, name: str, login: str) -> None:
        body = payload(name)
        body["organization" if name.startswith("organization") else "account"]["login"] = login
        with pytest.raises(MalformedDelivery):
            deliver(name, body)

    def test_a_renamed_enterprise_has_no_login(self) -> None:
        body = payload("installation_target.renamed") | {"changes": {"slug": {"from": "octo"}}}
        assert deliver("installation_target.renamed", body) == Ignored("no_login")


class TestCards:
    def moved(self, **change: Any) -> dict[str, Any]:
        body = payload("projects_v2_item.edited")
        body["projects_v2_item"] |= {"content_type": "Issue", "content_node_id": "I_1"}
        body["changes"]["field_value"] |= change
        return body

    def test_a_card_names_its_issue_by_a_node_id_only(self) -> None:
        body = self.moved(field_name="Status", to={"id": "1", "name": "In Progress"})
        assert deliver("projects_v2_item.edited", body, "2022-06-08T20:35:00Z") == CardEvent(
            delivery=GUID,
            owner="Octocoders",
            item="PVTI_lADOAWcTxs07G84AVqWu",
            content="I_1",
            at_ms=ms("2022-06-08T20:34:26Z"),
            status="In Progress",
            actor=4595477,
        )

    def test_a_removed_status_is_empty(self) -> None:
        event = deliver("projects_v2_item.edited", self.moved(field_name="Status", to=None))
        assert isinstance(event, CardEvent)
        assert event.status == ""

    def test_a_missing_status_is_fetched_from_the_api(self) -> None:
        event = deliver("projects_v2_item.edited", self.moved())
        assert isinstance(event, CardEvent)
        assert (event.field, event.status) == ("PVTF_lADOAWcTxs07G84AAali", None)

    def test_the_former_name_of_the_event_means_the_same(self) -> None:
        body = self.moved(field_name="Status", to={"name": "Done"})
        body["project_v2_item"] = body.pop("projects_v2_item")
        assert deliver("project_v2_item.edited", body) == deliver(
            "projects_v2_item.edited", self.moved(field_name="Status", to={"name": "Done"})
        )

    @pytest.mark.parametrize("change", [{"field_name": "Priority"}, {"field_type": "text"}])
    def test_another_field_is_not_the_status(self, change: dict[str, str]) -> None:
        assert deliver("projects_v2_item.edited", self.moved(**change)) == Ignored("other_field")

    @pytest.mark.parametrize("kind", ["DraftIssue", "PullRequest"])
    def test_a_card_without_an_issue_is_ignored(self, kind: str) -> None:
        body = self.moved(field_name="Status")
        body["projects_v2_item"]["content_type"] = kind
        assert deliver("projects_v2_item.edited", body) == Ignored("not_an_issue")

    @pytest.mark.parametrize(
        ("action", "kind", "happened"),
        [
            ("archived", "removed", "2022-06-08T21:19:35Z"),
            ("restored", "restored", "2022-06-08T21:19:43Z"),
            ("converted", "converted", "2022-06-08T21:14:17Z"),
            # The payload has only the time of the card's last change.
            ("deleted", "removed", "2022-06-08T21:20:00Z"),
        ],
    )
    def test_a_card_may_leave_its_project_and_return(
        self, action: str, kind: CardKind, happened: str
    ) -> None:
        event = deliver(f"projects_v2_item.{action}", received="2022-06-08T21:20:00Z")
        assert event == CardEvent(
            delivery=GUID,
            owner="Octocoders",
            item="PVTI_lADOAWcTxs4ACgDdzgBWqxo",
            content="I_kwDOCG5vGM5La0aB",
            at_ms=ms(happened),
            kind=kind,
            actor=CODERTOCAT,
        )

    @pytest.mark.parametrize("action", ["archived", "deleted", "restored", "converted"])
    def test_a_draft_that_leaves_its_project_is_ignored(self, action: str) -> None:
        body = payload(f"projects_v2_item.{action}")
        body["projects_v2_item"]["content_type"] = "DraftIssue"
        assert deliver(f"projects_v2_item.{action}", body) == Ignored("not_an_issue")

    def test_a_card_without_an_id_is_known_by_its_issue(self) -> None:
        body = self.moved(field_name="Status", to={"name": "Done"})
        del body["projects_v2_item"]["node_id"]
        event = deliver("projects_v2_item.edited", body)
        assert isinstance(event, CardEvent)
        assert (event.item, event.content, event.status) == ("", "I_1", "Done")

    @pytest.mark.parametrize("value", ["Done", 3, {"title": "Iteration 1"}])
    def test_a_value_of_another_form_is_fetched_from_the_api(self, value: Any) -> None:
        event = deliver("projects_v2_item.edited", self.moved(field_name="Status", to=value))
        assert isinstance(event, CardEvent)
        assert event.status is None

    def test_a_field_without_name_and_id_is_not_the_status(self) -> None:
        body = self.moved()
        del body["changes"]["field_value"]["field_node_id"]
        assert deliver("projects_v2_item.edited", body) == Ignored("other_field")

    def test_a_field_without_a_type_may_be_the_status(self) -> None:
        event = deliver("projects_v2_item.edited", self.moved(field_type=None, field_name="Status", to=None))
        assert isinstance(event, CardEvent)

    def test_a_change_without_a_field_is_not_the_status(self) -> None:
        body = self.moved()
        body["changes"] = {"body": {"from": "a", "to": "b"}}
        assert deliver("projects_v2_item.edited", body) == Ignored("other_field")


class TestHooks:
    @pytest.mark.parametrize(
        ("kind", "path"),
        [
            ("repository", "/repos/octocat/hello-world/hooks/5"),
            ("organization", "/orgs/octo-org/hooks/5"),
            ("integration", "/app/hook"),
        ],
    )
    def test_a_delivery_names_its_webhook(self, kind: str, path: str) -> None:
        headers = {"x-github-hook-id": "5", "x-github-hook-installation-target-type": kind}
        repository = {"id": 1, "full_name": "octocat/hello-world"}
        body = {"repository": repository, "organization": {"login": "octo-org"}}
        assert hook_of(headers, body) == Hook(path)

    @pytest.mark.parametrize("name", ["", "..", "../../x", "\ud800", "a" * 1_100, "octo org", "octo/org"])
    def test_a_name_that_no_path_can_contain_is_malformed(self, name: str) -> None:
        body = {"repository": {"id": 1, "full_name": f"{name}/app"}, "organization": {"login": name or "/"}}
        for kind in ("repository", "organization"):
            with pytest.raises(MalformedDelivery):
                hook_of({"x-github-hook-id": "5", "x-github-hook-installation-target-type": kind}, body)

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"x-github-hook-id": "5"},
            {"x-github-hook-id": "5", "x-github-hook-installation-target-type": "repository"},
            {"x-github-hook-id": "5", "x-github-hook-installation-target-type": "organization"},
            {"x-github-hook-id": "5/..", "x-github-hook-installation-target-type": "repository"},
            {"x-github-hook-id": "5" * 21, "x-github-hook-installation-target-type": "organization"},
            {"x-github-hook-id": "\u0665", "x-github-hook-installation-target-type": "organization"},
        ],
    )
    def test_a_delivery_from_elsewhere_has_no_webhook(self, headers: dict[str, str]) -> None:
        assert hook_of(headers, {}) is None


@pytest.mark.parametrize(
    ("headers", "server"),
    [
        ({}, None),
        ({"x-github-enterprise-host": "GitHub.Example.com"}, "github.example.com"),
        ({"x-github-enterprise-host": "github.example.com:8443"}, "github.example.com"),
        ({"x-github-tenant": "octo-corp"}, "octo-corp.ghe.com"),
    ],
)
def test_a_delivery_names_its_server(headers: dict[str, str], server: str | None) -> None:
    assert server_of(headers) == server
