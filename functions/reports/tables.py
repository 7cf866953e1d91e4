"""Reports as tables, which files of all formats have in common."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum, auto
from typing import TypeAlias

from reports.representation import ReportedPerson
from timer_core.domain.issues import Issue
from timer_core.domain.reports import Grouping, Key, Report, Row
from timer_core.settings import settings

# A duration is in milliseconds.
Cell: TypeAlias = str | int | date | None


class Kind(Enum):
    """The kind of a column's values."""

    TEXT = auto()
    DATE = auto()
    NUMBER = auto()
    DURATION = auto()


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    total
        The total of the report; None for a column that has none.
    adds_up
        Whether the values of the rows add up to the total.
    """

    name: str
    kind: Kind
    values: Sequence[Cell]
    total: int | None = None
    adds_up: bool = False


def columns_of(report: Report, people: Mapping[int, ReportedPerson]) -> list[Column]:
    """Return the columns of a report."""
    keys = zip(report.group_by, zip(*(row.keys for row in report.rows), strict=True), strict=False)
    found = dict(keys) if report.rows else dict.fromkeys(report.group_by, ())
    return [
        *(column for grouping, values in found.items() for column in _of_keys(grouping, values, people)),
        *_figures(report),
    ]


def _of_keys(
    grouping: Grouping, keys: Sequence[Key], people: Mapping[int, ReportedPerson]
) -> Iterator[Column]:
    if grouping is Grouping.PERSON:
        shown = [people[key] for key in keys if isinstance(key, int)]
        yield Column("person", Kind.TEXT, [person.login for person in shown])
        yield Column("person_name", Kind.TEXT, [person.name for person in shown])
    elif grouping is Grouping.ISSUE:
        issues = [key if isinstance(key, Issue) else None for key in keys]
        yield Column(
            "issue", Kind.TEXT, [f"{issue.full_name}#{issue.number}" if issue else None for issue in issues]
        )
        yield Column("issue_title", Kind.TEXT, [issue.title if issue else None for issue in issues])
        urls = [issue.url(settings().github_url) if issue else None for issue in issues]
        yield Column("issue_url", Kind.TEXT, urls)
    else:
        dates = [key for key in keys if isinstance(key, date)]
        if dates:
            yield Column(grouping.value, Kind.DATE, dates)
        else:
            yield Column(grouping.value, Kind.TEXT, [None if key is None else str(key) for key in keys])


def _figures(report: Report) -> Iterator[Column]:
    def column(
        name: str, kind: Kind, value: Callable[[Row], int | None], *, adds_up: bool = not report.overlapping
    ) -> Column:
        return Column(name, kind, [value(row) for row in report.rows], value(report.total), adds_up)

    of_estimates = report.estimates_add_up
    yield column("working", Kind.DURATION, lambda row: row.working_ms)
    if Grouping.ISSUE in report.group_by:
        with_sub_issues = [row.with_sub_issues_ms for row in report.rows]
        yield Column("working_with_sub_issues", Kind.DURATION, with_sub_issues)
    yield column("active", Kind.DURATION, lambda row: row.active_ms)
    yield column("confirmed", Kind.DURATION, lambda row: row.confirmed_ms)
    yield column("entries", Kind.NUMBER, lambda row: row.entries, adds_up=report.entries_add_up)
    yield column("estimate", Kind.DURATION, lambda row: row.estimate_ms, adds_up=of_estimates)
    yield column("left", Kind.DURATION, lambda row: row.left_ms, adds_up=of_estimates)
