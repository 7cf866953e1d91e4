"""The writes that change a timer, each with its condition."""

from dataclasses import dataclass, replace
from typing import Any

from pynamodb.attributes import Attribute
from pynamodb.expressions.condition import Condition, size
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action as UpdateAction

from timer_core.domain.issues import Issue
from timer_core.domain.state import ALLOWED_FROM, State, Status, Transition
from timer_core.domain.timers import MAX_OF_EACH_KIND, Timer
from timer_core.store.items import (
    IdempotencyItem,
    RunLockItem,
    TimerItem,
    cause_of,
    encode_transition,
    expiry,
    raw,
    timer_item,
)
from timer_core.store.keys import RUN_LOCK_SK, end_key, idempotency_sk, timer_sk, user_pk
from timer_core.store.table import RawItem, Write

_IDEMPOTENCY_DAYS = 1


@dataclass(frozen=True, slots=True)
class Idempotency:
    """The hash of an Idempotency-Key, and the hash of its request.

    The IETF's draft-ietf-httpapi-idempotency-key-header specifies such keys.
    """

    key: str
    request: str


@dataclass(frozen=True, slots=True)
class Patch:
    """The corrections of a timer. If a value is None, the attribute does not change.

    ``issue`` is a tuple that contains the new issue. A tuple that contains None removes the timer from its
    issue.
    """

    issue: tuple[Issue | None] | None = None
    organization: str | None = None
    description: str | None = None
    start_ms: int | None = None
    end_ms: int | None = None

    @property
    def corrects_time(self) -> bool:
        """Whether the patch changes the start or the end."""
        return self.start_ms is not None or self.end_ms is not None

    def span_of(self, timer: Timer) -> tuple[int, int]:
        """Return the start and the end of a stopped timer after the patch."""
        assert timer.end_ms is not None, "the timer is stopped"  # noqa: S101
        start_ms = timer.start_ms if self.start_ms is None else self.start_ms
        return start_ms, timer.end_ms if self.end_ms is None else self.end_ms

    @property
    def new_organization(self) -> str | None:
        """The organization in the patch, or else the new issue's owner; None if it does not change."""
        (issue,) = self.issue or (None,)
        return self.organization or (issue.owner if issue else None)


def put_new(timer: Timer) -> Write:
    """Return the write of a timer that does not exist yet."""
    return _put(timer, TimerItem.pk.does_not_exist())


def put_changed(timer: Timer) -> Write:
    """Return the write of a timer, on the condition that its ``version`` has not changed."""
    return _put(replace(timer, version=timer.version + 1), TimerItem.version == timer.version)


def _put(timer: Timer, condition: Condition) -> Write:
    pk, sk = user_pk(timer.user_id), timer_sk(timer.ulid)
    return Write("Put", pk, sk, condition, item=timer_item(timer))


def pause_or_resume(user_id: int, ulid: str, transition: Transition, read: Timer | None = None) -> Write:
    """Return the write of a pause or a resume, on the condition that the state of the timer allows it.

    The update adds a number to the stored ``clock_ms``. The number is the result of the transition for a
    timer whose ``clock_ms`` is 0.

    Parameters
    ----------
    read
        The timer, if it was read and has room (see `_has_room`).
    """
    (before,) = ALLOWED_FROM[transition.action]
    after = State(before, 0, transition.at_ms).apply(transition)
    actions = [
        TimerItem.status.set(after.status.value),
        TimerItem.clock_ms.set(TimerItem.clock_ms + after.clock_ms),
        TimerItem.changed_ms.set(after.changed_ms),
        set_or_remove(TimerItem.last_pause_ms, after.last_pause_ms),
        set_or_remove(TimerItem.paused_by, after.paused_by),
    ]
    condition = (
        (TimerItem.status == before.value)
        & (TimerItem.changed_ms <= transition.at_ms)
        & _has_room(read)
        & ~TimerItem.causes.contains(cause_of(transition))
    )
    return Write("Update", user_pk(user_id), timer_sk(ulid), condition, [*actions, *_recorded(transition)])


def note_start(user_id: int, ulid: str, start: Transition, read: Timer | None = None) -> Write:
    """Return the write that notes a start in the history of a timer that was already open.

    Parameters
    ----------
    read
        The timer, if it was read and has room (see `_has_room`).
    """
    condition = TimerItem.open_shard.exists() & _has_room(read)
    return Write("Update", user_pk(user_id), timer_sk(ulid), condition, _recorded(start))


def _has_room(read: Timer | None) -> Condition:
    """Return the condition that a timer's history has room for another manual transition.

    A condition cannot count the manual transitions alone. So if the timer was not read, the number of all
    transitions must be below the limit.

    Parameters
    ----------
    read
        The timer, if it was read and has room.
    """
    if read is not None and len(read.history) >= MAX_OF_EACH_KIND:
        return TimerItem.version == read.version
    condition: Condition = size(TimerItem.history) < MAX_OF_EACH_KIND  # type: ignore[no-untyped-call]
    return condition


def _recorded(transition: Transition) -> list[UpdateAction]:
    """Return the update actions that append a transition to a timer's history."""
    return [
        TimerItem.version.set(TimerItem.version + 1),
        TimerItem.history.set(TimerItem.history.append([encode_transition(transition)])),
        TimerItem.causes.add({cause_of(transition)}),
    ]


def put_response(user_id: int, ulid: str, now_ms: int, idempotency: Idempotency, *, created: bool) -> Write:
    """Return the write that stores the timer in the response to a request with an Idempotency-Key."""
    item = IdempotencyItem(
        pk=user_pk(user_id),
        sk=idempotency_sk(idempotency.key),
        ulid=ulid,
        created=created,
        request_hash=idempotency.request,
        expires_at=expiry(now_ms, _IDEMPOTENCY_DAYS),
    )
    # DynamoDB deletes expired items only after hours or days, so an expired item may still exist.
    vacant = IdempotencyItem.pk.does_not_exist() | (IdempotencyItem.expires_at <= now_ms // 1000)
    return Write("Put", item.pk, item.sk, vacant, item=raw(item))


def take_run_lock(user_id: int, read: RawItem | None) -> Write:
    """Return the write of the run lock, for a transaction that starts or resumes a timer.

    The write fails if another timer began to run after the run lock was read.

    Parameters
    ----------
    read
        The item of the run lock; None if it did not exist.
    """
    version = int(read["version"]["N"]) if read else 0
    as_read = RunLockItem.version == version if read else RunLockItem.pk.does_not_exist()
    return Write("Update", user_pk(user_id), RUN_LOCK_SK, as_read, [RunLockItem.version.set(version + 1)])


def correct(user_id: int, ulid: str, patch: Patch, read: Timer | None = None) -> Write:
    """Return the write of a patch.

    The issue of the patch has a title only if the timer is on the same issue with this title.

    Parameters
    ----------
    read
        The timer, if it was read.
    """
    actions: list[UpdateAction] = [TimerItem.version.set(TimerItem.version + 1)]
    condition: Condition = TimerItem.status.exists()
    if patch.description is not None:
        actions.append(set_or_remove(TimerItem.description, patch.description or None))
    if patch.issue is not None:
        (issue,) = patch.issue
        actions += _issue_actions(issue)
        condition &= _issue_condition(issue)
    if patch.new_organization is not None:
        actions.append(TimerItem.organization.set(patch.new_organization))
    if patch.corrects_time:
        condition &= TimerItem.status == Status.STOPPED.value
        condition &= _time_condition(patch.start_ms, patch.end_ms)
        actions += _time_actions(patch.start_ms, patch.end_ms)
        if patch.end_ms is not None:
            actions.append(TimerItem.end_key.set(end_key(patch.end_ms, patch.end_ms)))
    if read is not None:
        condition &= TimerItem.version == read.version
    if patch.corrects_time or patch.issue is not None:
        end: Any = TimerItem.end_ms if patch.end_ms is None else patch.end_ms
        # Keep an existing lock, such as a lock by the sweeper.
        actions.append(TimerItem.locked_until_ms.set(TimerItem.locked_until_ms | end))
    return Write("Update", user_pk(user_id), timer_sk(ulid), condition, actions)


def _issue_actions(issue: Issue | None) -> list[UpdateAction]:
    actions = [
        set_or_remove(TimerItem.owner, issue and issue.owner),
        set_or_remove(TimerItem.repo, issue and issue.repo),
        set_or_remove(TimerItem.number, issue and issue.number),
        set_or_remove(TimerItem.issue_key, issue and issue.key),
        set_or_remove(TimerItem.repo_key, issue and issue.repo_key),
        set_or_remove(TimerItem.repo_id, issue and (issue.repo_id or None)),
    ]
    return actions if issue and issue.title else [*actions, TimerItem.title.remove()]


def _issue_condition(issue: Issue | None) -> Condition:
    """Return the condition under which an update without a read can change a timer's issue.

    The timer must be stopped. If the issue has a title, the timer must already be on the issue. If the issue
    has no title, the timer must be on another issue or have no title.
    """
    # The slot of an open timer must be moved too, which needs a read of the timer.
    condition: Condition = TimerItem.status == Status.STOPPED.value
    if issue is not None:
        condition &= (
            TimerItem.issue_key == issue.key
            if issue.title
            else TimerItem.title.does_not_exist() | (TimerItem.issue_key != issue.key)
        )
    return condition


def _time_condition(start_ms: int | None, end_ms: int | None) -> Condition:
    """Return the condition that the pauses fit between start and end, so that active time is not negative."""
    if start_ms is not None and end_ms is not None:
        return TimerItem.paused_ms <= end_ms - start_ms
    if start_ms is not None:
        return TimerItem.latest_start_ms >= start_ms
    return TimerItem.earliest_end_ms <= end_ms


def _time_actions(start_ms: int | None, end_ms: int | None) -> list[UpdateAction]:
    """Return the update actions that correct a start or an end.

    Active time is end - start - pauses, but an update can only add or subtract two numbers. So the timer also
    has the attributes ``latest_start_ms`` (end - pauses) and ``earliest_end_ms`` (start + pauses).
    """
    actions: list[UpdateAction] = []
    if start_ms is not None:
        actions += [
            TimerItem.start_ms.set(start_ms),
            TimerItem.earliest_end_ms.set(TimerItem.paused_ms + start_ms),
        ]
    if end_ms is not None:
        actions += [
            TimerItem.end_ms.set(end_ms),
            TimerItem.changed_ms.set(end_ms),
            TimerItem.latest_start_ms.set(end_ms - Path(TimerItem.paused_ms)),
        ]
    if start_ms is not None and end_ms is not None:
        actions.append(TimerItem.clock_ms.set((end_ms - start_ms) - Path(TimerItem.paused_ms)))
    elif start_ms is not None:
        actions.append(TimerItem.clock_ms.set(TimerItem.latest_start_ms - start_ms))
    elif end_ms is not None:
        actions.append(TimerItem.clock_ms.set(end_ms - Path(TimerItem.earliest_end_ms)))
    return actions


def set_or_remove(attribute: Attribute[Any], value: object) -> UpdateAction:
    """Return the update action that sets an attribute, or removes it if the value is None."""
    return attribute.remove() if value is None else attribute.set(value)
