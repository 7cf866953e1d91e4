"""The mark on the items that the demo wrote, by which they are found again."""

from collections.abc import Sequence
from dataclasses import replace

from timer_core.store.table import RawItem, Table, Write

# The product keeps attributes of a timer that it does not know, as it keeps those of later releases.
_MARK = "demo"


class MarkedTable(Table):
    """The table, in which every item that is put gets the mark."""

    def write(self, write: Write) -> RawItem:
        """Execute one write, see `Table.write`."""
        return super().write(_marked(write))

    def transact(self, writes: Sequence[Write]) -> None:
        """Execute all writes in one transaction, see `Table.transact`."""
        super().transact([_marked(write) for write in writes])


def is_marked(item: RawItem) -> bool:
    """Whether the demo wrote an item, or the product made it of such an item."""
    return _MARK in item


def _marked(write: Write) -> Write:
    return replace(write, item=write.item | {_MARK: {"BOOL": True}}) if write.operation == "Put" else write
