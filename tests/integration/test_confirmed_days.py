"""Confirmed days: their time is frozen, whatever becomes known later, until they are reopened."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
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
from timer_core.domain.errors import DayConfirmed, ErrorCode, InvalidInput
from timer_core.domain.ids import new_ulid
from timer_core.domain.schedule import DAY_MS, ScheduleVersion, Span, Week
from timer_core.domain.sheets import Sheet
from timer_core.domain.timeline import Slice, timeline
from timer_core.domain.timers import Period, Timer
from timer_core.domain.totals import add_up, part_of
from timer_core.store.items import timer_item
from timer_core.store.people import Person
from timer_core.store.queries import Filters
from timer_core.store.stored_days import outdated
from timer_core.store.table import Table, Write
from timer_core.store.timers import TimerStore

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
        """Write a timer as an event changes it: what is confirmed stays."""
        before = self.timers.get(timer.ulid)
        if before is not None:
            stored = self.queries.get(self.user_id, timer.ulid)
            version = stored.version + 1
            timer = replace(timer, confirmed=stored.confirmed, absorbed=stored.absorbed, version=version)
        return super().write(timer, now_ms=now_ms)

    def stop(self, ulid: str, at_ms: int) -> None:
        self.write(self.timers[ulid].stop(at_ms, "closed"), now_ms=at_ms)

    def confirm(self, day: date, *, now_ms: int) -> Sheet:
        sheet = self.timesheets.confirm(self.user_id, day, anything, now_ms=now_ms)
        for piece in sheet.slices:
            timer = self.timers[piece.timer]
            self.timers[piece.timer] = replace(
                timer, confirmed=self.queries.get(self.user_id, piece.timer).confirmed
            )
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
            confirmed=_hull(other.confirmed, vanished.confirmed),
            absorbed=(*other.absorbed, vanished.ulid, *vanished.absorbed)
            if vanished.confirmed
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
            kept = [replace(piece, timer=heirs.get(piece.timer, piece.timer)) for piece in frozen.slices]
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


@pytest.fixture
def store(shared_table: Table, calendars: FixedPolicies) -> TimerStore:
    return TimerStore(shared_table, calendars)


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
