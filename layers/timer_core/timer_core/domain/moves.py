"""The names of an issue, which change when the issue or its repository is transferred or renamed.

A name can be used again: after a repository was renamed, another repository may be created under the old
name. So a name alone does not identify an issue. An event under the old name belongs to the moved issue if
the event happened before the move.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from timer_core.domain.events import guid_time
from timer_core.domain.issues import Issue


@dataclass(frozen=True, slots=True)
class Move:
    """A change of an issue's name.

    Attributes
    ----------
    delivery
        The GUID of the delivery, or the id of a move that a sweep found.
    origin, target
        The names before and after the move. If a repository was renamed, each of its issues has a move.
    at_ms
        The time of the move if GitHub gives this time, else the time at which the move was found. Moves are
        sorted by this time.
    until_ms
        Events under the name ``origin`` up to this time belong to the moved issue; None if all events under
        this name belong to the moved issue.
    """

    delivery: str
    origin: Issue
    target: Issue
    at_ms: int
    until_ms: int | None = None

    def of(self, number: int) -> "Move":
        """Return the move of another issue of the same repository."""
        return replace(
            self, origin=replace(self.origin, number=number), target=replace(self.target, number=number)
        )


class Names:
    """The names that issues have had.

    Parameters
    ----------
    moves
        All moves from and to the names of these issues.
    """

    def __init__(self, moves: Iterable[Move]) -> None:
        departures: dict[str, dict[str, Move]] = {}
        for move in moves:
            departures.setdefault(move.origin.key, {})[move.delivery] = move
        self._departures: Mapping[str, Sequence[Move]] = {
            key: sorted(
                by_delivery.values(),
                key=lambda move: (move.at_ms, guid_time(move.delivery) or 0, move.delivery),
            )
            for key, by_delivery in departures.items()
        }

    def departures(self, issue: Issue) -> Sequence[Move]:
        """Return the moves away from a name, in order of time."""
        return self._departures.get(issue.key, ())

    def home(self, issue: Issue, at_ms: int) -> Issue:
        """Return the present name of the issue that was named ``issue`` at ``at_ms``."""
        for move in self.departures(issue):
            if move.until_ms is None or at_ms <= move.until_ms:
                return self.destination(move)
        return issue

    def destination(self, move: Move) -> Issue:
        """Return the present name of a moved issue, which may have moved again later."""
        passed = {move.delivery}
        while True:
            onwards = (
                later
                for later in self.departures(move.target)
                if later.at_ms >= move.at_ms and later.delivery not in passed
            )
            following = next(onwards, None)
            if following is None:
                return move.target
            passed.add(following.delivery)
            move = following
