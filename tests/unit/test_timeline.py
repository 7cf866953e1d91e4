"""The timeline: the worked examples of docs/working-time.md, and a comparison with a plain reference."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from timer_core.domain.calendar import HOUR_MS, Calendar, ConcurrentTimers, Policy
from timer_core.domain.corrections import divided, with_changed_pause, with_pause, without_pause
from timer_core.domain.schedule import DayException, Interval, ScheduleVersion, Span, Week, joined
from timer_core.domain.state import Action, State, Status, Transition
from timer_core.domain.timeline import (
    Carry,
    Rule,
    Slice,
    Standing,
    Waiting,
    _Choice,
    _Fold,
    _Running,
    _Segment,
    lasting,
    standings,
    timeline,
)
from timer_core.domain.timers import Claim, Timer, finished, without
from timer_core.store.items import to_gaps, tombstone
from timer_core.store.keys import timer_sk, user_pk

MINUTE = 60_000
DAY = 86_400_000
BERLIN = "Europe/Berlin"
SANTIAGO = "America/Santiago"
APIA = "Pacific/Apia"


def at(text: str, zone: str = BERLIN) -> int:
    """Return the instant of a local time, such as ``2026-11-02 09:00``."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def hours(*intervals: str) -> tuple[Interval, ...]:
    """Return intervals such as ``9-12`` or ``9:30-18``."""

    def minutes(text: str) -> int:
        hour, _, minute = text.partition(":")
        return int(hour) * 60 + int(minute or 0)

    return tuple(Interval(*map(minutes, one.split("-"))) for one in intervals)


def weekdays(*intervals: str, zone: str = BERLIN) -> Week:
    return Week(zone, (hours(*intervals),) * 5 + ((), ()))


def every_day(*intervals: str, zone: str = BERLIN) -> Week:
    return Week(zone, (hours(*intervals),) * 7)


def calendar(week: Week | None = None, **policy: object) -> Calendar:
    versions = () if week is None else (ScheduleVersion(date(1980, 1, 1), week),)
    return Calendar((replace(Policy(), **policy),), versions)  # type: ignore[arg-type]


OFFICE_HOURS = weekdays("9-12", "13-18")
OFFICE = calendar(OFFICE_HOURS)
NIGHTS = every_day("0-6", "22-24")
# From Friday at 22:00 to Sunday at 6:00.
LONG_SHIFT = Week(BERLIN, ((), (), (), (), hours("22-24"), hours("0-24"), hours("0-6")))


def timer(ulid: str, *steps: tuple[str, str]) -> Timer:
    """Return a timer, given pairs of a time and a step, such as ``start`` or ``pause by lead``.

    A step without ``by`` is the owner's own one.
    """
    made: Timer | None = None
    for time, text in steps:
        words, _, by = text.partition(" by ")
        action, *overtime = words.split()
        transition = Transition(at(time), Action(action), by or "manual", overtime=bool(overtime))
        if made is None:
            made = Timer.start(
                user_id=1, ulid=ulid, at_ms=transition.at_ms, now_ms=transition.at_ms, by=transition.by
            )
        else:
            made = made.apply(transition) if made.state.allows(transition.action) else made.note(transition)
    assert made is not None
    return made


def worked(timers: Iterable[Timer], calendar: Calendar, since: str, until: str) -> dict[str, float]:
    """Return the hours that count for each timer between two times."""
    slices = timeline(timers, calendar, at(until)).slices
    sums = Counter[str]()
    for piece in slices:
        sums[piece.timer] += piece.working_between(at(since), at(until))
    return {ulid: working_ms / HOUR_MS for ulid, working_ms in sorted(sums.items()) if working_ms}


def standing(timers: Iterable[Timer], calendar: Calendar, now: str) -> dict[str, Standing]:
    known = list(timers)
    return standings(known, calendar, timeline(known, calendar, at(now)).carry)


class TestWorkingHours:
    def test_a_night_does_not_count(self) -> None:
        one = timer("A", ("2026-11-02 09:00", "start by lead"), ("2026-11-03 09:00", "stop by closed"))
        assert worked([one], OFFICE, "2026-11-01 00:00", "2026-11-09 00:00") == {"A": 8}

    def test_a_weekend_does_not_count(self) -> None:
        one = timer("A", ("2026-11-06 16:00", "start by lead"), ("2026-11-09 10:00", "stop by closed"))
        assert worked([one], OFFICE, "2026-11-01 00:00", "2026-11-15 00:00") == {"A": 3}

    def test_without_working_hours_all_time_counts(self) -> None:
        one = timer("A", ("2026-11-06 16:00", "start by lead"), ("2026-11-07 10:00", "stop by closed"))
        assert worked([one], calendar(), "2026-11-01 00:00", "2026-11-15 00:00") == {"A": 18}

    def test_hours_until_midnight_and_from_midnight_lose_nothing(self) -> None:
        one = timer("A", ("2026-11-06 16:00", "start by lead"), ("2026-11-08 16:00", "stop by closed"))
        always = calendar(every_day("0-24"), stale_after_ms=10 * DAY)
        assert worked([one], always, "2026-11-01 00:00", "2026-11-15 00:00") == {"A": 48}

    @pytest.mark.parametrize(
        ("zone", "day", "expected"),
        [
            (BERLIN, "2026-03-29", 23),
            (BERLIN, "2026-10-25", 25),
            ("America/Santiago", "2026-09-06", 23),
            ("America/Santiago", "2026-04-04", 25),
            ("Australia/Lord_Howe", "2026-10-04", 23.5),
            ("Australia/Lord_Howe", "2026-04-05", 24.5),
            ("Asia/Kathmandu", "1986-01-01", 23.75),
        ],
    )
    def test_a_day_on_which_the_clocks_change(self, zone: str, day: str, expected: float) -> None:
        following = str(date.fromisoformat(day) + timedelta(days=1))
        week = Week(zone, (hours("0-24"),) * 7)
        one = Timer.start(user_id=1, ulid="A", at_ms=at(f"{day} 12:00", zone) - DAY, now_ms=0, by="lead")
        long = calendar(week, stale_after_ms=100 * DAY)
        schedule = long.schedule
        first, last = (
            schedule.starts_at(date.fromisoformat(day)),
            schedule.starts_at(date.fromisoformat(following)),
        )
        slices = timeline([one], long, last + DAY).slices
        assert sum(piece.working_between(first, last) for piece in slices) == expected * HOUR_MS

    def test_a_new_schedule_does_not_change_the_past(self) -> None:
        long = replace(OFFICE, policies=(Policy(stale_after_ms=10 * DAY),))
        one = timer("A", ("2026-11-02 09:00", "start by lead"), ("2026-11-10 18:00", "stop by closed"))
        half = ScheduleVersion(date(2026, 11, 9), weekdays("9-12"))
        changed = replace(long, versions=(*OFFICE.versions, half))
        before = worked([one], long, "2026-11-01 00:00", "2026-11-09 00:00")
        assert worked([one], changed, "2026-11-01 00:00", "2026-11-09 00:00") == before
        assert worked([one], changed, "2026-11-09 00:00", "2026-11-15 00:00") == {"A": 6}

    @pytest.mark.parametrize(
        ("left", "started_by", "paused", "scheduled", "expected"),
        [
            (("9-12", "13-15"), "manual", None, 5, 5),
            (("9-12", "13-18"), "manual", "15:00", 8, 5),
            ((), "lead", None, 0, 0),
            ((), "manual", "11:00", 0, 2),
            ((), "manual", None, 0, 4),
            (("9-11",), "manual", None, 2, 2),
        ],
    )
    def test_hours_that_are_left_out_are_not_scheduled(
        self, left: tuple[str, ...], started_by: str, paused: str | None, scheduled: int, expected: int
    ) -> None:
        """The examples of "Off now" and "Sick today"."""
        steps = [("2026-11-02 09:00", f"start by {started_by}")]
        steps += [(f"2026-11-02 {paused}", "pause")] if paused else []
        shorter = replace(OFFICE, exceptions={date(2026, 11, 2): DayException(hours(*left))})
        day = at("2026-11-02 00:00"), at("2026-11-03 00:00")
        planned = sum(until - since for since, until in shorter.schedule.planned(*day))
        assert planned == scheduled * HOUR_MS
        counted = worked([timer("A", *steps)], shorter, "2026-11-02 00:00", "2026-11-03 00:00")
        assert counted.get("A", 0) == expected

    def test_a_holiday_does_not_count(self) -> None:
        one = timer("A", ("2026-11-02 09:00", "start by lead"), ("2026-11-04 18:00", "stop by closed"))
        off = replace(OFFICE, exceptions={date(2026, 11, 3): DayException(reason="Holiday")})
        assert worked([one], off, "2026-11-01 00:00", "2026-11-09 00:00") == {"A": 16}


class TestFocus:
    def lead(self, count: int = 5) -> list[Timer]:
        return [timer(f"L{n}", (f"2026-11-02 09:0{n}", "start by lead")) for n in range(count)]

    def test_assignments_by_others_do_not_interrupt(self) -> None:
        own = timer("X", ("2026-11-02 09:00", "start"), ("2026-11-02 17:00", "stop"))
        assert worked([own, *self.lead()], OFFICE, "2026-11-02 00:00", "2026-11-02 17:00") == {"X": 7}

    def test_the_oldest_assignment_counts_if_nothing_else_runs(self) -> None:
        assert worked(self.lead(), OFFICE, "2026-11-02 00:00", "2026-11-03 00:00") == {"L0": 8}

    def test_a_stop_passes_the_focus_on(self) -> None:
        own = timer("X", ("2026-11-02 10:00", "start"), ("2026-11-02 11:00", "stop by closed"))
        counted = worked([own, *self.lead(1)], OFFICE, "2026-11-02 00:00", "2026-11-02 12:00")
        assert counted == {"L0": 2, "X": 1}

    def test_a_focus_switches(self) -> None:
        one, two = self.lead(2)
        two = two.apply(Transition(at("2026-11-02 11:00"), Action.FOCUS, "manual"))
        counted = worked([one, two], OFFICE, "2026-11-02 00:00", "2026-11-02 12:00")
        assert counted == {"L0": 2, "L1": 1}

    def test_the_day_of_the_page_about_working_time(self) -> None:
        one = timer("1", ("2026-11-02 09:00", "start by assigned"))
        two = timer(
            "2",
            ("2026-11-02 09:30", "start by assigned"),
            ("2026-11-02 14:00", "focus"),
            ("2026-11-02 15:00", "stop by closed"),
        )
        three = timer("3", ("2026-11-02 10:00", "start"), ("2026-11-02 16:00", "pause"))
        four = timer("4", ("2026-11-02 11:00", "start by assigned"))
        timers = [one, two, three, four]
        assert worked(timers, OFFICE, "2026-11-02 00:00", "2026-11-03 00:00") == {"1": 1, "2": 1, "3": 4}
        assert worked(timers, OFFICE, "2026-11-03 00:00", "2026-11-03 10:00") == {"1": 1}

    def test_an_act_counts_until_the_next_pause(self) -> None:
        one = timer(
            "A",
            ("2026-11-02 09:00", "start"),
            ("2026-11-02 10:00", "pause by unassigned"),
            ("2026-11-02 10:30", "resume by assigned"),
        )
        other = timer("B", ("2026-11-02 09:30", "start by lead"))
        counted = worked([one, other], OFFICE, "2026-11-02 00:00", "2026-11-02 12:00")
        assert counted == {"A": 1, "B": 2}

    def test_what_waits_says_for_what(self) -> None:
        own = timer("X", ("2026-11-02 09:30", "start"))
        found = standing([own, *self.lead(1)], OFFICE, "2026-11-02 10:00")
        assert found["X"].is_counting
        assert (found["X"].rule, found["X"].act) == ("focus", own.history[0])
        assert found["X"].changes_ms == at("2026-11-02 12:00")
        assert (found["L0"].waiting_for, found["L0"].timer) == (Waiting.FOCUS, "X")

    def test_at_night_the_timer_with_the_focus_waits_for_the_morning(self) -> None:
        own = timer("X", ("2026-11-06 09:30", "start"))
        other = timer("L0", ("2026-11-06 09:00", "start by lead"))
        found = standing([own, other], OFFICE, "2026-11-07 10:00")
        assert (found["X"].waiting_for, found["X"].changes_ms) == (Waiting.SCHEDULE, at("2026-11-09 09:00"))
        assert found["L0"].waiting_for is Waiting.FOCUS


class TestBreak:
    other = timer("B", ("2026-11-02 09:00", "start by lead"))

    def paused(self, by: str = "") -> Timer:
        return timer("A", ("2026-11-02 09:00", "start"), ("2026-11-02 10:00", f"pause{by}"))

    def test_after_a_pause_by_hand_nothing_counts_until_the_next_morning(self) -> None:
        timers = [self.paused(), self.other]
        assert worked(timers, OFFICE, "2026-11-02 00:00", "2026-11-03 00:00") == {"A": 1}
        assert worked(timers, OFFICE, "2026-11-03 00:00", "2026-11-04 00:00") == {"B": 8}
        found = standing(timers, OFFICE, "2026-11-02 11:00")["B"]
        assert (found.waiting_for, found.changes_ms) == (Waiting.BREAK, at("2026-11-03 09:00"))
        assert (found.timer, found.act) == ("A", timers[0].history[-1])

    def test_the_next_own_act_ends_a_break(self) -> None:
        other = self.other.apply(Transition(at("2026-11-02 11:00"), Action.FOCUS, "manual"))
        counted = worked([self.paused(), other], OFFICE, "2026-11-02 00:00", "2026-11-02 12:00")
        assert counted == {"A": 1, "B": 1}

    def test_without_working_hours_only_an_act_ends_a_break(self) -> None:
        timers = [self.paused(), self.other]
        assert worked(timers, calendar(), "2026-11-02 00:00", "2026-11-06 00:00") == {"A": 1}

    def test_an_unassignment_passes_the_focus_on(self) -> None:
        timers = [self.paused(" by unassigned"), self.other]
        assert worked(timers, OFFICE, "2026-11-02 00:00", "2026-11-02 12:00") == {"A": 1, "B": 2}

    def test_unassigning_oneself_passes_the_focus_on(self) -> None:
        unassigned = Transition(at("2026-11-02 10:00"), Action.PAUSE, "unassigned", by_owner=True)
        own = timer("A", ("2026-11-02 09:00", "start")).apply(unassigned)
        assert worked([own, self.other], OFFICE, "2026-11-02 00:00", "2026-11-02 12:00") == {"A": 1, "B": 2}

    def test_a_pause_by_a_command_is_a_break(self) -> None:
        timers = [self.paused(" by comment.pause"), self.other]
        assert worked(timers, OFFICE, "2026-11-02 00:00", "2026-11-03 00:00") == {"A": 1}

    def test_a_pause_of_a_waiting_timer_is_no_break(self) -> None:
        waiting = timer("C", ("2026-11-02 09:00", "start by lead"), ("2026-11-02 10:00", "pause"))
        own = timer("A", ("2026-11-02 09:00", "start"))
        assert worked([waiting, own], OFFICE, "2026-11-02 00:00", "2026-11-02 12:00") == {"A": 3}

    @pytest.mark.parametrize(
        ("week", "pause", "until"),
        [
            (OFFICE_HOURS, "2026-11-02 10:00", "2026-11-03 09:00"),
            (OFFICE_HOURS, "2026-11-02 09:00", "2026-11-03 09:00"),
            (OFFICE_HOURS, "2026-11-02 12:30", "2026-11-03 09:00"),
            (OFFICE_HOURS, "2026-11-02 20:00", "2026-11-03 09:00"),
            (OFFICE_HOURS, "2026-11-03 00:30", "2026-11-03 09:00"),
            (OFFICE_HOURS, "2026-11-03 08:00", "2026-11-03 09:00"),
            (OFFICE_HOURS, "2026-11-06 17:00", "2026-11-09 09:00"),
            (OFFICE_HOURS, "2026-11-08 15:00", "2026-11-09 09:00"),
            (NIGHTS, "2026-11-02 23:30", "2026-11-03 22:00"),
            (NIGHTS, "2026-11-03 01:00", "2026-11-03 22:00"),
            (NIGHTS, "2026-11-03 07:00", "2026-11-03 22:00"),
            (every_day("0-2", "9-12", "20-24"), "2026-11-03 01:00", "2026-11-03 09:00"),
            (every_day("0-2", "9-12", "20-24"), "2026-11-03 10:00", "2026-11-04 09:00"),
            (every_day("0-24"), "2026-11-02 10:00", "2026-11-03 00:00"),
            (weekdays("0-24"), "2026-11-06 10:00", "2026-11-09 00:00"),
            (LONG_SHIFT, "2026-11-06 23:00", "2026-11-08 00:00"),
            (LONG_SHIFT, "2026-11-08 01:00", "2026-11-13 22:00"),
        ],
    )
    def test_the_first_hours_that_begin_on_a_date_end_a_break(
        self, week: Week, pause: str, until: str
    ) -> None:
        assert self.end_of_break(calendar(week), pause) == until

    @pytest.mark.parametrize(
        ("week", "pause", "until"),
        [
            (NIGHTS, "2026-03-29 01:00", "2026-03-29 22:00"),
            (NIGHTS, "2026-10-25 01:00", "2026-10-25 22:00"),
            (every_day("2:30-12"), "2026-03-28 12:00", "2026-03-29 03:00"),
            (every_day("2:30-12"), "2026-10-25 02:00", "2026-10-25 02:30"),
            (every_day("0-24"), "2026-03-29 10:00", "2026-03-30 00:00"),
            (every_day("0-24"), "2026-10-25 10:00", "2026-10-26 00:00"),
            (every_day("0-1", "23-24"), "2026-10-25 22:59", "2026-10-25 23:00"),
            (every_day("0-1", "2-3", "23-24"), "2026-10-25 22:59", "2026-10-26 02:00"),
        ],
    )
    def test_the_end_of_a_break_where_clocks_change(self, week: Week, pause: str, until: str) -> None:
        assert self.end_of_break(calendar(week), pause) == until

    @pytest.mark.parametrize(
        ("week", "pause", "until"),
        [
            # The clocks go from 24:00 to 01:00 on the night to 6 September.
            (every_day("0-24", zone=SANTIAGO), "2026-09-05 10:00", "2026-09-06 01:00"),
            (every_day("0-6", "22-24", zone=SANTIAGO), "2026-09-05 23:00", "2026-09-06 22:00"),
            # Samoa had no 30 December.
            (every_day("0-6", "22-24", zone=APIA), "2011-12-29 23:00", "2011-12-31 22:00"),
            (every_day("0-24", zone=APIA), "2011-12-29 23:00", "2011-12-31 00:00"),
        ],
    )
    def test_the_end_of_a_break_where_a_midnight_or_a_date_does_not_exist(
        self, week: Week, pause: str, until: str
    ) -> None:
        assert self.end_of_break(calendar(week), pause, week.zone) == until

    def test_a_day_off_ends_no_break(self) -> None:
        tuesday, other_hours = date(2026, 11, 3), DayException(hours("10-11"))
        office = calendar(OFFICE_HOURS)
        off = replace(office, exceptions={tuesday: DayException()})
        assert self.end_of_break(off, "2026-11-02 10:00") == "2026-11-04 09:00"
        assert self.end_of_break(off, "2026-11-03 00:30") == "2026-11-04 09:00"
        later = replace(office, exceptions={tuesday: other_hours})
        assert self.end_of_break(later, "2026-11-02 10:00") == "2026-11-03 10:00"

    def test_a_night_shift_before_a_day_off_does_not_end_a_break(self) -> None:
        off = replace(calendar(NIGHTS), exceptions={date(2026, 11, 3): DayException()})
        # The shift of 2 November ends at midnight. On 4 November, the first hours begin at midnight.
        assert self.end_of_break(off, "2026-11-02 23:00") == "2026-11-04 00:00"

    def test_hours_that_begin_with_a_version_end_a_break(self) -> None:
        hours_later = ScheduleVersion(date(2026, 11, 4), OFFICE_HOURS)
        always = replace(calendar(), versions=(hours_later,))
        assert self.end_of_break(always, "2026-11-02 10:00") == "2026-11-04 09:00"
        all_day = replace(calendar(), versions=(replace(hours_later, week=every_day("0-24")),))
        assert self.end_of_break(all_day, "2026-11-02 10:00") == "2026-11-04 00:00"

    def test_a_day_off_where_all_time_counts_ends_no_break(self) -> None:
        off = replace(calendar(), exceptions={date(2026, 11, 3): DayException()})
        assert self.end_of_break(off, "2026-11-02 10:00") is None
        no_longer = ScheduleVersion(date(2026, 11, 3), Week(BERLIN))
        until_tuesday = calendar(OFFICE_HOURS)
        until_tuesday = replace(until_tuesday, versions=(*until_tuesday.versions, no_longer))
        assert self.end_of_break(until_tuesday, "2026-11-02 10:00") is None

    def end_of_break(self, calendar: Calendar, pause: str, zone: str = BERLIN) -> str | None:
        """Return the local time at which the break that begins at ``pause`` ends; None if it never does.

        The derivation has a running timer from then on.
        """
        pause_ms = at(pause, zone)
        carry = Carry(pause_ms, break_ms=pause_ms)
        other = Timer.start(user_id=1, ulid="B", at_ms=pause_ms - DAY, now_ms=pause_ms, by="lead")
        found = standings([other], calendar, carry)["B"]
        assert found.waiting_for is Waiting.BREAK
        if found.changes_ms is None:
            return None
        assert timeline([other], calendar, found.changes_ms + MINUTE, carry).slices == (
            Slice("B", found.changes_ms, found.changes_ms + MINUTE, Rule.ONLY),
        )
        return datetime.fromtimestamp(found.changes_ms / 1000, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")

    def test_a_shift_after_a_break_in_overtime_counts(self) -> None:
        paused = timer("A", ("2026-11-02 22:00", "start"), ("2026-11-03 00:30", "pause"))
        early = timer("C", ("2026-11-04 07:00", "start"), ("2026-11-04 08:00", "pause"))
        timers = [paused, self.other, early]
        counted = worked(timers, OFFICE, "2026-11-02 19:00", "2026-11-05 00:00")
        assert counted == {"A": 2.5, "B": 16, "C": 1}

    def test_a_shift_after_a_break_in_the_night_before_counts(self) -> None:
        paused = timer("A", ("2026-11-02 22:00", "start"), ("2026-11-03 01:00", "pause"))
        other = timer("B", ("2026-11-02 22:00", "start by lead"))
        counted = worked([paused, other], calendar(NIGHTS), "2026-11-02 12:00", "2026-11-04 12:00")
        assert counted == {"A": 3, "B": 8}

    def test_a_break_goes_on_without_the_timer_whose_pause_began_it(self) -> None:
        timers = [self.paused(), self.other]
        remains = deleted(timers[0], timeline(timers, OFFICE, at("2026-11-02 11:00")).slices)
        assert remains is not None
        assert worked([remains, self.other], OFFICE, "2026-11-02 00:00", "2026-11-03 00:00") == {}
        found = standing([remains, self.other], OFFICE, "2026-11-02 11:00")["B"]
        assert (found.waiting_for, found.changes_ms) == (Waiting.BREAK, at("2026-11-03 09:00"))

    def test_a_break_stays_ended_without_the_timer_whose_start_ended_it(self) -> None:
        ended = timer("C", ("2026-11-02 11:00", "start"), ("2026-11-02 12:00", "stop"))
        timers = [self.paused(), self.other, ended]
        remains = deleted(ended, timeline(timers, OFFICE, at("2026-11-02 12:00")).slices)
        assert remains is not None
        counted = worked([self.paused(), self.other, remains], OFFICE, "2026-11-02 00:00", "2026-11-03 00:00")
        assert counted == {"A": 1, "B": 5}

    def test_a_pause_in_the_gap_of_another_timer_is_no_break(self) -> None:
        waiting = timer("C", ("2026-11-02 09:00", "start by lead"), ("2026-11-02 10:30", "pause"))
        own = timer("A", ("2026-11-02 09:00", "start"))
        gap = Claim(at("2026-11-02 10:00"), at("2026-11-02 11:00"), at("2026-11-03 09:00"), counts=False)
        corrected = with_pause(own, gap.since_ms, gap.until_ms, gap.made_ms).timer
        assert corrected.claims == (gap,)
        counted = worked([waiting, corrected], OFFICE, "2026-11-02 00:00", "2026-11-02 12:00")
        assert counted == {"A": 2}

    def test_a_break_of_a_stopped_timer_goes_on(self) -> None:
        stopped = self.paused().stop(at("2026-11-02 10:30"), "closed")
        assert worked([stopped, self.other], OFFICE, "2026-11-02 00:00", "2026-11-03 00:00") == {"A": 1}

    @pytest.mark.parametrize(
        ("began", "pause", "moved", "expected"),
        [
            ("09:00", ("10:00", "11:00"), ("11:15", "11:45"), 7.5),
            ("09:00", ("10:00", "11:00"), ("14:00", "16:00"), 6),
            ("20:00", ("21:00", "22:00"), ("22:30", "23:30"), 5),
        ],
    )
    @pytest.mark.parametrize("others", [0, 1])
    def test_a_pause_that_is_moved_to_a_later_time_ends_its_break(
        self, began: str, pause: tuple[str, str], moved: tuple[str, str], expected: float, others: int
    ) -> None:
        day = "2026-11-02 "
        steps = [(began, "start"), (pause[0], "pause"), (pause[1], "resume")]
        one = timer("A", *((day + time, step) for time, step in steps))
        other = [timer("B", (day + "08:00", "start by lead"))] * others
        since_ms, until_ms = (at(day + time) for time in moved)
        corrected = with_changed_pause(one, 0, since_ms, until_ms, at("2026-11-03 08:00")).timer
        found = worked([corrected, *other], OFFICE, "2026-11-02 00:00", "2026-11-03 08:00")
        assert found["A"] == expected
        midnight = timeline([corrected, *other], OFFICE, at("2026-11-02 22:45"))
        rest = timeline([corrected, *other], OFFICE, at("2026-11-03 08:00"), midnight.carry).slices
        whole = timeline([corrected, *other], OFFICE, at("2026-11-03 08:00")).slices
        assert minutes_of(whole) == minutes_of([*midnight.slices, *rest])


class TestOvertime:
    def test_a_start_by_hand_counts_for_some_hours(self) -> None:
        one = timer("A", ("2026-11-02 20:00", "start"))
        assert worked([one], OFFICE, "2026-11-02 00:00", "2026-11-03 09:00") == {"A": 4}

    @pytest.mark.parametrize("acts", [1, 2])
    def test_overtime_that_was_taken_away_does_not_begin_anew_after_it(self, acts: int) -> None:
        steps = [("2026-11-02 18:00", "start"), ("2026-11-02 18:30", "focus")][:acts]
        one, now = timer("A", *steps), at("2026-11-03 10:00")
        since, until = at(steps[-1][0]), at(steps[-1][0]) + 4 * HOUR_MS
        before = worked([one], OFFICE, "2026-11-01 00:00", "2026-11-03 08:00")["A"]
        paused = with_pause(one, since, until, now).timer
        assert worked([paused], OFFICE, "2026-11-01 00:00", "2026-11-03 08:00").get("A", 0) == before - 4
        undone = without_pause(paused, 0, now).timer
        assert worked([undone], OFFICE, "2026-11-01 00:00", "2026-11-03 08:00")["A"] == before

    def test_working_hours_end_overtime(self) -> None:
        one = timer("A", ("2026-11-03 07:00", "start"), ("2026-11-03 12:00", "pause by unassigned"))
        (early, late) = timeline([one], OFFICE, at("2026-11-04 00:00")).slices
        assert (early.overtime, early.until_ms, late.overtime) == (True, at("2026-11-03 09:00"), False)

    def test_another_act_renews_it(self) -> None:
        one = timer("A", ("2026-11-02 18:30", "start"), ("2026-11-02 21:30", "focus"))
        assert worked([one], OFFICE, "2026-11-02 00:00", "2026-11-03 09:00") == {"A": 7}

    @pytest.mark.parametrize(
        ("steps", "until"),
        [
            ([("2026-11-02 20:00", "start")], "2026-11-03 00:00"),
            ([("2026-11-02 16:00", "start"), ("2026-11-02 17:30", "focus overtime")], "2026-11-02 22:00"),
        ],
    )
    def test_an_own_act_on_github_does_not_end_it(self, steps: list[tuple[str, str]], until: str) -> None:
        """Somebody starts a timer by hand, and then assigns themself or moves their card."""
        one = timer("A", *steps)
        minute = at(steps[-1][0]) + MINUTE
        for at_ms in (minute, at("2026-11-02 21:00")):
            one = one.note_event(Transition(at_ms, Action.START, "assigned", by_owner=True))
        (*_, last) = timeline([one], OFFICE, at("2026-11-03 08:00")).slices
        assert last.until_ms == at(until)
        stands = standing([one], OFFICE, "2026-11-02 21:30")["A"]
        assert stands.act
        assert (stands.rule, stands.act.at_ms, stands.changes_ms) == ("overtime", at(steps[-1][0]), at(until))
        halves = divided(one, at("2026-11-02 21:15"), ulid="Z", now_ms=at("2026-11-03 08:00"))
        assert timeline(halves, OFFICE, at("2026-11-03 08:00")).slices[-1].until_ms == at(until)

    @pytest.mark.parametrize("time", ["2026-11-02 17:55", "2026-11-02 18:05"])
    def test_a_division_keeps_the_wish_to_keep_counting(self, time: str) -> None:
        steps = [("2026-11-02 17:00", "start"), ("2026-11-02 17:30", "focus overtime")]
        one = timer("A", *steps, ("2026-11-02 17:50", "focus"))
        halves = divided(one, at(time), ulid="Z", now_ms=at("2026-11-03 08:00"))
        assert sum(worked(halves, OFFICE, "2026-11-02 00:00", "2026-11-03 08:00").values()) == 5

    def test_a_pause_that_is_removed_no_longer_ends_it(self) -> None:
        steps = [
            ("2026-11-02 20:00", "start"),
            ("2026-11-02 21:00", "pause"),
            ("2026-11-02 23:00", "resume by lead"),
        ]
        one, now = timer("A", *steps), at("2026-11-03 08:00")
        found = [
            worked([each], OFFICE, "2026-11-02 00:00", "2026-11-03 08:00")["A"]
            for each in (one, without_pause(one, 0, now).timer)
        ]
        assert found == [1, 4]

    def test_a_corrected_pause_keeps_the_wish_to_keep_counting(self) -> None:
        steps = [("2026-11-02 17:00", "start"), ("2026-11-02 17:30", "focus overtime")]
        one = timer("A", *steps, ("2026-11-02 17:50", "focus"))
        now = at("2026-11-03 08:00")
        paused = with_pause(one, at("2026-11-02 17:20"), at("2026-11-02 17:55"), now).timer
        undone = without_pause(paused, 0, now).timer
        for corrected, expected in ((paused, 5 - 35 / 60), (undone, 5)):
            found = worked([corrected], OFFICE, "2026-11-02 00:00", "2026-11-03 08:00")["A"]
            assert found == pytest.approx(expected)

    def test_an_assignment_opens_none(self) -> None:
        one = timer("A", ("2026-11-02 20:00", "start by lead"))
        assert worked([one], OFFICE, "2026-11-02 00:00", "2026-11-03 09:00") == {}

    def test_assigning_oneself_opens_none(self) -> None:
        start = Transition(at("2026-11-02 20:00"), Action.START, "assigned", by_owner=True)
        one = replace(timer("A", ("2026-11-02 20:00", "start by assigned")), history=(start,))
        assert worked([one], OFFICE, "2026-11-02 00:00", "2026-11-03 09:00") == {}

    def test_a_start_in_working_hours_opens_none(self) -> None:
        one = timer("A", ("2026-11-02 17:00", "start"))
        assert worked([one], OFFICE, "2026-11-02 00:00", "2026-11-03 09:00") == {"A": 1}

    def test_keeping_on_opens_it_where_working_hours_end(self) -> None:
        one = timer("A", ("2026-11-02 17:00", "start"), ("2026-11-02 17:30", "focus overtime"))
        assert worked([one], OFFICE, "2026-11-02 00:00", "2026-11-03 09:00") == {"A": 5}
        found = standing([one], OFFICE, "2026-11-02 19:00")["A"]
        assert (found.rule, found.changes_ms) == ("overtime", at("2026-11-02 22:00"))

    def test_a_later_act_in_the_same_hours_does_not_take_it_back(self) -> None:
        one = timer(
            "A",
            ("2026-11-02 14:00", "start"),
            ("2026-11-02 16:00", "focus overtime"),
            ("2026-11-02 16:30", "focus"),
        )
        assert worked([one], OFFICE, "2026-11-02 18:00", "2026-11-03 09:00") == {"A": 4}

    def test_outside_of_working_hours_only_overtime_has_the_focus(self) -> None:
        waiting = timer("B", ("2026-11-02 17:00", "start"))
        one = timer("A", ("2026-11-02 16:00", "start by lead"), ("2026-11-02 20:00", "focus"))
        counted = worked([waiting, one], OFFICE, "2026-11-02 18:00", "2026-11-02 21:00")
        assert counted == {"A": 1}


class TestSeveralAtOnce:
    timers = tuple(timer(ulid, ("2026-11-02 09:00", "start by lead")) for ulid in "ABC")

    def test_shared_time_is_divided(self) -> None:
        shared = replace(OFFICE, policies=(Policy(concurrent_timers=ConcurrentTimers.SHARED),))
        until = at("2026-11-02 10:00") + 1
        pieces = timeline(self.timers, shared, until).slices
        assert [piece.working_ms for piece in pieces] == [20 * MINUTE + 1, 20 * MINUTE, 20 * MINUTE]
        assert standings(self.timers, shared, Carry(until))["A"].share == 1 / 3

    def test_parallel_time_counts_fully(self) -> None:
        parallel = replace(OFFICE, policies=(Policy(concurrent_timers=ConcurrentTimers.PARALLEL),))
        counted = worked(self.timers, parallel, "2026-11-02 00:00", "2026-11-02 10:00")
        assert counted == {"A": 1, "B": 1, "C": 1}

    def test_a_new_policy_counts_from_its_moment_on(self) -> None:
        parallel = Policy(at("2026-11-02 10:00"), concurrent_timers=ConcurrentTimers.PARALLEL)
        changed = replace(OFFICE, policies=(*OFFICE.policies, parallel))
        counted = worked(self.timers, changed, "2026-11-02 00:00", "2026-11-02 11:00")
        assert counted == {"A": 2, "B": 1, "C": 1}


class TestClaims:
    def entry(self, ulid: str, since: str, until: str) -> Timer:
        made = finished(
            user_id=1, ulid=ulid, start_ms=at(since), end_ms=at(until), now_ms=at("2026-11-09 00:00")
        )
        return replace(made, claims=(Claim(at(since), at(until), at("2026-11-09 00:00"), counts=True),))

    running = timer("A", ("2026-11-02 09:00", "start"))

    def test_an_entry_counts_in_full_and_automatic_time_yields(self) -> None:
        entry = self.entry("E", "2026-11-02 11:00", "2026-11-02 14:00")
        counted = worked([self.running, entry], OFFICE, "2026-11-02 00:00", "2026-11-02 15:00")
        assert counted == {"A": 3, "E": 3}

    def test_overlapping_entries_count_in_full(self) -> None:
        entries = [self.entry(ulid, "2026-11-07 11:00", "2026-11-07 14:00") for ulid in "EF"]
        assert worked(entries, OFFICE, "2026-11-07 00:00", "2026-11-08 00:00") == {"E": 3, "F": 3}

    def test_a_gap_goes_to_no_other_timer(self) -> None:
        gap = Claim(at("2026-11-02 10:00"), at("2026-11-02 11:00"), at("2026-11-02 12:00"), counts=False)
        timers = [replace(self.running, claims=(gap,)), timer("B", ("2026-11-02 09:00", "start by lead"))]
        assert worked(timers, OFFICE, "2026-11-02 00:00", "2026-11-02 12:00") == {"A": 2}

    def test_a_later_statement_about_the_timer_replaces_the_earlier_one(self) -> None:
        entry = self.entry("E", "2026-11-02 10:00", "2026-11-02 12:00")
        gap = Claim(at("2026-11-02 11:00"), at("2026-11-02 12:00"), at("2026-11-10 12:00"), counts=False)
        corrected = replace(entry, claims=(*entry.claims, gap))
        counted = worked([self.running, corrected], OFFICE, "2026-11-02 00:00", "2026-11-02 12:00")
        assert counted == {"A": 1, "E": 1}

    def test_an_entry_of_the_past_is_no_act(self) -> None:
        paused = timer("P", ("2026-11-02 09:00", "start"), ("2026-11-02 10:00", "pause"))
        other = timer("B", ("2026-11-02 09:00", "start by lead"))
        entry = self.entry("E", "2026-11-02 10:30", "2026-11-02 11:00")
        counted = worked([paused, other, entry], OFFICE, "2026-11-02 00:00", "2026-11-03 00:00")
        assert counted == {"E": 0.5, "P": 1}


class TestDivision:
    def divided(self, one: Timer, at_time: str) -> list[Timer]:
        return [*divided(one, at(at_time), ulid="Z", now_ms=at("2026-11-03 09:00"))]

    def test_overtime_is_not_renewed(self) -> None:
        one = timer("A", ("2026-11-02 20:00", "start"))
        halves = self.divided(one, "2026-11-02 23:00")
        assert worked(halves, OFFICE, "2026-11-02 00:00", "2026-11-03 09:00") == {"A": 3, "Z": 1}

    def test_a_timer_that_waits_keeps_its_act(self) -> None:
        one, other = (
            timer("A", ("2026-11-02 09:00", "start")),
            timer("B", ("2026-11-02 09:30", "start by lead")),
        )
        third = timer("C", ("2026-11-02 10:00", "start"), ("2026-11-02 14:00", "stop by closed"))
        halves = self.divided(one, "2026-11-02 11:00")
        counted = worked([*halves, other, third], OFFICE, "2026-11-02 00:00", "2026-11-02 15:00")
        assert counted == {"A": 1, "C": 3, "Z": 1}

    def test_a_timer_without_acts_keeps_its_beginning(self) -> None:
        one, other = (timer(ulid, (f"2026-11-02 09:0{n}", "start by lead")) for n, ulid in enumerate("AB"))
        halves = self.divided(one, "2026-11-02 11:00")
        counted = worked([*halves, other], OFFICE, "2026-11-02 00:00", "2026-11-02 12:00")
        assert counted == {"A": 2, "Z": 1}

    @pytest.mark.parametrize("time", ["2026-11-03 10:00", "2026-11-04 17:00", "2026-11-05 10:00"])
    def test_a_stale_timer_stays_stale(self, time: str) -> None:
        one, now = timer("A", ("2026-11-02 09:00", "start by lead")), at("2026-11-06 09:00")
        halves = divided(one, at(time), ulid="Z", now_ms=now)
        found = worked(halves, OFFICE, "2026-11-02 00:00", "2026-11-07 00:00")
        assert sum(found.values()) == 24
        assert standing(halves, OFFICE, "2026-11-06 09:00")["Z"].rule == "stale"

    def test_timers_that_are_divided_at_the_same_time_continue_their_own_time(self) -> None:
        every = calendar(weekdays("9-12", "13-18"), concurrent_timers=ConcurrentTimers.PARALLEL)
        stale = timer("A", ("2026-11-02 09:00", "start by lead"))
        fresh = timer("B", ("2026-11-05 09:00", "start by lead"))
        now_ms = at("2026-11-06 09:00")
        halves = [
            half
            for one, ulid in ((stale, "Y"), (fresh, "Z"))
            for half in divided(one, at("2026-11-05 12:00"), ulid=ulid, now_ms=now_ms)
        ]
        whole = worked([stale, fresh], every, "2026-11-02 00:00", "2026-11-06 09:00")
        assert whole == {"A": 24, "B": 8}
        found = worked(halves, every, "2026-11-02 00:00", "2026-11-06 09:00")
        assert found == {"A": 24, "B": 3, "Z": 5}

    def test_a_break_goes_on(self) -> None:
        paused = timer("P", ("2026-11-02 09:00", "start"), ("2026-11-02 10:00", "pause"))
        halves = self.divided(timer("A", ("2026-11-02 08:00", "start")), "2026-11-02 11:00")
        assert worked([paused, *halves], OFFICE, "2026-11-02 10:00", "2026-11-02 12:00") == {}


class TestStale:
    limit = calendar(weekdays("9-12", "13-18"), stale_after_ms=10 * HOUR_MS)

    def test_a_timer_ends_when_the_limit_is_reached(self) -> None:
        one = timer("A", ("2026-11-02 09:00", "start"))
        assert worked([one], self.limit, "2026-11-01 00:00", "2026-11-09 00:00") == {"A": 10}
        carry = timeline([one], self.limit, at("2026-11-09 00:00")).carry
        assert carry.timers["A"].stale_ms == at("2026-11-03 11:00")
        assert standings([one], self.limit, carry)["A"].rule == "stale"

    def test_a_sign_of_life_restarts_it(self) -> None:
        one = replace(timer("A", ("2026-11-02 09:00", "start")), signs=(at("2026-11-03 10:00"),))
        assert worked([one], self.limit, "2026-11-01 00:00", "2026-11-09 00:00") == {"A": 19}

    def test_a_sign_counts_for_its_whole_date(self) -> None:
        one = replace(timer("A", ("2026-11-02 09:00", "start")), signs=(at("2026-11-03 17:00"),))
        assert worked([one], self.limit, "2026-11-01 00:00", "2026-11-03 18:00") == {"A": 16}

    def test_a_sign_after_the_end_does_not_undo_it(self) -> None:
        one = replace(timer("A", ("2026-11-02 09:00", "start")), signs=(at("2026-11-04 10:00"),))
        assert worked([one], self.limit, "2026-11-01 00:00", "2026-11-09 00:00") == {"A": 10}

    def test_a_stale_timer_counts_again_from_the_next_act(self) -> None:
        one = timer("A", ("2026-11-02 09:00", "start"), ("2026-11-05 10:00", "focus"))
        assert worked([one], self.limit, "2026-11-05 00:00", "2026-11-05 12:00") == {"A": 2}

    def test_waiting_time_is_never_stale(self) -> None:
        own = timer("B", ("2026-11-02 09:00", "start"), ("2026-11-03 10:00", "focus"))
        one = timer("A", ("2026-11-02 09:00", "start by lead"))
        carry = timeline([one, own], self.limit, at("2026-11-03 18:00")).carry
        assert carry.timers["A"].stale_ms is None

    def test_the_next_timer_counts_after_a_stale_one(self) -> None:
        timers = [timer(ulid, ("2026-11-02 09:00", "start by lead")) for ulid in "AB"]
        assert worked(timers, self.limit, "2026-11-01 00:00", "2026-11-09 00:00") == {"A": 10, "B": 10}


class TestManyTimers:
    @pytest.mark.parametrize("by", ["lead", "manual"])
    def test_the_work_grows_with_the_running_timers_and_not_with_their_square(
        self, by: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looks = 0
        may_count: property = vars(_Running)["may_count"]

        def counted(one: _Running) -> bool:
            nonlocal looks
            looks += 1
            return bool(may_count.__get__(one))

        monkeypatch.setattr(_Running, "may_count", property(counted))

        def work(size: int) -> int:
            nonlocal looks
            looks = 0
            begin_ms = at("2026-11-02 00:00")
            starts = [begin_ms + 5 * 24 * HOUR_MS * number // size for number in range(size)]
            timers = [
                Timer.start(user_id=1, ulid=f"{number:026}", at_ms=start_ms, now_ms=start_ms, by=by)
                for number, start_ms in enumerate(starts)
            ]
            found = standings(timers, OFFICE, timeline(timers, OFFICE, at("2026-11-07 12:00")).carry)
            assert len(found) == size
            return looks

        assert work(800) < 3 * work(400)

    def test_a_change_is_searched_among_the_timers_that_it_may_concern(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looked: list[str] = []
        look = _Fold.standing

        def counted(fold: _Fold, ulid: str, segment: _Segment, choice: _Choice) -> Standing:
            looked.append(ulid)
            return look(fold, ulid, segment, choice)

        monkeypatch.setattr(_Fold, "standing", counted)
        timers = [timer(f"T{number:03}", ("2026-11-02 09:00", "start")) for number in range(200)]
        found = standings(timers, OFFICE, Carry(at("2026-11-02 10:00")))
        assert [ulid for ulid, one in found.items() if one.is_counting] == ["T000"]
        assert {one.waiting_for for one in found.values()} == {None, Waiting.FOCUS}
        assert len(looked) < 2 * len(timers)

    def test_a_timer_in_an_inserted_pause_is_paused(self) -> None:
        one = timer("A", ("2026-11-02 09:00", "start"), ("2026-11-02 10:00", "pause by correction"))
        assert standing([one], OFFICE, "2026-11-02 11:00")["A"].rule == "paused"


# ---------------------------------------------------------------------- a plain reference

# The clocks of Berlin change in this range. Lord Howe and Kathmandu have unusual offsets.
FIRST = at("2026-10-23 00:00")
MINUTES = 5 * 1440
ZONES = (BERLIN, "Asia/Kathmandu", "Australia/Lord_Howe", SANTIAGO)


@st.composite
def weeks(draw: st.DrawFn) -> Week:
    zone = draw(st.sampled_from(ZONES))
    if draw(st.integers(0, 3)) == 0:
        return Week(zone)
    days = []
    for _ in range(7):
        edges = sorted(draw(st.sets(st.integers(0, 24).map(lambda n: n * 60), max_size=4)))
        days.append(tuple(Interval(*edges[n : n + 2]) for n in range(0, len(edges) - 1, 2)))
    return Week(zone, tuple(days))


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    def policy(from_ms: int) -> Policy:
        return Policy(
            from_ms=from_ms,
            working_hours=draw(weeks()),
            concurrent_timers=draw(st.sampled_from(ConcurrentTimers)),
            overtime_ms=draw(st.integers(0, 4)) * HOUR_MS,
            stale_after_ms=draw(st.integers(1, 30)) * HOUR_MS,
        )

    changes = sorted(draw(st.sets(st.integers(1, MINUTES), max_size=2)))
    dates = sorted(draw(st.sets(st.integers(22, 28), max_size=2)))
    off = draw(st.sets(st.integers(22, 28), max_size=1))
    return Calendar(
        policies=(policy(0), *(policy(FIRST + minute * MINUTE) for minute in changes)),
        versions=tuple(ScheduleVersion(date(2026, 10, day), draw(weeks())) for day in dates),
        exceptions={date(2026, 10, day): DayException() for day in off},
    )


# A request only creates a timer.
_LATER_ACTIONS = [action for action in Action if action is not Action.REQUEST]


@st.composite
def people(draw: st.DrawFn, unit_ms: int = MINUTE) -> list[Timer]:
    """Return the timers of a person, with times that are multiples of a unit.

    In whole minutes, all claims were made after the range. In milliseconds, they were made within it.
    """
    moments = st.integers(0, MINUTES * MINUTE // unit_ms - 1).map(lambda number: FIRST + number * unit_ms)
    timers = []
    for index in range(draw(st.integers(1, 4))):
        times = sorted(draw(st.lists(moments, min_size=1, max_size=6)))
        kinds = st.sampled_from(
            [("manual", False), ("assigned", True), ("assigned", False), ("comment.start", True)]
        )
        by, own = draw(kinds)
        first = Transition(times[0], Action.START, by, by_owner=own)
        if draw(st.integers(0, 3)) == 0:
            first = Transition(times[0], Action.REQUEST, "review_requested")
        started = Timer.start(user_id=1, ulid=f"T{index}", at_ms=times[0], now_ms=times[0], by=first.by)
        made = started.with_state(State.created(first), (first,))
        for time in times[1:]:
            by, own = draw(kinds)
            action = draw(st.sampled_from([*_LATER_ACTIONS, Action.PAUSE, Action.RESUME]))
            step = Transition(time, action, by, by_owner=own, overtime=draw(st.booleans()))
            made = made.apply(step) if made.state.allows(action) else made.note(step)
        claims = []
        for number in range(draw(st.integers(0, 2))):
            since, until = sorted(draw(st.sets(moments, min_size=2, max_size=2)))
            made_ms = FIRST + (MINUTES + number) * MINUTE if unit_ms == MINUTE else draw(moments)
            claims.append(Claim(since, until, made_ms, draw(st.booleans())))
        signs = tuple(sorted(draw(st.sets(moments, max_size=2))))
        timers.append(replace(made, claims=tuple(claims), signs=signs))
    return timers


def reference(  # noqa: C901 - one loop is easiest to compare with the rules
    timers: Sequence[Timer], calendar: Calendar, until_ms: int
) -> dict[str, set[int]]:
    """Return the minutes that count for each timer, by going through all minutes and applying the rules."""
    schedule = calendar.schedule
    working = [*schedule.working(FIRST - DAY, until_ms + 8 * DAY)]

    def span_at(ms: int) -> tuple[int, int] | None:
        return next(((a, b) for a, b in working if a <= ms < b), None)

    states: dict[str, State | None] = dict.fromkeys((one.ulid for one in timers), None)
    act: dict[str, int] = {}
    stretch: dict[str, int] = {}
    overtime: dict[str, tuple[int, int]] = {}
    kept: dict[str, int] = {}
    unsigned: Counter[str] = Counter()
    stale: set[str] = set()
    broken: int | None = None
    begin = beginnings(calendar)
    stated: dict[str, bool] = {}
    found: dict[str, set[int]] = defaultdict(set)
    by_minute: dict[int, list[tuple[str, int, Transition | None]]] = defaultdict(list)
    for one in timers:
        for index, step in enumerate(one.history):
            by_minute[step.at_ms].append((one.ulid, index, step))
        for sign in (*one.signs, *(claim.made_ms for claim in one.claims)):
            by_minute[sign].append((one.ulid, -1, None))

    def eligible(ms: int, policy: Policy) -> list[str]:
        inside = span_at(ms) is not None
        running = [ulid for ulid, state in states.items() if state and state.status is Status.RUNNING]
        able = [
            ulid
            for ulid in running
            if ulid not in stale
            and (inside or (ulid in overtime and overtime[ulid][0] <= ms < overtime[ulid][1]))
        ]
        if policy.concurrent_timers is ConcurrentTimers.FOCUS and able:
            own = [ulid for ulid in able if ulid in act]
            if own:
                latest = max(act[ulid] for ulid in own)
                return [min(ulid for ulid in own if act[ulid] == latest)]
            first = min(stretch[ulid] for ulid in able)
            return [min(ulid for ulid in able if stretch[ulid] == first)]
        return able

    for ms in range(FIRST, until_ms, MINUTE):
        for ulid, _, entry in sorted(by_minute.get(ms, []), key=lambda entry: entry[:2]):
            if (entry is None or entry.by != "sweeper") and ulid not in stale:
                unsigned[ulid] = 0
            if entry is None:
                continue
            step, state = entry, states[ulid]
            before = calendar.policy_at(ms - 1)
            is_focus = before.concurrent_timers is ConcurrentTimers.FOCUS
            effective = state is None or state.allows(step.action)
            by_hand = step.by == "manual" or step.by.startswith("comment.")
            in_gap = any(not counts for other, counts in stated.items() if other != ulid)
            may_break = is_focus and broken is None and not in_gap
            if effective and step.action is Action.PAUSE and by_hand and may_break:
                inside = span_at(ms - 1) is not None
                running = [
                    other
                    for other, its in states.items()
                    if its and its.status is Status.RUNNING and other not in stale
                ]
                able = [
                    other
                    for other in running
                    if inside or (other in overtime and overtime[other][0] <= ms - 1 < overtime[other][1])
                ]
                able.sort(key=lambda o: (0, -act[o], o) if o in act else (1, stretch[o], o))
                if able and able[0] == ulid:
                    broken = ms
            if state is None:
                state = State.created(step._replace(at_ms=ms))
            elif effective:
                state = state.apply(step)
            states[ulid] = state
            if state.status is not Status.RUNNING:
                if effective:
                    for of in (act, stretch, overtime, kept):
                        of.pop(ulid, None)
                continue
            if ulid not in stretch:
                stretch[ulid] = ms
                unsigned[ulid] = 0
                stale.discard(ulid)
            claims = [c for one in timers if one.ulid == ulid for c in one.claims if c[0] <= ms < c[1]]
            if step.is_own and step.action is not Action.PAUSE and step.action is not Action.STOP:
                if claims and claims[-1].counts:
                    continue
                act[ulid] = ms
                broken = None
                unsigned[ulid] = 0
                stale.discard(ulid)
                if by_hand:
                    overtime.pop(ulid, None)
                if step.overtime and by_hand:
                    kept[ulid] = ms
                inside_span = span_at(ms)
                kept_span = span_at(kept[ulid]) if ulid in kept else None
                if by_hand and (inside_span is None or (kept_span and kept_span[1] > ms)):
                    opens = ms if inside_span is None else inside_span[1]
                    ends = opens + calendar.policy_at(opens).overtime_ms
                    ends = min([ends, *(a for a, _ in working if a >= opens)])
                    overtime[ulid] = (opens, ends)
        policy = calendar.policy_at(ms)
        if broken is not None and any(broken < a <= ms for a in begin):
            broken = None
        for one in timers:
            state = states[one.ulid]
            is_over = unsigned[one.ulid] >= policy.stale_after_ms
            if state and state.status is Status.RUNNING and is_over and not signs_later_on_date(one, ms):
                stale.add(one.ulid)
        stated = {}
        for one in timers:
            for claim in one.claims:
                if claim.since_ms <= ms < claim.until_ms:
                    stated[one.ulid] = claim.counts
        if stated:
            for ulid, counts in stated.items():
                if counts:
                    found[ulid].add(ms)
            continue
        if broken is not None and policy.concurrent_timers is ConcurrentTimers.FOCUS:
            continue
        for ulid in eligible(ms, policy):
            found[ulid].add(ms)
            unsigned[ulid] += MINUTE
    return found


def beginnings(calendar: Calendar) -> list[int]:
    """Return the minutes at which the first working hours of each date begin, by going through all minutes.

    Where all time counts because no working hours are set, none begin.
    """
    schedule, first = calendar.schedule, date(2026, 10, 19)
    midnights = [schedule.starts_at(first + timedelta(days=number)) for number in range(11)]
    planned = {
        ms
        for since, until in schedule.planned(midnights[0], midnights[-1])
        for ms in range(since, until, MINUTE)
    }
    found = []
    is_covered = False
    for midnight, end in pairwise(midnights):
        of_date = range(midnight, end, MINUTE)
        begins = (ms for ms in of_date if ms in planned and (ms - MINUTE not in planned))
        found += [midnight] if is_covered and midnight in planned else [*begins][:1]
        is_covered = all(ms in planned for ms in of_date) if of_date else is_covered
    return found


def signs_later_on_date(one: Timer, ms: int) -> bool:
    """Whether a timer has a sign of life later on the same UTC date, for all of which it counts."""
    acts = [step.at_ms for step in one.history if step.by != "sweeper"]
    signs = (*acts, *one.signs, *(claim.made_ms for claim in one.claims))
    return any(ms <= sign and sign // DAY == ms // DAY for sign in signs)


def minutes_of(slices: Iterable[Slice]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for piece in slices:
        found[piece.timer].update(range(piece.since_ms, piece.until_ms, MINUTE))
    return found


def without_shares(calendar: Calendar) -> Calendar:
    """Return the calendar with ``parallel`` instead of ``shared``, whose limits are not in whole minutes."""
    policies = tuple(
        replace(one, concurrent_timers=ConcurrentTimers.PARALLEL)
        if one.concurrent_timers is ConcurrentTimers.SHARED
        else one
        for one in calendar.policies
    )
    return replace(calendar, policies=policies)


@given(people(), calendars().map(without_shares))
def test_the_timeline_is_that_of_the_reference(timers: list[Timer], calendar: Calendar) -> None:
    until_ms = FIRST + MINUTES * MINUTE
    slices = timeline(timers, calendar, until_ms).slices
    assert minutes_of(slices) == reference(timers, calendar, until_ms)


@given(
    st.one_of(people(), people(unit_ms=1)),
    calendars(),
    st.lists(st.integers(0, MINUTES * MINUTE), max_size=4),
)
def test_a_timeline_can_be_continued_at_any_midnight(
    timers: list[Timer], calendar: Calendar, cuts: list[int]
) -> None:
    until_ms = FIRST + MINUTES * MINUTE
    whole = timeline(timers, calendar, until_ms)
    slices: list[Slice] = []
    carry = Carry(FIRST)
    for cut_ms in [*sorted({(FIRST + cut) // DAY * DAY for cut in cuts} - {FIRST}), until_ms]:
        if cut_ms <= carry.at_ms:
            continue
        reaching = [one for one in timers if one.reach.until_ms > carry.at_ms]
        part = timeline(reaching, calendar, cut_ms, carry)
        slices += part.slices
        carry = part.carry
    assert sorted(slices, key=lambda piece: (piece.since_ms, piece.timer)) == list(whole.slices)
    assert carry.break_ms == whole.carry.break_ms
    assert all(whole.carry.timers[ulid] == state for ulid, state in carry.timers.items())


@given(people(unit_ms=1), calendars(), st.integers(0, MINUTES * MINUTE))
def test_a_sign_of_life_of_a_timer_without_time_changes_nothing(
    timers: list[Timer], calendar: Calendar, sign: int
) -> None:
    """Whether such a timer is read depends on where the derivation begins."""
    policies = tuple(replace(one, concurrent_timers=ConcurrentTimers.SHARED) for one in calendar.policies)
    shared, until_ms = replace(calendar, policies=policies), FIRST + MINUTES * MINUTE
    past = finished(
        user_id=1, ulid="Z", start_ms=FIRST - 2, end_ms=FIRST - 1, now_ms=FIRST + sign, by="manual"
    )
    without_it, with_it = timeline(timers, shared, until_ms), timeline([*timers, past], shared, until_ms)
    assert with_it.slices == (
        Slice("Z", FIRST - 2, FIRST - 1, with_it.slices[0].rule, overtime=with_it.slices[0].overtime),
        *without_it.slices,
    )
    assert {**with_it.carry.timers, "Z": None} == {**without_it.carry.timers, "Z": None}


@given(people(), calendars())
def test_automatic_time(timers: list[Timer], calendar: Calendar) -> None:
    until_ms = FIRST + MINUTES * MINUTE
    slices = timeline(timers, calendar, until_ms).slices
    automatic = [piece for piece in slices if piece.rule.value != "claim"]
    by_policy: dict[ConcurrentTimers, list[Slice]] = defaultdict(list)
    for piece in automatic:
        by_policy[calendar.policy_at(piece.since_ms).concurrent_timers].append(piece)
    for earlier, later in pairwise(sorted(by_policy[ConcurrentTimers.FOCUS], key=lambda p: p.since_ms)):
        assert earlier.until_ms <= later.since_ms
    shared = by_policy[ConcurrentTimers.SHARED]
    spans = {(piece.since_ms, piece.until_ms) for piece in shared}
    assert sum(piece.working_ms for piece in shared) == sum(until - since for since, until in spans)
    for one in timers:
        if not one.claims:
            working = sum(piece.working_ms for piece in slices if piece.timer == one.ulid)
            assert working <= one.active_ms(until_ms)


def deleted(one: Timer, slices: Sequence[Slice]) -> Timer | None:
    """Return what a deletion leaves of a timer; None if it leaves nothing."""
    own, others = (
        [Span(piece.since_ms, piece.until_ms) for piece in slices if (piece.timer == one.ulid) is is_own]
        for is_own in (True, False)
    )
    counted = list(joined(without(own, others)))
    item = tombstone(user_pk(1), timer_sk(one.ulid), one.changed_ms, None, counted, lasting(one, counted))
    return to_gaps(item) if "about" in item else None


@settings(max_examples=400)
@given(people(), calendars())
def test_a_deletion_gives_time_to_no_other_timer(timers: list[Timer], calendar: Calendar) -> None:
    """Breaks that the deleted timer began or ended stay as they were."""
    calendar = replace(
        calendar, policies=(replace(calendar.policies[0], concurrent_timers=ConcurrentTimers.FOCUS),)
    )
    timers = [replace(one, claims=()) for one in timers]
    instants = [done.at_ms for one in timers for done in one.history]
    assume(len(instants) == len(set(instants)))
    until_ms = FIRST + MINUTES * MINUTE
    slices = timeline(timers, calendar, until_ms).slices
    before = minutes_of(slices)
    for one in timers:
        remains = deleted(one, slices)
        if remains is not None:
            others = [other for other in timers if other is not one]
            after = timeline([*others, remains], calendar, until_ms).slices
            assert minutes_of(after) == {ulid: known for ulid, known in before.items() if ulid != one.ulid}


@given(people(), calendars(), st.integers(0, MINUTES * MINUTE), st.integers(0, MINUTES * MINUTE))
def test_parts_of_a_range_add_up(timers: list[Timer], calendar: Calendar, one: int, two: int) -> None:
    first, second = sorted((FIRST + one, FIRST + two))
    whole = timeline(timers, calendar, second)
    begun = timeline(timers, calendar, first)

    def between(slices: Iterable[Slice], since: int, until: int) -> Counter[str]:
        sums = Counter[str]()
        for piece in slices:
            sums[piece.timer] += piece.working_between(since, until)
        return +sums

    assert between(begun.slices, 0, first) == between(whole.slices, 0, first)
    assert between(whole.slices, 0, first) + between(whole.slices, first, second) == between(
        whole.slices, 0, second
    )
    totals = {ulid: state.working_ms for ulid, state in whole.carry.timers.items() if state.working_ms}
    assert between(whole.slices, 0, second) == totals


@given(people(), calendars(), st.integers(0, MINUTES))
def test_the_next_change_is_where_the_timeline_changes(
    timers: list[Timer], calendar: Calendar, minute: int
) -> None:
    now_ms = FIRST + minute * MINUTE
    known = [
        replace(one, history=history, status=Status.RUNNING, end_ms=None)
        for one in timers
        if (history := tuple(step for step in one.history if step.at_ms < now_ms))
        and all(step.action is not Action.STOP for step in history)
    ]
    known = [replace(one, claims=(), signs=()) for one in known]
    carry = timeline(known, calendar, now_ms).carry
    after = timeline(known, calendar, now_ms + 3 * DAY, carry).slices
    for ulid, one in standings(known, calendar, carry).items():
        until_ms = min(one.changes_ms or now_ms + 3 * DAY, now_ms + 3 * DAY)
        counted = sum(piece.working_between(now_ms, until_ms) for piece in after if piece.timer == ulid)
        assert abs(counted - one.share * (until_ms - now_ms)) < 200
