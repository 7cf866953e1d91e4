"""The ids of the objects at the fake GitHub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from fake_github.model import (
    Account,
    App,
    Card,
    Comment,
    Draft,
    Event,
    Field,
    FieldValue,
    Installation,
    Issue,
    IssueField,
    IssueFieldValue,
    IssueType,
    Label,
    Milestone,
    NumberField,
    NumberValue,
    Project,
    PullRequest,
    Reaction,
    Repository,
    Review,
    Team,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

# The first id of each kind and the prefix of its node ids. Ids of issues and comments exceed 32 bits, as at
# GitHub.
_KINDS: dict[type, tuple[int, str]] = {
    Account: (21_000_000, "U"),
    Repository: (186_000_000, "R"),
    Label: (1_300_000_000, "LA"),
    Issue: (3_500_000_000, "I"),
    PullRequest: (3_550_000_000, "PR"),
    Event: (20_000_000_000, "EV"),
    Comment: (3_600_000_000, "IC"),
    Review: (2_100_000_000, "PRR"),
    Reaction: (300_000_000, "REA"),
    Project: (18_000_000, "PVT"),
    Field: (240_000_000, "PVTSSF"),
    Draft: (30_000_000, "DI"),
    Card: (140_000_000, "PVTI"),
    FieldValue: (900_000_000, "PVTFSV"),
    Milestone: (11_000_000, "MI"),
    IssueType: (23_000_000, "IT"),
    IssueField: (2_000, "IFN"),
    IssueFieldValue: (5_000_000, "IFNV"),
    NumberField: (250_000_000, "PVTF"),
    NumberValue: (950_000_000, "PVTFNV"),
    App: (1_100_000, "A"),
    Installation: (60_000_000, "INS"),
    Team: (3_300_000, "T"),
}


class Nodes(dict[str, Any]):
    """All objects by their node ids."""

    def __init__(self, numbers: Iterator[int]) -> None:
        super().__init__()
        self._numbers = numbers

    def new(self, kind: type[T], **attributes: Any) -> T:
        """Return a new object with a new node id and a new id, unless the id is among the attributes."""
        first, prefix = _KINDS[kind]
        number = attributes.pop("id", None) or first + next(self._numbers)
        node_id = f"{prefix}_kwDO{number:012x}"
        thing = self[node_id] = kind(id=number, node_id=node_id, **attributes)  # type: ignore[call-arg]
        return thing
