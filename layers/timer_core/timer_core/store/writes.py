"""The single writes that changes of timers are made of, each with the condition under which it holds."""

from dataclasses import dataclass, replace
from typing import Any

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import Condition, size
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action as UpdateAction

from timer_core.domain.issues import Issue
from timer_core.domain.timers import Action, Status, Timer, Transition
from timer_core.store.items import (
    EMPTY_SLOT_DAYS,
    IdempotencyItem,
    RunLockItem,
    SlotItem,
    TimerItem,
    cause_of,
    encode_transition,
    expiry,
    raw,
    timer_item,
)
from timer_core.store.keys import RUN_LOCK_SK, idempotency_sk, issue_pk, timer_sk, user_pk
from timer_core.store.table import RawItem, Write

# A timer's history is cut to its last KEPT entries when it has grown to MAX: it is read and
# written with the timer, and what is that old no late event will concern.
MAX_HISTORY = 60
KEPT_HISTORY = 30
_IDEMPOTENCY_DAYS = 1


@dataclass(frozen=True, slots=True)
class Idempotency:
    """An Idempotency-Key and the request that came with it, both hashed.

    As in the IETF's draft-ietf-httpapi-idempotency-key-header.
    """

    key: str
    request: str


@dataclass(frozen=True, slots=True)
class Patch:
    """What to correct of a timer; None leaves a thing as it is.

    ``issue`` is a tuple of the new issue, or of None to take the timer off its issue.
    """

    issue: tuple[Issue | None] | None = None
    organization: str | None = None
    description: str | None = None
    start_ms: int | None = None
    end_ms: int | None = None

    @property
    def corrects_time(self) -> bool:
        """Whether the start or the end changes."""
        return self.start_ms is not None or self.end_ms is not None


def put_new(timer: Timer) -> Write:
    """Return the write of a timer that does not exist yet."""
    return _put(timer, TimerItem.pk.does_not_exist())


def put_changed(timer: Timer) -> Write:
    """Return the write of a timer that nobody has changed since its ``version`` was read."""
    return _put(replace(timer, version=timer.version + 1), TimerItem.version == timer.version)


def _put(timer: Timer, condition: Condition) -> Write:
    pk, sk = user_pk(timer.user_id), timer_sk(timer.ulid)
    return Write("Put", pk, sk, condition, item=timer_item(timer))


def take_slot(issue: Issue, user_id: int, ulid: str, locked_until_ms: int | None = None) -> Write:
    """Return the write that makes a timer the open one of a person on an issue."""
    actions: list[UpdateAction] = [
        SlotItem.open_ulid.set(ulid),
        SlotItem.ulids.add({ulid}),
        SlotItem.expires_at.remove(),
    ]
    if locked_until_ms is not None:
        actions.append(SlotItem.locked_until_ms.set(locked_until_ms))
    vacant = SlotItem.open_ulid.does_not_exist()
    return Write("Update", issue_pk(issue), user_pk(user_id), vacant, actions)


def free_slot(issue: Issue, user_id: int, ulid: str, now_ms: int, *, locks: bool = False) -> Write:
    """Return the write after which a person has no open timer on an issue.

    With ``locks``, events up to now change none of their timers on it any more.
    """
    actions: list[UpdateAction] = [
        SlotItem.open_ulid.remove(),
        SlotItem.expires_at.set(expiry(now_ms, EMPTY_SLOT_DAYS)),
    ]
    if locks:
        actions.append(SlotItem.locked_until_ms.set(now_ms))
    return Write("Update", issue_pk(issue), user_pk(user_id), SlotItem.open_ulid == ulid, actions)


def pause_or_resume(user_id: int, ulid: str, transition: Transition) -> Write:
    """Return the write of a pause or a resume, which holds for a timer in the state that it leads from."""
    at_ms = transition.at_ms
    if transition.action is Action.PAUSE:
        before = Status.RUNNING
        actions = [
            TimerItem.status.set(Status.PAUSED.value),
            TimerItem.clock_ms.set(TimerItem.clock_ms + at_ms),
            TimerItem.last_pause_ms.set(at_ms),
            TimerItem.paused_by.set(transition.by),
        ]
    else:
        before = Status.PAUSED
        actions = [
            TimerItem.status.set(Status.RUNNING.value),
            TimerItem.clock_ms.set(TimerItem.clock_ms - at_ms),
            TimerItem.last_pause_ms.remove(),
            TimerItem.paused_by.remove(),
        ]
    return Write(
        "Update",
        user_pk(user_id),
        timer_sk(ulid),
        (TimerItem.status == before.value)
        & (TimerItem.changed_ms <= at_ms)
        & (size(TimerItem.history) < MAX_HISTORY)  # type: ignore[no-untyped-call]
        & ~TimerItem.causes.contains(cause_of(transition)),
        [*actions, TimerItem.changed_ms.set(at_ms), *_recorded(transition)],
    )


def note_start(user_id: int, ulid: str, start: Transition) -> Write:
    """Return the write that puts a start into the history of the timer that was open already."""
    is_open = TimerItem.open_shard.exists()
    return Write("Update", user_pk(user_id), timer_sk(ulid), is_open, _recorded(start))


def _recorded(transition: Transition) -> list[UpdateAction]:
    """Return what puts a transition into a timer's history."""
    return [
        TimerItem.version.set(TimerItem.version + 1),
        TimerItem.history.set(TimerItem.history.append([encode_transition(transition)])),
        TimerItem.causes.add({cause_of(transition)}),
    ]


def remember_answer(
    user_id: int, ulid: str, now_ms: int, idempotency: Idempotency, *, created: bool
) -> Write:
    """Return the write that remembers which timer a request with a key was answered with."""
    item = IdempotencyItem(
        pk=user_pk(user_id),
        sk=idempotency_sk(idempotency.key),
        ulid=ulid,
        created=created,
        request_hash=idempotency.request,
        expires_at=expiry(now_ms, _IDEMPOTENCY_DAYS),
    )
    # DynamoDB deletes what has expired within days, so the condition looks itself.
    vacant = IdempotencyItem.pk.does_not_exist() | (IdempotencyItem.expires_at <= now_ms // 1000)
    return Write("Put", item.pk, item.sk, vacant, item=raw(item))


def take_run_lock(user_id: int, read: RawItem | None) -> Write:
    """Return the write of whoever makes a timer run; it is refused if another did since the read."""
    version = int(read["version"]["N"]) if read else 0
    as_read = RunLockItem.version == version if read else RunLockItem.pk.does_not_exist()
    return Write("Update", user_pk(user_id), RUN_LOCK_SK, as_read, [RunLockItem.version.set(version + 1)])


def correct(user_id: int, ulid: str, patch: Patch) -> Write:
    """Return the write of a patch, whose issue has a title only if the timer is to keep that."""
    actions: list[UpdateAction] = [TimerItem.version.set(TimerItem.version + 1)]
    condition: Condition = TimerItem.status.exists()
    if patch.description is not None:
        actions.append(_set_or_remove(TimerItem.description, patch.description or None))
    organization = patch.organization
    if patch.issue is not None:
        (issue,) = patch.issue
        organization = organization or (issue.owner if issue else None)
        actions += [
            _set_or_remove(TimerItem.owner, issue.owner if issue else None),
            _set_or_remove(TimerItem.repo, issue.repo if issue else None),
            TimerItem.number.set(issue.number) if issue else TimerItem.number.remove(),
            _set_or_remove(TimerItem.issue_key, issue.key if issue else None),
            _set_or_remove(TimerItem.repo_key, issue.full_name.lower() if issue else None),
        ]
        # An open timer's slot has to move with it, which needs to know where it is.
        condition &= TimerItem.status == Status.STOPPED.value
        if issue and issue.title:
            condition &= TimerItem.issue_key == issue.key
        else:
            actions.append(TimerItem.title.remove())
            if issue:
                condition &= TimerItem.title.does_not_exist() | (TimerItem.issue_key != issue.key)
    if organization is not None:
        actions.append(TimerItem.organization.set(organization))
    if patch.corrects_time:
        condition &= TimerItem.status == Status.STOPPED.value
        condition &= _time_condition(patch.start_ms, patch.end_ms)
        actions += _time_actions(patch.start_ms, patch.end_ms)
    if patch.corrects_time or patch.issue is not None:
        end: Any = TimerItem.end_ms if patch.end_ms is None else patch.end_ms
        # What the sweeper settled stays so.
        actions.append(TimerItem.locked_until_ms.set(TimerItem.locked_until_ms | end))
    return Write("Update", user_pk(user_id), timer_sk(ulid), condition, actions)


def _time_condition(start_ms: int | None, end_ms: int | None) -> Condition:
    """Active time cannot be negative: the pauses must fit between the start and the end."""
    if start_ms is not None and end_ms is not None:
        return TimerItem.paused_ms <= end_ms - start_ms
    if start_ms is not None:
        return TimerItem.latest_start_ms >= start_ms
    return TimerItem.earliest_end_ms <= end_ms


def _time_actions(start_ms: int | None, end_ms: int | None) -> list[UpdateAction]:
    """Active time is end - start - pauses; an update can add or subtract only two of these."""
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


def _set_or_remove(attribute: UnicodeAttribute, value: str | None) -> UpdateAction:
    return attribute.remove() if value is None else attribute.set(value)
