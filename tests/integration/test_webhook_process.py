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
from tests.support.repositories import identified
from timer_core.clock import now_ms
from timer_core.domain.issues import Issue
from timer_core.domain.timers import Timer
from timer_core.github.messages import IssueEvent, to_json
from timer_core.store.health import HealthStore
from timer_core.store.people import PeopleStore, Person
from timer_core.store.queries import Filters
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from timer_core.store.writes import Patch

MINUTE = 60_000
# The first events occurred an hour ago, so that manual transitions can come between or after the events.
T0 = now_ms() // 1000 * 1000 - 60 * MINUTE
_numbers = count(1)


@dataclass
class Processor:
    """The handler, a new issue and two registered people."""

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
            repo_id=issue.repo_id,
            repo=issue.full_name,
            number=issue.number,
            at_ms=T0 + round(minute * MINUTE),
            users=users or None,
        )

    def process(self, *events: IssueEvent | str, receives: int = 1) -> list[str]:
        """Process a batch, with a group for each issue, and return the failed messages."""
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
        page = self.store.page(
            user_id, Filters(repo_keys=frozenset({issue.repo_key}), number=issue.number), page_size=100
        )
        return list(page.timers)[::-1]

    def only(self, user_id: int) -> Timer:
        (timer,) = self.timers(user_id)
        return timer

    def spans(self, user_id: int) -> list[tuple[float, float | None, str, float]]:
        """Return each timer's start, end, state and active time, in minutes.

        The active time of a running timer is counted up to an hour after ``T0``.
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
    return identified(Issue("octocat", "Hello-World", next(_numbers)))


class Waits:
    """A queue that records how long (seconds) each failed message must wait."""

    def __init__(self) -> None:
        self.seconds: list[int] = []

    def change_message_visibility(self, **request: Any) -> None:
        self.seconds.append(request["VisibilityTimeout"])


@contextmanager
def loaded_process(table: Table, **variables: str) -> Iterator[ModuleType]:
    """Load the handler with a queue that only records waits."""
    with loaded("webhook.process", table.name, DELIVERY_QUEUE_URL="unused", **variables) as module:
        waits = Waits()
        module._sqs = lambda: waits  # type: ignore[attr-defined]
        yield module


@pytest.fixture(scope="module")
def process(shared_table: Table) -> Iterator[ModuleType]:
    with loaded_process(shared_table) as module:
        yield module


@pytest.fixture
def processor(process: ModuleType, shared_table: Table, new_person: Callable[[], Person]) -> Processor:
    return new_processor(process, shared_table, new_person)


def new_processor(module: ModuleType, table: Table, new_person: Callable[[], Person]) -> Processor:
    people = [new_person(), new_person()]
    for person in people:
        PeopleStore(table).register(person.user_id, person.login, now_ms=0)
    return Processor(module, table, new_issue(), *(person.user_id for person in people))


@contextmanager
def another_processor(
    table: Table, new_person: Callable[[], Person], **variables: str
) -> Iterator[Processor]:
    """Load the handler with other deployment parameters."""
    with loaded_process(table, **variables) as module:
        yield new_processor(module, table, new_person)


class TestActions:
    def test_assigning_starts_the_assignees_timer_at_the_events_time(self, processor: Processor) -> None:
        assert processor.process(processor.event("assigned", 1, processor.ann)) == []
        assert processor.spans(processor.ann) == [(1, None, "running", 59)]
        assert processor.timers(processor.bob) == []
        timer = processor.only(processor.ann)
        assert (timer.source, timer.organization, timer.issue) == ("assigned", "octocat", processor.issue)

    def test_unassigning_pauses_only_the_unassigned_users_timer(self, processor: Processor) -> None:
        processor.process(
            processor.event("assigned", 1, processor.ann), processor.event("assigned", 2, processor.bob)
        )
        processor.process(processor.event("unassigned", 5, processor.ann))
        assert processor.spans(processor.ann) == [(1, None, "paused", 4)]
        assert processor.spans(processor.bob) == [(2, None, "running", 58)]

    def test_assigning_again_resumes(self, processor: Processor) -> None:
        processor.process(
            processor.event("assigned", 1, processor.ann),
            processor.event("unassigned", 5, processor.ann),
            processor.event("assigned", 15, processor.ann),
        )
        assert processor.spans(processor.ann) == [(1, None, "running", 49)]
        assert processor.only(processor.ann).paused_ms == 10 * MINUTE

    @pytest.mark.parametrize("kind", ["closed", "deleted"])
    def test_closing_or_deleting_stops_everybodys_timer(self, processor: Processor, kind: str) -> None:
        processor.process(
            processor.event("assigned", 1, processor.ann), processor.event("assigned", 2, processor.bob)
        )
        processor.process(processor.event("unassigned", 3, processor.bob), processor.event(kind, 10))
        assert processor.spans(processor.ann) == [(1, 10, "stopped", 9)]
        assert processor.spans(processor.bob) == [(2, 10, "stopped", 1)]
        assert processor.only(processor.ann).stopped_by == kind

    def test_reopening_starts_a_new_timer_for_each_assignee(self, processor: Processor) -> None:
        processor.process(processor.event("assigned", 1, processor.ann), processor.event("closed", 2))
        processor.process(processor.event("reopened", 5, processor.ann, processor.bob))
        assert processor.spans(processor.ann) == [(1, 2, "stopped", 1), (5, None, "running", 55)]
        assert processor.spans(processor.bob) == [(5, None, "running", 55)]

    def test_another_issue_is_not_touched(self, processor: Processor) -> None:
        other = new_issue()
        processor.process(
            processor.event("assigned", 1, processor.ann),
            processor.event("assigned", 1, processor.ann, issue=other),
        )
        processor.process(processor.event("closed", 2))
        (timer,) = processor.timers(processor.ann, other)
        assert timer.status == "running"

    def test_the_case_of_a_repositorys_name_does_not_matter(self, processor: Processor) -> None:
        processor.process(processor.event("assigned", 1, processor.ann))
        shouted = replace(processor.event("closed", 2), repo=processor.issue.full_name.upper())
        processor.process(shouted)
        assert processor.spans(processor.ann) == [(1, 2, "stopped", 1)]

    def test_unassigning_without_a_timer_changes_nothing(self, processor: Processor) -> None:
        assert (
            processor.process(processor.event("unassigned", 1, processor.ann), processor.event("closed", 2))
            == []
        )
        assert processor.timers(processor.ann) == []


class TestRegistration:
    def test_unregistered_users_are_not_tracked(
        self, processor: Processor, new_person: Callable[[], Person]
    ) -> None:
        stranger = new_person().user_id
        assert processor.process(processor.event("assigned", 1, stranger)) == []
        assert processor.timers(stranger) == []

    def test_a_user_is_tracked_from_registration_on(
        self, processor: Processor, new_person: Callable[[], Person]
    ) -> None:
        stranger = new_person()
        processor.process(processor.event("assigned", 1, stranger.user_id))
        PeopleStore(processor.table).register(stranger.user_id, stranger.login, now_ms=0)
        processor.process(
            processor.event("unassigned", 2, stranger.user_id),
            processor.event("assigned", 3, stranger.user_id),
        )
        assert processor.spans(stranger.user_id) == [(3, None, "running", 57)]

    def test_only_the_registered_assignees_are_tracked(
        self, processor: Processor, new_person: Callable[[], Person]
    ) -> None:
        stranger = new_person().user_id
        processor.process(processor.event("reopened", 1, stranger, processor.ann))
        assert (len(processor.timers(processor.ann)), processor.timers(stranger)) == (1, [])

    def test_a_deployment_may_track_unregistered_users(
        self, shared_table: Table, new_person: Callable[[], Person]
    ) -> None:
        with another_processor(shared_table, new_person, TRACK_UNREGISTERED="true") as processor:
            stranger = new_person().user_id
            processor.process(processor.event("assigned", 1, stranger))
            assert processor.spans(stranger) == [(1, None, "running", 59)]


class TestFailures:
    def test_only_the_group_that_failed_is_delivered_again(self, processor: Processor) -> None:
        assigned, closed = processor.event("assigned", 1, processor.ann), processor.event("closed", 2)
        assert processor.process(assigned, "no event", closed, "{}") == ["1", "3"]
        assert processor.spans(processor.ann) == [(1, 2, "stopped", 1)]

    def test_a_batch_that_fails_as_a_whole_is_reported_and_not_raised(self, processor: Processor) -> None:
        assert processor.process("no event", "[]") == ["0", "1"]

    def test_messages_after_a_failed_one_of_their_group_do_not_wait(self, processor: Processor) -> None:
        broken = replace(processor.event("assigned", 1, processor.ann), kind="invented")
        later = processor.event("assigned", 2, processor.ann)
        assert processor.process(broken, later) == ["0"]
        assert processor.spans(processor.ann) == [(2, None, "running", 58)]

    def test_a_batch_after_a_failed_one_is_processed(self, processor: Processor) -> None:
        processor.process("no event")
        assert processor.process(processor.event("assigned", 1, processor.ann)) == []

    def test_the_wait_doubles_each_time_up_to_two_minutes(self, processor: Processor) -> None:
        seconds = processor.module._sqs().seconds
        seconds.clear()
        for receives in (1, 2, 3, 9):
            processor.process("no event", receives=receives)
        for wait, longest in zip(seconds, (30, 60, 120, 120), strict=True):
            assert longest // 2 <= wait <= longest

    def test_health_counts_processed_and_failed_deliveries(
        self, table: Table, new_person: Callable[[], Person]
    ) -> None:
        with another_processor(table, new_person) as processor:
            processor.process(
                processor.event("assigned", 1, processor.ann),
                processor.event("closed", 2),
                processor.event("reopened", 3, processor.ann),
                "a failure that is tried again",
            )
            processor.process("a failure for good", receives=10)
        health = HealthStore(table).read(now_ms=now_ms())
        assert (health.webhook_success_rate, health.open_timers) == (0.75, 1)

    def test_an_invalid_repository_name_is_ignored(self, processor: Processor) -> None:
        assert (
            processor.process(replace(processor.event("assigned", 1, processor.ann), repo="no repository"))
            == []
        )
        assert processor.timers(processor.ann) == []


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, int, frozenset[str]]]:
    """Draw the events of an issue in chronological order: kind, minute and affected users."""
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


# All examples share the table and the handler; each has its own issues.
_ON_A_TABLE = settings(
    max_examples=examples(0.15), suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class TestOrder:
    def both_ways(
        self, processor: Processor, history: list[tuple[str, int, frozenset[str]]]
    ) -> tuple[Processor, list[IssueEvent], Processor, list[IssueEvent]]:
        """Return two processors for two issues with the same history, each with the events of its issue."""
        processors = [replace(processor, issue=new_issue()) for _ in range(2)]
        events = []
        for each in processors:
            ids = {"ann": each.ann, "bob": each.bob}
            events.append(
                [
                    each.event(kind, minute, *sorted(ids[name] for name in people))
                    for kind, minute, people in history
                ]
            )
        return processors[0], events[0], processors[1], events[1]

    @_ON_A_TABLE
    @given(history=histories(), data=st.data())
    def test_shuffled_and_repeated_deliveries_give_the_same_timers(
        self, processor: Processor, history: list[tuple[str, int, frozenset[str]]], data: st.DataObject
    ) -> None:
        right, in_order, shuffled, events = self.both_ways(processor, history)
        assert right.process(*in_order) == []
        repeats = data.draw(st.lists(st.sampled_from(events), max_size=4))
        for event in data.draw(st.permutations(events + repeats)):
            assert shuffled.process(event) == []
        for user_id in (processor.ann, processor.bob):
            assert shuffled.spans(user_id) == right.spans(user_id)

    @_ON_A_TABLE
    @given(history=histories(), data=st.data())
    def test_redelivering_everything_changes_nothing(
        self, processor: Processor, history: list[tuple[str, int, frozenset[str]]], data: st.DataObject
    ) -> None:
        processor, events, _, _ = self.both_ways(processor, history)
        processor.process(*events)
        before = processor.timers(processor.ann), processor.timers(processor.bob)
        processor.process(*data.draw(st.permutations(events)))
        assert (processor.timers(processor.ann), processor.timers(processor.bob)) == before

    @_ON_A_TABLE
    @given(history=histories(), data=st.data())
    def test_a_user_has_at_most_one_open_timer_on_an_issue(
        self, processor: Processor, history: list[tuple[str, int, frozenset[str]]], data: st.DataObject
    ) -> None:
        processor, events, _, _ = self.both_ways(processor, history)
        for event in data.draw(st.permutations(events)):
            processor.process(event)
            for user_id in (processor.ann, processor.bob):
                open_timers = [timer.ulid for timer in processor.timers(user_id) if timer.is_open]
                assert len(open_timers) <= 1
                slot = processor.table.get(f"issue#{processor.issue.key}", f"user#{user_id}") or {}
                assert slot.get("open_ulid") == ({"S": open_timers[0]} if open_timers else None)


class TestManualTransitions:
    def test_a_manual_pause_survives_another_assignment(self, processor: Processor) -> None:
        processor.process(processor.event("assigned", 1, processor.ann))
        ulid = processor.only(processor.ann).ulid
        processor.store.pause(processor.ann, ulid, now_ms=T0 + 10 * MINUTE, by="manual", cause="a")
        processor.process(
            processor.event("unassigned", 20, processor.ann), processor.event("assigned", 30, processor.ann)
        )
        assert processor.spans(processor.ann) == [(1, None, "paused", 9)]

    def test_a_late_close_stops_before_later_manual_transitions(self, processor: Processor) -> None:
        processor.process(processor.event("assigned", 1, processor.ann))
        ulid = processor.only(processor.ann).ulid
        processor.store.pause(processor.ann, ulid, now_ms=T0 + 20 * MINUTE, by="manual", cause="a")
        processor.process(processor.event("closed", 10))
        assert processor.spans(processor.ann) == [(1, 10, "stopped", 9)]
        assert processor.only(processor.ann).ulid == ulid

    def test_a_close_stops_a_manually_started_timer(self, processor: Processor) -> None:
        timer, _ = processor.store.start(user_id=processor.ann, now_ms=T0 + MINUTE, issue=processor.issue)
        processor.process(processor.event("closed", 10))
        assert processor.spans(processor.ann) == [(1, 10, "stopped", 9)]
        assert processor.only(processor.ann).ulid == timer.ulid

    def test_an_assignment_keeps_the_open_timer(self, processor: Processor) -> None:
        timer, _ = processor.store.start(
            user_id=processor.ann, now_ms=T0 + MINUTE, issue=processor.issue, description="mine"
        )
        processor.process(processor.event("assigned", 10, processor.ann))
        assert (processor.only(processor.ann).ulid, processor.only(processor.ann).description) == (
            timer.ulid,
            "mine",
        )
        assert processor.spans(processor.ann) == [(1, None, "running", 59)]

    def test_the_next_assignment_starts_a_timer_after_a_manual_stop(self, processor: Processor) -> None:
        processor.process(processor.event("assigned", 1, processor.ann))
        processor.store.stop(
            processor.ann, processor.only(processor.ann).ulid, now_ms=T0 + 5 * MINUTE, by="manual", cause="a"
        )
        processor.process(
            processor.event("unassigned", 6, processor.ann), processor.event("assigned", 7, processor.ann)
        )
        assert processor.spans(processor.ann) == [(1, 5, "stopped", 4), (7, None, "running", 53)]


class TestLocked:
    """Events up to the time of a manual correction do not change a timer."""

    def deliver_history(self, processor: Processor) -> Sequence[IssueEvent]:
        """Deliver the events of a stopped timer; return them and an earlier, undelivered event."""
        events = [processor.event("assigned", 1, processor.ann), processor.event("closed", 10)]
        processor.process(*events)
        return [*events, processor.event("unassigned", 5, processor.ann)]

    def test_a_deleted_timer_is_not_created_again(self, processor: Processor) -> None:
        events = self.deliver_history(processor)
        processor.store.delete(processor.ann, processor.only(processor.ann).ulid, now_ms=now_ms())
        assert processor.process(*events) == []
        assert processor.timers(processor.ann) == []

    def test_a_deleted_open_timer_is_not_created_again(self, processor: Processor) -> None:
        assigned = processor.event("assigned", 1, processor.ann)
        processor.process(assigned)
        processor.store.delete(processor.ann, processor.only(processor.ann).ulid, now_ms=now_ms())
        processor.process(assigned, processor.event("reopened", 5, processor.ann))
        assert processor.timers(processor.ann) == []

    def test_a_corrected_timer_is_not_rederived(self, processor: Processor) -> None:
        events = self.deliver_history(processor)
        ulid = processor.only(processor.ann).ulid
        processor.store.patch(processor.ann, ulid, Patch(end_ms=T0 + 8 * MINUTE), now_ms=now_ms())
        before = processor.timers(processor.ann)
        assert processor.process(*events) == []
        assert processor.timers(processor.ann) == before

    def test_a_timer_moved_to_another_issue_is_not_created_again_on_the_old_one(
        self, processor: Processor
    ) -> None:
        assigned, other = processor.event("assigned", 1, processor.ann), new_issue()
        processor.process(assigned)
        processor.store.patch(
            processor.ann, processor.only(processor.ann).ulid, Patch(issue=(other,)), now_ms=now_ms()
        )
        processor.process(assigned, processor.event("closed", 5))
        assert processor.timers(processor.ann) == []
        (moved,) = processor.timers(processor.ann, other)
        assert moved.status == "running"

    def test_a_description_does_not_lock_a_timer(self, processor: Processor) -> None:
        processor.process(processor.event("assigned", 1, processor.ann))
        processor.store.patch(
            processor.ann, processor.only(processor.ann).ulid, Patch(description="x"), now_ms=now_ms()
        )
        processor.process(processor.event("closed", 5))
        assert processor.spans(processor.ann) == [(1, 5, "stopped", 4)]
        assert processor.only(processor.ann).description == "x"

    def test_the_stop_by_the_sweeper_locks_no_late_events(self, processor: Processor) -> None:
        events = [
            processor.event("assigned", 1, processor.ann),
            processor.event("unassigned", 5, processor.ann),
        ]
        processor.process(events[0])
        timer = processor.only(processor.ann)
        processor.store.expire(
            processor.ann,
            timer.ulid,
            end_ms=timer.start_ms + 9 * MINUTE,
            sign_ms=timer.start_ms,
            now_ms=now_ms(),
        )
        assert processor.spans(processor.ann) == [(1, 10, "stopped", 9)]
        processor.process(*events)
        assert processor.spans(processor.ann) == [(1, None, "paused", 4)]

    def test_a_late_comment_before_the_sweepers_stop_opens_the_timer_again(
        self, processor: Processor
    ) -> None:
        processor.process(processor.event("assigned", 1, processor.ann))
        timer = processor.only(processor.ann)
        end_ms = timer.start_ms + 9 * MINUTE
        processor.store.expire(
            processor.ann, timer.ulid, end_ms=end_ms, sign_ms=timer.start_ms, now_ms=now_ms()
        )
        processor.process(processor.event("commented", 5, processor.ann))
        again = processor.only(processor.ann)
        assert (again.ulid, again.status, again.signs) == (timer.ulid, "running", (T0 + 5 * MINUTE,))
        # It has its slot again, so another event continues it.
        processor.process(processor.event("closed", 30))
        assert processor.spans(processor.ann) == [(1, 30, "stopped", 29)]

    def test_events_after_a_correction_start_a_new_timer(self, processor: Processor) -> None:
        self.deliver_history(processor)
        ulid = processor.only(processor.ann).ulid
        processor.store.patch(processor.ann, ulid, Patch(end_ms=T0 + 8 * MINUTE), now_ms=T0 + 15 * MINUTE)
        processor.process(processor.event("reopened", 20, processor.ann))
        assert processor.spans(processor.ann) == [(1, 8, "stopped", 7), (20, None, "running", 40)]


def test_an_ignored_event_is_logged_with_its_delivery(
    processor: Processor, caplog: pytest.LogCaptureFixture, new_person: Callable[[], Person]
) -> None:
    with caplog.at_level("INFO"):
        processor.process(processor.event("assigned", 1, new_person().user_id))
    (logged,) = [record for record in caplog.records if record.getMessage() == "Delivery processed"]
    assert (vars(logged)["outcome"], vars(logged)["reason"]) == ("ignored", "user_not_registered")


def test_the_log_distinguishes_late_from_missing_registration(
    processor: Processor, caplog: pytest.LogCaptureFixture, new_person: Callable[[], Person]
) -> None:
    late = new_person()
    PeopleStore(processor.table).register(late.user_id, late.login, now_ms=T0 + 10 * MINUTE)
    with caplog.at_level("INFO"):
        processor.process(processor.event("assigned", 9, late.user_id))
    assert processor.timers(late.user_id) == []
    (logged,) = [record for record in caplog.records if record.getMessage() == "Delivery processed"]
    assert (vars(logged)["outcome"], vars(logged)["reason"]) == ("ignored", "before_registration")


class TestLoggedTime:
    def log(self, processor: Processor, minutes: int) -> IssueEvent:
        return replace(processor.event("comment.log", 50, processor.ann), duration_ms=minutes * MINUTE)

    def test_logged_time_ends_with_the_comment(self, processor: Processor) -> None:
        assert processor.process(self.log(processor, 90)) == []
        assert processor.spans(processor.ann) == [(-40, 50, "stopped", 90)]

    def test_time_is_logged_once_for_repeated_deliveries(self, processor: Processor) -> None:
        event = self.log(processor, 10)
        assert processor.process(event) == []
        assert processor.process(event) == []
        assert len(processor.timers(processor.ann)) == 1

    def test_logged_time_does_not_change_the_open_timer(self, processor: Processor) -> None:
        assert processor.process(processor.event("assigned", 0, processor.ann), self.log(processor, 10)) == []
        assert [status for _, _, status, _ in processor.spans(processor.ann)] == ["running", "stopped"]

    def test_deleted_logged_time_is_not_logged_again(self, processor: Processor) -> None:
        event = self.log(processor, 10)
        processor.process(event)
        processor.store.delete(processor.ann, processor.only(processor.ann).ulid, now_ms=now_ms())
        assert processor.process(event) == []
        assert processor.timers(processor.ann) == []
