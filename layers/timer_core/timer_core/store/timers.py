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
    EMPTY_SLOT_DAYS,
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
    key_sk,
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
# A read ends at 1 MB, too (AWS, "Paginating table query results"): ten take about a second.
_FILTERED_READS = 10
_OPEN_PAGE = 100
# Some 50 KB, which the rounding of each page to 4 KB makes hardly dearer.
_OPEN_TIMERS_PAGE = 250
_RANGE_READ = 500
_RANGE_READS = 20
_RANGE_TIMERS = 5000
_LONGEST_MS = 366 * 86_400_000
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

        Where the filters select few of many, a page ends when 10,000 timers (or 10 MB of them) were
        looked at. So it may have few timers or none, and be followed by another one all the same.

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
        for _ in range(_FILTERED_READS):
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
            if start is None or len(found) > page_size:
                break
        timers = tuple(to_timer(item) for item in found[:page_size])
        here = [Position(timer.start_ms, timer.ulid, backwards) for timer in timers]
        stop = None
        if start is not None:
            stop = Position(int(start[sort_key]["N"]), start["sk"]["S"].removeprefix("timer#"), backwards)
        onwards = here[-1] if len(found) > page_size else stop
        # From a page without timers, the way back leads from the last one that was looked at.
        first = here[0] if here else stop
        back = first and position and first._replace(backwards=not backwards)
        if backwards:
            return Page(timers[::-1], next=back, previous=onwards)
        return Page(timers, next=onwards, previous=back)

    def in_range(
        self, user_id: int, filters: Filters, *, since_ms: int, until_ms: int
    ) -> tuple[list[Timer], bool]:
        """Return a person's timers with time between two moments, newest start first.

        Those are looked for that started up to 366 days before, until 5,000 are found, or 10,000 (or
        20 MB of them, which are 3,000 of the longest) were looked at.

        Parameters
        ----------
        filters
            Of which issues; the bounds in it are not looked at.

        Returns
        -------
        tuple[list[Timer], bool]
            The timers, and whether they are all.
        """
        reaches = TimerItem.end_ms.does_not_exist() | (TimerItem.end_ms > since_ms)
        of_issues = _filter_condition(filters)
        found: list[Timer] = []
        start: RawItem | None = None
        for _ in range(_RANGE_READS):
            items, _, start = self._table.query(
                user_pk(user_id),
                Path("start_ms").between(since_ms - _LONGEST_MS, until_ms - 1),
                index="by-start",
                filter_condition=reaches if of_issues is None else reaches & of_issues,
                forward=False,
                limit=_RANGE_READ,
                start=start,
            )
            found += map(to_timer, items)
            if start is None:
                return found, True
            if len(found) >= _RANGE_TIMERS:
                break
        return found, False

    def open_timers(
        self, shard: int, *, from_ms: int = 0, before_ms: int | None = None
    ) -> Iterator[OpenTimer]:
        """Yield the open timers of a shard that started within some time, oldest first.

        Read a page at a time, so that memory stays flat, from an index that lags a little behind the table.
        """
        since = TimerItem.open_since_ms
        started = since >= from_ms if before_ms is None else since.between(from_ms, before_ms - 1)
        pages = self._table.query_all(
            f"open#{shard}", started, index="open-timers", page_size=_OPEN_TIMERS_PAGE
        )
        for item in pages:
            yield OpenTimer(
                user_id=int(item["pk"]["S"].removeprefix("user#")),
                ulid=item["sk"]["S"].removeprefix("timer#"),
                since_ms=int(item["open_since_ms"]["N"]),
                issue=to_issue(item),
            )

    def open_page(self, place: Place | None = None) -> tuple[list[Timer], Place | None]:
        """Return some of all open timers, and the place after them; None if these are the last."""
        after: Place | None = (0, None) if place is None else place
        keys: list[tuple[str, str]] = []
        while after is not None and len(keys) < _OPEN_PAGE:
            shard, key = after
            most = _OPEN_PAGE - len(keys)
            items, _, last = self._table.query(f"open#{shard}", index="open-timers", limit=most, start=key)
            keys += [(item["pk"]["S"], item["sk"]["S"]) for item in items]
            if last is not None:
                after = (shard, last)
            else:
                after = (shard + 1, None) if shard + 1 < OPEN_SHARDS else None
        found = self._table.get_many(keys)
        timers = [timer for item in found if "deleted_ms" not in item and (timer := to_timer(item)).is_open]
        return timers, after

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
        at_ms: int | None = None,
    ) -> tuple[Timer, bool]:
        """Start a timer, or return the one that is open on the issue.

        Parameters
        ----------
        at_ms
            When it was asked for, if that was not now. Where timers are exclusive, one that has begun to
            run since goes on, and the new one is paused from then on.

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
        start_ms = now_ms if at_ms is None else at_ms
        for _ in attempts(_ATTEMPTS):
            timer = Timer.start(
                user_id=user_id,
                ulid=new_ulid(start_ms),
                at_ms=start_ms,
                now_ms=now_ms,
                by="manual",
                issue=issue,
                organization=organization,
                description=description,
            )
            pauses: list[Write] = []
            if at_ms is not None:
                timer, pauses = self.run_alone(timer, ())
            elif self._exclusive:
                pauses = self._pauses(timer, now_ms)
            writes = self._creation(timer, idempotency)
            own = len(writes)
            try:
                self.write_all([*writes, *pauses])
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
        started = timer.history[0]
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

    def answered(self, user_id: int, idempotency: Idempotency, *, now_ms: int) -> tuple[Timer, bool] | None:
        """Return what a start with the same key was answered with, as `start` does, if there was one.

        Raises
        ------
        IdempotencyKeyReused
            If the key came with another request before.
        """
        item = self._table.get(user_pk(user_id), key_sk(idempotency.key))
        if item is None or int(item["expires_at"]["N"]) <= now_ms // 1000:
            return None
        return self._repeated(user_id, item, idempotency), item["created"]["BOOL"]

    def keep_answer(self, timer: Timer, idempotency: Idempotency, *, now_ms: int) -> tuple[Timer, bool]:
        """Answer a start with a timer that is open already, and repetitions with the same one.

        Returns
        -------
        tuple[Timer, bool]
            The timer that the first start with the key was answered with, as `start` does.

        Raises
        ------
        IdempotencyKeyReused
            If the key came with another request before.
        """
        write = _idempotency_write(timer.user_id, timer.ulid, now_ms, idempotency, created=False)
        try:
            self._table.write(write)
        except ConditionFailed as failed:
            item = failed.item or {}
            return self._repeated(timer.user_id, item, idempotency), item["created"]["BOOL"]
        return timer, False

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

    def pause(
        self, user_id: int, ulid: str, *, now_ms: int, by: str, cause: str, at_ms: int | None = None
    ) -> Timer:
        """Pause a running timer and return it.

        A repetition of the request that paused it (same ``cause``) returns it too.

        Parameters
        ----------
        at_ms
            When it was asked for, if that was not now.

        Raises
        ------
        TimerNotFound
            If there is no such timer.
        TransitionNotAllowed
            If it is not running.
        TransitionTooEarly
            If it has changed after ``at_ms``.
        """
        transition = Transition(now_ms if at_ms is None else at_ms, Action.PAUSE, by, cause)
        return self._transition(user_id, ulid, transition, exactly=at_ms is not None)

    def resume(
        self, user_id: int, ulid: str, *, now_ms: int, by: str, cause: str, at_ms: int | None = None
    ) -> Timer:
        """Resume a paused timer and return it.

        A repetition of the request that resumed it (same ``cause``) returns it too.

        Parameters
        ----------
        at_ms
            When it was asked for, if that was not now. Where timers are exclusive, one that has begun to
            run since goes on, and this one is paused again from then on.

        Raises
        ------
        TimerNotFound
            If there is no such timer.
        TransitionNotAllowed
            If it is not paused.
        TransitionTooEarly
            If it has changed after ``at_ms``.
        """
        transition = Transition(now_ms if at_ms is None else at_ms, Action.RESUME, by, cause)
        if self._exclusive and at_ms is not None:
            return self._resume_alone(user_id, ulid, transition)
        return self._transition(user_id, ulid, transition, exactly=at_ms is not None)

    def stop(
        self, user_id: int, ulid: str, *, now_ms: int, by: str, cause: str, at_ms: int | None = None
    ) -> Timer:
        """Stop an open timer and return it.

        A repetition of the request that stopped it (same ``cause``) returns it too.

        Parameters
        ----------
        at_ms
            When it was asked for, if that was not now.

        Raises
        ------
        TimerNotFound
            If there is no such timer.
        TransitionNotAllowed
            If it is stopped already.
        TransitionTooEarly
            If it has changed after ``at_ms``.
        """
        for _ in attempts(_ATTEMPTS):
            timer = self.get(user_id, ulid)
            if _was_done(timer, Action.STOP, cause):
                return timer
            if at_ms is not None:
                timer.refuse_before_change(Action.STOP, at_ms)
            stopped = timer.stop(now_ms if at_ms is None else at_ms, by, cause)
            if self._close(stopped, now_ms):
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
            if self._close(stopped, now_ms):
                return replace(stopped, version=stopped.version + 1)
        raise TooMuchContention("The timer could not be stopped: others kept changing it.")

    def _close(self, stopped: Timer, now_ms: int) -> bool:
        """Write a timer that was open and free its slot; return False if it changed meanwhile."""
        writes = [put_changed(stopped)]
        if stopped.issue is not None:
            writes.append(free_slot(stopped.issue, stopped.user_id, stopped.ulid, now_ms))
        try:
            self.write_all(writes)
        except TransactionRefused:
            return False
        return True

    def _transition(self, user_id: int, ulid: str, transition: Transition, *, exactly: bool) -> Timer:
        """Pause or resume a timer, ``exactly`` when asked or else at its last change, if that is later."""
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
            if exactly:
                timer.refuse_before_change(transition.action, transition.at_ms)
            wanted = Status.RUNNING if transition.action is Action.PAUSE else Status.PAUSED
            if timer.status is not wanted:
                raise TransitionNotAllowed(transition.action, timer.status)
            # Another machine's clock may be ahead of ours: time does not go back.
            transition = replace(transition, at_ms=max(transition.at_ms, timer.changed_ms))
            if len(timer.history) >= MAX_HISTORY:
                self._write_if_unchanged(timer.compacted(KEPT_HISTORY))
        raise TooMuchContention(f"The timer could not {transition.action}: others kept changing it.")

    def _resume_alone(self, user_id: int, ulid: str, transition: Transition) -> Timer:
        """Resume a timer at a time in the past, beside those that have begun to run since."""
        for _ in attempts(_ATTEMPTS):
            timer = self.get(user_id, ulid)
            if _was_done(timer, Action.RESUME, transition.cause):
                return timer
            timer.refuse_before_change(Action.RESUME, transition.at_ms)
            resumed = _shortened(timer).resume(transition.at_ms, transition.by, transition.cause)
            alone, pauses = self.run_alone(resumed, ())
            try:
                self.write_all([put_changed(alone), *pauses])
            except TransactionRefused:
                continue
            return replace(alone, version=alone.version + 1)
        raise TooMuchContention("The timer could not be resumed: others kept changing it.")

    def _write_if_unchanged(self, timer: Timer) -> bool:
        try:
            self._table.write(put_changed(timer))
        except ConditionFailed:
            return False
        return True

    def run_alone(self, timer: Timer, written: Collection[str]) -> tuple[Timer, list[Write]]:
        """Make a timer that runs since some time the person's only running one, if timers are exclusive.

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
        for _ in attempts(_ATTEMPTS):
            try:
                return to_timer(self._table.write(_patch_write(user_id, ulid, patch)))
            except ConditionFailed as failed:
                timer = _existing(failed.item)
            if timer.is_open:
                if patch.corrects_time:
                    raise TransitionNotAllowed("correct the times of", timer.status)
                return self._move(timer, patch, now_ms)
            titled = _titled(patch, timer)
            if titled == patch:
                check_span(patch.start_ms or timer.start_ms, patch.end_ms or timer.end_ms, now_ms)
                field = "end_time" if patch.end_ms is not None else "start_time"
                pauses = f"{timer.paused_ms / 1000:.3f} seconds"
                raise InvalidInput(field, f"The pauses of {pauses} do not fit between start and end.")
            patch = titled
        raise TooMuchContention("The timer could not be corrected: others kept changing it.")

    def _move(self, timer: Timer, patch: Patch, now_ms: int) -> Timer:
        """Move an open timer to another issue, slot and all."""
        for _ in attempts(_ATTEMPTS):
            patch = _titled(patch, timer)
            assert patch.issue is not None, "nothing else is refused of an open timer"  # noqa: S101
            (issue,) = patch.issue
            moved = replace(
                timer,
                issue=issue,
                organization=patch.organization or (issue.owner if issue else timer.organization),
                description=timer.description if patch.description is None else patch.description,
            )
            writes = [put_changed(moved)]
            if (timer.issue and timer.issue.key) != (issue.key if issue else None):
                if timer.issue is not None:
                    writes.append(free_slot(timer.issue, timer.user_id, timer.ulid, now_ms, settles=True))
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
                writes.append(free_slot(timer.issue, user_id, ulid, now_ms))
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
    return _put(timer, TimerItem.pk.does_not_exist())


def put_changed(timer: Timer) -> Write:
    """Return the write of a timer that nobody has changed since its ``version`` was read."""
    return _put(replace(timer, version=timer.version + 1), TimerItem.version == timer.version)


def _put(timer: Timer, condition: Condition) -> Write:
    pk, sk = user_pk(timer.user_id), timer_sk(timer.ulid)
    return Write("Put", pk, sk, condition, item=timer_item(timer))


def take_slot(issue: Issue, user_id: int, ulid: str, settled_ms: int | None = None) -> Write:
    """Return the write that makes a timer the open one of a person on an issue."""
    actions: list[UpdateAction] = [
        SlotItem.open_ulid.set(ulid),
        SlotItem.ulids.add({ulid}),
        SlotItem.expires_at.remove(),
    ]
    if settled_ms is not None:
        actions.append(SlotItem.settled_ms.set(settled_ms))
    vacant = SlotItem.open_ulid.does_not_exist()
    return Write("Update", issue_pk(issue), user_pk(user_id), vacant, actions)


def free_slot(issue: Issue, user_id: int, ulid: str, now_ms: int, *, settles: bool = False) -> Write:
    """Return the write after which a person has no open timer on an issue.

    With ``settles``, events up to now change none of their timers on it any more.
    """
    actions: list[UpdateAction] = [
        SlotItem.open_ulid.remove(),
        SlotItem.expires_at.set(expiry(now_ms, EMPTY_SLOT_DAYS)),
    ]
    if settles:
        actions.append(SlotItem.settled_ms.set(now_ms))
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
        sk=key_sk(idempotency.key),
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
    return _shortened(timer).pause(at_ms, "exclusive", ulid)


def _shortened(timer: Timer) -> Timer:
    """Return a timer whose history has room for more."""
    return timer.compacted(KEPT_HISTORY) if len(timer.history) >= MAX_HISTORY else timer


def _focus_write(user_id: int, read: RawItem | None) -> Write:
    """Return the write of whoever makes a timer run; it is refused if another did since the read."""
    taken = int(read["taken"]["N"]) if read else 0
    as_read = FocusItem.taken == taken if read else FocusItem.pk.does_not_exist()
    return Write("Update", user_pk(user_id), FOCUS_SK, as_read, [FocusItem.taken.set(taken + 1)])


def _titled(patch: Patch, timer: Timer) -> Patch:
    """Return a patch whose issue has the title that the timer knows, if it is of the same issue."""
    (issue,) = patch.issue or (None,)
    if issue is None:
        return patch
    title = timer.issue.title if timer.issue and timer.issue.key == issue.key else ""
    return replace(patch, issue=(replace(issue, title=title),))


def _patch_write(user_id: int, ulid: str, patch: Patch) -> Write:
    """Return the write of a patch, whose issue has a title only if the timer is to keep that."""
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
        if issue and issue.title:
            condition &= TimerItem.issue_key == issue.key
        else:
            actions.append(TimerItem.title.remove())
            if issue:
                condition &= TimerItem.title.does_not_exist() | (TimerItem.issue_key != issue.key)
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
