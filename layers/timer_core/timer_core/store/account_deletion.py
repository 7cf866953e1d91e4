"""Deletion of all data about a person."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from timer_core.store.items import (
    EMPTY_SLOT_DAYS,
    CalendarItem,
    PendingDeletionItem,
    ProfileItem,
    UserTokenItem,
    expiry,
    has_requested_deletion,
    raw,
    to_issue,
)
from timer_core.store.keys import (
    PENDING_DELETIONS_PK,
    PEOPLE_PK,
    PROFILE_SK,
    TOKEN_SK,
    USER_TOKENS,
    kind_of,
    slot_key,
    user_id_of,
    user_pk,
)
from timer_core.store.repositories import Repositories
from timer_core.store.table import ConditionFailed, RawItem, Table, Write

_THREADS = 8
_PAGE = 200
# After this time, no function uses a cached registration of the person. Functions cache registrations for a
# minute, and run for at most five minutes.
_CACHES_EXPIRE_MS = 10 * 60_000


@dataclass(frozen=True, slots=True)
class PendingDeletion:
    """A person who has requested account deletion, and the time of the request (ms since the epoch)."""

    user_id: int
    requested_ms: int


class AccountDeletionStore:
    """Deletes people's items.

    Parameters
    ----------
    track_unregistered
        Whether people who never signed in are tracked. If so, the marker of a deleted account never expires.
    """

    def __init__(self, table: Table, *, track_unregistered: bool) -> None:
        self._table = table
        self._repositories = Repositories(table)
        self._track_unregistered = track_unregistered

    def request(self, user_id: int, *, now_ms: int) -> PendingDeletion:
        """End the tracking of a person, and record and return the pending deletion.

        `finish` deletes the person's items. If it does not run or runs out of time, the sweeper calls it.
        """
        pk = user_pk(user_id)
        request = [
            ProfileItem.deletion_requested_ms.set(now_ms),
            ProfileItem.events_ignored_until_ms.set(now_ms),
        ]
        pending = PendingDeletionItem(pk=PENDING_DELETIONS_PK, sk=pk, requested_ms=now_ms)
        self._table.transact(
            [
                Write("Update", pk, PROFILE_SK, actions=request),
                Write("Put", pending.pk, pending.sk, item=raw(pending)),
            ]
        )
        return PendingDeletion(user_id, now_ms)

    def pending_deletions(self) -> Iterator[PendingDeletion]:
        """Yield all requested deletions that are not finished."""
        for item in self._table.query_all(PENDING_DELETIONS_PK):
            yield PendingDeletion(user_id_of(item["sk"]["S"]), int(item["requested_ms"]["N"]))

    def finish(self, pending: PendingDeletion, *, now_ms: int, has_time: Callable[[], bool]) -> bool:
        """Delete a person's tokens, timers and profile, and return whether all are deleted.

        The last write replaces the profile with a marker. The deletion stays pending until no function uses a
        cached registration of the person, so that a later call deletes items that were written meanwhile. A
        later call also continues an interrupted deletion.
        """
        pk = user_pk(pending.user_id)

        def is_being_deleted() -> bool:
            # Signing in again cancels the deletion.
            profile = self._table.get(pk, PROFILE_SK)
            return profile is None or has_requested_deletion(profile)

        if is_being_deleted():
            is_all = self._delete_all(
                pk,
                requested_ms=pending.requested_ms,
                now_ms=now_ms,
                may_continue=lambda: has_time() and is_being_deleted(),
            )
            if not is_all or now_ms < pending.requested_ms + _CACHES_EXPIRE_MS:
                return is_all
        else:
            # Import on first use, because only the sweeper needs the module.
            from timer_core.store.calendars import update_calendar

            # The calendar is deleted before the timers, so timers with a moved start may be left without it.
            self._table.write(update_calendar(pending.user_id, [CalendarItem.has_moved_starts.set(True)]))
        # If the deletion was requested again in the meantime, it stays pending.
        with contextlib.suppress(ConditionFailed):
            unchanged = PendingDeletionItem.requested_ms == pending.requested_ms
            self._table.write(Write("Delete", PENDING_DELETIONS_PK, pk, unchanged))
        return True

    def _delete_all(
        self, pk: str, *, requested_ms: int, now_ms: int, may_continue: Callable[[], bool]
    ) -> bool:
        with ThreadPoolExecutor(_THREADS) as pool:
            for page in self._pages(pk):
                list(pool.map(self._delete, page))
                if not may_continue():
                    return False
        self._table.write(Write("Delete", PEOPLE_PK, pk))
        marker = {
            "pk": {"S": pk},
            "sk": {"S": PROFILE_SK},
            "deletion_requested_ms": {"N": str(requested_ms)},
            "events_ignored_until_ms": {"N": str(requested_ms)},
        }
        if not self._track_unregistered:
            # Keep the marker until all events and slots that mention the person have expired.
            marker["expires_at"] = {"N": str(expiry(now_ms, EMPTY_SLOT_DAYS))}
        # Signing in again cancels the deletion.
        with contextlib.suppress(ConditionFailed):
            self._table.write(
                Write("Put", pk, PROFILE_SK, ProfileItem.deletion_requested_ms.exists(), item=marker)
            )
        return True

    def _pages(self, pk: str) -> Iterator[list[RawItem]]:
        """Yield pages of the items in a person's partition, tokens first. The profile is not included."""
        for condition in (UserTokenItem.sk.startswith(USER_TOKENS), None):
            start: RawItem | None = None
            while True:
                items, _, start = self._table.query(pk, condition, limit=_PAGE, start=start)
                yield [item for item in items if item["sk"]["S"] != PROFILE_SK]
                if start is None:
                    break

    def _delete(self, item: RawItem) -> None:
        """Delete the items to which an item refers, and then the item.

        The item is deleted last, so that a retry finds the items to which it refers.
        """
        pk, sk = item["pk"]["S"], item["sk"]["S"]
        if "token_hash" in item:
            self._table.write(Write("Delete", item["token_hash"]["S"], TOKEN_SK))
        if kind_of(sk) == "timer" and (issue := to_issue(item)):
            for one in {issue, self._repositories.identify(issue)}:
                self._table.write(Write("Delete", *slot_key(one, user_id_of(pk))))
        self._table.write(Write("Delete", pk, sk))
