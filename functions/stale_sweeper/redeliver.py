"""Has GitHub send again what did not get through.

GitHub does not do so by itself, and on request for three days ("Handling failed webhook deliveries").
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus

from aws_lambda_powertools import Logger

from timer_core.github.client import GitHub
from timer_core.github.deliveries import Attempt, attempts, redeliver
from timer_core.github.errors import GitHubError, NoCredential, Refused
from timer_core.github.events import READERS, REDELIVERY_WINDOW
from timer_core.github.messages import APP_HOOK
from timer_core.store.hooks import HookStore, KnownHook

_MS = timedelta(milliseconds=1)
# A delivery is listed a little after it was made.
_OVERLAP_MS = 5 * 60_000
# Of one webhook in one run; the next goes on.
_MOST = 250
# What we answer when there is too much at once, or too slowly.
_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
# What GitHub answers if it does not send this one again, for example because it is too old. Any other refusal
# is about all of them.
_NOT_THIS_ONE = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.GONE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}
_HANDLED = {event.partition(".")[0] for event in READERS}


@dataclass(slots=True)
class Redelivery:
    """What a run had sent again.

    Attributes
    ----------
    listed
        Webhooks whose deliveries GitHub showed us.
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

    listed: int = 0
    failed: int = 0
    redelivered: int = 0
    given_up: int = 0
    unreachable: int = 0
    complete: bool = True
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class _Run:
    now_ms: int
    has_time: Callable[[], bool]
    dry_run: bool
    result: Redelivery = field(default_factory=Redelivery)
    # What is sent again: a repository that was renamed has two paths to the same webhook.
    sent: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Failures:
    """The last attempts of deliveries that did not get through, the oldest first, and if they are all."""

    attempts: Sequence[Attempt]
    complete: bool


class Redeliverer:
    """Asks for the failed deliveries of all webhooks that deliveries came from, and of the App's."""

    def __init__(self, github: GitHub, hooks: HookStore, logger: Logger) -> None:
        self._github = github
        self._hooks = hooks
        self._logger = logger

    def run(self, *, now_ms: int, has_time: Callable[[], bool], dry_run: bool) -> Redelivery:
        """Have sent again what did not get through since the last run; ``dry_run`` only counts."""
        run = _Run(now_ms, has_time, dry_run)
        result, refusal = run.result, ""
        is_app = self._github.credential_kind() == "app"
        if is_app and not dry_run:
            # Its deliveries may fail from the first one on.
            self._hooks.note(APP_HOOK, now_ms=now_ms)
        for hook in self._hooks.known():
            if hook.path == APP_HOOK and not is_app:
                # That of an App that a token has replaced; only the App may ask for it.
                continue
            if not has_time():
                result.complete = False
                break
            try:
                failures = self._failures(hook, run)
            except (Refused, NoCredential) as error:
                result.unreachable += 1
                refusal = str(error)
                if _is_for_good(error, is_app=is_app) and not dry_run:
                    # The next delivery from it makes it known again.
                    self._hooks.forget(hook.path)
                reason = {"hook": hook.path, "reason": refusal}
                self._logger.warning("A webhook is out of reach", extra=reason)
                continue
            except GitHubError as error:
                self._break_off(hook, error, run)
                continue
            result.listed += 1
            try:
                self._repair(hook, failures, run)
            except GitHubError as error:
                self._break_off(hook, error, run)
        if not result.listed:
            result.trouble = result.trouble or refusal
        return result

    def _break_off(self, hook: KnownHook, error: GitHubError, run: _Run) -> None:
        run.result.complete = False
        run.result.trouble = str(error)
        reason = {"hook": hook.path, "reason": run.result.trouble}
        self._logger.warning("Failed deliveries could not be repaired", extra=reason)

    def _failures(self, hook: KnownHook, run: _Run) -> _Failures:
        """Ask what did not get through since the last run, as long as there is time."""
        since_ms = max(run.now_ms - REDELIVERY_WINDOW // _MS, hook.repaired_ms or 0)
        latest: dict[str, Attempt] = {}
        through: set[str] = set()
        is_all = False
        for page in attempts(self._github, hook.path, _owner(hook.path), since_ms):
            for attempt in page.attempts:
                if attempt.got_through:
                    through.add(attempt.guid)
                elif attempt.event in _HANDLED:
                    latest.setdefault(attempt.guid, attempt)
            is_all = page.is_last
            if not run.has_time():
                break
        failed = [one for guid, one in latest.items() if guid not in through and guid not in run.sent]
        return _Failures(sorted(failed, key=lambda attempt: attempt.attempt_id), is_all)

    def _repair(self, hook: KnownHook, failures: _Failures, run: _Run) -> None:
        """Have failed deliveries sent again, and note up to when they are."""
        left = deque(failures.attempts)
        run.result.complete &= failures.complete
        try:
            for _ in range(_MOST):
                if not left or not run.has_time():
                    break
                self._send(hook, left[0], run)
                left.popleft()
            run.result.complete &= not left
        finally:
            # What was made while the list was read is in the next one.
            until_ms = run.now_ms - _OVERLAP_MS
            if left:
                until_ms = min(until_ms, left[0].at_ms)
            # What was not listed is older than all that was.
            if failures.complete and not run.dry_run:
                self._hooks.repaired(hook.path, until_ms)

    def _send(self, hook: KnownHook, attempt: Attempt, run: _Run) -> None:
        run.result.failed += 1
        if attempt.is_repeated and 400 <= attempt.status < 500 and attempt.status not in _PASSING:
            # We refuse it, and do so again as long as nobody mends the cause.
            run.result.given_up += 1
            self._logger.warning("A delivery is refused again and again", extra={"guid": attempt.guid})
            return
        if run.dry_run:
            run.sent.add(attempt.guid)
            return
        try:
            redeliver(self._github, hook.path, _owner(hook.path), attempt.attempt_id)
        except Refused as refused:
            if refused.status not in _NOT_THIS_ONE:
                raise
            run.result.given_up += 1
            reason = {"guid": attempt.guid, "reason": refused.reason}
            self._logger.warning("A delivery is not sent again", extra=reason)
        else:
            run.sent.add(attempt.guid)
            run.result.redelivered += 1


def _is_for_good(error: Refused | NoCredential, *, is_app: bool) -> bool:
    """Whether a webhook is removed or out of our reach; an App may have no rights to others than its own."""
    if isinstance(error, Refused):
        return error.status == HTTPStatus.NOT_FOUND or (is_app and error.status == HTTPStatus.FORBIDDEN)
    return is_app


def _owner(path: str) -> str | None:
    """Return who owns a webhook; None if it is the App's own."""
    _, kind, owner, *_ = path.split("/")
    return None if kind == "app" else owner
