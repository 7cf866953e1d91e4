"""Has GitHub send again what did not get through.

GitHub does not do so by itself, and on request for three days ("Handling failed webhook deliveries").
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

from aws_lambda_powertools import Logger

from timer_core.github.client import GitHub
from timer_core.github.deliveries import Attempt, attempts, redeliver
from timer_core.github.errors import GitHubError, NoCredential, Refused
from timer_core.github.events import READERS, REDELIVERY_WINDOW
from timer_core.store.hooks import HookStore, KnownHook

_MS = timedelta(milliseconds=1)
# A delivery is listed a little after it was made.
_OVERLAP_MS = 5 * 60_000
# Of one webhook in one run; the next goes on.
_MOST = 250
# What we answer when there is too much at once, or too slowly.
_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
_HANDLED = {event.partition(".")[0] for event in READERS}


@dataclass(slots=True)
class Redelivery:
    """What a run had sent again.

    Attributes
    ----------
    failed
        Deliveries that did not get through since the run before, and have not since.
    redelivered
        Of these, how many GitHub sends again.
    given_up
        Of these, how many it does not: too old, or refused by us twice.
    unreachable
        Webhooks whose deliveries GitHub does not show us, for example one that an App has replaced.
    complete
        Whether all were seen to; if not, the next run goes on.
    trouble
        What kept us from asking, if anything did.
    """

    failed: int = 0
    redelivered: int = 0
    given_up: int = 0
    unreachable: int = 0
    complete: bool = True
    trouble: str = ""


class Redeliverer:
    """Asks for the failed deliveries of all webhooks that deliveries came from."""

    def __init__(self, github: GitHub, hooks: HookStore, logger: Logger) -> None:
        self._github = github
        self._hooks = hooks
        self._logger = logger

    def run(self, *, now_ms: int, has_time: Callable[[], bool], dry_run: bool) -> Redelivery:
        """Have sent again what did not get through since the last run; ``dry_run`` only counts."""
        result = Redelivery()
        reached, refusal = False, ""
        # A repository that was renamed has two paths to the same webhook.
        seen: set[str] = set()
        for hook in self._hooks.known():
            if not has_time():
                result.complete = False
                break
            try:
                self._repair(hook, seen, result, now_ms, has_time, dry_run=dry_run)
                reached = True
            except (Refused, NoCredential) as error:
                result.unreachable += 1
                refusal = str(error)
                if isinstance(error, Refused) and error.status == HTTPStatus.NOT_FOUND and not dry_run:
                    # Removed, or out of our reach: the next delivery from it makes it known again.
                    self._hooks.forget(hook.path)
                self._logger.warning(
                    "A webhook is out of reach", extra={"hook": hook.path, "reason": refusal}
                )
            except GitHubError as error:
                result.complete = False
                result.trouble = str(error)
                reason = {"hook": hook.path, "reason": result.trouble}
                self._logger.warning("Failed deliveries could not be repaired", extra=reason)
        if not reached:
            result.trouble = result.trouble or refusal
        return result

    def _repair(
        self,
        hook: KnownHook,
        seen: set[str],
        result: Redelivery,
        now_ms: int,
        has_time: Callable[[], bool],
        *,
        dry_run: bool,
    ) -> None:
        owner = _owner(hook.path)
        since_ms = max(now_ms - REDELIVERY_WINDOW // _MS, hook.repaired_ms or 0)
        latest: dict[str, Attempt] = {}
        through: set[str] = set()
        for attempt in attempts(self._github, hook.path, owner, since_ms, has_time):
            if attempt.got_through:
                through.add(attempt.guid)
            elif attempt.event in _HANDLED:
                latest.setdefault(attempt.guid, attempt)
        failed = [one for guid, one in latest.items() if guid not in through and guid not in seen]
        failed.sort(key=lambda attempt: attempt.attempt_id)
        seen.update(latest)
        # What was made while the list was read is in the next one.
        until_ms = now_ms - _OVERLAP_MS
        try:
            for count, attempt in enumerate(failed):
                if count == _MOST or not has_time():
                    result.complete = False
                    until_ms = attempt.at_ms
                    break
                until_ms = attempt.at_ms
                self._send(hook, owner, attempt, result, dry_run=dry_run)
            else:
                until_ms = now_ms - _OVERLAP_MS
        finally:
            if not dry_run:
                self._hooks.repaired(hook.path, until_ms)

    def _send(
        self, hook: KnownHook, owner: str | None, attempt: Attempt, result: Redelivery, *, dry_run: bool
    ) -> None:
        result.failed += 1
        if attempt.is_repeated and 400 <= attempt.status < 500 and attempt.status not in _PASSING:
            # We refuse it, and do so again as long as nobody mends the cause.
            result.given_up += 1
            self._logger.warning("A delivery is refused again and again", extra={"guid": attempt.guid})
            return
        if dry_run:
            return
        try:
            redeliver(self._github, hook.path, owner, attempt.attempt_id)
        except Refused as refused:
            result.given_up += 1
            reason = {"guid": attempt.guid, "reason": refused.reason}
            self._logger.warning("A delivery is not sent again", extra=reason)
        else:
            result.redelivered += 1


def _owner(path: str) -> str | None:
    """Return who owns a webhook; None if it is the App's own."""
    _, kind, owner, *_ = path.split("/")
    return None if kind == "app" else owner
