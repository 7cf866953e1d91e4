"""Ends the timers that were forgotten, and repairs what GitHub failed to deliver.

Each shard of the index of open timers is read a page at a time, oldest first, so that memory
stays flat however many there are, and several threads end the timers of a page. Before the time
limit the rest is left for the next run: what was ended is no longer in the index.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from typing import Any

from aws_lambda_powertools import Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from stale_sweeper.reconcile import Reconciler, Reconciliation
from stale_sweeper.redeliver import Redeliverer, Redelivery
from timer_core.clock import now_ms
from timer_core.domain.errors import InvalidInput
from timer_core.github.client import GitHub
from timer_core.github.credentials import CredentialParameter
from timer_core.github.errors import GitHubError, InvalidCredential
from timer_core.github.vocabulary import Vocabulary
from timer_core.intake import Intake
from timer_core.observability import make_logger, make_metrics
from timer_core.settings import settings
from timer_core.store.facts import FactStore
from timer_core.store.health import Capability, HealthStore
from timer_core.store.hooks import HookStore
from timer_core.store.items import OPEN_SHARDS
from timer_core.store.people import PeopleStore
from timer_core.store.table import Table
from timer_core.store.timers import OpenTimer, TimerStore

logger = make_logger("stale-sweeper")
metrics = make_metrics("stale-sweeper")
tracer = Tracer(service="stale-sweeper", patch_modules=["botocore"])

table = Table(settings().table_name)
timers = TimerStore(table, exclusive=settings().exclusive)
facts = FactStore(table, timers)
intake = Intake(facts, timers, PeopleStore(table), track_unregistered=settings().track_unregistered)
health = HealthStore(table)
github = GitHub(CredentialParameter(settings().github_credential), api_url=settings().github_api_url)
redeliverer = Redeliverer(github, HookStore(table), logger)
reconciler = Reconciler(github, timers, facts, intake, Vocabulary.from_environment(), logger)

_HOUR_MS = 3_600_000
_THREADS = 8
# What is under way when time runs out needs this long at most.
_RESERVE_MS = 15_000
# Of a run's time, for what GitHub is asked.
_REPAIR_SHARE = 0.6


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
    stale_after_ms
        For how long a timer may be open.
    """

    dry_run: bool
    stop_stale: bool
    stop_closed: bool
    redeliver: bool
    stale_after_ms: int

    @classmethod
    def of(cls, event: dict[str, Any]) -> "Options":
        """Read the event; what is not said is as the deployment has it.

        Raises
        ------
        InvalidInput
            If something is unknown or not of its type.
        """
        unknown = event.keys() - {"dry_run", "stop_stale", "stop_closed", "redeliver", "stale_after_hours"}
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
            stale_after_ms=int(hours * _HOUR_MS),
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
    options = Options.of(event)
    summary = Summary(dry_run=options.dry_run)

    given_ms = context.get_remaining_time_in_millis()

    def has_time(share: float = 1) -> bool:
        return context.get_remaining_time_in_millis() >= max(_RESERVE_MS, (1 - share) * given_ms)

    # What GitHub knows comes first: a timer ends when its issue was closed rather than at its limit. But
    # however GitHub does, what is stale ends.
    try:
        _repair(options, summary, lambda: has_time(_REPAIR_SHARE))
    except Exception:
        summary.complete = False
        logger.exception("The repair broke off")
    if options.stop_stale:
        _stop_stale(options, summary, has_time)
    metrics.add_metric("StaleTimers", MetricUnit.Count, summary.stale)
    metrics.add_metric("TimersSwept", MetricUnit.Count, summary.stopped)
    metrics.add_metric("SweepFailures", MetricUnit.Count, summary.failed)
    logger.info("Sweep done", extra=asdict(summary))
    return asdict(summary)


def _repair(options: Options, summary: Summary, has_time: Callable[[], bool]) -> None:
    """Make up for what GitHub failed to deliver, if it can be asked, and note whether it can."""
    if not options.redeliver and not options.stop_closed:
        return
    credential = _credential_kind()
    if credential is None:
        return
    is_able = credential in {"token", "app"}
    could: dict[Capability, bool] = {}
    if not is_able:
        logger.warning("GitHub cannot be asked: nothing is repaired", extra={"credential": credential})
    if options.redeliver:
        if is_able:
            summary.redelivery = redeliverer.run(now_ms=now_ms(), has_time=has_time, dry_run=options.dry_run)
        could["redelivery"] = summary.redelivery is not None and not summary.redelivery.trouble
    if options.stop_closed:
        if is_able:
            summary.reconcile = reconciler.run(now_ms=now_ms(), has_time=has_time, dry_run=options.dry_run)
        could["reconcile"] = summary.reconcile is not None and not summary.reconcile.trouble
    for repair in (summary.redelivery, summary.reconcile):
        summary.complete &= repair is None or repair.complete
    health.note_github(credential, could, now_ms=now_ms())


def _credential_kind() -> str | None:
    """Return what kind of credential there is, None if it cannot be read now."""
    try:
        return github.credential_kind()
    except InvalidCredential as error:
        logger.warning(str(error))
        return "invalid"
    except GitHubError:
        logger.exception("The GitHub credential could not be read")
        return None


def _stop_stale(options: Options, summary: Summary, has_time: Callable[[], bool]) -> None:
    now = now_ms()
    pending: set[Future[bool]] = set()
    with ThreadPoolExecutor(_THREADS) as pool:
        for timer in _stale(now - options.stale_after_ms):
            if not has_time():
                summary.complete = False
                break
            summary.stale += 1
            if options.dry_run:
                continue
            pending.add(pool.submit(_stop, timer, options.stale_after_ms, now))
            if len(pending) >= 2 * _THREADS:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                _tally(done, summary)
        _tally(wait(pending).done, summary)


def _stale(before_ms: int) -> Iterator[OpenTimer]:
    for shard in range(OPEN_SHARDS):
        yield from timers.open_timers(shard, before_ms=before_ms)


def _stop(timer: OpenTimer, limit_ms: int, now: int) -> bool:
    stopped = timers.expire(timer.user_id, timer.ulid, limit_ms=limit_ms, now_ms=now, by="sweeper")
    return stopped is not None


def _tally(done: set[Future[bool]], summary: Summary) -> None:
    for future in done:
        try:
            summary.stopped += future.result()
        except Exception:
            summary.failed += 1
            logger.exception("A stale timer could not be stopped")


def _flag(event: dict[str, Any], name: str, *, default: bool) -> bool:
    value = event.get(name, default)
    if not isinstance(value, bool):
        raise InvalidInput(name, f"{name} must be true or false.")
    return value
