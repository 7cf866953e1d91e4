"""Reads the items that a replay needs besides the event log, and writes the outcome of the replay."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from timer_core.domain.audit import BY_SWEEPER, AuditEntry, AuditKind
from timer_core.domain.calendar import Calendar, Policy
from timer_core.domain.events import EFFECTS, Event
from timer_core.domain.replay import Outcome
from timer_core.domain.timers import Timer
from timer_core.store.audit import put_entry
from timer_core.store.calendars import SETTINGS_KEY, Calendars, calendar_key, to_own
from timer_core.store.changes import NOT_BY_HAND, TimerChange
from timer_core.store.issue_history import IssueHistory
from timer_core.store.items import (
    EMPTY_SLOT_DAYS,
    LOCKED_AFTER_MS,
    SlotItem,
    TimerItem,
    expiry,
    has_requested_deletion,
    is_tombstone,
    locked_until,
    to_issue,
    to_timer,
    tombstone,
)
from timer_core.store.keys import PROFILE_SK, name_of, timer_sk, user_pk
from timer_core.store.repositories import repository_key
from timer_core.store.slots import Slot, update_slot
from timer_core.store.table import Key, RawItem, Table, Write
from timer_core.store.timers import TimerStore
from timer_core.store.writes import put_changed, put_new, set_or_remove

if TYPE_CHECKING:
    from pynamodb.expressions.update import Action as UpdateAction

# The maximum number of timers that a replay changes. A move may change all of them in one transaction, which
# has at most 100 writes (AWS, "DynamoDB quotas").
_MOST_TIMERS = 60


@dataclass(slots=True)
class Derivable:
    """A person's timers on an issue, as far as events may change them.

    Attributes
    ----------
    timers
        The timers.
    locked_until_ms
        Events up to this time no longer change the timers.
    used_ulids
        The ULIDs that new timers must not use.
    """

    timers: list[Timer]
    locked_until_ms: int
    used_ulids: set[str]

    def lock(self, until_ms: int) -> None:
        """Lock all time up to a moment. A later lock is kept."""
        self.locked_until_ms = max(self.locked_until_ms, until_ms)

    def lock_before_oldest(self) -> None:
        """Lock the slot up to the start of the oldest timer, because older timers were not read."""
        if self.timers:
            self.lock(min(timer.start_ms for timer in self.timers))

    def add(self, item: RawItem, issue_keys: Set[str]) -> None:
        """Add the item of a timer, if events may change the timer.

        The timer may be deleted, corrected or on another issue.
        """
        if not is_tombstone(item) or "locked_until_ms" in item:
            self.used_ulids.add(name_of(item["sk"]["S"]))
        if "locked_until_ms" in item:
            self.lock(locked_until(item))
        elif (issue := to_issue(item)) and issue.key in issue_keys:
            self.timers.append(to_timer(item))


@dataclass(frozen=True, slots=True)
class Found:
    """The items that a replay needs besides the event log, which were read in one batch.

    Attributes
    ----------
    items
        People's profiles, calendars and timers, and the issue's repositories. A calendar is included if the
        settings decide about an event of its person.
    policies
        The organization's settings; empty if they decide about no event.
    """

    items: Mapping[Key, RawItem]
    policies: tuple[Policy, ...]

    def profiles(self, user_ids: Iterable[int]) -> dict[int, RawItem]:
        """Return the profiles of those people who have one."""
        keys = ((user_id, (user_pk(user_id), PROFILE_SK)) for user_id in user_ids)
        return {user_id: self.items[key] for user_id, key in keys if key in self.items}

    def calendar(self, user_id: int) -> Calendar:
        """Return a person's calendar."""
        if not self.policies:
            return Calendar()
        return to_own(self.items.get(calendar_key(user_id))).calendar(self.policies)


class DerivedTimers:
    """Reads and writes the timers that are derived from events.

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
        self._calendars = Calendars(table)

    def latest(self, slot: Slot) -> list[Timer]:
        """Return the latest timers of a slot, in order of their starts."""
        items = self._table.get_many(_keys(slot.user_id, _latest(slot.ulids)))
        timers = [to_timer(item) for item in items if not is_tombstone(item)]
        return sorted(timers, key=lambda timer: timer.start_ms)

    def read(
        self, history: IssueHistory, user_ids: Collection[int], *, coming: Iterable[Event] = ()
    ) -> Found:
        """Read in one batch what a replay of some people needs besides the event log.

        Parameters
        ----------
        history
            The history of the issue, of which the repositories have not been read.
        coming
            Events that will be appended to the log.
        """
        assignments = [
            event for event in (*history.own_events(), *coming) if EFFECTS[event.kind].is_assignment
        ]
        decided = {
            user_id: max(event.at_ms for event in concerning)
            for user_id in user_ids
            if (concerning := [event for event in assignments if event.concerns(user_id)])
        }
        keys = [repository_key(repository.id) for repository in history.repositories()]
        for user_id in user_ids:
            # Events up to a time, or all events, may have to be ignored.
            keys.append((user_pk(user_id), PROFILE_SK))
            keys += _keys(user_id, _latest(_ulids(history.slots(user_id))))
            if user_id in decided:
                keys.append(calendar_key(user_id))
        policies: tuple[Policy, ...] = ()
        if decided:
            policies = self._calendars.cached_organization(not_before_ms=max(decided.values()))
            keys += [] if policies else [SETTINGS_KEY]
        began_ms = self._calendars.now_ms()
        items = self._table.get_map(keys)
        if decided and not policies:
            policies = self._calendars.cache_organization(items.get(SETTINGS_KEY), began_ms)
        return Found(items, policies)

    def derivable(
        self, slots: Sequence[Slot], history: IssueHistory, found: Found, *, now_ms: int
    ) -> Derivable | None:
        """Return a person's timers in some slots; None if the person has requested account deletion.

        Parameters
        ----------
        found
            The items of the person, which were read after the slots.
        """
        user_id = slots[0].user_id
        locked_until_ms = max(now_ms - LOCKED_AFTER_MS, *(slot.locked_until_ms for slot in slots))
        derivable = Derivable([], locked_until_ms, set())
        for profile in found.profiles([user_id]).values():
            if has_requested_deletion(profile):
                return None
            if "events_ignored_until_ms" in profile:
                derivable.lock(int(profile["events_ignored_until_ms"]["N"]))
        known = _ulids(slots)
        for key in _keys(user_id, _latest(known)):
            if key in found.items:
                derivable.add(found.items[key], history.keys)
        if len(known) > _MOST_TIMERS:
            derivable.lock_before_oldest()
        return derivable

    def write(self, slots: Sequence[Slot], outcome: Outcome, *, now_ms: int) -> list[Timer]:
        """Write the outcome of a replay in one transaction and return the timers that it changed.

        Parameters
        ----------
        slots
            The person's slot under the issue's present identity, followed by the slots whose timers move to
            it.

        Raises
        ------
        TransactionRefused
            If a timer or a slot was changed after its read.
        """
        writes = self._timer_writes(outcome, now_ms) + _slot_writes(slots, outcome, now_ms)
        entry = AuditEntry.of(AuditKind.UNEXPIRED, outcome.unexpired, by=BY_SWEEPER, now_ms=now_ms)
        writes += put_entry(slots[0].user_id, entry)
        if writes:
            self._timers.changes.execute(
                TimerChange(slots[0].user_id, writes, outcome.reaches_ms, now_ms, NOT_BY_HAND)
            )
        return [replace(timer, version=timer.version + 1) for timer in outcome.changed]

    def _timer_writes(self, outcome: Outcome, now_ms: int) -> list[Write]:
        writes = [put_changed(timer) if timer.version else _put_derived(timer) for timer in outcome.changed]
        for timer in outcome.vanished:
            pk, sk = user_pk(timer.user_id), timer_sk(timer.ulid)
            # Its time is now part of another timer, so the tombstone locks no time.
            item = tombstone(pk, sk, now_ms, locked_until_ms=None)
            writes.append(Write("Put", pk, sk, TimerItem.version == timer.version, item=item))
        return writes


def _ulids(slots: Iterable[Slot]) -> frozenset[str]:
    return frozenset[str]().union(*(slot.ulids for slot in slots))


def _slot_writes(slots: Sequence[Slot], outcome: Outcome, now_ms: int) -> list[Write]:
    own, *others = slots
    expires = SlotItem.expires_at.set(expiry(now_ms, EMPTY_SLOT_DAYS))
    actions = _own_slot_actions(own, others, outcome)
    writes: list[Write] = []
    if actions:
        actions.append(expires if outcome.open_ulid is None else SlotItem.expires_at.remove())
        writes.append(update_slot(own, actions))
    emptied = [SlotItem.open_ulid.remove(), SlotItem.ulids.remove(), SlotItem.locked_until_ms.remove()]
    return writes + [update_slot(slot, [*emptied, expires]) for slot in others]


def _own_slot_actions(own: Slot, others: Sequence[Slot], outcome: Outcome) -> list["UpdateAction"]:
    """Return the changes of the slot under the present identity. The timers of the other slots move to it."""
    actions: list[UpdateAction] = []
    if outcome.open_ulid != own.open_ulid:
        actions.append(set_or_remove(SlotItem.open_ulid, outcome.open_ulid))
    new = {timer.ulid for timer in outcome.changed}.union(*(slot.ulids for slot in others)) - own.ulids
    if new:
        actions.append(SlotItem.ulids.add(new))
    locked_until_ms = max((slot.locked_until_ms for slot in others), default=0)
    if locked_until_ms > own.locked_until_ms:
        actions.append(SlotItem.locked_until_ms.set(locked_until_ms))
    return actions


def _put_derived(timer: Timer) -> Write:
    """Return the write of a timer that does not exist, or that once became part of another timer."""
    vanished = TimerItem.deleted_ms.exists() & TimerItem.locked_until_ms.does_not_exist()
    new = put_new(replace(timer, version=1))
    return replace(new, condition=TimerItem.pk.does_not_exist() | vanished)


def _latest(ulids: Iterable[str]) -> Sequence[str]:
    """Return the ULIDs of the latest timers, as many as one event may change. ULIDs sort by time."""
    return sorted(ulids)[-_MOST_TIMERS:]


def _keys(user_id: int, ulids: Iterable[str]) -> Iterator[Key]:
    return ((user_pk(user_id), timer_sk(ulid)) for ulid in ulids)
