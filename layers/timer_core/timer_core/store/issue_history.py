"""The stored events, moves and slots of an issue under all of its names.

Each event is logged under the name that the issue had. After a move, the issue's timers are moved to the
present name of the issue, and are derived from the events under all names.
"""

from collections.abc import Set
from dataclasses import dataclass, field

from timer_core.domain.events import Event, distinct
from timer_core.domain.issues import Issue
from timer_core.domain.moves import Move, Names
from timer_core.store.slots import Slot


@dataclass(slots=True)
class IssuePage:
    """The items that are stored under one name of an issue."""

    issue: Issue
    events: list[Event] = field(default_factory=list)
    slots: dict[int, Slot] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)


class IssueHistory:
    """Everything that is stored under all names of an issue.

    Parameters
    ----------
    pages
        The items under each name, by the key of the name.
    """

    def __init__(self, pages: dict[str, IssuePage]) -> None:
        self._pages = pages
        self.names = Names(move for page in pages.values() for move in page.moves)

    @property
    def keys(self) -> Set[str]:
        """The keys of all names of the issue."""
        return self._pages.keys()

    def events(self, home: Issue) -> list[Event]:
        """Return the events of the issue whose present name is ``home``, without repetitions."""
        return distinct(
            event
            for page in self._pages.values()
            for event in page.events
            if self.names.home(page.issue, event.at_ms).key == home.key
        )

    def slot(self, issue: Issue, user_id: int) -> Slot:
        """Return a person's slot under one name."""
        page = self._pages.get(issue.key, IssuePage(issue))
        return page.slots.get(user_id, Slot(issue, user_id))

    def pending_move(self, slot: Slot) -> Move | None:
        """Return the first move that was not applied to all timers of a slot, if there is one.

        A move is also pending if the old name is never reused, and the slot has timers that were started
        manually under the old name after the move.
        """
        for move in self.names.departures(slot.issue):
            if move.delivery not in slot.moved or (move.until_ms is None and slot.ulids):
                return move
        return None

    def slots_to_move(self, home: Issue, user_id: int) -> list[Slot]:
        """Return a person's slots under other names whose timers must be moved to the name ``home``."""
        slots = (self.slot(page.issue, user_id) for key, page in self._pages.items() if key != home.key)
        return [
            slot
            for slot in slots
            if (move := self.pending_move(slot)) and self.names.destination(move).key == home.key
        ]

    def moves_to(self, home: Issue, slot: Slot) -> set[str]:
        """Return the deliveries of the moves from a slot's name to the name ``home``."""
        return {
            move.delivery
            for move in self.names.departures(slot.issue)
            if self.names.destination(move).key == home.key
        }

    def people_with_timers(self) -> set[int]:
        """Return the ids of all people who have or had timers on the issue.

        People with an empty slot are not included, because a move may have created the empty slot after the
        person's account was deleted.
        """
        slots = (slot for page in self._pages.values() for slot in page.slots.values())
        return {slot.user_id for slot in slots if slot.ulids}

    def people(self) -> set[int]:
        """Return the ids of all people who have or had timers, or for whom an event may create a timer."""
        events = (event for page in self._pages.values() for event in page.events)
        return self.people_with_timers().union(*(event.users or () for event in events))
