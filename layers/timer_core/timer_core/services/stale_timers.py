"""Stop the timers that were open for too long."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from aws_lambda_powertools import Logger

from timer_core.store.items import OPEN_SHARDS
from timer_core.store.timers import TimerStore


@dataclass(slots=True)
class StaleTimers:
    """The result of a run.

    Attributes
    ----------
    found
        Timers that were open for too long.
    stopped
        Of these, the timers that were stopped.
    failed
        Of these, the timers that could not be stopped; the log says why, and the next run tries again.
    complete
        Whether there was time for all.
    """

    found: int = 0
    stopped: int = 0
    failed: int = 0
    complete: bool = True


@dataclass(frozen=True, slots=True)
class StaleTimerStopper:
    """Stops stale timers, the oldest of each shard of the index first.

    Each shard has a thread, which reads it page by page, so that memory stays constant.
    """

    timers: TimerStore
    logger: Logger

    def run(self, *, limit_ms: int, now_ms: int, has_time: Callable[[], bool], dry_run: bool) -> StaleTimers:
        """Stop the timers that were open for longer than a limit; ``dry_run`` only counts."""

        def stop(shard: int) -> StaleTimers:
            return self._stop(shard, limit_ms=limit_ms, now_ms=now_ms, has_time=has_time, dry_run=dry_run)

        with ThreadPoolExecutor(OPEN_SHARDS) as pool:
            shards = list(pool.map(stop, range(OPEN_SHARDS)))
        return StaleTimers(
            found=sum(shard.found for shard in shards),
            stopped=sum(shard.stopped for shard in shards),
            failed=sum(shard.failed for shard in shards),
            complete=all(shard.complete for shard in shards),
        )

    def _stop(
        self, shard: int, *, limit_ms: int, now_ms: int, has_time: Callable[[], bool], dry_run: bool
    ) -> StaleTimers:
        result = StaleTimers()
        for timer in self.timers.open_timers(shard, before_ms=now_ms - limit_ms):
            if not has_time():
                result.complete = False
                break
            result.found += 1
            if dry_run:
                continue
            try:
                stopped = self.timers.expire(
                    timer.user_id, timer.ulid, limit_ms=limit_ms, now_ms=now_ms, by="sweeper"
                )
            except Exception:
                result.failed += 1
                self.logger.exception("A stale timer could not be stopped")
            else:
                result.stopped += stopped is not None
        return result
