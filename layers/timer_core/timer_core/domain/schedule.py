"""Working hours: a weekly schedule in local time, its versions, and exceptions of single days.

Times of day are minutes since local midnight, from 0 to 1440 (``24:00``). Instants are milliseconds since the
epoch (UTC). All arithmetic uses instants, so a day on which the clocks change is shorter or longer than
24 hours, and no time is lost or counted twice.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property, lru_cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

DAY_MINUTES = 1440
MINUTE_MS = 60_000
DAY = timedelta(days=1)
DAY_MS = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
# Instants before this one and after this one are not converted to local time, because a date has the years 1
# to 9999.
_FIRST_MS = -62_000_000_000_000
_LAST_MS = 253_300_000_000_000


class Interval(NamedTuple):
    """A half-open interval of local time on one day, in minutes since midnight."""

    since: int
    until: int


class Span(NamedTuple):
    """A half-open interval of time between two instants."""

    since_ms: int
    until_ms: int


ALL_DAY = (Interval(0, DAY_MINUTES),)


@dataclass(frozen=True, slots=True)
class Week:
    """The working hours of a week in a time zone.

    Attributes
    ----------
    zone
        The IANA name of the time zone.
    days
        The intervals of each weekday, Monday first: sorted, not overlapping. None if all time counts.
    """

    zone: str
    days: tuple[tuple[Interval, ...], ...] | None = None

    def intervals(self, day: date) -> tuple[Interval, ...]:
        """Return the intervals of a date without an exception."""
        return ALL_DAY if self.days is None else self.days[day.weekday()]


# Without working hours, all time counts, and days are those of UTC.
ALWAYS = Week("UTC")


@dataclass(frozen=True, slots=True)
class ScheduleVersion:
    """A person's working hours from the first instant of a date in their zone.

    Attributes
    ----------
    begins_ms
        The end of the day before, from which the version holds instead, because that day was confirmed when
        the version was set; None if it was not. Another zone would move the end.
    """

    valid_from: date
    week: Week
    begins_ms: int | None = None

    @property
    def from_ms(self) -> int:
        """The instant from which this version holds."""
        first_ms = instant(self.week.zone, self.valid_from, 0)
        return first_ms if self.begins_ms is None else self.begins_ms


@dataclass(frozen=True, slots=True)
class DayException:
    """Other working hours on one date, for example none on a holiday."""

    intervals: tuple[Interval, ...] = ()
    reason: str = ""


class Era(NamedTuple):
    """A period in which the same week of working hours holds."""

    since_ms: int
    until_ms: int
    week: Week
    is_own: bool


@dataclass(frozen=True)
class Schedule:
    """A person's working hours at any time.

    Attributes
    ----------
    defaults
        The organization's working hours, each with the instant from which they hold, sorted by it. They hold
        for the person until the person's first version.
    versions
        The person's own versions, sorted by date.
    exceptions
        The person's exceptions by date. They belong to the person, not to a version.
    """

    defaults: tuple[tuple[int, Week], ...] = ()
    versions: tuple[ScheduleVersion, ...] = ()
    exceptions: Mapping[date, DayException] = field(default_factory=dict)

    @cached_property
    def eras(self) -> Sequence[Era]:
        """Periods in which the same week holds, which together cover all time."""
        starts = [(_FIRST_MS, ALWAYS, False)]
        starts += [(from_ms, week, False) for from_ms, week in self.defaults]
        for version in self.versions:
            from_ms = version.from_ms
            # A version ends all earlier ones, even those that begin later in another time zone.
            starts = [start for start in starts if start[0] < from_ms]
            starts.append((from_ms, version.week, True))
        first_own = next((start[0] for start in starts if start[2]), _LAST_MS)
        starts = [start for start in starts if start[2] or start[0] < first_own]
        ends = [start[0] for start in starts[1:]] + [_LAST_MS]
        return [
            Era(since_ms, until_ms, week, is_own)
            for (since_ms, week, is_own), until_ms in zip(starts, ends, strict=True)
            if since_ms < until_ms
        ]

    def era_at(self, at_ms: int) -> Era:
        """Return the period with the same week that contains an instant."""
        eras = self.eras
        return next((era for era in reversed(eras) if era.since_ms <= at_ms), eras[0])

    def working(self, since_ms: int, until_ms: int) -> Iterator[Span]:
        """Yield the working hours between two instants, in order. Adjacent intervals are one span."""
        return joined(self._pieces(since_ms, until_ms))

    def planned(self, since_ms: int, until_ms: int) -> Iterator[Span]:
        """Yield the working hours between two instants, except where all time counts because none are set."""
        chosen = (era for era in self.eras if era.week.days is not None)
        spans = (Span(max(since_ms, era.since_ms), min(until_ms, era.until_ms)) for era in chosen)
        return joined(
            piece for span in spans if span.since_ms < span.until_ms for piece in self._pieces(*span)
        )

    def beginnings(self, since_ms: int, until_ms: int) -> Iterator[int]:
        """Yield when the first working hours of each date begin, between two instants (exclusive).

        Hours that continue those of the date before do not begin, unless they have covered all of that date:
        then they begin at midnight. Where all time counts because no working hours are set, none begin.
        """
        if all(era.week.days is None for era in self.eras):
            return
        begun: date | None = None
        for span in self.planned(self.starts_at(self.day_of(since_ms) - DAY), until_ms):
            at_ms = span.since_ms
            while at_ms < span.until_ms:
                day = self.day_of(at_ms)
                if day != begun and at_ms > since_ms:
                    yield at_ms
                begun, end_ms = day, self.starts_at(day + DAY)
                covers_day = at_ms == self.starts_at(day)
                at_ms = end_ms if covers_day else self.starts_at(self.day_of(end_ms) + DAY)

    def is_working(self, at_ms: int) -> bool:
        """Whether an instant lies in working hours."""
        return next(self.working(at_ms, at_ms + 1), None) is not None

    def day_of(self, at_ms: int) -> date:
        """Return the date of an instant. The date is that of the person's timesheet."""
        era = self.era_at(at_ms)
        day = local_date(era.week.zone, at_ms)
        # On the last date of an era, the next era may have begun, with the same date or a later one.
        while self.starts_at(day) > at_ms:
            day -= DAY
        while self.starts_at(day + DAY) <= at_ms:
            day += DAY
        return day

    def starts_at(self, day: date) -> int:
        """Return the first instant of a date, in the zone of the week that holds on this date.

        A day ends with the first instant of the next one, so no time lies between two days, even if the zone
        changes. If the next date begins first, because it has a zone far to the east, the day is empty.
        """
        return min(self._midnight(day), self._midnight(day + DAY))

    def week_of(self, day: date) -> Week:
        """Return the week that holds at the beginning of a date, and determines its time zone."""
        if own := self._version_of(day):
            return own.week
        midnight_ms = instant("UTC", day, 0)
        return next((week for from_ms, week in reversed(self.defaults) if from_ms <= midnight_ms), ALWAYS)

    def _version_of(self, day: date) -> ScheduleVersion | None:
        return next((own for own in reversed(self.versions) if own.valid_from <= day), None)

    @cached_property
    def _midnights(self) -> dict[date, int]:
        """The first instants of dates, as far as they have been asked for."""
        return {}

    def _midnight(self, day: date) -> int:
        known = self._midnights
        if day not in known:
            own = self._version_of(day)
            if own and own.valid_from == day:
                known[day] = own.from_ms
            else:
                known[day] = instant(self.week_of(day).zone, day, 0)
        return known[day]

    def _pieces(self, since_ms: int, until_ms: int) -> Iterator[Span]:
        """Yield the intervals of working hours between two instants, in order, without joining them."""
        for era in self.eras:
            first_ms, last_ms = max(since_ms, era.since_ms), min(until_ms, era.until_ms)
            if first_ms >= last_ms:
                continue
            if era.week.days is None and not self.exceptions:
                yield Span(first_ms, last_ms)
                continue
            for span in self._of_era(era, first_ms, last_ms):
                clipped = Span(max(span.since_ms, first_ms), min(span.until_ms, last_ms))
                if clipped.since_ms < clipped.until_ms:
                    yield clipped

    def _of_era(self, era: Era, first_ms: int, last_ms: int) -> Iterator[Span]:
        zone = era.week.zone
        day = local_date(zone, first_ms) - DAY
        while instant(zone, day, 0) < last_ms:
            exception = self.exceptions.get(day)
            for interval in era.week.intervals(day) if exception is None else exception.intervals:
                yield Span(instant(zone, day, interval.since), instant(zone, day, interval.until))
            day += DAY


def joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Join spans that touch or overlap; they are sorted by their beginnings."""
    current: Span | None = None
    for span in spans:
        if current is None:
            current = span
        elif span.since_ms <= current.until_ms:
            current = Span(current.since_ms, max(current.until_ms, span.until_ms))
        else:
            yield current
            current = span
    if current is not None:
        yield current


def normalized(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Sort intervals of one day and join those that touch.

    Raises
    ------
    ValueError
        If two of them overlap, or one is empty.
    """
    ordered = sorted(intervals)
    if any(interval.since >= interval.until for interval in ordered):
        raise ValueError("An interval must end after its beginning.")
    if any(later.since < earlier.until for earlier, later in pairwise(ordered)):
        raise ValueError("Two intervals overlap.")
    joined: list[Interval] = []
    for interval in ordered:
        if joined and joined[-1].until == interval.since:
            joined[-1] = Interval(joined[-1].since, interval.until)
        else:
            joined.append(interval)
    return tuple(joined)


def midnight(at_ms: int) -> int:
    """Return the beginning of the UTC day that contains an instant."""
    return at_ms - at_ms % DAY_MS


def local_date(zone: str, at_ms: int) -> date:
    """Return the date of an instant in a time zone."""
    return _local(zone, min(max(at_ms, _FIRST_MS), _LAST_MS)).date()


def instant(zone: str, day: date, minute: int) -> int:
    """Return the instant of a local time.

    A local time that the clocks skip is the end of the gap. A local time that occurs twice is its first
    instant. (PEP 495 calls the two interpretations of such a time its folds.)
    """
    midnight_ms, is_regular = _day_in(zone, day)
    return midnight_ms + minute * MINUTE_MS if is_regular else _instant(zone, day, minute)


@lru_cache(maxsize=5_000)
def _day_in(zone: str, day: date) -> tuple[int, bool]:
    """Return the first instant of a date, and whether the clocks do not change on it."""
    midnight_ms = _instant(zone, day, 0)
    return midnight_ms, _instant(zone, day, DAY_MINUTES) - midnight_ms == DAY_MINUTES * MINUTE_MS


def _instant(zone: str, day: date, minute: int) -> int:
    local = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)  # noqa: DTZ001 - local time
    tz = _zone(zone)
    first, second = (local.replace(tzinfo=tz, fold=fold) for fold in (0, 1))
    first_ms, second_ms = ((moment.astimezone(UTC) - _EPOCH) // _MS for moment in (first, second))
    # In a gap, the first interpretation has the offset from before the gap, and is the later instant.
    return _end_of_gap(tz, second_ms, first_ms) if second_ms < first_ms else first_ms


def _end_of_gap(tz: ZoneInfo, before_ms: int, after_ms: int) -> int:
    """Return the instant between two others at which the clocks change."""
    offset = _at(tz, before_ms).utcoffset()
    while after_ms - before_ms > 1:
        middle_ms = (before_ms + after_ms) // 2
        if _at(tz, middle_ms).utcoffset() == offset:
            before_ms = middle_ms
        else:
            after_ms = middle_ms
    return after_ms


def _local(zone: str, at_ms: int) -> datetime:
    return _at(_zone(zone), at_ms)


def _at(tz: ZoneInfo, at_ms: int) -> datetime:
    return (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(tz)


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
