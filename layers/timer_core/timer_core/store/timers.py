"""Changes of timers by requests and by the sweeper.

A pause or a resume is one conditional update without a read; starts and stops are
transactions, because they also take or free the person's slot on the issue.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace

from timer_core.domain.errors import (
    IdempotencyKeyReused,
    InvalidInput,
    NotFound,
    OtherTimerOpen,
    TransitionNotAllowed,
)
from timer_core.domain.ids import new_ulid, timer_id
from timer_core.domain.issues import Issue
from timer_core.domain.state import Action, Status, Transition
from timer_core.domain.timers import Timer, check_span
from timer_core.store.items import TimerItem, locked_until, to_timer, tombstone
from timer_core.store.keys import RUN_LOCK_SK, idempotency_sk, timer_sk, user_pk
from timer_core.store.queries import TimerQueries, existing
from timer_core.store.slots import free_slot, take_slot
from timer_core.store.table import (
    ConditionFailed,
    Conflict,
    RawItem,
    Table,
    TransactionRefused,
    Write,
    retry_on_conflict,
)
from timer_core.store.writes import (
    Idempotency,
    Patch,
    correct,
    note_start,
    pause_or_resume,
    put_changed,
    put_new,
    remember_answer,
    take_run_lock,
)

# A transaction has at most 100 writes (AWS, "DynamoDB quotas"); the others are the timer's own.
_MOST_PAUSES = 90


class TimerStore(TimerQueries):
    """Reads and changes the timers in the table.

    Parameters
    ----------
    table
        The table.
    exclusive
        Whether starting or resuming a timer pauses the person's other running ones.
    """

    def __init__(self, table: Table, *, exclusive: bool = False) -> None:
        super().__init__(table)
        self._exclusive = exclusive

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
            The requested time, if it is in the past. Where timers are exclusive, one that has begun to
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

        def attempt() -> tuple[Timer, bool]:
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
            creation = self._creation(timer, idempotency)
            try:
                self.write_all([*creation, *pauses])
            except TransactionRefused as refused:
                found = [item for index, item in refused.failed.items() if item and index < len(creation)]
                return self._start_again(timer, found, idempotency)
            return timer, True

        message = "The timer could not be started: others kept changing the same one."
        return retry_on_conflict(attempt, message)

    def _start_again(
        self, timer: Timer, found: Sequence[RawItem], idempotency: Idempotency | None
    ) -> tuple[Timer, bool]:
        """Return the response to a start that was refused because of some items.

        Raises
        ------
        Conflict
            If these items do not prevent another attempt.
        """
        for item in found:
            if item["sk"]["S"] == timer_sk(timer.ulid):
                # Nobody else has this id: the timer was written, and the response was lost.
                return existing(item), True
            if "request_hash" in item:
                return self._repeated(timer.user_id, item, idempotency), item["created"]["BOOL"]
        for item in found:
            if "open_ulid" in item:
                return self._note_start(timer, item["open_ulid"]["S"], idempotency), False
        raise Conflict

    def _note_start(self, timer: Timer, open_ulid: str, idempotency: Idempotency | None) -> Timer:
        """Note a start in the timer that is open on the issue, and return that one.

        If an event that arrives late shows that the open timer had ended before, the start counts.

        Raises
        ------
        Conflict
            If the timer is not open any more.
        """
        note = note_start(timer.user_id, open_ulid, timer.history[0])
        try:
            if idempotency is None:
                return to_timer(self._table.write(note))
            answer = remember_answer(timer.user_id, open_ulid, timer.created_ms, idempotency, created=False)
            self._table.transact([note, answer])
            return self.get(timer.user_id, open_ulid)
        except ConditionFailed as failed:
            item = failed.item
        except TransactionRefused as refused:
            item = refused.failed.get(0)
        except NotFound:
            item = None
        if item is None or "open_shard" not in item:
            raise Conflict
        # The history has no room for another note.
        already = to_timer(item)
        if idempotency is None:
            return already
        return self.keep_answer(already, idempotency, now_ms=timer.created_ms)[0]

    def answered(self, user_id: int, idempotency: Idempotency, *, now_ms: int) -> tuple[Timer, bool] | None:
        """Return the response to an earlier start with the same key, as `start` does, if there was one.

        Raises
        ------
        IdempotencyKeyReused
            If the key came with another request before.
        """
        item = self._table.get(user_pk(user_id), idempotency_sk(idempotency.key))
        if item is None or int(item["expires_at"]["N"]) <= now_ms // 1000:
            return None
        return self._repeated(user_id, item, idempotency), item["created"]["BOOL"]

    def keep_answer(self, timer: Timer, idempotency: Idempotency, *, now_ms: int) -> tuple[Timer, bool]:
        """Keep an open timer as the response to a start and its repetitions.

        Returns
        -------
        tuple[Timer, bool]
            The response to the first start with the key, as `start` does.

        Raises
        ------
        IdempotencyKeyReused
            If the key came with another request before.
        """
        write = remember_answer(timer.user_id, timer.ulid, now_ms, idempotency, created=False)
        try:
            self._table.write(write)
        except ConditionFailed as failed:
            item = failed.item or {}
            return self._repeated(timer.user_id, item, idempotency), item["created"]["BOOL"]
        return timer, False

    def add(self, timer: Timer, idempotency: Idempotency | None = None) -> Timer:
        """Put a finished timer and return it, or the one that an earlier request with the key created.

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
                # Nobody else has this id: it was written, and the response was lost.
                return self.get(timer.user_id, timer.ulid)
            return self._repeated(timer.user_id, by_key, idempotency)
        return timer

    def _creation(self, timer: Timer, idempotency: Idempotency | None) -> list[Write]:
        writes = [put_new(timer)]
        if timer.is_open and timer.issue is not None:
            writes.append(take_slot(timer.issue, timer.user_id, timer.ulid))
        if idempotency is not None:
            writes.append(
                remember_answer(timer.user_id, timer.ulid, timer.created_ms, idempotency, created=True)
            )
        return writes

    def _repeated(self, user_id: int, item: RawItem, idempotency: Idempotency | None) -> Timer:
        if idempotency is None or item["request_hash"]["S"] != idempotency.request:
            raise IdempotencyKeyReused("This Idempotency-Key was used for another request.")
        try:
            return self.get(user_id, item["ulid"]["S"])
        except NotFound:
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
            The requested time, if it is in the past.

        Raises
        ------
        NotFound
            If there is no such timer.
        TransitionNotAllowed
            If it is not running.
        TransitionTooEarly
            If it has changed after ``at_ms``.
        TooManyTransitions
            If it can only be stopped.
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
            The requested time, if it is in the past. Where timers are exclusive, one that has begun to
            run since goes on, and this one is paused again from then on.

        Raises
        ------
        NotFound
            If there is no such timer.
        TransitionNotAllowed
            If it is not paused.
        TransitionTooEarly
            If it has changed after ``at_ms``.
        TooManyTransitions
            If it can only be stopped.
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
            The requested time, if it is in the past.

        Raises
        ------
        NotFound
            If there is no such timer.
        TransitionNotAllowed
            If it is stopped already.
        TransitionTooEarly
            If it has changed after ``at_ms``.
        """
        transition = Transition(now_ms if at_ms is None else at_ms, Action.STOP, by, cause)

        def attempt() -> Timer:
            timer = self.get(user_id, ulid)
            if _was_done(timer, transition):
                return timer
            timer.check_request(Action.STOP, at_ms)
            return self._close(timer.apply(transition), now_ms)

        return retry_on_conflict(attempt, "The timer could not be stopped: others kept changing it.")

    def expire(self, user_id: int, ulid: str, *, limit_ms: int, now_ms: int, by: str) -> Timer | None:
        """Stop a forgotten timer where its active time reached the limit.

        Returns
        -------
        Timer or None
            The stopped timer; None if it is not open any more.
        """

        def attempt() -> Timer | None:
            try:
                timer = self.get(user_id, ulid)
            except NotFound:
                return None
            if not timer.is_open:
                return None
            stopped = replace(timer.expire(limit_ms, now_ms, by), locked_until_ms=now_ms)
            return self._close(stopped, now_ms)

        return retry_on_conflict(attempt, "The timer could not be stopped: others kept changing it.")

    def _close(self, stopped: Timer, now_ms: int) -> Timer:
        """Write a timer that was open, free its slot and return it as it was written."""
        writes = [put_changed(stopped)]
        if stopped.issue is not None:
            writes.append(free_slot(stopped.issue, stopped.user_id, stopped.ulid, now_ms))
        self.write_all(writes)
        return replace(stopped, version=stopped.version + 1)

    def _transition(self, user_id: int, ulid: str, transition: Transition, *, exactly: bool) -> Timer:
        """Pause or resume a timer: ``exactly`` when requested, or at its last change if that is later."""

        def attempt() -> Timer:
            nonlocal transition
            write = pause_or_resume(user_id, ulid, transition)
            try:
                if not self._exclusive or transition.action is not Action.RESUME:
                    return to_timer(self._table.write(write))
                self.write_all([write, *self._pauses(self.get(user_id, ulid), transition.at_ms)])
                return self.get(user_id, ulid)
            except ConditionFailed as failed:
                timer = existing(failed.item)
            except TransactionRefused:
                timer = self.get(user_id, ulid)
            if _was_done(timer, transition):
                return timer
            timer.check_request(transition.action, transition.at_ms if exactly else None)
            # Another machine's clock may be ahead of ours: time does not go back.
            transition = replace(transition, at_ms=max(transition.at_ms, timer.changed_ms))
            raise Conflict

        message = f"The timer could not {transition.action}: others kept changing it."
        return retry_on_conflict(attempt, message)

    def _resume_alone(self, user_id: int, ulid: str, transition: Transition) -> Timer:
        """Resume a timer at a time in the past, beside those that have begun to run since."""

        def attempt() -> Timer:
            timer = self.get(user_id, ulid)
            if _was_done(timer, transition):
                return timer
            timer.check_request(Action.RESUME, transition.at_ms)
            alone, pauses = self.run_alone(timer.apply(transition), ())
            self.write_all([put_changed(alone), *pauses])
            return replace(alone, version=alone.version + 1)

        return retry_on_conflict(attempt, "The timer could not be resumed: others kept changing it.")

    def run_alone(self, timer: Timer, written: Collection[str]) -> tuple[Timer, list[Write]]:
        """Make a timer that runs since some time the person's only running one, if timers are exclusive.

        Timers that are ``written`` in the same transaction (their ULIDs) are not paused.

        Returns
        -------
        tuple[Timer, list[Write]]
            The timer, paused where another one has begun to run since, and the writes that pause
            those that ran before.
        """
        if not self._exclusive or timer.status is not Status.RUNNING:
            return timer, []
        at_ms = timer.changed_ms
        run_lock, others = self._run_lock_and_others(timer, written)
        later = [other for other in others if other.changed_ms > at_ms]
        if later:
            successor = min(later, key=lambda other: other.changed_ms)
            timer = timer.pause(successor.changed_ms, "exclusive", successor.ulid)
        earlier = [other for other in others if other.changed_ms <= at_ms]
        return timer, [run_lock, *self._pause_all(earlier, timer.ulid, at_ms)]

    def _pauses(self, timer: Timer, at_ms: int) -> list[Write]:
        """Return the writes that pause the person's other running timers."""
        run_lock, others = self._run_lock_and_others(timer)
        return [run_lock, *self._pause_all(others, timer.ulid, at_ms)]

    def _run_lock_and_others(self, timer: Timer, spared: Collection[str] = ()) -> tuple[Write, list[Timer]]:
        """Return the write of the run lock, and the person's other running timers but those spared.

        The run lock is read first, so that the write fails if another timer begins to run after that.
        """
        run_lock = take_run_lock(timer.user_id, self._table.get(user_pk(timer.user_id), RUN_LOCK_SK))
        running = self._table.query_all(
            user_pk(timer.user_id),
            index="open-by-user",
            filter_condition=TimerItem.status == Status.RUNNING.value,
        )
        return run_lock, [
            other for other in map(to_timer, running) if other.ulid not in {timer.ulid, *spared}
        ]

    def _pause_all(self, others: Sequence[Timer], ulid: str, at_ms: int) -> list[Write]:
        paused = [other.pause(at_ms, "exclusive", ulid) for other in others]
        for other in paused[_MOST_PAUSES:]:
            with suppress(ConditionFailed):
                self._table.write(put_changed(other))
        return [put_changed(other) for other in paused[:_MOST_PAUSES]]

    # ------------------------------------------------------------------ correcting

    def patch(self, user_id: int, ulid: str, patch: Patch, *, now_ms: int) -> Timer:
        """Correct a timer and return it.

        Raises
        ------
        NotFound
            If there is no such timer.
        TransitionNotAllowed
            If the start or end of an open timer is to be corrected.
        InvalidInput
            If the end would lie before the start, or the pauses not fit between them.
        OtherTimerOpen
            If an open timer is to move to an issue on which the person has another.
        """

        def attempt() -> Timer:
            nonlocal patch
            try:
                return to_timer(self._table.write(correct(user_id, ulid, patch)))
            except ConditionFailed as failed:
                timer = existing(failed.item)
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
            raise Conflict

        return retry_on_conflict(attempt, "The timer could not be corrected: others kept changing it.")

    def _move(self, timer: Timer, patch: Patch, now_ms: int) -> Timer:
        """Move an open timer to another issue, with its slot."""

        def attempt() -> Timer:
            nonlocal timer
            if not timer.is_open:
                return self.patch(timer.user_id, timer.ulid, patch, now_ms=now_ms)
            moved, writes = _moved(timer, patch, now_ms)
            try:
                self.write_all(writes)
            except TransactionRefused as refused:
                for item in refused.failed.values():
                    other = item.get("open_ulid") if item else None
                    if other and other["S"] != timer.ulid:
                        raise OtherTimerOpen(timer_id(timer.user_id, other["S"])) from None
                timer = self.get(timer.user_id, timer.ulid)
                raise
            return replace(moved, version=moved.version + 1)

        return retry_on_conflict(attempt, "The timer could not be moved: others kept changing it.")

    def delete(self, user_id: int, ulid: str, *, now_ms: int) -> None:
        """Delete a timer, open or not.

        Raises
        ------
        NotFound
            If there is no such timer.
        """
        pk, sk = user_pk(user_id), timer_sk(ulid)

        def attempt() -> None:
            item = self._table.get(pk, sk)
            if item and item.get("deleted_ms") == {"N": str(now_ms)}:
                # By this very request, whose response was lost.
                return
            timer = existing(item)
            locked_until_ms = now_ms if timer.is_open else locked_until(item or {})
            deleted = tombstone(pk, sk, now_ms, locked_until_ms)
            writes = [Write("Put", pk, sk, TimerItem.version == timer.version, item=deleted)]
            if timer.is_open and timer.issue is not None:
                writes.append(free_slot(timer.issue, user_id, ulid, now_ms))
            self.write_all(writes)

        retry_on_conflict(attempt, "The timer could not be deleted: others kept changing it.")

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


def _moved(timer: Timer, patch: Patch, now_ms: int) -> tuple[Timer, list[Write]]:
    """Return an open timer on the issue of a patch, and the writes that move it there with its slot."""
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
    if (timer.issue and timer.issue.key) != (issue and issue.key):
        if timer.issue is not None:
            writes.append(free_slot(timer.issue, timer.user_id, timer.ulid, now_ms, locks=True))
        if issue is not None:
            writes.append(take_slot(issue, timer.user_id, timer.ulid, locked_until_ms=now_ms))
    return moved, writes


def _titled(patch: Patch, timer: Timer) -> Patch:
    """Return a patch whose issue has the title that the timer knows, if it is of the same issue."""
    (issue,) = patch.issue or (None,)
    if issue is None:
        return patch
    title = timer.issue.title if timer.issue and timer.issue.key == issue.key else ""
    return replace(patch, issue=(replace(issue, title=title),))


def _was_done(timer: Timer, transition: Transition) -> bool:
    """Whether this very request has changed the timer before; clients repeat requests without a response."""
    return any(done.action is transition.action and done.cause == transition.cause for done in timer.history)
