"""Slots: the items that make a person's timer on an issue unique."""

from collections.abc import Sequence
from dataclasses import dataclass

from pynamodb.expressions.update import Action as UpdateAction

from timer_core.domain.issues import Issue
from timer_core.domain.timers import Timer
from timer_core.store.items import EMPTY_SLOT_DAYS, NameItem, SlotItem, as_read, expiry
from timer_core.store.keys import NAMED_SLOTS, name_sk, named_slot_of, owner_pk, slot_key, user_id_of
from timer_core.store.table import RawItem, Write


@dataclass(frozen=True, slots=True)
class Slot:
    """One person's slot on an issue, read from a `SlotItem`."""

    issue: Issue
    user_id: int
    open_ulid: str | None = None
    ulids: frozenset[str] = frozenset()
    locked_until_ms: int = 0


def to_slot(item: RawItem, issue: Issue) -> Slot:
    """Convert an item to a slot."""
    row = SlotItem.from_raw_data(item)
    is_named = row.sk.startswith(NAMED_SLOTS)
    return Slot(
        issue=issue,
        user_id=named_slot_of(row.sk)[1] if is_named else user_id_of(row.sk),
        open_ulid=row.open_ulid,
        ulids=frozenset(row.ulids or ()),
        locked_until_ms=int(row.locked_until_ms or 0),
    )


def take_slot(issue: Issue, user_id: int, ulid: str, locked_until_ms: int | None = None) -> list[Write]:
    """Return the writes that store a timer in a slot as the person's open timer on the issue.

    If the repository's id is unknown, a condition is that the id is still unknown. So the slot is found by
    the process that stores the id.
    """
    actions: list[UpdateAction] = [
        SlotItem.open_ulid.set(ulid),
        SlotItem.ulids.add({ulid}),
        SlotItem.expires_at.remove(),
    ]
    if locked_until_ms is not None:
        actions.append(SlotItem.locked_until_ms.set(locked_until_ms))
    if issue.repo_id:
        actions.append(SlotItem.slot_repo.set(issue.repo_key))
    vacant = SlotItem.open_ulid.does_not_exist()
    taken = Write("Update", *slot_key(issue, user_id), vacant, actions)
    if issue.repo_id:
        return [taken]
    unknown = NameItem.pk.does_not_exist()
    return [taken, Write("ConditionCheck", owner_pk(issue.owner), name_sk(issue.repo), unknown)]


def free_slot(issue: Issue, user_id: int, ulid: str, now_ms: int, *, locks: bool = False) -> Write:
    """Return the write that removes the open timer of a person from their slot on an issue.

    With ``locks``, events up to now no longer change any timer in the slot.
    """
    actions: list[UpdateAction] = [
        SlotItem.open_ulid.remove(),
        SlotItem.expires_at.set(expiry(now_ms, EMPTY_SLOT_DAYS)),
    ]
    if locks:
        actions.append(SlotItem.locked_until_ms.set(now_ms))
    return Write("Update", *slot_key(issue, user_id), SlotItem.open_ulid == ulid, actions)


def lock_slot(issue: Issue, user_id: int, ulid: str, until_ms: int, read: RawItem | None) -> list[Write]:
    """Return the write that locks events up to a time for the slot of an open timer, unless they are locked.

    Parameters
    ----------
    read
        The item of the slot.
    """
    slot = to_slot(read, issue) if read else Slot(issue, user_id)
    if slot.locked_until_ms >= until_ms:
        return []
    unchanged = as_read(SlotItem.locked_until_ms, slot.locked_until_ms or None)
    lock = SlotItem.locked_until_ms.set(until_ms)
    condition = (SlotItem.open_ulid == ulid) & unchanged
    return [Write("Update", *slot_key(issue, user_id), condition, [lock])]


def pass_slot(issue: Issue, user_id: int, ulid: str, heir: str) -> Write:
    """Return the write that makes another timer the open timer of a slot."""
    actions: list[UpdateAction] = [SlotItem.open_ulid.set(heir), SlotItem.ulids.add({heir})]
    return Write("Update", *slot_key(issue, user_id), SlotItem.open_ulid == ulid, actions)


def change_slots(before: Timer | None, after: Timer | None, now_ms: int) -> list[Write]:
    """Return the writes of the slots of a person's timer that a correction ends, reopens, divides or moves.

    If it moves an open timer, events up to now no longer change any timer in the two slots.

    Parameters
    ----------
    before, after
        The timer that is open before and after the correction; None if it is not open.
    """
    old, new = (timer.issue if timer else None for timer in (before, after))
    is_move = before is not None and after is not None
    if before and after and (old and old.key) == (new and new.key):
        if old is None or before.ulid == after.ulid:
            return []
        return [pass_slot(old, before.user_id, before.ulid, after.ulid)]
    writes: list[Write] = []
    if before and old:
        writes.append(free_slot(old, before.user_id, before.ulid, now_ms, locks=is_move))
    if after and new:
        writes += take_slot(new, after.user_id, after.ulid, locked_until_ms=now_ms if is_move else None)
    return writes


def update_slot(slot: Slot, actions: Sequence[UpdateAction]) -> Write:
    """Return the write that updates a slot, on the condition that the slot has not changed since its read."""
    unchanged = as_read(SlotItem.open_ulid, slot.open_ulid) & as_read(SlotItem.ulids, set(slot.ulids) or None)
    index_key = [SlotItem.slot_repo.set(slot.issue.repo_key)] if slot.issue.repo_id else []
    return Write("Update", *slot_key(slot.issue, slot.user_id), unchanged, [*actions, *index_key])
