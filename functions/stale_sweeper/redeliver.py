"""Has GitHub send again what did not get through.

GitHub does not do so by itself, and on request for three days ("Handling failed webhook deliveries").
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

from aws_lambda_powertools import Logger

from timer_core.github.client import GitHub
from timer_core.github.errors import GitHubError, NoCredential, Refused
from timer_core.github.events import READERS, REDELIVERY_WINDOW
from timer_core.github.questions import FailedDelivery, failed_deliveries, redeliver
from timer_core.store.hooks import HookStore, KnownHook

_MS = timedelta(milliseconds=1)
# A delivery is listed a little after it was made.
_OVERLAP_MS = 5 * 60_000
# Of one webhook in one run; the next goes on.
_MOST = 250
_HANDLED = {event.partition(".")[0] for event in READERS}


@dataclass(slots=True)
class Redelivery:
    """What a run had sent again.

    Attributes
    ----------
    failed
        Deliveries that did not get through since the run before.
    redelivered
        Of these, how many GitHub sends again.
    given_up
        Of these, how many it does not: too old, or refused by us twice.
    unreachable
        Webhooks whose deliveries GitHub does not show us, for example one that an App has replaced.
    trouble
        What kept us from asking for any, if anything did.
    """

    failed: int = 0
    redelivered: int = 0
    given_up: int = 0
    unreachable: int = 0
    trouble: str = ""


class Redeliverer:
    """Asks for the failed deliveries of all webhooks that deliveries came from."""

    def __init__(self, github: GitHub, hooks: HookStore, logger: Logger) -> None:
        self._github = github
        self._hooks = hooks
        self._logger = logger

    def run(self, *, now_ms: int, has_time: Callable[[], bool], dry_run: bool) -> Redelivery:
        """Have sent again what failed since the last run; ``dry_run`` only counts."""
        result = Redelivery()
        reached = False
        for hook in self._hooks.known():
            if not has_time():
                break
            try:
                self._repair(hook, result, now_ms, has_time, dry_run=dry_run)
                reached = True
            except GitHubError as error:
                if isinstance(error, Refused) and error.status == HTTPStatus.NOT_FOUND and not dry_run:
                    # Removed, or out of our reach: the next delivery from it makes it known again.
                    self._hooks.forget(hook.path)
                if isinstance(error, Refused | NoCredential):
                    result.unreachable += 1
                result.trouble = str(error)
                reason = {"hook": hook.path, "reason": str(error)}
                self._logger.warning("Failed deliveries could not be repaired", extra=reason)
        if reached:
            result.trouble = ""
        return result

    def _repair(
        self,
        hook: KnownHook,
        result: Redelivery,
        now_ms: int,
        has_time: Callable[[], bool],
        *,
        dry_run: bool,
    ) -> None:
        owner = _owner(hook.path)
        oldest_ms = now_ms - REDELIVERY_WINDOW // _MS
        since_ms = max(oldest_ms, (hook.repaired_ms or 0) - _OVERLAP_MS)
        newest: dict[str, FailedDelivery] = {}
        for delivery in failed_deliveries(self._github, hook.path, owner, since_ms):
            if delivery.event in _HANDLED:
                newest.setdefault(delivery.guid, delivery)
        until_ms = now_ms
        for count, delivery in enumerate(sorted(newest.values(), key=lambda failed: failed.delivery_id)):
            if count == _MOST or not has_time():
                until_ms = delivery.at_ms
                break
            result.failed += 1
            if delivery.is_repeated and 400 <= delivery.status < 500:
                # We refuse it, and do so again as long as nobody mends the cause.
                result.given_up += 1
                self._logger.warning("A delivery is refused again and again", extra={"guid": delivery.guid})
            elif not dry_run:
                self._send(hook, owner, delivery, result)
        if not dry_run:
            self._hooks.repaired(hook.path, until_ms)

    def _send(self, hook: KnownHook, owner: str | None, delivery: FailedDelivery, result: Redelivery) -> None:
        try:
            redeliver(self._github, hook.path, owner, delivery.delivery_id)
        except Refused as refused:
            result.given_up += 1
            self._logger.warning(
                "A delivery is not sent again", extra={"guid": delivery.guid, "reason": refused.reason}
            )
        else:
            result.redelivered += 1


def _owner(path: str) -> str | None:
    """Return who owns a webhook; None if it is the App's own."""
    _, kind, owner, *_ = path.split("/")
    return None if kind == "app" else owner
