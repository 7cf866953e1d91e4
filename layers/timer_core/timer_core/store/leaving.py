"""All that is stored about a person: to be given to them, and to be deleted when they leave."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from timer_core.domain.timers import Timer
from timer_core.store.items import ProfileItem, TimerItem, UserTokenItem, issue_pk, to_timer, user_pk
from timer_core.store.table import ConditionFailed, RawItem, Table, Write

_THREADS = 8
_PAGE = 200


@dataclass(frozen=True, slots=True)
class TimersPage:
    """Some of a person's timers, and the ULID after which the others come; None if there are none."""

    timers: list[Timer]
    after: str | None


class LeavingStore:
    """What the table holds of a person."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def timers(self, user_id: int, *, after: str | None, page_size: int) -> TimersPage:
        """Return a page of all of a person's timers, in the order in which they were made."""
        start = None if after is None else _key(user_pk(user_id), f"timer#{after}")
        items, _, last = self._table.query(
            user_pk(user_id), TimerItem.sk.startswith("timer#"), limit=page_size, start=start
        )
        timers = [to_timer(item) for item in items if "deleted_ms" not in item]
        return TimersPage(timers, last["sk"]["S"].removeprefix("timer#") if last else None)

    def delete_all(self, user_id: int, *, now_ms: int, has_time: Callable[[], bool]) -> bool:
        """Delete a person's tokens, timers and profile, and return whether that is all.

        From the first moment no event times the person any more. The profile goes last, so that they
        can ask again if time runs out.
        """
        pk = user_pk(user_id)
        leaving = [ProfileItem.leaving_ms.set(now_ms)]
        # Whoever asks twice at once has no profile the second time.
        with contextlib.suppress(ConditionFailed):
            self._table.write(Write("Update", pk, "profile", ProfileItem.pk.exists(), leaving))
        with ThreadPoolExecutor(_THREADS) as pool:
            for page in self._pages(pk):
                list(pool.map(self._delete, page))
                if not has_time():
                    return False
        self._table.write(Write("Delete", pk, "profile"))
        return True

    def _pages(self, pk: str) -> Iterator[list[RawItem]]:
        """Yield what is in a person's partition but the profile, tokens first."""
        for condition in (UserTokenItem.sk.startswith("token#"), None):
            start: RawItem | None = None
            while True:
                items, _, start = self._table.query(pk, condition, limit=_PAGE, start=start)
                yield [item for item in items if item["sk"]["S"] != "profile"]
                if start is None:
                    break

    def _delete(self, item: RawItem) -> None:
        pk, sk = item["pk"]["S"], item["sk"]["S"]
        if "token_hash" in item:
            self._table.write(Write("Delete", item["token_hash"]["S"], "token"))
        if sk.startswith("timer#") and "number" in item:
            issue = to_timer(item).issue
            if issue is not None:
                self._table.write(Write("Delete", issue_pk(issue), pk))
        # Last, because it is what leads to the others.
        self._table.write(Write("Delete", pk, sk))


def _key(pk: str, sk: str) -> RawItem:
    return {"pk": {"S": pk}, "sk": {"S": sk}}
