"""Weeks and intervals of working hours as people write them: ``"mon": [["09:00", "12:30"]]``."""

import re
from collections.abc import Mapping, Sequence

from timer_core.domain.errors import ErrorCode, InvalidInput
from timer_core.domain.schedule import DAY_MINUTES, Interval, Week, normalized
from timer_core.domain.totals import time_zone

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# More intervals would make the items of people with many versions too large.
MAX_INTERVALS = 10
_TIME = re.compile(r"(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")


def parse_week(zone: str, days: Mapping[str, Sequence[Sequence[str]]], *, prefix: str = "") -> Week:
    """Return a week, given the intervals of its days; days without intervals may be omitted.

    An interval that ends before it begins ends on the next day. Then its second part belongs to the next
    weekday.

    Parameters
    ----------
    zone
        The IANA name of the time zone.
    prefix
        The path of the object that has the members ``time_zone`` and ``week``, for errors.

    Raises
    ------
    InvalidInput
        If the zone or a time does not exist, or intervals of a day overlap. The error names the weekday.
    """
    check_zone(zone, prefix=prefix)
    found: list[list[Interval]] = [[] for _ in WEEKDAYS]
    for number, weekday in enumerate(WEEKDAYS):
        for pair in days.get(weekday, ()):
            since, until = _parse_pair(pair, f"{prefix}week.{weekday}")
            if since < until:
                found[number].append(Interval(since, until))
                continue
            found[number].append(Interval(since, DAY_MINUTES))
            if until:
                found[(number + 1) % len(WEEKDAYS)].append(Interval(0, until))
    return Week(
        zone,
        tuple(
            _normalized(intervals, f"{prefix}week.{weekday}")
            for weekday, intervals in zip(WEEKDAYS, found, strict=True)
        ),
    )


def check_zone(zone: str, *, prefix: str = "") -> None:
    """Check that a time zone exists.

    Raises
    ------
    InvalidInput
        If it does not exist; ``prefix`` is as in `parse_week`.
    """
    try:
        time_zone(zone)
    except InvalidInput as error:
        raise InvalidInput(f"{prefix}{error.field}", error.message, error.code) from None


def parse_intervals(pairs: Sequence[Sequence[str]], *, field: str) -> tuple[Interval, ...]:
    """Return the intervals of a single date.

    Raises
    ------
    InvalidInput
        If a time does not exist, an interval ends before it begins, or intervals overlap.
    """
    intervals = [Interval(*_parse_pair(pair, field)) for pair in pairs]
    if any(interval.since >= interval.until for interval in intervals):
        message = "Must end after it begins; for a night, end at 24:00 and continue on the next date."
        raise InvalidInput(field, message, ErrorCode.END_BEFORE_START)
    return _normalized(intervals, field)


def format_week(week: Week) -> dict[str, list[list[str]]] | None:
    """Return the intervals of each weekday; None if all time counts."""
    if week.days is None:
        return None
    return {weekday: format_intervals(day) for weekday, day in zip(WEEKDAYS, week.days, strict=True)}


def format_intervals(intervals: Sequence[Interval]) -> list[list[str]]:
    """Return intervals as pairs of local times."""
    return [[_format_time(since), _format_time(until)] for since, until in intervals]


def _parse_pair(pair: Sequence[str], field: str) -> tuple[int, int]:
    if len(pair) != 2:
        message = "Must be pairs of a beginning and an end."
        raise InvalidInput(field, message, ErrorCode.INVALID_TIME_OF_DAY)
    since, until = (_parse_time(text, field) for text in pair)
    if since == until:
        raise InvalidInput(field, "An interval must not be empty.", ErrorCode.END_BEFORE_START)
    if since == DAY_MINUTES:
        raise InvalidInput(field, "24:00 can only be an end.", ErrorCode.INVALID_TIME_OF_DAY)
    return since, until


def _parse_time(text: str, field: str) -> int:
    match = _TIME.fullmatch(text)
    if match is None:
        message = "Must be times from 00:00 to 24:00, such as 09:00."
        raise InvalidInput(field, message, ErrorCode.INVALID_TIME_OF_DAY)
    return DAY_MINUTES if match[1] is None else int(match[1]) * 60 + int(match[2])


def _format_time(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _normalized(intervals: Sequence[Interval], field: str) -> tuple[Interval, ...]:
    try:
        found = normalized(intervals)
    except ValueError:
        raise InvalidInput(field, "Intervals must not overlap.", ErrorCode.INTERVALS_OVERLAP) from None
    if len(found) > MAX_INTERVALS:
        message = f"Must have at most {MAX_INTERVALS} intervals."
        raise InvalidInput(field, message, ErrorCode.TOO_MANY_VALUES)
    return found
