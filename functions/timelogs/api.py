"""The routes of the REST API: parse, call, answer."""

from collections.abc import Callable
from functools import cache, partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, TypeGuard, TypeVar
from urllib.parse import urlencode

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Query
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from timelogs import specification
from timer_core import __version__
from timer_core.api import errors, requests
from timer_core.api.auth import Caller
from timer_core.api.conditional import entity_tag, refuse_unmodified
from timer_core.api.cursors import (
    decode_cursor,
    decode_open_timers_cursor,
    encode_cursor,
    encode_open_timers_cursor,
)
from timer_core.api.models import (
    AddRequest,
    DayTotal,
    DeliveriesOfDay,
    GitHubReport,
    HealthDetails,
    HealthReport,
    IssueTotal,
    OpenTimerPage,
    PatchRequest,
    StartRequest,
    TimeIn,
    TimeLog,
    TimeLogPage,
    TimeTotals,
    TransitionRequest,
    to_ms,
    to_time,
)
from timer_core.api.problems import HttpError
from timer_core.api.request_guard import RequestGuard
from timer_core.api.responses import responses
from timer_core.clock import now_ms
from timer_core.domain.errors import Forbidden, InvalidInput, NotFound, NotYourTimer
from timer_core.domain.ids import new_ulid, parse_timer_id
from timer_core.domain.issues import MAX_ISSUE_NUMBER
from timer_core.domain.timers import Timer, check_span, finished, requested_ms
from timer_core.domain.totals import add_up
from timer_core.domain.totals import time_zone as find_zone
from timer_core.observability import count_requests, make_logger, make_metrics
from timer_core.settings import settings
from timer_core.store.health import Health, HealthStore
from timer_core.store.hooks import HookStore
from timer_core.store.items import digest
from timer_core.store.queries import Filters, Page, Position
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from timer_core.store.writes import Idempotency, Patch

if TYPE_CHECKING:
    from timer_core.services.offline import OfflineActions

logger = make_logger("timelogs")
metrics = make_metrics("timelogs")

_HEALTH_CACHE_MS = 60_000
_DAY_MS = 86_400_000
_TOTALS_MS = 30 * _DAY_MS
_LONGEST_TOTALS_MS = 366 * _DAY_MS
# Longer ranges cost as much as a page of the export.
_CHEAP_TOTALS_MS = 7 * _DAY_MS
# What a request may take on its way. Of what was pressed before, GitHub may have told more since.
_ON_ITS_WAY_MS = 5_000
# As of the epoch, a running timer shows what it had when it last changed.
_AT_REST = 0

table = Table(settings().table_name)
timers = TimerStore(table, exclusive=settings().exclusive)
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
        alias="idempotency-key", description="Makes it safe to repeat a request", min_length=1, max_length=255
    ),
]
_Tags = Annotated[
    str | None,
    Header(
        alias="if-none-match",
        description="The ETag of an earlier answer: 304 if nothing but the time of what runs has changed",
    ),
]
_RepoFilter = Annotated[str | None, Query(description="owner/name, in any case", max_length=140)]
_NumberFilter = Annotated[int | None, Query(ge=1, le=MAX_ISSUE_NUMBER)]
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
        bool | None, Query(description="true: only open timers; false: only stopped")
    ] = None,
    github_repo: _RepoFilter = None,
    github_issue_number: _NumberFilter = None,
    start_time__gte: Annotated[TimeIn | None, Query(description="started then or later")] = None,
    start_time__lt: Annotated[TimeIn | None, Query(description="started before")] = None,
    page_size: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(description="from a page's next or previous", max_length=100)] = None,
    user: Annotated[int | None, Query(ge=1, description="for admins: whose timers, by GitHub id")] = None,
    if_none_match: _Tags = None,
) -> Response[TimeLogPage]:
    """Return a page of the caller's timers, with absolute links to the pages beside it.

    A page may have fewer timers than asked for, also none, and be followed by others all the same: where the
    filters select few of very many timers, it ends after 10,000 were looked at. The last page has no `next`.
    """
    requests.refuse_unknown_parameters(app.current_event, list_timers)
    filters = Filters(
        is_open=end_time__isnull,
        repo=github_repo,
        number=github_issue_number,
        start_from_ms=None if start_time__gte is None else to_ms(start_time__gte),
        start_before_ms=None if start_time__lt is None else to_ms(start_time__lt),
    )
    position = None if cursor is None else decode_cursor(cursor)
    caller = _caller()
    if user not in {None, caller.user_id}:
        _require_admin(caller)
    page = timers.page(user or caller.user_id, filters, page_size=page_size, position=position)
    tag = entity_tag(_show_page(page, "", _AT_REST), caller.user_id)
    refuse_unmodified(tag, if_none_match)
    shown = _show_page(page, requests.origin(app.current_event.raw_event), now_ms())
    return _answer(HTTPStatus.OK, shown, {"ETag": tag})


@app.post(
    "/api/timelogs/",
    summary="Add finished time by hand",
    operation_id="add",
    responses=responses(201, 400, 401, 403, 413, 415, model=TimeLog),
    tags=["timers"],
)
def add_timer(
    request: Annotated[AddRequest, Body()],
    idempotency_key: _Key = None,
) -> Response[TimeLog]:
    """Add a stopped timer; with an Idempotency-Key, only once."""
    now = now_ms()
    start_ms, end_ms = request.span_ms
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
    return _answer(HTTPStatus.CREATED, TimeLog.of(added, now), _location(added))


@app.post(
    "/api/timelogs/start/",
    summary="Start a timer, or get the one already open on the issue",
    operation_id="start",
    responses=responses(200, 201, 400, 401, 403, 413, 415, model=TimeLog),
    tags=["timers"],
)
def start_timer(
    request: Annotated[StartRequest | None, Body()] = None,
    idempotency_key: _Key = None,
) -> Response[TimeLog]:
    """Start a timer now: 201, or 200 with the one that is already open on the issue."""
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
    return _answer(status, TimeLog.of(timer, now), _location(timer) if created else None)


@app.post(
    _ID + "pause/",
    summary="Pause a running timer",
    operation_id="pause",
    responses=responses(200, 400, 401, 403, 404, 413, 415),
    tags=["timers"],
)
def pause_timer(
    timer_id: str,
    request: Annotated[TransitionRequest | None, Body()] = None,
    idempotency_key: _Key = None,
) -> Response[TimeLog]:
    """Stop counting until the timer is resumed."""
    return _change(timers.pause, _own(timer_id), request, idempotency_key)


@app.post(
    _ID + "resume/",
    summary="Resume a paused timer",
    operation_id="resume",
    responses=responses(200, 400, 401, 403, 404, 413, 415),
    tags=["timers"],
)
def resume_timer(
    timer_id: str,
    request: Annotated[TransitionRequest | None, Body()] = None,
    idempotency_key: _Key = None,
) -> Response[TimeLog]:
    """Count again after a pause."""
    return _change(timers.resume, _own(timer_id), request, idempotency_key)


@app.post(
    _ID + "stop/",
    summary="Stop an open timer for good",
    operation_id="stop",
    responses=responses(200, 400, 401, 403, 404, 413, 415),
    tags=["timers"],
)
def stop_timer(
    timer_id: str,
    request: Annotated[TransitionRequest | None, Body()] = None,
    idempotency_key: _Key = None,
) -> Response[TimeLog]:
    """End the timer; its duration is then its active time."""
    return _change(timers.stop, _anybodys(timer_id), request, idempotency_key)


@app.get(
    "/api/timelogs/totals/",
    summary="Add up your time per day and per issue",
    operation_id="totals",
    responses=responses(200, 400, 401, 403),
    tags=["timers"],
)
def get_totals(
    since: Annotated[TimeIn | None, Query(description="by default 30 days before until")] = None,
    until: Annotated[TimeIn | None, Query(description="by default now; at most 366 days after since")] = None,
    time_zone: Annotated[
        str, Query(description="of the days: an IANA name such as Europe/Berlin", max_length=64)
    ] = "UTC",
    github_repo: _RepoFilter = None,
    github_issue_number: _NumberFilter = None,
) -> Response[TimeTotals]:
    """Return the active time in a range; what runs counts until now.

    Pauses count where they were. If a correction left pauses outside of a timer's start and end, its active
    time is spread evenly. Timers that started more than 366 days before the range are not counted. Ranges
    longer than a week are limited like changes.
    """
    requests.refuse_unknown_parameters(app.current_event, get_totals)
    now = now_ms()
    until_ms = now if until is None else to_ms(until)
    since_ms = until_ms - _TOTALS_MS if since is None else to_ms(since)
    if since_ms >= until_ms:
        raise InvalidInput("since", "Must be before until.")
    if until_ms - since_ms > _LONGEST_TOTALS_MS:
        raise InvalidInput("since", "Must not be more than 366 days before until.")
    zone = find_zone(time_zone)
    filters = Filters(repo=github_repo, number=github_issue_number)
    if until_ms - since_ms > _CHEAP_TOTALS_MS:
        guard.count(_caller(), now_ms=now)
    found, complete = timers.in_range(_caller().user_id, filters, since_ms=since_ms, until_ms=until_ms)
    totals = add_up(found, since_ms=since_ms, until_ms=until_ms, zone=zone, now_ms=now)
    shown = TimeTotals(
        since=to_time(since_ms),
        until=to_time(until_ms),
        time_zone=time_zone,
        active_duration=totals.active_ms / 1000,
        days=[DayTotal(date=day, active_duration=active_ms / 1000) for day, active_ms in totals.days],
        issues=[
            IssueTotal(
                github_repo=total.issue and total.issue.full_name,
                github_issue_number=total.issue and total.issue.number,
                github_issue_url=total.issue and total.issue.url,
                github_issue_title=(total.issue and total.issue.title) or None,
                active_duration=total.active_ms / 1000,
                timers=total.timers,
            )
            for total in totals.issues
        ],
        complete=complete,
    )
    return _answer(HTTPStatus.OK, shown)


@app.get(
    _ID,
    summary="Get a timer",
    operation_id="get",
    responses=responses(200, 304, 401, 403, 404),
    tags=["timers"],
)
def get_timer(timer_id: str, if_none_match: _Tags = None) -> Response[TimeLog]:
    """Return one of the caller's timers; an admin sees everybody's."""
    timer = timers.get(*_anybodys(timer_id))
    tag = entity_tag(TimeLog.of(timer, _AT_REST), _caller().user_id)
    refuse_unmodified(tag, if_none_match)
    return _answer(HTTPStatus.OK, TimeLog.of(timer, now_ms()), {"ETag": tag})


@app.patch(
    _ID,
    summary="Correct a timer",
    operation_id="patch",
    responses=responses(200, 400, 401, 403, 404, 413, 415),
    tags=["timers"],
)
def patch_timer(timer_id: str, request: Annotated[PatchRequest, Body()]) -> Response[TimeLog]:
    """Change issue, organization or description and, of a stopped timer, start and end."""
    now = now_ms()
    start_ms = None if request.start_time is None else to_ms(request.start_time)
    end_ms = None if request.end_time is None else to_ms(request.end_time)
    check_span(start_ms, end_ms, now)
    if not request.model_fields_set:
        raise HttpError(HTTPStatus.BAD_REQUEST, "There is nothing to correct.")
    unlinks = "github_issue_url" in request.model_fields_set and request.github_issue_url is None
    patch = Patch(
        issue=(request.issue,) if unlinks or request.issue is not None else None,
        organization=request.organization,
        description=request.description,
        start_ms=start_ms,
        end_ms=end_ms,
    )
    timer = timers.patch(*_own(timer_id), patch, now_ms=now)
    return _answer(HTTPStatus.OK, TimeLog.of(timer, now))


@app.delete(
    _ID,
    summary="Delete a timer",
    operation_id="delete",
    responses=responses(204, 401, 403, 404),
    tags=["timers"],
)
def delete_timer(timer_id: str) -> Response[str]:
    """Delete a timer for good, open or not."""
    timers.delete(*_own(timer_id), now_ms=now_ms())
    return Response(HTTPStatus.NO_CONTENT.value, body="")


@app.get(
    "/api/admin/timers/",
    summary="For admins: list everybody's open timers",
    operation_id="list_everybodys",
    responses=responses(200, 400, 401, 403),
    tags=["operation"],
)
def list_everybodys(
    cursor: Annotated[str | None, Query(description="from a page's next", max_length=200)] = None,
) -> Response[OpenTimerPage]:
    """Return a page of all open timers, in no order that means anything."""
    requests.refuse_unknown_parameters(app.current_event, list_everybodys)
    _require_admin(_caller())
    now = now_ms()
    page, after = timers.open_page(None if cursor is None else decode_open_timers_cursor(cursor))
    following = None
    if after is not None:
        own = requests.origin(app.current_event.raw_event)
        following = f"{own}/api/admin/timers/?cursor={encode_open_timers_cursor(after)}"
    results = [TimeLog.of(timer, now) for timer in page]
    return _answer(HTTPStatus.OK, OpenTimerPage(next=following, results=results))


@app.get(
    "/api/admin/health/",
    summary="For admins: see how the deployment does, in detail",
    operation_id="health_details",
    responses=responses(200, 401, 403),
    tags=["operation"],
)
def get_health_details() -> Response[HealthDetails]:
    """Return the deliveries of each day, and the webhooks that they came from."""
    _require_admin(_caller())
    days = [
        DeliveriesOfDay(day=day, processed=processed, failed=failed)
        for day, processed, failed in health_store.days()
    ]
    hooks = [hook.path for hook in HookStore(table).known()]
    return _answer(HTTPStatus.OK, HealthDetails(deliveries=days, webhooks=hooks))


@app.get(
    "/api/health/",
    summary="See how the deployment does",
    description="The figures are up to a minute old.",
    operation_id="health",
    responses=responses(200),
    tags=["operation"],
    security=[],
)
def get_health() -> Response[HealthReport]:
    """Return counts; nothing in them is about a person."""
    health = _health()
    report = HealthReport(
        status="ok",
        version=__version__,
        open_timers=health.open_timers,
        stale_timers=health.stale_timers,
        webhook_success_rate=health.webhook_success_rate,
        github=GitHubReport(credential=health.github_credential, cannot=list(health.github_cannot)),
    )
    return _answer(HTTPStatus.OK, report)


@app.get("/api/openapi.json", include_in_schema=False)
def get_specification() -> Response[str]:
    """Return this API's description."""
    return Response(HTTPStatus.OK.value, "application/json", specification.document(app))


@logger.inject_lambda_context(correlation_id_path="requestContext.requestId")
@metrics.log_metrics
@count_requests(metrics, routes_of="timelogs")
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request of API Gateway (HTTP API, payload format 2.0)."""
    now = now_ms()
    try:
        if requests.is_preflight(event):
            return requests.answer_preflight()
        requests.normalize(event)
        if not event["rawPath"].startswith(("/api/timelogs/", "/api/admin/")):
            return app.resolve(event, context)
        caller = guard.enter(event, now_ms=now)
    except Exception as error:
        return errors.answer(error, event, logger)
    app.context["caller"] = caller
    return guard.leave(app.resolve(event, context), caller, now_ms=now)


def _caller() -> Caller:
    caller: Caller = app.context["caller"]
    return caller


def _own(timer_id: str) -> tuple[int, str]:
    """Return the owner and ULID of a timer of the caller's.

    Raises
    ------
    NotYourTimer
        If it is somebody else's.
    NotFound
        If nobody has it.
    """
    parsed = parse_timer_id(timer_id)
    if parsed is None:
        raise NotFound("There is no such timer.")
    if parsed[0] != _caller().user_id:
        timers.get(*parsed)
        raise NotYourTimer("This timer belongs to somebody else.")
    return parsed


def _anybodys(timer_id: str) -> tuple[int, str]:
    """Return the owner and ULID of a timer of the caller's, or for an admin of anybody's; else as `_own`."""
    parsed = parse_timer_id(timer_id)
    if parsed is not None and _caller().is_admin:
        return parsed
    return _own(timer_id)


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
    return _answer(HTTPStatus.OK, TimeLog.of(changed, now))


def _requested_ms(request: StartRequest | TransitionRequest | None, now: int) -> int | None:
    """Return when a change was asked for, if the client says so."""
    return None if request is None or request.at is None else requested_ms(to_ms(request.at), now)


def _was_offline(at_ms: int | None, now: int) -> TypeGuard[int]:
    return at_ms is not None and at_ms < now - _ON_ITS_WAY_MS


@cache
def _offline() -> "OfflineActions":
    # What it takes to derive timers would slow down every cold start.
    from timer_core.services.offline import OfflineActions

    return OfflineActions(table, timers)


def _require_admin(caller: Caller) -> None:
    if not caller.is_admin:
        raise Forbidden("Only an admin may see other people's timers.")


def _answer(status: HTTPStatus, body: _Body, headers: dict[str, Any] | None = None) -> Response[_Body]:
    return Response(status.value, "application/json", body, headers=headers)


def _location(timer: Timer) -> dict[str, Any]:
    return {"Location": f"/api/timelogs/{timer.id}/"}


def _show_page(page: Page, origin: str, now: int) -> TimeLogPage:
    return TimeLogPage(
        next=_link(page.next, origin),
        previous=_link(page.previous, origin),
        results=[TimeLog.of(timer, now) for timer in page.timers],
    )


def _link(position: Position | None, origin: str) -> str | None:
    if position is None:
        return None
    parameters = dict(app.current_event.query_string_parameters)
    parameters["cursor"] = encode_cursor(position)
    return f"{origin}/api/timelogs/?{urlencode(parameters)}"


def _idempotency(key: str | None, operation: str, request: StartRequest | AddRequest) -> Idempotency | None:
    if key is None:
        return None
    return Idempotency(digest(key), digest(operation, request.model_dump_json()))


def _cause(idempotency_key: str | None, request: TransitionRequest | None) -> str:
    """Return what tells a repetition of this request: the client's key, or Lambda's request id."""
    if not idempotency_key:
        return app.lambda_context.aws_request_id
    return digest(idempotency_key, request.model_dump_json() if request else "")


_health_cache: list[tuple[int, Health]] = []


def _health() -> Health:
    now = now_ms()
    if not _health_cache or _health_cache[0][0] <= now:
        health = health_store.read(now_ms=now, stale_after_ms=settings().stale_after_ms)
        _health_cache[:] = [(now + _HEALTH_CACHE_MS, health)]
    return _health_cache[0][1]
