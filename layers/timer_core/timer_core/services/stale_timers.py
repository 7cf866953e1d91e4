"""Stop stale timers, store days, freeze locked days, and delete details, person by person.

A stop is derived from everything that is known when it is written. If something else has become known since,
the stop is undone, and written again at another instant if the timer is stale nevertheless.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from aws_lambda_powertools import Logger

from timer_core.domain.schedule import DAY_MS
from timer_core.domain.timers import end_of_date
from timer_core.services.issue_timers import IssueTimers
from timer_core.store.retention import Retention
from timer_core.store.timers import TimerStore
from timer_core.store.timesheets import Timesheets

_THREADS = 8
# The number of people after which the remaining time is checked.
_BATCH = 8
# The months of a person whose details one run deletes.
_MOST_MONTHS = 12


@dataclass(slots=True)
class StaleTimers:
    """The result of a run.

    Attributes
    ----------
    found
        Stale timers.
    stopped
        The stale timers that were stopped.
    failed
        The people whose timers could not be checked or stopped, or whose days could not be stored. The log
        has the errors, and the next run tries again.
    after
        The person after whom the next run continues; None if there was time for everybody.
    """

    found: int = 0
    stopped: int = 0
    failed: int = 0
    after: int | None = None


@dataclass(frozen=True, slots=True)
class StaleTimerStopper:
    """Stops the timers that their owner's timeline says are stale, at the moment at which they became so.

    Attributes
    ----------
    retention_days
        The number of days after which the details of confirmed time are deleted; 0 if they are kept.
    """

    timers: TimerStore
    issue_timers: IssueTimers
    timesheets: Timesheets
    retention: Retention
    retention_days: int
    logger: Logger

    def run(
        self, *, after: int | None, now_ms: int, has_time: Callable[[], bool], dry_run: bool
    ) -> StaleTimers:
        """Check everybody who has an open timer, and store the days that are behind.

        Parameters
        ----------
        after
            The person after whom an earlier run ended; None to begin with the first.
        dry_run
            Whether to only count stale timers.
        """
        owners = {timer.user_id for segment in self.timers.open_timer_segments() for timer in segment}
        people = sorted(owners if dry_run else owners.union(self.timesheets.people()))
        rest = people if after is None else people[bisect_right(people, after) :]
        result = StaleTimers()
        with ThreadPoolExecutor(_THREADS) as pool:
            for first in range(0, len(rest), _BATCH):
                if not has_time():
                    result.after = rest[first] - 1
                    break
                batch: Sequence[int] = rest[first : first + _BATCH]
                checks = pool.map(
                    lambda user_id: self._check(
                        user_id, is_owner=user_id in owners, now_ms=now_ms, dry_run=dry_run
                    ),
                    batch,
                )
                for found, stopped, failed in checks:
                    result.found += found
                    result.stopped += stopped
                    result.failed += failed
        return result

    def _check(self, user_id: int, *, is_owner: bool, now_ms: int, dry_run: bool) -> tuple[int, int, bool]:
        """Return the numbers of a person's stale and stopped timers, and whether something failed."""
        found = stopped = 0
        try:
            if not dry_run and self._reopen(user_id, now_ms):
                is_owner = True
            ends = self._ends(user_id, now_ms) if is_owner else {}
            found = len(ends)
            if dry_run:
                return found, 0, False
            for (ulid, sign_ms), end_ms in ends.items():
                expired = self.timers.expire(user_id, ulid, end_ms=end_ms, sign_ms=sign_ms, now_ms=now_ms)
                stopped += expired is not None
            self.timesheets.refresh(user_id, now_ms=now_ms)
            self.timesheets.apply_lock(user_id, now_ms=now_ms)
            if self.retention_days:
                self._delete_details(user_id, now_ms)
        except Exception:
            self.logger.exception("A stale timer could not be stopped, or days could not be stored")
            return found, stopped, True
        return found, stopped, False

    def _delete_details(self, user_id: int, now_ms: int) -> None:
        before_ms = now_ms - self.retention_days * DAY_MS
        for _ in range(_MOST_MONTHS):
            if not self.retention.reduce(user_id, before_ms=before_ms, now_ms=now_ms):
                break

    def _reopen(self, user_id: int, now_ms: int) -> bool:
        """Undo the stops of a person's timers that were not stale; return whether there were any."""
        stopped = self.timesheets.not_stale(user_id, now_ms=now_ms)
        for timer in stopped:
            if timer.issue is None:
                self.timers.unexpire(timer, now_ms=now_ms)
            else:
                self.issue_timers.rederive(
                    timer.issue, select=lambda _: [user_id], now_ms=now_ms, unexpired={timer.ulid}
                )
        return bool(stopped)

    def _ends(self, user_id: int, now_ms: int) -> dict[tuple[str, int], int]:
        """Return the ends of a person's stale timers, by ULID and last sign of life before the end."""
        worked = self.timesheets.present(user_id, now_ms=now_ms)
        states = worked.carry.timers
        return {
            (timer.ulid, timer.last_sign_until(end_of_date(end_ms))): end_ms
            for timer in worked.timers
            if timer.is_open and (end_ms := states[timer.ulid].stale_ms) is not None
        }
