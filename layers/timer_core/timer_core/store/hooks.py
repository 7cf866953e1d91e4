"""The webhooks that have sent deliveries. They are stored so that failed deliveries can be redelivered."""

from collections.abc import Sequence
from dataclasses import dataclass

from pynamodb.expressions.update import Action as UpdateAction

from timer_core.store.items import HookItem, expiry
from timer_core.store.keys import GITHUB_PK, HOOKS, hook_sk, name_of
from timer_core.store.table import ConditionFailed, Table, Write

# A webhook is deleted from the table if it has sent no delivery for this number of days.
_KEPT_DAYS = 90
_NOTED_FOR_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class ListCheckpoint:
    """The position at which a run stopped in the list of a webhook's deliveries. The newest is first.

    Attributes
    ----------
    page
        The path of the page at which to continue; empty for the newest page.
    until_ms
        When a run reaches the end of the list, all failed deliveries up to this time have been redelivered.
    sent_id
        The id of the last processed attempt on the page. The oldest attempt of a page is processed first.
    """

    page: str
    until_ms: int
    sent_id: int = 0


@dataclass(frozen=True, slots=True)
class KnownHook:
    """A stored webhook.

    Attributes
    ----------
    path
        The path of the webhook in GitHub's REST API.
    repaired_ms
        Failed deliveries up to this time were redelivered; None if no run has been completed.
    checkpoint
        The position at which to continue in the list of later deliveries; None to begin at the newest one.
    """

    path: str
    repaired_ms: int | None = None
    checkpoint: ListCheckpoint | None = None


class HookStore:
    """The webhooks in the table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._noted_ms: dict[str, int] = {}

    def note(self, path: str, *, now_ms: int) -> None:
        """Store a webhook. Each process writes a webhook at most once a day."""
        if self._noted_ms.get(path, -_NOTED_FOR_MS) > now_ms - _NOTED_FOR_MS:
            return
        actions = [HookItem.expires_at.set(expiry(now_ms, _KEPT_DAYS))]
        self._table.write(Write("Update", GITHUB_PK, hook_sk(path), actions=actions))
        self._noted_ms[path] = now_ms

    def known(self) -> list[KnownHook]:
        """Return all stored webhooks."""
        items = self._table.query_all(GITHUB_PK, HookItem.sk.startswith(HOOKS))
        return [_known(HookItem.from_raw_data(item)) for item in items]

    def repaired(self, path: str, until_ms: int) -> None:
        """Store the time up to which failed deliveries were redelivered, and delete the checkpoint."""
        checkpoint = (HookItem.list_page, HookItem.list_sent_id, HookItem.list_until_ms)
        self._update(
            path, [HookItem.repaired_ms.set(until_ms), *(attribute.remove() for attribute in checkpoint)]
        )

    def save_checkpoint(self, path: str, checkpoint: ListCheckpoint) -> None:
        """Store the position at which to continue in the list of a webhook's deliveries."""
        actions = [
            HookItem.list_page.set(checkpoint.page),
            HookItem.list_sent_id.set(checkpoint.sent_id),
            HookItem.list_until_ms.set(checkpoint.until_ms),
        ]
        self._update(path, actions)

    def _update(self, path: str, actions: Sequence[UpdateAction]) -> None:
        try:
            self._table.write(
                Write("Update", GITHUB_PK, hook_sk(path), HookItem.expires_at.exists(), actions)
            )
        except ConditionFailed:
            # The webhook was deleted from the table after it was read.
            return

    def forget(self, path: str) -> None:
        """Delete a webhook that no longer exists on GitHub."""
        self._table.write(Write("Delete", GITHUB_PK, hook_sk(path)))


def _known(item: HookItem) -> KnownHook:
    checkpoint = None
    if item.list_page is not None:
        checkpoint = ListCheckpoint(item.list_page, int(item.list_until_ms), int(item.list_sent_id))
    repaired_ms = None if item.repaired_ms is None else int(item.repaired_ms)
    return KnownHook(name_of(item.sk), repaired_ms, checkpoint)
