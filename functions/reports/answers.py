"""Reports: what a request asks for, its limits, and what is found."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from reports.reading import DetailsOfIssues, parts_of, read_people
from reports.representation import NOTE, ReportedPerson, figures, rows_of
from timer_core.domain.errors import ReportTooLarge
from timer_core.domain.reports import Filters, Grouping, Report, report
from timer_core.domain.schedule import DAY, instant
from timer_core.domain.timers import CLOCK_SKEW_MS, Period
from timer_core.domain.totals import TimerDay


class Limits(NamedTuple):
    """The limits of a report.

    Attributes
    ----------
    person_days
        The days of people that are read. docs/performance.md has the time that this takes.
    rows
        The rows that the report has.
    """

    person_days: int
    rows: int


# A row of JSON has at most 400 bytes, apart from long titles, and Lambda's responses have at most 6 MB (AWS,
# "Lambda quotas").
OF_REQUEST = Limits(20_000, 10_000)
# A year of 500 people.
OF_EXPORT = Limits(183_000, 100_000)
# The people whose timers are in memory at once.
_BATCH = 20


@dataclass(frozen=True)
class Asked:
    """What a request asks for.

    Attributes
    ----------
    first, last
        The first and the last date, in the time zone.
    people
        The people whose time is read.
    """

    first: date
    last: date
    time_zone: ZoneInfo
    group_by: Sequence[Grouping]
    filters: Filters
    people: Sequence[ReportedPerson]

    @property
    def days(self) -> int:
        """The number of dates."""
        return (self.last - self.first).days + 1

    @property
    def person_days(self) -> int:
        """The days of people that are read."""
        return self.days * len(self.people)

    @property
    def period(self) -> Period:
        """The period of the dates."""
        zone = self.time_zone.key
        return Period(instant(zone, self.first, 0), instant(zone, self.last + DAY, 0))

    @cached_property
    def by_id(self) -> Mapping[int, ReportedPerson]:
        """The people by their ids."""
        return {person.id: person for person in self.people}


@dataclass(frozen=True, slots=True)
class Found:
    """A report, and whether all timers of the period were read."""

    report: Report
    complete: bool


def check_size(asked: Asked, limits: Limits) -> None:
    """Refuse a report before anything of it is read.

    Raises
    ------
    ReportTooLarge
        If it would read too many days of people.
    """
    if asked.person_days > limits.person_days:
        raise ReportTooLarge(
            f"This report would read {asked.days} days of {len(asked.people)} people, of at most"
            f" {limits.person_days:,} days of people. Ask for a shorter period, or for some of the people."
        )


def find(asked: Asked, limits: Limits, *, now_ms: int, note: Callable[[int], None] = lambda _: None) -> Found:
    """Read and group the time that a request asks for.

    Parameters
    ----------
    note
        Is called with the number of people whose time has been read.

    Raises
    ------
    ReportTooLarge
        If there are too many rows.
    """
    elapsed = asked.period._replace(until_ms=min(asked.period.until_ms, now_ms + CLOCK_SKEW_MS))
    details = DetailsOfIssues()
    complete = True

    def parts() -> Iterator[TimerDay]:
        nonlocal complete
        ids = [person.id for person in asked.people]
        for first in range(0, len(ids), _BATCH):
            people = read_people(ids[first : first + _BATCH], elapsed, now_ms=now_ms)
            complete &= all(person.complete for person in people)
            read = list(parts_of(people, asked.period, asked.time_zone, now_ms=now_ms))
            details.read(read, now_ms=now_ms)
            yield from read
            note(min(first + _BATCH, len(ids)))

    found = report(parts(), details, asked.group_by, asked.filters)
    if len(found.rows) > limits.rows:
        raise ReportTooLarge(
            f"This report has {len(found.rows):,} rows, of at most {limits.rows:,}. Group by less, or by"
            " longer periods."
        )
    return Found(found, complete)


def to_body(asked: Asked, found: Found) -> dict[str, Any]:
    """Return a report as the body of a response in JSON."""
    return {
        "from": asked.first.isoformat(),
        "to": asked.last.isoformat(),
        "time_zone": asked.time_zone.key,
        "group_by": [grouping.value for grouping in asked.group_by],
        "rows": rows_of(found.report, asked.by_id),
        "totals": figures(found.report.total),
        "overlapping": found.report.overlapping,
        "complete": found.complete,
        "people": [person._asdict() for person in asked.people],
        "note": NOTE,
    }
