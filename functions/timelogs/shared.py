"""What the routes have in common: the app, the stores, the caller, and the responses about timers."""

from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.openapi.params import Header
from pydantic import BaseModel

from timer_core.api import errors, requests
from timer_core.api.auth import Caller
from timer_core.api.digests import digest, short_digest
from timer_core.api.models import TimeLog
from timer_core.api.request_guard import RequestGuard
from timer_core.api.working import working_times
from timer_core.domain.errors import NotFound, NotYourTimer
from timer_core.domain.ids import parse_timer_id
from timer_core.domain.state import request_cause
from timer_core.domain.timers import Timer
from timer_core.observability import make_logger
from timer_core.settings import settings
from timer_core.store.calendars import Calendars
from timer_core.store.repositories import PresentNames
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from timer_core.store.timesheets import Timesheets
from timer_core.store.writes import Idempotency

if TYPE_CHECKING:
    from timer_core.services.offline import OfflineActions

# The path of a timer.
TIMER = "/api/timelogs/<timer_id>/"
# The ETag is computed as if the present time were the epoch, so that elapsed time does not change the ETag.
WITHOUT_ELAPSED_TIME = 0

logger = make_logger("timelogs")

table = Table(settings().table_name)
calendars = Calendars(table)
timers = TimerStore(table, calendars)
timesheets = Timesheets(table, timers, calendars)
names = PresentNames(table)
guard = RequestGuard(table, logger)

app = APIGatewayHttpResolver(
    enable_validation=True, json_body_deserializer=requests.parse_json, serializer=requests.to_json
)
errors.install(app, logger)

_Body = TypeVar("_Body", bound=BaseModel)
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="idempotency-key",
        description="Makes repeating the request safe",
        min_length=1,
        max_length=255,
    ),
]
IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="if-none-match",
        description="The ETag of an earlier response: 304 if only elapsed time has changed since",
    ),
]


def current_caller() -> Caller:
    """Return the caller of the request."""
    caller: Caller = app.context["caller"]
    return caller


def current_ms() -> int:
    """Return the time of the request (milliseconds since the epoch)."""
    time_ms: int = app.context["now_ms"]
    return time_ms


def own_timer(timer_id: str) -> tuple[int, str]:
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
    if parsed[0] != current_caller().user_id:
        timers.get(*parsed)
        raise NotYourTimer("This timer belongs to another person.")
    return parsed


def any_timer(timer_id: str) -> tuple[int, str]:
    """Return the owner and ULID of a timer. Only admins may use the timers of other people."""
    parsed = parse_timer_id(timer_id)
    if parsed is not None and current_caller().is_admin:
        return parsed
    return own_timer(timer_id)


def response(status: HTTPStatus, body: _Body, headers: dict[str, Any] | None = None) -> Response[_Body]:
    """Return a response with a JSON body."""
    return Response(status.value, "application/json", body, headers=headers)


def time_log(timer: Timer, now: int) -> TimeLog:
    """Return the representation of a timer."""
    (shown,) = time_logs([timer], now)
    return shown


def time_logs(changed: Sequence[Timer], now: int) -> list[TimeLog]:
    """Return the representations of timers of the same person."""
    named = names.of(changed, now_ms=now)
    worked = working_times(timesheets, named[0].user_id, named, now_ms=now)
    return [TimeLog.working(timer, worked.of(timer), now) for timer in named]


def location(timer: Timer) -> dict[str, Any]:
    """Return the header that names a new timer (RFC 9110, section 10.2.2)."""
    return {"Location": f"/api/timelogs/{timer.id}/"}


def idempotency_of(key: str | None, operation: str, request: BaseModel | None) -> Idempotency | None:
    """Return the digests of a request with an Idempotency-Key; None without a key."""
    if key is None:
        return None
    return Idempotency(digest(key), digest(operation, request.model_dump_json() if request else ""))


def cause_of(idempotency_key: str | None, request: BaseModel | None) -> str:
    """Return an id of the request. Repeated requests with the same Idempotency-Key have the same id."""
    if not idempotency_key:
        return short_digest(app.lambda_context.aws_request_id)
    body = request.model_dump_json() if request else ""
    return request_cause(short_digest(idempotency_key), short_digest(body)[:4])


@cache
def offline_actions() -> "OfflineActions":
    """Return the offline actions of the table's timers."""
    # Import on first use, because the modules that derive timers would slow down every cold start.
    from timer_core.services.offline import OfflineActions

    return OfflineActions(table, timers)
