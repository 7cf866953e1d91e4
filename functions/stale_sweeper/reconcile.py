"""Compares the open timers with their issues on GitHub, and makes up for what nobody told us.

The timelines of many issues are asked for in one request. What is in a timeline and not in our log
of the issue is taken in as if it had been delivered, with the time at which it happened.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from aws_lambda_powertools import Logger

from timer_core.domain.issues import Issue
from timer_core.domain.replay import TOLERANCE_MS
from timer_core.github.api.client import GitHub
from timer_core.github.api.errors import (
    GitHubError,
    NoCredential,
    QueryFailed,
    RateLimited,
    Refused,
    Unavailable,
)
from timer_core.github.api.issues import ISSUES_PER_QUESTION, Ask, ask_issues, ask_locations
from timer_core.github.api.timeline import IssueState, missing
from timer_core.github.webhooks.messages import IssueEvent, MoveEvent
from timer_core.github.webhooks.trigger_config import TriggerConfig
from timer_core.services.event_handler import EventHandler
from timer_core.store.events import EventStore
from timer_core.store.items import LOCKED_AFTER_MS
from timer_core.store.progress import ProgressStore
from timer_core.store.timers import TimerStore

# So many timers are compared, then the progress is noted: what is read at once, and what the next run
# may have to ask again. A run has time for all of them, even if GitHub finds each question too much at first.
_WINDOW = 250
_THREADS = 8
# Each issue that is not found is asked for by itself; beyond so many in a run they count as out of reach.
_MOST_SEARCHES = 500
# Of one question, without any answer. Six times, and fifty issues are down to one.
_MOST_FAILURES = 10
# For so long the client does not ask again after an error.
_MOMENT_S = 10


@dataclass(slots=True)
class Reconciliation:
    """What a run found out.

    Attributes
    ----------
    issues
        How many issues GitHub was asked about; one whose timers started far apart may count again.
    missed
        Events that nobody had told us of.
    searched
        Issues that were not found where they were.
    moved
        Of all, those that have another name by now.
    unreachable
        Issues that GitHub does not show us, or that there was no time to search for.
    failed
        Issues that could not be compared; the log says why, and the next run tries again.
    complete
        Whether all were compared; if not, the progress says where the next run begins.
    trouble
        What kept us from asking, if anything did.
    """

    issues: int = 0
    missed: int = 0
    searched: int = 0
    moved: int = 0
    unreachable: int = 0
    failed: int = 0
    complete: bool = True
    trouble: str = ""


class _BrokenOff(Exception):
    """The rest is for the next run."""


@dataclass(frozen=True, slots=True)
class _Run:
    now_ms: int
    clock: Callable[[], int]
    has_time: Callable[[], bool]
    dry_run: bool
    pool: Executor
    result: Reconciliation = field(default_factory=Reconciliation)
    # Owners for whom GitHub does not take the credential.
    silent: set[str] = field(default_factory=set)

    def check_time(self) -> None:
        if not self.has_time():
            raise _BrokenOff


class _Answer(NamedTuple):
    """The states of issues, and when they were asked for."""

    asks: Sequence[Ask]
    states: Sequence[IssueState | None]
    fetched_ms: int


class _Located(NamedTuple):
    """An issue, and where it was found when GitHub was asked; nowhere if it was deleted."""

    issue: Issue
    state: IssueState | None
    fetched_ms: int
    is_transfer: bool = False


class _Found(NamedTuple):
    missed: int = 0
    moved: int = 0
    failed: int = 0


class Reconciler:
    """Compares the open timers with their issues.

    GitHub is asked one question at a time, as its "Best practices for using the REST API" want it; what it
    answers is compared in parallel.
    """

    def __init__(
        self,
        github: GitHub,
        timers: TimerStore,
        event_store: EventStore,
        event_handler: EventHandler,
        progress: ProgressStore,
        triggers: TriggerConfig,
        logger: Logger,
    ) -> None:
        self._github = github
        self._timers = timers
        self._event_store = event_store
        self._event_handler = event_handler
        self._progress = progress
        self._triggers = triggers
        self._logger = logger

    def run(
        self, *, from_ms: int | None, clock: Callable[[], int], has_time: Callable[[], bool], dry_run: bool
    ) -> Reconciliation:
        """Compare them, the oldest first, as many as there is time for, and note how far that was.

        Parameters
        ----------
        from_ms
            Up to when an earlier run, which is gone on with, compared; None begins anew.
        clock
            Returns the present (milliseconds since the epoch), which moves on between the questions.
        dry_run
            Only counts what was missed, and notes nothing.
        """
        noted_ms = compared_ms = from_ms
        with ThreadPoolExecutor(_THREADS) as pool:
            run = _Run(clock(), clock, has_time, dry_run, pool)
            try:
                for asks, until_ms in self._windows(from_ms or 0, run.now_ms):
                    is_resumed = from_ms is not None and compared_ms == from_ms
                    if not self._compare_all(asks, run) and not is_resumed:
                        # The next run asks again, and goes on: it may be about these issues.
                        raise _BrokenOff
                    compared_ms = until_ms
                    if not dry_run and compared_ms != noted_ms:
                        self._progress.note_compared(compared_ms)
                        noted_ms = compared_ms
            except _BrokenOff:
                run.result.complete = False
                if not dry_run and noted_ms is None:
                    self._progress.note_compared(0)
        return run.result

    def _windows(self, from_ms: int, now_ms: int) -> Iterator[tuple[dict[str, Ask], int | None]]:
        """Yield the issues of some open timers, and when the next one started; None if there is none.

        With the oldest timers first, an issue is asked about since the oldest of its timers.
        """
        asks: dict[str, Ask] = {}
        count, last_ms = 0, from_ms
        for timer in self._timers.open_timers(from_ms=from_ms):
            if count >= _WINDOW and timer.since_ms > last_ms:
                yield asks, timer.since_ms
                asks, count = {}, 0
            count += 1
            last_ms = timer.since_ms
            if timer.issue is not None and timer.issue.key not in asks:
                since_ms = max(timer.since_ms - TOLERANCE_MS, now_ms - LOCKED_AFTER_MS)
                asks[timer.issue.key] = Ask(timer.issue, since_ms)
        yield asks, None

    def _compare_all(self, asks: dict[str, Ask], run: _Run) -> bool:
        """Compare issues; return whether GitHub answered at all, if it was asked.

        Raises
        ------
        _BrokenOff
            If there was no time for all of them, or a rate limit was reached.
        """
        result = run.result
        limited: set[str] = set()
        is_answered = is_unanswered = False
        for owner, batch in _questions(asks.values()):
            if owner in limited or owner in run.silent:
                continue
            try:
                for answer in self._ask(owner, batch, run):
                    is_answered = True
                    self._compare_answer(answer, run)
            except NoCredential:
                # The App is not installed there: somebody's timer, started by hand.
                result.issues += len(batch)
                result.unreachable += len(batch)
            except GitHubError as error:
                result.complete = False
                result.trouble = str(error)
                reason = {"owner": owner, "reason": result.trouble}
                self._logger.warning("GitHub could not be asked", extra=reason)
                if isinstance(error, RateLimited):
                    limited.add(owner)
                elif isinstance(error, Refused):
                    run.silent.add(owner)
                else:
                    is_unanswered = True
        if limited:
            raise _BrokenOff
        return is_answered or not is_unanswered

    def _ask(self, owner: str, asks: Sequence[Ask], run: _Run) -> Iterator[_Answer]:
        """Ask about issues, and about half as many at once if GitHub fails at that: it may be too much.

        If it is one issue that GitHub fails at, while it answers others, that one is left out.

        Raises
        ------
        Unavailable
            If GitHub answers nothing of it, or is not to be asked any more.
        """
        left, left_out, failures, is_answered = [asks], 0, 0, False
        while left:
            run.check_time()
            batch = left.pop()
            # Before it is asked: what happens while GitHub answers may not be in the answer.
            fetched_ms = run.clock()
            try:
                states = ask_issues(self._github, owner, batch)
            except RateLimited:
                raise
            except Unavailable as error:
                failures += 1
                if len(batch) > 1:
                    half = len(batch) // 2
                    left += [batch[half:], batch[:half]]
                elif is_answered or isinstance(error, QueryFailed):
                    left_out += 1
                    extra = {"issue": batch[0].issue.key}
                    self._logger.exception("GitHub fails at an issue", extra=extra)
                elif failures == 1:
                    left.append(batch)
                else:
                    raise
                if not is_answered and (not left or failures == _MOST_FAILURES):
                    # It is not the issues that it fails at.
                    raise
                self._wait_for(error)
            else:
                is_answered = True
                yield _Answer(batch, states, fetched_ms)
        run.result.issues += left_out
        run.result.failed += left_out

    def _wait_for(self, error: Unavailable) -> None:
        """Wait until GitHub may be asked again; raise the error if that is not in a moment."""
        if isinstance(error, QueryFailed):
            return
        wait_s = error.retry_after_s or _MOMENT_S
        if wait_s > _MOMENT_S:
            raise error
        time.sleep(wait_s)

    def _compare_answer(self, answer: _Answer, run: _Run) -> None:
        result = run.result
        result.issues += len(answer.asks)
        asked = zip(answer.asks, answer.states, strict=True)
        located = [self._locate(ask, state, answer.fetched_ms, run) for ask, state in asked]
        for found in run.pool.map(lambda one: self._compare(one, run), filter(None, located)):
            result.missed += found.missed
            result.moved += found.moved
            result.failed += found.failed

    def _locate(self, ask: Ask, state: IssueState | None, fetched_ms: int, run: _Run) -> _Located | None:
        """Return where an issue is; None if that is out of our reach."""
        # Names of repositories are followed by GraphQL, those of issues are not.
        if state is not None:
            return _Located(ask.issue, state, fetched_ms)
        run.check_time()
        run.result.searched += 1
        try:
            place = None
            if run.result.searched <= _MOST_SEARCHES:
                place = ask_locations(self._github, ask.issue)
            if place is None:
                run.result.unreachable += 1
                return None
            if place.issue is None:
                return _Located(ask.issue, None, fetched_ms)
            found = self._at_its_new_place(ask._replace(issue=place.issue))
            return _Located(ask.issue, found, fetched_ms, is_transfer=True)
        except RateLimited:
            raise
        except GitHubError:
            run.result.failed += 1
            self._logger.exception("An issue could not be found", extra={"issue": ask.issue.key})
            return None

    def _compare(self, located: _Located, run: _Run) -> _Found:
        try:
            return self._make_up(located, run.now_ms, dry_run=run.dry_run)
        except Exception:
            extra = {"issue": located.issue.key}
            self._logger.exception("An issue could not be compared", extra=extra)
            return _Found(failed=1)

    def _make_up(self, located: _Located, now_ms: int, *, dry_run: bool) -> _Found:
        """Take in what nobody told of an issue."""
        issue, state, fetched_ms, is_transfer = located
        if state is None:
            # GitHub does not tell when.
            gone = IssueEvent(f"gone-{_digest(issue.key)}", "deleted", issue.full_name, issue.number, now_ms)
            return _Found(missed=self._take([gone], now_ms, dry_run=dry_run))
        missed, has_moved = 0, state.issue.key != issue.key
        if has_moved:
            if dry_run:
                return _Found(moved=1)
            self._event_handler.move(_move(issue, state, now_ms, is_transfer=is_transfer), now_ms=now_ms)
        events = state.events(self._triggers, fetched_ms=fetched_ms)
        if events:
            _, known = self._event_store.known(state.issue, at_ms=now_ms)
            missed = self._take(missing(events, known), now_ms, dry_run=dry_run)
            if not dry_run:
                # Somebody may have logged one of them, and broken off.
                self._event_handler.finish(events[0], now_ms=now_ms)
        return _Found(missed=missed, moved=int(has_moved))

    def _at_its_new_place(self, ask: Ask) -> IssueState:
        """Return the state of an issue that was transferred; without its timeline if that is out of reach."""
        try:
            (state,) = ask_issues(self._github, ask.issue.owner, [ask])
        except NoCredential:
            state = None
        return state or IssueState(ask.issue, is_closed=False, assignees=frozenset())

    def _take(self, events: Sequence[IssueEvent], now_ms: int, *, dry_run: bool) -> int:
        """Take events in; return how many were about anybody."""
        missed = 0
        for event in events:
            if dry_run:
                missed += self._event_handler.concerns_anybody(event)
                continue
            taken = self._event_handler.take(event, now_ms=now_ms)
            if not taken.reason:
                missed += 1
                self._logger.info(
                    "Event made up for",
                    extra={"kind": event.kind, "timers": [timer.id for timer in taken.timers]},
                )
        return missed


def _questions(asks: Iterable[Ask]) -> Iterator[tuple[str, Sequence[Ask]]]:
    """Yield issues by their owner, as many at once as one question takes."""
    by_owner: dict[str, list[Ask]] = {}
    for ask in asks:
        by_owner.setdefault(ask.issue.owner.lower(), []).append(ask)
    for owner, of_owner in by_owner.items():
        for start in range(0, len(of_owner), ISSUES_PER_QUESTION):
            yield owner, of_owner[start : start + ISSUES_PER_QUESTION]


def _move(origin: Issue, state: IssueState, now_ms: int, *, is_transfer: bool) -> MoveEvent:
    """Return the event that GitHub should have delivered when an issue, or its repository, moved."""
    target = state.issue
    transfers = [entry.at_ms for entry in state.timeline if entry.kind == "transferred"]
    return MoveEvent(
        delivery=f"found-{now_ms}-{_digest(f'{origin.key} {target.key}')}",
        origin=origin.full_name,
        target=target.full_name,
        at_ms=transfers[-1] if is_transfer and transfers else now_ms,
        received_ms=now_ms,
        numbers=(origin.number, target.number) if is_transfer else None,
    )


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]
