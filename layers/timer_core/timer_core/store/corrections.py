"""Corrections of timers: their times, texts, pauses, division and deletion.

A correction reads the timer, and writes it on the condition that it has not changed.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from timer_core.domain.audit import AuditEntry, AuditKind
from timer_core.domain.changes import touched_spans
from timer_core.domain.corrections import Correction, Halves, divided, time_of, with_times
from timer_core.domain.errors import ChangedSince, DetailsDeleted, NotFound, OtherTimerOpen
from timer_core.domain.ids import new_ulid, timer_id
from timer_core.domain.issues import Issue
from timer_core.domain.schedule import Span, local_date
from timer_core.domain.timeline import lasting
from timer_core.domain.timers import LATEST_MS, Timer
from timer_core.store.audit import put_entry
from timer_core.store.calendars import Calendars
from timer_core.store.changes import Changes, TimerChange
from timer_core.store.confirmed_days import ConfirmedDays
from timer_core.store.former_state import FormerState, digest_of
from timer_core.store.idempotency import Responses, check_same
from timer_core.store.items import TimerItem, is_tombstone, locked_until, to_timer, tombstone
from timer_core.store.keys import slot_key, timer_sk, user_pk
from timer_core.store.queries import TimerQueries, existing
from timer_core.store.repositories import Repositories
from timer_core.store.slots import change_slots, lock_slot
from timer_core.store.table import Table, TransactionRefused, Write, retry_on_conflict
from timer_core.store.writes import Idempotency, Patch, note_undone, put_changed, put_correction, put_new

# Returns the time that counts for a timer and for no other one, in order.
Counted = Callable[[Timer], Sequence[Span]]


class TimerCorrections(TimerQueries):
    """Reads and corrects the timers in the table.

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
        self.changes = Changes(table, calendars or Calendars(table))
        self.responses = Responses(table)
        self._confirmed = ConfirmedDays(table)

    def patch(
        self,
        user_id: int,
        ulid: str,
        patch: Patch,
        *,
        now_ms: int,
        idempotency: Idempotency | None = None,
        counted: Counted | None = None,
        reason: str = "",
    ) -> Timer:
        """Correct a timer and return it. The correction of the end of an open timer stops it.

        If an earlier request with the same key corrected the timer, return the timer without a change.

        Parameters
        ----------
        counted
            The time that becomes a gap if the correction removes it; by default, all time of the timer.
        reason
            The reason, for the audit log.

        Raises
        ------
        DayConfirmed
            If the change concerns a confirmed day.
        NotFound
            If there is no such timer.
        InvalidInput
            If the new end is before the new start, or the pauses do not fit between start and end.
        TooManyTransitions
            If the timer has no room for the correction.
        OtherTimerOpen
            If the patch moves an open timer to an issue on which the person has another open timer.
        IdempotencyKeyReused
            If the key was used for another request before.
        """

        def attempt() -> Timer:
            if response := idempotency and self.responses.stored(user_id, idempotency, now_ms=now_ms):
                return response[0]
            timer = _correctable(self.get(user_id, ulid))
            identified = self._identified(patch)
            correction = Correction(timer, LATEST_MS, 0)
            if patch.corrects_time:
                correction = with_times(timer, patch.start_ms, patch.end_ms, now_ms)
                correction = _without_other_time(correction, timer, counted)
            patched = identified.texts_of(correction.timer)
            if patch.issue is not None and timer.end_ms is not None and timer.locked_until_ms is None:
                patched = replace(patched, locked_until_ms=patched.end_ms)
            is_moved = _key(timer.issue) != _key(patched.issue)
            slots = change_slots(_if_open(timer), _if_open(patched), now_ms)
            if patched.is_open and not is_moved:
                slots += self._lock(timer, correction)
            touched = touched_spans(timer, patched, now_ms) + (
                self._confirmed_time(timer) if is_moved else []
            )
            moved = time_of(timer, now_ms) if is_moved else []
            with _other_timer_open(timer):
                return self._put(
                    timer,
                    patched,
                    slots,
                    correction.reaches_ms,
                    now_ms,
                    touched,
                    idempotency,
                    reason,
                    moved=moved,
                )

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
        reason: str = "",
    ) -> Timer:
        """Correct the pauses of a timer and return the timer.

        If an earlier request with the same key corrected the timer, return the timer without a change.

        Parameters
        ----------
        correct
            The correction, one of `timer_core.domain.corrections`.
        counted
            The time that becomes a gap if the correction removes it; by default, all time of the timer.
        reason
            The reason, for the audit log.

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
            if response := idempotency and self.responses.stored(user_id, idempotency, now_ms=now_ms):
                return response[0]
            timer = _correctable(self.get(user_id, ulid))
            correction = _without_other_time(correct(timer), timer, counted)
            slots = self._lock(timer, correction)
            touched = touched_spans(timer, correction.timer, now_ms)
            return self._put(
                timer, correction.timer, slots, correction.reaches_ms, now_ms, touched, idempotency, reason
            )

        return retry_on_conflict(attempt, "The timer could not be corrected: others kept changing it.")

    def split(
        self,
        user_id: int,
        ulid: str,
        at_ms: int,
        *,
        now_ms: int,
        idempotency: Idempotency | None = None,
        reason: str = "",
    ) -> Halves:
        """Divide a timer at an instant, see `timer_core.domain.corrections.divided`.

        If an earlier request with the same key divided the timer, return the two timers.

        Parameters
        ----------
        reason
            The reason, for the audit log.

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
            if response := idempotency and self.responses.stored(user_id, idempotency, now_ms=now_ms):
                return Halves(self.responses.still_existing(user_id, ulid), response[0])
            timer = _correctable(self.get(user_id, ulid))
            first, second = divided(timer, at_ms, ulid=second_ulid, now_ms=now_ms)
            slots = change_slots(_if_open(timer), _if_open(second), now_ms)
            # The confirmed time belongs to the first timer.
            confirmed = [span for span in self._confirmed_time(timer) if span.until_ms > at_ms]
            touched = [Span(at_ms, at_ms + 1), *confirmed]
            first = self._put(
                timer, first, slots, at_ms, now_ms, touched, idempotency, reason, created=second
            )
            return Halves(first, second)

        return retry_on_conflict(attempt, "The timer could not be divided: others kept changing it.")

    def _put(
        self,
        read: Timer,
        corrected: Timer,
        slots: Sequence[Write],
        reaches_ms: int,
        now_ms: int,
        touched: Sequence[Span],
        idempotency: Idempotency | None,
        reason: str,
        *,
        created: Timer | None = None,
        moved: Sequence[Span] = (),
    ) -> Timer:
        """Write a corrected timer, and another one that the correction has created.

        Returns
        -------
        Timer
            The corrected timer with its new version.

        Raises
        ------
        TransactionRefused
            If the timer has changed after its read, or another condition did not hold.
        """
        before: dict[str, Timer | None] = {read.ulid: read}
        timers, kind = [put_changed(corrected)], AuditKind.CORRECTED
        if created is not None:
            before[created.ulid], kind = None, AuditKind.DIVIDED
            timers.append(put_new(created))
        pairs = [(read, corrected), (None, created)]
        entry = AuditEntry.of(kind, pairs, by=read.user_id, now_ms=now_ms, reason=reason)
        response = put_correction(
            created or read,
            now_ms,
            idempotency,
            before=before,
            written=timers,
            reaches_ms=reaches_ms,
            touched=touched,
            moved=moved,
        )
        writes = [*timers, *slots, *response, *put_entry(read.user_id, entry)]
        self.changes.execute(TimerChange(read.user_id, writes, reaches_ms, now_ms, touched, moved))
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
        idempotency: Idempotency | None = None,
        counted: Counted | None = None,
        reason: str = "",
    ) -> None:
        """Delete an open or a stopped timer. Its time becomes a gap, which no other timer gets.

        Breaks that its pauses began, or its owner's acts ended, stay. If an earlier request with the same key
        deleted the timer, nothing changes.

        Parameters
        ----------
        counted
            The time that becomes a gap; by default, all time of the timer.
        reason
            The reason, for the audit log.

        Raises
        ------
        DayConfirmed
            If the change concerns a confirmed day.
        NotFound
            If there is no such timer.
        IdempotencyKeyReused
            If the key was used for another request before.
        """
        pk, sk = user_pk(user_id), timer_sk(ulid)

        def attempt() -> None:
            earlier = idempotency and self.responses.find(user_id, idempotency.key, now_ms=now_ms)
            if earlier:
                check_same(earlier, idempotency)
                return
            item = self._table.get(pk, sk)
            if item and item.get("deleted_ms") == {"N": str(now_ms)}:
                # An earlier attempt has deleted the timer, and the response of the database was lost.
                return
            timer = _correctable(existing(item))
            locked_until_ms = now_ms if timer.is_open else locked_until(item or {})
            spans = time_of(timer, now_ms) if counted is None else counted(timer)
            gaps = (Span(*claim[:2]) for claim in timer.claims if not claim.counts)
            deleted = tombstone(
                pk, sk, now_ms, locked_until_ms, sorted([*spans, *gaps]), lasting(timer, spans)
            )
            deletion = Write("Put", pk, sk, TimerItem.version == timer.version, item=deleted)
            touched, reaches_ms = [*self._confirmed_time(timer), *spans], timer.reach.since_ms
            moved = time_of(timer, now_ms)
            response = put_correction(
                timer,
                now_ms,
                idempotency,
                before={ulid: timer},
                written=[deletion],
                reaches_ms=reaches_ms,
                touched=touched,
                moved=moved,
            )
            entry = AuditEntry.of(
                AuditKind.DELETED, [(timer, None)], by=user_id, now_ms=now_ms, reason=reason
            )
            slots = change_slots(_if_open(timer), None, now_ms)
            writes = [deletion, *slots, *response, *put_entry(user_id, entry)]
            self.changes.execute(TimerChange(user_id, writes, reaches_ms, now_ms, touched, moved))

        retry_on_conflict(attempt, "The timer could not be deleted: others kept changing it.")

    def undo(self, user_id: int, key: str, *, now_ms: int, reason: str = "") -> list[Timer]:
        """Undo a correction, and return the timers that were restored. What is undone already stays so.

        Parameters
        ----------
        key
            The hash of the Idempotency-Key of the correction.
        reason
            The reason, for the audit log.

        Raises
        ------
        NotFound
            If no correction of the last day had this key.
        ChangedSince
            If a timer has changed since the correction.
        DayConfirmed
            If a day that the correction changed was confirmed since.
        OtherTimerOpen
            If the person has since started another timer on the issue of a timer that would be open again.
        """

        def attempt() -> list[Timer]:
            response = self.responses.find(user_id, key, now_ms=now_ms)
            if response is None or not {"former_state", "undone"} & response.keys():
                raise NotFound("There is no correction with this Idempotency-Key.")
            if "undone" in response:
                return []
            former = FormerState.decoded(response["former_state"]["B"])
            pk = user_pk(user_id)
            present = {ulid: self._table.get(pk, timer_sk(ulid)) or {} for ulid in former.timers}
            if {ulid: digest_of(item) for ulid, item in present.items()} != former.results:
                # A confirmation is noted at its timers, too.
                spans = former.touched
                raise (spans and self.changes.refusal(user_id, spans, now_ms=now_ms)) or ChangedSince
            timers = {ulid: None if is_tombstone(item) else to_timer(item) for ulid, item in present.items()}
            corrected = [timer for timer in timers.values() if timer is not None]
            restored = [timer for timer in former.timers.values() if timer is not None]
            opened, closed = _open_one(restored), _open_one(corrected)
            pairs = [(timer, former.timers[ulid]) for ulid, timer in timers.items()]
            entry = AuditEntry.of(AuditKind.UNDONE, pairs, by=user_id, now_ms=now_ms, reason=reason)
            writes = [
                *(former.restoration(user_id, ulid, item) for ulid, item in present.items()),
                *change_slots(closed, opened, now_ms),
                note_undone(user_id, key),
                *put_entry(user_id, entry),
            ]
            change = TimerChange(user_id, writes, former.reaches_ms, now_ms, former.touched, former.moved)
            with _other_timer_open(opened):
                self.changes.execute(change)
            return restored

        return retry_on_conflict(
            attempt, "The correction could not be undone: others kept changing the timer."
        )


def _correctable(timer: Timer) -> Timer:
    """Return a timer that can be corrected.

    Raises
    ------
    DetailsDeleted
        If the details of the timer are deleted.
    """
    if timer.is_reduced:
        raise DetailsDeleted(local_date("UTC", timer.start_ms))
    return timer


def _if_open(timer: Timer) -> Timer | None:
    return timer if timer.is_open else None


def _open_one(timers: Iterable[Timer]) -> Timer | None:
    """Return the timer that is open; a correction writes at most one such timer."""
    return next((timer for timer in timers if timer.is_open), None)


@contextmanager
def _other_timer_open(timer: Timer | None) -> Iterator[None]:
    """Raise `OtherTimerOpen` if the transaction is refused because another timer is open on the issue."""
    try:
        yield
    except TransactionRefused as refused:
        for item in [] if 0 in refused.failed or timer is None else refused.failed.values():
            other = item.get("open_ulid") if item else None
            if timer and other and other["S"] != timer.ulid:
                raise OtherTimerOpen(timer_id(timer.user_id, other["S"])) from None
        raise


def _without_other_time(correction: Correction, timer: Timer, counted: Counted | None) -> Correction:
    """Return a correction that takes away only time that counted, if the caller knows which time did."""
    return correction if counted is None else correction.taking_only(counted(timer), timer)


def _key(issue: Issue | None) -> str | None:
    return None if issue is None else issue.key
