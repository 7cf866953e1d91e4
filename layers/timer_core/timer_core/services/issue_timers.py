"""The timers of issues, which are derived from the issues' events and moves.

An event or move is logged first, and its effects are derived from the log, so that an interrupted derivation
can be repeated (docs/decisions/0001-events-and-replay.md).
"""

from collections.abc import Callable, Iterable, Set
from dataclasses import replace

from timer_core.domain.calendar import Calendar
from timer_core.domain.events import EFFECTS, Event, guid_time_at
from timer_core.domain.issues import Issue, Repository
from timer_core.domain.moves import Move
from timer_core.domain.replay import replay
from timer_core.domain.timers import Timer
from timer_core.store.calendars import Calendars
from timer_core.store.derived_timers import DerivedTimers
from timer_core.store.event_log import EventLog
from timer_core.store.issue_history import IssueHistory
from timer_core.store.repositories import Repositories
from timer_core.store.table import Conflict, Table, retry_on_conflict
from timer_core.store.timers import TimerStore


class IssueTimers:
    """Logs the events and moves of issues, and derives timers from them.

    The methods that log something receive issues with the ids of their repositories. The other methods also
    receive issues of which only the repository's name is known.

    Parameters
    ----------
    table
        The table.
    timers
        The timers in the same table.
    """

    def __init__(self, table: Table, timers: TimerStore) -> None:
        self._log = EventLog(table)
        self._calendars = Calendars(table)
        self._derived = DerivedTimers(table, timers)
        self._repositories = Repositories(table)

    def apply(self, event: Event, issue: Issue, *, now_ms: int) -> list[Timer]:
        """Log an event of an issue, and rederive the timers of the people whom it concerns.

        A repeated call produces the same timers, even if the previous call was interrupted.

        Returns
        -------
        list[Timer]
            The timers that changed.

        Raises
        ------
        TooMuchContention
            If other writers kept changing the timers; the event is logged, and a retry is safe.
        """
        _check(event, issue.repo_id)
        event, is_new = self._log.append(event, issue, now_ms=now_ms)
        history = self._log.read(issue)
        named_at = _not_later(event.named_at, now_ms)
        if not history.is_known(named_at):
            self._record(issue.repository, named_at, now_ms)
            history = self._log.read(issue)
        with_timers = history.people_with_timers()
        # The event is a sign of life of its actor, if the actor has a timer here.
        concerned = with_timers if event.users is None else event.users | ({event.actor} & with_timers)
        return self._rederive_all(concerned, history, now_ms, new=event.delivery if is_new else None)

    def apply_to_repository(self, event: Event, repository: Repository, *, now_ms: int) -> list[Timer]:
        """Log an event of a repository, and rederive the timers that the event may concern.

        A repeated call produces the same timers, even if the previous call was interrupted.

        Raises
        ------
        TooMuchContention
            If other writers kept changing the timers; the event is logged, and a retry is safe.
        """
        _check(event, repository.id)
        self._log.append_of_repository(event, repository, now_ms=now_ms)
        self.observe(repository, event.named_at, now_ms=now_ms)
        changed: list[Timer] = []
        for number in self._log.numbers(repository, at_ms=event.at_ms):
            history = self._log.read(repository.issue(number))
            changed += self._rederive_all(history.people_with_timers(), history, now_ms)
        return changed

    def move(self, move: Move, *, now_ms: int) -> list[Timer]:
        """Move everybody's timers on a transferred issue to its new identity; return the changed timers.

        A repeated call produces the same timers, even if the previous call was interrupted.

        Raises
        ------
        TooMuchContention
            If other writers kept changing the timers; the move is logged, and a retry is safe.
        """
        self._log.append_move(move, now_ms=now_ms)
        return self._rederive_everybody(move.origin, now_ms)

    def observe(self, repository: Repository, named_at: int, *, now_ms: int, is_change: bool = False) -> None:
        """Store that a repository had its name at a time, see `timer_core.domain.events.named_at`.

        Timers that were started under the name join those under the repository's id.

        Parameters
        ----------
        is_change
            Whether the repository got the name at that time.

        Raises
        ------
        TooMuchContention
            If other writers kept changing the timers; a retry is safe.
        """
        named_at = _not_later(named_at, now_ms)
        known = None if is_change else self._repositories.name(repository.id)
        if known is None or not known.includes(repository.full_name, named_at):
            self._record(repository, named_at, now_ms)

    def rename_owner(self, origin: str, target: str, named_at: int, *, now_ms: int) -> None:
        """Store the new login of a user or organization in the names of their repositories.

        Raises
        ------
        TooMuchContention
            If other writers kept changing the timers; a retry is safe.
        """
        named_at = _not_later(named_at, now_ms)
        for repository in self._repositories.rename_owner(origin, target, named_at, now_ms=now_ms):
            self._record(repository, named_at, now_ms)

    def rederive(
        self,
        issue: Issue,
        *,
        select: Callable[[set[int]], Iterable[int]],
        now_ms: int,
        unexpired: Set[str] = frozenset(),
    ) -> list[Timer]:
        """Rederive timers on an issue and return the changed ones.

        Parameters
        ----------
        select
            Receives the people whom the issue's events and timers concern; returns the people whose timers
            are derived.
        unexpired
            See `timer_core.domain.replay.replay`.

        Raises
        ------
        TooMuchContention
            If other writers kept changing the timers; a retry is safe.
        """
        history = self._log.read(issue)
        return self._rederive_all(select(history.people()), history, now_ms, unexpired=unexpired)

    def timers_of(self, user_id: int, issue: Issue) -> list[Timer]:
        """Return a person's latest timers on an issue, sorted by start."""
        return self._derived.latest(self._log.read(issue).slot(user_id))

    def home(self, issue: Issue) -> Issue:
        """Return the present identity of an issue."""
        return self._log.read(issue).home

    def logged(self, issue: Issue) -> list[Event]:
        """Return the logged events of an issue."""
        return self._log.read(issue).events()

    def _record(self, repository: Repository, named_at: int, now_ms: int) -> None:
        """Store an observed name of a repository, and join the slots under it."""
        for observed in self._repositories.record(repository, named_at, now_ms=now_ms):
            # From now on, timers are started under the id. If this process is interrupted, the next delivery
            # continues here.
            numbers = self._log.named_issues(observed.full_name)
            for number in numbers:
                self._rederive_everybody(replace(observed.issue(number), repo_id=0), now_ms)
            # The slots of people whose accounts are being deleted are left.
            if not numbers or not self._log.named_issues(observed.full_name):
                self._repositories.note_joined(observed)

    def _rederive_everybody(self, issue: Issue, now_ms: int) -> list[Timer]:
        history = self._log.read(issue)
        return self._rederive_all(history.people(), history, now_ms)

    def _rederive_all(
        self,
        user_ids: Iterable[int],
        history: IssueHistory,
        now_ms: int,
        *,
        new: str | None = None,
        unexpired: Set[str] = frozenset(),
    ) -> list[Timer]:
        """Rederive people's timers; repeat if the repository has got an event in the meantime.

        The process that logged the event may have read the slots before this process wrote them.
        """
        ids = sorted(user_ids)
        changed = [
            timer
            for user_id in ids
            for timer in self._rederive(user_id, history, now_ms, new=new, unexpired=unexpired)
        ]
        if not changed or not history.home.repo_id:
            return changed
        events = self._log.repository_page(history.home.repository).events
        if {event.delivery for event in events} == history.repository_events:
            return changed
        return changed + self._rederive_all(ids, self._log.read(history.root), now_ms)

    def _rederive(
        self,
        user_id: int,
        history: IssueHistory,
        now_ms: int,
        *,
        new: str | None,
        unexpired: Set[str],
    ) -> list[Timer]:
        """Rederive a person's timers on an issue.

        Parameters
        ----------
        new
            The delivery of the event that has just been logged for the first time, if any.
        unexpired
            See `timer_core.domain.replay.replay`.
        """

        def attempt() -> list[Timer]:
            nonlocal history
            try:
                return self._derive(user_id, history, now_ms, new, unexpired)
            except Conflict:
                history = self._log.read(history.root)
                raise

        return retry_on_conflict(attempt, "The timers of an issue kept changing.")

    def _derive(
        self, user_id: int, history: IssueHistory, now_ms: int, new: str | None, unexpired: Set[str]
    ) -> list[Timer]:
        home = history.home
        slots = [history.slot(user_id), *history.slots_to_move(user_id)]
        events = history.events()
        found = self._derived.read(slots, history, events, new=new, now_ms=now_ms)
        if found is None:
            # The person's items are being deleted, so no item that mentions the person may be written.
            return []
        titles = ((event.at_ms, event.title) for event in events if event.title)
        _, title = max(titles, default=(0, home.title))
        outcome = replay(
            issue=replace(home, title=title),
            user_id=user_id,
            now_ms=now_ms,
            events=events,
            timers=found.timers,
            locked_until_ms=found.locked_until_ms,
            used_ulids=found.used_ulids,
            calendar=self._calendar(user_id, events),
            foreign=history.foreign_events(),
            unexpired=unexpired,
        )
        return self._derived.write(slots, outcome, now_ms=now_ms)

    def _calendar(self, user_id: int, events: Iterable[Event]) -> Calendar:
        """Return a person's calendar, with the settings at the times of their assignments."""
        assigned = [
            event.at_ms for event in events if EFFECTS[event.kind].is_assignment and event.concerns(user_id)
        ]
        if not assigned:
            return Calendar()
        return self._calendars.of(user_id, not_before_ms=max(assigned))


def _check(event: Event, repo_id: int) -> None:
    if not repo_id:
        raise ValueError("An event needs the id of its repository.")
    if event.kind not in EFFECTS:
        # Do not log the event. Its message moves to the dead-letter queue, and a later version may know the
        # kind.
        raise ValueError(f"Unknown kind of event: {event.kind}")


def _not_later(named_at: int, now_ms: int) -> int:
    """Return the time of an observation, or the present time if the delivery has a time in the future."""
    return min(named_at, guid_time_at(now_ms))
