"""Reports: the time of any number of people, grouped by person, issue, labels, days and more.

A report adds up the same parts as totals do: the time of each timer on each day
(`timer_core.domain.totals.timer_days`). So all groupings of the same time have the same total.

Labels, milestone, type, projects, parent and estimate are those that the issue has now. Time on a pull
request counts for the issue that it closes, if it closes exactly one.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from itertools import product
from typing import TypeAlias

from timer_core.domain.issue_details import IssueDetails
from timer_core.domain.issues import Issue
from timer_core.domain.schedule import DAY
from timer_core.domain.totals import TimerDay


class Grouping(StrEnum):
    """A property of time by which the rows of a report are grouped."""

    PERSON = "person"
    REPOSITORY = "repository"
    ISSUE = "issue"
    LABEL = "label"
    MILESTONE = "milestone"
    TYPE = "type"
    PROJECT = "project"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


BY_TIME = frozenset({Grouping.DAY, Grouping.WEEK, Grouping.MONTH})
# The properties of an issue. Time without an issue has none of them.
OF_ISSUE = frozenset(Grouping) - BY_TIME - {Grouping.PERSON}

# What a row is about: the id of a person, an issue, a name, or the first day of a period; None for time that
# does not have the property.
Key: TypeAlias = int | Issue | str | date | None
# For properties of an issue, the selected values in lower case: ``owner/name`` of a repository,
# ``owner/name#1`` of an issue, and names. The empty text selects time without the property.
Filters: TypeAlias = Mapping[Grouping, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a report.

    Attributes
    ----------
    keys
        What the row is about, one key for each grouping.
    confirmed_ms
        The part of the working time on days that their people have confirmed.
    entries
        The number of timers with time in the row.
    estimate_ms
        The sum of the estimates of the row's issues; None if no issue has one.
    left_ms
        The estimates minus all working time of these issues in the report; None if no issue has an estimate.
    with_sub_issues_ms
        The working time of the row's issue and of all issues below it; None if rows are not grouped by issue.
    """

    keys: tuple[Key, ...]
    working_ms: int
    active_ms: int
    confirmed_ms: int
    entries: int
    estimate_ms: int | None = None
    left_ms: int | None = None
    with_sub_issues_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The rows of a report, and their total, in which all time counts once.

    Attributes
    ----------
    overlapping
        Whether some time is in several rows, so that the rows add up to more than the total.
    """

    group_by: tuple[Grouping, ...]
    rows: tuple[Row, ...]
    total: Row
    overlapping: bool

    @property
    def entries_add_up(self) -> bool:
        """Whether each timer is in one row only."""
        return not self.overlapping and not BY_TIME.intersection(self.group_by)

    @property
    def estimates_add_up(self) -> bool:
        """Whether each issue is in one row only."""
        return not self.overlapping and OF_ISSUE.issuperset(self.group_by)


@dataclass(slots=True)
class _Sums:
    working_ms: int = 0
    active_ms: int = 0
    confirmed_ms: int = 0
    timers: set[tuple[int, str]] = field(default_factory=set)
    issues: set[str] = field(default_factory=set)

    def add(self, part: TimerDay, issue: str) -> None:
        self.working_ms += part.working_ms
        self.active_ms += part.active_ms
        self.confirmed_ms += part.confirmed_ms
        self.timers.add((part.timer.user_id, part.timer.ulid))
        self.issues.add(issue)


@dataclass(frozen=True, slots=True)
class _Subject:
    """The issue for which time counts, and its values of each property that the filters select."""

    issue: Issue | None
    values: Mapping[Grouping, tuple[str, ...]]

    @property
    def key(self) -> str:
        return _key(self.issue)

    @property
    def is_selected(self) -> bool:
        return all(self.values.values())


def report(
    parts: Iterable[TimerDay],
    details: Mapping[str, IssueDetails],
    group_by: Sequence[Grouping],
    filters: Filters | None = None,
) -> Report:
    """Group the time of people.

    Parameters
    ----------
    parts
        The time of each timer on each day.
    details
        The details of the issues of the timers and of the issues above them, by `Issue.key`. Issues without
        details only have a repository and a number.
    group_by
        The groupings; without any, there is one row, or none if there is no time.
    filters
        The values that the issues must have. If rows are grouped by a property with several values at an
        issue, such as labels, only the selected values have rows.
    """
    return _Builder(details, tuple(group_by), filters or {}).build(parts)


def issues_above(issue: Issue, details: Mapping[str, IssueDetails]) -> Iterator[Issue]:
    """Yield the parent of an issue, its parent, and so on; each issue once, also if they are in a cycle."""
    seen = {issue.key}
    known = details.get(issue.key)
    while known and known.parent and known.parent.key not in seen:
        above = known.parent
        seen.add(above.key)
        known = details.get(above.key)
        yield known.issue if known else above


def counted_issue(issue: Issue | None, details: Mapping[str, IssueDetails]) -> Issue | None:
    """Return the issue for which time on an issue or a pull request counts, with its title."""
    if issue is None:
        return None
    known = details.get(issue.key)
    if known and known.counts_for:
        issue = known.counts_for
        known = details.get(issue.key)
    return replace(known.issue, title=known.title or issue.title) if known else issue


class _Builder:
    """Builds a report."""

    def __init__(
        self, details: Mapping[str, IssueDetails], group_by: tuple[Grouping, ...], filters: Filters
    ) -> None:
        self._details = details
        self._group_by = group_by
        self._filters = filters
        # By the key of the issue of a timer, and by that of the issue for which its time counts.
        self._of_timers: dict[str, _Subject] = {}
        self._subjects: dict[str, _Subject] = {}
        self._rows: defaultdict[tuple[Hashable, ...], _Sums] = defaultdict(_Sums)
        # The time of the issues below the issue of a row, and of the issue itself.
        self._with_sub_issues_ms: Counter[tuple[Hashable, ...]] = Counter()
        self._spent_ms: Counter[str] = Counter()
        self._names: dict[str, str] = {}

    def build(self, parts: Iterable[TimerDay]) -> Report:
        """Return the report of the parts that the filters select."""
        total, overlapping = _Sums(), False
        own_ms: Counter[tuple[Hashable, ...]] = Counter()
        for part in parts:
            subject = self._subject_of_timer(part.timer.issue)
            if not subject.is_selected:
                continue
            total.add(part, subject.key)
            self._spent_ms[subject.key] += part.working_ms
            keys = [*self._keys(subject, self._outer_keys(part))]
            overlapping |= len(keys) > 1
            for key in keys:
                self._rows[key].add(part, subject.key)
            if Grouping.ISSUE in self._group_by:
                own_ms[subject.key, *self._outer_keys(part)] += part.working_ms
        self._add_issues_above(own_ms)
        rows = [self._row(key, sums) for key, sums in self._sorted()]
        return Report(
            self._group_by, tuple(rows), self._with_estimates(total, Row((), 0, 0, 0, 0)), overlapping
        )

    def _outer_keys(self, part: TimerDay) -> tuple[Hashable, ...]:
        """Return the keys that do not depend on the issue."""
        return tuple(_OUTER[grouping](part) for grouping in self._group_by if grouping in _OUTER)

    def _keys(self, subject: _Subject, outer: tuple[Hashable, ...]) -> Iterator[tuple[Hashable, ...]]:
        """Yield the keys of the rows of an issue's time."""
        remaining = iter(outer)
        choices: list[tuple[Hashable, ...]] = [
            (next(remaining),) if grouping in _OUTER else subject.values[grouping]
            for grouping in self._group_by
        ]
        yield from product(*choices)

    def _subject_of_timer(self, issue: Issue | None) -> _Subject:
        key = _key(issue)
        if key not in self._of_timers:
            self._of_timers[key] = self._subject(counted_issue(issue, self._details))
        return self._of_timers[key]

    def _subject(self, issue: Issue | None) -> _Subject:
        """Return an issue with the values that the filters select. The first title of an issue is kept."""
        key = _key(issue)
        known = self._subjects.get(key)
        if known is None or (issue and issue.title and known.issue and not known.issue.title):
            values = {
                grouping: tuple(value for value in values if self._selects(grouping, value, issue))
                for grouping, values in self._values(issue).items()
            }
            self._subjects[key] = _Subject(issue, values)
        return self._subjects[key]

    def _values(self, issue: Issue | None) -> dict[Grouping, tuple[str, ...]]:
        details = self._details.get(_key(issue))
        labels = details.labels if details else ()
        projects = tuple(title for title, _ in details.projects) if details else ()
        return {
            Grouping.REPOSITORY: (self._name(issue.full_name) if issue else "",),
            Grouping.ISSUE: (_key(issue),),
            Grouping.LABEL: labels or ("",),
            Grouping.MILESTONE: (details.milestone if details else "",),
            Grouping.TYPE: (details.type if details else "",),
            Grouping.PROJECT: tuple(dict.fromkeys(projects)) or ("",),
        }

    def _name(self, full_name: str) -> str:
        """Return the first spelling of a repository's name, because GitHub ignores the case."""
        return self._names.setdefault(full_name.lower(), full_name)

    def _selects(self, grouping: Grouping, value: str, issue: Issue | None) -> bool:
        wanted = self._filters.get(grouping)
        if wanted is None:
            return True
        if grouping is Grouping.ISSUE and issue:
            value = f"{issue.full_name}#{issue.number}"
        return value.lower() in wanted

    def _add_issues_above(self, own_ms: Mapping[tuple[Hashable, ...], int]) -> None:
        """Add the time of each issue to all issues above it.

        These get rows even without time of their own.
        """
        for (key, *outer), working_ms in own_ms.items():
            self._with_sub_issues_ms[key, *outer] += working_ms
            issue = self._subjects[str(key)].issue
            for above in issues_above(issue, self._details) if issue else ():
                self._with_sub_issues_ms[above.key, *outer] += working_ms
                subject = self._subject(counted_issue(above, self._details))
                if subject.is_selected:
                    for row in self._keys(subject, tuple(outer)):
                        self._rows[row].issues.add(subject.key)

    def _sorted(self) -> list[tuple[tuple[Hashable, ...], _Sums]]:
        """Return the rows in order: periods by time, and all else by working time, longest first."""
        ms_of: Counter[tuple[Hashable, ...]] = Counter()
        for key, sums in self._rows.items():
            for length in range(1, len(key) + 1):
                ms_of[key[:length]] += sums.working_ms

        def order(entry: tuple[tuple[Hashable, ...], _Sums]) -> list[tuple[int, str]]:
            key, _ = entry
            return [
                (0 if grouping in BY_TIME else -ms_of[key[: n + 1]], str(key[n]))
                for n, grouping in enumerate(self._group_by)
            ]

        return sorted(self._rows.items(), key=order)

    def _row(self, key: tuple[Hashable, ...], sums: _Sums) -> Row:
        keys = tuple(self._shown(*one) for one in zip(self._group_by, key, strict=True))
        row = self._with_estimates(sums, Row(keys, 0, 0, 0, 0))
        if Grouping.ISSUE not in self._group_by:
            return row
        outer = (value for grouping, value in zip(self._group_by, key, strict=True) if grouping in _OUTER)
        issue = key[self._group_by.index(Grouping.ISSUE)]
        return replace(row, with_sub_issues_ms=self._with_sub_issues_ms[issue, *outer])

    def _with_estimates(self, sums: _Sums, row: Row) -> Row:
        estimates = {
            issue: known.estimate_ms
            for issue in sums.issues
            if (known := self._details.get(issue)) and known.estimate_ms is not None
        }
        return replace(
            row,
            working_ms=sums.working_ms,
            active_ms=sums.active_ms,
            confirmed_ms=sums.confirmed_ms,
            entries=len(sums.timers),
            estimate_ms=sum(estimates.values()) if estimates else None,
            left_ms=sum(ms - self._spent_ms[issue] for issue, ms in estimates.items()) if estimates else None,
        )

    def _shown(self, grouping: Grouping, value: Hashable) -> Key:
        if grouping is Grouping.ISSUE:
            return self._subjects[str(value)].issue
        if isinstance(value, (int, date)):
            return value
        return str(value) or None


def _key(issue: Issue | None) -> str:
    return issue.key if issue else ""


_OUTER: Mapping[Grouping, Callable[[TimerDay], Hashable]] = {
    Grouping.PERSON: lambda part: part.timer.user_id,
    Grouping.DAY: lambda part: part.day,
    # ISO 8601: weeks begin on Monday.
    Grouping.WEEK: lambda part: part.day - part.day.weekday() * DAY,
    Grouping.MONTH: lambda part: part.day.replace(day=1),
}
