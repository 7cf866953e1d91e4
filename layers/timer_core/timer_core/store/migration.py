"""Migration of open timers to the current schema version (see docs/decisions/0009-upgrades.md)."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from timer_core.domain.timers import LATEST_MS
from timer_core.store.calendars import Calendars
from timer_core.store.changes import NOT_BY_HAND, Changes, TimerChange
from timer_core.store.items import TIMER_SCHEMA_VERSION, to_timer
from timer_core.store.keys import OPEN_SHARDS, open_timers_pk
from timer_core.store.table import RawItem, Table, TransactionRefused, retry_on_conflict
from timer_core.store.writes import put_changed

_THREADS = 8
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Migrated:
    """The result of a migration.

    Attributes
    ----------
    seen
        The number of open timers.
    written
        The number of open timers that had an older schema version and were rewritten.
    """

    seen: int
    written: int


def migrate(table: Table) -> Migrated:
    """Rewrite the open timers that have an older schema version. Other functions may use them concurrently.

    If a migration was interrupted, run the migration again. Migrated timers are skipped.

    Raises
    ------
    TooMuchContention
        If other writers kept changing a timer. A second run continues with this timer.
    """
    seen = written = 0
    # As every write of a timer, this one also writes what depends on it, such as that a start has moved.
    changes = Changes(table, Calendars(table))
    with ThreadPoolExecutor(_THREADS) as pool:
        for page in _open_timers(table):
            seen += len(page)
            written += sum(pool.map(lambda item: _rewrite(changes, item), page))
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


def _rewrite(changes: Changes, item: RawItem | None) -> bool:
    """Rewrite a timer if it is open and has an older schema version; return whether it was written."""

    def attempt() -> bool:
        nonlocal item
        if item is None or not _is_open(item) or _schema_version(item) >= TIMER_SCHEMA_VERSION:
            return False
        timer = to_timer(item)
        writes = [put_changed(timer)]
        try:
            # No working time changes.
            changes.execute(TimerChange(timer.user_id, writes, LATEST_MS, timer.changed_ms, NOT_BY_HAND))
        except TransactionRefused as refused:
            item = refused.failed[0]
            raise
        return True

    message = "Others kept changing a timer. The timers before it are migrated; run the migration again."
    return retry_on_conflict(attempt, message)


def _is_open(item: RawItem) -> bool:
    return "open_shard" in item


def _schema_version(item: RawItem) -> int:
    return int(item["schema_version"]["N"])
