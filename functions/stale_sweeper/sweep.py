"""Ends the timers that were forgotten, and repairs what GitHub failed to deliver.

Each shard of the index of open timers has a thread, which reads it a page at a time, oldest first, so
that memory stays flat however many there are. Before the time limit the rest is left for the next run:
what was ended is no longer in the index, and up to when timers were compared with GitHub is noted.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

from aws_lambda_powertools import Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from stale_sweeper.reconcile import Reconciler, Reconciliation
from stale_sweeper.redeliver import Redeliverer, Redelivery
from timer_core.clock import now_ms
from timer_core.domain.errors import InvalidInput
from timer_core.github.api.client import GitHub
from timer_core.github.api.credentials import CredentialParameter
from timer_core.github.api.errors import GitHubError
from timer_core.observability import make_logger, make_metrics
from timer_core.services.event_handler import EventHandler
from timer_core.settings import settings
from timer_core.store.account_deletion import AccountDeletionStore
from timer_core.store.events import EventStore
from timer_core.store.health import Capability, HealthStore
from timer_core.store.hooks import HookStore
from timer_core.store.people import PeopleStore
from timer_core.store.progress import Progress, ProgressStore
from timer_core.store.queries import OpenTimer
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore

logger = make_logger("stale-sweeper")
metrics = make_metrics("stale-sweeper")
tracer = Tracer(service="stale-sweeper", patch_modules=["botocore"])

table = Table(settings().table_name)
timers = TimerStore(table, exclusive=settings().exclusive)
event_store = EventStore(table, timers)
event_handler = EventHandler(
    event_store, timers, PeopleStore(table), track_unregistered=settings().track_unregistered
)
account_deletion = AccountDeletionStore(table, track_unregistered=settings().track_unregistered)
health = HealthStore(table)
progress_store = ProgressStore(table)
github = GitHub(
    CredentialParameter(settings().github_credential),
    api_url=settings().github_api_url,
    # GitHub works on a query for ten seconds at most, and those about many issues may take that long.
    read_s=11,
)
redeliverer = Redeliverer(github, HookStore(table), logger)
reconciler = Reconciler(
    github, timers, event_store, event_handler, progress_store, settings().triggers, logger
)

_HOUR_MS = 3_600_000
# What is under way when time runs out needs this long at most.
_RESERVE_MS = 15_000
# Of a run's time, for what GitHub is asked; and of that for having deliveries sent again, so that timers
# are compared however many failed.
_REPAIR_SHARE = 0.6
_REDELIVERY_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Options:
    """What the event asks for.

    Attributes
    ----------
    dry_run
        Whether to count only.
    stop_stale
        Whether to end timers that are open for too long.
    stop_closed
        Whether to compare open timers with the state of their issues on GitHub.
    redeliver
        Whether to have GitHub send its failed deliveries again.
    resume
        Whether to also do what an earlier run had no time for.
    stale_after_ms
        For how long a timer may be open.
    """

    dry_run: bool
    stop_stale: bool
    stop_closed: bool
    redeliver: bool
    resume: bool
    stale_after_ms: int

    @classmethod
    def of(cls, event: dict[str, Any]) -> "Options":
        """Read the event; what is not said is as the deployment has it.

        Raises
        ------
        InvalidInput
            If something is unknown or not of its type.
        """
        flags = {"dry_run", "stop_stale", "stop_closed", "redeliver", "resume"}
        unknown = event.keys() - flags - {"stale_after_hours"}
        if unknown:
            raise InvalidInput(min(unknown), f"Unknown option: {min(unknown)}.")
        hours = event.get("stale_after_hours", settings().stale_after_ms / _HOUR_MS)
        if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 < hours <= 24 * 366:
            raise InvalidInput("stale_after_hours", "stale_after_hours must be a number of hours.")
        return cls(
            dry_run=_flag(event, "dry_run", default=False),
            stop_stale=_flag(event, "stop_stale", default=True),
            stop_closed=_flag(event, "stop_closed", default=True),
            redeliver=_flag(event, "redeliver", default=True),
            resume=_flag(event, "resume", default=False),
            stale_after_ms=int(hours * _HOUR_MS),
        )

    def resuming(self, progress: Progress) -> "Options":
        """Return the options with what an earlier run has left, if that is asked for."""
        if not self.resume:
            return self
        return replace(
            self,
            stop_stale=self.stop_stale or progress.stale_left,
            stop_closed=self.stop_closed or progress.compared_ms is not None,
        )


@dataclass(slots=True)
class Summary:
    """What a run did.

    Attributes
    ----------
    stale
        Timers found open for too long.
    stopped
        Of these, how many were ended.
    failed
        Of these, how many could not be ended; the log says why, and the next run tries again.
    redelivery
        What was repaired by deliveries that were sent again, if that was asked for.
    reconcile
        What was repaired by comparing open timers with their issues, if that was asked for.
    complete
        Whether all were seen to; if not, time ran out and the next run goes on.
    """

    dry_run: bool
    stale: int = 0
    stopped: int = 0
    failed: int = 0
    redelivery: Redelivery | None = None
    reconcile: Reconciliation | None = None
    complete: bool = True


@logger.inject_lambda_context
@metrics.log_metrics
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Run the sweep and return its summary."""
    metrics.add_metric("SweepsStarted", MetricUnit.Count, 1)
    options = Options.of(event)
    progress = progress_store.read()
    options = options.resuming(progress)
    summary = Summary(dry_run=options.dry_run)

    given_ms = context.get_remaining_time_in_millis()

    def has_time(share: float = 1) -> bool:
        return context.get_remaining_time_in_millis() >= max(_RESERVE_MS, (1 - share) * given_ms)

    # What GitHub knows comes first: a timer ends when its issue was closed rather than at its limit. But
    # however GitHub does, what is stale ends.
    try:
        _repair(options, progress, summary, has_time)
    except Exception:
        summary.complete = False
        metrics.add_metric("SweepFailures", MetricUnit.Count, 1)
        logger.exception("The repair broke off")
    if options.stop_stale:
        is_left = not _stop_stale(options, summary, has_time)
        if is_left != progress.stale_left and not options.dry_run:
            progress_store.note_stale(left=is_left)
        metrics.add_metric("SweepsDone", MetricUnit.Count, int(not is_left and not options.dry_run))
        metrics.add_metric("TimersSwept", MetricUnit.Count, summary.stopped)
        metrics.add_metric("SweepFailures", MetricUnit.Count, summary.failed)
    if not options.dry_run:
        _finish_deletions(summary, has_time)
    if summary.redelivery:
        metrics.add_metric("DeliveriesRedelivered", MetricUnit.Count, summary.redelivery.redelivered)
    if summary.reconcile:
        metrics.add_metric("EventsBackfilled", MetricUnit.Count, summary.reconcile.missed)
        metrics.add_metric("SweepFailures", MetricUnit.Count, summary.reconcile.failed)
    _publish_health()
    logger.info("Sweep done", extra=asdict(summary))
    return asdict(summary)


def _publish_health() -> None:
    """Publish how the deployment does, which CloudWatch keeps and draws."""
    try:
        report = health.read(now_ms=now_ms(), stale_after_ms=settings().stale_after_ms)
    except Exception:
        logger.exception("The timers could not be counted")
        return
    metrics.add_metric("OpenTimers", MetricUnit.Count, report.open_timers)
    metrics.add_metric("StaleTimers", MetricUnit.Count, report.stale_timers)
    if report.webhook_success_rate is not None:
        metrics.add_metric("WebhookSuccessRate", MetricUnit.Percent, 100 * report.webhook_success_rate)


def _repair(
    options: Options, progress: Progress, summary: Summary, has_time: Callable[[float], bool]
) -> None:
    """Make up for what GitHub failed to deliver, if it can be asked, and note whether it can."""
    if not options.redeliver and not options.stop_closed:
        return
    try:
        credential = github.credential_kind()
    except GitHubError:
        logger.exception("The GitHub credential could not be read")
        return
    is_able = credential in {"token", "app"}
    could: dict[Capability, bool] = {}
    if not is_able:
        logger.warning("GitHub cannot be asked: nothing is repaired", extra={"credential": credential})
    if options.redeliver:
        if is_able:
            summary.redelivery = redeliverer.run(
                now_ms=now_ms(),
                has_time=lambda: has_time(_REDELIVERY_SHARE),
                dry_run=options.dry_run,
            )
        if summary.redelivery is None or summary.redelivery.trouble:
            could["redelivery"] = False
        elif summary.redelivery.listed:
            could["redelivery"] = True
    if options.stop_closed:
        if is_able:
            summary.reconcile = reconciler.run(
                # Counting begins anew, and leaves no trace.
                from_ms=None if options.dry_run else progress.compared_ms,
                clock=now_ms,
                has_time=lambda: has_time(_REPAIR_SHARE),
                dry_run=options.dry_run,
            )
        could["reconcile"] = summary.reconcile is not None and not summary.reconcile.trouble
    for repair in (summary.redelivery, summary.reconcile):
        summary.complete &= repair is None or repair.complete
    health.note_github(credential, could, now_ms=now_ms())


def _finish_deletions(summary: Summary, has_time: Callable[[], bool]) -> None:
    """Delete what is left of those who have asked to be deleted."""
    try:
        pending_deletions = list(account_deletion.pending_deletions())
    except Exception:
        summary.complete = False
        metrics.add_metric("SweepFailures", MetricUnit.Count, 1)
        logger.exception("Those who are account_deletion could not be read")
        return
    for pending in pending_deletions:
        try:
            summary.complete &= has_time() and account_deletion.finish(
                pending, now_ms=now_ms(), has_time=has_time
            )
        except Exception:
            metrics.add_metric("SweepFailures", MetricUnit.Count, 1)
            logger.exception("Somebody who is account_deletion could not be deleted")


@dataclass(slots=True)
class _Shard:
    stale: int = 0
    stopped: int = 0
    failed: int = 0
    complete: bool = True


def _stop_stale(options: Options, summary: Summary, has_time: Callable[[], bool]) -> bool:
    """End what is stale; return whether there was time for all of it."""
    now = now_ms()
    segments = timers.open_timer_segments(before_ms=now - options.stale_after_ms)
    with ThreadPoolExecutor(len(segments)) as pool:
        running = [pool.submit(_stop_stale_of, segment, options, has_time, now) for segment in segments]
    shards = [shard.result() for shard in running]
    summary.stale = sum(shard.stale for shard in shards)
    summary.stopped = sum(shard.stopped for shard in shards)
    summary.failed = sum(shard.failed for shard in shards)
    is_done = all(shard.complete for shard in shards)
    summary.complete &= is_done
    return is_done


def _stop_stale_of(
    stale: Iterable[OpenTimer], options: Options, has_time: Callable[[], bool], now: int
) -> _Shard:
    shard, limit_ms = _Shard(), options.stale_after_ms
    for timer in stale:
        if not has_time():
            shard.complete = False
            break
        shard.stale += 1
        if options.dry_run:
            continue
        try:
            stopped = timers.expire(timer.user_id, timer.ulid, limit_ms=limit_ms, now_ms=now, by="sweeper")
        except Exception:
            shard.failed += 1
            logger.exception("A stale timer could not be stopped")
        else:
            shard.stopped += stopped is not None
    return shard


def _flag(event: dict[str, Any], name: str, *, default: bool) -> bool:
    value = event.get(name, default)
    if not isinstance(value, bool):
        raise InvalidInput(name, f"{name} must be true or false.")
    return value
