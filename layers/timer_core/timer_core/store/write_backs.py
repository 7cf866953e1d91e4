"""What was last written to issues on GitHub, one item an issue."""

from dataclasses import dataclass

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.models import Model

from timer_core.domain.issues import Issue
from timer_core.store.items import raw
from timer_core.store.keys import WRITTEN_SK, written_pk
from timer_core.store.table import Table, Write

# The id of a comment that somebody has deleted on GitHub.
NO_COMMENT = 0


class WrittenItem(Model):
    """``written#<repo id#n>`` / ``issue``: what was last written to an issue on GitHub, at ``written_ms``.

    ``hours`` is the figure in the issue's field. ``comment_id`` is GitHub's id of the comment about the
    closed issue; 0 if somebody has deleted the comment. ``comment_hash`` is the SHA-256 of its text, which
    may name people.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    written_ms = NumberAttribute()
    hours = NumberAttribute(null=True)
    comment_id = NumberAttribute(null=True)
    comment_hash = UnicodeAttribute(null=True)


@dataclass(frozen=True, slots=True)
class Written:
    """What was last written to an issue.

    Attributes
    ----------
    written_ms
        The time of the last write (milliseconds since the epoch); 0 if there was none.
    hours
        The figure in the field of the issue, or of its projects; 0 if it was never written.
    comment_id
        The id of the comment about the closed issue; `NO_COMMENT` if somebody has deleted it, None if it was
        never written.
    comment_hash
        The hash of the text of the comment.
    """

    written_ms: int = 0
    hours: float = 0.0
    comment_id: int | None = None
    comment_hash: str = ""


class WriteBackStore:
    """Reads and records what was written."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def read(self, issue: Issue) -> Written:
        """Return what was last written to an issue."""
        item = self._table.get(written_pk(issue), WRITTEN_SK)
        if item is None:
            return Written()
        row = WrittenItem.from_raw_data(item)
        return Written(
            int(row.written_ms),
            float(row.hours or 0),
            None if row.comment_id is None else int(row.comment_id),
            row.comment_hash or "",
        )

    def record(self, issue: Issue, written: Written) -> None:
        """Replace what is recorded of an issue."""
        pk = written_pk(issue)
        row = WrittenItem(
            pk,
            WRITTEN_SK,
            written_ms=written.written_ms,
            hours=written.hours,
            comment_id=written.comment_id,
            comment_hash=written.comment_hash or None,
        )
        self._table.write(Write("Put", pk, WRITTEN_SK, item=raw(row)))
