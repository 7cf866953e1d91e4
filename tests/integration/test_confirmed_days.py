"""Confirmed days: their time is frozen, whatever becomes known later, until they are reopened."""

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.test_timesheets import (
    FIRST,
    MINUTE_MS,
    OFFICE,
    FixedPolicies,
    Owner,
    changed,
    steps,
)
from tests.support.calendars import put_version
from tests.support.examples import examples
from timer_core.domain.calendar import HOUR_MS, ConcurrentTimers, Policy
from timer_core.domain.changes import changed_from_ms
from timer_core.domain.confirmed import ConfirmedDay, are_same, confirmed_timeline
from timer_core.domain.errors import DayConfirmed, ErrorCode, InvalidInput, NotFound, PreconditionFailed
from timer_core.domain.events import Event
from timer_core.domain.ids import new_ulid
from timer_core.domain.issues import Issue
from timer_core.domain.schedule import DAY_MS, ScheduleVersion, Span, Week
from timer_core.domain.sheets import Sheet
from timer_core.domain.state import Status
from timer_core.domain.timeline import Slice, timeline
from timer_core.domain.timers import Period, Timer, end_of_date, finished
from timer_core.domain.totals import add_up, part_of
from timer_core.observability import make_logger
from timer_core.services.issue_timers import IssueTimers
from timer_core.services.stale_timers import StaleTimerStopper
from timer_core.store.calendars import Calendars
from timer_core.store.items import timer_item
from timer_core.store.people import Person
from timer_core.store.queries import Filters
from timer_core.store.retention import Retention
from timer_core.store.stored_days import outdated
from timer_core.store.table import Table, Write
from timer_core.store.timers import TimerStore
from timer_core.store.timesheets import Timesheets
from timer_core.store.writes import Patch

MONDAY = date(2026, 3, 2)
DAY = timedelta(days=1)
UTC = ZoneInfo("UTC")


def anything(sheet: Sheet) -> None:
    """Confirm whatever the sheet contains."""


def worked_ms(slices: Sequence[Slice]) -> dict[str, int]:
    found = Counter[str]()
    for piece in slices:
        found[piece.timer] += piece.working_ms
    return dict(found)


@dataclass
class ConfirmingOwner(Owner):
    """A person who confirms days, and a model of the confirmed days."""

    confirmed: dict[date, ConfirmedDay] = field(default_factory=dict)

    def write(self, timer: Timer, *, now_ms: int) -> str:
        """Write a timer as an event changes it; its confirmed time stays."""
        before = self.timers.get(timer.ulid)
        if before is not None:
            stored = self.queries.get(self.user_id, timer.ulid)
            version = stored.version + 1
            timer = replace(
                timer, confirmed_span=stored.confirmed_span, absorbed=stored.absorbed, version=version
            )
        return super().write(timer, now_ms=now_ms)

    def stop(self, ulid: str, at_ms: int) -> None:
        self.write(self.timers[ulid].stop(at_ms, "closed"), now_ms=at_ms)

    def confirm(self, day: date, *, now_ms: int) -> Sheet:
        sheet = self.timesheets.confirm(self.user_id, day, anything, now_ms=now_ms)
        for ulid in {piece.timer for piece in sheet.slices}:
            confirmed_span = self.queries.get(self.user_id, ulid).confirmed_span
            self.timers[ulid] = replace(self.timers[ulid], confirmed_span=confirmed_span)
        assert sheet.confirmed_ms is not None
        self.confirmed[day] = ConfirmedDay(
            day, sheet.since_ms, sheet.until_ms, sheet.confirmed_ms, sheet.slices
        )
        return sheet

    def reopen(self, day: date, *, now_ms: int) -> Sheet:
        del self.confirmed[day]
        return self.timesheets.reopen(self.user_id, day, anything, now_ms=now_ms)

    def sheet(self, day: date, *, now_ms: int) -> Sheet:
        (found,) = self.timesheets.days(self.user_id, [day], now_ms=now_ms)
        return found

    def merge(self, vanished: Timer, other: Timer, *, now_ms: int) -> None:
        """Make a timer part of another one, as a late event does."""
        merged = replace(
            other,
            confirmed_span=_hull(other.confirmed_span, vanished.confirmed_span),
            absorbed=(*other.absorbed, vanished.ulid, *vanished.absorbed)
            if vanished.confirmed_span
            else other.absorbed,
        )
        pk = f"user#{self.user_id}"
        earliest = [changed_from_ms(other, merged), changed_from_ms(vanished, None)]
        reaches_ms = min(ms for ms in earliest if ms is not None)
        self.table.transact(
            [
                Write("Put", pk, f"timer#{other.ulid}", item=timer_item(merged)),
                Write("Delete", pk, f"timer#{vanished.ulid}"),
                *outdated(self.user_id, reaches_ms, now_ms=now_ms),
            ]
        )
        del self.timers[vanished.ulid]
        self.timers[other.ulid] = merged

    def check(self, period: Period, *, now_ms: int) -> None:
        """Compare the working time in a period with the model, and all figures with each other."""
        until_ms = min(period.until_ms, now_ms)
        timers, days = list(self.timers.values()), sorted(self.confirmed.values(), key=lambda day: day.date)
        worked = self.timesheets.worked(self.user_id, period, now_ms=now_ms)
        whole = confirmed_timeline(timers, self.calendar(), now_ms, days=days)
        pure = timeline(timers, self.calendar(), now_ms)

        def parts(slices: Sequence[Slice]) -> dict[str, int]:
            found = Counter[str]()
            for piece in slices:
                found[piece.timer] += piece.working_between(period.since_ms, until_ms)
            return {ulid: ms for ulid, ms in found.items() if ms}

        assert parts(worked.slices) == parts(whole.slices)
        assert parts(worked.derived) == parts(pure.slices)
        assert all(period.since_ms <= piece.since_ms < piece.until_ms <= until_ms for piece in worked.slices)
        assert list(worked.slices) == sorted(worked.slices, key=lambda one: (one.since_ms, one.timer))
        # The working time of a timer is the sum of its slices.
        totals = self.timesheets.working_ms(self.user_id, timers, now_ms=now_ms)
        assert {ulid: ms for ulid, ms in totals.items() if ms} == worked_ms(whole.slices)
        # Totals and lists show the same slices.
        listed, _ = self.queries.in_period(self.user_id, Filters(period=period))
        moved = {piece.timer for piece in worked.slices} - {piece.timer for piece in worked.derived}
        listed += self.queries.get_all(self.user_id, moved - {timer.ulid for timer in listed})
        added = add_up(listed, worked.slices, period, UTC, now_ms)
        assert added.working_ms == sum(parts(whole.slices).values())
        assert sum(day.working_ms for day in added.days) == added.working_ms
        by_list = sum(
            part_of(
                timer, [one for one in worked.slices if one.timer == timer.ulid], period, UTC, now_ms
            ).working_ms
            for timer in listed
        )
        assert by_list == added.working_ms
        self.check_sheets(now_ms=now_ms)

    def check_sheets(self, *, now_ms: int) -> None:
        """Compare the sheets of some days with the model."""
        days = [MONDAY + number * DAY for number in range(-2, 12)]
        pure = timeline(self.timers.values(), self.calendar(), now_ms)
        for sheet in self.timesheets.days(self.user_id, days, now_ms=now_ms):
            derived = _between(pure.slices, sheet.since_ms, sheet.until_ms)
            frozen = self.confirmed.get(sheet.date)
            assert (sheet.confirmed_ms is not None) == (frozen is not None)
            if frozen is None:
                assert (worked_ms(sheet.slices), sheet.derived) == (derived, None)
                continue
            heirs = {ulid: timer.ulid for timer in self.timers.values() for ulid in timer.absorbed}
            kept = [piece._replace(timer=heirs.get(piece.timer, piece.timer)) for piece in frozen.slices]
            assert are_same(sheet.slices, kept)
            if sheet.derived is not None:
                assert worked_ms(sheet.derived) == derived
            else:
                assert worked_ms(kept) == derived


def _hull(one: Span | None, other: Span | None) -> Span | None:
    edges = [*(one or ()), *(other or ())]
    return Span(min(edges), max(edges)) if edges else None


def _between(slices: Sequence[Slice], since_ms: int, until_ms: int) -> dict[str, int]:
    found = Counter[str]()
    for piece in slices:
        found[piece.timer] += piece.working_between(since_ms, until_ms)
    return {ulid: ms for ulid, ms in found.items() if ms}


@pytest.fixture
def calendars(shared_table: Table) -> FixedPolicies:
    return FixedPolicies(shared_table)


@pytest.fixture
def owner(shared_table: Table, calendars: FixedPolicies, new_person: Callable[[], Person]) -> ConfirmingOwner:
    return ConfirmingOwner(new_person().user_id, shared_table, calendars)


# ---------------------------------------------------------------------- examples


@pytest.mark.parametrize("days_later", [1, 5])
def test_an_event_changes_the_timer_and_not_the_confirmed_day(
    owner: ConfirmingOwner, days_later: int
) -> None:
    """The day is derived on reading, or stored."""
    ulid = owner.start(FIRST + 9 * HOUR_MS)
    running = owner.timers[ulid]
    owner.stop(ulid, FIRST + 12 * HOUR_MS)
    now_ms = FIRST + days_later * DAY_MS + HOUR_MS
    owner.timesheets.refresh(owner.user_id, now_ms=now_ms)
    sheet = owner.confirm(MONDAY, now_ms=now_ms)
    assert (worked_ms(sheet.slices), sheet.confirmed_ms) == ({ulid: 3 * HOUR_MS}, now_ms)
    assert owner.timers[ulid].confirmed_span == (FIRST + 9 * HOUR_MS, FIRST + 12 * HOUR_MS)
    owner.write(running.stop(FIRST + 10 * HOUR_MS, "closed"), now_ms=now_ms)
    for _ in range(2):
        sheet = owner.sheet(MONDAY, now_ms=now_ms)
        assert worked_ms(sheet.slices) == {ulid: 3 * HOUR_MS}
        assert worked_ms(sheet.derived or ()) == {ulid: HOUR_MS}
        owner.check(Period(0, now_ms), now_ms=now_ms)
        owner.timesheets.refresh(owner.user_id, now_ms=now_ms)
    sheet = owner.reopen(MONDAY, now_ms=now_ms)
    assert (worked_ms(sheet.slices), sheet.confirmed_ms, sheet.derived) == ({ulid: HOUR_MS}, None, None)
    owner.check(Period(0, now_ms), now_ms=now_ms)


def test_a_day_can_be_confirmed_a_minute_after_its_end(owner: ConfirmingOwner) -> None:
    with pytest.raises(InvalidInput) as refused:
        owner.confirm(MONDAY, now_ms=FIRST + DAY_MS + 59_999)
    assert refused.value.code is ErrorCode.DAY_NOT_OVER
    assert owner.confirm(MONDAY, now_ms=FIRST + DAY_MS + 60_000).confirmed_ms


def test_only_the_day_that_was_seen_is_confirmed(owner: ConfirmingOwner) -> None:
    def other(_: Sheet) -> None:
        raise PreconditionFailed("This has changed.")

    now_ms = FIRST + DAY_MS + HOUR_MS
    with pytest.raises(PreconditionFailed):
        owner.timesheets.confirm(owner.user_id, MONDAY, other, now_ms=now_ms)
    assert owner.sheet(MONDAY, now_ms=now_ms).confirmed_ms is None
    owner.confirm(MONDAY, now_ms=now_ms)
    with pytest.raises(PreconditionFailed):
        owner.timesheets.reopen(owner.user_id, MONDAY, other, now_ms=now_ms)
    assert owner.sheet(MONDAY, now_ms=now_ms).confirmed_ms == now_ms


def test_confirming_again_changes_nothing(owner: ConfirmingOwner) -> None:
    now_ms = FIRST + DAY_MS + HOUR_MS
    sheet = owner.confirm(MONDAY, now_ms=now_ms)
    assert owner.confirm(MONDAY, now_ms=now_ms + HOUR_MS) == sheet


def test_a_day_that_is_not_confirmed_cannot_be_reopened(owner: ConfirmingOwner) -> None:
    with pytest.raises(NotFound):
        owner.timesheets.reopen(owner.user_id, MONDAY, anything, now_ms=FIRST + DAY_MS + HOUR_MS)


@pytest.mark.parametrize("odd", [0, 1])
def test_a_shared_day_does_not_change_when_its_days_are_stored(owner: ConfirmingOwner, odd: int) -> None:
    """The entry is read only until the days are stored; it was made at an odd or an even instant."""
    owner.calendars.policies = (
        Policy(concurrent_timers=ConcurrentTimers.SHARED, stale_after_ms=1000 * HOUR_MS),
    )
    owner.start(FIRST)
    owner.start(FIRST)
    made_ms = FIRST + DAY_MS + 6 * HOUR_MS + odd
    entry = finished(
        user_id=owner.user_id,
        ulid=new_ulid(made_ms),
        start_ms=FIRST + HOUR_MS,
        end_ms=FIRST + 2 * HOUR_MS,
        now_ms=made_ms,
    )
    owner.write(entry, now_ms=made_ms)
    confirmed = owner.confirm(MONDAY + DAY, now_ms=FIRST + 2 * DAY_MS + 2 * MINUTE_MS)
    assert [row.working_ms for row in confirmed.rows] == [24 * HOUR_MS]
    for number in (2, 3, 4):
        now_ms = FIRST + number * DAY_MS + 3 * HOUR_MS
        owner.timesheets.refresh(owner.user_id, now_ms=now_ms)
        assert owner.sheet(MONDAY + DAY, now_ms=now_ms).derived is None


def test_a_stale_shared_timer_is_stopped_once(owner: ConfirmingOwner) -> None:
    owner.calendars.policies = (Policy(concurrent_timers=ConcurrentTimers.SHARED),)
    store = TimerStore(owner.table, owner.calendars)
    ulids = [owner.start(FIRST), owner.start(FIRST)]
    made_ms = FIRST + DAY_MS + 6 * HOUR_MS + 1
    store.add(
        finished(
            user_id=owner.user_id,
            ulid=new_ulid(made_ms),
            start_ms=FIRST + HOUR_MS,
            end_ms=FIRST + 2 * HOUR_MS,
            now_ms=made_ms,
        )
    )
    sweeper = StaleTimerStopper(
        store,
        IssueTimers(owner.table, store),
        owner.timesheets,
        Retention(owner.table, owner.calendars),
        0,
        make_logger("stale-sweeper"),
    )
    versions = []
    for number in range(2, 7):
        now_ms = FIRST + number * DAY_MS + 3 * HOUR_MS
        owner.timesheets.refresh(owner.user_id, now_ms=now_ms)
        sweeper.run(after=owner.user_id - 1, now_ms=now_ms, has_time=lambda: True, dry_run=False)
        stopped = [store.get(owner.user_id, ulid) for ulid in ulids]
        versions.append([(timer.status, timer.version) for timer in stopped])
        assert not owner.timesheets.not_stale(owner.user_id, now_ms=now_ms)
    assert all(status is Status.STOPPED for status, _ in versions[0])
    assert all(one == versions[0] for one in versions)


def test_a_day_with_very_many_timers_and_slices_can_be_confirmed(owner: ConfirmingOwner) -> None:
    """A transaction has at most 100 writes, and an item 400 KB."""
    owner.calendars.policies = (Policy(concurrent_timers=ConcurrentTimers.SHARED),)
    for number in range(180):
        owner.stop(owner.start(FIRST + number * 97_001), FIRST + 12 * HOUR_MS + number * 89_003)
    now_ms = FIRST + DAY_MS + HOUR_MS
    sheet = owner.confirm(MONDAY, now_ms=now_ms)
    assert len(sheet.slices) > 30_000
    assert all(timer.confirmed_span for timer in owner.timers.values())
    (read,) = owner.timesheets.days(owner.user_id, [MONDAY], now_ms=now_ms)
    assert read == sheet
    owner.reopen(MONDAY, now_ms=now_ms)
    keys = [item["sk"]["S"] for item in owner.table.query_all(f"user#{owner.user_id}")]
    assert not any(key.startswith("confirmed#") for key in keys)


def test_days_have_the_zone_and_the_hours_of_their_date(owner: ConfirmingOwner) -> None:
    """The clocks in Berlin change on 29 March 2026."""
    put_version(
        owner.calendars, owner.user_id, ScheduleVersion(date(2026, 3, 3), OFFICE), now_ms=FIRST - DAY_MS
    )
    now_ms = FIRST + 30 * HOUR_MS
    days = [MONDAY, MONDAY + DAY, date(2026, 3, 4)]
    one, two, three = owner.timesheets.days(owner.user_id, days, now_ms=now_ms)
    assert (one.zone, one.scheduled_ms, one.scheduled_elapsed_ms) == ("UTC", None, 0)
    assert (one.since_ms, one.until_ms) == (FIRST, FIRST + 23 * HOUR_MS)
    assert (two.zone, two.scheduled_ms) == ("Europe/Berlin", 8 * HOUR_MS)
    # It is 07:00 in Berlin.
    assert (two.scheduled_elapsed_ms, three.scheduled_elapsed_ms) == (0, 0)
    (spring,) = owner.timesheets.days(owner.user_id, [date(2026, 3, 29)], now_ms=now_ms)
    assert (spring.until_ms - spring.since_ms, spring.scheduled_ms) == (23 * HOUR_MS, 0)


# ---------------------------------------------------------------------- any history

_KINDS = st.sampled_from(["confirm", "confirm", "reopen", "merge"])
_CONFIRMING = st.lists(st.tuples(_KINDS, st.integers(0, 8), st.integers(0, 30)), min_size=1, max_size=6)


@settings(
    max_examples=examples(1),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=steps(),
    confirming=_CONFIRMING,
    policy=st.sampled_from(list(ConcurrentTimers)),
    week=st.sampled_from([None, OFFICE]),
    stale_h=st.sampled_from([2, 24]),
)
def test_confirmed_time_stays_in_any_history(
    shared_table: Table,
    new_person: Callable[[], Person],
    steps: Sequence[tuple[str, int, int, int]],
    confirming: Sequence[tuple[str, int, int]],
    policy: ConcurrentTimers,
    week: Week | None,
    stale_h: int,
) -> None:
    calendars = FixedPolicies(shared_table)
    calendars.policies = (
        Policy(concurrent_timers=policy, working_hours=week or Week("UTC"), stale_after_ms=stale_h * HOUR_MS),
    )
    owner = ConfirmingOwner(new_person().user_id, shared_table, calendars)
    now_ms = FIRST
    for position, (kind, number, minutes, late) in enumerate(steps):
        now_ms += minutes * MINUTE_MS + 1
        at_ms = now_ms - late * MINUTE_MS
        _step(owner, kind, number, at_ms, now_ms)
        for action, which, when in confirming:
            if when % len(steps) == position:
                _confirm(owner, action, which, now_ms)
    owner.check(Period(0, now_ms), now_ms=now_ms)
    now_ms += DAY_MS
    owner.timesheets.refresh(owner.user_id, now_ms=now_ms)
    owner.check(Period(0, now_ms), now_ms=now_ms)
    for day in list(owner.confirmed):
        owner.reopen(day, now_ms=now_ms)
        owner.check(Period(0, now_ms), now_ms=now_ms)
    owner.timesheets.refresh(owner.user_id, now_ms=now_ms)
    owner.check(Period(0, now_ms), now_ms=now_ms)
    assert owner.timesheets.worked(owner.user_id, Period(0, now_ms), now_ms=now_ms).slices == (
        owner.timesheets.worked(owner.user_id, Period(0, now_ms), now_ms=now_ms).derived
    )


def _step(owner: ConfirmingOwner, kind: str, number: int, at_ms: int, now_ms: int) -> None:
    """Do a step of `tests.integration.test_timesheets.steps`."""
    if kind == "start":
        by = "manual" if number % 2 and at_ms == now_ms else "assigned"
        timer = Timer.start(user_id=owner.user_id, ulid=new_ulid(at_ms), at_ms=at_ms, now_ms=now_ms, by=by)
        owner.write(timer, now_ms=now_ms)
    elif kind == "refresh":
        owner.timesheets.refresh(owner.user_id, now_ms=now_ms)
    elif kind == "read":
        owner.check(Period(at_ms - 100 * MINUTE_MS, at_ms + number * DAY_MS), now_ms=now_ms)
    elif kind == "calendar":
        day = MONDAY + number * DAY
        try:
            put_version(owner.calendars, owner.user_id, ScheduleVersion(day, OFFICE), now_ms=now_ms)
        except DayConfirmed as refused:
            assert refused.date in owner.confirmed  # noqa: PT017 - either outcome is right
    elif owner.timers:
        timer = list(owner.timers.values())[number % len(owner.timers)]
        after = changed(timer, kind, at_ms, now_ms)
        if after is not None:
            owner.write(after, now_ms=now_ms)


def _confirm(owner: ConfirmingOwner, action: str, which: int, now_ms: int) -> None:
    day = MONDAY + which * DAY
    timers = list(owner.timers.values())
    if action == "merge" and len(timers) > 1:
        vanished, other = timers[which % len(timers)], timers[(which + 1) % len(timers)]
        owner.merge(vanished, other, now_ms=now_ms)
    elif action == "reopen" and owner.confirmed:
        owner.reopen(list(owner.confirmed)[which % len(owner.confirmed)], now_ms=now_ms)
    elif action == "confirm" and day not in owner.confirmed:
        try:
            owner.confirm(day, now_ms=now_ms)
        except InvalidInput as refused:
            assert refused.code is ErrorCode.DAY_NOT_OVER  # noqa: PT017 - either outcome is right
            assert owner.sheet(day, now_ms=now_ms).until_ms > now_ms - 60_000


# ---------------------------------------------------------------------- any events

_EVENTS = st.tuples(
    st.sampled_from(
        ["assigned", "assigned", "closed", "unassigned", "labeled", "comment.pause", "commented"]
    ),
    st.integers(0, 1),
    st.integers(0, 2 * 24),
    st.sampled_from([0, 0, 30, 40, 60]),
    st.booleans(),
)
_BY_HAND = st.tuples(
    st.sampled_from(["start", "start", "stop", "earlier end", "delete", "refresh", "sweep", "sweep"]),
    st.integers(0, 3),
    st.integers(0, 4 * 24),
)


@settings(
    max_examples=examples(0.5),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    events=st.lists(_EVENTS, min_size=2, max_size=9),
    by_hand=st.lists(_BY_HAND, max_size=5),
    confirmations=st.sets(st.integers(25, 5 * 24), min_size=1, max_size=3),
)
def test_confirmed_time_stays_with_its_issue_in_any_order_of_events(
    shared_table: Table,
    new_person: Callable[[], Person],
    events: Sequence[tuple[str, int, int, int, bool]],
    by_hand: Sequence[tuple[str, int, int]],
    confirmations: Set[int],
) -> None:
    """Timers are derived anew, split and merged, and people act and correct in between. Times are hours."""
    person = DerivingPerson(new_person().user_id, shared_table)
    steps: list[tuple[int, Callable[[int], None]]] = [
        *(
            (at + late, partial(person.deliver, kind, number, FIRST + at * HOUR_MS, own))
            for kind, number, at, late, own in events
        ),
        *((hour, partial(person.act, kind, number)) for kind, number, hour in by_hand),
        *((hour, person.confirm) for hour in confirmations),
    ]
    now_ms = FIRST
    for hour, step in sorted(steps, key=lambda step: step[0]):
        now_ms = FIRST + hour * HOUR_MS + 2 * MINUTE_MS
        step(now_ms)
        person.check(now_ms)
    person.timesheets.refresh(person.user_id, now_ms=now_ms + 2 * DAY_MS)
    person.check(now_ms + 2 * DAY_MS)
    for day in person.confirmed:
        person.timesheets.reopen(person.user_id, day, anything, now_ms=now_ms + 2 * DAY_MS)
    person.confirmed = {}
    person.check(now_ms + 2 * DAY_MS)


def test_the_confirmed_time_of_a_vanished_timer_belongs_to_the_one_that_it_became_part_of(
    shared_table: Table, new_person: Callable[[], Person]
) -> None:
    """A timer was ended because it was stale, and another one started; then a late comment shows a sign."""

    def at(hour: float) -> int:
        return FIRST + round(hour * HOUR_MS)

    person = DerivingPerson(new_person().user_id, shared_table)
    person.deliver("assigned", 0, at(1), False, at(1))
    person.act("sweep", 0, at(30))
    person.act("start", 0, at(32))
    person.deliver("closed", 0, at(40), False, at(40))
    first, second = sorted(person.timers(), key=lambda timer: timer.start_ms)
    assert (first.end_ms, second.start_ms) == (at(25), at(32))
    person.confirm(at(49))
    assert person.confirmed[MONDAY + DAY] == {second.issue and second.issue.key: 9 * HOUR_MS}
    person.deliver("commented", 0, at(20), True, at(50))
    person.check(at(50))
    (merged,) = person.timers()
    assert (merged.ulid, merged.absorbed) == (first.ulid, (second.ulid,))
    assert (merged.start_ms, merged.end_ms) == (at(1), at(40))
    working = person.timesheets.working_ms(person.user_id, [merged], now_ms=at(50))
    assert working == {merged.ulid: (23 + 9) * HOUR_MS}
    person.timesheets.refresh(person.user_id, now_ms=at(99))
    person.check(at(99))
    with pytest.raises(DayConfirmed):
        person.store.delete(person.user_id, merged.ulid, now_ms=at(99))
    for day in person.confirmed:
        person.timesheets.reopen(person.user_id, day, anything, now_ms=at(99))
    person.confirmed = {}
    person.check(at(99))
    assert person.timesheets.working_ms(person.user_id, [merged], now_ms=at(99)) == {
        merged.ulid: 39 * HOUR_MS
    }


@dataclass
class DerivingPerson:
    """A person whose timers are derived from events, as the product does.

    Attributes
    ----------
    confirmed
        The working time of each issue on each confirmed day.
    """

    user_id: int
    table: Table
    confirmed: dict[date, dict[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = TimerStore(self.table)
        self.issue_timers = IssueTimers(self.table, self.store)
        self.timesheets = Timesheets(self.table, self.store, Calendars(self.table))
        # Each example has its own issues.
        self.issues = [Issue("o", "r", number, "", self.user_id) for number in (1, 2)]

    def deliver(self, kind: str, number: int, at_ms: int, own: bool, now_ms: int) -> None:
        users = None if kind == "closed" else frozenset({self.user_id})
        actor = self.user_id if own else 0
        event = Event(f"{kind} {at_ms} {number}", kind, at_ms, users, actor=actor)
        self.issue_timers.apply(event, self.issues[number], now_ms=now_ms)

    def act(self, kind: str, number: int, now_ms: int) -> None:
        if kind == "start":
            self.store.start(user_id=self.user_id, now_ms=now_ms, issue=self.issues[number % 2])
        elif kind == "refresh":
            self.timesheets.refresh(self.user_id, now_ms=now_ms)
        elif kind == "sweep":
            self.sweep(now_ms)
        else:
            with contextlib.suppress(DayConfirmed, InvalidInput):
                self.correct(kind, number, now_ms)

    def sweep(self, now_ms: int) -> None:
        """End stale timers, as the sweeper does."""
        present = self.timesheets.present(self.user_id, now_ms=now_ms)
        for timer in present.timers:
            end_ms = present.carry.timers[timer.ulid].stale_ms
            if timer.is_open and end_ms is not None:
                sign_ms = timer.last_sign_until(end_of_date(end_ms))
                self.store.expire(self.user_id, timer.ulid, end_ms=end_ms, sign_ms=sign_ms, now_ms=now_ms)

    def correct(self, kind: str, number: int, now_ms: int) -> None:
        timers = sorted(self.timers(), key=lambda timer: timer.ulid)
        if not timers:
            return
        timer = timers[number % len(timers)]
        if kind == "delete":
            self.store.delete(self.user_id, timer.ulid, now_ms=now_ms)
        elif kind == "stop" and timer.is_open:
            at_ms = max(timer.changed_ms, now_ms - number * 12 * HOUR_MS)
            self.store.stop(
                self.user_id, timer.ulid, now_ms=now_ms, by="manual", cause=str(now_ms), at_ms=at_ms
            )
        elif kind == "earlier end" and timer.end_ms:
            end_ms = max(timer.start_ms, timer.end_ms - number * 9 * HOUR_MS)
            self.store.patch(self.user_id, timer.ulid, Patch(end_ms=end_ms), now_ms=now_ms)

    def confirm(self, now_ms: int) -> None:
        """Confirm all days that are over."""
        for number in range((now_ms - MINUTE_MS - FIRST) // DAY_MS):
            day = MONDAY + number * DAY
            sheet = self.timesheets.confirm(self.user_id, day, anything, now_ms=now_ms)
            self.confirmed.setdefault(day, self.by_issue(sheet.slices))

    def timers(self) -> list[Timer]:
        found = self.store.overlapping(self.user_id, Period(0, FIRST + 99 * DAY_MS))
        return [timer for timer in found if timer.source]

    def by_issue(self, slices: Sequence[Slice]) -> dict[str, int]:
        issues = {timer.ulid: timer.issue.key for timer in self.timers() if timer.issue}
        found = Counter[str]()
        for piece in slices:
            # Each timer with time exists.
            found[issues[piece.timer]] += piece.working_ms
        return dict(found)

    def check(self, now_ms: int) -> None:
        worked = self.timesheets.worked(self.user_id, Period(0, now_ms), now_ms=now_ms)
        days = [MONDAY + number * DAY for number in range(5)]
        for sheet in self.timesheets.days(self.user_id, days, now_ms=now_ms):
            assert (sheet.confirmed_ms is not None) == (sheet.date in self.confirmed)
            if sheet.date in self.confirmed:
                assert self.by_issue(sheet.slices) == self.confirmed[sheet.date]
        timers = self.timers()
        totals = self.timesheets.working_ms(self.user_id, timers, now_ms=now_ms)
        assert {ulid: ms for ulid, ms in totals.items() if ms} == worked_ms(worked.slices)
        gaps = self.store.overlapping(self.user_id, Period(0, now_ms))
        pure = timeline(gaps, Calendars(self.table).of(self.user_id), now_ms)
        assert worked_ms(worked.derived) == worked_ms(pure.slices)
