"""Reports as the API shows them: plain dictionaries, whose members the models describe."""

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from timer_core.api.representations import issue_members
from timer_core.domain.issues import Issue
from timer_core.domain.reports import Grouping, Key, Report, Row

NOTE = (
    "Labels, milestone, type, projects, sub-issues and estimates are those that the issues have now. Time"
    " on a pull request counts for the issue that it closes."
)


class ReportedPerson(NamedTuple):
    """A person whose time a report contains."""

    id: int
    login: str
    name: str


def rows_of(report: Report, people: Mapping[int, ReportedPerson]) -> list[dict[str, Any]]:
    """Return the rows of a report, each with its keys and figures."""
    return [
        {
            **_shown_keys(report, row, people),
            **figures(row),
            **(
                {"working_duration_with_sub_issues": row.with_sub_issues_ms / 1000}
                if row.with_sub_issues_ms is not None
                else {}
            ),
        }
        for row in report.rows
    ]


def figures(row: Row) -> dict[str, Any]:
    """Return the figures of a row that the total has too."""
    return {
        "working_duration": row.working_ms / 1000,
        "active_duration": row.active_ms / 1000,
        "confirmed_duration": row.confirmed_ms / 1000,
        "entries": row.entries,
        "estimate": _seconds(row.estimate_ms),
        "left": _seconds(row.left_ms),
    }


def _shown_keys(report: Report, row: Row, people: Mapping[int, ReportedPerson]) -> dict[str, Any]:
    keys = dict(zip(report.group_by, row.keys, strict=True))
    return {grouping.value: _shown(keys[grouping], people) for grouping in Grouping if grouping in keys}


def _shown(key: Key, people: Mapping[int, ReportedPerson]) -> Any:
    """Return what a row is about; None for time that does not have the property."""
    if isinstance(key, int):
        return people[key]._asdict()
    if isinstance(key, Issue):
        return issue_members(key)
    if isinstance(key, date):
        return key.isoformat()
    return key


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000
