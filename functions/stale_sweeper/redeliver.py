"""Has GitHub send again what did not get through.

GitHub does not do so by itself, and on request for three days ("Handling failed webhook deliveries").
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http import HTTPStatus

from aws_lambda_powertools import Logger

from timer_core.github.api.client import GitHub
from timer_core.github.api.deliveries import Attempt, Page, attempts, redeliver
from timer_core.github.api.errors import GitHubError, NoCredential, Refused
from timer_core.github.webhooks.messages import APP_HOOK
from timer_core.github.webhooks.payloads import READERS, REDELIVERY_WINDOW
from timer_core.store.hooks import HookStore, KnownHook, ListCheckpoint

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
                checkpoint, page = self._begin(hook, run)
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
                self._repair(hook, checkpoint, page, run)
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

    def _begin(self, hook: KnownHook, run: _Run) -> tuple[ListCheckpoint, Page]:
        """Return the page to begin with: the one at which the last run broke off, or the newest."""
        if hook.checkpoint is not None and not run.dry_run:
            try:
                return hook.checkpoint, self._page(hook, hook.checkpoint.page, run)
            except Refused as refused:
                # Its cursors are GitHub's affair.
                reason = {"hook": hook.path, "reason": str(refused)}
                self._logger.warning("The list of deliveries begins anew", extra=reason)
        # What is made while the list is read is in the next one.
        return ListCheckpoint("", run.now_ms - _OVERLAP_MS), self._page(hook, "", run)

    def _page(self, hook: KnownHook, page: str, run: _Run) -> Page:
        since_ms = max(run.now_ms - REDELIVERY_WINDOW // _MS, hook.repaired_ms or 0)
        return attempts(self._github, hook.path, _owner(hook.path), since_ms, page)

    def _repair(self, hook: KnownHook, checkpoint: ListCheckpoint, page: Page, run: _Run) -> None:
        """Have failed deliveries sent again, page by page, and note how far that was."""
        settled: set[str] = set()
        sent, is_done = 0, False
        try:
            while True:
                settled.update(one.guid for one in page.attempts if one.got_through)
                failed = _failed(page, settled | run.sent)
                for attempt in failed:
                    if attempt.attempt_id <= checkpoint.sent_id:
                        continue
                    if sent == _MOST or not run.has_time():
                        return
                    self._send(hook, attempt, run)
                    sent += 1
                    checkpoint = replace(checkpoint, sent_id=attempt.attempt_id)
                settled.update(one.guid for one in failed)
                if page.next_page is None:
                    is_done = True
                    return
                checkpoint = ListCheckpoint(page.next_page, checkpoint.until_ms)
                if not run.has_time():
                    return
                page = self._page(hook, checkpoint.page, run)
        finally:
            run.result.complete &= is_done
            if not run.dry_run:
                self._note(hook, checkpoint, is_done=is_done)

    def _note(self, hook: KnownHook, checkpoint: ListCheckpoint, *, is_done: bool) -> None:
        if is_done:
            self._hooks.repaired(hook.path, checkpoint.until_ms)
        elif checkpoint.page:
            # Who begins anew sees in the list what was sent again.
            self._hooks.save_checkpoint(hook.path, checkpoint)

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


def _failed(page: Page, settled: set[str]) -> list[Attempt]:
    """Return the last attempts of what did not get through and is not settled yet, the oldest first."""
    latest: dict[str, Attempt] = {}
    for attempt in page.attempts:
        if attempt.event in _HANDLED and attempt.guid not in settled:
            latest.setdefault(attempt.guid, attempt)
    return sorted(latest.values(), key=lambda attempt: attempt.attempt_id)


def _is_for_good(error: Refused | NoCredential, *, is_app: bool) -> bool:
    """Whether a webhook is removed or out of our reach; an App may have no rights to others than its own."""
    if isinstance(error, Refused):
        return error.status == HTTPStatus.NOT_FOUND or (is_app and error.status == HTTPStatus.FORBIDDEN)
    return is_app


def _owner(path: str) -> str | None:
    """Return who owns a webhook; None if it is the App's own."""
    _, kind, owner, *_ = path.split("/")
    return None if kind == "app" else owner
