"""What people did while they were offline, told when they are online again.

What GitHub told meanwhile has been applied without it: a close that found no timer, an assignment of
somebody whose timer ran. So after such a change the timers are derived again, like after a delivery that
comes late (see `timer_core.domain.replay`).
"""

from timer_core.domain.errors import NotFound, TransitionTooEarly
from timer_core.domain.issues import Issue
from timer_core.domain.timers import Action, Timer
from timer_core.store.events import EventStore
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from timer_core.store.writes import Idempotency


class OfflineActions:
    """Takes what people did offline.

    Parameters
    ----------
    table
        The table.
    timers
        The timers in the same table.
    """

    def __init__(self, table: Table, timers: TimerStore) -> None:
        self._timers = timers
        self._event_store = EventStore(table, timers)

    def start(
        self,
        *,
        user_id: int,
        at_ms: int,
        now_ms: int,
        issue: Issue | None = None,
        organization: str | None = None,
        description: str = "",
        idempotency: Idempotency | None = None,
    ) -> tuple[Timer, bool]:
        """Start a timer as `TimerStore.start` does, which then is as it is now.

        A start of before the end of an earlier timer on the issue was a start of that one: it changes
        nothing, and the open one is returned.

        Raises
        ------
        TransitionTooEarly
            If the person's timer on the issue has ended since, and none is open.
        IdempotencyKeyReused
            If the key came with another request before.
        TooMuchContention
            If others kept changing what this depends on.
        """
        if issue is not None:
            answered = idempotency and self._timers.answered(user_id, idempotency, now_ms=now_ms)
            if answered:
                # The one that was answered may not have got as far as that.
                return self.rederive(answered[0], now_ms=now_ms), answered[1]
            issue = self._event_store.home(issue, at_ms=now_ms)
            already = self._open_since_before(user_id, issue, at_ms=at_ms, now_ms=now_ms)
            if already and idempotency:
                return self._timers.keep_answer(already, idempotency, now_ms=now_ms)
            if already:
                return already, False
        timer, created = self._timers.start(
            user_id=user_id,
            now_ms=now_ms,
            issue=issue,
            organization=organization,
            description=description,
            idempotency=idempotency,
            at_ms=at_ms,
        )
        return self.rederive(timer, now_ms=now_ms), created

    def rederive(self, timer: Timer, *, now_ms: int) -> Timer:
        """Return a timer that was changed for a time in the past as it is after what was told since.

        If it has become part of the one that is open on the issue, that one is returned.

        Raises
        ------
        NotFound
            If it is gone, and none is open.
        TooMuchContention
            If others kept changing the timers; the change is done, and trying again is safe.
        """
        if timer.issue is None:
            return timer
        self._event_store.rederive(timer.issue, since=None, timed=lambda _: [timer.user_id], now_ms=now_ms)
        try:
            return self._timers.get(timer.user_id, timer.ulid)
        except NotFound:
            for other in self._event_store.timers_of(timer.user_id, timer.issue, at_ms=now_ms):
                if other.is_open:
                    return other
            raise

    def _open_since_before(self, user_id: int, home: Issue, *, at_ms: int, now_ms: int) -> Timer | None:
        """Return the person's open timer on an issue if an earlier one had not ended at a time.

        Raises
        ------
        TransitionTooEarly
            If none is open.
        """
        ever = self._event_store.timers_of(user_id, home, at_ms=now_ms)
        # Others were corrected to be on another issue.
        known = [timer for timer in ever if timer.issue and timer.issue.key == home.key]
        ended = [timer for timer in known if timer.end_ms is not None and timer.end_ms > at_ms]
        if not ended:
            return None
        for timer in known:
            if timer.is_open:
                return timer
        last = max(ended, key=lambda timer: timer.changed_ms)
        raise TransitionTooEarly(Action.START, last.status, at_ms, last.changed_ms)
