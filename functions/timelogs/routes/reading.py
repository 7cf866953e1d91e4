"""The routes that read timers: the list, a single timer, and totals."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from timelogs import reading
from timelogs.routes.app import IfNoneMatch, app, current_request, given
from timelogs.shared import TIMER
from timer_core.api.models import TimeIn, TimeLog, TimeLogPage, TimeTotals
from timer_core.api.resolver import as_response
from timer_core.api.responses import responses
from timer_core.domain.issues import MAX_ISSUE_NUMBER

_RepoFilter = Annotated[str | None, Query(description="owner/name; case does not matter", max_length=140)]
_NumberFilter = Annotated[int | None, Query(ge=1, le=MAX_ISSUE_NUMBER)]
_ZoneName = Annotated[
    str, Query(description="The time zone of the days: an IANA name such as Europe/Berlin", max_length=64)
]


@app.get(
    "/api/timelogs/",
    summary="List your timers, newest first",
    operation_id="list",
    responses=responses(200, 304, 400, 401, 403),
    tags=["timers"],
)
def list_timers(
    end_time__isnull: Annotated[
        bool | None, Query(description="true: only open timers; false: only stopped timers")
    ] = None,
    github_repo: _RepoFilter = None,
    github_issue_number: _NumberFilter = None,
    start_time__gte: Annotated[TimeIn | None, Query(description="Started at this time or later")] = None,
    start_time__lt: Annotated[TimeIn | None, Query(description="Started before this time")] = None,
    since: Annotated[
        TimeIn | None, Query(description="The start of a period: select the timers that overlap the period")
    ] = None,
    until: Annotated[
        TimeIn | None, Query(description="The end of the period; by default, the period has no end")
    ] = None,
    time_zone: _ZoneName = "UTC",
    count: Annotated[bool, Query(description="Whether to count the timers on all pages")] = False,
    page_size: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[
        str | None, Query(description="The cursor in a page's next or previous", max_length=100)
    ] = None,
    user: Annotated[
        int | None, Query(ge=1, description="For admins: the GitHub id of the person whose timers to list")
    ] = None,
    if_none_match: IfNoneMatch = None,
) -> Response[TimeLogPage]:
    """Return a page of the caller's timers, with absolute links to the next and previous page.

    With `since` or `until`, the list contains the timers whose time from start to end overlaps the period:
    those that `totals/` adds up, and others without active time in the period. Each has its part of the
    period.

    A page may have fewer timers than requested, or none, although another page follows: each page reads at
    most 20,000 timers, of which the filters may select few. On the last page, `next` is null.

    With `count=true`, all timers that the filters select are read. For a list without a period, or with one
    longer than a week, such a request counts toward the write limit.
    """
    app.refuse_unknown_parameters(list_timers)
    parameters = given(
        end_time__isnull=end_time__isnull,
        github_repo=github_repo,
        github_issue_number=github_issue_number,
        start_time__gte=start_time__gte,
        start_time__lt=start_time__lt,
        since=since,
        until=until,
        time_zone=time_zone,
        count=count,
        page_size=page_size,
        cursor=cursor,
        user=user,
    )
    return as_response(reading.list_timers(current_request(), parameters, if_none_match))


@app.get(
    TIMER,
    summary="Get a timer",
    operation_id="get",
    responses=responses(200, 304, 401, 403, 404),
    tags=["timers"],
)
def get_timer(timer_id: str, if_none_match: IfNoneMatch = None) -> Response[TimeLog]:
    """Return one of the caller's timers; an admin may get anybody's."""
    return as_response(reading.get_timer(current_request(), timer_id, if_none_match))


@app.get(
    "/api/timelogs/totals/",
    summary="Add up your time per day and per issue",
    operation_id="totals",
    responses=responses(200, 400, 401, 403),
    tags=["timers"],
)
def get_totals(
    since: Annotated[
        TimeIn | None, Query(description="The start of the period; by default 30 days before until")
    ] = None,
    until: Annotated[TimeIn | None, Query(description="The end of the period; by default now")] = None,
    time_zone: _ZoneName = "UTC",
    github_repo: _RepoFilter = None,
    github_issue_number: _NumberFilter = None,
) -> Response[TimeTotals]:
    """Return the working time and the active time in a period; running timers count until now.

    The timers are those of the list with the same `since` and `until`, and the totals are the sums of their
    `part_working_duration` and `part_active_duration`. On confirmed days, timers that events have moved
    elsewhere since are added. Working time is the time that counts for the person:
    within working hours, and for one timer at a time unless the organization has decided otherwise. Active
    time is the time of the timers' own histories. Pauses are subtracted from the days on which they occurred.
    If a correction moved a pause outside of the timer's start and end, the pause is subtracted in proportion
    from all active time of the timer. Requests for periods longer than a week count toward the write limit.
    """
    app.refuse_unknown_parameters(get_totals)
    parameters = given(
        since=since,
        until=until,
        time_zone=time_zone,
        github_repo=github_repo,
        github_issue_number=github_issue_number,
    )
    return as_response(reading.get_totals(current_request(), parameters))
