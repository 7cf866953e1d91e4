"""Working time that is read from stored days is the working time that is derived from all timers."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.calendars import put_version
from tests.support.examples import examples
from tests.support.table import table_properties
from timer_core.domain.calendar import HOUR_MS, Calendar, ConcurrentTimers, Policy
from timer_core.domain.changes import changed_from_ms
from timer_core.domain.ids import new_ulid
from timer_core.domain.schedule import DAY_MS, Interval, ScheduleVersion, Week, instant
from timer_core.domain.state import MANUAL, Action, Transition
from timer_core.domain.timeline import timeline
from timer_core.domain.timers import Claim, Period, Timer
from timer_core.store.calendars import Calendars
from timer_core.store.derived_days import stored_until
from timer_core.store.items import CalendarItem, timer_item
from timer_core.store.people import Person
from timer_core.store.queries import Filters, TimerQueries
from timer_core.store.stored_days import StoredDays, outdated
from timer_core.store.table import RawItem, Table, Write
from timer_core.store.timesheets import Timesheets

# A Monday.
FIRST = instant("UTC", date(2026, 3, 2), 0)
MINUTE_MS = 60_000
OFFICE = Week("Europe/Berlin", (*[(Interval(540, 720), Interval(780, 1080))] * 5, (), ()))


class FixedPolicies(Calendars):
    """Calendars of an organization whose settings a test chooses."""

    policies: tuple[Policy, ...] = (Policy(),)

    def organization(self, *, not_before_ms: int | None = None) -> tuple[Policy, ...]:  # noqa: ARG002
        return self.policies


@dataclass
class Owner:
    """A person whose timers a test writes as it likes, and a model of them."""

    user_id: int
    table: Table
    calendars: FixedPolicies
    timers: dict[str, Timer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.queries = TimerQueries(self.table)
        self.timesheets = Timesheets(self.table, self.queries, self.calendars)

    def start(self, at_ms: int, by: str = "assigned") -> str:
        timer = Timer.start(user_id=self.user_id, ulid=new_ulid(at_ms), at_ms=at_ms, now_ms=at_ms, by=by)
        return self.write(timer, now_ms=at_ms)

    def write(self, timer: Timer, *, now_ms: int) -> str:
        """Write a timer; mark the stored days that it makes invalid, as the product's writers do."""
        put = Write("Put", f"user#{self.user_id}", f"timer#{timer.ulid}", item=timer_item(timer))
        changed_ms = changed_from_ms(self.timers.get(timer.ulid), timer)
        marks = [] if changed_ms is None else outdated(self.user_id, changed_ms, now_ms=now_ms)
        self.table.transact([put, *marks])
        self.timers[timer.ulid] = timer
        return timer.ulid

    def calendar(self) -> Calendar:
        return self.calendars.of(self.user_id)

    def check(self, period: Period, *, now_ms: int) -> None:
        """Compare the working time in a period with the timeline of all timers."""
        until_ms = min(period.until_ms, now_ms)
        worked = self.timesheets.worked(self.user_id, period, now_ms=now_ms)
        whole = timeline(self.timers.values(), self.calendar(), now_ms)
        for ulid in self.timers:
            expected = sum(
                piece.working_between(period.since_ms, until_ms)
                for piece in whole.slices
                if piece.timer == ulid
            )
            assert sum(piece.working_ms for piece in worked.slices if piece.timer == ulid) == expected
        assert all(period.since_ms <= piece.since_ms < piece.until_ms <= until_ms for piece in worked.slices)
        assert list(worked.slices) == sorted(worked.slices, key=lambda one: (one.since_ms, one.timer))
        if worked.state is not None and until_ms == now_ms:
            assert worked.carry.break_ms == whole.carry.break_ms
            for ulid, timer in self.timers.items():
                if timer.is_open:
                    assert worked.carry.timers[ulid] == whole.carry.timers[ulid]
        listed, _ = self.queries.in_period(self.user_id, Filters(period=period))
        assert {timer.ulid for timer in listed} == {
            ulid
            for ulid, timer in self.timers.items()
            if period.since_ms <= timer.start_ms < period.until_ms
            or (timer.start_ms < period.since_ms and (timer.end_ms or now_ms + DAY_MS) > period.since_ms)
        }
        totals = self.timesheets.working_ms(self.user_id, list(self.timers.values()), now_ms=now_ms)
        assert totals == {ulid: carry.working_ms for ulid, carry in whole.carry.timers.items()}
        # The first read of an instance does not know yet which days are stored.
        new_instance = Timesheets(self.table, self.queries, self.calendars)
        present = self.timesheets.present(self.user_id, now_ms=now_ms)
        assert present == new_instance.present(self.user_id, now_ms=now_ms)
        assert present.carry.break_ms == whole.carry.break_ms
        for ulid, timer in self.timers.items():
            if timer.is_open:
                assert present.carry.timers[ulid] == whole.carry.timers[ulid]


@pytest.fixture
def calendars(shared_table: Table) -> FixedPolicies:
    return FixedPolicies(shared_table)


@pytest.fixture
def owner(shared_table: Table, calendars: FixedPolicies, new_person: Callable[[], Person]) -> Owner:
    return Owner(new_person().user_id, shared_table, calendars)


# ---------------------------------------------------------------------- examples


def test_the_index_that_the_present_is_read_from_has_the_calendar() -> None:
    by_end = next(one for one in table_properties()["LocalSecondaryIndexes"] if one["IndexName"] == "by-end")
    keys = {"pk", "sk", "end_key"}
    assert CalendarItem.get_attributes().keys() - keys <= {*by_end["Projection"]["NonKeyAttributes"]}


def test_days_that_are_over_are_stored(owner: Owner) -> None:
    ulid = owner.start(FIRST + 9 * HOUR_MS)
    owner.write(owner.timers[ulid].stop(FIRST + 12 * HOUR_MS, "closed"), now_ms=FIRST + 12 * HOUR_MS)
    now_ms = FIRST + 3 * DAY_MS
    assert owner.timesheets.refresh(owner.user_id, now_ms=now_ms)
    (day,) = StoredDays(owner.table).between(owner.user_id, 0, now_ms)
    assert [(piece.since_ms, piece.until_ms) for piece in day.slices] == [
        (FIRST + 9 * HOUR_MS, FIRST + 12 * HOUR_MS)
    ]
    assert list(owner.timesheets.people()).count(owner.user_id) == 1


def test_a_second_refresh_writes_nothing(owner: Owner) -> None:
    owner.start(FIRST)
    assert owner.timesheets.refresh(owner.user_id, now_ms=FIRST + 3 * DAY_MS)
    assert not owner.timesheets.refresh(owner.user_id, now_ms=FIRST + 3 * DAY_MS)


def test_yesterday_is_not_stored_yet(owner: Owner) -> None:
    owner.start(FIRST)
    assert not owner.timesheets.refresh(owner.user_id, now_ms=FIRST + 2 * DAY_MS)


def test_nothing_is_stored_for_people_without_timers(owner: Owner) -> None:
    assert not owner.timesheets.refresh(owner.user_id, now_ms=FIRST + 9 * DAY_MS)
    assert owner.user_id not in owner.timesheets.people()


def test_a_change_of_a_stored_day_shows_at_once(owner: Owner) -> None:
    ulid = owner.start(FIRST + 9 * HOUR_MS)
    now_ms = FIRST + 5 * DAY_MS
    owner.timesheets.refresh(owner.user_id, now_ms=now_ms)
    owner.write(owner.timers[ulid].stop(FIRST + 10 * HOUR_MS, "closed"), now_ms=now_ms)
    owner.check(Period(FIRST, now_ms), now_ms=now_ms)
    assert owner.timesheets.refresh(owner.user_id, now_ms=now_ms)
    owner.check(Period(FIRST, now_ms), now_ms=now_ms)
    assert len(list(StoredDays(owner.table).between(owner.user_id, 0, now_ms))) == 1


def test_a_paused_timer_stores_no_day(owner: Owner) -> None:
    ulid = owner.start(FIRST)
    owner.write(owner.timers[ulid].pause(FIRST + HOUR_MS, "unassigned"), now_ms=FIRST + HOUR_MS)
    now_ms = FIRST + 40 * DAY_MS
    owner.timesheets.refresh(owner.user_id, now_ms=now_ms)
    assert len(list(StoredDays(owner.table).between(owner.user_id, 0, now_ms))) == 1
    owner.check(Period(FIRST, now_ms), now_ms=now_ms)


def test_a_refresh_does_not_make_valid_what_changed_meanwhile(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    ulid = owner.start(FIRST + 9 * HOUR_MS)
    now_ms = FIRST + 5 * DAY_MS
    overlapping = owner.queries.overlapping

    def change_after_read(user_id: int, period: Period) -> list[Timer]:
        found = overlapping(user_id, period)
        if owner.timers[ulid].is_open:
            owner.write(owner.timers[ulid].stop(FIRST + 10 * HOUR_MS, "closed"), now_ms=now_ms)
        return found

    monkeypatch.setattr(owner.queries, "overlapping", change_after_read)
    owner.timesheets.refresh(owner.user_id, now_ms=now_ms)
    owner.check(Period(FIRST, now_ms), now_ms=now_ms)
    assert StoredDays(owner.table).state(owner.user_id).valid_until_ms == stored_until(now_ms)


def test_a_day_with_many_slices_is_stored_in_parts(owner: Owner) -> None:
    """Under ``shared``, each start and stop cuts the slices of all timers that run."""
    owner.calendars.policies = (Policy(concurrent_timers=ConcurrentTimers.SHARED),)
    for number in range(180):
        ulid = owner.start(FIRST + number * 97_001)
        stop_ms = FIRST + 12 * HOUR_MS + number * 89_003
        owner.write(owner.timers[ulid].stop(stop_ms, "closed"), now_ms=stop_ms)
    now_ms = FIRST + 3 * DAY_MS
    owner.timesheets.refresh(owner.user_id, now_ms=now_ms)
    contents = StoredDays(owner.table).contents(owner.user_id, 0, now_ms)
    (day,) = StoredDays(owner.table).between(owner.user_id, 0, now_ms)
    assert len(day.slices) > 30_000
    assert all(len(content) < 400_000 for content in contents.values())
    owner.check(Period(FIRST, now_ms), now_ms=now_ms)


@pytest.mark.parametrize("order", [1, -1])
def test_a_timer_over_midnight_has_all_its_time_in_any_order_of_days(
    owner: Owner, monkeypatch: pytest.MonkeyPatch, order: int
) -> None:
    """A request for several items answers in any order (AWS, "BatchGetItem")."""
    two = owner.start(FIRST + 18 * HOUR_MS)
    owner.write(owner.timers[two].stop(FIRST + 20 * HOUR_MS, "closed"), now_ms=FIRST + 20 * HOUR_MS)
    one = owner.start(FIRST + 20 * HOUR_MS)
    owner.write(owner.timers[one].stop(FIRST + 30 * HOUR_MS, "closed"), now_ms=FIRST + 30 * HOUR_MS)
    now_ms = FIRST + 5 * DAY_MS
    owner.timesheets.refresh(owner.user_id, now_ms=now_ms)
    get_many = owner.table.get_many

    def in_order(keys: Iterable[tuple[str, str]]) -> list[RawItem]:
        return sorted(get_many(keys), key=lambda item: item["sk"]["S"])[::order]

    monkeypatch.setattr(owner.table, "get_many", in_order)
    totals = owner.timesheets.working_ms(owner.user_id, [*owner.timers.values()], now_ms=now_ms)
    assert totals == {one: 10 * HOUR_MS, two: 2 * HOUR_MS}


def test_rebuilding_derives_all_days_anew(owner: Owner) -> None:
    ulid = owner.start(FIRST + 9 * HOUR_MS)
    owner.write(owner.timers[ulid].stop(FIRST + 12 * HOUR_MS, "closed"), now_ms=FIRST + 12 * HOUR_MS)
    now_ms = FIRST + 3 * DAY_MS
    owner.timesheets.refresh(owner.user_id, now_ms=now_ms)
    # A rule that changed with a new release.
    owner.calendars.policies = (Policy(working_hours=OFFICE),)
    owner.timesheets.rebuild(owner.user_id, now_ms=now_ms)
    owner.check(Period(FIRST, now_ms), now_ms=now_ms)


# ---------------------------------------------------------------------- any history


@st.composite
def steps(draw: st.DrawFn) -> Sequence[tuple[str, int, int, int]]:
    """Steps of a person's history: what happens, to which timer, after how long, and how late it is known."""
    kinds = st.sampled_from(
        ["start", "pause", "resume", "stop", "focus", "claim", "gap", "sign", "refresh", "read", "calendar"]
    )
    minutes = st.one_of(st.integers(1, 300), st.integers(600, 3 * 1440))
    late = st.one_of(st.just(0), st.integers(1, 8 * 1440))
    return draw(st.lists(st.tuples(kinds, st.integers(0, 5), minutes, late), min_size=3, max_size=20))


def changed(timer: Timer, kind: str, at_ms: int, now_ms: int) -> Timer | None:
    """Return a timer after a step that becomes known now, but happened at ``at_ms``; None if impossible."""
    if kind in {"claim", "gap"}:
        since_ms = max(at_ms, timer.start_ms)
        claim = Claim(since_ms, since_ms + 90 * MINUTE_MS, now_ms, kind == "claim")
        return replace(timer, claims=(*timer.claims, claim)) if claim.until_ms <= now_ms else None
    if kind == "sign":
        return replace(timer, signs=(*timer.signs, at_ms)) if at_ms > timer.start_ms else None
    action = Action(kind)
    if at_ms <= timer.changed_ms or not timer.state.allows(action):
        return None
    transition = Transition(at_ms, action, MANUAL if at_ms // MINUTE_MS % 2 else "moved", new_ulid(at_ms))
    return timer.apply(transition)


@settings(
    max_examples=examples(1),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=steps(),
    policy=st.sampled_from(list(ConcurrentTimers)),
    week=st.sampled_from([None, OFFICE]),
    stale_h=st.sampled_from([2, 24]),
)
def test_stored_days_agree_with_the_whole_timeline(
    shared_table: Table,
    new_person: Callable[[], Person],
    steps: Sequence[tuple[str, int, int, int]],
    policy: ConcurrentTimers,
    week: Week | None,
    stale_h: int,
) -> None:
    calendars = FixedPolicies(shared_table)
    calendars.policies = (
        Policy(concurrent_timers=policy, working_hours=week or Week("UTC"), stale_after_ms=stale_h * HOUR_MS),
    )
    owner = Owner(new_person().user_id, shared_table, calendars)
    now_ms = FIRST
    for kind, number, minutes, late in steps:
        now_ms += minutes * MINUTE_MS + 1
        at_ms = now_ms - late * MINUTE_MS
        if kind == "start":
            owner.start(at_ms, by="manual" if number % 2 else "assigned") if not late else owner.write(
                Timer.start(
                    user_id=owner.user_id, ulid=new_ulid(at_ms), at_ms=at_ms, now_ms=now_ms, by="assigned"
                ),
                now_ms=now_ms,
            )
        elif kind == "refresh":
            owner.timesheets.refresh(owner.user_id, now_ms=now_ms)
        elif kind == "read":
            owner.check(Period(at_ms - 100 * MINUTE_MS, at_ms + number * DAY_MS), now_ms=now_ms)
        elif kind == "calendar":
            day = date(2026, 3, 2 + number)
            put_version(calendars, owner.user_id, ScheduleVersion(day, OFFICE), now_ms=now_ms)
        elif owner.timers:
            timer = list(owner.timers.values())[number % len(owner.timers)]
            after = changed(timer, kind, at_ms, now_ms)
            if after is not None:
                owner.write(after, now_ms=now_ms)
    owner.check(Period(0, now_ms), now_ms=now_ms)
    owner.timesheets.refresh(owner.user_id, now_ms=now_ms + DAY_MS)
    owner.check(Period(0, now_ms + DAY_MS), now_ms=now_ms + DAY_MS)
