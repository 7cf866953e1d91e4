"""The routes that read timers: the list, a single timer, and totals."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from timelogs.periods import elapsed_part, limit_long, period_between
from timelogs.shared import (
    TIMER,
    WITHOUT_ELAPSED_TIME,
    IfNoneMatch,
    any_timer,
    app,
    current_caller,
    current_ms,
    names,
    response,
    timers,
    timesheets,
)
from timer_core.api import requests
from timer_core.api.conditional import entity_tag, refuse_unmodified
from timer_core.api.cursors import decode_cursor, encode_cursor
from timer_core.api.models import ListedTimeLog, TimeIn, TimeLog, TimeLogPage, TimeTotals, to_ms
from timer_core.api.responses import responses
from timer_core.api.working import working_times
from timer_core.domain.issues import MAX_ISSUE_NUMBER
from timer_core.domain.schedule import DAY_MS
from timer_core.domain.timers import Period, Timer
from timer_core.domain.totals import add_up, part_of
from timer_core.domain.totals import time_zone as find_zone
from timer_core.store.positions import Position
from timer_core.store.queries import Filters, Page
from timer_core.store.stored_days import StoredState
from timer_core.store.timesheets import Worked

if TYPE_CHECKING:
    from timer_core.domain.timeline import Slice

_TOTALS_MS = 30 * DAY_MS
# The beginning of the year 10000, the end of a list's period that has no end.
_END_MS = 253_402_300_800_000

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
    requests.refuse_unknown_parameters(app.current_event, list_timers)
    now, period = current_ms(), None
    if since is not None or until is not None:
        period = period_between(
            0 if since is None else to_ms(since), _END_MS if until is None else to_ms(until)
        )
    zone = find_zone(time_zone)
    filters = Filters(
        is_open=end_time__isnull,
        repo_keys=_repo_keys(github_repo, now),
        number=github_issue_number,
        start_from_ms=None if start_time__gte is None else to_ms(start_time__gte),
        start_before_ms=None if start_time__lt is None else to_ms(start_time__lt),
        period=None if period is None else elapsed_part(period, now),
    )
    position = None if cursor is None else decode_cursor(cursor, Position.parse)
    caller = current_caller()
    if user not in {None, caller.user_id}:
        caller.require_admin()
    owner_id = user or caller.user_id
    if count:
        limit_long(filters.period, now)
    state = timesheets.state(owner_id, now_ms=now)
    page, present = _page(owner_id, filters, page_size, position, state, now)
    counted = timers.count(owner_id, filters) if count else None
    listed = names.of(page.timers, now_ms=now)
    slices: Sequence[Slice] = ()
    if period and listed:
        part = _reached_part(period, listed)
        in_period = timesheets.worked(owner_id, part, now_ms=now, state=state)
        slices = in_period.slices
        if part.until_ms >= now:
            present = in_period
    worked = working_times(
        timesheets, owner_id, listed, now_ms=now, present=present, slices=slices, state=state
    )

    def show(origin: str, shown_at: int) -> TimeLogPage:
        is_tag = shown_at == WITHOUT_ELAPSED_TIME
        return TimeLogPage(
            count=counted,
            next=_link(page.next, origin),
            previous=_link(page.previous, origin),
            results=[
                ListedTimeLog.with_part(
                    timer,
                    worked.of(timer),
                    period
                    and part_of(
                        timer, worked.slices_of(timer, without_elapsed=is_tag), period, zone, shown_at
                    ),
                    shown_at,
                )
                for timer in listed
            ],
        )

    tag = entity_tag(show("", WITHOUT_ELAPSED_TIME), caller.user_id)
    refuse_unmodified(tag, if_none_match)
    shown = show(requests.origin(app.current_event.raw_event), now)
    return response(HTTPStatus.OK, shown, {"ETag": tag})


@app.get(
    TIMER,
    summary="Get a timer",
    operation_id="get",
    responses=responses(200, 304, 401, 403, 404),
    tags=["timers"],
)
def get_timer(timer_id: str, if_none_match: IfNoneMatch = None) -> Response[TimeLog]:
    """Return one of the caller's timers; an admin may get anybody's."""
    now = current_ms()
    (timer,) = names.of([timers.get(*any_timer(timer_id))], now_ms=now)
    worked = working_times(timesheets, timer.user_id, [timer], now_ms=now).of(timer)
    tag = entity_tag(TimeLog.working(timer, worked, WITHOUT_ELAPSED_TIME), current_caller().user_id)
    refuse_unmodified(tag, if_none_match)
    return response(HTTPStatus.OK, TimeLog.working(timer, worked, now), {"ETag": tag})


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
    requests.refuse_unknown_parameters(app.current_event, get_totals)
    now = current_ms()
    until_ms = now if until is None else to_ms(until)
    since_ms = until_ms - _TOTALS_MS if since is None else to_ms(since)
    period = period_between(since_ms, until_ms)
    zone = find_zone(time_zone)
    elapsed = elapsed_part(period, now)
    filters = Filters(repo_keys=_repo_keys(github_repo, now), number=github_issue_number, period=elapsed)
    limit_long(elapsed, now)
    user_id = current_caller().user_id
    worked = timesheets.worked(user_id, elapsed, now_ms=now)
    found, complete = timers.in_period(user_id, filters, worked.only_confirmed)
    totals = add_up(names.of(found, now_ms=now), worked.slices, period, zone, now)
    return response(HTTPStatus.OK, TimeTotals.of(totals, period, time_zone=time_zone, complete=complete))


def _reached_part(period: Period, listed: Sequence[Timer]) -> Period:
    """Return the part of a period in which some timers can have working time."""
    reaches = [timer.reach for timer in listed]
    return Period(
        max(period.since_ms, min(reach.since_ms for reach in reaches)),
        min(period.until_ms, max(reach.until_ms for reach in reaches)),
    )


def _page(
    user_id: int,
    filters: Filters,
    page_size: int,
    position: Position | None,
    state: StoredState,
    now: int,
) -> tuple[Page, Worked | None]:
    """Return a page of timers, and the person's present if it was read.

    The present contains all open timers, so the list of them needs no other read.
    """
    present = None
    if filters == Filters(is_open=True) and position is None:
        present = timesheets.present(user_id, now_ms=now, state=state)
        found = sorted(
            (timer for timer in present.timers if timer.is_open),
            key=lambda timer: (timer.start_ms, timer.ulid),
            reverse=True,
        )
        if len(found) <= page_size:
            return Page(found, None, None), present
    page = timers.page(
        user_id,
        filters,
        page_size=page_size,
        position=position,
        has_moved_starts=state.has_moved_starts,
    )
    return page, present


def _repo_keys(full_name: str | None, now: int) -> frozenset[str]:
    return frozenset() if full_name is None else names.keys(full_name, now_ms=now)


def _link(position: Position | None, origin: str) -> str | None:
    if position is None:
        return None
    parameters = dict(app.current_event.query_string_parameters)
    parameters["cursor"] = encode_cursor(position)
    # The count is the same on all pages, and costs much.
    parameters.pop("count", None)
    return f"{origin}/api/timelogs/?{urlencode(parameters)}"
