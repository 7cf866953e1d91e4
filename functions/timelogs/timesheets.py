"""The routes, bodies and ETags of timesheets: the working time of each date, beside the working hours."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Query
from aws_lambda_powertools.event_handler.openapi.params import Path as ApiPath
from pydantic import BaseModel, ConfigDict, Field

from timelogs.shared import (
    IfNoneMatch,
    app,
    calendars,
    current_caller,
    current_ms,
    guard,
    names,
    response,
    timesheets,
)
from timer_core.api import requests
from timer_core.api.conditional import matches, refuse_unmodified, require_match, required, tag_of
from timer_core.api.models import DateIn, Seconds, Time, to_time
from timer_core.api.responses import responses
from timer_core.domain.errors import ErrorCode, InvalidInput
from timer_core.domain.ids import timer_id
from timer_core.domain.issues import Issue
from timer_core.domain.schedule import DAY, MINUTE_MS
from timer_core.domain.sheets import Label, Row, Sheet

_MOST_TIMESHEETS = 366
_WEEK_DAYS = 7

_RARE = ConfigDict(defer_build=True, serialize_by_alias=True)

_Scheduled = Annotated[
    Seconds | None, Field(description="The length of the working hours; null where all time counts.")
]
_Overtime = Annotated[Seconds, Field(description="The part of it outside of working hours.")]
_Balance = Annotated[
    float | None,
    Field(description="The working time minus the working hours up to now; null where all time counts."),
]
_Match = Annotated[
    str | None,
    Header(
        alias="if-match",
        description="The etag of the day as it was read: 412 if it has changed since, 428 without it",
    ),
]
_Date = Annotated[DateIn, ApiPath(examples=["2026-11-23"])]


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
            etag=_tag(sheet, user_id, now_ms),
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


@app.get(
    "/api/timesheets/",
    summary="Get your timesheets",
    operation_id="timesheets",
    responses=responses(200, 304, 400, 401, 403),
    tags=["working time"],
)
def get_timesheets(
    from_: Annotated[
        DateIn | None,
        Query(
            alias="from", description="The first date; by default the Monday of the week of to, or of today"
        ),
    ] = None,
    to: Annotated[
        DateIn | None, Query(description="The last date; by default the sixth day after from")
    ] = None,
    if_none_match: IfNoneMatch = None,
) -> Response[TimesheetsShown]:
    """Return what counted on each date, for which issue, beside the working hours.

    Dates are those of the time zone of the working hours that hold on them. A range has at most 366 days.
    Requests for more than a week count toward the write limit.

    The days add up to the range, and the issues to the day, to the millisecond. Scheduled time and balance of
    a range are the sums of the days that have working hours.
    """
    requests.refuse_unknown_parameters(app.current_event, get_timesheets)
    now, user_id = current_ms(), current_caller().user_id
    first = from_ or _monday(to or calendars.of(user_id).schedule.day_of(now))
    last = to or first + (_WEEK_DAYS - 1) * DAY
    days = (last - first).days + 1
    if days < 1:
        raise InvalidInput("from", "Must not be after to.", ErrorCode.END_BEFORE_START)
    if days > _MOST_TIMESHEETS:
        raise InvalidInput("from", "Must be at most 365 days before to.", ErrorCode.OUT_OF_RANGE)
    if days > _WEEK_DAYS:
        guard.count_write(current_caller(), now_ms=now)
    sheets = _with_present_names(
        timesheets.days(user_id, [first + n * DAY for n in range(days)], now_ms=now), now
    )
    shown = TimesheetsShown.of(sheets, user_id, now)
    tag = _list_tag(shown, user_id)
    refuse_unmodified(tag, if_none_match)
    return response(HTTPStatus.OK, shown, {"ETag": tag})


@app.post(
    "/api/timesheets/<date>/confirm/",
    summary="Confirm a day",
    operation_id="confirm_day",
    responses=responses(200, 400, 401, 403, 404, 412, 428),
    tags=["working time"],
)
def confirm_day(date: _Date, if_match: _Match = None) -> Response[TimesheetShown]:
    """Freeze the time of a day that has been over for a minute, until it is reopened.

    Changes by hand that would alter the day are refused with 409. Events on GitHub still change the timers;
    then the day has `changed_since`. Confirming a confirmed day again changes nothing.
    """
    seen, now = required(if_match), current_ms()
    sheet = timesheets.confirm(
        current_caller().user_id, date, partial(_expect, seen=seen, now=now), now_ms=now
    )
    return _sheet_response(sheet, now)


@app.delete(
    "/api/timesheets/<date>/confirm/",
    summary="Reopen a confirmed day",
    operation_id="reopen_day",
    responses=responses(200, 400, 401, 403, 404, 412, 428),
    tags=["working time"],
)
def reopen_day(date: _Date, if_match: _Match = None) -> Response[TimesheetShown]:
    """Derive the time of a confirmed day from the timers again."""
    seen, now = required(if_match), current_ms()

    def expect(sheet: Sheet) -> None:
        require_match(_shown_sheet(sheet, now).etag, seen)

    return _sheet_response(timesheets.reopen(current_caller().user_id, date, expect, now_ms=now), now)


def _monday(day: date) -> date:
    """Return the first day of a date's week (ISO 8601)."""
    return day - day.weekday() * DAY


def _with_present_names(sheets: Sequence[Sheet], now: int) -> list[Sheet]:
    """Return timesheets with the present names of the repositories."""
    labels = {ulid: label for sheet in sheets for ulid, label in sheet.labels.items()}
    issues = {ulid: label.issue for ulid, label in labels.items() if label.issue}
    present = names.issues([*issues.values()], now_ms=now)
    labels |= {
        ulid: Label(issue, labels[ulid].description) for ulid, issue in zip(issues, present, strict=True)
    }
    return [replace(sheet, labels=labels) for sheet in sheets]


def _shown_sheet(sheet: Sheet, now: int) -> TimesheetShown:
    (named,) = _with_present_names([sheet], now)
    return TimesheetShown.of(named, current_caller().user_id, now)


def _expect(sheet: Sheet, *, seen: str, now: int) -> None:
    """Compare a day to confirm with the tag of the day as the person saw it.

    The tag from before the confirmation is also valid, so that a request whose response was lost can be
    repeated.

    Raises
    ------
    PreconditionFailed
        If the day has changed since.
    """
    unconfirmed = replace(sheet, confirmed_ms=None, derived=None)
    if sheet.confirmed_ms is None or not matches(_shown_sheet(unconfirmed, now).etag, seen):
        require_match(_shown_sheet(sheet, now).etag, seen)


def _sheet_response(sheet: Sheet, now: int) -> Response[TimesheetShown]:
    shown = _shown_sheet(sheet, now)
    return response(HTTPStatus.OK, shown, {"ETag": shown.etag})


def _list_tag(shown: TimesheetsShown, user_id: int) -> str:
    """Return the entity tag of a range, which the elapsed time does not change."""
    return tag_of(f"{shown.since} {shown.until} {[day.etag for day in shown.days]}", user_id)


def _tag(sheet: Sheet, user_id: int, now_ms: int) -> str:
    """Return the entity tag of a timesheet, which the time of counting slices does not change.

    The balance changes it each minute, also while nothing counts in working hours.
    """
    counting = [piece.since_ms for piece in sheet.slices if piece.until_ms == now_ms]
    fixed = sheet
    if counting:
        slices = (
            replace(piece, until_ms=piece.since_ms + piece.of) if piece.until_ms == now_ms else piece
            for piece in sheet.slices
        )
        fixed = replace(sheet, slices=tuple(slices))
    balance_ms = sheet.balance_ms
    content = (
        (sheet.date.isoformat(), sheet.since_ms, sheet.until_ms, sheet.zone),
        (str(_state(sheet, now_ms)), sheet.confirmed_ms, sheet.scheduled_ms, sheet.derived_ms),
        [_shown(row) for row in fixed.rows],
        balance_ms and balance_ms // MINUTE_MS,
        counting,
    )
    return tag_of(repr(content), user_id)


def _shown(row: Row) -> tuple[object, ...]:
    """Return the parts of a row that people see.

    The id of a repository is none of them: functions that cached the name earlier do not know the id yet.
    """
    issue, description = row.label
    shown = issue and (issue.full_name, issue.number, issue.title)
    return shown, description, row.working_ms, row.overtime_ms, row.timers


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
