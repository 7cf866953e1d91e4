"""Starts, transitions and ends of timers, by requests and by the sweeper.

A pause, a resume or a focus is one conditional update without a read. A start or a stop is a transaction,
because it also changes the person's slot on the issue.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import replace

from timer_core.domain.audit import BY_SWEEPER, AuditEntry, AuditKind
from timer_core.domain.changes import touched_spans
from timer_core.domain.errors import DayConfirmed, IdempotencyKeyReused, NotFound
from timer_core.domain.ids import new_ulid
from timer_core.domain.issues import Issue
from timer_core.domain.schedule import Span
from timer_core.domain.state import MANUAL, Action, Transition
from timer_core.domain.timers import Timer, end_of_date
from timer_core.store.audit import put_entry
from timer_core.store.changes import NOT_BY_HAND, TimerChange
from timer_core.store.corrections import TimerCorrections
from timer_core.store.idempotency import KEY_REUSED
from timer_core.store.items import to_timer
from timer_core.store.keys import name_of, timer_sk
from timer_core.store.queries import existing
from timer_core.store.slots import free_slot, take_slot
from timer_core.store.table import (
    ConditionFailed,
    Conflict,
    RawItem,
    TransactionRefused,
    Write,
    retry_on_conflict,
)
from timer_core.store.writes import (
    Idempotency,
    note_start,
    put_changed,
    put_correction,
    put_new,
    put_response,
    transit,
)


class TimerStore(TimerCorrections):
    """Reads and changes the timers in the table.

    Parameters
    ----------
    table
        The table.
    calendars
        The calendars in the same table.
    """

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
                self.changes.execute(
                    TimerChange(user_id, creation, start_ms, now_ms, [Span(start_ms, now_ms)])
                )
            except DayConfirmed:
                # The day may have been confirmed since the first request with the same key.
                response = idempotency and self.responses.stored(user_id, idempotency, now_ms=now_ms)
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
                return self.responses.repeated(timer.user_id, item, idempotency), item["created"]["BOOL"]
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
            response = put_response(replace(timer, ulid=open_ulid), now_ms, idempotency, created=False)
            self.changes.execute(replace(change, writes=[note, response]))
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

    def add(self, timer: Timer, idempotency: Idempotency | None = None, reason: str = "") -> Timer:
        """Write a finished timer and return it.

        If an earlier request with the same key created a timer, return the earlier timer.

        Parameters
        ----------
        reason
            The reason, for the audit log.

        Raises
        ------
        DayConfirmed
            If the change concerns a confirmed day.
        IdempotencyKeyReused
            If the key was used for another request before.
        """
        if timer.issue is not None:
            timer = replace(timer, issue=self._repositories.identify(timer.issue))
        # An entry without time would still be a row of its day.
        start = Span(timer.start_ms, timer.start_ms + 1)
        touched = touched_spans(None, timer, timer.created_ms) or [start]
        try:
            creation = put_new(timer)
            response = put_correction(
                timer,
                timer.created_ms,
                idempotency,
                before={timer.ulid: None},
                written=[creation],
                reaches_ms=timer.start_ms,
                touched=touched,
            )
            kind = AuditKind.ADDED if timer.source == MANUAL else AuditKind.LOGGED
            entry = AuditEntry.of(
                kind, [(None, timer)], by=timer.user_id, now_ms=timer.created_ms, reason=reason
            )
            writes = [creation, *response, *put_entry(timer.user_id, entry)]
            self.changes.execute(
                TimerChange(timer.user_id, writes, timer.start_ms, timer.created_ms, touched)
            )
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
            return self.responses.repeated(timer.user_id, by_key, idempotency)
        return timer

    def _added(self, timer: Timer, idempotency: Idempotency | None) -> Timer | None:
        """Return the timer that an earlier attempt or request has added; None if there is none."""
        if idempotency is not None:
            response = self.responses.stored(timer.user_id, idempotency, now_ms=timer.created_ms)
            return response and response[0]
        with contextlib.suppress(NotFound):
            return self.get(timer.user_id, timer.ulid)
        return None

    def _creation(self, timer: Timer, idempotency: Idempotency | None) -> list[Write]:
        writes = [put_new(timer)]
        if timer.is_open and timer.issue is not None:
            writes += take_slot(timer.issue, timer.user_id, timer.ulid)
        if idempotency is not None:
            writes.append(put_response(timer, timer.created_ms, idempotency, created=True))
        return writes

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
        self,
        user_id: int,
        ulid: str,
        *,
        now_ms: int,
        by: str,
        cause: str,
        at_ms: int | None = None,
        admin: int | None = None,
    ) -> Timer:
        """Stop an open timer and return it.

        If the request repeats an earlier request (same ``cause``), return the timer without a change.

        Parameters
        ----------
        at_ms
            The requested time, if it is in the past.
        admin
            The user id of the admin who stops the timer; None if its owner does.

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
            if admin is not None:
                entry = AuditEntry.of(AuditKind.STOPPED, [(timer, stopped)], by=admin, now_ms=now_ms)
                writes += put_entry(user_id, entry)
            self.changes.execute(TimerChange(user_id, writes, stopped_ms, now_ms, [Span(stopped_ms, now_ms)]))
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
            entry = AuditEntry.of(AuditKind.EXPIRED, [(timer, stopped)], by=BY_SWEEPER, now_ms=now_ms)
            writes = [*_closing(stopped, now_ms), *put_entry(user_id, entry)]
            self.changes.execute(TimerChange(user_id, writes, end_ms, now_ms, NOT_BY_HAND))
            return replace(stopped, version=stopped.version + 1)

        return retry_on_conflict(attempt, "The timer could not be stopped: others kept changing it.")

    def unexpire(self, timer: Timer, *, now_ms: int) -> None:
        """Undo the sweeper's stop of a timer without an issue, if it has not changed since its read."""
        with contextlib.suppress(NotFound, TransactionRefused):
            present = self.get(timer.user_id, timer.ulid)
            if present.version == timer.version:
                running, end_ms = present.unexpired(), timer.end_ms or now_ms
                entry = AuditEntry.of(AuditKind.UNEXPIRED, [(present, running)], by=BY_SWEEPER, now_ms=now_ms)
                writes = [put_changed(running), *put_entry(timer.user_id, entry)]
                self.changes.execute(TimerChange(timer.user_id, writes, end_ms, now_ms, NOT_BY_HAND))

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
            transition = transition._replace(at_ms=max(transition.at_ms, timer.changed_ms))
            raise Conflict

        message = f"The timer could not {transition.action}: others kept changing it."
        return retry_on_conflict(attempt, message)

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
            item = self.changes.execute(change)
        except TransactionRefused as refused:
            raise ConditionFailed(refused.failed.get(0)) from None
        return self.get(change.user_id, name_of(update.sk)) if item is None else to_timer(item)


def _closing(stopped: Timer, now_ms: int) -> list[Write]:
    """Return the writes of a timer that has just been stopped, and of its slot."""
    writes = [put_changed(stopped)]
    if stopped.issue is not None:
        writes.append(free_slot(stopped.issue, stopped.user_id, stopped.ulid, now_ms))
    return writes


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
            raise IdempotencyKeyReused(KEY_REUSED)
    return False
