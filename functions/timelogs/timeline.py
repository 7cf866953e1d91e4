"""The timeline: which time counted, and for which timer.

The reply consists of plain dictionaries, whose members `routes.timeline` describes.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from timelogs.periods import elapsed_part, limit_long, period_between
from timelogs.shared import calendars, timesheets
from timer_core.api.replies import Reply
from timer_core.api.requests import Request
from timer_core.api.times import format_ms
from timer_core.domain.errors import ErrorCode, InvalidInput
from timer_core.domain.ids import timer_id
from timer_core.domain.schedule import DAY, DAY_MS, Span, instant, local_date
from timer_core.domain.timeline import Slice
from timer_core.domain.timers import Period, without
from timer_core.domain.totals import time_zone as find_zone
from timer_core.store.timesheets import Worked

_LONGEST_TIMELINE_MS = 366 * DAY_MS
# The beginning of the year 2200, in which calendars end.
_CALENDAR_END_MS = 7_258_118_400_000


def get_timeline(request: Request, parameters: Mapping[str, Any]) -> Reply:
    """Return which time counted, and for which timer.

    Parameters
    ----------
    parameters
        Those of `routes.timeline.get_timeline` that are given, with times in milliseconds since the epoch.
    """
    now, user_id = request.now_ms, request.caller.user_id
    since_ms, until_ms, time_zone = map(parameters.get, ("since", "until", "time_zone"))
    for field, ms in (("since", since_ms), ("until", until_ms)):
        if ms is not None and ms > _CALENDAR_END_MS:
            raise InvalidInput(field, "Must not be after 2199.", ErrorCode.OUT_OF_RANGE)
    zone = None if time_zone is None else find_zone(time_zone).key
    if since_ms is None or until_ms is None:
        known_ms = since_ms if since_ms is not None else now if until_ms is None else until_ms - 1
        day_ms, following_ms = _day_around(known_ms, user_id, zone)
        since_ms = day_ms if since_ms is None else since_ms
        until_ms = following_ms if until_ms is None else until_ms
    period = period_between(since_ms, until_ms)
    if until_ms - since_ms > _LONGEST_TIMELINE_MS:
        raise InvalidInput("since", "Must be at most 366 days before until.", ErrorCode.OUT_OF_RANGE)
    limit_long(request, elapsed_part(period, now))
    worked = timesheets.worked(user_id, period, now_ms=now)
    return Reply(HTTPStatus.OK, _timeline(worked, period, user_id, now))


def _day_around(at_ms: int, user_id: int, zone: str | None) -> tuple[int, int]:
    """Return the beginning and the end of the day of an instant, by default in the working hours' zone."""
    if zone is not None:
        day = local_date(zone, at_ms)
        return instant(zone, day, 0), instant(zone, day + DAY, 0)
    schedule = calendars.of(user_id).schedule
    date = schedule.day_of(at_ms)
    return schedule.starts_at(date), schedule.starts_at(date + DAY)


def _timeline(worked: Worked, period: Period, user_id: int, now_ms: int) -> dict[str, Any]:
    """Return the representation of a person's working time in a period."""
    working = [*worked.calendar.schedule.planned(*period)]
    elapsed = [Span(span.since_ms, min(span.until_ms, now_ms)) for span in working if span.since_ms < now_ms]
    counted = [Span(piece.since_ms, piece.until_ms) for piece in worked.slices]
    return {
        "since": format_ms(period.since_ms),
        "until": format_ms(period.until_ms),
        "working_duration": sum(piece.working_ms for piece in worked.slices) / 1000,
        "overtime_duration": sum(piece.working_ms for piece in worked.slices if piece.overtime) / 1000,
        "slices": [_slice(piece, user_id) for piece in worked.slices],
        "gaps": [_span(span) for span in without(elapsed, counted)],
        "working_hours": [_span(span) for span in working],
    }


def _slice(piece: Slice, user_id: int) -> dict[str, Any]:
    return {
        "from": format_ms(piece.since_ms),
        "until": format_ms(piece.until_ms),
        "timer": timer_id(user_id, piece.timer),
        "share": 1 / piece.of,
        "working_duration": piece.working_ms / 1000,
        "rule": piece.rule,
        "overtime": piece.overtime,
    }


def _span(span: Span) -> dict[str, Any]:
    return {"from": format_ms(span.since_ms), "until": format_ms(span.until_ms)}
