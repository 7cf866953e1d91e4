"""The settings that decide which time of a person counts, of the organization and of the person."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cached_property

from timer_core.domain.schedule import ALWAYS, DayException, Schedule, ScheduleVersion, Week

HOUR_MS = 3_600_000


class ConcurrentTimers(StrEnum):
    """How time counts while several timers of a person run."""

    FOCUS = "focus"
    SHARED = "shared"
    PARALLEL = "parallel"


class AssignmentStarts(StrEnum):
    """Which assignments start a timer: any, only those by the assignee, or none."""

    ANY = "any"
    SELF = "self"
    NEVER = "never"


# From the widest to the narrowest.
_WIDTH = tuple(AssignmentStarts)


@dataclass(frozen=True, slots=True)
class Policy:
    """The organization's settings from an instant on.

    Attributes
    ----------
    from_ms
        The instant from which these settings hold. The first policy holds from 0.
    working_hours
        The working hours of people without their own.
    overtime_ms
        How long work outside of working hours counts after each act by hand.
    stale_after_ms
        The working time without a sign of life after which a timer ends.
    """

    from_ms: int = 0
    working_hours: Week = ALWAYS
    concurrent_timers: ConcurrentTimers = ConcurrentTimers.FOCUS
    overtime_ms: int = 4 * HOUR_MS
    assignment_starts: AssignmentStarts = AssignmentStarts.ANY
    stale_after_ms: int = 24 * HOUR_MS


@dataclass(frozen=True)
class Calendar:
    """Everything except timers that a person's timeline depends on.

    Attributes
    ----------
    policies
        The organization's settings, sorted by ``from_ms``. The first one has 0.
    versions, exceptions
        As in `Schedule`.
    assignment_starts
        The person's choices of the assignments that start a timer, each with the instant from which it holds,
        sorted by it; None is the organization's setting.
    """

    policies: tuple[Policy, ...] = (Policy(),)
    versions: tuple[ScheduleVersion, ...] = ()
    exceptions: Mapping[date, DayException] = field(default_factory=dict)
    assignment_starts: tuple[tuple[int, AssignmentStarts | None], ...] = ()

    @cached_property
    def schedule(self) -> Schedule:
        """The person's working hours at any time."""
        defaults = tuple((policy.from_ms, policy.working_hours) for policy in self.policies)
        return Schedule(defaults, self.versions, self.exceptions)

    def policy_at(self, at_ms: int) -> Policy:
        """Return the organization's settings that hold at an instant."""
        later = bisect_right(self.policies, at_ms, key=lambda policy: policy.from_ms)
        return self.policies[max(later - 1, 0)]

    def assignment_starts_at(self, at_ms: int) -> AssignmentStarts:
        """Return which assignments start a timer at an instant.

        A person can only narrow the organization's setting.
        """
        of_person = [choice for from_ms, choice in self.assignment_starts if from_ms <= at_ms]
        choices = [self.policy_at(at_ms).assignment_starts, *of_person[-1:]]
        return max((choice for choice in choices if choice is not None), key=_WIDTH.index)
