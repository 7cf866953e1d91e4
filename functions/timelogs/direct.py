"""The direct routes: the requests that the widget and the page send most (see `timer_core.api.direct`)."""

from timelogs import live, operation, reading, timeline, timesheets, transitions
from timelogs.shared import TIMER
from timer_core.api.direct import (
    DirectRoutes,
    body,
    boolean,
    date,
    flag,
    header,
    integer,
    number,
    query,
    text,
    time,
)
from timer_core.api.replies import Reply
from timer_core.api.request_guard import TICKET_PATH
from timer_core.api.requests import Request
from timer_core.domain.issues import MAX_ISSUE_NUMBER

_TIMELINE = {"since": time, "until": time, "time_zone": text(64)}
_TOTALS = {**_TIMELINE, "github_repo": text(140), "github_issue_number": number(1, MAX_ISSUE_NUMBER)}
_LIST = {
    **_TOTALS,
    "end_time__isnull": flag,
    "start_time__gte": time,
    "start_time__lt": time,
    "count": flag,
    "page_size": number(1, 100),
    "cursor": text(100),
    "user": number(1, 10**18),
}
_START = {
    "github_issue_url": text(2000, 1),
    "github_repo": text(140, 3),
    "github_issue_number": integer(1, MAX_ISSUE_NUMBER),
    "organization_url": text(2000, 1),
    "description": text(2000),
    "at": time,
}
_TRANSITION = {"at": time}
_FOCUS = {"at": time, "overtime": boolean}

direct = DirectRoutes()
direct.route("GET", "/api/health/")(operation.get_health)
direct.route("GET", "/api/openapi.json")(operation.get_specification)
direct.route("POST", TICKET_PATH)(live.get_ticket)


@direct.route("GET", "/api/timelogs/")
def _list(request: Request) -> Reply:
    return reading.list_timers(request, query(request, _LIST), header(request, "if-none-match"))


@direct.route("GET", TIMER)
def _get(request: Request, timer_id: str) -> Reply:
    return reading.get_timer(request, timer_id, header(request, "if-none-match"))


@direct.route("GET", "/api/timelogs/totals/")
def _totals(request: Request) -> Reply:
    return reading.get_totals(request, query(request, _TOTALS))


@direct.route("GET", "/api/timeline/")
def _timeline(request: Request) -> Reply:
    return timeline.get_timeline(request, query(request, _TIMELINE))


@direct.route("GET", "/api/timesheets/")
def _timesheets(request: Request) -> Reply:
    sent = query(request, {"from": date, "to": date})
    tags = header(request, "if-none-match")
    return timesheets.get_timesheets(request, sent.get("from"), sent.get("to"), tags)


@direct.route("POST", "/api/timelogs/start/")
def _start(request: Request) -> Reply:
    return transitions.start(request, body(request, _START), _key(request))


@direct.route("POST", f"{TIMER}pause/")
def _pause(request: Request, timer_id: str) -> Reply:
    return transitions.pause(request, timer_id, body(request, _TRANSITION), _key(request))


@direct.route("POST", f"{TIMER}resume/")
def _resume(request: Request, timer_id: str) -> Reply:
    return transitions.resume(request, timer_id, body(request, _TRANSITION), _key(request))


@direct.route("POST", f"{TIMER}stop/")
def _stop(request: Request, timer_id: str) -> Reply:
    return transitions.stop(request, timer_id, body(request, _TRANSITION), _key(request))


@direct.route("POST", f"{TIMER}focus/")
def _focus(request: Request, timer_id: str) -> Reply:
    return transitions.focus(request, timer_id, body(request, _FOCUS), _key(request))


def _key(request: Request) -> str | None:
    return header(request, "idempotency-key", 1, 255)
