"""Reports: what a request asks for, its limits, and the reports in each format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from reports.csv_file import dialect_of, to_csv
from reports.reading import parts_of, read_details, read_people
from reports.representation import NOTE, figures, person_of, rows_of
from reports.tables import columns_of
from timer_core.domain.errors import ReportTooLarge
from timer_core.domain.reports import Filters, Grouping, Report, report
from timer_core.domain.schedule import DAY, instant
from timer_core.domain.timers import CLOCK_SKEW_MS, Period
from timer_core.services.team import VisiblePerson

# The days of people that a request reads. docs/performance.md has the time that this takes.
MOST_PERSON_DAYS = 20_000
# A row of JSON has at most 400 bytes, apart from long titles, and Lambda's responses have at most 6 MB (AWS,
# "Lambda quotas").
MOST_ROWS = 10_000


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
    people: Sequence[VisiblePerson]

    @property
    def days(self) -> int:
        """The number of dates."""
        return (self.last - self.first).days + 1

    @property
    def period(self) -> Period:
        """The period of the dates."""
        zone = self.time_zone.key
        return Period(instant(zone, self.first, 0), instant(zone, self.last + DAY, 0))

    @cached_property
    def by_id(self) -> Mapping[int, VisiblePerson]:
        """The people by their ids."""
        return {person.id: person for person in self.people}


@dataclass(frozen=True, slots=True)
class Found:
    """A report, and whether all timers of the period were read."""

    report: Report
    complete: bool


def find(asked: Asked, *, now_ms: int) -> Found:
    """Read and group the time that a request asks for.

    Raises
    ------
    ReportTooLarge
        If the request asks for too many days of people, before anything of them is read; or if there are too
        many rows.
    """
    if asked.days * len(asked.people) > MOST_PERSON_DAYS:
        raise ReportTooLarge(
            f"This report would read {asked.days} days of {len(asked.people)} people. A report reads at most"
            f" {MOST_PERSON_DAYS:,} days of people. Ask for a shorter period, or for some of the people."
        )
    elapsed = asked.period._replace(until_ms=min(asked.period.until_ms, now_ms + CLOCK_SKEW_MS))
    people = read_people([person.id for person in asked.people], elapsed, now_ms=now_ms)
    parts = list(parts_of(people, asked.period, asked.time_zone, now_ms=now_ms))
    found = report(parts, read_details(parts, now_ms=now_ms), asked.group_by, asked.filters)
    if len(found.rows) > MOST_ROWS:
        raise ReportTooLarge(
            f"This report has {len(found.rows):,} rows. A report has at most {MOST_ROWS:,}. Group by less, or"
            " by longer periods."
        )
    return Found(found, all(person.complete for person in people))


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
        "people": [person_of(person) for person in asked.people],
        "note": NOTE,
    }


def to_csv_file(asked: Asked, found: Found, locale: str) -> str:
    """Return a report as a file of CSV."""
    return to_csv(columns_of(found.report, asked.by_id), dialect_of(locale))


def to_xlsx_file(asked: Asked, found: Found, locale: str) -> bytes:
    """Return a report as a workbook."""
    # Import on first use, because only this format needs the package.
    from reports.xlsx_file import to_xlsx

    columns = columns_of(found.report, asked.by_id)
    return to_xlsx(columns, locale=locale, overlapping=found.report.overlapping)
