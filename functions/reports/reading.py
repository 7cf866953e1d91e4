"""Reading the time of people: for each person, the requests of that person's own totals."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from reports.shared import details, names, timers, timesheets
from timer_core.domain.issue_details import IssueDetails
from timer_core.domain.issues import Issue
from timer_core.domain.schedule import Span
from timer_core.domain.timeline import Slice
from timer_core.domain.timers import Period, Timer
from timer_core.domain.totals import TimerDay, timer_days
from timer_core.store.queries import Filters

# botocore keeps ten connections open. A person with confirmed days is read with two at a time.
_AT_A_TIME = 8
# GitHub allows eight levels of sub-issues ("Adding sub-issues").
_LEVELS = 8


@dataclass(frozen=True, slots=True)
class PersonTime:
    """The timers and slices of a person in a period.

    Attributes
    ----------
    confirmed
        The beginnings and ends of the person's confirmed days.
    complete
        Whether all timers of the period are included.
    """

    timers: Sequence[Timer]
    slices: Sequence[Slice]
    confirmed: Sequence[Span]
    complete: bool


def read_people(user_ids: Sequence[int], period: Period, *, now_ms: int) -> list[PersonTime]:
    """Read the time of people in a period that has begun, side by side."""
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        return list(pool.map(lambda user_id: _read(user_id, period, now_ms), user_ids))


def parts_of(
    people: Iterable[PersonTime], period: Period, zone: ZoneInfo, *, now_ms: int
) -> Iterator[TimerDay]:
    """Yield the time of each timer on each day, with the present names of the repositories."""
    found = list(people)
    named = iter(names.of([timer for person in found for timer in person.timers], now_ms=now_ms))
    for person in found:
        own = [next(named) for _ in person.timers]
        yield from timer_days(own, person.slices, period, zone, now_ms, person.confirmed)


class DetailsOfIssues(Mapping[str, IssueDetails]):
    """The details of issues that were read, by `Issue.key`."""

    def __init__(self) -> None:
        self._found: dict[str, IssueDetails] = {}
        # The issues that were read, also those without details.
        self._read: set[str] = set()

    def __getitem__(self, key: str) -> IssueDetails:
        return self._found[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def read(self, parts: Iterable[TimerDay], *, now_ms: int) -> None:
        """Read those of the issues of timers, of the issues that they close, and of those above them."""
        wanted = self._missing(part.timer.issue for part in parts if part.timer.issue)
        found: dict[str, IssueDetails] = {}
        for _ in range(_LEVELS + 1):
            if not wanted:
                break
            self._read |= wanted.keys()
            read = details.read(wanted.values())
            found |= read
            wanted = self._missing(issue for known in read.values() for issue in _further(known))
        present = names.issues([known.issue for known in found.values()], now_ms=now_ms)
        for (key, known), issue in zip(found.items(), present, strict=True):
            self._found[key] = replace(known, issue=issue)

    def _missing(self, issues: Iterable[Issue]) -> dict[str, Issue]:
        return {issue.key: issue for issue in issues if issue.key not in self._read}


def _further(known: IssueDetails) -> Iterator[Issue]:
    if known.counts_for:
        yield known.counts_for
    if known.parent:
        yield known.parent


def _read(user_id: int, period: Period, now_ms: int) -> PersonTime:
    worked = timesheets.worked(user_id, period, now_ms=now_ms)
    found, complete = timers.in_period(user_id, Filters(period=period), worked.only_confirmed)
    confirmed = [one.span for one in worked.days.own.confirmed]
    return PersonTime(found, worked.slices, confirmed, complete)
