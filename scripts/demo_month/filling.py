"""Filling a table with the demo's month."""

import fcntl
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from demo_github.team import PEOPLE, Issue, Person
from demo_month.acts import Act, Confirmed, issue_of
from demo_month.marks import MarkedTable
from demo_month.plan import DAYS, month
from demo_month.records import Recorder
from demo_month.removal import Removal, Removed, note_recording
from deployed_stack.errors import ToolError
from timer_core.domain.errors import IssueTimerError
from timer_core.domain.schedule import DAY_MS
from timer_core.domain.state import SWEEPER
from timer_core.domain.timers import Period
from timer_core.store.calendars import Calendars
from timer_core.store.queries import TimerQueries
from timer_core.store.table import Table
from timer_core.store.timesheets import Timesheets

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Filled:
    """What was recorded.

    Attributes
    ----------
    acts
        The acts in the order in which they became known.
    removed
        The effect of the removal of what was recorded before.
    """

    acts: list[Act]
    removed: Removed

    @property
    def issues(self) -> Set[Issue]:
        """The issues on which somebody worked."""
        return {issue for act in self.acts if (issue := issue_of(act)) is not None}

    @property
    def confirmed(self) -> int:
        """The number of confirmed days."""
        return sum(isinstance(act, Confirmed) for act in self.acts)


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Prevent two runs at the same time, one of which would remove what the other records.

    Raises
    ------
    ToolError
        If another run holds the lock.
    """
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ToolError("`make demo` is running already.") from None
        yield


def fill(table_name: str, *, now_ms: int, done: Callable[[Person], None]) -> Filled:
    """Replace the demo's month by the one that ends now.

    Issues on which somebody of the demo has timers of their own are not part of the month, because its past
    would mix with what they did.

    A sweep at the same time stops timers that nothing has been recorded of for weeks, so the recording is
    repeated then.

    Parameters
    ----------
    done
        Called when a person's month is recorded.

    Raises
    ------
    ToolError
        If there was a sweep at each attempt.
    """
    table = Table(table_name)
    removed = Removal(table).remove(PEOPLE, now_ms=now_ms)
    timers = TimerQueries(table)
    for _ in range(_ATTEMPTS):
        before = _swept(timers, now_ms)
        try:
            acts = _record(table, removed.in_use, now_ms=now_ms, done=done)
        except IssueTimerError:
            if _swept(timers, now_ms) == before:
                raise
        else:
            if _swept(timers, now_ms) == before:
                return Filled(acts, removed)
        Removal(table).remove(PEOPLE, now_ms=now_ms)
    raise ToolError("Sweeps have stopped timers of the demo: run `make demo` again when they have ended.")


def _swept(timers: TimerQueries, now_ms: int) -> set[str]:
    """Return the ULIDs of the team's timers that the sweeper has stopped."""
    period = Period(now_ms - 2 * DAYS * DAY_MS, now_ms)
    return {
        timer.ulid
        for person in PEOPLE
        for timer in timers.overlapping(person.id, period)
        if timer.stopped_by == SWEEPER
    }


def _record(table: Table, in_use: Set[Issue], *, now_ms: int, done: Callable[[Person], None]) -> list[Act]:
    """Record the month without some issues, and return its acts."""
    acts = [act for act in month(now_ms) if issue_of(act) not in in_use]
    note_recording(table, PEOPLE, now_ms=now_ms)
    timesheets = Timesheets(table, TimerQueries(table), Calendars(table))

    def finish(person: Person) -> None:
        timesheets.rebuild(person.id, now_ms=now_ms)
        done(person)

    Recorder(MarkedTable(table.name)).record(acts, finish)
    return acts
