"""Changes of timers by requests and by the sweeper.

A pause, a resume or a focus is one conditional update without a read. A start or a stop is a transaction,
because it also changes the person's slot on the issue. A correction reads the timer, and writes it on the
condition that it has not changed.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from timer_core.domain.changes import touched_spans
from timer_core.domain.confirmed import OVER_AFTER_MS, first_confirmed
from timer_core.domain.corrections import Correction, Halves, divided, time_of, with_times
from timer_core.domain.errors import DayConfirmed, IdempotencyKeyReused, NotFound, OtherTimerOpen
from timer_core.domain.ids import new_ulid, timer_id
from timer_core.domain.issues import Issue
from timer_core.domain.own_calendar import OwnCalendar
from timer_core.domain.schedule import Schedule, Span
from timer_core.domain.state import MANUAL, Action, Transition
from timer_core.domain.timeline import lasting
from timer_core.domain.timers import LATEST_MS, Timer, end_of_date
from timer_core.store.calendars import Calendars, guarded
from timer_core.store.confirmed_days import ConfirmedDays
from timer_core.store.items import TimerItem, locked_until, to_timer, tombstone
from timer_core.store.keys import idempotency_sk, name_of, slot_key, timer_sk, user_pk
from timer_core.store.queries import TimerQueries, existing
from timer_core.store.repositories import Repositories
from timer_core.store.slots import free_slot, lock_slot, pass_slot, take_slot
from timer_core.store.stored_days import outdated
from timer_core.store.table import (
    ConditionFailed,
    Conflict,
    RawItem,
    Table,
    TransactionRefused,
    Write,
    retry,
    retry_on_conflict,
)
from timer_core.store.writes import (
    Idempotency,
    Patch,
    note_start,
    put_changed,
    put_new,
    put_response,
    transit,
)

_KEY_REUSED = "This Idempotency-Key was used for another request."

# Returns the time that counts for a timer and for no other one, in order.
Counted = Callable[[Timer], Sequence[Span]]


@dataclass(frozen=True, slots=True)
class TimerChange:
    """The writes of a change of a person's timers.

    Attributes
    ----------
    reaches_ms
        The earliest instant whose working time may change; `LATEST_MS` if none does.
    touched
        For a change by hand, the time that it changes; a confirmed day refuses it. Changes by events
        and the sweeper are never refused, so they state none.
    """

    user_id: int
    writes: Sequence[Write]
    reaches_ms: int
    now_ms: int
    touched: Sequence[Span] = ()


class TimerStore(TimerQueries):
    """Reads and changes the timers in the table.

    Parameters
    ----------
    table
        The table.
    calendars
        The calendars in the same table.
    """

    def __init__(self, table: Table, calendars: Calendars | None = None) -> None:
        super().__init__(table)
        self._repositories = Repositories(table)
        self._calendars = calendars or Calendars(table)
        self._confirmed = ConfirmedDays(table)

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
            The requested time, if it is in the past.

        Returns
        -------
        tuple[Timer, bool]
            The timer, and whether this request, or the first request with its key, created the timer.

        Raises
        ------
        DayConfirmed
            If the time since ``at_ms`` contains a confirmed day.
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
                by=MANUAL,
                issue=issue and self._repositories.identify(issue),
                organization=organization,
                description=description,
            )
            creation = self._creation(timer, idempotency)
            try:
                self.write_all(TimerChange(user_id, creation, start_ms, now_ms, [Span(start_ms, now_ms)]))
            except DayConfirmed:
                # The day may have been confirmed since the first request with the same key.
                response = idempotency and self.stored_response(user_id, idempotency, now_ms=now_ms)
                if not response:
                    raise
                return response
            except TransactionRefused as refused:
                found = [item for item in refused.failed.values() if item]
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
        now_ms = timer.created_ms
        note = note_start(timer.user_id, open_ulid, start, read)
        change = TimerChange(timer.user_id, [note], start.at_ms, now_ms, [Span(start.at_ms, now_ms)])
        try:
            if idempotency is None:
                return self._update(change)
            response = put_response(timer.user_id, open_ulid, now_ms, idempotency, created=False)
            self.write_all(replace(change, writes=[note, response]))
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
        DayConfirmed
            If the change concerns a confirmed day.
        IdempotencyKeyReused
            If the key was used for another request before.
        """
        if timer.issue is not None:
            timer = replace(timer, issue=self._repositories.identify(timer.issue))
        touched = touched_spans(None, timer, timer.created_ms)
        try:
            creation = self._creation(timer, idempotency)
            self.write_all(TimerChange(timer.user_id, creation, timer.start_ms, timer.created_ms, touched))
        except DayConfirmed:
            # The day may have been confirmed since an earlier attempt has written the timer.
            earlier = self._added(timer, idempotency)
            if earlier is None:
                raise
            return earlier
        except TransactionRefused as refused:
            by_key = next((item for item in refused.failed.values() if item and "request_hash" in item), None)
            if by_key is None:
                # The id is unique, so an earlier attempt has written the timer.
                return self.get(timer.user_id, timer.ulid)
            return self._repeated(timer.user_id, by_key, idempotency)
        return timer

    def _added(self, timer: Timer, idempotency: Idempotency | None) -> Timer | None:
        """Return the timer that an earlier attempt or request has added; None if there is none."""
        if idempotency is not None:
            response = self.stored_response(timer.user_id, idempotency, now_ms=timer.created_ms)
            return response and response[0]
        with contextlib.suppress(NotFound):
            return self.get(timer.user_id, timer.ulid)
        return None

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
            raise IdempotencyKeyReused(_KEY_REUSED)
        return self._still_existing(user_id, item["ulid"]["S"])

    def _still_existing(self, user_id: int, ulid: str) -> Timer:
        """Return a timer of a stored response.

        Raises
        ------
        IdempotencyKeyReused
            If it was deleted since. The request took effect, so "not found" would be the wrong answer.
        """
        try:
            return self.get(user_id, ulid)
        except NotFound:
            message = "This request took effect, but its timer was deleted since."
            raise IdempotencyKeyReused(message) from None

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
        DayConfirmed
            If the change concerns a confirmed day.
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
        return self._transition(user_id, ulid, transition, now_ms, exactly=at_ms is not None)

    def resume(
        self, user_id: int, ulid: str, *, now_ms: int, by: str, cause: str, at_ms: int | None = None
    ) -> Timer:
        """Resume a paused timer and return it.

        If the request repeats an earlier request (same ``cause``), return the timer without a change.

        Parameters
        ----------
        at_ms
            The requested time, if it is in the past.

        Raises
        ------
        DayConfirmed
            If the change concerns a confirmed day.
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
        return self._transition(user_id, ulid, transition, now_ms, exactly=at_ms is not None)

    def focus(
        self,
        user_id: int,
        ulid: str,
        *,
        now_ms: int,
        cause: str,
        at_ms: int | None = None,
        overtime: bool = False,
    ) -> Timer:
        """Note that the owner works on a running timer, and return the timer.

        Only which of the owner's timers counts may change (`timer_core.domain.timeline`). If the request
        repeats an earlier request (same ``cause``), return the timer without a change.

        Parameters
        ----------
        at_ms
            The requested time, if it is in the past.
        overtime
            Whether the time after the present working hours is to count too.

        Raises
        ------
        DayConfirmed
            If the change concerns a confirmed day.
        NotFound
            If there is no such timer.
        TransitionNotAllowed
            If the timer is not running.
        TransitionTooEarly
            If the timer has changed after ``at_ms``.
        TooManyTransitions
            If the timer has reached the limit of manual transitions.
        """
        time_ms = now_ms if at_ms is None else at_ms
        transition = Transition(time_ms, Action.FOCUS, MANUAL, cause, overtime=overtime)
        return self._transition(user_id, ulid, transition, now_ms, exactly=at_ms is not None)

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
        DayConfirmed
            If the change concerns a confirmed day.
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
            stopped = timer.apply(transition)
            writes, stopped_ms = _closing(stopped, now_ms), stopped.changed_ms
            self.write_all(TimerChange(user_id, writes, stopped_ms, now_ms, [Span(stopped_ms, now_ms)]))
            return replace(stopped, version=stopped.version + 1)

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
            if not timer.is_open or timer.last_sign_until(end_of_date(end_ms)) > sign_ms:
                return None
            stopped = timer.expire(end_ms, sign_ms)
            self.write_all(TimerChange(user_id, _closing(stopped, now_ms), end_ms, now_ms))
            return replace(stopped, version=stopped.version + 1)

        return retry_on_conflict(attempt, "The timer could not be stopped: others kept changing it.")

    def unexpire(self, timer: Timer, *, now_ms: int) -> None:
        """Undo the sweeper's stop of a timer without an issue, if it has not changed since its read."""
        try:
            self._put(timer, timer.unexpired(), [], timer.end_ms or now_ms, now_ms, [])
        except TransactionRefused:
            return

    def _transition(
        self, user_id: int, ulid: str, transition: Transition, now_ms: int, *, exactly: bool
    ) -> Timer:
        """Pause, resume or focus a timer.

        If the timer has changed after the time of the transition, the transition is refused if ``exactly`` is
        set. Otherwise, the transition takes effect at the time of that change.
        """
        read: Timer | None = None

        def attempt() -> Timer:
            nonlocal transition, read
            write, at_ms = transit(user_id, ulid, transition, read), transition.at_ms
            try:
                return self._update(TimerChange(user_id, [write], at_ms, now_ms, [Span(at_ms, now_ms)]))
            except DayConfirmed:
                timer = self.get(user_id, ulid)
                if not _was_done(timer, transition):
                    raise
            except ConditionFailed as failed:
                timer = existing(failed.item)
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

    # ------------------------------------------------------------------ correcting

    def patch(
        self, user_id: int, ulid: str, patch: Patch, *, now_ms: int, counted: Counted | None = None
    ) -> Timer:
        """Correct a timer and return it.

        Parameters
        ----------
        counted
            The time that becomes a gap if the correction removes it; by default, all time of the timer.

        Raises
        ------
        DayConfirmed
            If the change concerns a confirmed day.
        NotFound
            If there is no such timer.
        TransitionNotAllowed
            If the patch corrects the end of an open timer.
        InvalidInput
            If the new end is before the new start, or the pauses do not fit between start and end.
        OtherTimerOpen
            If the patch moves an open timer to an issue on which the person has another open timer.
        """

        def attempt() -> Timer:
            timer = self.get(user_id, ulid)
            identified = self._identified(patch)
            correction = Correction(timer, LATEST_MS, 0)
            if patch.corrects_time:
                correction = with_times(timer, patch.start_ms, patch.end_ms, now_ms)
                correction = correction.taking_only(counted(timer), timer) if counted else correction
            patched = identified.texts_of(correction.timer)
            if patch.issue is not None and timer.end_ms is not None and timer.locked_until_ms is None:
                patched = replace(patched, locked_until_ms=patched.end_ms)
            if timer.is_open and _key(timer.issue) != _key(patched.issue):
                slots = _moved_slot(timer, patched, now_ms)
            else:
                slots = self._lock(timer, correction)
            touched = touched_spans(timer, patched, now_ms)
            if _key(timer.issue) != _key(patched.issue):
                touched += self._confirmed_time(timer)
            try:
                return self._put(timer, patched, slots, correction.reaches_ms, now_ms, touched)
            except TransactionRefused as refused:
                for item in [] if 0 in refused.failed else refused.failed.values():
                    other = item.get("open_ulid") if item else None
                    if other and other["S"] != timer.ulid:
                        raise OtherTimerOpen(timer_id(user_id, other["S"])) from None
                raise

        return retry_on_conflict(attempt, "The timer could not be corrected: others kept changing it.")

    def correct(
        self,
        user_id: int,
        ulid: str,
        correct: Callable[[Timer], Correction],
        *,
        now_ms: int,
        idempotency: Idempotency | None = None,
        counted: Counted | None = None,
    ) -> Timer:
        """Correct the pauses of a timer and return the timer.

        If an earlier request with the same key corrected the timer, return the timer without a change.

        Parameters
        ----------
        correct
            The correction, one of `timer_core.domain.corrections`.
        counted
            The time that becomes a gap if the correction removes it; by default, all time of the timer.

        Raises
        ------
        DayConfirmed
            If the change concerns a confirmed day.
        NotFound
            If there is no such timer or pause.
        InvalidInput, TooManyTransitions
            If the correction does not fit the timer.
        IdempotencyKeyReused
            If the key was used for another request before.
        """

        def attempt() -> Timer:
            if response := idempotency and self.stored_response(user_id, idempotency, now_ms=now_ms):
                return response[0]
            timer = self.get(user_id, ulid)
            correction = correct(timer)
            correction = correction.taking_only(counted(timer), timer) if counted else correction
            writes = self._lock(timer, correction)
            if idempotency is not None:
                writes.append(put_response(user_id, ulid, now_ms, idempotency, created=False))
            touched = touched_spans(timer, correction.timer, now_ms)
            try:
                return self._put(timer, correction.timer, writes, correction.reaches_ms, now_ms, touched)
            except TransactionRefused as refused:
                item = refused.failed.get(0)
                written = replace(correction.timer, version=timer.version + 1)
                if writes or item is None or "deleted_ms" in item or to_timer(item) != written:
                    raise
                # An earlier attempt has written the timer, and the response of the database was lost.
                return written

        return retry_on_conflict(attempt, "The timer could not be corrected: others kept changing it.")

    def split(
        self,
        user_id: int,
        ulid: str,
        at_ms: int,
        *,
        now_ms: int,
        idempotency: Idempotency | None = None,
    ) -> Halves:
        """Divide a timer at an instant, see `timer_core.domain.corrections.divided`.

        If an earlier request with the same key divided the timer, return the two timers.

        Raises
        ------
        DayConfirmed
            If the change concerns a confirmed day.
        NotFound
            If there is no such timer.
        InvalidInput
            If the instant does not lie inside the timer.
        IdempotencyKeyReused
            If the key was used for another request before.
        """
        second_ulid = new_ulid(at_ms)

        def attempt() -> Halves:
            if response := idempotency and self.stored_response(user_id, idempotency, now_ms=now_ms):
                return Halves(self._still_existing(user_id, ulid), response[0])
            timer = self.get(user_id, ulid)
            first, second = divided(timer, at_ms, ulid=second_ulid, now_ms=now_ms)
            writes = [put_new(second)]
            if timer.is_open and timer.issue is not None:
                writes.append(pass_slot(timer.issue, user_id, ulid, second_ulid))
            if idempotency is not None:
                writes.append(put_response(user_id, second_ulid, now_ms, idempotency, created=True))
            # The confirmed time belongs to the first timer.
            confirmed = [span for span in self._confirmed_time(timer) if span.until_ms > at_ms]
            touched = [Span(at_ms, at_ms + 1), *confirmed]
            return Halves(self._put(timer, first, writes, at_ms, now_ms, touched), second)

        return retry_on_conflict(attempt, "The timer could not be divided: others kept changing it.")

    def _put(
        self,
        read: Timer,
        corrected: Timer,
        others: Sequence[Write],
        reaches_ms: int,
        now_ms: int,
        touched: Sequence[Span],
    ) -> Timer:
        """Write a corrected timer and return it with its new version.

        Raises
        ------
        TransactionRefused
            If the timer has changed after its read, or another condition did not hold.
        """
        writes = [put_changed(corrected), *others]
        self.write_all(TimerChange(read.user_id, writes, reaches_ms, now_ms, touched))
        return replace(corrected, version=read.version + 1)

    def _confirmed_time(self, timer: Timer) -> list[Span]:
        """Return the time of a timer on confirmed days."""
        return [Span(piece.since_ms, piece.until_ms) for piece in self._confirmed.slices_of(timer)]

    def _lock(self, timer: Timer, correction: Correction) -> list[Write]:
        """Return the writes that keep events from undoing the correction of an open timer."""
        if not timer.is_open or timer.issue is None or correction.reaches_ms == LATEST_MS:
            return []
        read = self._table.get(*slot_key(timer.issue, timer.user_id))
        return lock_slot(timer.issue, timer.user_id, timer.ulid, correction.locked_until_ms, read)

    def _identified(self, patch: Patch) -> Patch:
        """Return a patch with the id of its issue's repository, if the id is known."""
        (issue,) = patch.issue or (None,)
        return patch if issue is None else replace(patch, issue=(self._repositories.identify(issue),))

    def delete(
        self,
        user_id: int,
        ulid: str,
        *,
        now_ms: int,
        counted: Counted | None = None,
    ) -> None:
        """Delete an open or a stopped timer. Its time becomes a gap, which no other timer gets.

        Breaks that its pauses began, or its owner's acts ended, stay.

        Parameters
        ----------
        counted
            The time that becomes a gap; by default, all time of the timer.

        Raises
        ------
        DayConfirmed
            If the change concerns a confirmed day.
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
            spans = time_of(timer, now_ms) if counted is None else counted(timer)
            gaps = (Span(*claim[:2]) for claim in timer.claims if not claim.counts)
            deleted = tombstone(
                pk, sk, now_ms, locked_until_ms, sorted([*spans, *gaps]), lasting(timer, spans)
            )
            writes = [Write("Put", pk, sk, TimerItem.version == timer.version, item=deleted)]
            if timer.is_open and timer.issue is not None:
                writes.append(free_slot(timer.issue, user_id, ulid, now_ms))
            touched = self._confirmed_time(timer)
            self.write_all(TimerChange(user_id, writes, timer.reach.since_ms, now_ms, touched))

        retry_on_conflict(attempt, "The timer could not be deleted: others kept changing it.")

    # ------------------------------------------------------------------ writing

    def write_all(self, change: TimerChange) -> None:
        """Execute all writes of a change or none. Several writes are executed as one transaction.

        If the change reaches into stored days, it also marks them as outdated.

        Raises
        ------
        DayConfirmed
            If a change by hand concerns a confirmed day.
        TransactionRefused
            If a condition did not hold.
        """
        self._execute(change)

    def _update(self, change: TimerChange) -> Timer:
        """Execute a change that is the update of one timer, and return the timer.

        Raises
        ------
        DayConfirmed
            If a change by hand concerns a confirmed day.
        ConditionFailed
            If the condition did not hold.
        """
        (update,) = change.writes
        try:
            item = self._execute(change)
        except TransactionRefused as refused:
            raise ConditionFailed(refused.failed.get(0)) from None
        return self.get(change.user_id, name_of(update.sk)) if item is None else to_timer(item)

    def _execute(self, change: TimerChange) -> RawItem | None:
        """Execute a change as `write_all`; return the result of a single write, see `Table.write`."""

        def attempt() -> RawItem | None:
            marks = self._marks(change)
            writes = [*change.writes, *marks]
            try:
                if len(writes) == 1:
                    return self._table.write(writes[0])
                self._table.transact(writes)
            except ConditionFailed as failed:
                raise TransactionRefused({0: failed.item}) from None
            except TransactionRefused as refused:
                others = {i: item for i, item in refused.failed.items() if i < len(change.writes)}
                if others:
                    raise TransactionRefused(others) from None
                raise _DaysConfirmed from None
            return None

        return retry(attempt, _DaysConfirmed, "Other requests kept confirming days; nothing was changed.")

    def confirmed_day(self, user_id: int, spans: Sequence[Span], *, now_ms: int) -> date | None:
        """Return the first confirmed date of a person that a span overlaps; None if there is none."""
        if min(span.since_ms for span in spans) >= now_ms - OVER_AFTER_MS:
            return None
        own = self._calendars.own(user_id)
        return first_confirmed(own.confirmed, spans, self._schedule(own))

    def _schedule(self, own: OwnCalendar) -> Schedule:
        return own.calendar(self._calendars.organization()).schedule

    def _marks(self, change: TimerChange) -> list[Write]:
        """Return the writes that mark stored days as outdated, or prevent a concurrent confirmation.

        Raises
        ------
        DayConfirmed
            If a change by hand concerns a confirmed day.
        """
        marks = outdated(change.user_id, change.reaches_ms, now_ms=change.now_ms)
        touched_ms = min((span.since_ms for span in change.touched), default=LATEST_MS)
        over_ms = change.now_ms - OVER_AFTER_MS
        if touched_ms >= over_ms:
            return marks
        own = self._calendars.own(change.user_id)
        schedule = self._schedule(own)
        day = first_confirmed(own.confirmed, change.touched, schedule)
        if day is not None:
            raise DayConfirmed(day)
        if touched_ms >= schedule.starts_at(schedule.day_of(over_ms)):
            return marks
        return [guarded(change.user_id, own, change.reaches_ms if marks else None)]


class _DaysConfirmed(Exception):
    """A day was confirmed or reopened since the calendar was read."""


def _closing(stopped: Timer, now_ms: int) -> list[Write]:
    """Return the writes of a timer that has just been stopped, and of its slot."""
    writes = [put_changed(stopped)]
    if stopped.issue is not None:
        writes.append(free_slot(stopped.issue, stopped.user_id, stopped.ulid, now_ms))
    return writes


def _moved_slot(timer: Timer, moved: Timer, now_ms: int) -> list[Write]:
    """Return the writes that move the slot of an open timer to another issue."""
    writes: list[Write] = []
    if timer.issue is not None:
        writes.append(free_slot(timer.issue, timer.user_id, timer.ulid, now_ms, locks=True))
    if moved.issue is not None:
        writes += take_slot(moved.issue, timer.user_id, timer.ulid, locked_until_ms=now_ms)
    return writes


def _key(issue: Issue | None) -> str | None:
    return None if issue is None else issue.key


def _was_done(timer: Timer, transition: Transition) -> bool:
    """Whether an earlier copy of the same request has changed the timer.

    Clients repeat a request if they receive no response.

    Raises
    ------
    IdempotencyKeyReused
        If another request with the same key has changed the timer.
    """
    for done in timer.history:
        if done.action is transition.action and done.cause == transition.cause:
            return True
        if transition.key and done.key == transition.key:
            raise IdempotencyKeyReused(_KEY_REUSED)
    return False
