"""Counts for those who run the product; nothing in them is about a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias, get_args

from timer_core.store.items import GITHUB_PK, OPEN_SHARDS, DayItem, GitHubItem, TimerItem, expiry
from timer_core.store.table import RawItem, Table, Write

_PK = "deliveries"
_KEPT_DAYS = 35
_STATUS_SK = "status"
_NOTED_FOR_MS = 3_600_000

# What needs GitHub's API: to tell which issue a project's card is of, to answer to comments, to have
# failed deliveries sent again, and to compare open timers with their issues.
Capability: TypeAlias = Literal["project_cards", "replies", "redelivery", "reconcile"]


@dataclass(frozen=True, slots=True)
class Health:
    """How the deployment does.

    Attributes
    ----------
    webhook_success_rate
        The share of deliveries of today and yesterday (UTC) that were processed; None without any.
    github_credential
        ``none``, ``token``, ``app`` or ``invalid``; None as long as nobody has looked for it.
    github_cannot
        What GitHub does not let us do, which is all as long as nobody has looked.
    """

    open_timers: int
    stale_timers: int
    webhook_success_rate: float | None
    github_credential: str | None = None
    github_cannot: tuple[Capability, ...] = get_args(Capability)


class HealthStore:
    """The counts in the table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._noted: dict[Capability, tuple[str, bool, int]] = {}

    def note_github(self, credential: str, could: Mapping[Capability, bool], *, now_ms: int) -> None:
        """Note with what credential GitHub was asked, and what it let us do.

        Written when it changes, and once an hour by each process.
        """
        news = {
            capability: done
            for capability, done in could.items()
            if self._noted.get(capability, ("", False, 0))[:2] != (credential, done)
            or self._noted[capability][2] <= now_ms - _NOTED_FOR_MS
        }
        if not news:
            return
        able = {capability for capability, done in news.items() if done}
        # One expression cannot add to a set and delete from it.
        for names, change in ((able, GitHubItem.cannot.delete), (news.keys() - able, GitHubItem.cannot.add)):
            if names:
                actions = [GitHubItem.credential.set(credential), change(set(names))]
                self._table.write(Write("Update", GITHUB_PK, _STATUS_SK, actions=actions))
        self._noted |= {capability: (credential, done, now_ms) for capability, done in news.items()}

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
        credential, cannot = self._github()
        return Health(open_timers, stale_timers, self._success_rate(now_ms), credential, cannot)

    def days(self) -> list[tuple[str, int, int]]:
        """Return of each day that is kept its date, and how many deliveries were processed and failed."""
        items = self._table.query_all(_PK, DayItem.sk.startswith("day#"))
        return [
            (item["sk"]["S"].removeprefix("day#"), _sum([item], "processed"), _sum([item], "failed"))
            for item in items
        ]

    def _github(self) -> tuple[str | None, tuple[Capability, ...]]:
        item = self._table.get(GITHUB_PK, _STATUS_SK)
        if item is None:
            return None, get_args(Capability)
        row = GitHubItem.from_raw_data(item)
        without = row.credential in {"none", "invalid"}
        cannot = (name for name in get_args(Capability) if without or name in (row.cannot or ()))
        return row.credential, tuple(cannot)

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
