"""Offline actions: requests for a time in the past, sent once the client is online again.

Events from after that time have been applied without them: a close that found no timer, an assignment of
somebody whose timer ran. So after such a change the timers are derived anew, as after a delivery that
arrives late (see `timer_core.domain.replay`).
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

        A start from before the end of an earlier timer on the issue was a start of that one: it changes
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
                # The first request with this key may have been interrupted before the rederivation.
                return self.rederive(answered[0], now_ms=now_ms), answered[1]
            issue = self._issue_timers.home(issue, at_ms=now_ms)
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
        """Apply the events since then to a timer that was changed for a time in the past, and return it.

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
        self._issue_timers.rederive(timer.issue, of=lambda _: [timer.user_id], now_ms=now_ms)
        try:
            return self._timers.get(timer.user_id, timer.ulid)
        except NotFound:
            for other in self._issue_timers.timers_of(timer.user_id, timer.issue, at_ms=now_ms):
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
        timers = [
            timer
            for timer in self._issue_timers.timers_of(user_id, home, at_ms=now_ms)
            # Some were moved to another issue manually.
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
