"""Numbers for operators, without personal data."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeAlias, get_args

from timer_core.store.items import DayItem, GitHubItem, expiry
from timer_core.store.keys import (
    DAYS,
    DELIVERIES_PK,
    GITHUB_PK,
    GITHUB_STATUS_SK,
    OPEN_SHARDS,
    SWEEPER_PK,
    SWEEPER_PROGRESS_SK,
    day_sk,
    name_of,
    open_timers_pk,
)
from timer_core.store.table import RawItem, Table, Write

_KEPT_DAYS = 35
_NOTED_FOR_MS = 3_600_000

# The features that use GitHub's API: finding the issue of a project's card, replying to commands, requesting
# the redelivery of failed deliveries, comparing open timers with their issues, listing the members of
# lead teams, and writing the time of issues.
Capability: TypeAlias = Literal[
    "project_cards", "replies", "redelivery", "reconcile", "lead_teams", "write_back"
]


# What became of a delivery: it changed timers, changed none, could not be understood because GitHub refused a
# request for it, is processed again, or failed permanently.
DeliveryState: TypeAlias = Literal["processed", "ignored", "given_up", "waiting", "failed"]


@dataclass(frozen=True, slots=True)
class LastDelivery:
    """The delivery that was handled last.

    Attributes
    ----------
    event, source, received_ms
        As in `timer_core.github.messages.DeliverySummary`.
    reason
        Why the delivery was ignored, or what GitHub answered if it was given up; empty otherwise.
    """

    event: str
    source: str
    received_ms: int
    state: DeliveryState
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DeliveryDay:
    """The deliveries of a day (UTC).

    Attributes
    ----------
    processed, failed
        The numbers of deliveries that were processed, and that failed permanently.
    ignored
        The number of processed deliveries that changed no timer.
    last
        The day's last delivery; None if only replies were sent.
    refused_ms
        When a delivery with a wrong signature was received last; None if there was none.
    """

    date: str
    processed: int
    ignored: int
    failed: int
    last: LastDelivery | None
    refused_ms: int | None


@dataclass(frozen=True, slots=True)
class Health:
    """The numbers that describe the state of a deployment.

    Attributes
    ----------
    stale_timers
        The stale timers that the last sweep found.
    webhook_success_rate
        The share of today's and yesterday's deliveries (UTC) that were processed; None if there were none.
    github_credential
        ``none``, ``token``, ``app`` or ``invalid``; None before the first check.
    github_cannot
        The capabilities that the credential lacks; all of them before the first check.
    """

    open_timers: int
    stale_timers: int
    webhook_success_rate: float | None
    github_credential: str | None = None
    github_cannot: tuple[Capability, ...] = get_args(Capability)


class HealthStore:
    """The numbers in the table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._noted: dict[Capability, tuple[str, bool, int]] = {}

    def note_github(self, credential: str, able: Mapping[Capability, bool], *, now_ms: int) -> None:
        """Store the kind of the credential for GitHub's API, and whether it has the given capabilities.

        Each process writes a capability when it changes, or after an hour if it has not changed.
        """
        news = {
            capability: is_able
            for capability, is_able in able.items()
            if self._noted.get(capability, ("", False, 0))[:2] != (credential, is_able)
            or self._noted[capability][2] <= now_ms - _NOTED_FOR_MS
        }
        if not news:
            return
        can = {capability for capability, is_able in news.items() if is_able}
        # One update cannot both add to a set and delete from it.
        for names, change in ((can, GitHubItem.cannot.delete), (news.keys() - can, GitHubItem.cannot.add)):
            if names:
                actions = [GitHubItem.credential.set(credential), change(set(names))]
                self._table.write(Write("Update", GITHUB_PK, GITHUB_STATUS_SK, actions=actions))
        self._noted |= {capability: (credential, is_able, now_ms) for capability, is_able in news.items()}

    def count_deliveries(
        self,
        *,
        processed: int,
        ignored: int,
        failed: int,
        last: LastDelivery | None,
        refused_ms: int | None,
        now_ms: int,
    ) -> None:
        """Add to today's numbers of deliveries, and store the last delivery; see `DeliveryDay`."""
        actions = [
            DayItem.processed.add(processed),
            DayItem.ignored.add(ignored),
            DayItem.failed.add(failed),
            DayItem.expires_at.set(expiry(now_ms, _KEPT_DAYS)),
        ]
        if last is not None:
            actions += [
                DayItem.last_event.set(last.event),
                DayItem.last_source.set(last.source),
                DayItem.last_received_ms.set(last.received_ms),
                DayItem.last_state.set(last.state),
                DayItem.last_reason.set(last.reason),
            ]
        if refused_ms is not None:
            actions.append(DayItem.refused_ms.set(refused_ms))
        self._table.write(Write("Update", DELIVERIES_PK, _day(now_ms), actions=actions))

    def read(self, *, now_ms: int) -> Health:
        """Return the current numbers."""
        open_timers = sum(self._count(shard) for shard in range(OPEN_SHARDS))
        sweep = self._table.get(SWEEPER_PK, SWEEPER_PROGRESS_SK)
        stale_timers = _sum([sweep], "stale_found") if sweep else 0
        credential, cannot = self.github()
        return Health(open_timers, stale_timers, self._success_rate(now_ms), credential, cannot)

    def days(self) -> list[DeliveryDay]:
        """Return each stored day, the oldest first."""
        items = self._table.query_all(DELIVERIES_PK, DayItem.sk.startswith(DAYS))
        return [_delivery_day(DayItem.from_raw_data(item)) for item in items]

    def github(self) -> tuple[str | None, tuple[Capability, ...]]:
        """Return the kind of the credential for GitHub's API and its missing capabilities, see `Health`."""
        item = self._table.get(GITHUB_PK, GITHUB_STATUS_SK)
        if item is None:
            return None, get_args(Capability)
        row = GitHubItem.from_raw_data(item)
        without = row.credential in {"none", "invalid"}
        cannot = (name for name in get_args(Capability) if without or name in (row.cannot or ()))
        return row.credential, tuple(cannot)

    def _count(self, shard: int) -> int:
        total, start = 0, None
        while True:
            _, count, start = self._table.query(
                open_timers_pk(shard), index="open-timers", start=start, count=True
            )
            total += count
            if start is None:
                return total

    def _success_rate(self, now_ms: int) -> float | None:
        yesterday = _day(now_ms - timedelta(days=1) // timedelta(milliseconds=1))
        items, _, _ = self._table.query(DELIVERIES_PK, DayItem.sk >= yesterday)
        processed, failed = _sum(items, "processed"), _sum(items, "failed")
        return processed / (processed + failed) if processed + failed else None


def _day(now_ms: int) -> str:
    return day_sk(f"{datetime.fromtimestamp(now_ms / 1000, UTC):%Y-%m-%d}")


def _sum(items: list[RawItem], name: str) -> int:
    return sum(int(item[name]["N"]) for item in items if name in item)


def _delivery_day(row: DayItem) -> DeliveryDay:
    last = None
    if row.last_received_ms is not None:
        state: Any = row.last_state
        last = LastDelivery(
            row.last_event, row.last_source, int(row.last_received_ms), state, row.last_reason
        )
    return DeliveryDay(
        date=name_of(row.sk),
        processed=int(row.processed or 0),
        ignored=int(row.ignored or 0),
        failed=int(row.failed or 0),
        last=last,
        refused_ms=None if row.refused_ms is None else int(row.refused_ms),
    )
