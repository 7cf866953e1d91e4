"""Reading and changing timers.

A transition is one conditional update with no read before it; starting and stopping are
transactions, because they also take or free the person's slot on the issue.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import Condition, size
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action as UpdateAction

from timer_core.domain.errors import (
    IdempotencyKeyReused,
    InvalidInput,
    OtherTimerOpen,
    TimerNotFound,
    TooMuchContention,
    TransitionNotAllowed,
)
from timer_core.domain.ids import new_ulid, timer_id
from timer_core.domain.issues import Issue
from timer_core.domain.timers import Action, Status, Timer, Transition, check_span
from timer_core.store.items import (
    FOCUS_SK,
    OPEN_SHARDS,
    FocusItem,
    IdempotencyItem,
    SlotItem,
    TimerItem,
    cause_of,
    encode_transition,
    expiry,
    issue_pk,
    raw,
    settled_until,
    timer_item,
    timer_sk,
    to_issue,
    to_timer,
    tombstone,
    user_pk,
)
from timer_core.store.table import ConditionFailed, RawItem, Table, TransactionRefused, Write, attempts

# A timer's history is cut to the last KEPT entries when it has grown to MAX: it is read and
# written with the timer, and what is that old no late event will concern.
MAX_HISTORY = 60
KEPT_HISTORY = 30

_ATTEMPTS = 20
_FILTERED_READ = 1000
_OPEN_PAGE = 100
# A transaction takes 100 writes (AWS, "DynamoDB quotas"); the others are the timer's own.
_MOST_PAUSES = 90
_IDEMPOTENCY_DAYS = 1


class Position(NamedTuple):
    """Where a page of a list begins: next to this timer."""

    start_ms: int
    ulid: str
    backwards: bool


@dataclass(frozen=True, slots=True)
class Filters:
    """Which of a person's timers to list."""

    is_open: bool | None = None
    repo: str | None = None
    number: int | None = None
    start_from_ms: int | None = None
    start_before_ms: int | None = None

    @property
    def selects_any(self) -> bool:
        """Whether there is any time between the bounds."""
        start, end = self.start_from_ms, self.start_before_ms
        return start is None or end is None or start < end

    def select_start(self, start_ms: int) -> bool:
        """Whether a timer that started then lies between the bounds."""
        return (self.start_from_ms is None or self.start_from_ms <= start_ms) and (
            self.start_before_ms is None or start_ms < self.start_before_ms
        )


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list, newest first, and where its neighbours begin."""

    timers: Sequence[Timer]
    next: Position | None
    previous: Position | None


@dataclass(frozen=True, slots=True)
class Idempotency:
    """An Idempotency-Key and the request that came with it, both hashed.

    As in the IETF's draft-ietf-httpapi-idempotency-key-header.
    """

    key: str
    request: str


@dataclass(frozen=True, slots=True)
class Patch:
    """What to correct of a timer; None leaves a thing as it is.

    ``issue`` is a tuple of the new issue, or of None to take the timer off its issue.
    """

    issue: tuple[Issue | None] | None = None
    organization: str | None = None
    description: str | None = None
    start_ms: int | None = None
    end_ms: int | None = None

    @property
    def corrects_time(self) -> bool:
        """Whether the start or the end changes."""
        return self.start_ms is not None or self.end_ms is not None


# Where a page of all open timers begins: a shard, and the key before it.
Place: TypeAlias = tuple[int, RawItem | None]


class OpenTimer(NamedTuple):
    """An open timer, as far as the index of open timers knows it."""

    user_id: int
    ulid: str
    since_ms: int
    issue: Issue | None


class TimerStore:
    """The timers in the table.

    Parameters
    ----------
    table
        The table.
    exclusive
        Whether starting or resuming a timer pauses the person's other running ones.
    """

    def __init__(self, table: Table, *, exclusive: bool = False) -> None:
        self._table = table
        self._exclusive = exclusive

    # ------------------------------------------------------------------ reading

    def get(self, user_id: int, ulid: str) -> Timer:
        """Return a timer.

        Raises
        ------
        TimerNotFound
            If there is none, or it was deleted.
        """
        return _existing(self._table.get(user_pk(user_id), timer_sk(ulid)))

    def page(
        self, user_id: int, filters: Filters, *, page_size: int, position: Position | None = None
    ) -> Page:
        """Return a page of a person's timers, newest start first.

        Raises
        ------
        InvalidInput
            If the position lies outside of what the filters select.
        """
        if not filters.selects_any:
            return Page((), None, None)
        if position is not None and not filters.select_start(position.start_ms):
            raise InvalidInput("cursor", "Belongs to a list with other filters.")
        index, sort_key = ("open-by-user", "open_since_ms") if filters.is_open else ("by-start", "start_ms")
        backwards = position is not None and position.backwards
        start: RawItem | None = None
        if position is not None:
            start = {
                "pk": {"S": user_pk(user_id)},
                "sk": {"S": timer_sk(position.ulid)},
                sort_key: {"N": str(position.start_ms)},
            }
        condition = _filter_condition(filters)
        found: list[RawItem] = []
        while len(found) <= page_size:
            items, _, start = self._table.query(
                user_pk(user_id),
                _range_condition(sort_key, filters),
                index=index,
                filter_condition=condition,
                forward=backwards,
                # One more than the page tells whether there is another page.
                limit=page_size + 1 if condition is None else _FILTERED_READ,
                start=start,
            )
            found += items
            if start is None:
                break
        more = len(found) > page_size
        timers = [to_timer(item) for item in found[:page_size]]
        if backwards:
            timers.reverse()
        if not timers:
            return Page((), None, None)
        newer = Position(timers[0].start_ms, timers[0].ulid, backwards=True)
        older = Position(timers[-1].start_ms, timers[-1].ulid, backwards=False)
        return Page(
            timers,
            next=older if more or backwards else None,
            previous=newer if (more if backwards else position is not None) else None,
        )

    def open_timers(self, shard: int, *, before_ms: int | None = None) -> Iterator[OpenTimer]:
        """Yield the open timers of a shard, those only that started before some time, oldest first.

        Read a page at a time from an index that lags a little behind the table.
        """
        stale = None if before_ms is None else TimerItem.open_since_ms < before_ms
        for item in self._table.query_all(f"open#{shard}", stale, index="open-timers"):
            yield OpenTimer(
                user_id=int(item["pk"]["S"].removeprefix("user#")),
                ulid=item["sk"]["S"].removeprefix("timer#"),
                since_ms=int(item["open_since_ms"]["N"]),
                issue=to_issue(item),
            )

    def open_page(self, place: Place | None = None) -> tuple[list[Timer], Place | None]:
        """Return some of all open timers, and the place after them; None if these are the last."""
        shard, key = (0, None) if place is None else place
        items, _, last = self._table.query(f"open#{shard}", index="open-timers", limit=_OPEN_PAGE, start=key)
        found = self._table.get_many((item["pk"]["S"], item["sk"]["S"]) for item in items)
        timers = [timer for item in found if "deleted_ms" not in item and (timer := to_timer(item)).is_open]
        if last is not None:
            return timers, (shard, last)
        return timers, (shard + 1, None) if shard + 1 < OPEN_SHARDS else None

    # ------------------------------------------------------------------ starting

    def start(
        self,
        *,
        user_id: int,
        now_ms: int,
        issue: Issue | None = None,
        organization: str | None = None,
        description: str = "",
        idempotency: Idempotency | None = None,
    ) -> tuple[Timer, bool]:
        """Start a timer, or return the one that is open on the issue.

        Returns
        -------
        tuple[Timer, bool]
            The timer, and whether this request (or the first with its key) created it.

        Raises
        ------
        IdempotencyKeyReused
            If the key came with another request before.
        TooMuchContention
            If others kept changing what this depends on.
        """
        for _ in attempts(_ATTEMPTS):
            timer = Timer.start(
                user_id=user_id,
                ulid=new_ulid(now_ms),
                at_ms=now_ms,
                now_ms=now_ms,
                by="manual",
                issue=issue,
                organization=organization,
                description=description,
            )
            writes = self._creation(timer, idempotency)
            own = len(writes)
            writes += self._pauses(timer, now_ms) if self._exclusive else []
            try:
                self.write_all(writes)
            except TransactionRefused as refused:
                refused_own = [item for position, item in refused.failed.items() if item and position < own]
                for item in refused_own:
                    if item["sk"]["S"] == timer_sk(timer.ulid):
                        # Nobody else has this id: it was written, and the answer was lost.
                        return _existing(item), True
                    if "request_hash" in item:
                        return self._repeated(user_id, item, idempotency), item["created"]["BOOL"]
                for item in refused_own:
                    if "open_ulid" in item:
                        already = self._start_again(timer, item["open_ulid"]["S"], idempotency)
                        if already is not None:
                            return already, False
                continue
            return timer, True
        raise TooMuchContention("The timer could not be started: others kept changing the same one.")

    def _start_again(self, timer: Timer, open_ulid: str, idempotency: Idempotency | None) -> Timer | None:
        """Note a start in the timer that is open on the issue, and return that one.

        If it turns out later that the open one had ended before, the start counts. Returns None
        if the timer is not open any more.
        """
        (started,) = timer.history
        note = Write(
            "Update",
            user_pk(timer.user_id),
            timer_sk(open_ulid),
            TimerItem.open_shard.exists(),
            _recorded(started),
        )
        try:
            if idempotency is None:
                already = to_timer(self._table.write(note))
                if len(already.history) > MAX_HISTORY:
                    self._write_if_unchanged(already.compacted(KEPT_HISTORY))
                return already
            key = _idempotency_write(timer.user_id, open_ulid, timer.created_ms, idempotency, created=False)
            self._table.transact([note, key])
            return self.get(timer.user_id, open_ulid)
        except (ConditionFailed, TransactionRefused, TimerNotFound):
            return None

    def add(self, timer: Timer, idempotency: Idempotency | None = None) -> Timer:
        """Put a finished timer and return it, or the one that the same key made before.

        Raises
        ------
        IdempotencyKeyReused
            If the key came with another request before.
        """
        try:
            self.write_all(self._creation(timer, idempotency))
        except TransactionRefused as refused:
            by_key = next((item for item in refused.failed.values() if item and "request_hash" in item), None)
            if by_key is None:
                # Nobody else has this id: it was written, and the answer was lost.
                return self.get(timer.user_id, timer.ulid)
            return self._repeated(timer.user_id, by_key, idempotency)
        return timer

    def _creation(self, timer: Timer, idempotency: Idempotency | None) -> list[Write]:
        writes = [put_new(timer)]
        if timer.is_open and timer.issue is not None:
            writes.append(take_slot(timer.issue, timer.user_id, timer.ulid))
        if idempotency is not None:
            writes.append(
                _idempotency_write(timer.user_id, timer.ulid, timer.created_ms, idempotency, created=True)
            )
        return writes

    def _repeated(self, user_id: int, item: RawItem, idempotency: Idempotency | None) -> Timer:
        if idempotency is None or item["request_hash"]["S"] != idempotency.request:
            raise IdempotencyKeyReused("This Idempotency-Key was used for another request.")
        try:
            return self.get(user_id, item["ulid"]["S"])
        except TimerNotFound:
            raise IdempotencyKeyReused("The timer that this Idempotency-Key made was deleted.") from None

    # ------------------------------------------------------------------ transitions

    def pause(self, user_id: int, ulid: str, *, now_ms: int, by: str, cause: str) -> Timer:
        """Pause a running timer and return it.

        A repetition of the request that paused it (same ``cause``) returns it too.

        Raises
        ------
        TimerNotFound
            If there is no such timer.
        TransitionNotAllowed
            If it is not running.
        """
        return self._transition(user_id, ulid, Transition(now_ms, Action.PAUSE, by, cause))

    def resume(self, user_id: int, ulid: str, *, now_ms: int, by: str, cause: str) -> Timer:
        """Resume a paused timer and return it.

        A repetition of the request that resumed it (same ``cause``) returns it too.

        Raises
        ------
        TimerNotFound
            If there is no such timer.
        TransitionNotAllowed
            If it is not paused.
        """
        return self._transition(user_id, ulid, Transition(now_ms, Action.RESUME, by, cause))

    def stop(self, user_id: int, ulid: str, *, now_ms: int, by: str, cause: str) -> Timer:
        """Stop an open timer and return it.

        A repetition of the request that stopped it (same ``cause``) returns it too.

        Raises
        ------
        TimerNotFound
            If there is no such timer.
        TransitionNotAllowed
            If it is stopped already.
        """
        for _ in attempts(_ATTEMPTS):
            timer = self.get(user_id, ulid)
            if _was_done(timer, Action.STOP, cause):
                return timer
            stopped = timer.stop(now_ms, by, cause)
            if self._close(stopped):
                return replace(stopped, version=stopped.version + 1)
        raise TooMuchContention("The timer could not be stopped: others kept changing it.")

    def expire(self, user_id: int, ulid: str, *, limit_ms: int, now_ms: int, by: str) -> Timer | None:
        """Stop a forgotten timer where its active time reached the limit.

        Returns
        -------
        Timer or None
            The stopped timer; None if it is not open any more.
        """
        for _ in attempts(_ATTEMPTS):
            try:
                timer = self.get(user_id, ulid)
            except TimerNotFound:
                return None
            if not timer.is_open:
                return None
            stopped = replace(timer.expire(limit_ms, now_ms, by), settled_ms=now_ms)
            if self._close(stopped):
                return replace(stopped, version=stopped.version + 1)
        raise TooMuchContention("The timer could not be stopped: others kept changing it.")

    def _close(self, stopped: Timer) -> bool:
        """Write a timer that was open and free its slot; return False if it changed meanwhile."""
        writes = [put_changed(stopped)]
        if stopped.issue is not None:
            writes.append(free_slot(stopped.issue, stopped.user_id, stopped.ulid))
        try:
            self.write_all(writes)
        except TransactionRefused:
            return False
        return True

    def _transition(self, user_id: int, ulid: str, transition: Transition) -> Timer:
        for _ in attempts(_ATTEMPTS):
            write = _transition_write(user_id, ulid, transition)
            try:
                if self._exclusive and transition.action is Action.RESUME:
                    self.write_all([write, *self._pauses(self.get(user_id, ulid), transition.at_ms)])
                    return self.get(user_id, ulid)
                return to_timer(self._table.write(write))
            except ConditionFailed as failed:
                timer = _existing(failed.item)
            except TransactionRefused:
                timer = self.get(user_id, ulid)
            if _was_done(timer, transition.action, transition.cause):
                return timer
            wanted = Status.RUNNING if transition.action is Action.PAUSE else Status.PAUSED
            if timer.status is not wanted:
                raise TransitionNotAllowed(transition.action, timer.status)
            # Another machine's clock may be ahead of ours: time does not go back.
            transition = replace(transition, at_ms=max(transition.at_ms, timer.changed_ms))
            if len(timer.history) >= MAX_HISTORY:
                self._write_if_unchanged(timer.compacted(KEPT_HISTORY))
        raise TooMuchContention(f"The timer could not {transition.action}: others kept changing it.")

    def _write_if_unchanged(self, timer: Timer) -> bool:
        try:
            self._table.write(put_changed(timer))
        except ConditionFailed:
            return False
        return True

    def run_alone(self, timer: Timer, written: Collection[str]) -> tuple[Timer, list[Write]]:
        """Make a derived timer the person's only running one, if timers are exclusive.

        Those ``written`` in the same transaction (their ULIDs) are left out.

        Returns
        -------
        tuple[Timer, list[Write]]
            The timer, paused where another one has begun to run since, and the writes that pause
            those that ran before.
        """
        if not self._exclusive or timer.status is not Status.RUNNING:
            return timer, []
        at_ms = timer.changed_ms
        focus, others = self._focus_and_others(timer, written)
        later = [other for other in others if other.changed_ms > at_ms]
        if later:
            successor = min(later, key=lambda other: other.changed_ms)
            timer = timer.pause(successor.changed_ms, "exclusive", successor.ulid)
        earlier = [other for other in others if other.changed_ms <= at_ms]
        return timer, [focus, *self._pause_all(earlier, timer.ulid, at_ms)]

    def _pauses(self, timer: Timer, at_ms: int) -> list[Write]:
        """Return the writes that pause the person's other running timers."""
        focus, others = self._focus_and_others(timer)
        return [focus, *self._pause_all(others, timer.ulid, at_ms)]

    def _focus_and_others(self, timer: Timer, spared: Collection[str] = ()) -> tuple[Write, list[Timer]]:
        """Return the write that takes the focus, and the person's other running timers but those spared.

        The focus is read first: who begins to run after that makes the write be refused.
        """
        focus = _focus_write(timer.user_id, self._table.get(user_pk(timer.user_id), FOCUS_SK))
        running = self._table.query_all(
            user_pk(timer.user_id),
            index="open-by-user",
            filter_condition=TimerItem.status == Status.RUNNING.value,
        )
        return focus, [other for other in map(to_timer, running) if other.ulid not in {timer.ulid, *spared}]

    def _pause_all(self, others: Sequence[Timer], ulid: str, at_ms: int) -> list[Write]:
        paused = [_pause_for(other, ulid, at_ms) for other in others]
        for other in paused[_MOST_PAUSES:]:
            self._write_if_unchanged(other)
        return [put_changed(other) for other in paused[:_MOST_PAUSES]]

    # ------------------------------------------------------------------ correcting

    def patch(self, user_id: int, ulid: str, patch: Patch, *, now_ms: int) -> Timer:
        """Correct a timer and return it.

        Raises
        ------
        TimerNotFound
            If there is no such timer.
        TransitionNotAllowed
            If the start or end of an open timer is to be corrected.
        InvalidInput
            If the end would lie before the start, or the pauses not fit between them.
        OtherTimerOpen
            If an open timer is to move to an issue on which the person has another.
        """
        try:
            return to_timer(self._table.write(_patch_write(user_id, ulid, patch)))
        except ConditionFailed as failed:
            timer = _existing(failed.item)
        if patch.corrects_time:
            if timer.is_open:
                raise TransitionNotAllowed("correct the times of", timer.status)
            check_span(patch.start_ms or timer.start_ms, patch.end_ms or timer.end_ms, now_ms)
            field = "end_time" if patch.end_ms is not None else "start_time"
            pauses = timer.paused_ms / 1000
            raise InvalidInput(field, f"The pauses of {pauses:.3f} seconds do not fit between start and end.")
        return self._move(timer, patch, now_ms)

    def _move(self, timer: Timer, patch: Patch, now_ms: int) -> Timer:
        """Move an open timer to another issue, slot and all."""
        assert patch.issue is not None, "nothing else is refused of an open timer"  # noqa: S101
        (issue,) = patch.issue
        for _ in attempts(_ATTEMPTS):
            moved = replace(
                timer,
                issue=issue,
                organization=patch.organization or (issue.owner if issue else timer.organization),
                description=timer.description if patch.description is None else patch.description,
            )
            writes = [put_changed(moved)]
            if (timer.issue and timer.issue.key) != (issue.key if issue else None):
                if timer.issue is not None:
                    writes.append(free_slot(timer.issue, timer.user_id, timer.ulid, settled_ms=now_ms))
                if issue is not None:
                    writes.append(take_slot(issue, timer.user_id, timer.ulid, settled_ms=now_ms))
            try:
                self.write_all(writes)
            except TransactionRefused as refused:
                for item in refused.failed.values():
                    other = item.get("open_ulid") if item else None
                    if other and other["S"] != timer.ulid:
                        raise OtherTimerOpen(timer_id(timer.user_id, other["S"])) from None
                timer = self.get(timer.user_id, timer.ulid)
                if not timer.is_open:
                    return self.patch(timer.user_id, timer.ulid, patch, now_ms=now_ms)
                continue
            return replace(moved, version=moved.version + 1)
        raise TooMuchContention("The timer could not be moved: others kept changing it.")

    def delete(self, user_id: int, ulid: str, *, now_ms: int) -> None:
        """Delete a timer, open or not.

        Raises
        ------
        TimerNotFound
            If there is no such timer.
        """
        pk, sk = user_pk(user_id), timer_sk(ulid)
        for _ in attempts(_ATTEMPTS):
            item = self._table.get(pk, sk)
            if item and item.get("deleted_ms") == {"N": str(now_ms)}:
                # By this very request, whose answer was lost.
                return
            timer = _existing(item)
            settled_ms = now_ms if timer.is_open else settled_until(item or {})
            grave = tombstone(pk, sk, now_ms, settled_ms)
            writes = [Write("Put", pk, sk, TimerItem.version == timer.version, item=grave)]
            if timer.is_open and timer.issue is not None:
                writes.append(free_slot(timer.issue, user_id, ulid))
            try:
                self.write_all(writes)
            except TransactionRefused:
                continue
            return
        raise TooMuchContention("The timer could not be deleted: others kept changing it.")

    def write_all(self, writes: Sequence[Write]) -> None:
        """Do all writes or none, as a transaction only if there are several.

        Raises
        ------
        TransactionRefused
            If a condition did not hold.
        """
        if len(writes) > 1:
            self._table.transact(writes)
            return
        try:
            self._table.write(writes[0])
        except ConditionFailed as failed:
            raise TransactionRefused({0: failed.item}) from None


# ---------------------------------------------------------------------- single writes


def put_new(timer: Timer) -> Write:
    """Return the write of a timer that does not exist yet."""
    item = timer_item(timer)
    return Write("Put", item.pk, item.sk, TimerItem.pk.does_not_exist(), item=raw(item))


def put_changed(timer: Timer) -> Write:
    """Return the write of a timer that nobody has changed since its ``version`` was read."""
    item = timer_item(replace(timer, version=timer.version + 1))
    return Write("Put", item.pk, item.sk, TimerItem.version == timer.version, item=raw(item))


def take_slot(issue: Issue, user_id: int, ulid: str, settled_ms: int | None = None) -> Write:
    """Return the write that makes a timer the open one of a person on an issue."""
    actions: list[UpdateAction] = [SlotItem.open_ulid.set(ulid), SlotItem.ulids.add({ulid})]
    if settled_ms is not None:
        actions.append(SlotItem.settled_ms.set(settled_ms))
    vacant = SlotItem.open_ulid.does_not_exist()
    return Write("Update", issue_pk(issue), user_pk(user_id), vacant, actions)


def free_slot(issue: Issue, user_id: int, ulid: str, settled_ms: int | None = None) -> Write:
    """Return the write after which a person has no open timer on an issue."""
    actions: list[UpdateAction] = [SlotItem.open_ulid.remove()]
    if settled_ms is not None:
        actions.append(SlotItem.settled_ms.set(settled_ms))
    return Write("Update", issue_pk(issue), user_pk(user_id), SlotItem.open_ulid == ulid, actions)


def _transition_write(user_id: int, ulid: str, transition: Transition) -> Write:
    at_ms = transition.at_ms
    if transition.action is Action.PAUSE:
        before = Status.RUNNING
        actions = [
            TimerItem.status.set(Status.PAUSED.value),
            TimerItem.clock_ms.set(TimerItem.clock_ms + at_ms),
            TimerItem.last_pause_ms.set(at_ms),
            TimerItem.paused_by.set(transition.by),
        ]
    else:
        before = Status.PAUSED
        actions = [
            TimerItem.status.set(Status.RUNNING.value),
            TimerItem.clock_ms.set(TimerItem.clock_ms - at_ms),
            TimerItem.last_pause_ms.remove(),
            TimerItem.paused_by.remove(),
        ]
    return Write(
        "Update",
        user_pk(user_id),
        timer_sk(ulid),
        (TimerItem.status == before.value)
        & (TimerItem.changed_ms <= at_ms)
        & (size(TimerItem.history) < MAX_HISTORY)  # type: ignore[no-untyped-call]
        & ~TimerItem.causes.contains(cause_of(transition)),
        [*actions, TimerItem.changed_ms.set(at_ms), *_recorded(transition)],
    )


def _recorded(transition: Transition) -> list[UpdateAction]:
    """Return what puts a transition into a timer's history."""
    return [
        TimerItem.version.set(TimerItem.version + 1),
        TimerItem.history.set(TimerItem.history.append([encode_transition(transition)])),
        TimerItem.causes.add({cause_of(transition)}),
    ]


def _idempotency_write(
    user_id: int, ulid: str, now_ms: int, idempotency: Idempotency, *, created: bool
) -> Write:
    """Return the write that remembers which timer a request with a key was answered with."""
    item = IdempotencyItem(
        pk=user_pk(user_id),
        sk=f"key#{idempotency.key}",
        ulid=ulid,
        created=created,
        request_hash=idempotency.request,
        expires_at=expiry(now_ms, _IDEMPOTENCY_DAYS),
    )
    # DynamoDB deletes what has expired within days, so the condition looks itself.
    vacant = IdempotencyItem.pk.does_not_exist() | (IdempotencyItem.expires_at <= now_ms // 1000)
    return Write("Put", item.pk, item.sk, vacant, item=raw(item))


def _pause_for(timer: Timer, ulid: str, at_ms: int) -> Timer:
    """Return a running timer as paused because another one, of this ULID, runs now."""
    if len(timer.history) >= MAX_HISTORY:
        timer = timer.compacted(KEPT_HISTORY)
    return timer.pause(at_ms, "exclusive", ulid)


def _focus_write(user_id: int, read: RawItem | None) -> Write:
    """Return the write of whoever makes a timer run; it is refused if another did since the read."""
    taken = int(read["taken"]["N"]) if read else 0
    as_read = FocusItem.taken == taken if read else FocusItem.pk.does_not_exist()
    return Write("Update", user_pk(user_id), FOCUS_SK, as_read, [FocusItem.taken.set(taken + 1)])


def _patch_write(user_id: int, ulid: str, patch: Patch) -> Write:
    actions: list[UpdateAction] = [TimerItem.version.set(TimerItem.version + 1)]
    condition: Condition = TimerItem.status.exists()
    if patch.description is not None:
        actions.append(_set_or_remove(TimerItem.description, patch.description or None))
    organization = patch.organization
    if patch.issue is not None:
        (issue,) = patch.issue
        organization = organization or (issue.owner if issue else None)
        actions += [
            _set_or_remove(TimerItem.owner, issue.owner if issue else None),
            _set_or_remove(TimerItem.repo, issue.repo if issue else None),
            TimerItem.number.set(issue.number) if issue else TimerItem.number.remove(),
            _set_or_remove(TimerItem.issue_key, issue.key if issue else None),
            _set_or_remove(TimerItem.repo_key, issue.full_name.lower() if issue else None),
        ]
        # An open timer's slot has to move with it, which needs to know where it is.
        condition &= TimerItem.status == Status.STOPPED.value
    if organization is not None:
        actions.append(TimerItem.organization.set(organization))
    if patch.corrects_time:
        condition &= TimerItem.status == Status.STOPPED.value
        condition &= _time_condition(patch.start_ms, patch.end_ms)
        actions += _time_actions(patch.start_ms, patch.end_ms)
    if patch.corrects_time or patch.issue is not None:
        end: Any = TimerItem.end_ms if patch.end_ms is None else patch.end_ms
        # What the sweeper settled stays so.
        actions.append(TimerItem.settled_ms.set(TimerItem.settled_ms | end))
    return Write("Update", user_pk(user_id), timer_sk(ulid), condition, actions)


def _time_condition(start_ms: int | None, end_ms: int | None) -> Condition:
    """Active time cannot be negative: the pauses must fit between the start and the end."""
    if start_ms is not None and end_ms is not None:
        return TimerItem.paused_ms <= end_ms - start_ms
    if start_ms is not None:
        return TimerItem.latest_start_ms >= start_ms
    return TimerItem.earliest_end_ms <= end_ms


def _time_actions(start_ms: int | None, end_ms: int | None) -> list[UpdateAction]:
    """Active time is end - start - pauses; an update can add or subtract only two of these."""
    actions: list[UpdateAction] = []
    if start_ms is not None:
        actions += [
            TimerItem.start_ms.set(start_ms),
            TimerItem.earliest_end_ms.set(TimerItem.paused_ms + start_ms),
        ]
    if end_ms is not None:
        actions += [
            TimerItem.end_ms.set(end_ms),
            TimerItem.changed_ms.set(end_ms),
            TimerItem.latest_start_ms.set(end_ms - Path(TimerItem.paused_ms)),
        ]
    if start_ms is not None and end_ms is not None:
        actions.append(TimerItem.clock_ms.set((end_ms - start_ms) - Path(TimerItem.paused_ms)))
    elif start_ms is not None:
        actions.append(TimerItem.clock_ms.set(TimerItem.latest_start_ms - start_ms))
    elif end_ms is not None:
        actions.append(TimerItem.clock_ms.set(end_ms - Path(TimerItem.earliest_end_ms)))
    return actions


def _set_or_remove(attribute: UnicodeAttribute, value: str | None) -> UpdateAction:
    return attribute.remove() if value is None else attribute.set(value)


def _range_condition(sort_key: str, filters: Filters) -> Condition | None:
    start, end = filters.start_from_ms, filters.start_before_ms
    if start is not None and end is not None:
        # Between includes both ends, and times are whole milliseconds.
        return Path(sort_key).between(start, end - 1)
    if start is not None:
        return Path(sort_key) >= start
    if end is not None:
        return Path(sort_key) < end
    return None


def _filter_condition(filters: Filters) -> Condition | None:
    conditions: list[Condition] = []
    if filters.is_open is False:
        conditions.append(TimerItem.end_ms.exists())
    if filters.repo is not None:
        conditions.append(TimerItem.repo_key == filters.repo.lower())
    if filters.number is not None:
        conditions.append(TimerItem.number == filters.number)
    if not conditions:
        return None
    combined = conditions[0]
    for condition in conditions[1:]:
        combined &= condition
    return combined


def _existing(item: RawItem | None) -> Timer:
    if item is None or "deleted_ms" in item:
        raise TimerNotFound("There is no such timer.")
    return to_timer(item)


def _was_done(timer: Timer, action: Action, cause: str) -> bool:
    """Whether this very request has changed the timer before; clients repeat what got no answer."""
    return any(done.action is action and done.cause == cause for done in timer.history)
