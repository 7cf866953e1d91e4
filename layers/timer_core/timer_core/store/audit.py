"""People's audit logs: the writes of entries, and reading them."""

import json
from typing import NamedTuple

from timer_core.domain.audit import ORGANIZATION, AuditEntry, AuditKind, Difference
from timer_core.domain.ids import ulid_ms
from timer_core.store.items import AuditItem, compact, raw
from timer_core.store.keys import SETTINGS_PK, audit_sk, audit_sks, name_of, user_pk
from timer_core.store.positions import AuditPosition
from timer_core.store.table import RawItem, Table, Write

# The number of entries that a request about a single timer looks at.
_MOST_SEARCHED = 500


class AuditPage(NamedTuple):
    """A page of an audit log, newest first, and the position of the next page; None if it is the last one.

    A page about a single timer may have no entry although there are further pages.
    """

    entries: list[AuditEntry]
    next: AuditPosition | None


class AuditLog:
    """Reads audit logs in the table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def page(
        self,
        owner: int,
        *,
        since_ms: int | None = None,
        until_ms: int | None = None,
        ulid: str | None = None,
        position: AuditPosition | None = None,
        page_size: int,
    ) -> AuditPage:
        """Return a page of the audit log of a person, or of the organization.

        Parameters
        ----------
        since_ms, until_ms
            The times between which the changes were made; the end is exclusive.
        ulid
            The timer that changed. By default, all entries are returned.
        """
        if ulid is not None:
            # A timer does not change before its start; the start in its ULID is never later than the change.
            since_ms = max(since_ms or 0, ulid_ms(ulid))
        pk = _pk(owner)
        items, _, last = self._table.query(
            pk,
            AuditItem.sk.between(*audit_sks(since_ms, until_ms)),
            filter_condition=None if ulid is None else AuditItem.content.contains(ulid),
            forward=False,
            limit=page_size if ulid is None else _MOST_SEARCHED,
            start=position and {"pk": {"S": pk}, "sk": {"S": audit_sk(position.ulid)}},
        )
        shown = items[:page_size]
        after = shown[-1] if len(shown) < len(items) else last
        return AuditPage(
            [to_entry(item) for item in shown], AuditPosition(name_of(after["sk"]["S"])) if after else None
        )


def _pk(owner: int) -> str:
    """Return the partition key of the audit log of a person, or of the organization."""
    return SETTINGS_PK if owner == ORGANIZATION else user_pk(owner)


def put_entry(owner: int, entry: AuditEntry | None) -> list[Write]:
    """Return the write of an entry, for the transaction of its change; none without an entry."""
    if entry is None:
        return []
    item = AuditItem(
        pk=_pk(owner),
        sk=audit_sk(entry.ulid),
        kind=entry.kind,
        by=entry.by,
        reason=entry.reason or None,
        content=compact(entry.differences),
    )
    return [Write("Put", item.pk, item.sk, item=raw(item))]


def to_entry(item: RawItem) -> AuditEntry:
    """Convert an `AuditItem`."""
    return AuditEntry(
        name_of(item["sk"]["S"]),
        AuditKind(item["kind"]["S"]),
        int(item["by"]["N"]),
        item["reason"]["S"] if "reason" in item else "",
        [Difference(*difference) for difference in json.loads(item["content"]["S"])],
    )
