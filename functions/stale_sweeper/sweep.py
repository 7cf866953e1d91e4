"""The sweep: stop forgotten timers, and repair the effects of lost deliveries.

A run ends before Lambda's time limit, and the next run continues the work. Stopped timers are no longer in
the index of open timers. The progress of reconciliation is stored.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import partial
from typing import Any

from aws_lambda_powertools import Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from timer_core import startup
from timer_core.clients import client
from timer_core.clock import now_ms
from timer_core.domain.errors import ErrorCode, InvalidInput
from timer_core.github.api.client import GitHub
from timer_core.github.api.credentials import CredentialParameter
from timer_core.github.api.errors import GitHubError
from timer_core.observability import make_logger, publish
from timer_core.services.event_handler import EventHandler
from timer_core.services.issue_timers import IssueTimers
from timer_core.services.lead_teams import LeadTeamRepair, LeadTeams
from timer_core.services.reconciliation import Reconciler, Reconciliation
from timer_core.services.redelivery import Redeliverer, Redelivery
from timer_core.services.stale_timers import StaleTimerStopper
from timer_core.services.write_back_queue import WriteBackQueue
from timer_core.settings import settings
from timer_core.store.account_deletion import AccountDeletionStore
from timer_core.store.calendars import Calendars
from timer_core.store.health import Capability, HealthStore
from timer_core.store.hooks import HookStore
from timer_core.store.lead_teams import LeadTeamStore
from timer_core.store.people import PeopleStore
from timer_core.store.progress import Progress, ProgressStore
from timer_core.store.repositories import Repositories
from timer_core.store.retention import Retention
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from timer_core.store.timesheets import Timesheets

logger = make_logger("stale-sweeper")
tracer = Tracer(service="stale-sweeper", patch_modules=["botocore"])

table = Table(settings().table_name)
timers = TimerStore(table)
issue_timers = IssueTimers(table, timers)
event_handler = EventHandler(
    issue_timers,
    timers,
    PeopleStore(table),
    track_unregistered=settings().track_unregistered,
    # The next run finds a timer that did not follow a move.
    again_after_ms=0,
)
account_deletion = AccountDeletionStore(table, track_unregistered=settings().track_unregistered)
health = HealthStore(table)
progress_store = ProgressStore(table)
github = GitHub(
    CredentialParameter(settings().github_credential),
    api_url=settings().github_api_url,
    # GitHub ends a query after ten seconds, and a query about many issues may take that long.
    read_s=11,
)
redeliverer = Redeliverer(github, HookStore(table), logger)
calendars = Calendars(table)
timesheets = Timesheets(table, timers, calendars)
lead_teams = LeadTeams(github, LeadTeamStore(table), settings().triggers.lead_teams, logger)
stale_timer_stopper = StaleTimerStopper(
    timers,
    issue_timers,
    timesheets,
    Retention(table, calendars),
    settings().retention_days,
    logger,
)
reconciler = Reconciler(
    github,
    timers,
    issue_timers,
    Repositories(table),
    event_handler,
    progress_store,
    settings().triggers,
    logger,
)

write_back_queue = WriteBackQueue(partial(client, "sqs"), settings().write_back_queue_url)

# The longest time that one step of a run takes.
_RESERVE_MS = 15_000
# Redelivery may use 30 % of a run. Redelivery and reconciliation together may use 60 %. The rest of the run
# stops stale timers.
_REPAIR_SHARE = 0.6
_REDELIVERY_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Options:
    """The options in the function's event.

    Attributes
    ----------
    dry_run
        Whether to only count, without changing anything.
    stop_stale
        Whether to stop stale timers, store the days that are behind, freeze locked days, and delete the
        details of confirmed time.
    stop_closed
        Whether to compare open timers with the state of their issues on GitHub, and to list the members of
        all lead teams. The members of lead teams that are new are listed by every run.
    redeliver
        Whether to have GitHub redeliver its failed deliveries.
    resume
        Whether to also continue the unfinished work of an earlier run.
    """

    dry_run: bool
    stop_stale: bool
    stop_closed: bool
    redeliver: bool
    resume: bool

    @classmethod
    def of(cls, event: dict[str, Any]) -> "Options":
        """Read the options in an event; the defaults are those of the deployment.

        Raises
        ------
        InvalidInput
            If an option is unknown or has a wrong type.
        """
        flags = {"dry_run", "stop_stale", "stop_closed", "redeliver", "resume"}
        unknown = event.keys() - flags
        if unknown:
            raise InvalidInput(min(unknown), f"Unknown option: {min(unknown)}.", ErrorCode.UNKNOWN_FIELD)
        return cls(
            dry_run=_flag(event, "dry_run", default=False),
            stop_stale=_flag(event, "stop_stale", default=True),
            stop_closed=_flag(event, "stop_closed", default=True),
            redeliver=_flag(event, "redeliver", default=True),
            resume=_flag(event, "resume", default=False),
        )

    def resuming(self, progress: Progress, locked_until: date | None) -> "Options":
        """Return these options. If `resume` is set, add the unfinished parts of an earlier run.

        These include the days that were locked or opened since.
        """
        if not self.resume:
            return self
        return replace(
            self,
            stop_stale=self.stop_stale
            or progress.stale_after is not None
            or progress.locked_until != locked_until,
            stop_closed=self.stop_closed or progress.compared_ms is not None,
        )


@dataclass(slots=True)
class Summary:
    """The result of a run.

    Attributes
    ----------
    stale
        The number of stale timers.
    stopped
        The number of stale timers that were stopped.
    failed
        The number of people whose timers or days could not be handled; the log has the errors, and the next
        run retries.
    redelivery
        The result of redelivery, if it ran.
    reconcile
        The result of reconciliation, if it ran.
    lead_teams
        The result of listing the members of lead teams, if it ran.
    complete
        Whether there was time for everything; if not, the next run continues.
    """

    dry_run: bool
    stale: int = 0
    stopped: int = 0
    failed: int = 0
    redelivery: Redelivery | None = None
    reconcile: Reconciliation | None = None
    lead_teams: LeadTeamRepair | None = None
    complete: bool = True


@startup.completes
@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Run the sweep; return its summary."""
    options = Options.of(event)
    progress = progress_store.read()
    calendars.forget_organization()
    locked_until = calendars.locked_until()
    is_daily = options.stop_stale and not options.dry_run
    options = options.resuming(progress, locked_until)
    summary = Summary(dry_run=options.dry_run)

    total_ms = context.get_remaining_time_in_millis()
    if is_daily:
        _queue_open_issues()

    def has_time(share: float = 1) -> bool:
        return context.get_remaining_time_in_millis() >= max(_RESERVE_MS, (1 - share) * total_ms)

    # Repair before stopping stale timers. If the issue of a stale timer was closed, the repair stops the
    # timer at the time of the close, instead of at the timer's limit. If the repair fails, stale timers are
    # still stopped.
    try:
        _repair(options, progress, summary, has_time, until_ms=now_ms() + total_ms)
    except Exception:
        summary.complete = False
        _count_failures(1)
        logger.exception("The repair failed")
    if options.stop_stale:
        _stop_stale(options, progress, summary, has_time, locked_until)
    if not options.dry_run:
        _finish_deletions(summary, has_time)
    _publish_health()
    logger.info("Sweep done", extra=asdict(summary))
    return asdict(summary)


def _queue_open_issues() -> None:
    """Queue the issues of open timers, whose time has grown since yesterday.

    The queue delays them until this run has repaired what it can.
    """
    if not write_back_queue.is_on:
        return
    try:
        issues = [one.issue for segment in timers.open_timer_segments() for one in segment if one.issue]
        write_back_queue.send(issues)
    except Exception:
        _count_failures(1)
        logger.exception("The issues of open timers could not be queued")


def _repair(
    options: Options,
    progress: Progress,
    summary: Summary,
    has_time: Callable[[float], bool],
    *,
    until_ms: int,
) -> None:
    """List lead teams, redeliver failed deliveries, backfill lost events, and record what GitHub allows."""
    if not options.redeliver and not options.stop_closed:
        return
    if not options.dry_run:
        lead_teams.forget_former()
    try:
        credential = github.credential_kind()
    except GitHubError:
        logger.exception("The GitHub credential could not be read")
        return
    if credential in {"token", "app"}:
        if not options.dry_run:
            summary.lead_teams = lead_teams.repair(
                all_teams=options.stop_closed, has_time=lambda: has_time(_REPAIR_SHARE)
            )
            summary.complete &= summary.lead_teams.complete
            _count_failures(bool(summary.lead_teams.error))
        if options.redeliver:
            summary.redelivery = _redeliver(options, has_time)
            summary.complete &= summary.redelivery.complete
        if options.stop_closed:
            summary.reconcile = _reconcile(options, progress, has_time, until_ms)
            summary.complete &= summary.reconcile.complete
    else:
        logger.warning(
            "No usable credential for GitHub: nothing is repaired", extra={"credential": credential}
        )
    health.note_github(credential, _allowed(options, summary), now_ms=now_ms())


def _allowed(options: Options, summary: Summary) -> dict[Capability, bool]:
    """Return which of the requested repairs GitHub allows.

    If a run listed no webhook, the result does not contain redelivery, because GitHub was not asked.
    """
    allowed: dict[Capability, bool] = {}
    redelivery, reconciliation = summary.redelivery, summary.reconcile
    if summary.lead_teams and (summary.lead_teams.error or summary.lead_teams.listed):
        allowed["lead_teams"] = not summary.lead_teams.error
    if options.redeliver and (redelivery is None or redelivery.error or redelivery.listed):
        allowed["redelivery"] = redelivery is not None and not redelivery.error
    if options.stop_closed and not (reconciliation and reconciliation.skipped):
        allowed["reconcile"] = reconciliation is not None and not reconciliation.error
    return allowed


def _redeliver(options: Options, has_time: Callable[[float], bool]) -> Redelivery:
    return redeliverer.run(
        now_ms=now_ms(), has_time=lambda: has_time(_REDELIVERY_SHARE), dry_run=options.dry_run
    )


def _reconcile(
    options: Options, progress: Progress, has_time: Callable[[float], bool], until_ms: int
) -> Reconciliation:
    reconciliation = reconciler.run(
        # A dry run begins with the oldest timer and stores no progress.
        from_ms=None if options.dry_run else progress.compared_ms,
        until_ms=until_ms,
        clock=now_ms,
        has_time=lambda: has_time(_REPAIR_SHARE),
        dry_run=options.dry_run,
    )
    _count_failures(reconciliation.failed)
    return reconciliation


def _stop_stale(
    options: Options,
    progress: Progress,
    summary: Summary,
    has_time: Callable[[], bool],
    locked_until: date | None,
) -> None:
    result = stale_timer_stopper.run(
        after=progress.stale_after, now_ms=now_ms(), has_time=has_time, dry_run=options.dry_run
    )
    summary.stale, summary.stopped, summary.failed = result.found, result.stopped, result.failed
    is_complete = result.after is None
    summary.complete &= is_complete
    if not options.dry_run:
        progress_store.note_stale(progress.stale_found + result.found, after=result.after)
        # A run that continued an earlier one has not frozen the days of the people before it.
        is_for_everybody = is_complete and progress.stale_after is None and not result.failed
        if is_for_everybody and progress.locked_until != locked_until:
            progress_store.note_locked(locked_until)
    if is_complete and not options.dry_run:
        publish("SweepsDone", 1)
    _count_failures(result.failed)


def _finish_deletions(summary: Summary, has_time: Callable[[], bool]) -> None:
    """Continue the pending account deletions."""
    try:
        pending_deletions = list(account_deletion.pending_deletions())
    except Exception:
        summary.complete = False
        _count_failures(1)
        logger.exception("The pending account deletions could not be read")
        return
    for pending in pending_deletions:
        try:
            summary.complete &= has_time() and account_deletion.finish(
                pending, now_ms=now_ms(), has_time=has_time
            )
        except Exception:
            _count_failures(1)
            logger.exception("An account could not be deleted")


def _count_failures(count: int) -> None:
    """Publish the failures that SweepFailureAlarm reads; an hour without failures has no data."""
    if count:
        publish("SweepFailures", count)


def _publish_health() -> None:
    """Publish the state of the deployment as metrics."""
    try:
        report = health.read(now_ms=now_ms())
    except Exception:
        logger.exception("The timers could not be counted")
        return
    publish("OpenTimers", report.open_timers)
    publish("StaleTimers", report.stale_timers)
    if report.webhook_success_rate is not None:
        publish("WebhookSuccessRate", 100 * report.webhook_success_rate, MetricUnit.Percent)


def _flag(event: dict[str, Any], name: str, *, default: bool) -> bool:
    value = event.get(name, default)
    if not isinstance(value, bool):
        raise InvalidInput(name, f"{name} must be true or false.", ErrorCode.INVALID_VALUE)
    return value
