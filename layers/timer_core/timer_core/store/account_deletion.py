"""All that is stored about a person: to be given to them, and to be deleted when they leave."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from timer_core.domain.timers import Timer
from timer_core.store.items import (
    EMPTY_SLOT_DAYS,
    PendingDeletionItem,
    ProfileItem,
    SlotItem,
    UserTokenItem,
    expiry,
    raw,
    to_timer,
)
from timer_core.store.keys import (
    PENDING_DELETIONS_PK,
    PROFILE_SK,
    RUN_LOCK_SK,
    TOKEN_SK,
    USER_TOKENS,
    issue_pk,
    kind_of,
    name_of,
    user_id_of,
    user_pk,
)
from timer_core.store.limits import MINUTE_MS
from timer_core.store.table import ConditionFailed, RawItem, Table, Write

_THREADS = 8
_PAGE = 200
# What one BatchGetItem takes.
_BATCH = 100
# Functions remember who is registered for a minute, and work for five at the longest.
_NEWS_TRAVELS_MS = 10 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class DeletedTimer:
    """What is kept of a timer that was deleted, so that events that come late do not bring it back."""

    ulid: str
    deleted_ms: int
    locked_until_ms: int | None
    kept_until_s: int


@dataclass(frozen=True, slots=True)
class Slot:
    """A person's place on an issue.

    Attributes
    ----------
    issue_key
        The issue, as ``owner/repo#n`` in lower case.
    ulids
        Their timers there that events may still change.
    locked_until_ms
        Up to when events change none of them; None if all may.
    moved
        GitHub's deliveries that told of the issue's moves.
    kept_until_s
        None while a timer is open there.
    """

    issue_key: str
    ulids: list[str]
    locked_until_ms: int | None
    moved: list[str]
    kept_until_s: int | None


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request with an Idempotency-Key, and the timer that it was answered with."""

    ulid: str
    created: bool
    kept_until_s: int


@dataclass(frozen=True, slots=True)
class Changes:
    """How much a person changed in a minute."""

    minute_ms: int
    changes: int
    kept_until_s: int


@dataclass(frozen=True, slots=True)
class PendingDeletion:
    """Somebody who has asked to be deleted, and when (milliseconds since the epoch)."""

    user_id: int
    requested_ms: int


@dataclass(slots=True)
class Stored:
    """A page of what is stored about a person, but for profile and tokens.

    Attributes
    ----------
    slots
        On the issues of this page's timers.
    runs
        How often a timer began to run that pauses the others, which all pages say; None if none did.
    after
        After which sort key the others come; None if this is the last page.
    """

    timers: list[Timer] = field(default_factory=list)
    deleted: list[DeletedTimer] = field(default_factory=list)
    slots: list[Slot] = field(default_factory=list)
    requests: list[KeyedRequest] = field(default_factory=list)
    changes: list[Changes] = field(default_factory=list)
    runs: int | None = None
    after: str | None = None


class AccountDeletionStore:
    """What the table holds of a person.

    Parameters
    ----------
    track_unregistered
        Whether people are timed who never signed in: then it is remembered for good who has left.
    """

    def __init__(self, table: Table, *, track_unregistered: bool) -> None:
        self._table = table
        self._track_unregistered = track_unregistered

    def page(self, user_id: int, *, after: str | None, page_size: int) -> Stored:
        """Return a page of what is stored about a person; the timers in the order in which they were made."""
        pk = user_pk(user_id)
        start = None if after is None else _key(pk, after)
        items, _, last = self._table.query(pk, limit=page_size, start=start)
        run_lock = self._table.get(pk, RUN_LOCK_SK)
        page = Stored(
            runs=None if run_lock is None else _number(run_lock, "version"),
            after=last["sk"]["S"] if last else None,
        )
        for item in items:
            kind, name = kind_of(item["sk"]["S"]), name_of(item["sk"]["S"])
            if kind == "timer" and "deleted_ms" in item:
                page.deleted.append(
                    DeletedTimer(
                        name,
                        _number(item, "deleted_ms"),
                        _number(item, "locked_until_ms") if "locked_until_ms" in item else None,
                        _number(item, "expires_at"),
                    )
                )
            elif kind == "timer":
                page.timers.append(to_timer(item))
            elif kind == "key":
                page.requests.append(
                    KeyedRequest(item["ulid"]["S"], item["created"]["BOOL"], _number(item, "expires_at"))
                )
            elif kind == "writes":
                minute_ms = int(name) * MINUTE_MS
                page.changes.append(Changes(minute_ms, _number(item, "changes"), _number(item, "expires_at")))
        page.slots = self._slots(pk, sorted({issue_pk(timer.issue) for timer in page.timers if timer.issue}))
        return page

    def _slots(self, pk: str, issue_pks: Sequence[str]) -> list[Slot]:
        pages = (issue_pks[first : first + _BATCH] for first in range(0, len(issue_pks), _BATCH))
        return [
            _to_slot(item)
            for page in pages
            for item in self._table.get_many((issue_pk, pk) for issue_pk in page)
        ]

    def delete_all(self, user_id: int, *, now_ms: int, has_time: Callable[[], bool]) -> bool:
        """Delete a person's tokens, timers and profile, and return whether that is all.

        From the first moment no event times the person any more, and the sweep goes on with what there was
        no time for. The profile goes last; what stays of it says that they have left.
        """
        pk = user_pk(user_id)
        leaving = [
            ProfileItem.deletion_requested_ms.set(now_ms),
            ProfileItem.events_ignored_until_ms.set(now_ms),
        ]
        pending = PendingDeletionItem(pk=PENDING_DELETIONS_PK, sk=pk, requested_ms=now_ms)
        self._table.transact(
            [
                Write("Update", pk, PROFILE_SK, actions=leaving),
                Write("Put", pending.pk, pending.sk, item=raw(pending)),
            ]
        )
        return self._delete_all(pk, requested_ms=now_ms, now_ms=now_ms, goes_on=has_time)

    def pending_deletions(self) -> Iterator[PendingDeletion]:
        """Yield those who have asked to be deleted and are to be looked at again."""
        for item in self._table.query_all(PENDING_DELETIONS_PK):
            yield PendingDeletion(user_id_of(item["sk"]["S"]), _number(item, "requested_ms"))

    def finish(self, pending: PendingDeletion, *, now_ms: int, has_time: Callable[[], bool]) -> bool:
        """Delete what is left of somebody who has asked to be deleted, and return whether that is all.

        What broke off is gone on with, and what was written by functions that did not know yet is deleted
        too. It is done for good once none of these can be left.
        """
        pk = user_pk(pending.user_id)

        def is_being_deleted() -> bool:
            # Who has signed in again meanwhile has begun anew.
            profile = self._table.get(pk, PROFILE_SK)
            return profile is None or "deletion_requested_ms" in profile

        if is_being_deleted():
            is_all = self._delete_all(
                pk,
                requested_ms=pending.requested_ms,
                now_ms=now_ms,
                goes_on=lambda: has_time() and is_being_deleted(),
            )
            if not is_all or now_ms < pending.requested_ms + _NEWS_TRAVELS_MS:
                return is_all
        # Who has asked once more since is looked at once more.
        with contextlib.suppress(ConditionFailed):
            unchanged = PendingDeletionItem.requested_ms == pending.requested_ms
            self._table.write(Write("Delete", PENDING_DELETIONS_PK, pk, unchanged))
        return True

    def _delete_all(self, pk: str, *, requested_ms: int, now_ms: int, goes_on: Callable[[], bool]) -> bool:
        with ThreadPoolExecutor(_THREADS) as pool:
            for page in self._pages(pk):
                list(pool.map(self._delete, page))
                if not goes_on():
                    return False
        left = {
            **_key(pk, PROFILE_SK),
            "deletion_requested_ms": {"N": str(requested_ms)},
            "events_ignored_until_ms": {"N": str(requested_ms)},
        }
        if not self._track_unregistered:
            # Until nothing is left that names them, for nothing new is written that does.
            left["expires_at"] = {"N": str(expiry(now_ms, EMPTY_SLOT_DAYS))}
        # Who has signed in again meanwhile has begun anew.
        with contextlib.suppress(ConditionFailed):
            self._table.write(
                Write("Put", pk, PROFILE_SK, ProfileItem.deletion_requested_ms.exists(), item=left)
            )
        return True

    def _pages(self, pk: str) -> Iterator[list[RawItem]]:
        """Yield what is in a person's partition but the profile, tokens first."""
        for condition in (UserTokenItem.sk.startswith(USER_TOKENS), None):
            start: RawItem | None = None
            while True:
                items, _, start = self._table.query(pk, condition, limit=_PAGE, start=start)
                yield [item for item in items if item["sk"]["S"] != PROFILE_SK]
                if start is None:
                    break

    def _delete(self, item: RawItem) -> None:
        pk, sk = item["pk"]["S"], item["sk"]["S"]
        if "token_hash" in item:
            self._table.write(Write("Delete", item["token_hash"]["S"], TOKEN_SK))
        if kind_of(sk) == "timer" and "number" in item:
            issue = to_timer(item).issue
            if issue is not None:
                self._table.write(Write("Delete", issue_pk(issue), pk))
        # Last, because it is what leads to the others.
        self._table.write(Write("Delete", pk, sk))


def _to_slot(item: RawItem) -> Slot:
    row = SlotItem.from_raw_data(item)
    return Slot(
        issue_key=name_of(row.pk),
        ulids=sorted(row.ulids or ()),
        locked_until_ms=None if row.locked_until_ms is None else int(row.locked_until_ms),
        moved=sorted(row.moved or ()),
        kept_until_s=None if row.expires_at is None else int(row.expires_at),
    )


def _number(item: RawItem, name: str) -> int:
    return int(item[name]["N"])


def _key(pk: str, sk: str) -> RawItem:
    return {"pk": {"S": pk}, "sk": {"S": sk}}
