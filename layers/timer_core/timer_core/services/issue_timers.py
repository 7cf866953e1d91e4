"""The timers of issues, which are derived from the issues' events and moves.

An event or move is logged first, and its effects are derived from the log, so that an interrupted derivation
can be repeated (docs/decisions/0001-events-and-replay.md).
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from timer_core.domain.events import EFFECTS, Event
from timer_core.domain.issues import Issue
from timer_core.domain.moves import Move
from timer_core.domain.replay import replay
from timer_core.domain.timers import Timer
from timer_core.store.derived_timers import DerivedTimers
from timer_core.store.event_log import EventLog
from timer_core.store.issue_history import IssueHistory
from timer_core.store.table import Conflict, Table, retry_on_conflict
from timer_core.store.timers import TimerStore


class IssueTimers:
    """Logs the events and moves of issues, and derives timers from them.

    Parameters
    ----------
    table
        The table.
    timers
        The timers in the same table.
    """

    def __init__(self, table: Table, timers: TimerStore) -> None:
        self._log = EventLog(table)
        self._derived = DerivedTimers(table, timers)

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
        if event.kind not in EFFECTS:
            # Do not log the event. Its message moves to the dead-letter queue, and a later version may know
            # the kind.
            raise ValueError(f"Unknown kind of event: {event.kind}")
        event, is_new = self._log.append(event, issue, now_ms=now_ms)
        history = self._log.read(issue)
        home = history.names.home(issue, event.at_ms)
        concerned = history.people_with_timers() if event.users is None else event.users
        new = event.delivery if is_new else None
        return self._rederive_all(concerned, home, history, now_ms, new=new)

    def move_issue(self, move: Move, *, now_ms: int) -> list[Timer]:
        """Move everybody's timers on a transferred issue to its new name; return the changed timers.

        A repeated call produces the same timers, even if the previous call was interrupted.

        Raises
        ------
        TooMuchContention
            If other writers kept changing the timers; the move is logged, and a retry is safe.
        """
        return self._follow(self._log.append_issue_move(move, now_ms=now_ms), now_ms)

    def move_repository(self, move: Move, *, now_ms: int) -> list[Timer]:
        """Move the timers of a repository's issues that have an open timer; return the changed timers.

        The timers of another issue are moved when the next event of that issue arrives. The issue numbers of
        ``move`` are ignored.

        Raises
        ------
        TooMuchContention
            If other writers kept changing the timers; the move is logged, and a retry is safe.
        """
        move = self._log.append_repository_move(move, now_ms=now_ms)
        numbers = self._log.open_issues(move.origin.full_name)
        return [timer for number in numbers for timer in self._follow(move.of(number), now_ms)]

    def rederive(
        self, issue: Issue, *, select: Callable[[set[int]], Iterable[int]], now_ms: int
    ) -> list[Timer]:
        """Rederive timers on an issue and return the changed ones.

        Parameters
        ----------
        select
            Receives the people whom the issue's events and timers concern; returns the people whose timers
            are derived.

        Raises
        ------
        TooMuchContention
            If other writers kept changing the timers; a retry is safe.
        """
        history = self._log.read(issue)
        home = history.names.home(issue, now_ms)
        return self._rederive_all(select(history.people()), home, history, now_ms)

    def timers_of(self, user_id: int, issue: Issue, *, at_ms: int) -> list[Timer]:
        """Return a person's latest timers, sorted by start, on the issue named ``issue`` at ``at_ms``."""
        history = self._log.read(issue)
        return self._derived.latest(history.slot(history.names.home(issue, at_ms), user_id))

    def home(self, issue: Issue, *, at_ms: int) -> Issue:
        """Return the present name of the issue that was named ``issue`` at ``at_ms``."""
        return self._log.read(issue).names.home(issue, at_ms)

    def logged(self, issue: Issue, *, at_ms: int) -> list[Event]:
        """Return the logged events of the issue that was named ``issue`` at ``at_ms``."""
        history = self._log.read(issue)
        return history.events(history.names.home(issue, at_ms))

    def _follow(self, move: Move, now_ms: int) -> list[Timer]:
        history = self._log.read(move.origin)
        return self._rederive_all(history.people(), history.names.destination(move), history, now_ms)

    def _rederive_all(
        self,
        user_ids: Iterable[int],
        home: Issue,
        history: IssueHistory,
        now_ms: int,
        *,
        new: str | None = None,
    ) -> list[Timer]:
        return [
            timer
            for user_id in sorted(user_ids)
            for timer in self._rederive(user_id, home, history, now_ms, new=new)
        ]

    def _rederive(
        self, user_id: int, home: Issue, history: IssueHistory, now_ms: int, *, new: str | None = None
    ) -> list[Timer]:
        """Rederive a person's timers on an issue.

        Parameters
        ----------
        home
            The present name of the issue.
        new
            The delivery of the event that has just been logged for the first time, if any.
        """

        def attempt() -> list[Timer]:
            nonlocal history
            try:
                if not self._is_ready(user_id, home, history, now_ms):
                    return []
                return self._derive(user_id, home, history, now_ms, new)
            except Conflict:
                history = self._log.read(home)
                raise

        return retry_on_conflict(attempt, "The timers of an issue kept changing.")

    def _is_ready(self, user_id: int, home: Issue, history: IssueHistory, now_ms: int) -> bool:
        """If another issue previously had the name ``home``, move its timers to its present name.

        Those timers occupy the slot that the timers of the issue now named ``home`` need.

        Returns
        -------
        bool
            False if the person has requested deletion of their account.

        Raises
        ------
        Conflict
            If timers were moved; the history must be read again.
        """
        move = history.pending_move(history.slot(home, user_id))
        if move is None or history.names.destination(move).key == home.key:
            return True
        if self._derived.has_requested_deletion(user_id):
            return False
        self._rederive(user_id, history.names.destination(move), history, now_ms)
        raise Conflict

    def _derive(
        self, user_id: int, home: Issue, history: IssueHistory, now_ms: int, new: str | None
    ) -> list[Timer]:
        slots = [history.slot(home, user_id), *history.slots_to_move(home, user_id)]
        events = history.events(home)
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
        )
        return self._derived.write(slots, outcome, home, history, now_ms=now_ms)
