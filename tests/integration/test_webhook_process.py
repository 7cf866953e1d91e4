"""Processing deliveries from the queue, on Amazon's DynamoDB Local."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.support.gateway import Context
from tests.support.handlers import loaded
from timer_core.clock import now_ms
from timer_core.domain.issues import Issue
from timer_core.domain.timers import Timer
from timer_core.github.webhooks.messages import IssueEvent, to_json
from timer_core.store.health import HealthStore
from timer_core.store.people import PeopleStore, Person
from timer_core.store.queries import Filters
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from timer_core.store.writes import Patch

MINUTE = 60_000
# Deliveries of an hour ago: what people do by hand in these tests comes after them, or between.
T0 = now_ms() // 1000 * 1000 - 60 * MINUTE
_numbers = count(1)


@dataclass
class Desk:
    """The handler, an issue of its own and two registered people."""

    module: ModuleType
    table: Table
    issue: Issue
    ann: int
    bob: int

    @property
    def store(self) -> TimerStore:
        return TimerStore(self.table)

    def event(
        self,
        kind: str,
        minute: float,
        *users: int,
        delivery: str = "",
        issue: Issue | None = None,
    ) -> IssueEvent:
        issue = issue or self.issue
        return IssueEvent(
            delivery=delivery or str(uuid.uuid4()),
            kind=kind,
            repo=issue.full_name,
            number=issue.number,
            at_ms=T0 + round(minute * MINUTE),
            users=users or None,
        )

    def process(self, *events: IssueEvent | str, receives: int = 1) -> list[str]:
        """Hand a batch over, a group for each issue, and return which messages failed."""
        records = []
        for number, event in enumerate(events):
            body, group = (
                (event, "broken")
                if isinstance(event, str)
                else (to_json([event]), event.repo + str(event.number))
            )
            records.append(
                {
                    "messageId": str(number),
                    "receiptHandle": "x",
                    "body": body,
                    "attributes": {"MessageGroupId": group, "ApproximateReceiveCount": str(receives)},
                    "messageAttributes": {},
                    "md5OfBody": "",
                    "eventSource": "aws:sqs",
                    "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:deliveries.fifo",
                    "awsRegion": "eu-west-1",
                }
            )
        answer = self.module.handler({"Records": records}, Context())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def timers(self, user_id: int, issue: Issue | None = None) -> list[Timer]:
        """Return a person's timers on the issue, oldest first."""
        issue = issue or self.issue
        page = self.store.page(user_id, Filters(repo=issue.full_name, number=issue.number), page_size=100)
        return list(page.timers)[::-1]

    def only(self, user_id: int) -> Timer:
        (timer,) = self.timers(user_id)
        return timer

    def spans(self, user_id: int) -> list[tuple[float, float | None, str, float]]:
        """Return when each timer began and ended, its state and what it counted so far, in minutes.

        A running timer counts up to an hour after the first delivery.
        """
        return [
            (
                (timer.start_ms - T0) / MINUTE,
                None if timer.end_ms is None else (timer.end_ms - T0) / MINUTE,
                timer.status.value,
                timer.active_ms(T0 + 60 * MINUTE) / MINUTE,
            )
            for timer in self.timers(user_id)
        ]


def new_issue() -> Issue:
    return Issue("octocat", "Hello-World", next(_numbers))


class Waits:
    """The queue, as far as it is told how long failed messages wait."""

    def __init__(self) -> None:
        self.seconds: list[int] = []

    def change_message_visibility(self, **request: Any) -> None:
        self.seconds.append(request["VisibilityTimeout"])


@contextmanager
def loaded_process(table: Table, **variables: str) -> Iterator[ModuleType]:
    """Load the handler, with a queue that only takes note of waits."""
    with loaded("webhook.process", table.name, DELIVERY_QUEUE_URL="unused", **variables) as module:
        waits = Waits()
        module._sqs = lambda: waits  # type: ignore[attr-defined]
        yield module


@pytest.fixture(scope="module")
def process(shared_table: Table) -> Iterator[ModuleType]:
    with loaded_process(shared_table) as module:
        yield module


@pytest.fixture
def desk(process: ModuleType, shared_table: Table, new_person: Callable[[], Person]) -> Desk:
    return make_desk(process, shared_table, new_person)


def make_desk(module: ModuleType, table: Table, new_person: Callable[[], Person]) -> Desk:
    people = [new_person(), new_person()]
    for person in people:
        PeopleStore(table).register(person.user_id, person.login, now_ms=0)
    return Desk(module, table, new_issue(), *(person.user_id for person in people))


@contextmanager
def another_desk(table: Table, new_person: Callable[[], Person], **variables: str) -> Iterator[Desk]:
    """Load the handler as deployed with other parameters."""
    with loaded_process(table, **variables) as module:
        yield make_desk(module, table, new_person)


class TestActions:
    def test_assigning_starts_the_assignees_timer_when_it_happened(self, desk: Desk) -> None:
        assert desk.process(desk.event("assigned", 1, desk.ann)) == []
        assert desk.spans(desk.ann) == [(1, None, "running", 59)]
        assert desk.timers(desk.bob) == []
        timer = desk.only(desk.ann)
        assert (timer.source, timer.organization, timer.issue) == ("assigned", "octocat", desk.issue)

    def test_unassigning_pauses_that_persons_timer_only(self, desk: Desk) -> None:
        desk.process(desk.event("assigned", 1, desk.ann), desk.event("assigned", 2, desk.bob))
        desk.process(desk.event("unassigned", 5, desk.ann))
        assert desk.spans(desk.ann) == [(1, None, "paused", 4)]
        assert desk.spans(desk.bob) == [(2, None, "running", 58)]

    def test_assigning_again_resumes(self, desk: Desk) -> None:
        desk.process(
            desk.event("assigned", 1, desk.ann),
            desk.event("unassigned", 5, desk.ann),
            desk.event("assigned", 15, desk.ann),
        )
        assert desk.spans(desk.ann) == [(1, None, "running", 49)]
        assert desk.only(desk.ann).paused_ms == 10 * MINUTE

    @pytest.mark.parametrize("kind", ["closed", "deleted"])
    def test_closing_or_deleting_stops_everybodys_timer(self, desk: Desk, kind: str) -> None:
        desk.process(desk.event("assigned", 1, desk.ann), desk.event("assigned", 2, desk.bob))
        desk.process(desk.event("unassigned", 3, desk.bob), desk.event(kind, 10))
        assert desk.spans(desk.ann) == [(1, 10, "stopped", 9)]
        assert desk.spans(desk.bob) == [(2, 10, "stopped", 1)]
        assert desk.only(desk.ann).stopped_by == kind

    def test_reopening_starts_a_new_timer_for_each_assignee(self, desk: Desk) -> None:
        desk.process(desk.event("assigned", 1, desk.ann), desk.event("closed", 2))
        desk.process(desk.event("reopened", 5, desk.ann, desk.bob))
        assert desk.spans(desk.ann) == [(1, 2, "stopped", 1), (5, None, "running", 55)]
        assert desk.spans(desk.bob) == [(5, None, "running", 55)]

    def test_another_issue_is_not_touched(self, desk: Desk) -> None:
        other = new_issue()
        desk.process(desk.event("assigned", 1, desk.ann), desk.event("assigned", 1, desk.ann, issue=other))
        desk.process(desk.event("closed", 2))
        (timer,) = desk.timers(desk.ann, other)
        assert timer.status == "running"

    def test_the_case_of_a_repositorys_name_does_not_matter(self, desk: Desk) -> None:
        desk.process(desk.event("assigned", 1, desk.ann))
        shouted = replace(desk.event("closed", 2), repo=desk.issue.full_name.upper())
        desk.process(shouted)
        assert desk.spans(desk.ann) == [(1, 2, "stopped", 1)]

    def test_pausing_what_is_not_there_does_nothing(self, desk: Desk) -> None:
        assert desk.process(desk.event("unassigned", 1, desk.ann), desk.event("closed", 2)) == []
        assert desk.timers(desk.ann) == []


class TestWho:
    def test_nobody_is_timed_without_having_registered(
        self, desk: Desk, new_person: Callable[[], Person]
    ) -> None:
        stranger = new_person().user_id
        assert desk.process(desk.event("assigned", 1, stranger)) == []
        assert desk.timers(stranger) == []

    def test_who_registers_later_is_timed_from_then_on_only(
        self, desk: Desk, new_person: Callable[[], Person]
    ) -> None:
        stranger = new_person()
        desk.process(desk.event("assigned", 1, stranger.user_id))
        PeopleStore(desk.table).register(stranger.user_id, stranger.login, now_ms=0)
        desk.process(
            desk.event("unassigned", 2, stranger.user_id), desk.event("assigned", 3, stranger.user_id)
        )
        assert desk.spans(stranger.user_id) == [(3, None, "running", 57)]

    def test_the_registered_among_the_assignees_are_timed(
        self, desk: Desk, new_person: Callable[[], Person]
    ) -> None:
        stranger = new_person().user_id
        desk.process(desk.event("reopened", 1, stranger, desk.ann))
        assert (len(desk.timers(desk.ann)), desk.timers(stranger)) == (1, [])

    def test_a_deployment_may_track_everybody(
        self, shared_table: Table, new_person: Callable[[], Person]
    ) -> None:
        with another_desk(shared_table, new_person, TRACK_UNREGISTERED="true") as desk:
            stranger = new_person().user_id
            desk.process(desk.event("assigned", 1, stranger))
            assert desk.spans(stranger) == [(1, None, "running", 59)]


class TestFailures:
    def test_only_the_group_that_failed_is_delivered_again(self, desk: Desk) -> None:
        assigned, closed = desk.event("assigned", 1, desk.ann), desk.event("closed", 2)
        assert desk.process(assigned, "no event", closed, "{}") == ["1", "3"]
        assert desk.spans(desk.ann) == [(1, 2, "stopped", 1)]

    def test_a_batch_that_fails_as_a_whole_is_reported_and_not_raised(self, desk: Desk) -> None:
        assert desk.process("no event", "[]") == ["0", "1"]

    def test_what_comes_after_a_failure_in_its_group_does_not_wait(self, desk: Desk) -> None:
        broken = replace(desk.event("assigned", 1, desk.ann), kind="invented")
        later = desk.event("assigned", 2, desk.ann)
        assert desk.process(broken, later) == ["0"]
        assert desk.spans(desk.ann) == [(2, None, "running", 58)]

    def test_a_batch_after_a_failed_one_is_processed(self, desk: Desk) -> None:
        desk.process("no event")
        assert desk.process(desk.event("assigned", 1, desk.ann)) == []

    def test_it_waits_twice_as_long_each_time_up_to_two_minutes(self, desk: Desk) -> None:
        seconds = desk.module._sqs().seconds
        seconds.clear()
        for receives in (1, 2, 3, 9):
            desk.process("no event", receives=receives)
        for wait, longest in zip(seconds, (30, 60, 120, 120), strict=True):
            assert longest // 2 <= wait <= longest

    def test_the_health_counts_both(self, table: Table, new_person: Callable[[], Person]) -> None:
        with another_desk(table, new_person) as desk:
            desk.process(
                desk.event("assigned", 1, desk.ann),
                desk.event("closed", 2),
                desk.event("reopened", 3, desk.ann),
                "a failure that is tried again",
            )
            desk.process("a failure for good", receives=10)
        health = HealthStore(table).read(now_ms=now_ms(), stale_after_ms=24 * 60 * MINUTE)
        assert (health.webhook_success_rate, health.open_timers) == (0.75, 1)

    def test_a_repository_that_cannot_be_is_left_out(self, desk: Desk) -> None:
        assert desk.process(replace(desk.event("assigned", 1, desk.ann), repo="no repository")) == []
        assert desk.timers(desk.ann) == []


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, int, frozenset[str]]]:
    """What can happen to an issue, in order of time: kind, minute and the people concerned."""
    happened, minute = [], 0
    for kind in draw(
        st.lists(
            st.sampled_from(["assigned", "unassigned", "closed", "reopened", "deleted"]),
            min_size=2,
            max_size=6,
        )
    ):
        minute += draw(st.integers(1, 5))
        people: frozenset[str] = frozenset()
        if kind in ("assigned", "unassigned"):
            people = frozenset({draw(st.sampled_from(["ann", "bob"]))})
        elif kind == "reopened":
            people = draw(st.frozensets(st.sampled_from(["ann", "bob"]), min_size=1))
        happened.append((kind, minute, people))
    return happened


# The table and the handler serve all examples, each of which has an issue of its own.
_ON_A_TABLE = settings(
    max_examples=examples(0.15), suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class TestOrder:
    def both_ways(
        self, desk: Desk, history: list[tuple[str, int, frozenset[str]]]
    ) -> tuple[Desk, list[IssueEvent], Desk, list[IssueEvent]]:
        """Return two desks with one history on an issue each."""
        desks = [replace(desk, issue=new_issue()) for _ in range(2)]
        events = []
        for each in desks:
            ids = {"ann": each.ann, "bob": each.bob}
            events.append(
                [
                    each.event(kind, minute, *sorted(ids[name] for name in people))
                    for kind, minute, people in history
                ]
            )
        return desks[0], events[0], desks[1], events[1]

    @_ON_A_TABLE
    @given(history=histories(), data=st.data())
    def test_shuffled_and_repeated_deliveries_end_like_the_right_order_once(
        self, desk: Desk, history: list[tuple[str, int, frozenset[str]]], data: st.DataObject
    ) -> None:
        right, in_order, shuffled, events = self.both_ways(desk, history)
        assert right.process(*in_order) == []
        repeats = data.draw(st.lists(st.sampled_from(events), max_size=4))
        for event in data.draw(st.permutations(events + repeats)):
            assert shuffled.process(event) == []
        for user_id in (desk.ann, desk.bob):
            assert shuffled.spans(user_id) == right.spans(user_id)

    @_ON_A_TABLE
    @given(history=histories(), data=st.data())
    def test_delivering_everything_again_changes_nothing(
        self, desk: Desk, history: list[tuple[str, int, frozenset[str]]], data: st.DataObject
    ) -> None:
        desk, events, _, _ = self.both_ways(desk, history)
        desk.process(*events)
        before = desk.timers(desk.ann), desk.timers(desk.bob)
        desk.process(*data.draw(st.permutations(events)))
        assert (desk.timers(desk.ann), desk.timers(desk.bob)) == before

    @_ON_A_TABLE
    @given(history=histories(), data=st.data())
    def test_an_issue_has_one_open_timer_of_a_person_at_most(
        self, desk: Desk, history: list[tuple[str, int, frozenset[str]]], data: st.DataObject
    ) -> None:
        desk, events, _, _ = self.both_ways(desk, history)
        for event in data.draw(st.permutations(events)):
            desk.process(event)
            for user_id in (desk.ann, desk.bob):
                open_timers = [timer.ulid for timer in desk.timers(user_id) if timer.is_open]
                assert len(open_timers) <= 1
                slot = desk.table.get(f"issue#{desk.issue.key}", f"user#{user_id}") or {}
                assert slot.get("open_ulid") == ({"S": open_timers[0]} if open_timers else None)


class TestByHand:
    def test_a_pause_by_hand_outlasts_being_assigned_again(self, desk: Desk) -> None:
        desk.process(desk.event("assigned", 1, desk.ann))
        ulid = desk.only(desk.ann).ulid
        desk.store.pause(desk.ann, ulid, now_ms=T0 + 10 * MINUTE, by="manual", cause="a")
        desk.process(desk.event("unassigned", 20, desk.ann), desk.event("assigned", 30, desk.ann))
        assert desk.spans(desk.ann) == [(1, None, "paused", 9)]

    def test_a_late_close_stops_before_what_was_done_by_hand_since(self, desk: Desk) -> None:
        desk.process(desk.event("assigned", 1, desk.ann))
        ulid = desk.only(desk.ann).ulid
        desk.store.pause(desk.ann, ulid, now_ms=T0 + 20 * MINUTE, by="manual", cause="a")
        desk.process(desk.event("closed", 10))
        assert desk.spans(desk.ann) == [(1, 10, "stopped", 9)]
        assert desk.only(desk.ann).ulid == ulid

    def test_a_timer_started_by_hand_is_stopped_by_a_close(self, desk: Desk) -> None:
        timer, _ = desk.store.start(user_id=desk.ann, now_ms=T0 + MINUTE, issue=desk.issue)
        desk.process(desk.event("closed", 10))
        assert desk.spans(desk.ann) == [(1, 10, "stopped", 9)]
        assert desk.only(desk.ann).ulid == timer.ulid

    def test_being_assigned_keeps_the_timer_that_is_open(self, desk: Desk) -> None:
        timer, _ = desk.store.start(
            user_id=desk.ann, now_ms=T0 + MINUTE, issue=desk.issue, description="mine"
        )
        desk.process(desk.event("assigned", 10, desk.ann))
        assert (desk.only(desk.ann).ulid, desk.only(desk.ann).description) == (timer.ulid, "mine")
        assert desk.spans(desk.ann) == [(1, None, "running", 59)]

    def test_what_was_stopped_by_hand_starts_with_the_next_assignment(self, desk: Desk) -> None:
        desk.process(desk.event("assigned", 1, desk.ann))
        desk.store.stop(desk.ann, desk.only(desk.ann).ulid, now_ms=T0 + 5 * MINUTE, by="manual", cause="a")
        desk.process(desk.event("unassigned", 6, desk.ann), desk.event("assigned", 7, desk.ann))
        assert desk.spans(desk.ann) == [(1, 5, "stopped", 4), (7, None, "running", 53)]


class TestSettled:
    """What people corrected by hand, no older event changes."""

    def settle(self, desk: Desk) -> Sequence[IssueEvent]:
        """Deliver a history and return it with an event that is late."""
        events = [desk.event("assigned", 1, desk.ann), desk.event("closed", 10)]
        desk.process(*events)
        return [*events, desk.event("unassigned", 5, desk.ann)]

    def test_a_deleted_timer_does_not_come_back(self, desk: Desk) -> None:
        events = self.settle(desk)
        desk.store.delete(desk.ann, desk.only(desk.ann).ulid, now_ms=now_ms())
        assert desk.process(*events) == []
        assert desk.timers(desk.ann) == []

    def test_a_deleted_open_timer_does_not_come_back(self, desk: Desk) -> None:
        assigned = desk.event("assigned", 1, desk.ann)
        desk.process(assigned)
        desk.store.delete(desk.ann, desk.only(desk.ann).ulid, now_ms=now_ms())
        desk.process(assigned, desk.event("reopened", 5, desk.ann))
        assert desk.timers(desk.ann) == []

    def test_a_corrected_time_stays(self, desk: Desk) -> None:
        events = self.settle(desk)
        ulid = desk.only(desk.ann).ulid
        desk.store.patch(desk.ann, ulid, Patch(end_ms=T0 + 8 * MINUTE), now_ms=now_ms())
        before = desk.timers(desk.ann)
        assert desk.process(*events) == []
        assert desk.timers(desk.ann) == before

    def test_a_timer_moved_to_another_issue_leaves_none_behind(self, desk: Desk) -> None:
        assigned, other = desk.event("assigned", 1, desk.ann), new_issue()
        desk.process(assigned)
        desk.store.patch(desk.ann, desk.only(desk.ann).ulid, Patch(issue=(other,)), now_ms=now_ms())
        desk.process(assigned, desk.event("closed", 5))
        assert desk.timers(desk.ann) == []
        (moved,) = desk.timers(desk.ann, other)
        assert moved.status == "running"

    def test_a_description_settles_nothing(self, desk: Desk) -> None:
        desk.process(desk.event("assigned", 1, desk.ann))
        desk.store.patch(desk.ann, desk.only(desk.ann).ulid, Patch(description="x"), now_ms=now_ms())
        desk.process(desk.event("closed", 5))
        assert desk.spans(desk.ann) == [(1, 5, "stopped", 4)]
        assert desk.only(desk.ann).description == "x"

    def test_what_the_sweeper_ended_stays_ended(self, desk: Desk) -> None:
        events = [desk.event("assigned", 1, desk.ann), desk.event("unassigned", 20, desk.ann)]
        desk.process(events[0])
        ulid = desk.only(desk.ann).ulid
        desk.store.expire(desk.ann, ulid, limit_ms=9 * MINUTE, now_ms=now_ms(), by="sweeper")
        desk.process(*events, desk.event("reopened", 30, desk.ann))
        assert desk.spans(desk.ann) == [(1, 10, "stopped", 9)]

    def test_what_happens_after_a_correction_counts_again(self, desk: Desk) -> None:
        self.settle(desk)
        ulid = desk.only(desk.ann).ulid
        desk.store.patch(desk.ann, ulid, Patch(end_ms=T0 + 8 * MINUTE), now_ms=T0 + 15 * MINUTE)
        desk.process(desk.event("reopened", 20, desk.ann))
        assert desk.spans(desk.ann) == [(1, 8, "stopped", 7), (20, None, "running", 40)]


class TestExclusive:
    def test_being_assigned_one_issue_pauses_the_other(
        self, shared_table: Table, new_person: Callable[[], Person]
    ) -> None:
        with another_desk(shared_table, new_person, CONCURRENT_TIMERS="exclusive") as desk:
            other = new_issue()
            desk.process(
                desk.event("assigned", 1, desk.ann), desk.event("assigned", 5, desk.ann, issue=other)
            )
            assert desk.spans(desk.ann) == [(1, None, "paused", 4)]
            (running,) = desk.timers(desk.ann, other)
            assert running.status == "running"

    def test_another_persons_timer_runs_on(
        self, shared_table: Table, new_person: Callable[[], Person]
    ) -> None:
        with another_desk(shared_table, new_person, CONCURRENT_TIMERS="exclusive") as desk:
            desk.process(
                desk.event("assigned", 1, desk.ann), desk.event("assigned", 5, desk.bob, issue=new_issue())
            )
            assert desk.spans(desk.ann) == [(1, None, "running", 59)]


def test_what_nobody_is_timed_for_is_logged_with_its_delivery(
    desk: Desk, caplog: pytest.LogCaptureFixture, new_person: Callable[[], Person]
) -> None:
    with caplog.at_level("INFO"):
        desk.process(desk.event("assigned", 1, new_person().user_id))
    (logged,) = [record for record in caplog.records if record.getMessage() == "Delivery processed"]
    assert (vars(logged)["outcome"], vars(logged)["reason"]) == ("ignored", "user_not_registered")


def test_who_was_registered_afterwards_only_is_told_from_who_never_was(
    desk: Desk, caplog: pytest.LogCaptureFixture, new_person: Callable[[], Person]
) -> None:
    late = new_person()
    PeopleStore(desk.table).register(late.user_id, late.login, now_ms=T0 + 10 * MINUTE)
    with caplog.at_level("INFO"):
        desk.process(desk.event("assigned", 9, late.user_id))
    assert desk.timers(late.user_id) == []
    (logged,) = [record for record in caplog.records if record.getMessage() == "Delivery processed"]
    assert (vars(logged)["outcome"], vars(logged)["reason"]) == ("ignored", "before_registration")


class TestLog:
    def log(self, desk: Desk, minutes: int) -> IssueEvent:
        return replace(desk.event("comment.log", 50, desk.ann), duration_ms=minutes * MINUTE)

    def test_logged_time_ends_with_the_comment(self, desk: Desk) -> None:
        assert desk.process(self.log(desk, 90)) == []
        assert desk.spans(desk.ann) == [(-40, 50, "stopped", 90)]

    def test_it_is_logged_once_however_often_it_is_delivered(self, desk: Desk) -> None:
        event = self.log(desk, 10)
        assert desk.process(event) == []
        assert desk.process(event) == []
        assert len(desk.timers(desk.ann)) == 1

    def test_it_runs_beside_the_timer_that_is_open(self, desk: Desk) -> None:
        assert desk.process(desk.event("assigned", 0, desk.ann), self.log(desk, 10)) == []
        assert [status for _, _, status, _ in desk.spans(desk.ann)] == ["running", "stopped"]

    def test_what_its_author_deleted_does_not_come_back(self, desk: Desk) -> None:
        event = self.log(desk, 10)
        desk.process(event)
        desk.store.delete(desk.ann, desk.only(desk.ann).ulid, now_ms=now_ms())
        assert desk.process(event) == []
        assert desk.timers(desk.ann) == []
