"""Apply events of GitHub: find out which users are tracked, and change their timers."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from timer_core.domain.errors import DayConfirmed, InvalidInput, NotFound
from timer_core.domain.events import Event, guid_time_at, named_at
from timer_core.domain.ids import derived_ulid
from timer_core.domain.issue_details import Register, Registers
from timer_core.domain.issues import Issue, Repository
from timer_core.domain.moves import Move
from timer_core.domain.schedule import Span
from timer_core.domain.timers import Timer, finished
from timer_core.github.messages import (
    ESTIMATE,
    LOG,
    IssueEvent,
    MoveEvent,
    OwnerRenamed,
    RepositoryEvent,
    Seen,
)
from timer_core.services.issue_timers import IssueTimers
from timer_core.store.people import PeopleStore, ever_deleted, registered
from timer_core.store.table import RawItem
from timer_core.store.timers import TimerStore


@dataclass(frozen=True, slots=True)
class Handled:
    """The effect of an event.

    Attributes
    ----------
    timers
        The timers that were changed.
    reason
        Why the event was ignored: ``user_not_registered``, ``before_registration`` (the users registered
        after it happened), ``not_an_issue`` or ``no_repository_id``; empty if it was applied.
    unregistered
        The number of the event's users who are not tracked.
    again_ms
        The time after which the event has to be handled again (milliseconds); 0 if it does not.
    """

    timers: tuple[Timer, ...] = ()
    reason: str = ""
    unregistered: int = 0
    again_ms: int = 0


class EventHandler:
    """Applies events of GitHub to timers; applying an event again changes nothing.

    A user is tracked from their registration until they request the deletion of their account.

    Parameters
    ----------
    track_unregistered
        Whether to also track users who never signed in.
    again_after_ms
        The time after which moves and events of a repository have to be handled again (milliseconds). A
        process that had read before has ended then, and the index of slots shows the timers that it wrote.
    """

    def __init__(
        self,
        issue_timers: IssueTimers,
        timers: TimerStore,
        people: PeopleStore,
        *,
        track_unregistered: bool,
        again_after_ms: int,
    ) -> None:
        self._issue_timers = issue_timers
        self._timers = timers
        self._people = people
        self._track_unregistered = track_unregistered
        self._again_after_ms = again_after_ms

    def handle(self, event: IssueEvent, *, now_ms: int) -> Handled:
        """Apply an event of an issue.

        Raises
        ------
        TooMuchContention
            If other writers kept changing the timers; a retry is safe.
        """
        try:
            issue = Issue.of(event.repo, event.number, repo_id=event.repo_id)
        except InvalidInput:
            return Handled(reason="not_an_issue")
        if not issue.repo_id:
            return Handled(reason="no_repository_id")
        if event.kind == LOG:
            return self._log_time(event, issue, now_ms)
        if event.kind == ESTIMATE:
            return self._record_estimate(event, issue, now_ms)
        admission = Handled()

        def admit(happened: Event, profiles: Mapping[int, RawItem]) -> Event | None:
            nonlocal admission
            since = self._since(_concerned(event) | _people(event.actor), profiles)
            admission = _admission(event, since)
            tracked = _tracked_at(event.at_ms, since)
            users = None if happened.users is None else happened.users & tracked
            # The actor is stored only if they are tracked.
            actor = happened.actor if happened.actor in tracked else 0
            return None if admission.reason else replace(happened, users=users, actor=actor)

        happened = _to_event(event, now_ms)
        changed = self._issue_timers.apply(
            happened, issue, now_ms=now_ms, admit=admit, seen=to_registers(event.seen)
        )
        return replace(admission, timers=tuple(changed))

    def rederive(self, issue: Issue, *, now_ms: int) -> Handled:
        """Rederive an issue's timers, in case a process logged an event and failed before deriving them.

        Raises
        ------
        TooMuchContention
            If other writers kept changing the timers; a retry is safe.
        """
        changed = self._issue_timers.rederive(issue, select=self.tracked, now_ms=now_ms, is_repetition=True)
        return Handled(tuple(changed))

    def tracked(self, users: Iterable[int]) -> set[int]:
        """Return the users who are tracked."""
        return set(self._tracked_since(sorted(users)))

    def was_tracked(self, user_id: int, *, at_ms: int) -> bool:
        """Whether a user is tracked now and was tracked at the time of an event."""
        return bool(_tracked_at(at_ms, self._tracked_since((user_id,))))

    def concerns_tracked_users(self, event: IssueEvent) -> bool:
        """Whether an event concerns a tracked user, or everybody who has an open timer on the issue."""
        return event.users is None or bool(_tracked_at(event.at_ms, self._tracked_since(event.users)))

    def _tracked_since(self, users: Collection[int]) -> dict[int, int]:
        """Map the users who are tracked to the time when tracking began (milliseconds)."""
        return self._since(users, self._people.profiles(users))

    def _since(self, users: Collection[int], profiles: Mapping[int, RawItem]) -> dict[int, int]:
        """Map the users who are tracked to the time when tracking began, given the existing profiles."""
        if not self._track_unregistered:
            return registered(profiles)
        # A request to delete an account ends tracking until its user signs in again.
        deleted = ever_deleted(profiles)
        return {user_id: since_ms for user_id in users if (since_ms := deleted.get(user_id, 0)) is not None}

    def move(self, event: MoveEvent, *, now_ms: int) -> Handled:
        """Move the timers of a transferred issue.

        Raises
        ------
        TooMuchContention
            If other writers kept changing the timers; a retry is safe.
        """
        repositories, numbers = (event.origin, event.target), event.numbers
        try:
            origin, target = (
                Issue.of(repo, number, repo_id=repo_id)
                for repo, number, repo_id in zip(repositories, numbers, event.repo_ids, strict=True)
            )
        except InvalidInput:
            return Handled(reason="not_an_issue")
        move = Move(event.delivery, origin, target, event.at_ms)
        changed, logged_ms = self._issue_timers.move(move, now_ms=now_ms)
        self._issue_timers.record_details(target, to_registers(event.seen), now_ms=now_ms)
        observed_at = named_at(event.delivery, event.at_ms)
        for issue in (origin, target):
            self._issue_timers.observe(issue.repository, observed_at, now_ms=now_ms)
        return self._to_handle_again(changed, logged_ms, now_ms)

    def handle_repository(self, event: RepositoryEvent, *, now_ms: int) -> Handled:
        """Apply an event of a repository to the timers of its issues, or store the repository's new name.

        Raises
        ------
        TooMuchContention
            If other writers kept changing the timers; a retry is safe.
        """
        try:
            repository = Repository.of(event.repo_id, event.repo)
        except InvalidInput:
            return Handled(reason="not_an_issue")
        if event.kind in {"renamed", "transferred"}:
            renamed_at = named_at(event.delivery, event.received_ms)
            self._issue_timers.observe(repository, renamed_at, now_ms=now_ms, is_change=True)
            return Handled()
        actors = _tracked_at(event.at_ms, self._tracked_since(_people(event.actor)))
        happened = Event(
            event.delivery,
            event.kind,
            event.at_ms,
            received_ms=event.received_ms,
            actor=event.actor if event.actor in actors else 0,
        )
        changed, logged_ms = self._issue_timers.apply_to_repository(happened, repository, now_ms=now_ms)
        return self._to_handle_again(changed, logged_ms, now_ms)

    def _to_handle_again(self, changed: Sequence[Timer], logged_ms: int, now_ms: int) -> Handled:
        """Return the result of an event that has to be handled again, unless it was logged long ago."""
        return Handled(tuple(changed), again_ms=max(0, logged_ms + self._again_after_ms - now_ms))

    def rename_owner(self, event: OwnerRenamed, *, now_ms: int) -> Handled:
        """Store the new login of a user or organization in the names of their repositories.

        Raises
        ------
        TooMuchContention
            If other writers kept changing the timers; a retry is safe.
        """
        renamed_at = named_at(event.delivery, event.at_ms)
        self._issue_timers.rename_owner(event.origin, event.target, renamed_at, now_ms=now_ms)
        return Handled()

    def refused_days(self, events: Iterable[IssueEvent], user_id: int, *, now_ms: int) -> dict[str, str]:
        """Return why a user's time was not logged on confirmed or locked days, by delivery.

        Parameters
        ----------
        events
            Commands of the user that have been handled.
        """
        found: dict[str, str] = {}
        for event in events:
            if event.kind == LOG and not self._timers.get_all(user_id, [_logged_ulid(event, user_id)]):
                spans = [Span(event.at_ms - event.duration_ms, event.at_ms)]
                if error := self._timers.changes.refusal(user_id, spans, now_ms=now_ms):
                    found[event.delivery] = str(error)
        return found

    def _record_estimate(self, event: IssueEvent, issue: Issue, now_ms: int) -> Handled:
        """Keep the estimate that a command gave, even if nobody has been timed on the issue yet."""
        admission = _admission(event, self._tracked_since(_concerned(event)))
        if not admission.reason:
            self._issue_timers.record_details(
                issue, to_registers(event.seen), now_ms=now_ms, is_explicit=True
            )
        return admission

    def _log_time(self, event: IssueEvent, issue: Issue, now_ms: int) -> Handled:
        """Add finished timers that end at the event's time."""
        since = self._tracked_since(_concerned(event))
        self._issue_timers.observe(issue.repository, guid_time_at(event.at_ms), now_ms=now_ms)
        users = sorted(_tracked_at(event.at_ms, since))
        added = (self._add_finished(event, issue, user_id, now_ms) for user_id in users)
        return replace(_admission(event, since), timers=tuple(timer for timer in added if timer is not None))

    def _add_finished(self, event: IssueEvent, issue: Issue, user_id: int, now_ms: int) -> Timer | None:
        timer = finished(
            user_id=user_id,
            ulid=_logged_ulid(event, user_id),
            start_ms=event.at_ms - event.duration_ms,
            end_ms=event.at_ms,
            now_ms=max(event.at_ms, now_ms),
            issue=replace(self._issue_timers.home(issue), title=event.title),
            by=event.kind,
        )
        try:
            return self._timers.add(timer)
        except (NotFound, DayConfirmed):
            # The user has deleted the timer since the event was first handled, or has confirmed the day.
            return None


def to_registers(seen: Seen) -> Registers:
    """Return the details that a message shows as registers."""
    return {name: Register(*register) for name, register in seen.items()}


def _logged_ulid(event: IssueEvent, user_id: int) -> str:
    """Return the ULID of the timer of logged time. A repeated event has the same one."""
    return derived_ulid(event.commented_ms, str(user_id), event.delivery)


def _admission(event: IssueEvent, since: Mapping[int, int]) -> Handled:
    """Return whether and why an event is ignored, without timers.

    Parameters
    ----------
    since
        The users who are tracked, and the times when tracking began.
    """
    concerned = _concerned(event)
    unregistered = len(concerned - since.keys())
    if event.users is None or concerned & _tracked_at(event.at_ms, since):
        return Handled(unregistered=unregistered)
    reason = "before_registration" if concerned & since.keys() else "user_not_registered"
    return Handled(reason=reason, unregistered=unregistered)


def _to_event(event: IssueEvent, now_ms: int) -> Event:
    return Event(
        delivery=event.delivery,
        kind=event.kind,
        at_ms=event.at_ms,
        users=None if event.users is None else _concerned(event),
        title=event.title,
        received_ms=event.fetched_ms or now_ms,
        backfilled=event.fetched_ms > 0,
        order=event.order,
        except_users=frozenset(event.except_users),
        card=event.card,
        actor=event.actor,
    )


def _concerned(event: IssueEvent) -> frozenset[int]:
    """Return the users whom an event concerns, as far as it names them."""
    return frozenset(event.users or ())


def _people(actor: int) -> frozenset[int]:
    """Return the ids of the people in an event's ``actor``: none or one."""
    return frozenset({actor} if actor else ())


def _tracked_at(at_ms: int, since: Mapping[int, int]) -> set[int]:
    """Return the users who were tracked at the time of an event.

    The times are compared in whole seconds, because GitHub's times have whole seconds.
    """
    return {user_id for user_id, since_ms in since.items() if since_ms // 1000 <= at_ms // 1000}
