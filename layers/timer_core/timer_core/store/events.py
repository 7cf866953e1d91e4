"""The log of what GitHub told about an issue, and the timers brought in line with it.

A event is put into the log first and its effects are derived from the log, never from the
delivery alone. So whoever is interrupted in between only has to be started again, and the
order in which deliveries come does not matter (see `timer_core.domain.replay`).

What is told of an issue is logged under the name that it bears there. When an issue has moved,
its timers follow to its present name, and are derived from what was told of all of its names.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from timer_core.domain.errors import TooMuchContention
from timer_core.domain.issues import Issue
from timer_core.domain.moves import Move, Names
from timer_core.domain.replay import EFFECTS, Event, Outcome, distinct, replay
from timer_core.domain.timers import Timer
from timer_core.store.items import (
    EMPTY_SLOT_DAYS,
    EVENT_DAYS,
    LOCKED_AFTER_MS,
    EventItem,
    MoveItem,
    SlotItem,
    TimerItem,
    as_read,
    expiry,
    locked_until,
    raw,
    to_timer,
    tombstone,
)
from timer_core.store.keys import (
    PROFILE_SK,
    event_sk,
    issue_pk,
    kind_of,
    move_from_sk,
    move_to_sk,
    name_of,
    repo_pk,
    timer_sk,
    user_id_of,
    user_pk,
)
from timer_core.store.table import ConditionFailed, RawItem, Table, TransactionRefused, Write, attempts
from timer_core.store.timers import TimerStore
from timer_core.store.writes import put_changed, put_new

if TYPE_CHECKING:
    from pynamodb.expressions.update import Action as UpdateAction

_ATTEMPTS = 20
# A transaction takes 100 writes (AWS, "DynamoDB quotas"), and a move may change all of these timers.
_MOST_TIMERS = 60
# Of an issue that has had more names than these, the older ones are forgotten.
_MOST_NAMES = 50


@dataclass(frozen=True, slots=True)
class _Slot:
    """One person's place on an issue, as it was read."""

    issue: Issue
    user_id: int
    open_ulid: str | None = None
    ulids: frozenset[str] = frozenset()
    locked_until_ms: int = 0
    moved: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Page:
    """What is kept under one name of an issue."""

    issue: Issue
    events: list[Event] = field(default_factory=list)
    slots: dict[int, _Slot] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)


class _IssueHistory:
    """What is kept under all names of an issue: the one asked for, those before it and those after."""

    def __init__(self, pages: dict[str, _Page]) -> None:
        self._pages = pages
        self.names = Names(move for page in pages.values() for move in page.moves)

    @property
    def keys(self) -> Set[str]:
        """The keys of all names."""
        return self._pages.keys()

    def events(self, home: Issue) -> list[Event]:
        """Return all that was told of the issue that bears a name now, each event once."""
        return distinct(
            event
            for page in self._pages.values()
            for event in page.events
            if self.names.home(page.issue, event.at_ms).key == home.key
        )

    def slot(self, issue: Issue, user_id: int) -> _Slot:
        """Return a person's place under one name."""
        page = self._pages.get(issue.key, _Page(issue))
        return page.slots.get(user_id, _Slot(issue, user_id))

    def leaving(self, slot: _Slot) -> Move | None:
        """Return the move that a slot's timers have yet to follow, if there is one.

        A timer that was started by hand under a name that is never used again follows too.
        """
        for move in self.names.departures(slot.issue):
            if move.delivery not in slot.moved or (move.until_ms is None and slot.ulids):
                return move
        return None

    def left(self, home: Issue, user_id: int) -> list[_Slot]:
        """Return a person's places under other names whose timers have yet to follow to this one."""
        slots = (self.slot(page.issue, user_id) for key, page in self._pages.items() if key != home.key)
        return [
            slot
            for slot in slots
            if (move := self.leaving(slot)) and self.names.destination(move).key == home.key
        ]

    def followed(self, slot: _Slot, home: Issue) -> set[str]:
        """Return the moves that a slot's timers have followed once they are at a name."""
        return {
            move.delivery
            for move in self.names.departures(slot.issue)
            if self.names.destination(move).key == home.key
        }

    def timed(self) -> set[int]:
        """Return everybody who has, or had, timers.

        Not who left: what moved the issue since may have given them an empty place on it.
        """
        slots = (slot for page in self._pages.values() for slot in page.slots.values())
        return {slot.user_id for slot in slots if slot.ulids}

    def concerned(self) -> set[int]:
        """Return everybody whom something is about: they have timers, or are about to."""
        events = (event for page in self._pages.values() for event in page.events)
        return self.timed().union(*(event.users or () for event in events))


class EventStore:
    """Takes events in and changes timers accordingly.

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

    def apply(self, event: Event, issue: Issue, *, now_ms: int) -> list[Timer]:
        """Put a event into the log and bring the timers in line with it.

        Doing it again, also after it broke off, ends with the same timers.

        Returns
        -------
        list[Timer]
            The timers that changed.

        Raises
        ------
        TooMuchContention
            If others kept changing the timers; the event is in the log, and trying again is safe.
        """
        if event.kind not in EFFECTS:
            # Not even logged: a later version may know it, and the dead-letter queue keeps it.
            raise ValueError(f"Unknown kind of event: {event.kind}")
        event, is_new = self._log(event, issue, now_ms)
        family = self._read(issue)
        home = family.names.home(issue, event.at_ms)
        concerned = family.timed() if event.users is None else event.users
        new = event.delivery if is_new else None
        changed: list[Timer] = []
        for user_id in sorted(concerned):
            changed += self._rederive(user_id, event, home, family, now_ms, new=new)
        return changed

    def move_issue(self, move: Move, *, now_ms: int) -> list[Timer]:
        """Let everybody's timers follow an issue that was transferred, and return them.

        Doing it again, also after it broke off, ends with the same timers.

        Raises
        ------
        TooMuchContention
            If others kept changing the timers; the move is noted, and trying again is safe.
        """
        move = self._log_move(move, issue_pk(move.origin), issue_pk(move.target), now_ms)
        return self._follow(move, now_ms)

    def move_repository(self, move: Move, *, now_ms: int) -> list[Timer]:
        """Let the open timers follow a repository that was renamed or transferred, and return them.

        Those of issues without an open timer follow when something is told of them. The numbers of
        the move's issues do not matter.

        Raises
        ------
        TooMuchContention
            If others kept changing the timers; the move is noted, and trying again is safe.
        """
        origin = move.origin.full_name
        move = self._log_move(move, repo_pk(origin), repo_pk(move.target.full_name), now_ms)
        open_items = self._table.query_all(origin.lower(), index="open-by-repo")
        numbers = {int(item["number"]["N"]) for item in open_items}
        return [timer for number in sorted(numbers) for timer in self._follow(move.of(number), now_ms)]

    def rederive(
        self,
        issue: Issue,
        *,
        since: Event | None,
        timed: Callable[[set[int]], Iterable[int]],
        now_ms: int,
    ) -> list[Timer]:
        """Derive timers on an issue again from a event's place on, and return those that changed.

        For what was logged by somebody who broke off then. Without a event all are derived. ``timed``
        returns who is timed of those whom something is about.

        Raises
        ------
        TooMuchContention
            If others kept changing the timers.
        """
        family = self._read(issue)
        home = family.names.home(issue, now_ms)
        return [
            timer
            for user_id in sorted(timed(family.concerned()))
            for timer in self._rederive(user_id, since, home, family, now_ms)
        ]

    def timers_of(self, user_id: int, issue: Issue, *, at_ms: int) -> list[Timer]:
        """Return a person's latest timers on the issue that bore a name at some time, by their starts."""
        family = self._read(issue)
        slot = family.slot(family.names.home(issue, at_ms), user_id)
        items = self._table.get_many(_keys(user_id, sorted(slot.ulids)[-_MOST_TIMERS:]))
        timers = [to_timer(item) for item in items if "deleted_ms" not in item]
        return sorted(timers, key=lambda timer: timer.start_ms)

    def home(self, issue: Issue, *, at_ms: int) -> Issue:
        """Return the present name of the issue that bore a name at some time."""
        return self._read(issue).names.home(issue, at_ms)

    def known(self, issue: Issue, *, at_ms: int) -> tuple[Issue, list[Event]]:
        """Return the present name of the issue that bore a name at some time, and what was told of it."""
        family = self._read(issue)
        home = family.names.home(issue, at_ms)
        return home, family.events(home)

    def _follow(self, move: Move, now_ms: int) -> list[Timer]:
        family = self._read(move.origin)
        home = family.names.destination(move)
        return [
            timer
            for user_id in sorted(family.concerned())
            for timer in self._rederive(user_id, None, home, family, now_ms)
        ]

    def _log(self, event: Event, issue: Issue, now_ms: int) -> tuple[Event, bool]:
        """Put the event; return it as it was put when the delivery first came, and whether that is now."""
        item = EventItem(
            pk=issue_pk(issue),
            sk=event_sk(event.delivery),
            kind=event.kind,
            at_ms=event.at_ms,
            users=None if event.users is None else {str(user) for user in event.users},
            title=event.title or None,
            received_ms=event.received_ms,
            backfilled=event.backfilled or None,
            expires_at=expiry(now_ms, EVENT_DAYS),
        )
        logged = self._put_once(item)
        return (event, True) if logged is None else (_to_event(logged), False)

    def _log_move(self, move: Move, origin_pk: str, target_pk: str, now_ms: int) -> Move:
        """Put both ends of a move and return it, or as it was put when the delivery first came."""
        # First where it is left: who marks a slot as left has then seen what everybody sees who reads it.
        for pk, end_sk in ((origin_pk, move_to_sk), (target_pk, move_from_sk)):
            item = MoveItem(
                pk=pk,
                sk=end_sk(move.delivery),
                origin=_name(move.origin),
                target=_name(move.target),
                at_ms=move.at_ms,
                until_ms=move.until_ms,
                expires_at=expiry(now_ms, EVENT_DAYS),
            )
            logged = self._put_once(item)
            move = move if logged is None else _to_move(logged)
        return move

    def _put_once(self, item: EventItem | MoveItem) -> RawItem | None:
        """Put an item, or return the one that is there."""
        absent = EventItem.pk.does_not_exist()
        try:
            self._table.write(Write("Put", item.pk, item.sk, absent, item=raw(item)))
        except ConditionFailed as failed:
            return failed.item
        return None

    def _read(self, issue: Issue) -> _IssueHistory:
        """Return what is kept under all names of an issue."""
        pages: dict[str, _Page] = {}
        pending = [issue]
        while pending and len(pages) < _MOST_NAMES:
            name = pending.pop()
            if name.key not in pages:
                page = pages[name.key] = self._page(name)
                pending += [end for move in page.moves for end in (move.origin, move.target)]
        return _IssueHistory(pages)

    def _page(self, issue: Issue) -> _Page:
        page = _Page(issue)
        for item in self._table.query_all(issue_pk(issue)):
            kind = kind_of(item["sk"]["S"])
            if kind == "event":
                event = _to_event(item)
                # What a later version logged, before it was rolled back, waits for its return.
                if event.kind in EFFECTS:
                    page.events.append(event)
            elif kind == "user":
                slot = _to_slot(item, issue)
                page.slots[slot.user_id] = slot
            else:
                page.moves.append(_to_move(item))
        of_repo = self._table.query_all(repo_pk(issue.full_name))
        page.moves += [_to_move(item).of(issue.number) for item in of_repo]
        return page

    def _rederive(
        self,
        user_id: int,
        since: Event | None,
        home: Issue,
        family: _IssueHistory,
        now_ms: int,
        *,
        new: str | None = None,
    ) -> list[Timer]:
        """Bring a person's timers in line; ``new`` is the delivery that had not been logged before."""
        for _ in attempts(_ATTEMPTS):
            leaving = family.leaving(family.slot(home, user_id))
            if leaving and family.names.destination(leaving).key != home.key:
                if self._has_left(user_id):
                    return []
                # The name was left and taken again: what is in the slot is of the issue before.
                self._rederive(user_id, None, family.names.destination(leaving), family, now_ms)
                family = self._read(home)
                continue
            slots = [family.slot(home, user_id), *family.left(home, user_id)]
            if since is None and not any(slot.ulids for slot in slots):
                # Nothing to take along; who is about to put a timer there has to look again all the same.
                outcome = None if self._has_left(user_id) else Outcome()
            else:
                outcome = self._replay(slots, since, home, family, now_ms, new)
            if outcome is None:
                # What they had is being deleted, and nothing new is to name them.
                return []
            writes = self._writes(slots, outcome, home, family, now_ms)
            if not writes:
                return []
            try:
                self._timers.write_all(writes)
            except TransactionRefused:
                family = self._read(home)
                continue
            return [replace(timer, version=timer.version + 1) for timer in outcome.changed]
        raise TooMuchContention("The timers of an issue kept changing.")

    def _has_left(self, user_id: int) -> bool:
        profile = self._table.get(user_pk(user_id), PROFILE_SK)
        return profile is not None and "deletion_requested_ms" in profile

    def _replay(
        self,
        slots: Sequence[_Slot],
        since: Event | None,
        home: Issue,
        family: _IssueHistory,
        now_ms: int,
        new: str | None,
    ) -> Outcome | None:
        """Derive a person's timers again; None if they have left."""
        user_id = slots[0].user_id
        known = frozenset[str]().union(*(slot.ulids for slot in slots))
        # ULIDs sort by time: these are the latest.
        ulids = sorted(known)[-_MOST_TIMERS:]
        locked_until_ms = max(now_ms - LOCKED_AFTER_MS, *(slot.locked_until_ms for slot in slots))
        events = family.events(home)
        keys = list(_keys(user_id, ulids))
        if keys or any(event.concerns(user_id) and event.delivery != new for event in events):
            # There is something from before, when the person may have left and come back.
            keys.append((user_pk(user_id), PROFILE_SK))
        timers, used_ulids = [], set()
        for item in self._table.get_many(keys):
            if item["sk"]["S"] == PROFILE_SK:
                if "deletion_requested_ms" in item:
                    return None
                locked_until_ms = max(
                    locked_until_ms,
                    int(item["events_ignored_until_ms"]["N"]) if "events_ignored_until_ms" in item else 0,
                )
                continue
            if "deleted_ms" not in item or "locked_until_ms" in item:
                used_ulids.add(name_of(item["sk"]["S"]))
            if "locked_until_ms" in item:
                locked_until_ms = max(locked_until_ms, locked_until(item))
            elif item.get("issue_key", {}).get("S") in family.keys:
                timers.append(to_timer(item))
        if len(known) > len(ulids) and timers:
            # What came before the oldest that was read cannot be derived again.
            locked_until_ms = max(locked_until_ms, min(timer.start_ms for timer in timers))
        titles = ((event.at_ms, event.title) for event in events if event.title)
        _, title = max(titles, default=(0, home.title))
        return replay(
            issue=replace(home, title=title),
            user_id=user_id,
            now_ms=now_ms,
            # A slot that is left brings timers along, which what was told of this name concerns.
            since=since if len(slots) == 1 else None,
            events=events,
            timers=timers,
            locked_until_ms=locked_until_ms,
            used_ulids=used_ulids,
        )

    def _writes(
        self, slots: Sequence[_Slot], outcome: Outcome, home: Issue, family: _IssueHistory, now_ms: int
    ) -> list[Write]:
        written = {timer.ulid for timer in (*outcome.changed, *outcome.vanished)}
        writes: list[Write] = []
        for timer in outcome.changed:
            alone, pauses = self._timers.run_alone(timer, written)
            writes += [put_changed(alone) if alone.version else _put_derived(alone), *pauses]
        for timer in outcome.vanished:
            pk, sk = user_pk(timer.user_id), timer_sk(timer.ulid)
            # Its time is another timer's now, so nothing is settled.
            grave = tombstone(pk, sk, now_ms, locked_until_ms=None)
            writes.append(Write("Put", pk, sk, TimerItem.version == timer.version, item=grave))
        own, *left = slots
        actions: list[UpdateAction] = []
        if outcome.open_ulid != own.open_ulid:
            actions.append(
                SlotItem.open_ulid.remove()
                if outcome.open_ulid is None
                else SlotItem.open_ulid.set(outcome.open_ulid)
            )
        new = {timer.ulid for timer in outcome.changed}.union(*(slot.ulids for slot in left)) - own.ulids
        if new:
            actions.append(SlotItem.ulids.add(new))
        locked_until_ms = max(slot.locked_until_ms for slot in slots)
        if locked_until_ms > own.locked_until_ms:
            actions.append(SlotItem.locked_until_ms.set(locked_until_ms))
        arrived = family.followed(own, home) - own.moved
        if arrived:
            actions.append(SlotItem.moved.add(arrived))
        empty = SlotItem.expires_at.set(expiry(now_ms, EMPTY_SLOT_DAYS))
        if actions:
            actions.append(empty if outcome.open_ulid is None else SlotItem.expires_at.remove())
            writes.append(_slot_write(own, actions))
        for slot in left:
            # Also where there was nothing: whoever is about to put a timer there has to look again.
            leave = [
                SlotItem.open_ulid.remove(),
                SlotItem.ulids.remove(),
                SlotItem.locked_until_ms.remove(),
                empty,
            ]
            writes.append(_slot_write(slot, [*leave, SlotItem.moved.add(family.followed(slot, home))]))
        return writes


def _put_derived(timer: Timer) -> Write:
    """Return the write of a timer that is not there, or had become part of another one."""
    vanished = TimerItem.deleted_ms.exists() & TimerItem.locked_until_ms.does_not_exist()
    new = put_new(replace(timer, version=1))
    return replace(new, condition=TimerItem.pk.does_not_exist() | vanished)


def _to_event(item: RawItem) -> Event:
    """Return the event of an item."""
    row = EventItem.from_raw_data(item)
    users = frozenset(int(user) for user in row.users) if row.users else None
    return Event(
        delivery=name_of(row.sk),
        kind=row.kind,
        at_ms=int(row.at_ms),
        users=users,
        title=row.title or "",
        received_ms=int(row.received_ms or 0),
        backfilled=bool(row.backfilled),
    )


def _slot_write(slot: _Slot, actions: Sequence["UpdateAction"]) -> Write:
    unchanged = (
        as_read(SlotItem.open_ulid, slot.open_ulid)
        & as_read(SlotItem.ulids, set(slot.ulids) or None)
        & as_read(SlotItem.moved, set(slot.moved) or None)
    )
    return Write("Update", issue_pk(slot.issue), user_pk(slot.user_id), unchanged, actions)


def _keys(user_id: int, ulids: Iterable[str]) -> Iterator[tuple[str, str]]:
    return ((user_pk(user_id), timer_sk(ulid)) for ulid in ulids)


def _name(issue: Issue) -> str:
    return f"{issue.full_name}#{issue.number}"


def _to_move(item: RawItem) -> Move:
    row = MoveItem.from_raw_data(item)
    origin, target = (_issue_named(name) for name in (row.origin, row.target))
    until_ms = None if row.until_ms is None else int(row.until_ms)
    return Move(name_of(row.sk), origin, target, int(row.at_ms), until_ms)


def _issue_named(name: str) -> Issue:
    full_name, _, number = name.rpartition("#")
    return Issue.of(full_name, int(number))


def _to_slot(item: RawItem, issue: Issue) -> _Slot:
    row = SlotItem.from_raw_data(item)
    return _Slot(
        issue=issue,
        user_id=user_id_of(row.sk),
        open_ulid=row.open_ulid,
        ulids=frozenset(row.ulids or ()),
        locked_until_ms=int(row.locked_until_ms or 0),
        moved=frozenset(row.moved or ()),
    )
