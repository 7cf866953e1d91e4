"""The writes that change a timer, each with its condition."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pynamodb.attributes import Attribute
from pynamodb.expressions.condition import Condition, size
from pynamodb.expressions.update import Action as UpdateAction

from timer_core.domain.issues import Issue
from timer_core.domain.schedule import Span
from timer_core.domain.state import ALLOWED_FROM, State, Status, Transition
from timer_core.domain.timers import MAX_OF_EACH_KIND, Timer
from timer_core.store.former_state import FormerState, digest_of
from timer_core.store.items import (
    IdempotencyItem,
    TimerItem,
    encode_causes,
    encode_history,
    expiry,
    identity_of,
    raw,
    timer_item,
)
from timer_core.store.keys import idempotency_sk, name_of, timer_sk, user_pk
from timer_core.store.table import Write

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

    def texts_of(self, timer: Timer) -> Timer:
        """Return a timer with the patch's issue, organization and description.

        If the timer was already on the issue, the known title stays.
        """
        issue = timer.issue
        if self.issue is not None:
            (issue,) = self.issue
            is_same = issue is not None and timer.issue is not None and timer.issue.key == issue.key
            issue = issue and replace(issue, title=timer.issue.title if is_same and timer.issue else "")
        new_owner = issue.owner if issue and self.issue else None
        return replace(
            timer,
            issue=issue,
            organization=self.organization or new_owner or timer.organization,
            description=timer.description if self.description is None else self.description,
        )


def put_new(timer: Timer) -> Write:
    """Return the write of a timer that does not exist yet."""
    return _put(timer, TimerItem.pk.does_not_exist())


def put_changed(timer: Timer) -> Write:
    """Return the write of a timer, on the condition that its ``version`` has not changed."""
    return _put(replace(timer, version=timer.version + 1), TimerItem.version == timer.version)


def _put(timer: Timer, condition: Condition) -> Write:
    pk, sk = user_pk(timer.user_id), timer_sk(timer.ulid)
    return Write("Put", pk, sk, condition, item=timer_item(timer))


def transit(user_id: int, ulid: str, transition: Transition, read: Timer | None = None) -> Write:
    """Return the write of a pause, a resume or a focus, on the condition that the timer's state allows it.

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
        TimerItem.clock_ms.set(TimerItem.clock_ms + after.clock_ms),
        TimerItem.changed_ms.set(after.changed_ms),
        set_or_remove(TimerItem.last_pause_ms, after.last_pause_ms),
        set_or_remove(TimerItem.paused_by, after.paused_by),
    ]
    condition = (
        _has_status(before)
        & (TimerItem.changed_ms <= transition.at_ms)
        & _has_room(read)
        & ~TimerItem.causes.contains(identity_of(ulid, transition))
    )
    actions += _recorded(ulid, transition)
    return Write("Update", user_pk(user_id), timer_sk(ulid), condition, actions)


def note_start(user_id: int, ulid: str, start: Transition, read: Timer | None = None) -> Write:
    """Return the write that notes a start in the history of a timer that was already open.

    Parameters
    ----------
    read
        The timer, if it was read and has room (see `_has_room`).
    """
    condition = TimerItem.open_shard.exists() & _has_room(read)
    return Write("Update", user_pk(user_id), timer_sk(ulid), condition, _recorded(ulid, start))


def _has_status(status: Status) -> Condition:
    """Return the condition that a timer is running, or that it is paused."""
    is_paused: Condition = TimerItem.last_pause_ms.exists()
    if status is Status.PAUSED:
        return is_paused
    is_running: Condition = TimerItem.open_shard.exists() & ~is_paused
    return is_running


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


def _recorded(ulid: str, transition: Transition) -> list[UpdateAction]:
    """Return the update actions that append a transition to a timer's history."""
    return [
        TimerItem.version.set(TimerItem.version + 1),
        TimerItem.history.set(TimerItem.history.append(encode_history(ulid, [transition]))),
        TimerItem.causes.set(TimerItem.causes.append(encode_causes(ulid, [transition]))),
    ]


def put_response(
    timer: Timer,
    now_ms: int,
    idempotency: Idempotency,
    *,
    created: bool,
    former: FormerState | None = None,
) -> Write:
    """Return the write that stores the timer in the response to a request with an Idempotency-Key.

    Parameters
    ----------
    former
        What the request changes, if it is a correction, which can be undone.
    """
    item = IdempotencyItem(
        pk=user_pk(timer.user_id),
        sk=idempotency_sk(idempotency.key),
        ulid=timer.ulid,
        created=created,
        request_hash=idempotency.request,
        former_state=former and former.encoded(),
        expires_at=expiry(now_ms, _IDEMPOTENCY_DAYS),
    )
    # DynamoDB deletes expired items only after hours or days, so an expired item may still exist.
    vacant = IdempotencyItem.pk.does_not_exist() | (IdempotencyItem.expires_at <= now_ms // 1000)
    return Write("Put", item.pk, item.sk, vacant, item=raw(item))


def put_correction(
    shown: Timer,
    now_ms: int,
    idempotency: Idempotency | None,
    *,
    before: Mapping[str, Timer | None],
    written: Sequence[Write],
    reaches_ms: int,
    touched: Sequence[Span],
    moved: Sequence[Span] = (),
) -> list[Write]:
    """Return the write that stores the response to a correction, so that it can be undone; none without key.

    Parameters
    ----------
    shown
        The timer in the response.
    before
        The timers before the correction, as in `FormerState`.
    written
        The writes of these timers.
    reaches_ms, touched, moved
        As in `timer_core.store.changes.TimerChange`.
    """
    if idempotency is None:
        return []
    results = {name_of(write.sk): digest_of(write.item) for write in written}
    former = FormerState(before, results, reaches_ms, touched, moved)
    is_new = before[shown.ulid] is None
    return [put_response(shown, now_ms, idempotency, created=is_new, former=former)]


def note_undone(user_id: int, key: str) -> Write:
    """Return the write that notes that a correction is undone, if it is not."""
    actions = [IdempotencyItem.former_state.remove(), IdempotencyItem.undone.set(True)]
    stored = IdempotencyItem.former_state.exists()
    return Write("Update", user_pk(user_id), idempotency_sk(key), stored, actions)


def set_or_remove(attribute: Attribute[Any], value: object) -> UpdateAction:
    """Return the update action that sets an attribute, or removes it if the value is None."""
    return attribute.remove() if value is None else attribute.set(value)
