"""The routes of timesheets and the models of their bodies."""

from datetime import date
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Query
from aws_lambda_powertools.event_handler.openapi.params import Path as ApiPath
from pydantic import BaseModel, ConfigDict, Field

from timelogs import timesheets
from timelogs.routes.app import IfNoneMatch, app, current_request
from timelogs.timesheets import DayState
from timer_core.api.models import ConfirmRequest, DateIn, IssueShown, Seconds, Time
from timer_core.api.resolver import ReasonParameter, as_response
from timer_core.api.responses import responses

_RARE = ConfigDict(defer_build=True)

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


class RowShown(BaseModel):
    """The time on an issue, or without an issue and with the same description."""

    model_config = _RARE

    issue: IssueShown | None
    description: Annotated[
        str, Field(description="The description of the timers if they have no issue; else empty.")
    ]
    working_duration: Seconds
    overtime_duration: _Overtime
    timers: Annotated[list[str], Field(examples=[["583231-01JD3K5W9GZ8Q4T1M6V7X0Y2BC"]])]


class ChangedSince(BaseModel):
    """The time of a confirmed or locked day if it were derived from the timers now."""

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
        Field(
            description="The change by events since the day was confirmed or locked; null if there is none."
        ),
    ]
    details_deleted: Annotated[
        bool, Field(description="Whether only the sums of the day are kept. It can no longer be reopened.")
    ]
    etag: Annotated[str, Field(description="The value of If-Match to confirm or reopen the day.")]
    issues: Annotated[list[RowShown], Field(description="Longest time first.")]


class TimesheetsShown(BaseModel):
    """A person's timesheets of a range of dates, and their sums."""

    model_config = _RARE

    since: Annotated[date, Field(alias="from")]
    until: Annotated[date, Field(alias="to")]
    working_duration: Annotated[Seconds, Field(description="The sum of the days.")]
    scheduled_duration: Annotated[
        Seconds | None, Field(description="The sum of the days; null if no day has working hours.")
    ]
    overtime_duration: _Overtime
    balance_duration: Annotated[
        float | None, Field(description="The sum of the days; null if no day has working hours.")
    ]
    days: list[TimesheetShown]


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
    app.refuse_unknown_parameters(get_timesheets)
    return as_response(timesheets.get_timesheets(current_request(), from_, to, if_none_match))


@app.post(
    "/api/timesheets/<date>/confirm/",
    summary="Confirm a day",
    operation_id="confirm_day",
    responses=responses(200, 400, 401, 403, 404, 409, 412, 413, 415, 428),
    tags=["working time"],
)
def confirm_day(
    date: _Date, request: Annotated[ConfirmRequest | None, Body()] = None, if_match: _Match = None
) -> Response[TimesheetShown]:
    """Freeze the time of a day that has been over for a minute, until it is reopened.

    Changes by hand that would alter the day are refused with 409. Events on GitHub still change the timers;
    then the day has `changed_since`. Confirming a confirmed day again changes nothing.
    """
    return as_response(
        timesheets.confirm_day(current_request(), date, if_match, request.reason if request else "")
    )


@app.delete(
    "/api/timesheets/<date>/confirm/",
    summary="Reopen a confirmed day",
    operation_id="reopen_day",
    responses=responses(200, 400, 401, 403, 404, 409, 412, 428),
    tags=["working time"],
)
def reopen_day(
    date: _Date, reason: ReasonParameter = "", if_match: _Match = None
) -> Response[TimesheetShown]:
    """Derive the time of a confirmed day from the timers again."""
    return as_response(timesheets.reopen_day(current_request(), date, if_match, reason))
