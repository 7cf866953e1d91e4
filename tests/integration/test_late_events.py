"""Late events around manual transitions, on Amazon's DynamoDB Local."""

import pytest

from tests.support.repositories import identified
from timer_core.domain.errors import TooManyTransitions
from timer_core.domain.events import Event
from timer_core.domain.issues import Issue
from timer_core.domain.timers import Timer
from timer_core.services.issue_timers import IssueTimers
from timer_core.store.changes import TimerChange
from timer_core.store.queries import Filters
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from timer_core.store.writes import Idempotency, Patch

# This time is far in the future, so that no back end's TTL deletes the tests' items.
T0 = 4_000_000_000_000
MINUTE = 60_000
ANN = 21031067
ISSUE = identified(Issue("octocat", "Hello-World", 7))
OTHER = identified(Issue("octocat", "Hello-World", 8))


class AnnsTimers:
    """Ann's timers; all times are in minutes."""

    def __init__(self, table: Table) -> None:
        self.store = TimerStore(table)
        self.issue_timers = IssueTimers(table, self.store)

    def start(
        self, minute: float, issue: Issue = ISSUE, key: Idempotency | None = None
    ) -> tuple[Timer, bool]:
        return self.store.start(user_id=ANN, now_ms=at(minute), issue=issue, idempotency=key)

    def act(self, action: str, timer: Timer, minute: float, cause: str = "") -> Timer:
        acted: Timer = getattr(self.store, action)(
            ANN, timer.ulid, now_ms=at(minute), by="manual", cause=cause or f"{action} {minute}"
        )
        return acted

    def deliver(self, kind: str, minute: float, *, received: float, issue: Issue = ISSUE) -> list[Timer]:
        users = None if kind in ("closed", "deleted") else frozenset({ANN})
        return self.issue_timers.apply(
            Event(f"{kind} {minute}", kind, at(minute), users), issue, now_ms=at(received)
        )

    def spans(self, until: float = 60, issue: Issue = ISSUE) -> list[tuple[float, float | None, float]]:
        """Return the start, end and active time of each timer on an issue, in minutes."""
        filters = Filters(repo_keys=frozenset({issue.repo_key}), number=issue.number)
        page = self.store.page(ANN, filters, page_size=100)
        return sorted(
            (
                (timer.start_ms - T0) / MINUTE,
                None if timer.end_ms is None else (timer.end_ms - T0) / MINUTE,
                timer.active_ms(at(until)) / MINUTE,
            )
            for timer in page.timers
        )


def at(minute: float) -> int:
    return T0 + round(minute * MINUTE)


@pytest.fixture
def ann(table: Table) -> AnnsTimers:
    return AnnsTimers(table)


def test_a_start_that_returned_the_open_timer_counts_if_that_timer_had_ended_before(ann: AnnsTimers) -> None:
    ann.deliver("assigned", 10, received=10)
    _, created = ann.start(20)
    assert not created
    ann.deliver("closed", 15, received=25)
    assert ann.spans() == [(10, 15, 5), (20, None, 40)]


def test_of_many_starts_those_that_are_accepted_survive_a_late_close(ann: AnnsTimers) -> None:
    ann.start(0)
    for number in range(1, 150):
        ann.start(number / 10)
    with pytest.raises(TooManyTransitions):
        ann.start(15)
    ann.deliver("closed", 14.85, received=20)
    assert ann.spans() == [(0, 14.85, 14.85), (14.9, None, 45.1)]


def test_a_timer_with_many_starts_can_be_stopped(ann: AnnsTimers) -> None:
    timer, _ = ann.start(0)
    for number in range(1, 150):
        ann.start(number / 100)
    assert ann.act("stop", timer, 10).clock_ms == 10 * MINUTE


def test_events_still_change_a_timer_after_an_older_one_was_corrected(ann: AnnsTimers) -> None:
    old, _ = ann.start(0)
    ann.act("stop", old, 10)
    ann.start(20)
    ann.store.patch(ANN, old.ulid, Patch(end_ms=at(9)), now_ms=at(30))
    ann.deliver("closed", 29, received=31)
    assert ann.spans() == [(0, 9, 9), (20, 29, 9)]


def test_events_still_change_a_timer_after_an_older_one_was_deleted(ann: AnnsTimers) -> None:
    old, _ = ann.start(0)
    ann.act("stop", old, 10)
    ann.start(20)
    ann.store.delete(ANN, old.ulid, now_ms=at(30))
    ann.deliver("assigned", 5, received=31)
    ann.deliver("closed", 29, received=31)
    assert ann.spans() == [(20, 29, 9)]


def test_time_removed_by_a_correction_is_not_derived_again(ann: AnnsTimers) -> None:
    ann.deliver("assigned", 0, received=0)
    ann.deliver("assigned", 6, received=6)
    ann.deliver("closed", 10, received=10)
    (timer,) = ann.store.page(ANN, Filters(), page_size=5).timers
    ann.store.patch(ANN, timer.ulid, Patch(end_ms=at(5)), now_ms=at(20))
    ann.deliver("unassigned", 3, received=21)
    assert ann.spans() == [(0, 5, 5)]


def test_a_start_and_stop_while_an_event_is_processed_count(
    ann: AnnsTimers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first write of the derived timer is refused, because the slot has changed since it was read."""
    execute = ann.store.changes.execute

    def interrupted(change: TimerChange) -> None:
        monkeypatch.setattr(ann.store.changes, "execute", execute)
        timer, _ = ann.start(10)
        ann.act("stop", timer, 11)
        execute(change)

    monkeypatch.setattr(ann.store.changes, "execute", interrupted)
    ann.deliver("assigned", 0, received=12)
    assert ann.spans() == [(0, 11, 11)]


def test_an_unknown_kind_of_event_is_refused_and_later_events_count(ann: AnnsTimers) -> None:
    with pytest.raises(ValueError, match="invented"):
        ann.issue_timers.apply(Event("x", "invented", at(0), frozenset({ANN})), ISSUE, now_ms=at(0))
    ann.deliver("assigned", 1, received=1)
    assert ann.spans() == [(1, None, 59)]


def test_a_late_event_counts_after_more_timers_than_one_read_returns(ann: AnnsTimers) -> None:
    for number in range(105):
        timer, _ = ann.start(number)
        ann.act("stop", timer, number + 0.5)
    ann.start(200)
    assert ann.deliver("unassigned", 205, received=210)
    assert ann.spans(until=300)[-1] == (200, None, 5)
    assert ann.deliver("unassigned", 1.2, received=211) == []


class TestLocked:
    """Locked time stays locked, even if the timer is changed or deleted later."""

    HOUR = 60.0

    def swept(self, ann: AnnsTimers) -> Timer:
        """Return a timer that the sweeper stopped a day after its start."""
        ann.deliver("assigned", 0, received=0)
        (timer,) = ann.store.page(ANN, Filters(), page_size=5).timers
        end_ms, now_ms = at(24 * self.HOUR), at(30 * self.HOUR)
        assert ann.store.expire(ANN, timer.ulid, end_ms=end_ms, sign_ms=at(0), now_ms=now_ms)
        return timer

    def test_a_swept_timer_that_was_deleted_is_not_derived_again(self, ann: AnnsTimers) -> None:
        ann.store.delete(ANN, self.swept(ann).ulid, now_ms=at(31 * self.HOUR))
        ann.deliver("unassigned", 32 * self.HOUR, received=32 * self.HOUR)
        assert ann.spans() == []

    def test_a_swept_timer_that_was_corrected_is_not_derived_again(self, ann: AnnsTimers) -> None:
        patch = Patch(end_ms=at(8 * self.HOUR))
        ann.store.patch(ANN, self.swept(ann).ulid, patch, now_ms=at(31 * self.HOUR))
        ann.deliver("unassigned", 32 * self.HOUR, received=32 * self.HOUR)
        assert ann.spans() == [(0, 480, 480)]

    def test_time_removed_by_a_correction_stays_removed_when_the_timer_is_deleted(
        self, ann: AnnsTimers
    ) -> None:
        ann.deliver("assigned", 0, received=0)
        ann.deliver("assigned", 90, received=90)
        ann.deliver("closed", 120, received=120)
        (timer,) = ann.store.page(ANN, Filters(), page_size=5).timers
        ann.store.patch(ANN, timer.ulid, Patch(end_ms=at(60)), now_ms=at(130))
        ann.store.delete(ANN, timer.ulid, now_ms=at(140))
        ann.deliver("assigned", 240, received=240)
        assert ann.spans(until=300) == [(240, None, 60)]


class TestRepeats:
    def test_a_pause_and_a_resume_may_have_the_same_key(self, ann: AnnsTimers) -> None:
        timer, _ = ann.start(0)
        ann.act("pause", timer, 1, "K")
        assert ann.act("resume", timer, 2, "K").status == "running"

    def test_a_pause_repeated_after_a_resume_does_not_pause_again(self, ann: AnnsTimers) -> None:
        timer, _ = ann.start(0)
        ann.act("pause", timer, 1, "K")
        ann.act("resume", timer, 2, "L")
        assert ann.act("pause", timer, 3, "K").status == "running"
        assert ann.spans() == [(0, None, 59)]

    def test_repeating_a_start_that_returned_the_open_timer_starts_none(self, ann: AnnsTimers) -> None:
        timer, _ = ann.start(0)
        key = Idempotency("k" * 32, "r" * 32)
        assert ann.start(1, key=key)[1] is False
        ann.act("stop", timer, 2)
        again, created = ann.start(3, key=key)
        assert (again.ulid, created) == (timer.ulid, False)
        assert ann.spans() == [(0, 2, 2)]
