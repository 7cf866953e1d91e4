"""The log of what GitHub told about an issue, and the timers brought in line with it.

A fact is put into the log first and its effects are derived from the log, never from the
delivery alone. So whoever is interrupted in between only has to be started again, and the
order in which deliveries come does not matter (see `timer_core.domain.replay`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pynamodb.attributes import NumberAttribute, UnicodeAttribute, UnicodeSetAttribute
from pynamodb.models import Model

from timer_core.domain.errors import TooMuchContention
from timer_core.domain.issues import Issue
from timer_core.domain.replay import EFFECTS, Fact, Outcome, replay
from timer_core.domain.timers import Timer
from timer_core.store.items import (
    FACT_DAYS,
    SlotItem,
    TimerItem,
    expiry,
    issue_pk,
    raw,
    settled_until,
    timer_sk,
    to_timer,
    tombstone,
    user_pk,
)
from timer_core.store.table import ConditionFailed, RawItem, Table, TransactionRefused, Write, attempts
from timer_core.store.timers import TimerStore, put_changed, put_new

if TYPE_CHECKING:
    from pynamodb.attributes import Attribute
    from pynamodb.expressions.condition import Condition
    from pynamodb.expressions.update import Action as UpdateAction

# Facts older than this are not derived again: some of those they came with may have expired.
_SETTLED_AFTER_MS = (FACT_DAYS - 1) * 86_400_000
_ATTEMPTS = 20
# What one BatchGetItem takes.
_MOST_TIMERS = 100


class FactItem(Model):
    """``issue#<owner/repo#n>`` / ``fact#<delivery>``: what GitHub told; expires by TTL."""

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    kind = UnicodeAttribute()
    at_ms = NumberAttribute()
    users = UnicodeSetAttribute(null=True)
    expires_at = NumberAttribute()


@dataclass(frozen=True, slots=True)
class _Slot:
    """One person's place on an issue, as it was read."""

    user_id: int
    open_ulid: str | None = None
    ulids: frozenset[str] = frozenset()
    settled_ms: int = 0


class FactStore:
    """Takes facts in and changes timers accordingly.

    Parameters
    ----------
    table
        The table.
    timers
        The timers in the same table.
    """

    def __init__(self, table: Table, timers: TimerStore) -> None:
        self._table = table
        self._timers = timers

    def apply(self, fact: Fact, issue: Issue, *, now_ms: int) -> list[Timer]:
        """Put a fact into the log and bring the timers in line with it.

        Doing it again, also after it broke off, ends with the same timers.

        Returns
        -------
        list[Timer]
            The timers that changed.

        Raises
        ------
        TooMuchContention
            If others kept changing the timers; the fact is in the log, and trying again is safe.
        """
        if fact.kind not in EFFECTS:
            # Not even logged: a later version may know it, and the dead-letter queue keeps it.
            raise ValueError(f"Unknown kind of fact: {fact.kind}")
        fact = self._log(fact, issue, now_ms)
        slots, facts = self._read(issue)
        concerned = slots.keys() if fact.users is None else fact.users
        changed: list[Timer] = []
        for user_id in sorted(concerned):
            changed += self._bring_in_line(user_id, fact, issue, slots, facts, now_ms)
        return changed

    def _log(self, fact: Fact, issue: Issue, now_ms: int) -> Fact:
        """Put the fact and return it, or as it was put when the delivery first came."""
        item = FactItem(
            pk=issue_pk(issue),
            sk=f"fact#{fact.delivery}",
            kind=fact.kind,
            at_ms=fact.at_ms,
            users=None if fact.users is None else {str(user) for user in fact.users},
            expires_at=expiry(now_ms, FACT_DAYS),
        )
        try:
            self._table.write(Write("Put", item.pk, item.sk, FactItem.pk.does_not_exist(), item=raw(item)))
        except ConditionFailed as failed:
            if failed.item is not None:
                return _to_fact(failed.item)
        return fact

    def _read(self, issue: Issue) -> tuple[dict[int, _Slot], list[Fact]]:
        """Return the slots and the facts of an issue."""
        slots: dict[int, _Slot] = {}
        facts: list[Fact] = []
        for item in self._table.query_all(issue_pk(issue)):
            if item["sk"]["S"].startswith("fact#"):
                fact = _to_fact(item)
                # What a later version logged, before it was rolled back, waits for its return.
                if fact.kind in EFFECTS:
                    facts.append(fact)
            else:
                slot = _to_slot(item)
                slots[slot.user_id] = slot
        return slots, facts

    def _bring_in_line(
        self,
        user_id: int,
        since: Fact,
        issue: Issue,
        slots: dict[int, _Slot],
        facts: Sequence[Fact],
        now_ms: int,
    ) -> list[Timer]:
        for _ in attempts(_ATTEMPTS):
            slot = slots.get(user_id, _Slot(user_id))
            outcome = self._replay(slot, since, issue, facts, now_ms)
            writes = self._writes(slot, outcome, issue, now_ms)
            if not writes:
                return []
            try:
                self._timers.write_all(writes)
            except TransactionRefused:
                slots, facts = self._read(issue)
                continue
            return [replace(timer, version=timer.version + 1) for timer in outcome.changed]
        raise TooMuchContention("The timers of an issue kept changing.")

    def _replay(self, slot: _Slot, since: Fact, issue: Issue, facts: Sequence[Fact], now_ms: int) -> Outcome:
        # ULIDs sort by time: these are the latest.
        ulids = sorted(slot.ulids)[-_MOST_TIMERS:]
        items = self._table.get_many((user_pk(slot.user_id), timer_sk(ulid)) for ulid in ulids)
        settled_ms = max(slot.settled_ms, now_ms - _SETTLED_AFTER_MS)
        timers = []
        for item in items:
            if "settled_ms" in item:
                settled_ms = max(settled_ms, settled_until(item))
            elif item.get("issue_key", {}).get("S") == issue.key:
                timers.append(to_timer(item))
        if len(slot.ulids) > len(ulids) and timers:
            # What came before the oldest that was read cannot be derived again.
            settled_ms = max(settled_ms, min(timer.start_ms for timer in timers))
        return replay(
            issue=issue,
            user_id=slot.user_id,
            now_ms=now_ms,
            since=since,
            facts=facts,
            timers=timers,
            settled_ms=settled_ms,
        )

    def _writes(self, slot: _Slot, outcome: Outcome, issue: Issue, now_ms: int) -> list[Write]:
        written = {timer.ulid for timer in (*outcome.changed, *outcome.vanished)}
        writes: list[Write] = []
        for timer in outcome.changed:
            alone, pauses = self._timers.run_alone(timer, written)
            writes += [put_changed(alone) if alone.version else _put_derived(alone), *pauses]
        for timer in outcome.vanished:
            pk, sk = user_pk(timer.user_id), timer_sk(timer.ulid)
            # Its time is another timer's now, so nothing is settled.
            grave = tombstone(pk, sk, now_ms, settled_ms=None)
            writes.append(Write("Put", pk, sk, TimerItem.version == timer.version, item=grave))
        actions: list[UpdateAction] = []
        if outcome.open_ulid != slot.open_ulid:
            actions.append(
                SlotItem.open_ulid.remove()
                if outcome.open_ulid is None
                else SlotItem.open_ulid.set(outcome.open_ulid)
            )
        new = {timer.ulid for timer in outcome.changed} - slot.ulids
        if new:
            actions.append(SlotItem.ulids.add(new))
        if actions:
            as_read = _as_read(SlotItem.open_ulid, slot.open_ulid) & _as_read(
                SlotItem.ulids, set(slot.ulids) or None
            )
            writes.append(Write("Update", issue_pk(issue), user_pk(slot.user_id), as_read, actions))
        return writes


def _put_derived(timer: Timer) -> Write:
    return put_new(replace(timer, version=1))


def _to_fact(item: RawItem) -> Fact:
    """Return the fact of an item."""
    row = FactItem.from_raw_data(item)
    users = frozenset(int(user) for user in row.users) if row.users else None
    return Fact(row.sk.removeprefix("fact#"), row.kind, int(row.at_ms), users)


def _as_read(attribute: "Attribute[Any]", value: object) -> "Condition":
    return attribute.does_not_exist() if value is None else attribute == value


def _to_slot(item: RawItem) -> _Slot:
    row = SlotItem.from_raw_data(item)
    return _Slot(
        user_id=int(row.sk.removeprefix("user#")),
        open_ulid=row.open_ulid,
        ulids=frozenset(row.ulids or ()),
        settled_ms=int(row.settled_ms or 0),
    )
