"""Offline actions are requests with a time in the past, sent when the client is online again.

Later events have already been applied without the action; for example, the close of the issue found no timer
to stop. So the timers are rederived after the action, as after a late delivery (see
`timer_core.domain.replay`).
"""

from timer_core.domain.errors import NotFound, TransitionTooEarly
from timer_core.domain.issues import Issue
from timer_core.domain.state import Action
from timer_core.domain.timers import Timer
from timer_core.services.issue_timers import IssueTimers
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from timer_core.store.writes import Idempotency


class OfflineActions:
    """Carries out offline actions.

    Parameters
    ----------
    table
        The table.
    timers
        The timers in the same table.
    """

    def __init__(self, table: Table, timers: TimerStore) -> None:
        self._timers = timers
        self._issue_timers = IssueTimers(table, timers)

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
        """Start a timer as `TimerStore.start` does, and apply the events since then to it.

        If another timer on the issue ended after the requested start, the start has no effect, and the open
        timer is returned.

        Raises
        ------
        TransitionTooEarly
            If another timer of the person on the issue ended after the requested start, and no timer is open.
        IdempotencyKeyReused
            If the key was used for another request before.
        TooMuchContention
            If other writers kept changing the same items; a retry is safe.
        """
        if issue is not None:
            response = idempotency and self._timers.responses.stored(user_id, idempotency, now_ms=now_ms)
            if response:
                # The first request with this key may have been interrupted before the rederivation.
                return self.rederive(response[0], now_ms=now_ms), response[1]
            issue = self._issue_timers.home(issue)
            already_open = self._open_timer_after_another(user_id, issue, at_ms=at_ms)
            if already_open and idempotency:
                return self._timers.responses.store(already_open, idempotency, now_ms=now_ms)
            if already_open:
                return already_open, False
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
        """Apply later events to a timer that was changed at a time in the past, and return the timer.

        If the changed timer has become part of the open timer on the issue, the open timer is returned.

        Raises
        ------
        NotFound
            If the timer no longer exists, and no timer is open on the issue.
        TooMuchContention
            If other writers kept changing the timers; the action was carried out, and a retry is safe.
        """
        if timer.issue is None:
            return timer
        self._issue_timers.rederive(timer.issue, select=lambda _: [timer.user_id], now_ms=now_ms)
        try:
            return self._timers.get(timer.user_id, timer.ulid)
        except NotFound:
            for other in self._issue_timers.timers_of(timer.user_id, timer.issue):
                if other.is_open:
                    return other
            raise

    def _open_timer_after_another(self, user_id: int, home: Issue, *, at_ms: int) -> Timer | None:
        """Return the person's open timer on an issue if another timer ended after ``at_ms``; else None.

        Raises
        ------
        TransitionTooEarly
            If another timer ended after that time, and no timer is open.
        """
        timers = [
            timer
            for timer in self._issue_timers.timers_of(user_id, home)
            # The slot also lists timers that were moved to another issue manually.
            if timer.issue and timer.issue.key == home.key
        ]
        ended = [timer for timer in timers if timer.end_ms is not None and timer.end_ms > at_ms]
        if not ended:
            return None
        for timer in timers:
            if timer.is_open:
                return timer
        last = max(ended, key=lambda timer: timer.changed_ms)
        raise TransitionTooEarly(Action.START, last.status, at_ms, last.changed_ms)
