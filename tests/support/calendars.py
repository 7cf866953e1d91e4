"""Changes of a person's calendar."""

from collections.abc import Mapping
from datetime import date

from timer_core.domain.calendar import AssignmentStarts
from timer_core.domain.own_calendar import OwnCalendar
from timer_core.domain.schedule import DayException, ScheduleVersion
from timer_core.store.calendars import Calendars, with_choice


def put_version(calendars: Calendars, user_id: int, version: ScheduleVersion, *, now_ms: int) -> OwnCalendar:
    return calendars.change(user_id, lambda own: own.with_version(version), now_ms=now_ms)


def put_exceptions(
    calendars: Calendars, user_id: int, exceptions: Mapping[date, DayException | None], *, now_ms: int
) -> OwnCalendar:
    return calendars.change(user_id, lambda own: own.with_exceptions(exceptions), now_ms=now_ms)


def put_assignment_starts(
    calendars: Calendars, user_id: int, choice: AssignmentStarts | None, *, now_ms: int
) -> OwnCalendar:
    return calendars.change(user_id, lambda own: with_choice(own, choice, now_ms=now_ms), now_ms=now_ms)
