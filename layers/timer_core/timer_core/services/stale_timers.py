"""Stop the timers that were open for too long."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from aws_lambda_powertools import Logger

from timer_core.domain.errors import NotFound
from timer_core.domain.timers import Timer, stretches
from timer_core.store.queries import OpenTimer
from timer_core.store.timers import TimerStore


@dataclass(slots=True)
class StaleTimers:
    """The result of a run.

    Attributes
    ----------
    found
        Timers that were open for too long.
    stopped
        The stale timers that were stopped.
    failed
        The stale timers that could not be stopped. The log has the errors, and the next run tries again.
    complete
        Whether there was time for all stale timers.
    """

    found: int = 0
    stopped: int = 0
    failed: int = 0
    complete: bool = True


@dataclass(frozen=True, slots=True)
class StaleTimerStopper:
    """Stops stale timers, oldest first, with one thread for each segment of the index of open timers."""

    timers: TimerStore
    logger: Logger

    def run(self, *, limit_ms: int, now_ms: int, has_time: Callable[[], bool], dry_run: bool) -> StaleTimers:
        """Stop the timers that were open for longer than a limit; in a dry run, only count these timers."""

        def stop(segment: Iterable[OpenTimer]) -> StaleTimers:
            return self._stop(segment, limit_ms=limit_ms, now_ms=now_ms, has_time=has_time, dry_run=dry_run)

        segments = self.timers.open_timer_segments(before_ms=now_ms - limit_ms)
        with ThreadPoolExecutor(len(segments)) as pool:
            results = list(pool.map(stop, segments))
        return StaleTimers(
            found=sum(result.found for result in results),
            stopped=sum(result.stopped for result in results),
            failed=sum(result.failed for result in results),
            complete=all(result.complete for result in results),
        )

    def _stop(
        self,
        stale: Iterable[OpenTimer],
        *,
        limit_ms: int,
        now_ms: int,
        has_time: Callable[[], bool],
        dry_run: bool,
    ) -> StaleTimers:
        result = StaleTimers()
        for timer in stale:
            if not has_time():
                result.complete = False
                break
            result.found += 1
            if dry_run:
                continue
            try:
                stopped = self._expire(timer, limit_ms, now_ms)
            except Exception:
                result.failed += 1
                self.logger.exception("A stale timer could not be stopped")
            else:
                result.stopped += stopped is not None
        return result

    def _expire(self, open_timer: OpenTimer, limit_ms: int, now_ms: int) -> Timer | None:
        """Stop a timer at the moment when its active time reached the limit."""
        try:
            timer = self.timers.get(open_timer.user_id, open_timer.ulid)
        except NotFound:
            return None
        end_ms = _reached_ms(timer, limit_ms, now_ms)
        return self.timers.expire(
            timer.user_id, timer.ulid, end_ms=end_ms, sign_ms=timer.last_sign_until(end_ms), now_ms=now_ms
        )


def _reached_ms(timer: Timer, limit_ms: int, now_ms: int) -> int:
    """Return the moment at which the active time reached the limit.

    If the active time is below the limit, return the beginning of the present pause, or the present time.
    """
    for since_ms, until_ms in stretches(timer, now_ms):
        if until_ms - since_ms >= limit_ms:
            return since_ms + limit_ms
        limit_ms -= until_ms - since_ms
    return timer.last_pause_ms or max(now_ms, timer.changed_ms)
