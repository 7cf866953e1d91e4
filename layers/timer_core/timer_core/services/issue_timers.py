"""The timers of issues, which are derived from the issues' events and moves.

An event or move is logged before its effects are written, so that an interrupted derivation can be repeated
(docs/decisions/0001-events-and-replay.md).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import replace
from typing import TypeAlias

from timer_core.domain.events import EFFECTS, Event, guid_time_at
from timer_core.domain.issue_details import CLOSES, Registers, issue_content, to_issue
from timer_core.domain.issues import Issue, Repository
from timer_core.domain.moves import Move
from timer_core.domain.replay import replay
from timer_core.domain.timers import Timer
from timer_core.store.derived_timers import DerivedTimers, Found
from timer_core.store.event_log import EventLog
from timer_core.store.issue_details import IssueDetailsStore
from timer_core.store.issue_history import IssueHistory
from timer_core.store.repositories import Repositories, RepositoryName
from timer_core.store.table import Conflict, RawItem, Table, retry_on_conflict
from timer_core.store.timers import TimerStore

# Receives an event and the profiles of the people whom it names; returns the event as it is to be logged, or
# None if it concerns nobody.
Admit: TypeAlias = Callable[[Event, Mapping[int, RawItem]], Event | None]

_BUSY = "The timers of an issue kept changing."
_NOTHING_SEEN: Registers = {}


def admit_everybody(event: Event, _: Mapping[int, RawItem]) -> Event:
    """Return the event as it is, because it names only people who are tracked."""
    return event


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
        self._details = IssueDetailsStore(table)
        self._derived = DerivedTimers(table, timers)
        self._repositories = Repositories(table)

    def apply(
        self,
        event: Event,
        issue: Issue,
        *,
        now_ms: int,
        admit: Admit = admit_everybody,
        seen: Registers = _NOTHING_SEEN,
    ) -> list[Timer]:
        """Log an event of an issue, and rederive the timers of the people whom it concerns.

        The name of the issue's repository is stored, too. A repeated call produces the same timers, even if
        the previous call was interrupted.

        Parameters
        ----------
        seen
            The details of the issue in the delivery. They are kept if somebody is or was timed on the issue.

        Returns
        -------
        list[Timer]
            The timers that changed.

        Raises
        ------
        TooMuchContention
            If other writers kept changing the timers; a retry is safe.
        """
        _check(event, issue.repo_id)

        def attempt() -> tuple[Event | None, IssueHistory, Found]:
            history = self._log.read(issue)
            found = self._find(history, event, now_ms)
            named_at = _not_later(event.named_at, now_ms)
            if not _is_known(history, named_at) and self._record(
                issue.repository, named_at, now_ms, known=history.name
            ):
                history = self._log.read(issue)
                found = self._find(history, event, now_ms)
            admitted = admit(event, found.profiles(_named(event)))
            if admitted is None:
                return None, history, found
            logged = history.logged(event.delivery)
            if logged is None:
                self._log.append(admitted, history, now_ms=now_ms)
            return logged or admitted, history, found

        logged, history, found = retry_on_conflict(attempt, _BUSY)
        concerned = set[int]() if logged is None else _concerned(logged, history)
        changed = self._rederive_all(concerned, history, found, now_ms)
        if seen and (changed or history.is_timed):
            self._details.record(history, seen, now_ms=now_ms)
        return changed

    def apply_to_repository(
        self, event: Event, repository: Repository, *, now_ms: int
    ) -> tuple[list[Timer], int]:
        """Log an event of a repository, and rederive the timers that the event may concern.

        A repeated call produces the same timers, even if the previous call was interrupted. A process that
        has read the repository before the event was logged may write a timer afterwards. So the event has to
        be applied again when such processes have ended.

        Returns
        -------
        tuple[list[Timer], int]
            The timers that changed, and the time at which the event was logged first (milliseconds since the
            epoch).

        Raises
        ------
        TooMuchContention
            If other writers kept changing the timers; the event is logged, and a retry is safe.
        """
        _check(event, repository.id)
        self.observe(repository, event.named_at, now_ms=now_ms)
        logged_ms = self._log.append_of_repository(event, repository, now_ms=now_ms)
        changed: list[Timer] = []
        for number in self._log.numbers(repository, at_ms=event.at_ms):
            issue = repository.issue(number)
            changed += self._rederive_people(issue, IssueHistory.people_with_timers, now_ms)
        return changed, logged_ms

    def move(self, move: Move, *, now_ms: int) -> tuple[list[Timer], int]:
        """Move everybody's timers on a transferred issue to its new identity.

        A repeated call produces the same timers, even if the previous call was interrupted. As an event of a
        repository, the move has to be applied again later.

        Returns
        -------
        tuple[list[Timer], int]
            The timers that changed, and the time at which the move was logged first (milliseconds since the
            epoch).

        Raises
        ------
        TooMuchContention
            If other writers kept changing the timers; the move is logged, and a retry is safe.
        """
        logged_ms = self._log.append_move(move, now_ms=now_ms)
        return self._rederive_people(move.origin, IssueHistory.people, now_ms), logged_ms

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
            self._record(repository, named_at, now_ms, known=known)

    def rename_owner(self, origin: str, target: str, named_at: int, *, now_ms: int) -> None:
        """Store the new login of a user or organization in the names of their repositories.

        Raises
        ------
        TooMuchContention
            If other writers kept changing the timers; a retry is safe.
        """
        named_at = _not_later(named_at, now_ms)
        renamed = self._repositories.rename_owner(origin, target, named_at, now_ms=now_ms)
        for repository, observed_at in renamed:
            self._record(repository, named_at, now_ms, observed_at=observed_at)

    def rederive(
        self,
        issue: Issue,
        *,
        select: Callable[[set[int]], Iterable[int]],
        now_ms: int,
        unexpired: Set[str] = frozenset(),
        is_repetition: bool = False,
    ) -> list[Timer]:
        """Rederive timers on an issue and return the changed ones.

        Parameters
        ----------
        select
            Receives the people whom the issue's events and timers concern; returns the people whose timers
            are derived.
        unexpired
            See `timer_core.domain.replay.replay`.
        is_repetition
            Whether nothing but the log may have changed since the timers were derived last.

        Raises
        ------
        TooMuchContention
            If other writers kept changing the timers; a retry is safe.
        """
        return self._rederive_people(
            issue,
            lambda history: select(history.people()),
            now_ms,
            unexpired=unexpired,
            uses_numbers=not is_repetition,
        )

    def record_details(
        self, issue: Issue, seen: Registers, *, now_ms: int, is_explicit: bool = False
    ) -> bool:
        """Keep details of an issue if somebody is or was timed on it.

        Parameters
        ----------
        is_explicit
            Whether the details are kept in any case.

        Returns
        -------
        bool
            Whether the details are kept. They are not if the id of the repository is unknown.

        Raises
        ------
        TooMuchContention
            If other processes kept changing the details; a retry is safe.
        """
        if not issue.repo_id:
            return False
        history = self._log.read(issue)
        if not is_explicit and not history.is_timed:
            return False
        self._details.record(history, self._identified(seen), now_ms=now_ms)
        return True

    def _identified(self, seen: Registers) -> Registers:
        """Return observations with the ids of the repositories of closed issues, as far as they are known."""
        closes = seen.get(CLOSES)
        if closes is None:
            return seen
        issues = [self._repositories.identify(to_issue(one)) for one in closes.content]
        return {**seen, CLOSES: closes._replace(content=[issue_content(issue) for issue in issues])}

    def timers_of(self, user_id: int, issue: Issue) -> list[Timer]:
        """Return a person's latest timers on an issue, sorted by start."""
        return self._derived.latest(self._log.read(issue).slot(user_id))

    def home(self, issue: Issue) -> Issue:
        """Return the present identity of an issue."""
        return self._log.read(issue).home

    def logged(self, issue: Issue) -> list[Event]:
        """Return the logged events of an issue."""
        return self._log.read(issue).events()

    def _find(self, history: IssueHistory, event: Event, now_ms: int) -> Found:
        """Read what an event needs besides the log, and add the repositories to the history."""
        concerned = _named(event) | _concerned(history.logged(event.delivery) or event, history)
        return self._read(history, sorted(concerned), now_ms, coming=[event])

    def _read(
        self, history: IssueHistory, user_ids: Collection[int], now_ms: int, *, coming: Iterable[Event] = ()
    ) -> Found:
        found = self._derived.read(history, user_ids, coming=coming)
        self._log.add_repositories(history, found.items, now_ms=now_ms)
        return found

    def _record(
        self,
        repository: Repository,
        named_at: int,
        now_ms: int,
        *,
        known: RepositoryName | None = None,
        observed_at: int | None = None,
    ) -> bool:
        """Store an observed name of a repository, and join the slots under it; return whether it was new.

        Parameters
        ----------
        known
            The stored name, if it was read.
        observed_at
            See `Repositories.record`.
        """
        is_new = False
        for observed in self._repositories.record(
            repository, named_at, now_ms=now_ms, observed_at=observed_at
        ):
            if known is not None and known.has_joined(observed.full_name, named_at):
                continue
            is_new = True
            # From now on, timers are started under the id. If this process is interrupted, the next delivery
            # continues here.
            numbers = self._log.named_issues(observed.full_name)
            for number in numbers:
                named = replace(observed.issue(number), repo_id=0)
                self._rederive_people(named, IssueHistory.people, now_ms)
            # The slots of people whose accounts are being deleted are left.
            if not numbers or not self._log.named_issues(observed.full_name):
                self._repositories.note_joined(observed)
        return is_new

    def _rederive_people(
        self,
        issue: Issue,
        select: Callable[[IssueHistory], Iterable[int]],
        now_ms: int,
        *,
        unexpired: Set[str] = frozenset(),
        uses_numbers: bool = True,
    ) -> list[Timer]:
        """Rederive the timers of some people after something else than the issue's events has changed.

        Parameters
        ----------
        uses_numbers
            Whether a process that is about to append an event must read again.
        """

        def attempt() -> IssueHistory:
            history = self._log.read(issue)
            if uses_numbers:
                self._log.use_numbers(history, now_ms=now_ms)
            return history

        history = retry_on_conflict(attempt, _BUSY)
        user_ids = sorted(select(history))
        if not user_ids:
            return []
        found = self._read(history, user_ids, now_ms)
        return self._rederive_all(user_ids, history, found, now_ms, unexpired=unexpired)

    def _rederive_all(
        self,
        user_ids: Iterable[int],
        history: IssueHistory,
        found: Found,
        now_ms: int,
        *,
        unexpired: Set[str] = frozenset(),
    ) -> list[Timer]:
        return [
            timer
            for user_id in sorted(user_ids)
            for timer in self._rederive(user_id, history, found, now_ms, unexpired=unexpired)
        ]

    def _rederive(
        self, user_id: int, history: IssueHistory, found: Found, now_ms: int, *, unexpired: Set[str]
    ) -> list[Timer]:
        """Rederive a person's timers on an issue.

        Parameters
        ----------
        unexpired
            See `timer_core.domain.replay.replay`.
        """

        def attempt() -> list[Timer]:
            nonlocal history, found
            try:
                return self._derive(user_id, history, found, now_ms, unexpired)
            except Conflict:
                history = self._log.read(history.root)
                found = self._read(history, [user_id], now_ms)
                raise

        return retry_on_conflict(attempt, _BUSY)

    def _derive(
        self, user_id: int, history: IssueHistory, found: Found, now_ms: int, unexpired: Set[str]
    ) -> list[Timer]:
        home, slots, events = history.home, history.slots(user_id), history.events()
        derivable = self._derived.derivable(slots, history, found, now_ms=now_ms)
        if derivable is None:
            # The person's items are being deleted, so no item that mentions the person may be written.
            return []
        titles = ((event.at_ms, event.title) for event in events if event.title)
        _, title = max(titles, default=(0, home.title))
        outcome = replay(
            issue=replace(home, title=title),
            user_id=user_id,
            now_ms=now_ms,
            events=events,
            timers=derivable.timers,
            locked_until_ms=derivable.locked_until_ms,
            used_ulids=derivable.used_ulids,
            calendar=found.calendar(user_id),
            foreign=history.foreign_events(),
            unexpired=unexpired,
        )
        return self._derived.write(slots, outcome, now_ms=now_ms)


def _named(event: Event) -> frozenset[int]:
    """Return the people whom an event names."""
    return (event.users or frozenset()) | ({event.actor} if event.actor else frozenset())


def _concerned(event: Event, history: IssueHistory) -> Set[int]:
    """Return the people whose timers an event may change."""
    # Another process may be writing the first timer of somebody for whom an event is logged.
    people = history.people()
    # The event is a sign of life of its actor, if the actor has a timer here.
    return people if event.users is None else event.users | ({event.actor} & people)


def _is_known(history: IssueHistory, named_at: int) -> bool:
    """Whether the name of an issue's repository is stored, see `RepositoryName.includes`."""
    return history.name is not None and history.name.includes(history.root.full_name, named_at)


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
