"""Compare open timers with their issues on GitHub, and backfill events that no webhook delivered.

A request fetches the timelines of many issues. If an event in a timeline is missing from the issue's event
log, it is handled as if it had been delivered when it happened.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import NamedTuple

from aws_lambda_powertools import Logger

from timer_core.domain.events import TOLERANCE_MS, guid_time_at
from timer_core.domain.issue_details import DELETED, STATE
from timer_core.domain.issues import Issue
from timer_core.github.api.client import GitHub
from timer_core.github.api.errors import (
    GitHubError,
    NoCredential,
    QueryFailed,
    RateLimited,
    Refused,
    Unavailable,
)
from timer_core.github.api.issue_details import DetailFields
from timer_core.github.api.issues import (
    ISSUES_PER_QUERY,
    IssueRequest,
    fetch_issues,
    identify_issue,
    locate_issue,
)
from timer_core.github.api.timeline import IssueState, missing
from timer_core.github.messages import IssueEvent, MoveEvent, Seen
from timer_core.github.trigger_config import TriggerConfig
from timer_core.services.event_handler import EventHandler, to_registers
from timer_core.services.issue_timers import IssueTimers
from timer_core.store.items import LOCKED_AFTER_MS
from timer_core.store.progress import ProgressStore
from timer_core.store.repositories import Repositories
from timer_core.store.timers import TimerStore

# Progress is stored after this many timers. The next run may compare up to this many timers again. A run has
# time for this many timers, even if every query is too expensive for GitHub and has to be split.
_WINDOW = 250
_THREADS = 8
# Each issue that was not found costs a separate request. A run searches for this many issues; further issues
# count as unreachable.
_MAX_LOOKUPS = 500
# A batch is given up after this many failures without a success. Six halvings reduce fifty issues to one.
_MAX_FAILURES = 10
# The client refuses to send requests for about this long after an error.
_PAUSE_S = 10


@dataclass(slots=True)
class Reconciliation:
    """The result of a run.

    Attributes
    ----------
    issues
        The number of requested issues. An issue may count twice if its timers started far apart.
    backfilled
        Events that no webhook had delivered. A dry run counts these events without storing them.
    searched
        Issues that GitHub did not find under their stored names.
    moved
        Issues that were transferred to another repository.
    unreachable
        Issues that GitHub does not show us, or that exceeded the number of searches in one run.
    failed
        Issues that could not be compared; the log says why, and the next run tries again.
    complete
        Whether all issues were compared. If not, the next run begins at the stored progress.
    skipped
        Whether nothing was compared, because another run was comparing the issues.
    error
        The last error of GitHub's API; empty if there was none.
    """

    issues: int = 0
    backfilled: int = 0
    searched: int = 0
    moved: int = 0
    unreachable: int = 0
    failed: int = 0
    complete: bool = True
    skipped: bool = False
    error: str = ""


class _RunEnded(Exception):
    """The run ends early, and the next run compares the remaining issues."""


@dataclass(frozen=True, slots=True)
class _Run:
    now_ms: int
    clock: Callable[[], int]
    has_time: Callable[[], bool]
    dry_run: bool
    pool: Executor
    details: DetailFields
    result: Reconciliation = field(default_factory=Reconciliation)
    # Owners for whom GitHub refuses the credential.
    refused_owners: set[str] = field(default_factory=set)
    # Owners whose rate limit is reached; the run then ends after the present window.
    limited_owners: set[str] = field(default_factory=set)

    def check_time(self) -> None:
        if not self.has_time():
            raise _RunEnded


class _Batch(NamedTuple):
    """The states of issues, and the time at which they were requested."""

    requests: Sequence[IssueRequest]
    states: Sequence[IssueState | None]
    fetched_ms: int


class _Found(NamedTuple):
    """An issue and its present state; the state is None if the issue was deleted.

    ``id_was_unknown`` tells whether the timers have only the name of the issue's repository.
    """

    issue: Issue
    state: IssueState | None
    fetched_ms: int
    id_was_unknown: bool


class _Compared(NamedTuple):
    backfilled: int = 0
    moved: int = 0
    failed: int = 0


class Reconciler:
    """Compares open timers with their issues.

    Requests are sent one after the other, according to GitHub's "Best practices for using the REST API". The
    issues of a response are compared in parallel.
    """

    def __init__(
        self,
        github: GitHub,
        timers: TimerStore,
        issue_timers: IssueTimers,
        repositories: Repositories,
        event_handler: EventHandler,
        progress: ProgressStore,
        triggers: TriggerConfig,
        logger: Logger,
    ) -> None:
        self._github = github
        self._timers = timers
        self._issue_timers = issue_timers
        self._repositories = repositories
        self._event_handler = event_handler
        self._progress = progress
        self._triggers = triggers
        self._logger = logger

    def run(
        self,
        *,
        from_ms: int | None,
        until_ms: int,
        clock: Callable[[], int],
        has_time: Callable[[], bool],
        dry_run: bool,
    ) -> Reconciliation:
        """Compare open timers, oldest first, until time runs out, and store the progress.

        Only one run compares at a time. Two runs could give the lost events of one second two orders that
        contradict each other.

        Parameters
        ----------
        from_ms
            The progress of an earlier run to continue from; None to begin with the oldest timer.
        until_ms
            The time at which this process ends at the latest.
        clock
            Returns the present time (milliseconds since the epoch), which advances between requests.
        dry_run
            Whether to count the events to backfill without storing anything.
        """
        if dry_run:
            return self._run(from_ms, clock, has_time, dry_run=True)
        if not self._progress.lease(until_ms, now_ms=clock()):
            return Reconciliation(complete=False, skipped=True)
        try:
            return self._run(from_ms, clock, has_time, dry_run=False)
        finally:
            self._progress.release(until_ms)

    def _run(
        self, from_ms: int | None, clock: Callable[[], int], has_time: Callable[[], bool], *, dry_run: bool
    ) -> Reconciliation:
        with ThreadPoolExecutor(_THREADS) as pool:
            details = DetailFields(self._triggers.status_field, self._triggers.estimate_field)
            run = _Run(clock(), clock, has_time, dry_run, pool, details)
            self._compare_windows(from_ms, run)
        return run.result

    def _compare_windows(self, from_ms: int | None, run: _Run) -> None:
        compared_ms = from_ms
        try:
            for requests, until_ms in self._windows(from_ms or 0, run.now_ms):
                is_retry = from_ms is not None and compared_ms == from_ms
                if not self._compare_window(requests, run) and not is_retry:
                    # The issues of this window may be the cause. The next run retries them once and then
                    # continues.
                    raise _RunEnded
                if until_ms != compared_ms:
                    compared_ms = until_ms
                    self._store_progress(compared_ms, run)
        except _RunEnded:
            run.result.complete = False
            if compared_ms is None:
                self._store_progress(0, run)

    def _store_progress(self, compared_ms: int | None, run: _Run) -> None:
        if not run.dry_run:
            self._progress.note_compared(compared_ms)

    def _windows(self, from_ms: int, now_ms: int) -> Iterator[tuple[dict[str, IssueRequest], int | None]]:
        """Yield the issues of each window of open timers, and the start of the next window if there is one.

        The timeline of an issue is requested from the start of the issue's oldest timer in the window.
        """
        requests: dict[str, IssueRequest] = {}
        count, last_ms = 0, from_ms
        for timer in self._timers.open_timers(from_ms=from_ms):
            if count >= _WINDOW and timer.since_ms > last_ms:
                yield requests, timer.since_ms
                requests, count = {}, 0
            count += 1
            last_ms = timer.since_ms
            if timer.issue is not None and timer.issue.key not in requests:
                since_ms = max(timer.since_ms - TOLERANCE_MS, now_ms - LOCKED_AFTER_MS)
                requests[timer.issue.key] = IssueRequest(timer.issue, since_ms)
        yield requests, None

    def _compare_window(self, requests: dict[str, IssueRequest], run: _Run) -> bool:
        """Compare issues; return False if requests to GitHub failed and none succeeded.

        Raises
        ------
        _RunEnded
            If time ran out, or a rate limit was reached.
        """
        has_succeeded = has_failed = False
        for owner, batch in _by_owner(self._with_present_names(requests.values())):
            if owner in run.limited_owners | run.refused_owners:
                continue
            try:
                for fetched in self._fetch(owner, batch, run):
                    has_succeeded = True
                    self._compare_batch(fetched, run)
            except NoCredential:
                # The account of these issues has not installed the App, so their timers were started
                # manually.
                run.result.issues += len(batch)
                run.result.unreachable += len(batch)
            except GitHubError as error:
                self._record_error(owner, error, run)
                has_failed |= not isinstance(error, RateLimited | Refused)
        if run.limited_owners:
            raise _RunEnded
        return has_succeeded or not has_failed

    def _with_present_names(self, requests: Iterable[IssueRequest]) -> list[IssueRequest]:
        """Return requests under the present names of the repositories; a former name may be another's."""
        known = list(requests)
        names = self._repositories.names(one.issue.repo_id for one in known if one.issue.repo_id)
        return [
            one._replace(issue=one.issue.in_repository(names.get(one.issue.repo_id, one.issue.full_name)))
            for one in known
        ]

    def _record_error(self, owner: str, error: GitHubError, run: _Run) -> None:
        if isinstance(error, RateLimited):
            run.limited_owners.add(owner)
        elif isinstance(error, Refused):
            run.refused_owners.add(owner)
        run.result.complete = False
        run.result.error = str(error)
        extra = {"owner": owner, "reason": run.result.error}
        self._logger.warning("A request to GitHub failed", extra=extra)

    def _fetch(self, owner: str, requests: Sequence[IssueRequest], run: _Run) -> Iterator[_Batch]:
        """Request the states of issues.

        A failed batch is halved, because the batch may be too expensive for one query. If a single issue
        fails and others succeed, the failed issue is skipped.

        Raises
        ------
        Unavailable
            If the requests fail for all of the issues, or the client pauses its requests for too long.
        """
        pending, skipped, failures, has_succeeded = [requests], 0, 0, False
        while pending:
            run.check_time()
            batch = pending.pop()
            # Read the clock before the request, because the response may lack events that happen during the
            # request.
            fetched_ms = run.clock()
            try:
                states = fetch_issues(self._github, owner, batch, run.details, fetched_ms=fetched_ms)
            except RateLimited:
                raise
            except Unavailable as error:
                failures += 1
                smaller = _smaller_batches(batch)
                if smaller:
                    pending += smaller
                elif has_succeeded or isinstance(error, QueryFailed):
                    skipped += 1
                    extra = {"issue": batch[0].issue.key}
                    self._logger.exception("GitHub could not return an issue", extra=extra)
                elif failures == 1:
                    pending.append(batch)
                else:
                    raise
                if not has_succeeded and (not pending or failures == _MAX_FAILURES):
                    # No request succeeded, so the cause is not a single issue.
                    raise
                _pause_after(error)
            else:
                has_succeeded = True
                yield _Batch(batch, states, fetched_ms)
        run.result.issues += skipped
        run.result.failed += skipped

    def _compare_batch(self, batch: _Batch, run: _Run) -> None:
        result = run.result
        result.issues += len(batch.requests)
        pairs = zip(batch.requests, batch.states, strict=True)
        located = [self._locate(request, state, batch.fetched_ms, run) for request, state in pairs]
        for compared in run.pool.map(lambda found: self._try_to_compare(found, run), filter(None, located)):
            result.backfilled += compared.backfilled
            result.moved += compared.moved
            result.failed += compared.failed

    def _locate(
        self, request: IssueRequest, state: IssueState | None, fetched_ms: int, run: _Run
    ) -> _Found | None:
        """Return an issue and its state, also after a transfer; None if the issue cannot be reached."""
        # GraphQL finds issues of renamed repositories, but not transferred issues.
        id_was_unknown = request.issue.repo_id == 0
        if state is not None:
            issue = replace(request.issue, repo_id=request.issue.repo_id or state.issue.repo_id)
            if issue.repo_id and issue.repo_id == state.issue.repo_id:
                return _Found(issue, state, fetched_ms, id_was_unknown)
            # Another repository has got the name, and no delivery has reported the new name of this one.
            run.result.unreachable += 1
            return None
        run.check_time()
        run.result.searched += 1
        try:
            origin = location = None
            if run.result.searched <= _MAX_LOOKUPS:
                origin = request.issue
                if id_was_unknown:
                    origin = identify_issue(self._github, request.issue)
                location = locate_issue(self._github, request.issue)
            if origin is None or location is None:
                run.result.unreachable += 1
                return None
            found = None
            if location.issue is not None:
                found = self._fetch_transferred(request._replace(issue=location.issue), fetched_ms, run)
            return _Found(origin, found, fetched_ms, id_was_unknown)
        except RateLimited:
            raise
        except GitHubError:
            run.result.failed += 1
            self._logger.exception("An issue could not be found", extra={"issue": request.issue.key})
            return None

    def _fetch_transferred(self, request: IssueRequest, fetched_ms: int, run: _Run) -> IssueState:
        """Return the state of a transferred issue; the timeline is empty if the issue cannot be reached."""
        try:
            owner = request.issue.owner
            (state,) = fetch_issues(self._github, owner, [request], run.details, fetched_ms=fetched_ms)
        except NoCredential:
            state = None
        if state is not None and state.issue.repo_id:
            return state
        return IssueState(request.issue, is_closed=False, assignees=frozenset())

    def _try_to_compare(self, found: _Found, run: _Run) -> _Compared:
        try:
            return self._compare(found, run.now_ms, dry_run=run.dry_run)
        except Exception:
            extra = {"issue": found.issue.key}
            self._logger.exception("An issue could not be compared", extra=extra)
            return _Compared(failed=1)

    def _compare(self, found: _Found, now_ms: int, *, dry_run: bool) -> _Compared:
        """Backfill the events of an issue."""
        issue, state, fetched_ms, id_was_unknown = found
        if id_was_unknown and not dry_run:
            # GitHub also finds a repository under a former name, which is not its present name.
            self._issue_timers.observe(issue.repository, guid_time_at(fetched_ms) - 1, now_ms=fetched_ms)
        if state is None:
            deletion = _deletion(issue, now_ms)
            return _Compared(backfilled=self._backfill([deletion], now_ms, dry_run=dry_run))
        has_moved = state.issue.key != issue.key
        if has_moved and dry_run:
            return _Compared(moved=1)
        if not dry_run and (has_moved or state.issue.full_name != issue.full_name):
            self._issue_timers.observe(state.issue.repository, guid_time_at(fetched_ms), now_ms=fetched_ms)
        if has_moved:
            self._event_handler.move(_move(issue, state, now_ms), now_ms=now_ms)
        if state.seen and not dry_run:
            self._issue_timers.record_details(state.issue, to_registers(state.seen), now_ms=now_ms)
        backfilled = 0
        events = state.events(self._triggers, fetched_ms=fetched_ms)
        if events:
            logged = self._issue_timers.logged(state.issue)
            backfilled = self._backfill(missing(events, logged), now_ms, dry_run=dry_run)
            if not dry_run:
                # Another process may have logged an event, and failed before it changed the timers.
                self._event_handler.rederive(state.issue, now_ms=now_ms)
        return _Compared(backfilled=backfilled, moved=int(has_moved))

    def _backfill(self, events: Sequence[IssueEvent], now_ms: int, *, dry_run: bool) -> int:
        """Handle events; return how many concern tracked users."""
        backfilled = 0
        for event in events:
            if dry_run:
                backfilled += self._event_handler.concerns_tracked_users(event)
                continue
            handled = self._event_handler.handle(event, now_ms=now_ms)
            if not handled.reason:
                backfilled += 1
                self._logger.info(
                    "Event backfilled",
                    extra={"kind": event.kind, "timers": [timer.id for timer in handled.timers]},
                )
        return backfilled


def _by_owner(requests: Iterable[IssueRequest]) -> Iterator[tuple[str, Sequence[IssueRequest]]]:
    """Yield the requests of each owner, in batches that fit into one query."""
    by_owner: dict[str, list[IssueRequest]] = {}
    for request in requests:
        by_owner.setdefault(request.issue.owner.lower(), []).append(request)
    for owner, of_owner in by_owner.items():
        for start in range(0, len(of_owner), ISSUES_PER_QUERY):
            yield owner, of_owner[start : start + ISSUES_PER_QUERY]


def _smaller_batches(batch: Sequence[IssueRequest]) -> list[Sequence[IssueRequest]]:
    """Return the halves of a batch, the second half first; nothing for a single issue."""
    half = len(batch) // 2
    return [batch[half:], batch[:half]] if half else []


def _pause_after(error: Unavailable) -> None:
    """Wait until the client sends requests again; raise the error if that takes too long."""
    if isinstance(error, QueryFailed):
        return
    wait_s = error.retry_after_s or _PAUSE_S
    if wait_s > _PAUSE_S:
        raise error
    time.sleep(wait_s)


def _deletion(issue: Issue, now_ms: int) -> IssueEvent:
    """Return the event of an issue's deletion at the present time; GitHub does not report the real time."""
    delivery = f"gone-{_digest(issue.key)}"
    seen: Seen = {STATE: [now_ms, 0, DELETED]}
    return IssueEvent(delivery, "deleted", issue.repo_id, issue.full_name, issue.number, now_ms, seen=seen)


def _move(origin: Issue, state: IssueState, now_ms: int) -> MoveEvent:
    """Return the event for an undelivered transfer of an issue."""
    target = state.issue
    transfers = [entry.at_ms for entry in state.timeline if entry.kind == "transferred"]
    return MoveEvent(
        delivery=f"found-{now_ms}-{_digest(f'{origin.key} {target.key}')}",
        origin=origin.full_name,
        target=target.full_name,
        at_ms=transfers[-1] if transfers else now_ms,
        numbers=(origin.number, target.number),
        repo_ids=(origin.repo_id, target.repo_id),
    )


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]
