"""The webhooks that deliveries came from, so that their failed deliveries can be asked for."""

from dataclasses import dataclass

from timer_core.store.items import GITHUB_PK, HookItem, expiry
from timer_core.store.table import ConditionFailed, Table, Write

# A webhook that has been silent for this long is forgotten.
_KEPT_DAYS = 90
_NOTED_FOR_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class KnownHook:
    """A webhook.

    Attributes
    ----------
    path
        Where it is in GitHub's REST API.
    repaired_ms
        Up to when its failed deliveries were redelivered; None if they never were.
    """

    path: str
    repaired_ms: int | None = None


class HookStore:
    """The webhooks in the table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._noted_ms: dict[str, int] = {}

    def note(self, path: str, *, now_ms: int) -> None:
        """Remember a webhook; written at most once a day by each process."""
        if self._noted_ms.get(path, -_NOTED_FOR_MS) > now_ms - _NOTED_FOR_MS:
            return
        actions = [HookItem.expires_at.set(expiry(now_ms, _KEPT_DAYS))]
        self._table.write(Write("Update", GITHUB_PK, f"hook#{path}", actions=actions))
        self._noted_ms[path] = now_ms

    def known(self) -> list[KnownHook]:
        """Return all webhooks."""
        items = self._table.query_all(GITHUB_PK, HookItem.sk.startswith("hook#"))
        return [
            KnownHook(
                item["sk"]["S"].removeprefix("hook#"),
                int(item["repaired_ms"]["N"]) if "repaired_ms" in item else None,
            )
            for item in items
        ]

    def repaired(self, path: str, until_ms: int) -> None:
        """Note up to when a webhook's failed deliveries were redelivered."""
        actions = [HookItem.repaired_ms.set(until_ms)]
        try:
            self._table.write(
                Write("Update", GITHUB_PK, f"hook#{path}", HookItem.expires_at.exists(), actions)
            )
        except ConditionFailed:
            # Forgotten meanwhile.
            return

    def forget(self, path: str) -> None:
        """Forget a webhook that is no more."""
        self._table.write(Write("Delete", GITHUB_PK, f"hook#{path}"))
