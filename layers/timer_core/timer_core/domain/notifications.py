"""What outgoing webhooks tell about people's timers and days."""

from enum import StrEnum

from timer_core.domain.issues import Issue
from timer_core.domain.state import Status
from timer_core.domain.timers import Timer, pauses


class Happening(StrEnum):
    """What a notification is about. GitHub calls this the event of a delivery."""

    STARTED = "timer.started"
    PAUSED = "timer.paused"
    RESUMED = "timer.resumed"
    STOPPED = "timer.stopped"
    CORRECTED = "timer.corrected"
    DELETED = "timer.deleted"
    CONFIRMED = "timesheet.confirmed"
    PING = "ping"


# Somebody tests an outgoing webhook with a ping; it cannot be subscribed to.
SUBSCRIBABLE = frozenset(Happening) - {Happening.PING}

_ENTERED = {
    Status.RUNNING: Happening.RESUMED,
    Status.PAUSED: Happening.PAUSED,
    Status.STOPPED: Happening.STOPPED,
}


def happening_of(before: Timer | None, after: Timer) -> Happening | None:
    """Return what a write of a timer tells; None if it changed nothing that its person would notice.

    A write may contain several transitions. The state after it decides, because it is what a receiver has to
    show. If the state is the same, but the times, the issue or the description are not, something earlier was
    corrected, by hand or by an event that arrived late.

    Parameters
    ----------
    before
        The timer before the write; None if it is new.
    after
        The timer after the write. It is not deleted.
    """
    if after.is_reduced:
        # The sweep has deleted its details, and all figures stay.
        return None
    if before is None:
        return Happening.STARTED if after.status is Status.RUNNING else _ENTERED[after.status]
    if before.status is not after.status:
        return _ENTERED[after.status]
    return None if _are_same(before, after) else Happening.CORRECTED


def _are_same(before: Timer, after: Timer) -> bool:
    return (
        (before.start_ms, before.end_ms) == (after.start_ms, after.end_ms)
        and before.description == after.description
        and _are_same_issue(before.issue, after.issue)
        and pauses(before) == pauses(after)
    )


def _are_same_issue(before: Issue | None, after: Issue | None) -> bool:
    """Whether two issues are the same. The first delivery of a repository tells its id."""
    if before is None or after is None:
        return before is after
    if before.repo_id and after.repo_id:
        return before.key == after.key
    return (before.full_name.lower(), before.number) == (after.full_name.lower(), after.number)
