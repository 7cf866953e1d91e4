"""The bodies of timesheets: the working time of each date, beside the working hours."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from timer_core.api.conditional import entity_tag
from timer_core.api.models import Seconds, Time, to_time
from timer_core.domain.ids import timer_id
from timer_core.domain.issues import Issue
from timer_core.domain.schedule import MINUTE_MS
from timer_core.domain.sheets import Row, Sheet

_RARE = ConfigDict(defer_build=True, serialize_by_alias=True)

_Scheduled = Annotated[
    Seconds | None, Field(description="The length of the working hours; null where all time counts.")
]
_Overtime = Annotated[Seconds, Field(description="The part of it outside of working hours.")]
_Balance = Annotated[
    float | None,
    Field(description="The working time minus the working hours up to now; null where all time counts."),
]


class DayState(StrEnum):
    """Whether a day is over, and whether its time is confirmed."""

    UPCOMING = "upcoming"
    RUNNING = "running"
    OVER = "over"
    CONFIRMED = "confirmed"


class IssueOfRow(BaseModel):
    """An issue on GitHub."""

    model_config = _RARE

    github_repo: Annotated[str, Field(examples=["octocat/hello-world"])]
    github_issue_number: int
    github_issue_url: str
    github_issue_title: str | None

    @classmethod
    def of(cls, issue: Issue) -> "IssueOfRow":
        """Return the representation of an issue."""
        return cls(
            github_repo=issue.full_name,
            github_issue_number=issue.number,
            github_issue_url=issue.url,
            github_issue_title=issue.title or None,
        )


class RowShown(BaseModel):
    """The time on an issue, or without an issue and with the same description."""

    model_config = _RARE

    issue: IssueOfRow | None
    description: Annotated[
        str, Field(description="The description of the timers if they have no issue; else empty.")
    ]
    working_duration: Seconds
    overtime_duration: _Overtime
    timers: Annotated[list[str], Field(examples=[["583231-01JD3K5W9GZ8Q4T1M6V7X0Y2BC"]])]

    @classmethod
    def of(cls, row: Row, user_id: int) -> "RowShown":
        """Return the representation of a row."""
        issue = row.label.issue
        return cls(
            issue=None if issue is None else IssueOfRow.of(issue),
            description="" if issue else row.label.description,
            working_duration=row.working_ms / 1000,
            overtime_duration=row.overtime_ms / 1000,
            timers=[timer_id(user_id, ulid) for ulid in row.timers],
        )


class ChangedSince(BaseModel):
    """The time of a confirmed day if it were derived from the timers now."""

    model_config = _RARE

    working_duration: Seconds
    difference_duration: Annotated[
        float, Field(description="This working time minus the confirmed one, in seconds.")
    ]


class TimesheetShown(BaseModel):
    """A person's timesheet of a date."""

    model_config = _RARE

    date: date
    since: Time
    until: Time
    time_zone: Annotated[str, Field(examples=["Europe/Berlin"])]
    state: DayState
    confirmed_at: Time | None
    scheduled_duration: _Scheduled
    working_duration: Annotated[Seconds, Field(description="The sum of the issues.")]
    overtime_duration: _Overtime
    balance_duration: _Balance
    changed_since: Annotated[
        ChangedSince | None,
        Field(description="The change by events since the day was confirmed; null if there is none."),
    ]
    etag: Annotated[str, Field(description="The value of If-Match to confirm or reopen the day.")]
    issues: Annotated[list[RowShown], Field(description="Longest time first.")]

    @classmethod
    def of(cls, sheet: Sheet, user_id: int, now_ms: int) -> "TimesheetShown":
        """Return the representation of a timesheet, with its entity tag."""
        shown = cls.untagged(sheet, user_id, now_ms)
        shown.etag = _tag(sheet, user_id, now_ms)
        return shown

    @classmethod
    def untagged(cls, sheet: Sheet, user_id: int, now_ms: int) -> "TimesheetShown":
        """Return the representation of a timesheet without its entity tag."""
        changed_ms = sheet.derived_ms
        return cls(
            date=sheet.date,
            since=to_time(sheet.since_ms),
            until=to_time(sheet.until_ms),
            time_zone=sheet.zone,
            state=_state(sheet, now_ms),
            confirmed_at=None if sheet.confirmed_ms is None else to_time(sheet.confirmed_ms),
            scheduled_duration=_seconds(sheet.scheduled_ms),
            working_duration=sheet.working_ms / 1000,
            overtime_duration=sheet.overtime_ms / 1000,
            balance_duration=_seconds(sheet.balance_ms),
            changed_since=None
            if changed_ms is None
            else ChangedSince(
                working_duration=changed_ms / 1000,
                difference_duration=(changed_ms - sheet.working_ms) / 1000,
            ),
            etag="",
            issues=[RowShown.of(row, user_id) for row in sheet.rows],
        )


class TimesheetsShown(BaseModel):
    """A person's timesheets of a range of dates, and their sums."""

    model_config = _RARE

    since: Annotated[date, Field(serialization_alias="from")]
    until: Annotated[date, Field(serialization_alias="to")]
    working_duration: Annotated[Seconds, Field(description="The sum of the days.")]
    scheduled_duration: Annotated[
        Seconds | None, Field(description="The sum of the days; null if no day has working hours.")
    ]
    overtime_duration: _Overtime
    balance_duration: Annotated[
        float | None, Field(description="The sum of the days; null if no day has working hours.")
    ]
    days: list[TimesheetShown]

    @classmethod
    def of(cls, sheets: Sequence[Sheet], user_id: int, now_ms: int) -> "TimesheetsShown":
        """Return the representation of the timesheets of at least one date."""
        return cls(
            since=sheets[0].date,
            until=sheets[-1].date,
            working_duration=sum(sheet.working_ms for sheet in sheets) / 1000,
            scheduled_duration=_sum(sheet.scheduled_ms for sheet in sheets),
            overtime_duration=sum(sheet.overtime_ms for sheet in sheets) / 1000,
            balance_duration=_sum(sheet.balance_ms for sheet in sheets),
            days=[TimesheetShown.of(sheet, user_id, now_ms) for sheet in sheets],
        )


def list_tag(shown: TimesheetsShown, user_id: int) -> str:
    """Return the entity tag of a range, which the elapsed time does not change."""
    tags = _Tags(since=shown.since, until=shown.until, tags=[day.etag for day in shown.days])
    return entity_tag(tags, user_id)


class _Tags(BaseModel):
    """The content that the entity tag of a range covers."""

    since: date
    until: date
    tags: list[str]


class _Tagged(BaseModel):
    """The content that the entity tag of a timesheet covers.

    Attributes
    ----------
    balance_minutes
        The balance, which also changes while nothing counts in working hours.
    counting_since
        The beginnings of the slices that are counting; in ``sheet``, these have a fixed length.
    """

    sheet: TimesheetShown
    balance_minutes: int | None
    counting_since: list[int]


def _tag(sheet: Sheet, user_id: int, now_ms: int) -> str:
    counting = [piece for piece in sheet.slices if piece.until_ms == now_ms]
    balance_ms = sheet.balance_ms
    fixed = tuple(
        replace(piece, until_ms=piece.since_ms + piece.of) if piece.until_ms == now_ms else piece
        for piece in sheet.slices
    )
    tagged = _Tagged(
        sheet=TimesheetShown.untagged(replace(sheet, slices=fixed, scheduled_elapsed_ms=0), user_id, now_ms),
        balance_minutes=None if balance_ms is None else balance_ms // MINUTE_MS,
        counting_since=[piece.since_ms for piece in counting],
    )
    return entity_tag(tagged, user_id)


def _state(sheet: Sheet, now_ms: int) -> DayState:
    if sheet.confirmed_ms is not None:
        return DayState.CONFIRMED
    if sheet.until_ms <= now_ms:
        return DayState.OVER
    return DayState.RUNNING if sheet.since_ms <= now_ms else DayState.UPCOMING


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000


def _sum(values: Iterable[int | None]) -> float | None:
    """Return the sum of the values in seconds; None if there are none."""
    known = [ms for ms in values if ms is not None]
    return sum(known) / 1000 if known else None
