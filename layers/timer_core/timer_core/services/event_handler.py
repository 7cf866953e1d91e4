"""Takes in what happened on GitHub: for whom it counts, and what it does to their timers."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from timer_core.domain.errors import InvalidInput, NotFound
from timer_core.domain.ids import derived_ulid
from timer_core.domain.issues import Issue
from timer_core.domain.moves import Move
from timer_core.domain.replay import Event
from timer_core.domain.timers import Timer, finished
from timer_core.github.webhooks.messages import LOG, IssueEvent, MoveEvent
from timer_core.store.events import EventStore
from timer_core.store.people import PeopleStore
from timer_core.store.timers import TimerStore

# What one BatchGetItem takes.
_BATCH = 100


@dataclass(frozen=True, slots=True)
class Handled:
    """What an event did.

    Attributes
    ----------
    timers
        Those that it changed.
    reason
        Why it concerned nobody: ``user_not_registered``, ``before_registration`` (they are now, and were not
        when it happened) or ``not_an_issue``; empty if it did.
    unregistered
        How many of the people concerned are not registered.
    """

    timers: tuple[Timer, ...] = ()
    reason: str = ""
    unregistered: int = 0


class EventHandler:
    """Brings the timers in line with what happened on GitHub; taking it in again changes nothing.

    Parameters
    ----------
    track_unregistered
        Whether people are timed who never signed in; not those who have left.
    """

    def __init__(
        self, event_store: EventStore, timers: TimerStore, people: PeopleStore, *, track_unregistered: bool
    ) -> None:
        self._event_store = event_store
        self._timers = timers
        self._people = people
        self._track_unregistered = track_unregistered

    def take(self, event: IssueEvent, *, now_ms: int) -> Handled:
        """Take in what happened to an issue.

        Raises
        ------
        TooMuchContention
            If others kept changing the timers; trying again is safe.
        """
        try:
            issue = Issue.of(event.repo, event.number)
        except InvalidInput:
            return Handled(reason="not_an_issue")
        since = self._timed_since(event.users or ())
        users = None if event.users is None else frozenset(_timed_at(event.at_ms, since))
        unregistered = len(frozenset(event.users or ()) - since.keys())
        if users is not None and not users:
            reason = "before_registration" if since else "user_not_registered"
            return Handled(reason=reason, unregistered=unregistered)
        if event.kind == LOG:
            logged = (self._log_time(event, issue, user_id, now_ms) for user_id in users or ())
            return Handled(tuple(timer for timer in logged if timer), unregistered=unregistered)
        issue_event = Event(
            delivery=event.delivery,
            kind=event.kind,
            at_ms=event.at_ms,
            users=users,
            title=event.title,
            received_ms=event.fetched_ms or now_ms,
            backfilled=event.fetched_ms > 0,
        )
        changed = self._event_store.apply(issue_event, issue, now_ms=now_ms)
        return Handled(tuple(changed), unregistered=unregistered)

    def finish(self, first: IssueEvent, *, now_ms: int) -> Handled:
        """Finish what was begun by those who took in this event of an issue, or a later one, and broke off.

        Raises
        ------
        TooMuchContention
            If others kept changing the timers; trying again is safe.
        """
        changed = self._event_store.rederive(
            Issue.of(first.repo, first.number),
            since=Event("", first.kind, first.at_ms),
            timed=self.timed,
            now_ms=now_ms,
        )
        return Handled(tuple(changed))

    def timed(self, users: Iterable[int]) -> set[int]:
        """Return those of any number of people who are timed now."""
        ids = sorted(users)
        pages = (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))
        return {user_id for page in pages for user_id in self._timed_since(page)}

    def was_timed(self, user_id: int, *, at_ms: int) -> bool:
        """Whether a person is timed, and was at some time of GitHub's."""
        return bool(_timed_at(at_ms, self._timed_since((user_id,))))

    def concerns_anybody(self, event: IssueEvent) -> bool:
        """Whether an event is about anybody who is timed."""
        return event.users is None or bool(_timed_at(event.at_ms, self._timed_since(event.users)))

    def _timed_since(self, users: Collection[int]) -> dict[int, int]:
        """Return those of up to 100 people who are timed, each with since when (milliseconds)."""
        if not self._track_unregistered:
            return self._people.registered(users)
        # Who has left does not want to be.
        left = self._people.ever_deleted(users)
        return {user_id: back_ms for user_id in users if (back_ms := left.get(user_id, 0)) is not None}

    def move(self, event: MoveEvent, *, now_ms: int) -> Handled:
        """Let the timers follow an issue, or all issues of a repository.

        Raises
        ------
        TooMuchContention
            If others kept changing the timers; trying again is safe.
        """
        before, after = event.numbers or (1, 1)
        try:
            move = Move(
                event.delivery,
                Issue.of(event.origin, before),
                Issue.of(event.target, after),
                event.at_ms,
            )
        except InvalidInput:
            return Handled(reason="not_an_issue")
        if event.numbers:
            return Handled(tuple(self._event_store.move_issue(move, now_ms=now_ms)))
        # The name may be taken again, and what happened just before may be told later.
        move = replace(move, until_ms=event.received_ms)
        return Handled(tuple(self._event_store.move_repository(move, now_ms=now_ms)))

    def _log_time(self, event: IssueEvent, issue: Issue, user_id: int, now_ms: int) -> Timer | None:
        """Add finished time up to the moment of the event; its id makes a repetition the same timer."""
        timer = finished(
            user_id=user_id,
            ulid=derived_ulid(event.commented_ms, str(user_id), event.delivery),
            start_ms=event.at_ms - event.duration_ms,
            end_ms=event.at_ms,
            now_ms=max(event.at_ms, now_ms),
            issue=replace(self._event_store.home(issue, at_ms=event.at_ms), title=event.title),
            by=event.kind,
        )
        try:
            return self._timers.add(timer)
        except NotFound:
            # The person has deleted it since the delivery came first.
            return None


def _timed_at(at_ms: int, since: Mapping[int, int]) -> set[int]:
    """Return who was timed at some time of GitHub's, which are whole seconds."""
    return {user_id for user_id, since_ms in since.items() if since_ms // 1000 <= at_ms // 1000}
