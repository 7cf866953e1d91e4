"""The details of confirmed time are deleted after a while, and no figure changes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import combinations
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.test_confirmed_days import ConfirmingOwner, anything
from tests.integration.test_timesheets import FIRST, MINUTE_MS, OFFICE, FixedPolicies, changed, steps
from tests.support.examples import examples
from tests.support.network import Killed, Network, killed_after, killed_before
from timer_core.domain.audit import AuditKind
from timer_core.domain.calendar import HOUR_MS, ConcurrentTimers, Policy
from timer_core.domain.errors import DetailsDeleted
from timer_core.domain.ids import new_ulid, ulid_ms
from timer_core.domain.issues import Issue
from timer_core.domain.reports import Grouping, report
from timer_core.domain.schedule import DAY, DAY_MS, Week, midnight
from timer_core.domain.timers import Period, Timer, finished
from timer_core.domain.totals import add_up, timer_days
from timer_core.observability import make_logger
from timer_core.services.issue_timers import IssueTimers
from timer_core.services.stale_timers import StaleTimerStopper
from timer_core.store.account_export import AccountExport, ExportPage
from timer_core.store.audit import AuditLog
from timer_core.store.calendars import Calendars
from timer_core.store.issue_totals import IssueTotals
from timer_core.store.people import Person
from timer_core.store.queries import Filters
from timer_core.store.retention import Retention
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from timer_core.store.writes import Patch

MONDAY = date(2026, 3, 2)
KEPT_DAYS = 40
BERLIN, UTC = ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")
GROUPINGS = [Grouping.ISSUE, Grouping.REPOSITORY, Grouping.DAY, Grouping.WEEK, Grouping.MONTH]


class Keeper(ConfirmingOwner):
    """A person who confirms days, and whose details are deleted."""

    def reduce(self, *, now_ms: int) -> int:
        """Delete all details that may be deleted, and return in how many months there were some."""
        retention, months = Retention(self.table, self.calendars), 0
        while retention.reduce(self.user_id, before_ms=now_ms - KEPT_DAYS * DAY_MS, now_ms=now_ms):
            months += 1
        return months

    def freeze(self, day: date, *, now_ms: int) -> None:
        self.timesheets.confirm(self.user_id, day, anything, now_ms=now_ms)

    def confirm_all(self, last: date, *, now_ms: int) -> None:
        day = MONDAY - 3 * DAY
        while day <= last:
            self.freeze(day, now_ms=now_ms)
            day += DAY

    def store(self) -> TimerStore:
        return TimerStore(self.table, self.calendars)

    def listed(self) -> list[Timer]:
        return self.queries.in_period(self.user_id, Filters(period=Period(0, FIRST + 999 * DAY_MS)))[0]


def by_issue(timer: Timer) -> str:
    return timer.issue.key if timer.issue else ""


def figures(owner: Keeper, zone: ZoneInfo, now_ms: int) -> dict[str, Any]:
    """Return all figures that readers show of a person, in every grouping."""
    found: dict[str, Any] = {}
    first_ms = owner.calendar().schedule.starts_at(MONDAY - 7 * DAY)
    starts = owner.calendar().schedule.starts_at
    periods = [Period(first_ms, now_ms), Period(midnight(first_ms), now_ms)]
    periods += [
        Period(starts(day), starts(day + 7 * DAY)) for day in (MONDAY + n * 7 * DAY for n in range(4))
    ]
    for period in periods:
        worked = owner.timesheets.worked(owner.user_id, period, now_ms=now_ms)
        timers, complete = owner.queries.in_period(
            owner.user_id, Filters(period=period), worked.only_confirmed
        )
        assert complete
        totals = add_up(timers, worked.slices, period, zone, now_ms)
        found[f"totals {period}"] = [
            totals.working_ms,
            totals.active_ms,
            totals.days,
            sorted((str(one.issue), one.working_ms, one.active_ms, one.timers) for one in totals.issues),
        ]
        confirmed = [one.span for one in worked.days.own.confirmed]
        parts = list(timer_days(timers, worked.slices, period, zone, now_ms, confirmed))
        for group_by in [*combinations(GROUPINGS, 2), *combinations(GROUPINGS, 1), ()]:
            rows = report(parts, {}, group_by)
            found[f"report {period} {group_by}"] = (sorted(map(str, rows.rows)), rows.total)
    days = [MONDAY + n * DAY for n in range(-3, 40)]
    found["sheets"] = [
        (
            sheet.date,
            sheet.working_ms,
            sheet.overtime_ms,
            sheet.balance_ms,
            sheet.derived_ms,
            sheet.confirmed_ms,
            sorted(_rows(sheet.rows)),
        )
        for sheet in owner.timesheets.days(owner.user_id, days, now_ms=now_ms)
    ]
    listed = owner.listed()
    own_ms = owner.timesheets.working_ms(owner.user_id, listed, now_ms=now_ms)
    found["list"] = sorted(
        (by_issue(one), one.active_ms(now_ms), own_ms.get(one.ulid, 0), one.is_open) for one in listed
    )
    written = IssueTotals(owner.table, owner.timesheets)
    issues = {one.issue.key: one.issue for one in listed if one.issue}
    found["written back"] = {key: written.by_person(one, now_ms=now_ms) for key, one in issues.items()}
    present = owner.timesheets.present(owner.user_id, now_ms=now_ms)
    found["present"] = [
        present.carry.break_ms,
        sorted(
            present.carry.timers[timer.ulid] for timer in present.timers if timer.ulid in present.carry.timers
        ),
    ]
    found["export"] = sorted(
        (one.date, one.confirmed_ms, sum(piece.working_ms for piece in one.slices))
        for one in exported(owner).confirmed_days
    )
    return found


def same(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Compare figures, and show those that differ."""
    differing = {key: (found[key], expected[key]) for key in expected if found[key] != expected[key]}
    assert not differing


def _rows(rows: Sequence[Any]) -> Iterator[tuple[str, int, int]]:
    """Yield the time of each issue; entries without one no longer have their descriptions."""
    sums: dict[str, list[int]] = {}
    for row in rows:
        key = row.label.issue.key if row.label.issue else ""
        known = sums.setdefault(key, [0, 0])
        known[0] += row.working_ms
        known[1] += row.overtime_ms
    yield from ((key, working_ms, overtime_ms) for key, (working_ms, overtime_ms) in sums.items())


def exported(owner: Keeper) -> ExportPage:
    return AccountExport(owner.table).page(owner.user_id, position=None, page_size=1000)


@pytest.fixture
def calendars(shared_table: Table) -> FixedPolicies:
    return FixedPolicies(shared_table)


@pytest.fixture
def owner(shared_table: Table, calendars: FixedPolicies, new_person: Callable[[], Person]) -> Keeper:
    return Keeper(new_person().user_id, shared_table, calendars)


def entry(owner: Keeper, day: int, hour: float, hours: float, number: int = 7, **others: Any) -> Timer:
    """Add an entry by hand; the day is counted from Monday."""
    start_ms = round(FIRST + day * DAY_MS + hour * HOUR_MS)
    return owner.store().add(
        finished(
            user_id=owner.user_id,
            ulid=new_ulid(start_ms),
            start_ms=start_ms,
            end_ms=round(start_ms + hours * HOUR_MS),
            now_ms=round(start_ms + hours * HOUR_MS),
            issue=Issue("octo", "app", number, "Title", 5),
            description="Secret",
            **others,
        )
    )


def after(days: float) -> int:
    return round(FIRST + days * DAY_MS)


@pytest.fixture
def worked(owner: Keeper) -> Keeper:
    """A person with entries on three confirmed days and on a later one, and a running timer."""
    for day in range(3):
        entry(owner, day, 9.123, 2.5)
        entry(owner, day, 13, 1, 8)
    entry(owner, 10, 9, 1)
    owner.start(after(10.5))
    owner.timesheets.refresh(owner.user_id, now_ms=after(14))
    owner.confirm_all(MONDAY + 3 * DAY, now_ms=after(14))
    owner.timesheets.refresh(owner.user_id, now_ms=after(14))
    return owner


# ---------------------------------------------------------------------- what is deleted


def test_figures_stay_and_times_descriptions_and_entries_of_the_audit_log_go(worked: Keeper) -> None:
    now_ms = after(14 + KEPT_DAYS)
    before, listed = figures(worked, UTC, now_ms), worked.listed()
    assert worked.reduce(now_ms=now_ms) == 1
    same(figures(worked, UTC, now_ms), before)
    found = worked.listed()
    reduced = [timer for timer in found if timer.is_reduced]
    assert len(found) == len(listed)
    assert len(reduced) == 6
    known = {timer.ulid: timer for timer in listed}
    for timer in reduced:
        assert timer.ulid not in known
        assert timer.description == ""
        # Not the start, also not in the id; only the date.
        starts = {ulid_ms(timer.ulid), timer.start_ms, timer.created_ms}
        assert not starts & {other.start_ms for other in listed}
        assert {timer.signs, timer.claims, timer.absorbed} == {()}
    log = AuditLog(worked.table).page(worked.user_id, page_size=100).entries
    assert {one.kind for one in log} == {AuditKind.CONFIRMED, AuditKind.ADDED}
    assert [one.differences[0].subject for one in log if one.kind is AuditKind.ADDED] == [
        timer.ulid for timer in found if not timer.is_reduced and not timer.is_open
    ]
    texts = repr([*worked.table.query_all(f"user#{worked.user_id}")])
    assert not [
        timer.ulid for timer in listed if timer.end_ms and timer.end_ms < after(4) and timer.ulid in texts
    ]


def test_details_stay_until_the_day_was_confirmed_long_ago(worked: Keeper) -> None:
    now_ms = after(14 + KEPT_DAYS) - 1
    assert worked.reduce(now_ms=now_ms) == 0
    assert not any(timer.is_reduced for timer in worked.listed())


def test_details_stay_from_the_first_day_on_that_was_not_confirmed(owner: Keeper) -> None:
    for day in range(4):
        entry(owner, day, 9, 1)
    owner.timesheets.refresh(owner.user_id, now_ms=after(9))
    for day in (0, 1, 3):
        owner.freeze(MONDAY + day * DAY, now_ms=after(9))
    owner.timesheets.refresh(owner.user_id, now_ms=after(9))
    owner.reduce(now_ms=after(99))
    assert [timer.is_reduced for timer in owner.listed()] == [False, False, True, True]


def test_months_without_work_are_passed_over(owner: Keeper) -> None:
    for day in (0, 200, 201):
        entry(owner, day, 9, 1)
        owner.timesheets.refresh(owner.user_id, now_ms=after(day + 4))
        owner.freeze(MONDAY + day * DAY, now_ms=after(day + 4))
    owner.reduce(now_ms=after(299))
    assert [timer.is_reduced for timer in owner.listed()] == [True, True, True]


def test_nothing_happens_to_people_without_confirmed_days(owner: Keeper) -> None:
    entry(owner, 0, 9, 1)
    owner.timesheets.refresh(owner.user_id, now_ms=after(99))
    assert owner.reduce(now_ms=after(99)) == 0
    # Time of long ago can still be added.
    entry(owner, -3, 9, 1)


def test_a_deleted_timer_leaves_nothing(owner: Keeper) -> None:
    deleted = entry(owner, 0, 9, 1)
    entry(owner, 1, 9, 1)
    owner.store().delete(owner.user_id, deleted.ulid, now_ms=after(2))
    owner.timesheets.refresh(owner.user_id, now_ms=after(9))
    owner.confirm_all(MONDAY + 3 * DAY, now_ms=after(9))
    assert exported(owner).deleted
    before = figures(owner, UTC, after(99))
    owner.reduce(now_ms=after(99))
    assert not exported(owner).deleted
    same(figures(owner, UTC, after(99)), before)


def test_a_timer_of_half_a_year_keeps_its_id(owner: Keeper) -> None:
    """Its days do not fit into a transaction."""
    ulid = owner.start(after(0.4))
    for day in range(1, 150):
        entry(owner, day, 9, 1)
    owner.stop(ulid, after(150))
    owner.timesheets.refresh(owner.user_id, now_ms=after(160))
    owner.confirm_all(MONDAY + 152 * DAY, now_ms=after(160))
    owner.timesheets.refresh(owner.user_id, now_ms=after(160))
    before = figures(owner, UTC, after(220))
    owner.reduce(now_ms=after(220))
    same(figures(owner, UTC, after(220)), before)
    assert owner.queries.get(owner.user_id, ulid).is_reduced


def test_the_sweep_deletes_details_if_the_deployment_says_so(worked: Keeper) -> None:
    now_ms = after(14 + KEPT_DAYS)
    store = worked.store()
    for retention_days, is_reduced in ((0, False), (KEPT_DAYS, True)):
        sweeper = StaleTimerStopper(
            store,
            IssueTimers(worked.table, store),
            worked.timesheets,
            Retention(worked.table, worked.calendars),
            retention_days,
            make_logger("stale-sweeper"),
        )
        result = sweeper.run(after=worked.user_id - 1, now_ms=now_ms, has_time=lambda: True, dry_run=False)
        assert any(timer.is_reduced for timer in worked.listed()) is is_reduced
        assert not result.failed


# ---------------------------------------------------------------------- changes


CHANGES: Mapping[str, Callable[[Keeper, Timer, int], object]] = {
    "patch": lambda owner, timer, now: owner.store().patch(
        owner.user_id, timer.ulid, Patch(description="x"), now_ms=now
    ),
    "split": lambda owner, timer, now: owner.store().split(
        owner.user_id, timer.ulid, timer.start_ms + 1, now_ms=now
    ),
    "delete": lambda owner, timer, now: owner.store().delete(owner.user_id, timer.ulid, now_ms=now),
    "add": lambda owner, timer, now: owner.store().add(
        finished(
            user_id=owner.user_id,
            ulid=new_ulid(timer.start_ms),
            start_ms=timer.start_ms,
            end_ms=timer.end_ms or 0,
            now_ms=now,
        )
    ),
    "add before": lambda owner, timer, now: entry(owner, -5, 9, 1),  # noqa: ARG005
    "reopen": lambda owner, timer, now: owner.timesheets.reopen(  # noqa: ARG005
        owner.user_id, MONDAY, anything, now_ms=now
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_a_day_without_details_is_refused(worked: Keeper, change: str) -> None:
    now_ms = after(14 + KEPT_DAYS)
    worked.timesheets.refresh(worked.user_id, now_ms=now_ms)
    worked.reduce(now_ms=now_ms)
    before = figures(worked, UTC, now_ms)
    with pytest.raises(DetailsDeleted) as refused:
        CHANGES[change](worked, worked.listed()[-1], now_ms)
    assert refused.value.code == "details_deleted"
    same(figures(worked, UTC, now_ms), before)


def test_rebuilding_derives_no_day_without_details(worked: Keeper) -> None:
    now_ms = after(14 + KEPT_DAYS)
    worked.reduce(now_ms=now_ms)
    before = figures(worked, UTC, now_ms)
    worked.calendars.policies = (Policy(working_hours=Week("UTC", ((),) * 7)),)
    worked.timesheets.rebuild(worked.user_id, now_ms=now_ms)
    period = Period(after(0), after(3))
    assert sum(
        one.working_ms for one in worked.timesheets.worked(worked.user_id, period, now_ms=now_ms).slices
    ) == (before["sheets"][3][1] + before["sheets"][4][1] + before["sheets"][5][1])


def test_a_lifted_lock_leaves_days_without_details_frozen(
    shared_table: Table, new_person: Callable[[], Person]
) -> None:
    owner = Keeper(new_person().user_id, shared_table, cast("FixedPolicies", Calendars(shared_table)))
    for day in range(3):
        entry(owner, day, 9, 1)
    owner.timesheets.refresh(owner.user_id, now_ms=after(9))
    try:
        owner.calendars.lock(MONDAY + 3 * DAY, by=7, reason="", now_ms=after(9))
        owner.calendars.forget_organization()
        owner.timesheets.apply_lock(owner.user_id, now_ms=after(9))
        owner.timesheets.refresh(owner.user_id, now_ms=after(9))
        owner.reduce(now_ms=after(60))
        assert any(timer.is_reduced for timer in owner.listed())
        before = figures(owner, UTC, after(60))
    finally:
        owner.calendars.lock(None, by=7, reason="", now_ms=after(60))
    owner.calendars.forget_organization()
    owner.timesheets.apply_lock(owner.user_id, now_ms=after(60))
    owner.timesheets.refresh(owner.user_id, now_ms=after(60))
    now = figures(owner, UTC, after(60))
    assert [sheet[:2] for sheet in now["sheets"]] == [sheet[:2] for sheet in before["sheets"]]
    assert {key: value for key, value in now.items() if key.startswith("totals")} == {
        key: value for key, value in before.items() if key.startswith("totals")
    }


# ---------------------------------------------------------------------- faults


def test_a_fault_at_any_write_loses_nothing_and_is_mended_by_the_next_run(
    shared_table: Table, calendars: FixedPolicies, new_person: Callable[[], Person]
) -> None:
    now_ms = after(14 + KEPT_DAYS)
    network = Network(shared_table.connection)
    try:
        for fault in (killed_before, killed_after):
            number = 0
            while True:
                owner = Keeper(new_person().user_id, shared_table, calendars)
                entry(owner, 0, 9.123, 2.5)
                entry(owner, 1, 23, 2.5, 8)
                deleted = entry(owner, 1, 9, 1)
                owner.store().delete(owner.user_id, deleted.ulid, now_ms=after(2))
                owner.timesheets.refresh(owner.user_id, now_ms=after(14))
                owner.confirm_all(MONDAY + 3 * DAY, now_ms=after(14))
                owner.timesheets.refresh(owner.user_id, now_ms=after(14))
                before = figures(owner, UTC, now_ms)
                writes = [0]

                def fail(operation: str, send: Any, at: int = number, seen: list[int] = writes) -> Any:
                    seen[0] += 1
                    return fault(operation, send) if seen[0] == at + 1 else send()  # noqa: B023

                network.every_write = fail
                try:
                    owner.reduce(now_ms=now_ms)
                    is_whole = True
                except Killed:
                    is_whole = False
                network.every_write = None
                same(figures(owner, UTC, now_ms), before)
                owner.reduce(now_ms=now_ms)
                same(figures(owner, UTC, now_ms), before)
                assert all(timer.is_reduced for timer in owner.listed())
                if is_whole:
                    break
                number += 1
            assert number >= 4
    finally:
        network.close()


# ---------------------------------------------------------------------- any history


@settings(
    max_examples=examples(0.5),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=steps(),
    policy=st.sampled_from(list(ConcurrentTimers)),
    week=st.sampled_from([None, OFFICE]),
    confirmed=st.integers(0, 12),
    runs=st.lists(st.integers(30, 80), max_size=1),
)
def test_no_report_changes_when_details_are_deleted(
    shared_table: Table,
    new_person: Callable[[], Person],
    steps: Sequence[tuple[str, int, int, int]],
    policy: ConcurrentTimers,
    week: Week | None,
    confirmed: int,
    runs: Sequence[int],
) -> None:
    calendars = FixedPolicies(shared_table)
    calendars.policies = (Policy(concurrent_timers=policy, working_hours=week or Week("UTC")),)
    owner = Keeper(new_person().user_id, shared_table, calendars)
    now_ms = FIRST
    for kind, number, minutes, _ in steps:
        now_ms += minutes * MINUTE_MS + 1
        if kind == "start":
            issue = Issue("octo", "app", number, "", 5) if number else None
            owner.write(
                Timer.start(
                    user_id=owner.user_id,
                    ulid=new_ulid(now_ms),
                    at_ms=now_ms,
                    now_ms=now_ms,
                    by="assigned",
                    issue=issue,
                ),
                now_ms=now_ms,
            )
        elif owner.timers and kind not in {"refresh", "read", "calendar"}:
            timer = list(owner.timers.values())[number % len(owner.timers)]
            other = changed(timer, kind, now_ms, now_ms)
            if other is not None:
                owner.write(other, now_ms=now_ms)
    confirmed_ms = max(now_ms, after(confirmed)) + 2 * DAY_MS
    owner.timesheets.refresh(owner.user_id, now_ms=confirmed_ms)
    owner.confirm_all(MONDAY + confirmed * DAY, now_ms=confirmed_ms)
    owner.timesheets.refresh(owner.user_id, now_ms=confirmed_ms + DAY_MS)
    zone = BERLIN if week else UTC
    for days in sorted({*runs, 90}):
        now_ms = confirmed_ms + days * DAY_MS
        owner.timesheets.refresh(owner.user_id, now_ms=now_ms)
        before = figures(owner, zone, now_ms)
        owner.reduce(now_ms=now_ms)
        same(figures(owner, zone, now_ms), before)
        owner.timesheets.refresh(owner.user_id, now_ms=now_ms)
        same(figures(owner, zone, now_ms), before)


def test_the_parts_of_a_day_stay_in_its_own_zone_and_in_utc(owner: Keeper) -> None:
    owner.calendars.policies = (Policy(working_hours=replace(OFFICE, zone="Pacific/Auckland")),)
    for day in range(3):
        entry(owner, day, 11, 3)
    owner.timesheets.refresh(owner.user_id, now_ms=after(9))
    owner.confirm_all(MONDAY + 4 * DAY, now_ms=after(9))
    owner.timesheets.refresh(owner.user_id, now_ms=after(9))
    zones = ZoneInfo("Pacific/Auckland"), UTC
    before = [figures(owner, zone, after(99)) for zone in zones]
    owner.reduce(now_ms=after(99))
    for zone, expected in zip(zones, before, strict=True):
        same(figures(owner, zone, after(99)), expected)
