"""Compares the open timers with their issues on GitHub, and makes up for what nobody told us.

The timelines of many issues are asked for in one request. What is in a timeline and not in our log
of the issue is taken in as if it had been delivered, with the time at which it happened.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from aws_lambda_powertools import Logger

from timer_core.domain.issues import Issue
from timer_core.github.client import GitHub
from timer_core.github.errors import GitHubError, NoCredential, RateLimited, Refused, Unavailable
from timer_core.github.messages import IssueEvent, MoveEvent
from timer_core.github.questions import ISSUES_PER_QUESTION, Ask, ask_issues, ask_whereabouts
from timer_core.github.timeline import TOLERANCE_MS, IssueState, missing
from timer_core.github.vocabulary import Vocabulary
from timer_core.intake import Intake
from timer_core.store.facts import FactStore
from timer_core.store.items import OPEN_SHARDS, SETTLED_AFTER_MS
from timer_core.store.timers import TimerStore

# Each issue that is not found is asked for by itself; the next run goes on with the others.
_MOST_SEARCHES = 500
# For so long the client does not ask again after an error.
_MOMENT_S = 10


@dataclass(slots=True)
class Reconciliation:
    """What a run found out.

    Attributes
    ----------
    issues
        How many issues GitHub was asked about.
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
        Whether all were compared; if not, the next run goes on.
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


class Reconciler:
    """Compares the open timers with their issues."""

    def __init__(
        self,
        github: GitHub,
        timers: TimerStore,
        facts: FactStore,
        intake: Intake,
        vocabulary: Vocabulary,
        logger: Logger,
    ) -> None:
        self._github = github
        self._timers = timers
        self._facts = facts
        self._intake = intake
        self._vocabulary = vocabulary
        self._logger = logger

    def run(self, *, now_ms: int, has_time: Callable[[], bool], dry_run: bool) -> Reconciliation:
        """Compare them all, or as many as there is time for; ``dry_run`` only counts what was missed."""
        result = Reconciliation()
        silent: set[str] = set()
        for owner, asks in self._batches(now_ms):
            if not has_time():
                result.complete = False
                break
            if owner in silent:
                continue
            try:
                states = self._ask(owner, asks)
            except NoCredential:
                # The App is not installed there: somebody's timer, started by hand.
                result.issues += len(asks)
                result.unreachable += len(asks)
                continue
            except GitHubError as error:
                result.complete = False
                result.trouble = str(error)
                reason = {"owner": owner, "reason": result.trouble}
                self._logger.warning("GitHub could not be asked", extra=reason)
                if isinstance(error, RateLimited | Refused):
                    silent.add(owner)
                continue
            for ask, state in zip(asks, states, strict=True):
                if not has_time():
                    result.complete = False
                    break
                result.issues += 1
                try:
                    self._compare(ask, state, result, now_ms, dry_run=dry_run)
                except Exception:
                    result.failed += 1
                    self._logger.exception("An issue could not be compared", extra={"issue": ask.issue.key})
        return result

    def _ask(self, owner: str, asks: Sequence[Ask]) -> list[IssueState | None]:
        """Ask about issues, and once more if GitHub has a moment's trouble."""
        try:
            return ask_issues(self._github, owner, asks)
        except RateLimited:
            raise
        except Unavailable as error:
            wait_s = error.retry_after_s or _MOMENT_S
            if wait_s > _MOMENT_S:
                raise
            time.sleep(wait_s)
            return ask_issues(self._github, owner, asks)

    def _batches(self, now_ms: int) -> Iterator[tuple[str, Sequence[Ask]]]:
        """Yield the issues that have open timers, by owner and as many as one question takes."""
        pending: dict[str, dict[str, Ask]] = {}
        asked: dict[str, int] = {}
        # In any order, so that not always the same ones are left when time runs out.
        for shard in random.sample(range(OPEN_SHARDS), OPEN_SHARDS):
            for timer in self._timers.open_timers(shard):
                if timer.issue is None:
                    continue
                issue = timer.issue
                since_ms = max(timer.since_ms - TOLERANCE_MS, now_ms - SETTLED_AFTER_MS)
                if since_ms >= asked.get(issue.key, now_ms + 1):
                    continue
                asked[issue.key] = since_ms
                owner = issue.owner.lower()
                batch = pending.setdefault(owner, {})
                batch[issue.key] = Ask(issue, since_ms)
                if len(batch) == ISSUES_PER_QUESTION:
                    yield owner, list(pending.pop(owner).values())
        for owner, batch in pending.items():
            yield owner, list(batch.values())

    def _compare(
        self, ask: Ask, state: IssueState | None, result: Reconciliation, now_ms: int, *, dry_run: bool
    ) -> None:
        issue = ask.issue
        # Names of repositories are followed by GraphQL, those of issues are not.
        is_transfer = state is None
        if state is None:
            result.searched += 1
            place = None
            if result.searched <= _MOST_SEARCHES:
                place = ask_whereabouts(self._github, issue)
            if place is None:
                result.unreachable += 1
                return
            if place.issue is None:
                # GitHub does not tell when.
                gone = IssueEvent(
                    f"gone-{_digest(issue.key)}", "deleted", issue.full_name, issue.number, now_ms
                )
                self._take([gone], result, now_ms, dry_run=dry_run)
                return
            state = self._at_its_new_place(ask._replace(issue=place.issue))
        if state.issue.key != issue.key:
            result.moved += 1
            if dry_run:
                return
            self._intake.move(_move(issue, state, now_ms, is_transfer=is_transfer), now_ms=now_ms)
        events = state.events(self._vocabulary)
        if events:
            _, known = self._facts.known(state.issue, at_ms=now_ms)
            self._take(missing(events, known), result, now_ms, dry_run=dry_run)
            if not dry_run:
                # Somebody may have logged one of them, and broken off.
                self._intake.finish(events[0], now_ms=now_ms)

    def _at_its_new_place(self, ask: Ask) -> IssueState:
        """Return the state of an issue that was transferred; without its timeline if that is out of reach."""
        try:
            (state,) = ask_issues(self._github, ask.issue.owner, [ask])
        except NoCredential:
            state = None
        return state or IssueState(ask.issue, is_closed=False, assignees=frozenset())

    def _take(
        self, events: Sequence[IssueEvent], result: Reconciliation, now_ms: int, *, dry_run: bool
    ) -> None:
        for event in events:
            if dry_run:
                result.missed += self._intake.concerns_anybody(event)
                continue
            taken = self._intake.take(event, now_ms=now_ms)
            if not taken.reason:
                result.missed += 1
                self._logger.info(
                    "Event made up for",
                    extra={"kind": event.kind, "timers": [timer.id for timer in taken.timers]},
                )


def _move(origin: Issue, state: IssueState, now_ms: int, *, is_transfer: bool) -> MoveEvent:
    """Return the event that GitHub should have delivered when an issue, or its repository, moved."""
    target = state.issue
    transfers = [entry.at_ms for entry in state.timeline if entry.kind == "transferred"]
    return MoveEvent(
        delivery=f"found-{now_ms}-{_digest(f'{origin.key} {target.key}')}",
        origin=origin.full_name,
        target=target.full_name,
        at_ms=transfers[-1] if is_transfer and transfers else now_ms,
        heard_ms=now_ms,
        numbers=(origin.number, target.number) if is_transfer else None,
    )


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]
