"""The audit log: who changed a person's time by hand, or as the sweeper, when, from what to what, and why.

The history of a timer has its ordinary transitions. An entry of the audit log has what a change replaced.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple

from timer_core.domain.ids import new_ulid, ulid_ms
from timer_core.domain.timers import Timer, pauses

# The owner of the entries about the organization.
ORGANIZATION = 0
# The author of the entries about what the sweeper did. GitHub's user ids are positive.
BY_SWEEPER = 0
MAX_REASON = 200


class AuditKind(StrEnum):
    """What happened to a person's time."""

    ADDED = "added"
    LOGGED = "logged"
    CORRECTED = "corrected"
    DIVIDED = "divided"
    DELETED = "deleted"
    UNDONE = "undone"
    STOPPED = "stopped"
    EXPIRED = "expired"
    UNEXPIRED = "unexpired"
    CONFIRMED = "confirmed"
    REOPENED = "reopened"
    LOCKED = "locked"


class Difference(NamedTuple):
    """What a change replaced.

    Attributes
    ----------
    subject
        The ULID of the timer, or the ISO 8601 date of the day, that changed.
    before, after
        The members that differ, by their names in the API; times and durations in milliseconds. None if the
        timer did not exist before, or does not exist afterwards.
    """

    subject: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An entry of a person's audit log.

    Attributes
    ----------
    ulid
        Its id, which has the time of the change.
    by
        The user id of the author, or `BY_SWEEPER`.
    reason
        The author's reason; empty if there is none.
    """

    ulid: str
    kind: AuditKind
    by: int
    reason: str
    differences: Sequence[Difference]

    @classmethod
    def of(
        cls,
        kind: AuditKind,
        pairs: Iterable[tuple[Timer | None, Timer | None]],
        *,
        by: int,
        now_ms: int,
        reason: str = "",
    ) -> "AuditEntry | None":
        """Return the entry of a change of timers; None if nothing differs that people see.

        Parameters
        ----------
        pairs
            Each timer before and after the change; None where it does not exist.
        """
        found = [one for before, after in pairs if (one := _difference(before, after))]
        return cls(new_ulid(now_ms), kind, by, reason, found) if found else None

    @classmethod
    def of_day(
        cls, kind: AuditKind, day: date, working_ms: int, *, by: int, now_ms: int, reason: str
    ) -> "AuditEntry":
        """Return the entry of a day that its person confirms or reopens.

        Parameters
        ----------
        working_ms
            The working time of the day, which is frozen until it is reopened.
        """
        states = {"state": "over"}, {"state": "confirmed", "working_duration": working_ms}
        before, after = states if kind is AuditKind.CONFIRMED else states[::-1]
        return cls(new_ulid(now_ms), kind, by, reason, [Difference(day.isoformat(), before, after)])

    @classmethod
    def of_lock(
        cls, before: date | None, after: date | None, *, by: int, now_ms: int, reason: str
    ) -> "AuditEntry":
        """Return the entry of a change of the last day that is locked; None if no day is."""
        dates = [day and day.isoformat() for day in (before, after)]
        members = [{"locked_until": day} for day in dates]
        subject = dates[1] or dates[0] or ""
        return cls(new_ulid(now_ms), AuditKind.LOCKED, by, reason, [Difference(subject, *members)])

    @property
    def at_ms(self) -> int:
        """The time of the change."""
        return ulid_ms(self.ulid)


def _difference(before: Timer | None, after: Timer | None) -> Difference | None:
    timer = after or before
    if timer is None:
        return None
    old, new = _members(before), _members(after)
    if old is None or new is None:
        return Difference(timer.ulid, old, new)
    differing = [name for name in old if old[name] != new[name]]
    if not differing:
        return None
    replaced = {name: old[name] for name in differing}, {name: new[name] for name in differing}
    if "pauses" in differing:
        # A timer may have hundreds of pauses.
        for members, others in zip(replaced, (new, old), strict=True):
            members["pauses"] = [pause for pause in members["pauses"] if pause not in others["pauses"]]
    return Difference(timer.ulid, *replaced)


def _members(timer: Timer | None) -> dict[str, Any] | None:
    """Return the members of a timer that its owner can correct."""
    if timer is None:
        return None
    issue = timer.issue
    return {
        "start_time": timer.start_ms,
        "end_time": timer.end_ms,
        "pauses": [[*pause] for pause in pauses(timer)],
        "github_repo": issue and issue.full_name,
        "github_issue_number": issue and issue.number,
        "organization": timer.organization,
        "description": timer.description,
    }
