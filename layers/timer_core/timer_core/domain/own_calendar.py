"""A person's own part of the calendar: working hours, exceptions and settings, and their changes."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from timer_core.domain.calendar import AssignmentStarts, Calendar, Policy
from timer_core.domain.confirmed import ConfirmedRange, altered_days, without_lifted
from timer_core.domain.errors import ErrorCode, InvalidInput
from timer_core.domain.schedule import DAY, DayException, Schedule, ScheduleVersion, instant
from timer_core.domain.timeline import Slice

MAX_VERSIONS = 200
MAX_EXCEPTIONS = 1_000
MAX_CHOICES = 200
# A date begins at most 14 hours before it begins in UTC (IANA, "Pacific/Kiritimati").
_EARLIEST_ZONE_MS = 14 * 3_600_000


@dataclass(frozen=True, slots=True)
class DayDifference:
    """The working time of a date before and after a change of a calendar."""

    date: date
    before_ms: int
    after_ms: int


@dataclass(frozen=True, slots=True)
class OwnCalendar:
    """A person's own working hours, exceptions and settings.

    Attributes
    ----------
    versions, exceptions, assignment_starts
        As in `Calendar`.
    chosen
        Whether the person has decided about working hours, be it that all time counts.
    version
        The number of changes.
    confirmed
        The confirmed days, sorted. They are not changed together with the rest.
    details_from_ms
        The UTC midnight before which details are deleted (`timer_core.domain.retention`); 0 if none are.
    """

    versions: tuple[ScheduleVersion, ...] = ()
    exceptions: Mapping[date, DayException] = field(default_factory=dict)
    assignment_starts: tuple[tuple[int, AssignmentStarts | None], ...] = ()
    chosen: bool = False
    version: int = 0
    confirmed: tuple[ConfirmedRange, ...] = ()
    details_from_ms: int = 0

    def calendar(self, policies: tuple[Policy, ...]) -> Calendar:
        """Return the person's calendar under the organization's settings."""
        return Calendar(policies, self.versions, self.exceptions, self.assignment_starts)

    @property
    def assignment_choice(self) -> AssignmentStarts | None:
        """The person's present choice of the assignments that start a timer; None: the organization's."""
        return self.assignment_starts[-1][1] if self.assignment_starts else None

    def with_version(self, version: ScheduleVersion) -> "OwnCalendar":
        """Return the calendar with a version, which replaces the one with the same date.

        If the date before is confirmed, the version holds from the end of this day on, so that another zone
        does not move it.

        Raises
        ------
        InvalidInput
            If there would be more than `MAX_VERSIONS`.
        """
        others = [other for other in self.versions if other.valid_from != version.valid_from]
        if len(others) >= MAX_VERSIONS:
            message = f"You have {MAX_VERSIONS} versions of your working hours already; delete one first."
            raise InvalidInput("valid_from", message, ErrorCode.TOO_MANY_VALUES)
        ends = (one.until_ms for one in self.confirmed if one.last == version.valid_from - DAY)
        ends_ms = next(ends, version.from_ms)
        version = replace(version, begins_ms=None if ends_ms == version.from_ms else ends_ms)
        ordered = sorted([*others, version], key=lambda one: one.valid_from)
        return replace(self, versions=tuple(ordered), chosen=True)

    def without_version(self, valid_from: date) -> "OwnCalendar":
        """Return the calendar without the version of a date."""
        kept = tuple(version for version in self.versions if version.valid_from != valid_from)
        return replace(self, versions=kept)

    def with_exceptions(self, exceptions: Mapping[date, DayException | None]) -> "OwnCalendar":
        """Return the calendar with other exceptions on some dates; None removes the exception of a date.

        Raises
        ------
        InvalidInput
            If there would be more than `MAX_EXCEPTIONS`.
        """
        merged = {**self.exceptions, **exceptions}
        kept = {day: exception for day, exception in sorted(merged.items()) if exception is not None}
        if len(kept) > MAX_EXCEPTIONS:
            message = f"You can have up to {MAX_EXCEPTIONS} exceptions; delete some first."
            raise InvalidInput("exceptions", message, ErrorCode.TOO_MANY_VALUES)
        return replace(self, exceptions=kept)

    def with_assignment_starts(
        self, choice: AssignmentStarts | None, *, now_ms: int, forget_before_ms: int
    ) -> "OwnCalendar":
        """Return the calendar with a choice of the assignments that start a timer, from now on.

        Parameters
        ----------
        forget_before_ms
            The time before which events are locked. Choices that held only before it decide nothing.

        Raises
        ------
        InvalidInput
            If there were more than `MAX_CHOICES` since ``forget_before_ms``.
        """
        if choice == self.assignment_choice:
            return self
        # The clocks of two functions may differ. The later write must also be the later choice.
        from_ms = max(now_ms, self.assignment_starts[-1][0] + 1) if self.assignment_starts else now_ms
        choices = (*self.assignment_starts, (from_ms, choice))
        forgotten = max(sum(start_ms <= forget_before_ms for start_ms, _ in choices) - 1, 0)
        kept = choices[forgotten:]
        if len(kept) > MAX_CHOICES:
            message = f"Cannot be changed more than {MAX_CHOICES} times in a month."
            raise InvalidInput("assignment_starts", message, ErrorCode.TOO_MANY_VALUES)
        return replace(self, assignment_starts=kept)


def changed_from_ms(before: OwnCalendar, after: OwnCalendar) -> int | None:
    """Return the instant before which a change of a calendar alters no working hours.

    None means that the change alters none at all.
    """
    return min(_changed_instants(before, after), default=None)


def _changed_instants(before: OwnCalendar, after: OwnCalendar) -> Iterator[int]:
    for version in set(before.versions) ^ set(after.versions):
        yield version.from_ms
    for day in before.exceptions.keys() | after.exceptions.keys():
        exceptions = before.exceptions.get(day), after.exceptions.get(day)
        if len({None if one is None else one.intervals for one in exceptions}) > 1:
            yield instant("UTC", day, 0) - _EARLIEST_ZONE_MS


def confirmed_conflicts(
    before: OwnCalendar, after: OwnCalendar, policies: tuple[Policy, ...], locked_until: date | None
) -> Iterator[date]:
    """Yield the confirmed and the locked dates whose hours or borders a change of a calendar would alter.

    Parameters
    ----------
    locked_until
        The last date that is locked; None if none is.
    """
    changed_ms = changed_from_ms(before, after)
    if changed_ms is None:
        return
    old, new = (own.calendar(policies).schedule for own in (before, after))
    ranges = list(without_lifted(before.confirmed, locked_until))
    if locked_until is not None:
        # A changed date may begin earlier in another zone, and ends the one before it.
        first = min(old.day_of(changed_ms) - 2 * DAY, locked_until)
        locked = ConfirmedRange(first, locked_until, old.starts_at(first), old.starts_at(locked_until + DAY))
        ranges = [locked, *(one for one in ranges if one.last > locked_until)]
    yield from altered_days(ranges, old, new, changed_ms)


def differing_days(
    before: Iterable[Slice], after: Iterable[Slice], schedule: Schedule
) -> list[DayDifference]:
    """Return the dates whose working time a change of a calendar alters, in order.

    Parameters
    ----------
    before, after
        The calendars without and with the change.
    schedule
        The working hours after the change, whose dates are used for both.
    """
    sums = _working_by_date(before, schedule), _working_by_date(after, schedule)
    days = (DayDifference(day, sums[0][day], sums[1][day]) for day in sorted(sums[0] | sums[1]))
    return [day for day in days if day.before_ms != day.after_ms]


def _working_by_date(slices: Iterable[Slice], schedule: Schedule) -> Counter[date]:
    """Return the working time of each date (milliseconds)."""
    found: Counter[date] = Counter()
    for piece in slices:
        at_ms = piece.since_ms
        while at_ms < piece.until_ms:
            day = schedule.day_of(at_ms)
            end_ms = schedule.starts_at(day + DAY)
            found[day] += piece.working_between(at_ms, end_ms)
            at_ms = end_ms
    return found
