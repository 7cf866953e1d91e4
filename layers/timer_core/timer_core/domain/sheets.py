"""Timesheets: a person's working time and scheduled time on local dates."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from timer_core.domain.issues import Issue
from timer_core.domain.schedule import DAY, Schedule, Span
from timer_core.domain.timeline import Slice, clipped
from timer_core.domain.timers import Timer


class Label(NamedTuple):
    """The issue of a timer, or its description if it has none, by which people recognize it."""

    issue: Issue | None
    description: str

    @classmethod
    def of(cls, timer: Timer) -> "Label":
        """Return the label of a timer."""
        return cls(timer.issue, timer.description)

    @property
    def key(self) -> tuple[str, str]:
        """The key that the timers of a row of the timesheet have in common."""
        return (self.issue.key, "") if self.issue else ("", self.description)


@dataclass(frozen=True, slots=True)
class Row:
    """The time of the timers on one issue, or without an issue and with the same description.

    Attributes
    ----------
    overtime_ms
        The part of the working time outside of working hours.
    timers
        The ULIDs of the timers, in order.
    """

    label: Label
    working_ms: int
    overtime_ms: int
    timers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A person's timesheet of a date.

    Attributes
    ----------
    since_ms, until_ms
        The first instant of the date, and of the next one. They are equal if the date does not exist in its
        time zone.
    zone
        The IANA name of the time zone of the date.
    slices
        The working time up to the present, clipped to the date. If the day is confirmed, its frozen slices.
    scheduled_ms
        The length of the working hours; None if, during a part of the date, none are set and all time counts.
    scheduled_elapsed_ms
        The part of the working hours up to the present; 0 if there are none.
    labels
        The labels of the timers of the slices, by ULID.
    confirmed_ms
        The time at which its person confirmed the day; None if it is not confirmed.
    locked
        Whether the organization has locked the day.
    has_details
        Whether the details of the day, such as when its timers ran, are kept.
    derived
        The slices that follow from the timers now, if the day is frozen and they are different; else None.
    """

    date: date
    since_ms: int
    until_ms: int
    zone: str
    slices: tuple[Slice, ...]
    scheduled_ms: int | None
    scheduled_elapsed_ms: int
    labels: Mapping[str, Label] = field(default_factory=dict)
    confirmed_ms: int | None = None
    locked: bool = False
    has_details: bool = True
    derived: tuple[Slice, ...] | None = None

    @property
    def working_ms(self) -> int:
        """The working time."""
        return sum(piece.working_ms for piece in self.slices)

    @property
    def overtime_ms(self) -> int:
        """The part of the working time outside of working hours."""
        return sum(piece.working_ms for piece in self.slices if piece.overtime)

    @property
    def balance_ms(self) -> int | None:
        """The working time minus the working hours up to the present; None without working hours."""
        return None if self.scheduled_ms is None else self.working_ms - self.scheduled_elapsed_ms

    @property
    def derived_ms(self) -> int | None:
        """The working time according to the present timers; None if `derived` is."""
        return None if self.derived is None else sum(piece.working_ms for piece in self.derived)

    @property
    def rows(self) -> list[Row]:
        """The time of each issue, longest first."""
        found: dict[tuple[str, str], Row] = {}
        for piece in self.slices:
            label = self.labels.get(piece.timer, Label(None, ""))
            row = found.get(label.key) or Row(label, 0, 0, ())
            found[label.key] = Row(
                row.label if row.label.issue is None or row.label.issue.title else label,
                row.working_ms + piece.working_ms,
                row.overtime_ms + (piece.working_ms if piece.overtime else 0),
                tuple(sorted({*row.timers, piece.timer})),
            )
        return [found[key] for key in sorted(found, key=lambda key: (-found[key].working_ms, key))]


def sheets(
    slices: Iterable[Slice],
    schedule: Schedule,
    dates: Sequence[date],
    *,
    now_ms: int,
    confirmed_spans: Mapping[date, Span] | None = None,
) -> list[Sheet]:
    """Divide a person's working time into the timesheets of their dates.

    Parameters
    ----------
    slices
        The working time of these dates, up to the present.
    dates
        Adjacent dates, in order; at least one.
    confirmed_spans
        The beginnings and ends of confirmed dates when they were confirmed. They are the same now, unless the
        rules of a time zone have been corrected since.
    """
    borders = [schedule.starts_at(day) for day in [*dates, dates[-1] + DAY]]
    for number, day in enumerate(dates):
        if confirmed_spans and day in confirmed_spans:
            borders[number : number + 2] = confirmed_spans[day]
    pieces: list[list[Slice]] = [[] for _ in dates]
    for piece in slices:
        number = max(bisect_right(borders, piece.since_ms) - 1, 0)
        while number < len(dates) and borders[number] < piece.until_ms:
            pieces[number] += clipped([piece], borders[number], borders[number + 1])
            number += 1
    return [
        Sheet(
            day,
            since_ms,
            until_ms,
            schedule.week_of(day).zone,
            tuple(of_day),
            *_scheduled(schedule, day, since_ms, until_ms, now_ms),
        )
        for day, since_ms, until_ms, of_day in zip(dates, borders, borders[1:], pieces, strict=False)
    ]


def _scheduled(
    schedule: Schedule, day: date, since_ms: int, until_ms: int, now_ms: int
) -> tuple[int | None, int]:
    """Return the length of the working hours of a date, and of their part up to the present."""
    weeks = [era.week for era in schedule.eras if era.since_ms < until_ms and era.until_ms > since_ms]
    if any(week.days is None for week in weeks or [schedule.week_of(day)]):
        return None, 0
    spans = [*schedule.planned(since_ms, until_ms)]
    elapsed = (max(min(span.until_ms, now_ms) - span.since_ms, 0) for span in spans)
    return sum(span.until_ms - span.since_ms for span in spans), sum(elapsed)
