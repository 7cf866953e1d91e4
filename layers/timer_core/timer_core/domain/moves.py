"""Moves: an issue that is transferred to another repository gets another repository's id and another number.

The former id and number are never used again, so all events under them belong to the moved issue.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from timer_core.domain.events import guid_time
from timer_core.domain.issues import Issue


@dataclass(frozen=True, slots=True)
class Move:
    """A change of an issue's identity.

    Attributes
    ----------
    delivery
        The GUID of the delivery, or the id of a move that a sweep found.
    origin, target
        The issue before and after the move.
    at_ms
        The time of the move if GitHub gives this time, else the time at which the move was found.
    """

    delivery: str
    origin: Issue
    target: Issue
    at_ms: int


class Moves:
    """The moves of an issue.

    Parameters
    ----------
    moves
        All moves from and to the identities of the issue, in any order, with repetitions.
    """

    def __init__(self, moves: Iterable[Move]) -> None:
        in_order = sorted(moves, key=lambda move: (move.at_ms, guid_time(move.delivery) or 0, move.delivery))
        # Both repositories report a transfer, and a sweep may find it too. The first report has the time.
        self._departures: Mapping[str, Move] = {move.origin.key: move for move in reversed(in_order)}
        self._arrivals: Mapping[str, Move] = {move.target.key: move for move in reversed(in_order)}

    def departure(self, issue: Issue) -> Move | None:
        """Return the move away from an identity, if there is one."""
        return self._departures.get(issue.key)

    def home(self, issue: Issue) -> Issue:
        """Return the present identity of an issue, which may have moved several times."""
        passed: set[str] = set()
        while (move := self.departure(issue)) is not None and issue.key not in passed:
            passed.add(issue.key)
            issue = move.target
        return issue

    def was_at(self, issue: Issue, at_ms: int) -> bool:
        """Whether the issue had this identity at a time."""
        arrival, departure = self._arrivals.get(issue.key), self.departure(issue)
        return (arrival is None or arrival.at_ms <= at_ms) and (departure is None or at_ms <= departure.at_ms)
