"""Counts for those who run the product; nothing in them is about a person."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from timer_core.store.items import OPEN_SHARDS, DayItem, TimerItem, expiry
from timer_core.store.table import RawItem, Table, Write

_PK = "deliveries"
_KEPT_DAYS = 35


@dataclass(frozen=True, slots=True)
class Health:
    """How the deployment does.

    Attributes
    ----------
    webhook_success_rate
        The share of deliveries of today and yesterday (UTC) that were processed; None without any.
    """

    open_timers: int
    stale_timers: int
    webhook_success_rate: float | None


class HealthStore:
    """The counts in the table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def count_deliveries(self, *, processed: int, failed: int, now_ms: int) -> None:
        """Add to today's numbers."""
        day = DayItem(pk=_PK, sk=_day(now_ms))
        self._table.write(
            Write(
                "Update",
                day.pk,
                day.sk,
                actions=[
                    DayItem.processed.add(processed),
                    DayItem.failed.add(failed),
                    DayItem.expires_at.set(expiry(now_ms, _KEPT_DAYS)),
                ],
            )
        )

    def read(self, *, now_ms: int, stale_after_ms: int) -> Health:
        """Return the present numbers."""
        open_timers = stale_timers = 0
        for shard in range(OPEN_SHARDS):
            open_timers += self._count(shard, None)
            stale_timers += self._count(shard, now_ms - stale_after_ms)
        return Health(open_timers, stale_timers, self._success_rate(now_ms))

    def _count(self, shard: int, before_ms: int | None) -> int:
        condition = None if before_ms is None else TimerItem.open_since_ms < before_ms
        total, start = 0, None
        while True:
            _, count, start = self._table.query(
                f"open#{shard}", condition, index="open-timers", start=start, count=True
            )
            total += count
            if start is None:
                return total

    def _success_rate(self, now_ms: int) -> float | None:
        yesterday = _day(now_ms - timedelta(days=1) // timedelta(milliseconds=1))
        items, _, _ = self._table.query(_PK, DayItem.sk >= yesterday)
        processed, failed = _sum(items, "processed"), _sum(items, "failed")
        return processed / (processed + failed) if processed + failed else None


def _day(now_ms: int) -> str:
    return f"day#{datetime.fromtimestamp(now_ms / 1000, UTC):%Y-%m-%d}"


def _sum(items: list[RawItem], name: str) -> int:
    return sum(int(item[name]["N"]) for item in items if name in item)
