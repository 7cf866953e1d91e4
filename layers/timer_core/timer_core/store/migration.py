"""Timers of an older shape, written anew (docs/decisions/0009-upgrades.md)."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from timer_core.domain.errors import TooMuchContention
from timer_core.store.items import TIMER_SCHEMA_VERSION, SlotItem, to_timer
from timer_core.store.keys import OPEN_SHARDS, issue_pk, open_timers_pk, user_pk
from timer_core.store.table import ConditionFailed, RawItem, Table, Write, attempts
from timer_core.store.writes import put_changed

_THREADS = 8
_ATTEMPTS = 20
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a migration did.

    Attributes
    ----------
    seen
        Timers that were open.
    written
        Of these, how many had an older shape and are of the present one now.
    """

    seen: int
    written: int


def migrate(table: Table) -> Migrated:
    """Give all open timers the present shape, while others read and change them.

    It may break off anywhere and be done again; what has the shape already is only read.

    Raises
    ------
    TooMuchContention
        If others kept changing a timer.
    """
    seen = written = 0
    with ThreadPoolExecutor(_THREADS) as pool:
        for page in _open_timers(table):
            seen += len(page)
            written += sum(pool.map(lambda item: _write_anew(table, item), page))
    return Migrated(seen, written)


def _open_timers(table: Table) -> Iterator[list[RawItem]]:
    for shard in range(OPEN_SHARDS):
        start: RawItem | None = None
        while True:
            keys, _, start = table.query(open_timers_pk(shard), index="open-timers", limit=_PAGE, start=start)
            found = table.get_many((key["pk"]["S"], key["sk"]["S"]) for key in keys)
            yield [item for item in found if _is_open(item)]
            if start is None:
                break


def _write_anew(table: Table, item: RawItem | None) -> bool:
    """Write a timer in the present shape; return False if it needed none."""
    for _ in attempts(_ATTEMPTS):
        if item is None or not _is_open(item) or _schema_version(item) >= TIMER_SCHEMA_VERSION:
            return False
        timer = to_timer(item)
        if timer.issue is not None:
            # 0.1.0 takes a place again and lets it expire all the same. Whoever took it since did not.
            with contextlib.suppress(ConditionFailed):
                pk, sk = issue_pk(timer.issue), user_pk(timer.user_id)
                own = SlotItem.open_ulid == timer.ulid
                table.write(Write("Update", pk, sk, own, [SlotItem.expires_at.remove()]))
        try:
            table.write(put_changed(timer))
        except ConditionFailed as failed:
            item = failed.item
            continue
        return True
    raise TooMuchContention(
        "Others kept changing a timer; those before it are done, and doing it again is safe."
    )


def _is_open(item: RawItem) -> bool:
    return "open_shard" in item


def _schema_version(item: RawItem) -> int:
    return int(item["schema_version"]["N"]) if "schema_version" in item else 1
