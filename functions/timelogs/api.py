"""The routes of the timers, and those for admins and monitoring."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from functools import cache, partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeGuard, TypeVar
from urllib.parse import urlencode

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Query
from aws_lambda_powertools.event_handler.openapi.params import Path as ApiPath
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from timelogs.timeline import TimelineShown
from timelogs.timesheets import TimesheetShown, TimesheetsShown, list_tag
from timer_core import __version__
from timer_core.api import errors, requests
from timer_core.api.auth import Caller
from timer_core.api.conditional import (
    entity_tag,
    matches,
    refuse_unmodified,
    require_match,
    required,
)
from timer_core.api.cursors import decode_cursor, encode_cursor
from timer_core.api.digests import digest
from timer_core.api.models import (
    AddRequest,
    DateIn,
    DeliveriesOfDay,
    FocusRequest,
    HealthDetails,
    HealthReport,
    ListedTimeLog,
    OpenTimerPage,
    PatchRequest,
    PauseChange,
    PauseRequest,
    SplitRequest,
    SplitTimeLog,
    StartRequest,
    TimeIn,
    TimeLog,
    TimeLogPage,
    TimerFacts,
    TimeTotals,
    TransitionRequest,
    to_ms,
)
from timer_core.api.problems import HttpError
from timer_core.api.request_guard import RequestGuard
from timer_core.api.responses import responses
from timer_core.api.working import working_times
from timer_core.clock import now_ms
from timer_core.domain.corrections import (
    Correction,
    with_changed_pause,
    with_pause,
    without_pause,
)
from timer_core.domain.errors import ErrorCode, InvalidInput, NotFound, NotYourTimer
from timer_core.domain.ids import new_ulid, parse_timer_id
from timer_core.domain.issues import MAX_ISSUE_NUMBER
from timer_core.domain.schedule import DAY, DAY_MS, Span, joined
from timer_core.domain.sheets import Label, Sheet
from timer_core.domain.state import request_cause
from timer_core.domain.timers import (
    MAX_OF_EACH_KIND,
    Period,
    Timer,
    check_span,
    finished,
    past_ms,
    requested_ms,
    without,
)
from timer_core.domain.totals import add_up, part_of
from timer_core.domain.totals import time_zone as find_zone
from timer_core.observability import count_requests, make_logger, make_metrics
from timer_core.settings import settings
from timer_core.store.calendars import Calendars
from timer_core.store.health import Health, HealthStore
from timer_core.store.hooks import HookStore
from timer_core.store.positions import OpenTimersCursor, Position
from timer_core.store.queries import Filters, Page
from timer_core.store.repositories import PresentNames
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from timer_core.store.timesheets import Timesheets, Worked
from timer_core.store.writes import Idempotency, Patch

if TYPE_CHECKING:
    from timer_core.domain.timeline import Slice
    from timer_core.services.offline import OfflineActions

logger = make_logger("timelogs")
metrics = make_metrics("timelogs")

_HEALTH_CACHE_MS = 60_000
_TOTALS_MS = 30 * DAY_MS
_LONGEST_TIMELINE_MS = 366 * DAY_MS
_MOST_TIMESHEETS = 366
_WEEK_DAYS = 7
# The beginning of the year 2200, in which calendars end.
_CALENDAR_END_MS = 7_258_118_400_000
# A request that adds up or counts the timers of a longer period counts as a write, because the request reads
# as much as a page of the export.
_CHEAP_PERIOD_MS = 7 * DAY_MS
# A period ends at most this long after the present, so that open timers do not belong to future periods. The
# machine on which a timer was started may be ahead by less.
_AHEAD_MS = 60_000
# The beginning of the year 10000, the end of a list's period that has no end.
_END_MS = 253_402_300_800_000
# The time that a request may spend in the network. If `at` is older than this, the request is an offline
# action, and the issue's timers are rederived after the action.
_NETWORK_MS = 5_000
# The ETag is computed as if the present time were the epoch, so that elapsed time does not change the ETag.
_WITHOUT_ELAPSED_TIME = 0

table = Table(settings().table_name)
calendars = Calendars(table)
timers = TimerStore(table, calendars)
timesheets = Timesheets(table, timers, calendars)
names = PresentNames(table)
guard = RequestGuard(table, logger)
health_store = HealthStore(table)

app = APIGatewayHttpResolver(
    enable_validation=True, json_body_deserializer=requests.parse_json, serializer=requests.to_json
)
errors.install(app, logger)

_Body = TypeVar("_Body", bound=BaseModel)
_Key = Annotated[
    str | None,
    Header(
        alias="idempotency-key",
        description="Makes repeating the request safe",
        min_length=1,
        max_length=255,
    ),
]
_Tags = Annotated[
    str | None,
    Header(
        alias="if-none-match",
        description="The ETag of an earlier response: 304 if only elapsed time has changed since",
    ),
]
_Match = Annotated[
    str | None,
    Header(
        alias="if-match",
        description="The etag of the day as it was read: 412 if it has changed since, 428 without it",
    ),
]
_RepoFilter = Annotated[str | None, Query(description="owner/name; case does not matter", max_length=140)]
_NumberFilter = Annotated[int | None, Query(ge=1, le=MAX_ISSUE_NUMBER)]
_ZoneName = Annotated[
    str, Query(description="The time zone of the days: an IANA name such as Europe/Berlin", max_length=64)
]
_Date = Annotated[DateIn, ApiPath(examples=["2026-11-23"])]
_PauseNumber = Annotated[int, ApiPath(ge=0, lt=MAX_OF_EACH_KIND * 2)]
_ID = "/api/timelogs/<timer_id>/"


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
    if_none_match: _Tags = None,
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
    now, period = now_ms(), None
    if since is not None or until is not None:
        period = _period(0 if since is None else to_ms(since), _END_MS if until is None else to_ms(until))
    zone = find_zone(time_zone)
    filters = Filters(
        is_open=end_time__isnull,
        repo_keys=_repo_keys(github_repo, now),
        number=github_issue_number,
        start_from_ms=None if start_time__gte is None else to_ms(start_time__gte),
        start_before_ms=None if start_time__lt is None else to_ms(start_time__lt),
        period=None if period is None else _elapsed_part(period, now),
    )
    position = None if cursor is None else decode_cursor(cursor, Position.parse)
    caller = _caller()
    if user not in {None, caller.user_id}:
        caller.require_admin()
    owner_id = user or caller.user_id
    if count:
        _limit_long(filters.period, now)
    page, present = _page(owner_id, filters, page_size, position, now)
    counted = timers.count(owner_id, filters) if count else None
    listed = names.of(page.timers, now_ms=now)
    slices: Sequence[Slice] = ()
    if period and listed:
        part = _reached_part(period, listed)
        in_period = timesheets.worked(owner_id, part, now_ms=now)
        slices = in_period.slices
        if part.until_ms >= now:
            present = in_period
    worked = working_times(timesheets, owner_id, listed, now_ms=now, present=present, slices=slices)

    def show(origin: str, shown_at: int) -> TimeLogPage:
        is_tag = shown_at == _WITHOUT_ELAPSED_TIME
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

    tag = entity_tag(show("", _WITHOUT_ELAPSED_TIME), caller.user_id)
    refuse_unmodified(tag, if_none_match)
    shown = show(requests.origin(app.current_event.raw_event), now)
    return _response(HTTPStatus.OK, shown, {"ETag": tag})


@app.post(
    "/api/timelogs/",
    summary="Add a stopped timer",
    operation_id="add",
    responses=responses(201, 400, 401, 403, 409, 413, 415, model=TimeLog),
    tags=["timers"],
)
def add_timer(
    request: Annotated[AddRequest, Body()],
    idempotency_key: _Key = None,
) -> Response[TimeLog]:
    """Add a stopped timer; requests with the same Idempotency-Key add it once."""
    now = now_ms()
    start_ms, end_ms = request.span_ms
    start_ms = past_ms(start_ms, now, field="start_time")
    end_ms = past_ms(end_ms, now, field="end_time" if request.duration is None else "duration")
    timer = finished(
        user_id=_caller().user_id,
        ulid=new_ulid(start_ms),
        start_ms=start_ms,
        end_ms=end_ms,
        now_ms=now,
        issue=request.issue,
        organization=request.organization,
        description=request.description,
    )
    added = timers.add(timer, _idempotency(idempotency_key, "add", request))
    return _response(HTTPStatus.CREATED, _shown(added, now), _location(added))


@app.post(
    "/api/timelogs/start/",
    summary="Start a timer, or get the one that is open on the issue",
    operation_id="start",
    responses=responses(200, 201, 400, 401, 403, 409, 413, 415, model=TimeLog),
    tags=["timers"],
)
def start_timer(
    request: Annotated[StartRequest | None, Body()] = None,
    idempotency_key: _Key = None,
) -> Response[TimeLog]:
    """Start a timer: 201, or 200 with the timer that is already open on the issue."""
    request = request or StartRequest()
    now = now_ms()
    at_ms = _requested_ms(request, now)
    start = (
        partial(_offline().start, at_ms=at_ms)
        if _was_offline(at_ms, now)
        else partial(timers.start, at_ms=at_ms)
    )
    timer, created = start(
        user_id=_caller().user_id,
        now_ms=now,
        issue=request.issue,
        organization=request.organization,
        description=request.description,
        idempotency=_idempotency(idempotency_key, "start", request),
    )
    status = HTTPStatus.CREATED if created else HTTPStatus.OK
    return _response(status, _shown(timer, now), _location(timer) if created else None)


@app.post(
    _ID + "pause/",
    summary="Pause a running timer",
    operation_id="pause",
    responses=responses(200, 400, 401, 403, 404, 409, 413, 415),
    tags=["timers"],
)
def pause_timer(
    timer_id: str,
    request: Annotated[TransitionRequest | None, Body()] = None,
    idempotency_key: _Key = None,
) -> Response[TimeLog]:
    """Stop counting time until the timer is resumed."""
    return _change(timers.pause, _own_timer(timer_id), request, idempotency_key)


@app.post(
    _ID + "resume/",
    summary="Resume a paused timer",
    operation_id="resume",
    responses=responses(200, 400, 401, 403, 404, 409, 413, 415),
    tags=["timers"],
)
def resume_timer(
    timer_id: str,
    request: Annotated[TransitionRequest | None, Body()] = None,
    idempotency_key: _Key = None,
) -> Response[TimeLog]:
    """Count time again after a pause."""
    return _change(timers.resume, _own_timer(timer_id), request, idempotency_key)


@app.post(
    _ID + "stop/",
    summary="Stop an open timer",
    operation_id="stop",
    responses=responses(200, 400, 401, 403, 404, 409, 413, 415),
    tags=["timers"],
)
def stop_timer(
    timer_id: str,
    request: Annotated[TransitionRequest | None, Body()] = None,
    idempotency_key: _Key = None,
) -> Response[TimeLog]:
    """Stop the timer permanently; its duration is its active time."""
    return _change(timers.stop, _any_timer(timer_id), request, idempotency_key)


@app.post(
    _ID + "focus/",
    summary="Switch to a running timer",
    operation_id="focus",
    responses=responses(200, 400, 401, 403, 404, 409, 413, 415),
    tags=["timers"],
)
def focus_timer(
    timer_id: str,
    request: Annotated[FocusRequest | None, Body()] = None,
    idempotency_key: _Key = None,
) -> Response[TimeLog]:
    """Count this running timer from now on, where one timer counts at a time.

    With `overtime`, the timer also counts after the present working hours.
    """
    overtime = request is not None and request.overtime

    def focus(user_id: int, ulid: str, *, by: str, **parameters: Any) -> Timer:  # noqa: ARG001
        return timers.focus(user_id, ulid, overtime=overtime, **parameters)

    return _change(focus, _own_timer(timer_id), request, idempotency_key)


@app.post(
    _ID + "pauses/",
    summary="Insert a pause",
    operation_id="insert_pause",
    responses=responses(200, 400, 401, 403, 404, 409, 413, 415),
    tags=["timers"],
)
def insert_pause(
    timer_id: str, request: Annotated[PauseRequest, Body()], idempotency_key: _Key = None
) -> Response[TimeLog]:
    """Insert a pause into a timer, open or stopped.

    Where the timer counted alone, nothing counts during the pause. Where others counted too, they still
    count.
    """
    now = now_ms()
    pause = past_ms(to_ms(request.start), now, field="start"), past_ms(to_ms(request.end), now, field="end")
    cause = _cause(idempotency_key, request)
    return _correct(
        timer_id,
        lambda timer: with_pause(timer, *pause, now, cause),
        _idempotency(idempotency_key, f"insert pause {timer_id}", request),
        now,
    )


@app.put(
    _ID + "pauses/<number>/",
    summary="Correct a pause",
    operation_id="change_pause",
    responses=responses(200, 400, 401, 403, 404, 409, 413, 415),
    tags=["timers"],
)
def change_pause(
    timer_id: str,
    number: _PauseNumber,
    request: Annotated[PauseChange, Body()],
    idempotency_key: _Key = None,
) -> Response[TimeLog]:
    """Change the start and the end of a pause.

    The number is the position in the timer's `pauses`, from 0. To end the present pause, resume the timer.
    """
    now = now_ms()
    start = past_ms(to_ms(request.start), now, field="start")
    end = None if request.end is None else past_ms(to_ms(request.end), now, field="end")
    return _correct(
        timer_id,
        lambda timer: with_changed_pause(timer, number, start, end, now),
        _idempotency(idempotency_key, f"change pause {timer_id} {number}", request),
        now,
    )


@app.delete(
    _ID + "pauses/<number>/",
    summary="Remove a pause",
    operation_id="remove_pause",
    responses=responses(200, 400, 401, 403, 404, 409),
    tags=["timers"],
)
def remove_pause(timer_id: str, number: _PauseNumber, idempotency_key: _Key = None) -> Response[TimeLog]:
    """Remove a pause, so that its time counts. If it is the present pause, the timer runs again.

    The number is the position in the timer's `pauses`, from 0. The pauses after it get other numbers, so
    repeat this request only with an Idempotency-Key.
    """
    now = now_ms()
    return _correct(
        timer_id,
        lambda timer: without_pause(timer, number, now),
        _idempotency(idempotency_key, f"remove pause {timer_id} {number}", None),
        now,
    )


@app.post(
    _ID + "split/",
    summary="Divide a timer in two",
    operation_id="split",
    responses=responses(201, 400, 401, 403, 404, 409, 413, 415, model=SplitTimeLog),
    tags=["timers"],
)
def split_timer(
    timer_id: str, request: Annotated[SplitRequest, Body()], idempotency_key: _Key = None
) -> Response[SplitTimeLog]:
    """Divide a timer at a time between its start and its end, without changing its active time.

    The timer ends there, and a new timer continues; it is open if the timer was. Each can then be corrected
    on its own, for example moved to another issue.
    """
    now, at_ms = now_ms(), to_ms(request.at)
    halves = timers.split(
        *_own_timer(timer_id),
        at_ms,
        now_ms=now,
        idempotency=_idempotency(idempotency_key, f"split {timer_id}", request),
    )
    first, second = _all_shown(halves, now)
    shown = SplitTimeLog.model_construct(first=first, second=second)
    return _response(HTTPStatus.CREATED, shown, _location(halves.second))


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
    `part_working_duration` and `part_active_duration`. Working time is the time that counts for the person:
    within working hours, and for one timer at a time unless the organization has decided otherwise. Active
    time is the time of the timers' own histories. Pauses are subtracted from the days on which they occurred.
    If a correction moved a pause outside of the timer's start and end, the pause is subtracted in proportion
    from all active time of the timer. Requests for periods longer than a week count toward the write limit.
    """
    requests.refuse_unknown_parameters(app.current_event, get_totals)
    now = now_ms()
    until_ms = now if until is None else to_ms(until)
    since_ms = until_ms - _TOTALS_MS if since is None else to_ms(since)
    period = _period(since_ms, until_ms)
    zone = find_zone(time_zone)
    elapsed = _elapsed_part(period, now)
    filters = Filters(repo_keys=_repo_keys(github_repo, now), number=github_issue_number, period=elapsed)
    _limit_long(elapsed, now)
    user_id = _caller().user_id
    found, complete = timers.in_period(user_id, filters)
    worked = timesheets.worked(user_id, elapsed, now_ms=now)
    # Events may have moved a timer out of the period in which it has confirmed time.
    moved = {piece.timer for piece in worked.slices} - {piece.timer for piece in worked.derived}
    unlisted = moved - {timer.ulid for timer in found}
    found += timers.get_all(user_id, unlisted, replace(filters, period=None))
    totals = add_up(names.of(found, now_ms=now), worked.slices, period, zone, now)
    return _response(HTTPStatus.OK, TimeTotals.of(totals, period, time_zone=time_zone, complete=complete))


@app.get(
    "/api/timeline/",
    summary="Get your working time as intervals",
    operation_id="timeline",
    responses=responses(200, 400, 401, 403),
    tags=["working time"],
)
def get_timeline(
    since: Annotated[
        TimeIn | None,
        Query(description="The start of the period; by default the beginning of the day of until"),
    ] = None,
    until: Annotated[
        TimeIn | None,
        Query(description="The end of the period; by default the end of the day of since, or today"),
    ] = None,
) -> Response[TimelineShown]:
    """Return which time counted, and for which timer. Days are those of your working hours' time zone.

    The period has at most 366 days, and ends before 2200. Requests for periods longer than a week count
    toward the write limit.
    """
    requests.refuse_unknown_parameters(app.current_event, get_timeline)
    now, user_id = now_ms(), _caller().user_id
    for field, time in (("since", since), ("until", until)):
        if time is not None and to_ms(time) > _CALENDAR_END_MS:
            raise InvalidInput(field, "Must not be after 2199.", ErrorCode.OUT_OF_RANGE)
    schedule = calendars.of(user_id).schedule
    if since is None:
        since_ms = schedule.starts_at(schedule.day_of(now if until is None else to_ms(until) - 1))
    else:
        since_ms = to_ms(since)
    until_ms = schedule.starts_at(schedule.day_of(since_ms) + DAY) if until is None else to_ms(until)
    period = _period(since_ms, until_ms)
    if until_ms - since_ms > _LONGEST_TIMELINE_MS:
        raise InvalidInput("since", "Must be at most 366 days before until.", ErrorCode.OUT_OF_RANGE)
    _limit_long(_elapsed_part(period, now), now)
    shown = TimelineShown.of(timesheets.worked(user_id, period, now_ms=now), period, user_id, now)
    return _response(HTTPStatus.OK, shown)


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
    if_none_match: _Tags = None,
) -> Response[TimesheetsShown]:
    """Return what counted on each date, for which issue, beside the working hours.

    Dates are those of the time zone of the working hours that hold on them. A range has at most 366 days.
    Requests for more than a week count toward the write limit.

    The days add up to the range, and the issues to the day, to the millisecond. Scheduled time and balance of
    a range are the sums of the days that have working hours.
    """
    requests.refuse_unknown_parameters(app.current_event, get_timesheets)
    now, user_id = now_ms(), _caller().user_id
    first = from_ or _monday(to or calendars.of(user_id).schedule.day_of(now))
    last = to or first + (_WEEK_DAYS - 1) * DAY
    days = (last - first).days + 1
    if days < 1:
        raise InvalidInput("from", "Must not be after to.", ErrorCode.END_BEFORE_START)
    if days > _MOST_TIMESHEETS:
        raise InvalidInput("from", "Must be at most 365 days before to.", ErrorCode.OUT_OF_RANGE)
    if days > _WEEK_DAYS:
        guard.count_write(_caller(), now_ms=now)
    sheets = _with_present_names(
        timesheets.days(user_id, [first + n * DAY for n in range(days)], now_ms=now), now
    )
    shown = TimesheetsShown.of(sheets, user_id, now)
    tag = list_tag(shown, user_id)
    refuse_unmodified(tag, if_none_match)
    return _response(HTTPStatus.OK, shown, {"ETag": tag})


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
    seen, now = required(if_match), now_ms()
    sheet = timesheets.confirm(_caller().user_id, date, partial(_expect, seen=seen, now=now), now_ms=now)
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
    seen, now = required(if_match), now_ms()

    def expect(sheet: Sheet) -> None:
        require_match(_shown_sheet(sheet, now).etag, seen)

    return _sheet_response(timesheets.reopen(_caller().user_id, date, expect, now_ms=now), now)


@app.get(
    _ID,
    summary="Get a timer",
    operation_id="get",
    responses=responses(200, 304, 401, 403, 404),
    tags=["timers"],
)
def get_timer(timer_id: str, if_none_match: _Tags = None) -> Response[TimeLog]:
    """Return one of the caller's timers; an admin may get anybody's."""
    now = now_ms()
    (timer,) = names.of([timers.get(*_any_timer(timer_id))], now_ms=now)
    worked = working_times(timesheets, timer.user_id, [timer], now_ms=now).of(timer)
    tag = entity_tag(TimeLog.working(timer, worked, _WITHOUT_ELAPSED_TIME), _caller().user_id)
    refuse_unmodified(tag, if_none_match)
    return _response(HTTPStatus.OK, TimeLog.working(timer, worked, now), {"ETag": tag})


@app.patch(
    _ID,
    summary="Correct a timer",
    operation_id="patch",
    responses=responses(200, 400, 401, 403, 404, 409, 413, 415),
    tags=["timers"],
)
def patch_timer(timer_id: str, request: Annotated[PatchRequest, Body()]) -> Response[TimeLog]:
    """Change the issue, organization, description and start of a timer and, if it is stopped, its end."""
    now = now_ms()
    start_ms, end_ms = (
        None if time is None else past_ms(to_ms(time), now, field=field)
        for field, time in (("start_time", request.start_time), ("end_time", request.end_time))
    )
    check_span(start_ms, end_ms, now)
    if not request.model_fields_set:
        raise HttpError(HTTPStatus.BAD_REQUEST, "The body must contain a field to correct.")
    unlinks = "github_issue_url" in request.model_fields_set and request.github_issue_url is None
    patch = Patch(
        issue=(request.issue,) if unlinks or request.issue is not None else None,
        organization=request.organization,
        description=request.description,
        start_ms=start_ms,
        end_ms=end_ms,
    )
    timer = timers.patch(*_own_timer(timer_id), patch, now_ms=now, counted=partial(_counted, now=now))
    return _response(HTTPStatus.OK, _shown(timer, now))


@app.delete(
    _ID,
    summary="Delete a timer",
    operation_id="delete",
    responses=responses(204, 401, 403, 404, 409),
    tags=["timers"],
)
def delete_timer(timer_id: str) -> Response[str]:
    """Delete a timer permanently, open or stopped.

    Time in which it counted alone counts for no other timer.
    """
    now = now_ms()
    timers.delete(*_own_timer(timer_id), now_ms=now, counted=partial(_counted, now=now))
    return Response(HTTPStatus.NO_CONTENT.value, body="")


@app.get(
    "/api/admin/timers/",
    summary="For admins: list everybody's open timers",
    operation_id="list_open_timers",
    responses=responses(200, 400, 401, 403),
    tags=["operation"],
)
def list_open_timers(
    cursor: Annotated[str | None, Query(description="The cursor in a page's next", max_length=200)] = None,
) -> Response[OpenTimerPage]:
    """Return a page of all open timers, in no particular order."""
    requests.refuse_unknown_parameters(app.current_event, list_open_timers)
    _caller().require_admin()
    now = now_ms()
    page, after = timers.open_page(None if cursor is None else decode_cursor(cursor, OpenTimersCursor.parse))
    following = None
    if after is not None:
        origin = requests.origin(app.current_event.raw_event)
        following = f"{origin}/api/admin/timers/?cursor={encode_cursor(after)}"
    results = [TimerFacts.of(timer, now) for timer in names.of(page, now_ms=now)]
    return _response(HTTPStatus.OK, OpenTimerPage(next=following, results=results))


@app.get(
    "/api/admin/health/",
    summary="For admins: get the health of the deployment in detail",
    operation_id="health_details",
    responses=responses(200, 401, 403),
    tags=["operation"],
)
def get_health_details() -> Response[HealthDetails]:
    """Return the numbers of deliveries per day, and the webhooks that sent them."""
    _caller().require_admin()
    days = [
        DeliveriesOfDay(day=day, processed=processed, failed=failed)
        for day, processed, failed in health_store.days()
    ]
    hooks = [hook.path for hook in HookStore(table).known()]
    return _response(HTTPStatus.OK, HealthDetails(deliveries=days, webhooks=hooks))


@app.get(
    "/api/health/",
    summary="Get the health of the deployment",
    description="The figures are up to a minute old.",
    operation_id="health",
    responses=responses(200),
    tags=["operation"],
    security=[],
)
def get_health() -> Response[HealthReport]:
    """Return counts without personal data."""
    return _response(HTTPStatus.OK, HealthReport.of(_health(), __version__))


@app.get("/api/openapi.json", include_in_schema=False)
def get_specification() -> Response[str]:
    """Return the description of the API."""
    return Response(HTTPStatus.OK.value, "application/json", _specification())


@logger.inject_lambda_context(correlation_id_path="requestContext.requestId")
@metrics.log_metrics
@count_requests(metrics, routes_of="timelogs")
@requests.answer_head
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a request of API Gateway (HTTP API, payload format 2.0)."""
    return guard.handle(
        app, event, lambda: app.resolve(event, context), now_ms=now_ms(), is_public=_is_public
    )


def _is_public(path: str) -> bool:
    return not path.startswith(("/api/timelogs/", "/api/timeline/", "/api/timesheets/", "/api/admin/"))


def _caller() -> Caller:
    caller: Caller = app.context["caller"]
    return caller


def _period(since_ms: int, until_ms: int) -> Period:
    """Return a requested period.

    Raises
    ------
    InvalidInput
        If the period ends before it begins, or is empty.
    """
    if since_ms >= until_ms:
        raise InvalidInput("since", "Must be before until.", ErrorCode.END_BEFORE_START)
    return Period(since_ms, until_ms)


def _elapsed_part(period: Period, now: int) -> Period:
    """Return the part of a period up to the present. It is empty if the period lies in the future."""
    return period._replace(until_ms=min(period.until_ms, now + _AHEAD_MS))


def _reached_part(period: Period, listed: Sequence[Timer]) -> Period:
    """Return the part of a period in which some timers can have working time."""
    reaches = [timer.reach for timer in listed]
    return Period(
        max(period.since_ms, min(reach.since_ms for reach in reaches)),
        min(period.until_ms, max(reach.until_ms for reach in reaches)),
    )


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
    return TimesheetShown.of(named, _caller().user_id, now)


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
    return _response(HTTPStatus.OK, shown, {"ETag": shown.etag})


def _limit_long(elapsed: Period | None, now: int) -> None:
    """Count a request that reads all timers of a long period towards the write limit.

    ``elapsed`` is the elapsed part of the period; None means that the period is not limited.
    """
    if elapsed is None or elapsed.until_ms - elapsed.since_ms > _CHEAP_PERIOD_MS + _AHEAD_MS:
        guard.count_write(_caller(), now_ms=now)


def _own_timer(timer_id: str) -> tuple[int, str]:
    """Return the owner and ULID of one of the caller's timers.

    Raises
    ------
    NotYourTimer
        If the timer belongs to another person.
    NotFound
        If there is no such timer.
    """
    parsed = parse_timer_id(timer_id)
    if parsed is None:
        raise NotFound("There is no such timer.")
    if parsed[0] != _caller().user_id:
        timers.get(*parsed)
        raise NotYourTimer("This timer belongs to another person.")
    return parsed


def _any_timer(timer_id: str) -> tuple[int, str]:
    """Return the owner and ULID of a timer. Only admins may use the timers of other people."""
    parsed = parse_timer_id(timer_id)
    if parsed is not None and _caller().is_admin:
        return parsed
    return _own_timer(timer_id)


def _change(
    transition: Callable[..., Timer],
    timer: tuple[int, str],
    request: TransitionRequest | None,
    idempotency_key: str | None,
) -> Response[TimeLog]:
    now = now_ms()
    at_ms = _requested_ms(request, now)
    by = "manual" if timer[0] == _caller().user_id else "admin"
    changed = transition(*timer, now_ms=now, by=by, cause=_cause(idempotency_key, request), at_ms=at_ms)
    if _was_offline(at_ms, now):
        changed = _offline().rederive(changed, now_ms=now)
    return _response(HTTPStatus.OK, _shown(changed, now))


def _correct(
    timer_id: str, correct: Callable[[Timer], Correction], idempotency: Idempotency | None, now: int
) -> Response[TimeLog]:
    timer = timers.correct(
        *_own_timer(timer_id),
        correct,
        now_ms=now,
        idempotency=idempotency,
        counted=partial(_counted, now=now),
    )
    return _response(HTTPStatus.OK, _shown(timer, now))


def _counted(timer: Timer, *, now: int) -> list[Span]:
    """Return the time that counts for a timer and for no other one."""
    reach = timer.reach
    period = Period(reach.since_ms, min(reach.until_ms, now))
    own, others = list[Span](), list[Span]()
    for piece in timesheets.worked(timer.user_id, period, now_ms=now).slices:
        (own if piece.timer == timer.ulid else others).append(Span(piece.since_ms, piece.until_ms))
    return list(joined(without(own, others)))


def _requested_ms(request: StartRequest | TransitionRequest | None, now: int) -> int | None:
    """Return the requested time of the action (milliseconds since the epoch) if it is in the past; else None.

    None means that the action happens now. If the clock of the machine that made the last change was ahead,
    the action counts from the time of that change.
    """
    if request is None or request.at is None:
        return None
    at_ms = requested_ms(to_ms(request.at), now)
    return at_ms if at_ms < now else None


def _was_offline(at_ms: int | None, now: int) -> TypeGuard[int]:
    return at_ms is not None and at_ms < now - _NETWORK_MS


@cache
def _offline() -> "OfflineActions":
    # Import on first use, because the modules that derive timers would slow down every cold start.
    from timer_core.services.offline import OfflineActions

    return OfflineActions(table, timers)


def _response(status: HTTPStatus, body: _Body, headers: dict[str, Any] | None = None) -> Response[_Body]:
    return Response(status.value, "application/json", body, headers=headers)


def _page(
    user_id: int, filters: Filters, page_size: int, position: Position | None, now: int
) -> tuple[Page, Worked | None]:
    """Return a page of timers, and the person's present if it was read.

    The present contains all open timers, so the list of them needs no other read.
    """
    present = None
    if filters == Filters(is_open=True) and position is None:
        present = timesheets.present(user_id, now_ms=now)
        found = sorted(
            (timer for timer in present.timers if timer.is_open),
            key=lambda timer: (timer.start_ms, timer.ulid),
            reverse=True,
        )
        if len(found) <= page_size:
            return Page(found, None, None), present
    return timers.page(user_id, filters, page_size=page_size, position=position), present


def _shown(timer: Timer, now: int) -> TimeLog:
    (shown,) = _all_shown([timer], now)
    return shown


def _all_shown(changed: Sequence[Timer], now: int) -> list[TimeLog]:
    """Return the representations of timers of the same person."""
    named = names.of(changed, now_ms=now)
    worked = working_times(timesheets, named[0].user_id, named, now_ms=now)
    return [TimeLog.working(timer, worked.of(timer), now) for timer in named]


def _repo_keys(full_name: str | None, now: int) -> frozenset[str]:
    return frozenset() if full_name is None else names.keys(full_name, now_ms=now)


def _location(timer: Timer) -> dict[str, Any]:
    return {"Location": f"/api/timelogs/{timer.id}/"}


def _link(position: Position | None, origin: str) -> str | None:
    if position is None:
        return None
    parameters = dict(app.current_event.query_string_parameters)
    parameters["cursor"] = encode_cursor(position)
    # The count is the same on all pages, and costs much.
    parameters.pop("count", None)
    return f"{origin}/api/timelogs/?{urlencode(parameters)}"


def _idempotency(key: str | None, operation: str, request: BaseModel | None) -> Idempotency | None:
    if key is None:
        return None
    return Idempotency(digest(key), digest(operation, request.model_dump_json() if request else ""))


def _cause(idempotency_key: str | None, request: BaseModel | None) -> str:
    """Return an id of the request. Repeated requests with the same Idempotency-Key have the same id."""
    if not idempotency_key:
        return app.lambda_context.aws_request_id
    return request_cause(digest(idempotency_key), digest(request.model_dump_json() if request else "")[:16])


@cache
def _specification() -> str:
    """Return docs/openapi.json, which `make openapi` generates; this folder has a link to it."""
    return Path(__file__).with_name("openapi.json").read_text()


_health_cache: list[tuple[int, Health]] = []


def _health() -> Health:
    now = now_ms()
    if not _health_cache or _health_cache[0][0] <= now:
        health = health_store.read(now_ms=now)
        _health_cache[:] = [(now + _HEALTH_CACHE_MS, health)]
    return _health_cache[0][1]
