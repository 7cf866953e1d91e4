"""Facts that come late, around what people did by hand meanwhile, on the real store."""

import pytest

from timer_core.domain.issues import Issue
from timer_core.domain.replay import Event
from timer_core.domain.timers import Timer
from timer_core.store.events import EventStore
from timer_core.store.queries import Filters
from timer_core.store.table import Table, Write
from timer_core.store.timers import TimerStore
from timer_core.store.writes import Idempotency, Patch

# Far ahead, so that no back end takes what the tests keep for expired (TTL).
T0 = 4_000_000_000_000
MINUTE = 60_000
ANN = 21031067
ISSUE = Issue("octocat", "Hello-World", 7)
OTHER = Issue("octocat", "Hello-World", 8)


class Desk:
    """Ann's timers, with everything at a minute."""

    def __init__(self, table: Table, *, exclusive: bool = False) -> None:
        self.store = TimerStore(table, exclusive=exclusive)
        self.event_store = EventStore(table, self.store)

    def start(
        self, minute: float, issue: Issue = ISSUE, key: Idempotency | None = None
    ) -> tuple[Timer, bool]:
        return self.store.start(user_id=ANN, now_ms=at(minute), issue=issue, idempotency=key)

    def act(self, action: str, timer: Timer, minute: float, cause: str = "") -> Timer:
        acted: Timer = getattr(self.store, action)(
            ANN, timer.ulid, now_ms=at(minute), by="manual", cause=cause or f"{action} {minute}"
        )
        return acted

    def hear(self, kind: str, minute: float, *, heard: float, issue: Issue = ISSUE) -> list[Timer]:
        users = None if kind in ("closed", "deleted") else frozenset({ANN})
        return self.event_store.apply(
            Event(f"{kind} {minute}", kind, at(minute), users), issue, now_ms=at(heard)
        )

    def spans(self, until: float = 60, issue: Issue = ISSUE) -> list[tuple[float, float | None, float]]:
        """Return start, end and active time of the timers on an issue, in minutes."""
        page = self.store.page(ANN, Filters(repo=issue.full_name, number=issue.number), page_size=100)
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
def desk(table: Table) -> Desk:
    return Desk(table)


def test_a_start_answered_with_the_open_timer_counts_if_that_one_had_ended_before(desk: Desk) -> None:
    desk.hear("assigned", 10, heard=10)
    _, created = desk.start(20)
    assert not created
    desk.hear("closed", 15, heard=25)
    assert desk.spans() == [(10, 15, 5), (20, None, 40)]


def test_many_such_starts_do_not_fill_the_timer(desk: Desk) -> None:
    timer, _ = desk.start(0)
    for number in range(150):
        desk.start(1 + number / 100)
    assert len(desk.store.get(ANN, timer.ulid).history) < 100
    assert desk.act("stop", timer, 10).clock_ms == 10 * MINUTE


def test_correcting_an_old_timer_leaves_the_one_of_today_to_events(desk: Desk) -> None:
    old, _ = desk.start(0)
    desk.act("stop", old, 10)
    desk.start(20)
    desk.store.patch(ANN, old.ulid, Patch(end_ms=at(9)), now_ms=at(30))
    desk.hear("closed", 29, heard=31)
    assert desk.spans() == [(0, 9, 9), (20, 29, 9)]


def test_deleting_an_old_timer_leaves_the_one_of_today_to_events(desk: Desk) -> None:
    old, _ = desk.start(0)
    desk.act("stop", old, 10)
    desk.start(20)
    desk.store.delete(ANN, old.ulid, now_ms=at(30))
    desk.hear("assigned", 5, heard=31)
    desk.hear("closed", 29, heard=31)
    assert desk.spans() == [(20, 29, 9)]


def test_what_a_correction_cut_off_is_not_derived_again(desk: Desk) -> None:
    desk.hear("assigned", 0, heard=0)
    desk.hear("assigned", 6, heard=6)
    desk.hear("closed", 10, heard=10)
    (timer,) = desk.store.page(ANN, Filters(), page_size=5).timers
    desk.store.patch(ANN, timer.ulid, Patch(end_ms=at(5)), now_ms=at(20))
    desk.hear("unassigned", 3, heard=21)
    assert desk.spans() == [(0, 5, 5)]


def test_a_start_and_stop_while_a_fact_is_processed_are_seen(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write of the derived timer is refused, for what it was derived from has changed."""
    write_all = desk.store.write_all

    def interrupted(writes: list[Write]) -> None:
        monkeypatch.setattr(desk.store, "write_all", write_all)
        timer, _ = desk.start(10)
        desk.act("stop", timer, 11)
        write_all(writes)

    monkeypatch.setattr(desk.store, "write_all", interrupted)
    desk.hear("assigned", 0, heard=12)
    assert desk.spans() == [(0, 11, 11)]


def test_with_exclusive_timers_a_late_event_does_not_take_the_time_of_a_later_timer(table: Table) -> None:
    desk = Desk(table, exclusive=True)
    desk.start(30, OTHER)
    desk.hear("assigned", 0, heard=50)
    assert desk.spans() == [(0, None, 30)]
    assert desk.spans(issue=OTHER) == [(30, None, 30)]


def test_a_fact_of_a_later_version_is_refused_and_blocks_nothing(desk: Desk) -> None:
    with pytest.raises(ValueError, match="invented"):
        desk.event_store.apply(Event("x", "invented", at(0), frozenset({ANN})), ISSUE, now_ms=at(0))
    desk.hear("assigned", 1, heard=1)
    assert desk.spans() == [(1, None, 59)]


def test_late_events_are_taken_after_more_timers_than_one_read_returns(desk: Desk) -> None:
    for number in range(105):
        timer, _ = desk.start(number)
        desk.act("stop", timer, number + 0.5)
    desk.start(200)
    assert desk.hear("unassigned", 205, heard=210)
    assert desk.spans(until=300)[-1] == (200, None, 5)
    assert desk.hear("unassigned", 1.2, heard=211) == []


class TestSettled:
    """What was settled once stays so, whatever is done to the timer later."""

    HOUR = 60.0

    def swept(self, desk: Desk) -> Timer:
        """A timer that was forgotten for a day, with an assignment after the limit."""
        desk.hear("assigned", 0, heard=0)
        desk.hear("assigned", 26 * self.HOUR, heard=26 * self.HOUR)
        (timer,) = desk.store.page(ANN, Filters(), page_size=5).timers
        limit_ms, now_ms = 24 * 60 * MINUTE, at(30 * self.HOUR)
        assert desk.store.expire(ANN, timer.ulid, limit_ms=limit_ms, now_ms=now_ms, by="sweeper")
        return timer

    def test_a_swept_timer_that_was_deleted_does_not_come_back(self, desk: Desk) -> None:
        desk.store.delete(ANN, self.swept(desk).ulid, now_ms=at(31 * self.HOUR))
        desk.hear("unassigned", 32 * self.HOUR, heard=32 * self.HOUR)
        assert desk.spans() == []

    def test_a_swept_timer_that_was_corrected_has_no_twin(self, desk: Desk) -> None:
        patch = Patch(end_ms=at(8 * self.HOUR))
        desk.store.patch(ANN, self.swept(desk).ulid, patch, now_ms=at(31 * self.HOUR))
        desk.hear("unassigned", 32 * self.HOUR, heard=32 * self.HOUR)
        assert desk.spans() == [(0, 480, 480)]

    def test_what_a_correction_cut_off_stays_off_when_the_rest_is_deleted(self, desk: Desk) -> None:
        desk.hear("assigned", 0, heard=0)
        desk.hear("assigned", 90, heard=90)
        desk.hear("closed", 120, heard=120)
        (timer,) = desk.store.page(ANN, Filters(), page_size=5).timers
        desk.store.patch(ANN, timer.ulid, Patch(end_ms=at(60)), now_ms=at(130))
        desk.store.delete(ANN, timer.ulid, now_ms=at(140))
        desk.hear("assigned", 240, heard=240)
        assert desk.spans(until=300) == [(240, None, 60)]


class TestRepeats:
    def test_one_key_for_a_pause_and_a_resume_does_both(self, desk: Desk) -> None:
        timer, _ = desk.start(0)
        desk.act("pause", timer, 1, "K")
        assert desk.act("resume", timer, 2, "K").status == "running"

    def test_a_pause_repeated_after_a_resume_does_not_pause_again(self, desk: Desk) -> None:
        timer, _ = desk.start(0)
        desk.act("pause", timer, 1, "K")
        desk.act("resume", timer, 2, "L")
        assert desk.act("pause", timer, 3, "K").status == "running"
        assert desk.spans() == [(0, None, 59)]

    def test_a_start_answered_with_the_open_timer_starts_none_when_repeated(self, desk: Desk) -> None:
        timer, _ = desk.start(0)
        key = Idempotency("k" * 32, "r" * 32)
        assert desk.start(1, key=key)[1] is False
        desk.act("stop", timer, 2)
        again, created = desk.start(3, key=key)
        assert (again.ulid, created) == (timer.ulid, False)
        assert desk.spans() == [(0, 2, 2)]
