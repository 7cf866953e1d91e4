"""Changes of timers by requests and by the sweeper.

A pause or a resume is one conditional update without a read. A start or a stop is a transaction, because it
also changes the person's slot on the issue.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace

from timer_core.domain.errors import (
    ErrorCode,
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
from timer_core.store.keys import RUN_LOCK_SK, end_keys_of_open, idempotency_sk, timer_sk, user_pk
from timer_core.store.queries import TimerQueries, existing
from timer_core.store.repositories import Repositories
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
    put_response,
    take_run_lock,
)

# The maximum number of timers that a transaction pauses. A transaction has at most 100 writes (AWS, "DynamoDB
# quotas"), and some of them write the started timer and its slot.
_MOST_PAUSES = 90


class TimerStore(TimerQueries):
    """Reads and changes the timers in the table.

    Parameters
    ----------
    table
        The table.
    exclusive
        Whether timers are exclusive: a start or a resume pauses the person's other running timers.
    """

    def __init__(self, table: Table, *, exclusive: bool = False) -> None:
        super().__init__(table)
        self._exclusive = exclusive
        self._repositories = Repositories(table)

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
        """Start a timer, or return the timer that is already open on the issue.

        Parameters
        ----------
        at_ms
            The requested time, if it is in the past. If timers are exclusive and another timer began to run
            later, the other timer keeps running, and the new timer is paused at that later time.

        Returns
        -------
        tuple[Timer, bool]
            The timer, and whether this request, or the first request with its key, created the timer.

        Raises
        ------
        IdempotencyKeyReused
            If the key was used for another request before.
        TooManyTransitions
            If the timer that is open on the issue has no room for another manual transition.
        TooMuchContention
            If other writers kept changing the same items; a retry is safe.
        """
        start_ms = now_ms if at_ms is None else at_ms

        def attempt() -> tuple[Timer, bool]:
            timer = Timer.start(
                user_id=user_id,
                ulid=new_ulid(start_ms),
                at_ms=start_ms,
                now_ms=now_ms,
                by="manual",
                issue=issue and self._repositories.identify(issue),
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
                return self._response_to_refused_start(timer, found, idempotency)
            return timer, True

        message = "The timer could not be started: others kept changing the same one."
        return retry_on_conflict(attempt, message)

    def _response_to_refused_start(
        self, timer: Timer, found: Sequence[RawItem], idempotency: Idempotency | None
    ) -> tuple[Timer, bool]:
        """Return the response to a start that was refused because the items in ``found`` exist.

        Raises
        ------
        Conflict
            If the start has to be attempted again.
        """
        for item in found:
            if item["sk"]["S"] == timer_sk(timer.ulid):
                # The id is unique, so an earlier attempt has written the timer, and the response of the
                # database was lost.
                return existing(item), True
            if "request_hash" in item:
                return self._repeated(timer.user_id, item, idempotency), item["created"]["BOOL"]
        for item in found:
            if "open_ulid" in item:
                return self._note_start(timer, item["open_ulid"]["S"], idempotency), False
        raise Conflict

    def _note_start(
        self, timer: Timer, open_ulid: str, idempotency: Idempotency | None, read: Timer | None = None
    ) -> Timer:
        """Note a start in the history of the timer that is open on the issue, and return this timer.

        If a late event stops the timer before the start, the start creates a timer.

        Parameters
        ----------
        read
            The open timer, if it was read and has room for the start.

        Raises
        ------
        Conflict
            If the timer is no longer open, or was changed after its read.
        TooManyTransitions
            If the timer has no room for another manual transition.
        """
        start = timer.history[0]
        note = note_start(timer.user_id, open_ulid, start, read)
        try:
            if idempotency is None:
                return to_timer(self._table.write(note))
            response = put_response(timer.user_id, open_ulid, timer.created_ms, idempotency, created=False)
            self._table.transact([note, response])
            return self.get(timer.user_id, open_ulid)
        except ConditionFailed as failed:
            item = failed.item
        except TransactionRefused as refused:
            # If another request used the key in the meantime, the next attempt returns the stored response.
            item = None if 1 in refused.failed else refused.failed.get(0)
        except NotFound:
            item = None
        if item is None or "open_shard" not in item:
            raise Conflict
        already_open = to_timer(item)
        if _was_done(already_open, start):
            # An earlier attempt has noted the start, and the response of the database was lost.
            return already_open
        if read is not None:
            raise Conflict
        already_open.check_room(Action.START)
        return self._note_start(timer, open_ulid, idempotency, already_open)

    def stored_response(
        self, user_id: int, idempotency: Idempotency, *, now_ms: int
    ) -> tuple[Timer, bool] | None:
        """Return the response to an earlier start with the same key, in the form of `start`.

        Return None if there was no such start.

        Raises
        ------
        IdempotencyKeyReused
            If the key was used for another request before.
        """
        item = self._table.get(user_pk(user_id), idempotency_sk(idempotency.key))
        if item is None or int(item["expires_at"]["N"]) <= now_ms // 1000:
            return None
        return self._repeated(user_id, item, idempotency), item["created"]["BOOL"]

    def store_response(self, timer: Timer, idempotency: Idempotency, *, now_ms: int) -> tuple[Timer, bool]:
        """Store an open timer as the response to a start with a key, and to its repetitions.

        Returns
        -------
        tuple[Timer, bool]
            The response to the first start with the key, in the form of `start`.

        Raises
        ------
        IdempotencyKeyReused
            If the key was used for another request before.
        """
        write = put_response(timer.user_id, timer.ulid, now_ms, idempotency, created=False)
        try:
            self._table.write(write)
        except ConditionFailed as failed:
            item = failed.item or {}
            return self._repeated(timer.user_id, item, idempotency), item["created"]["BOOL"]
        return timer, False

    def add(self, timer: Timer, idempotency: Idempotency | None = None) -> Timer:
        """Write a finished timer and return it.

        If an earlier request with the same key created a timer, return the earlier timer.

        Raises
        ------
        IdempotencyKeyReused
            If the key was used for another request before.
        """
        if timer.issue is not None:
            timer = replace(timer, issue=self._repositories.identify(timer.issue))
        try:
            self.write_all(self._creation(timer, idempotency))
        except TransactionRefused as refused:
            by_key = next((item for item in refused.failed.values() if item and "request_hash" in item), None)
            if by_key is None:
                # The id is unique, so an earlier attempt has written the timer.
                return self.get(timer.user_id, timer.ulid)
            return self._repeated(timer.user_id, by_key, idempotency)
        return timer

    def _creation(self, timer: Timer, idempotency: Idempotency | None) -> list[Write]:
        writes = [put_new(timer)]
        if timer.is_open and timer.issue is not None:
            writes += take_slot(timer.issue, timer.user_id, timer.ulid)
        if idempotency is not None:
            writes.append(
                put_response(timer.user_id, timer.ulid, timer.created_ms, idempotency, created=True)
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

        If the request repeats an earlier request (same ``cause``), return the timer without a change.

        Parameters
        ----------
        at_ms
            The requested time, if it is in the past.

        Raises
        ------
        NotFound
            If there is no such timer.
        TransitionNotAllowed
            If the timer is not running.
        TransitionTooEarly
            If the timer has changed after ``at_ms``.
        TooManyTransitions
            If the timer has reached the limit of manual transitions.
        """
        transition = Transition(now_ms if at_ms is None else at_ms, Action.PAUSE, by, cause)
        return self._transition(user_id, ulid, transition, exactly=at_ms is not None)

    def resume(
        self, user_id: int, ulid: str, *, now_ms: int, by: str, cause: str, at_ms: int | None = None
    ) -> Timer:
        """Resume a paused timer and return it.

        If the request repeats an earlier request (same ``cause``), return the timer without a change.

        Parameters
        ----------
        at_ms
            The requested time, if it is in the past. If timers are exclusive and another timer began to run
            later, the other timer keeps running, and this timer is paused at that later time.

        Raises
        ------
        NotFound
            If there is no such timer.
        TransitionNotAllowed
            If the timer is not paused.
        TransitionTooEarly
            If the timer has changed after ``at_ms``.
        TooManyTransitions
            If the timer has reached the limit of manual transitions.
        """
        transition = Transition(now_ms if at_ms is None else at_ms, Action.RESUME, by, cause)
        if self._exclusive and at_ms is not None:
            return self._resume_alone(user_id, ulid, transition)
        return self._transition(user_id, ulid, transition, exactly=at_ms is not None)

    def stop(
        self, user_id: int, ulid: str, *, now_ms: int, by: str, cause: str, at_ms: int | None = None
    ) -> Timer:
        """Stop an open timer and return it.

        If the request repeats an earlier request (same ``cause``), return the timer without a change.

        Parameters
        ----------
        at_ms
            The requested time, if it is in the past.

        Raises
        ------
        NotFound
            If there is no such timer.
        TransitionNotAllowed
            If the timer was already stopped.
        TransitionTooEarly
            If the timer has changed after ``at_ms``.
        """
        transition = Transition(now_ms if at_ms is None else at_ms, Action.STOP, by, cause)

        def attempt() -> Timer:
            timer = self.get(user_id, ulid)
            if _was_done(timer, transition):
                return timer
            timer.check_request(Action.STOP, at_ms)
            return self._close(timer.apply(transition), now_ms)

        return retry_on_conflict(attempt, "The timer could not be stopped: others kept changing it.")

    def expire(self, user_id: int, ulid: str, *, end_ms: int, sign_ms: int, now_ms: int) -> Timer | None:
        """Stop a forgotten timer at a time in the past.

        Parameters
        ----------
        end_ms
            The end of the timer.
        sign_ms
            The last known sign of life up to the end.

        Returns
        -------
        Timer or None
            The stopped timer; None if the timer is no longer open, or has another sign of life up to the end.
        """

        def attempt() -> Timer | None:
            try:
                timer = self.get(user_id, ulid)
            except NotFound:
                return None
            if not timer.is_open or timer.last_sign_until(end_ms) > sign_ms:
                return None
            return self._close(timer.expire(end_ms, sign_ms), now_ms)

        return retry_on_conflict(attempt, "The timer could not be stopped: others kept changing it.")

    def _close(self, stopped: Timer, now_ms: int) -> Timer:
        """Write a stopped timer, free its slot, and return the timer with its new version."""
        writes = [put_changed(stopped)]
        if stopped.issue is not None:
            writes.append(free_slot(stopped.issue, stopped.user_id, stopped.ulid, now_ms))
        self.write_all(writes)
        return replace(stopped, version=stopped.version + 1)

    def _transition(self, user_id: int, ulid: str, transition: Transition, *, exactly: bool) -> Timer:
        """Pause or resume a timer.

        If the timer has changed after the time of the transition, the transition is refused if ``exactly`` is
        set. Otherwise, the transition takes effect at the time of that change.
        """
        read: Timer | None = None

        def attempt() -> Timer:
            nonlocal transition, read
            write = pause_or_resume(user_id, ulid, transition, read)
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
            read = timer
            # Another machine's clock may be ahead of ours, but a transition must not be earlier than the
            # timer's last change.
            transition = replace(transition, at_ms=max(transition.at_ms, timer.changed_ms))
            raise Conflict

        message = f"The timer could not {transition.action}: others kept changing it."
        return retry_on_conflict(attempt, message)

    def _resume_alone(self, user_id: int, ulid: str, transition: Transition) -> Timer:
        """Resume a timer at a time in the past. Other timers may have begun to run after that time."""

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
        """Make a running timer the person's only running timer, if timers are exclusive.

        Parameters
        ----------
        written
            The ULIDs of timers that the same transaction writes. These timers are not paused.

        Returns
        -------
        tuple[Timer, list[Write]]
            The timer and the writes that pause the timers that began to run earlier. If another timer began
            to run later, the returned timer is paused.
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
        """Return the write of the run lock, and the person's other running timers, except ``spared`` ones.

        The run lock is read before the timers. If another timer begins to run after this read, the write of
        the run lock fails.
        """
        run_lock = take_run_lock(timer.user_id, self._table.get(user_pk(timer.user_id), RUN_LOCK_SK))
        running = self._table.query_all(
            user_pk(timer.user_id),
            TimerItem.end_key.between(*end_keys_of_open()),
            index="by-end",
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
            If the patch corrects the start or end of an open timer.
        InvalidInput
            If the new end is before the new start, or the pauses do not fit between start and end.
        OtherTimerOpen
            If the patch moves an open timer to an issue on which the person has another open timer.
        """
        read: Timer | None = None

        def attempt() -> Timer:
            nonlocal patch, read
            patch = self._identified(patch)
            try:
                return to_timer(self._table.write(correct(user_id, ulid, patch, read)))
            except ConditionFailed as failed:
                timer = existing(failed.item)
            if timer.is_open:
                if patch.corrects_time:
                    raise TransitionNotAllowed("correct the times of", timer.status)
                return self._move(timer, patch, now_ms)
            if patch.corrects_time:
                _check_times(patch, timer, now_ms)
            patch, read = _titled(patch, timer), timer
            raise Conflict

        return retry_on_conflict(attempt, "The timer could not be corrected: others kept changing it.")

    def _move(self, timer: Timer, patch: Patch, now_ms: int) -> Timer:
        """Move an open timer and its slot to another issue."""

        def attempt() -> Timer:
            nonlocal timer
            if not timer.is_open:
                return self.patch(timer.user_id, timer.ulid, patch, now_ms=now_ms)
            moved, writes = _moved(timer, self._identified(patch), now_ms)
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

    def _identified(self, patch: Patch) -> Patch:
        """Return a patch with the id of its issue's repository, if the id is known."""
        (issue,) = patch.issue or (None,)
        return patch if issue is None else replace(patch, issue=(self._repositories.identify(issue),))

    def delete(self, user_id: int, ulid: str, *, now_ms: int) -> None:
        """Delete an open or a stopped timer.

        Raises
        ------
        NotFound
            If there is no such timer.
        """
        pk, sk = user_pk(user_id), timer_sk(ulid)

        def attempt() -> None:
            item = self._table.get(pk, sk)
            if item and item.get("deleted_ms") == {"N": str(now_ms)}:
                # An earlier attempt has deleted the timer, and the response of the database was lost.
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
        """Execute all writes or none. Several writes are executed as one transaction.

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


def _check_times(patch: Patch, timer: Timer, now_ms: int) -> None:
    """Check that a stopped timer can have the start and the end of a patch.

    Raises
    ------
    InvalidInput
        If the new end is before the new start, or the pauses do not fit between start and end.
    """
    start_ms, end_ms = patch.span_of(timer)
    check_span(start_ms, end_ms, now_ms)
    if timer.paused_ms > end_ms - start_ms:
        field = "end_time" if patch.end_ms is not None else "start_time"
        pauses = f"{timer.paused_ms / 1000:.3f} seconds"
        raise InvalidInput(
            field, f"The pauses of {pauses} do not fit between start and end.", ErrorCode.PAUSES_DO_NOT_FIT
        )


def _moved(timer: Timer, patch: Patch, now_ms: int) -> tuple[Timer, list[Write]]:
    """Apply a patch to an open timer, and return the patched timer and the writes.

    If the patch changes the issue, the writes also move the timer's slot.
    """
    patch = _titled(patch, timer)
    assert patch.issue is not None, "an open timer refuses no other patch"  # noqa: S101
    (issue,) = patch.issue
    moved = replace(
        timer,
        issue=issue,
        organization=patch.new_organization or timer.organization,
        description=timer.description if patch.description is None else patch.description,
    )
    writes = [put_changed(moved)]
    if (timer.issue and timer.issue.key) != (issue and issue.key):
        if timer.issue is not None:
            writes.append(free_slot(timer.issue, timer.user_id, timer.ulid, now_ms, locks=True))
        if issue is not None:
            writes += take_slot(issue, timer.user_id, timer.ulid, locked_until_ms=now_ms)
    return moved, writes


def _titled(patch: Patch, timer: Timer) -> Patch:
    """Return a patch with the known title of its issue.

    The title is known only if the timer is already on the issue. Otherwise the title is empty.
    """
    (issue,) = patch.issue or (None,)
    if issue is None:
        return patch
    title = timer.issue.title if timer.issue and timer.issue.key == issue.key else ""
    return replace(patch, issue=(replace(issue, title=title),))


def _was_done(timer: Timer, transition: Transition) -> bool:
    """Whether an earlier copy of the same request has changed the timer.

    Clients repeat a request if they receive no response.
    """
    return any(done.action is transition.action and done.cause == transition.cause for done in timer.history)
