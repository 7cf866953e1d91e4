"""The stored events, moves and slots of an issue under all of its identities.

Each event is logged under the identity that the issue had then. After a move, the issue's timers are moved to
the present identity, and are derived from the events under all identities.
"""

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field, replace

from timer_core.domain.events import Event, distinct
from timer_core.domain.issue_details import IS_PULL_REQUEST, Registers
from timer_core.domain.issues import Issue, Repository
from timer_core.domain.moves import Move, Moves
from timer_core.store.items import EVENT_DAYS
from timer_core.store.repositories import RepositoryName
from timer_core.store.slots import Slot

# The time (seconds) before and after the expiry of an issue's events in which further events get two numbers.
# No process runs as long, so two that append at the same time are not on both sides of it.
OVERLAP_S = 3_600


@dataclass(slots=True)
class RepositoryPage:
    """The items of a repository: its present name and its events."""

    name: RepositoryName | None = None
    events: list[Event] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StoredDetails:
    """The stored details of an issue; version 0 if there are none."""

    registers: Registers = field(default_factory=dict)
    version: int = 0


@dataclass(slots=True)
class IssuePage:
    """The items that are stored under one identity of an issue, and those of its repository.

    Attributes
    ----------
    details
        The details of the issue.
    numbers
        The numbers of the events in the log, and the times at which these expire (seconds since the epoch).
    """

    issue: Issue
    repository: RepositoryPage = field(default_factory=RepositoryPage)
    events: list[Event] = field(default_factory=list)
    slots: dict[int, Slot] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)
    details: StoredDetails = StoredDetails()
    numbers: dict[int, int] = field(default_factory=dict)

    @property
    def is_pull(self) -> bool:
        """Whether the issue is known to be a pull request."""
        return IS_PULL_REQUEST in self.details.registers

    def next_numbers(self, now_s: int) -> list[int]:
        """Return the numbers that the next event gets, usually one.

        TTL deletes expired events in any order, so the last number may vanish first. Therefore the numbers
        begin anew when all events have expired. Around this time an event gets both numbers, because
        processes with slightly different clocks may append at the same time.
        """
        expires_s = max(self.numbers.values(), default=0)
        if not self.numbers or now_s >= expires_s + OVERLAP_S:
            return [1]
        # Expired events from before the numbers began anew may still exist.
        oldest_s = expires_s - EVENT_DAYS * 86_400
        following = 1 + max(number for number, until_s in self.numbers.items() if until_s > oldest_s)
        return [following] if now_s < expires_s - OVERLAP_S else [following, 1]


class IssueHistory:
    """Everything that is stored under all identities of an issue.

    Parameters
    ----------
    root
        The identity from which the history was read.
    pages
        The items under each identity, by its key.
    """

    def __init__(self, root: Issue, pages: dict[str, IssuePage]) -> None:
        self.root = root
        self._pages = pages
        self._moves = Moves(move for page in pages.values() for move in page.moves)

    @property
    def keys(self) -> Set[str]:
        """The keys of all identities of the issue."""
        return self._pages.keys()

    @property
    def home(self) -> Issue:
        """The present identity of the issue."""
        home = self._moves.home(self.root)
        is_pull = home.is_pull or any(page.is_pull for page in self._pages.values())
        return replace(home, is_pull=is_pull)

    @property
    def log(self) -> IssuePage:
        """The items under the identity under which events are logged: the present one, if it was read."""
        return self._pages.get(self.home.key) or self._pages[self.root.key]

    def logs(self) -> Iterator[IssuePage]:
        """Yield the items under each identity under which events may be logged."""
        return (page for page in self._pages.values() if page.issue.repo_id)

    def logged(self, delivery: str) -> Event | None:
        """Return the logged event of a delivery; None if there is none."""
        return next((event for event in self.own_events() if event.delivery == delivery), None)

    def repositories(self) -> list[Repository]:
        """Return the repositories in which the issue is or was."""
        return list({page.issue.repo_id: page.issue.repository for page in self.logs()}.values())

    def add_repository(self, repo_id: int, repository: RepositoryPage) -> None:
        """Add the name and the events of a repository."""
        for page in self.logs():
            if page.issue.repo_id == repo_id:
                page.repository = repository

    @property
    def name(self) -> RepositoryName | None:
        """The stored name of the root's repository."""
        return self._pages[self.root.key].repository.name

    def own_events(self) -> Iterable[Event]:
        """Return the events in the logs of the issue."""
        return (event for page in self._pages.values() for event in page.events)

    def events(self) -> list[Event]:
        """Return the events of the issue, without repetitions, and those of its repositories.

        An event of a repository concerns the issue if the issue was in the repository at that time.
        """
        of_repositories = (
            event
            for page in self._pages.values()
            for event in page.repository.events
            if self._moves.was_at(page.issue, event.at_ms)
        )
        return distinct([*self.own_events(), *of_repositories])

    def foreign_events(self) -> set[str]:
        """Return the deliveries of events of its repositories that happened while the issue was elsewhere."""
        events = (event for page in self._pages.values() for event in page.repository.events)
        return {event.delivery for event in events} - {event.delivery for event in self.events()}

    def slot(self, user_id: int) -> Slot:
        """Return a person's slot under the present identity."""
        page = self._pages.get(self.home.key, IssuePage(self.home))
        return page.slots.get(user_id, Slot(self.home, user_id))

    def slots_to_move(self, user_id: int) -> list[Slot]:
        """Return a person's slots under former identities that are not empty."""
        slots = (page.slots.get(user_id) for key, page in self._pages.items() if key != self.home.key)
        return [slot for slot in slots if slot is not None and (slot.ulids or slot.locked_until_ms)]

    def slots(self, user_id: int) -> list[Slot]:
        """Return a person's slot under the present identity, followed by those under former identities."""
        return [self.slot(user_id), *self.slots_to_move(user_id)]

    @property
    def is_timed(self) -> bool:
        """Whether somebody is or was timed on the issue, so that its details are kept."""
        has_details = any(page.details.version for page in self._pages.values())
        return has_details or bool(self.people_with_timers())

    def people_with_timers(self) -> set[int]:
        """Return the ids of all people who have or had timers on the issue.

        People with an empty slot are not included, because a move may have emptied the slot after the
        person's account was deleted.
        """
        slots = (slot for page in self._pages.values() for slot in page.slots.values())
        return {slot.user_id for slot in slots if slot.ulids}

    def people(self) -> set[int]:
        """Return the ids of all people who have or had timers, or for whom an event may create a timer."""
        return self.people_with_timers().union(*(event.users or () for event in self.own_events()))
