"""Request redelivery of failed deliveries.

GitHub redelivers only on request, and only for three days ("Handling failed webhook deliveries").
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http import HTTPStatus

from aws_lambda_powertools import Logger

from timer_core.github.api.client import GitHub
from timer_core.github.api.delivery_attempts import (
    Attempt,
    AttemptPage,
    list_attempts,
    request_redelivery,
)
from timer_core.github.api.errors import GitHubError, NoCredential, Refused
from timer_core.github.messages import APP_HOOK
from timer_core.github.webhooks.payloads import READERS, REDELIVERY_WINDOW
from timer_core.store.hooks import HookStore, KnownHook, ListCheckpoint

_MS = timedelta(milliseconds=1)
# The listed periods of two runs overlap by this time, because a delivery appears in GitHub's list with a
# delay.
_OVERLAP_MS = 5 * 60_000
# The maximum number of redeliveries of one webhook in one run; the next run continues.
_MAX_REDELIVERIES = 250
# Our responses to too many or too slow requests.
_TEMPORARY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
# GitHub's responses if it refuses to redeliver one delivery, for example because it is too old. All other
# refusals affect every delivery.
_NOT_REDELIVERABLE = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.GONE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}
_EVENTS = {event.partition(".")[0] for event in READERS}


@dataclass(slots=True)
class Redelivery:
    """The result of a run.

    Attributes
    ----------
    listed
        Webhooks whose deliveries GitHub listed.
    failed
        Deliveries that have failed since the previous run and have not succeeded later.
    redelivered
        The failed deliveries that GitHub agreed to redeliver.
    given_up
        The failed deliveries that are not redelivered, because they are too old or because we refused them
        twice.
    unreachable
        Webhooks whose deliveries GitHub does not list, for example because an App has replaced them.
    complete
        Whether all webhooks were processed; if not, the next run continues.
    error
        The last error of GitHub's API; empty if there was none.
    """

    listed: int = 0
    failed: int = 0
    redelivered: int = 0
    given_up: int = 0
    unreachable: int = 0
    complete: bool = True
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Run:
    now_ms: int
    has_time: Callable[[], bool]
    dry_run: bool
    is_app: bool
    # GitHub's reasons for not listing the deliveries of webhooks.
    refusals: list[str] = field(default_factory=list)
    result: Redelivery = field(default_factory=Redelivery)
    # The GUIDs of redelivered deliveries. The webhook of a renamed repository has two paths, and may be
    # listed twice.
    redelivered: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Listing:
    """The progress in the list of a webhook's deliveries."""

    hook: KnownHook
    checkpoint: ListCheckpoint
    # GUIDs of deliveries whose latest attempt has succeeded or been processed.
    seen: set[str] = field(default_factory=set)
    requested: int = 0


class Redeliverer:
    """Requests redelivery for all webhooks that have sent deliveries, and for the App's webhook."""

    def __init__(self, github: GitHub, hooks: HookStore, logger: Logger) -> None:
        self._github = github
        self._hooks = hooks
        self._logger = logger

    def run(self, *, now_ms: int, has_time: Callable[[], bool], dry_run: bool) -> Redelivery:
        """Request redelivery of deliveries that failed since the previous run; ``dry_run`` only counts."""
        is_app = self._github.credential_kind() == "app"
        run = _Run(now_ms, has_time, dry_run, is_app)
        for hook in self._listable_hooks(run):
            if not has_time():
                run.result.complete = False
                break
            try:
                self._repair(hook, run)
            except GitHubError as error:
                self._record_error(hook, error, run)
        if not run.result.listed and run.refusals:
            run.result.error = run.result.error or run.refusals[-1]
        return run.result

    def _listable_hooks(self, run: _Run) -> list[KnownHook]:
        """Return the known webhooks. The App's webhook is omitted if a token has replaced the App.

        Only the App itself may list the deliveries of its webhook.
        """
        if run.is_app and not run.dry_run:
            # Add the App's webhook now, because its first delivery may fail.
            self._hooks.note(APP_HOOK, now_ms=run.now_ms)
        return [hook for hook in self._hooks.known() if run.is_app or hook.path != APP_HOOK]

    def _repair(self, hook: KnownHook, run: _Run) -> None:
        """Request redelivery of the failed deliveries of a webhook."""
        try:
            checkpoint, page = self._first_page(hook, run)
        except (Refused, NoCredential) as refusal:
            run.result.unreachable += 1
            run.refusals.append(str(refusal))
            if _is_permanent(refusal, is_app=run.is_app) and not run.dry_run:
                # The next delivery from the webhook adds it again.
                self._hooks.forget(hook.path)
            extra = {"hook": hook.path, "reason": str(refusal)}
            self._logger.warning("A webhook's deliveries cannot be listed", extra=extra)
        else:
            run.result.listed += 1
            self._process_pages(hook, checkpoint, page, run)

    def _first_page(self, hook: KnownHook, run: _Run) -> tuple[ListCheckpoint, AttemptPage]:
        """Return the page at which the previous run stopped, or the newest page."""
        if hook.checkpoint is not None and not run.dry_run:
            try:
                return hook.checkpoint, self._page(hook, hook.checkpoint.page, run)
            except Refused as refused:
                # The cursor may have expired; GitHub's documentation gives no lifetime.
                extra = {"hook": hook.path, "reason": str(refused)}
                self._logger.warning("The list of deliveries is read from its beginning", extra=extra)
        # The next run lists the deliveries that are made during this run.
        return ListCheckpoint("", run.now_ms - _OVERLAP_MS), self._page(hook, "", run)

    def _record_error(self, hook: KnownHook, error: GitHubError, run: _Run) -> None:
        run.result.complete = False
        run.result.error = str(error)
        extra = {"hook": hook.path, "reason": run.result.error}
        self._logger.warning("Failed deliveries could not be repaired", extra=extra)

    def _page(self, hook: KnownHook, page: str, run: _Run) -> AttemptPage:
        since_ms = max(run.now_ms - REDELIVERY_WINDOW // _MS, hook.repaired_ms or 0)
        return list_attempts(self._github, hook.path, _owner(hook.path), since_ms, page)

    def _process_pages(
        self, hook: KnownHook, checkpoint: ListCheckpoint, page: AttemptPage, run: _Run
    ) -> None:
        """Request redelivery of a webhook's failed deliveries page by page, and store the progress."""
        listing = _Listing(hook, checkpoint)
        is_done = False
        try:
            while self._process_page(page, listing, run):
                if page.next_page is None:
                    is_done = True
                    return
                listing.checkpoint = ListCheckpoint(page.next_page, checkpoint.until_ms)
                if not run.has_time():
                    return
                page = self._page(hook, listing.checkpoint.page, run)
        finally:
            run.result.complete &= is_done
            if not run.dry_run:
                self._store_progress(hook, listing.checkpoint, is_done=is_done)

    def _process_page(self, page: AttemptPage, listing: _Listing, run: _Run) -> bool:
        """Request redelivery of a page's failed deliveries; return whether there was time for all of them."""
        listing.seen.update(attempt.guid for attempt in page.attempts if attempt.succeeded)
        failed = _latest_failures(page, listing.seen | run.redelivered)
        for attempt in failed:
            if attempt.attempt_id <= listing.checkpoint.sent_id:
                continue
            if listing.requested == _MAX_REDELIVERIES or not run.has_time():
                return False
            self._redeliver(listing.hook, attempt, run)
            listing.requested += 1
            listing.checkpoint = replace(listing.checkpoint, sent_id=attempt.attempt_id)
        listing.seen.update(attempt.guid for attempt in failed)
        return True

    def _store_progress(self, hook: KnownHook, checkpoint: ListCheckpoint, *, is_done: bool) -> None:
        if is_done:
            self._hooks.repaired(hook.path, checkpoint.until_ms)
        elif checkpoint.page:
            # A run that stops at the newest page stores no checkpoint. The next run begins at the newest page
            # too, and sees the redeliveries of this run.
            self._hooks.save_checkpoint(hook.path, checkpoint)

    def _redeliver(self, hook: KnownHook, attempt: Attempt, run: _Run) -> None:
        run.result.failed += 1
        if attempt.is_redelivery and 400 <= attempt.status < 500 and attempt.status not in _TEMPORARY:
            # Issue Timer refuses this delivery until an operator fixes the cause.
            run.result.given_up += 1
            self._logger.warning("A redelivery was refused too; it is given up", extra={"guid": attempt.guid})
            return
        if run.dry_run:
            run.redelivered.add(attempt.guid)
            return
        try:
            request_redelivery(self._github, hook.path, _owner(hook.path), attempt.attempt_id)
        except Refused as refused:
            if refused.status not in _NOT_REDELIVERABLE:
                raise
            run.result.given_up += 1
            extra = {"guid": attempt.guid, "reason": refused.reason}
            self._logger.warning("GitHub does not redeliver a delivery", extra=extra)
        else:
            run.redelivered.add(attempt.guid)
            run.result.redelivered += 1


def _latest_failures(page: AttemptPage, seen: set[str]) -> list[Attempt]:
    """Return the latest attempt of each delivery that failed and is not in `seen`, the oldest first."""
    latest: dict[str, Attempt] = {}
    for attempt in page.attempts:
        if attempt.event in _EVENTS and attempt.guid not in seen:
            latest.setdefault(attempt.guid, attempt)
    return sorted(latest.values(), key=lambda attempt: attempt.attempt_id)


def _is_permanent(error: Refused | NoCredential, *, is_app: bool) -> bool:
    """Whether a webhook was removed, or its list is inaccessible. An App may list only its own webhook."""
    if isinstance(error, Refused):
        return error.status == HTTPStatus.NOT_FOUND or (is_app and error.status == HTTPStatus.FORBIDDEN)
    return is_app


def _owner(path: str) -> str | None:
    """Return the login of a webhook's owner; None for the App's webhook."""
    _, kind, owner, *_ = path.split("/")
    return None if kind == "app" else owner
