"""What the routes have in common: the stores, the ids of timers, and the replies about timers.

Neither this module nor the modules that direct routes use import pydantic (see `timer_core.api.direct`).
"""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from timer_core.api.digests import digest, short_digest
from timer_core.api.replies import Reply
from timer_core.api.representations import time_log
from timer_core.api.request_guard import RequestGuard
from timer_core.api.requests import Request
from timer_core.api.working import working_times
from timer_core.domain.errors import Forbidden, NotFound, NotYourTimer
from timer_core.domain.ids import parse_timer_id
from timer_core.domain.state import request_cause
from timer_core.domain.timers import Timer
from timer_core.observability import make_logger
from timer_core.settings import settings
from timer_core.store.calendars import Calendars
from timer_core.store.issue_details import ClosedIssues, IssueDetailsStore
from timer_core.store.repositories import PresentNames
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from timer_core.store.timesheets import Timesheets
from timer_core.store.writes import Idempotency

if TYPE_CHECKING:
    from timer_core.services.offline import OfflineActions
    from timer_core.services.team import Team

# The path of a timer.
TIMER = "/api/timelogs/<timer_id>/"

logger = make_logger("timelogs")

table = Table(settings().table_name)
calendars = Calendars(table)
timers = TimerStore(table, calendars)
timesheets = Timesheets(table, timers, calendars)
names = PresentNames(table)
closed_issues = ClosedIssues(IssueDetailsStore(table), names)
guard = RequestGuard(table, logger)


def own_timer(request: Request, timer_id: str) -> tuple[int, str]:
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
    if parsed[0] != request.caller.user_id:
        timers.get(*parsed)
        raise NotYourTimer("This timer belongs to another person.")
    return parsed


def any_timer(request: Request, timer_id: str) -> tuple[int, str]:
    """Return the owner and ULID of a timer. Only admins may use the timers of other people.

    An admin may stop every timer, but `require_visible` decides whether an admin sees it.
    """
    parsed = parse_timer_id(timer_id)
    if parsed is not None and request.caller.is_admin:
        return parsed
    return own_timer(request, timer_id)


def require_visible(request: Request, user_id: int) -> None:
    """Refuse a request to see the time of a person who does not show it to the caller.

    Raises
    ------
    Forbidden
        If the caller does not see the person, or there is no such person.
    """
    if not visible_people(request, [user_id]):
        raise Forbidden("You do not see the time of this person.")


def visible_people(request: Request, user_ids: Collection[int]) -> set[int]:
    """Return those among some people whose time the caller sees."""
    if {*user_ids} <= {request.caller.user_id}:
        return {*user_ids}
    return _team().visible_of(request.caller, user_ids)


def timer_reply(timer: Timer, now: int) -> Reply:
    """Return the reply about a timer that has changed."""
    (shown,) = time_logs([timer], now)
    return Reply(HTTPStatus.OK, shown)


def created_reply(timer: Timer, body: Mapping[str, Any]) -> Reply:
    """Return the reply about a new timer, with the header that names it (RFC 9110, section 10.2.2)."""
    return Reply(HTTPStatus.CREATED, body, {"Location": f"/api/timelogs/{timer.id}/"})


def time_logs(changed: Sequence[Timer], now: int) -> list[dict[str, Any]]:
    """Return the representations of timers of the same person."""
    named = names.of(changed, now_ms=now)
    worked = working_times(timesheets, named[0].user_id, named, now_ms=now)
    counts_for = closed_issues.of(named, now_ms=now)
    return [time_log(timer, worked.of(timer), now, counts_for=counts_for) for timer in named]


def idempotency_of(key: str | None, operation: str, content: str) -> Idempotency | None:
    """Return the digests of a request with an Idempotency-Key; None without a key.

    ``content`` is a text that two requests share only if they ask for the same.
    """
    return None if key is None else Idempotency(digest(key), digest(operation, content))


def cause_of(request: Request, idempotency_key: str | None, content: str) -> str:
    """Return an id of the request. Repeated requests with the same Idempotency-Key have the same id."""
    if not idempotency_key:
        return short_digest(request.context.aws_request_id)
    return request_cause(short_digest(idempotency_key), short_digest(content)[:4])


@cache
def offline_actions() -> "OfflineActions":
    """Return the offline actions of the table's timers."""
    # Import on first use, because the modules that derive timers would slow down every cold start.
    from timer_core.services.offline import OfflineActions

    return OfflineActions(table, timers)


@cache
def _team() -> "Team":
    """Return who sees whose time."""
    # Import on first use, because only the requests of admins need the module.
    from timer_core.services.team import Team

    return Team(
        table,
        lead_teams=settings().triggers.lead_teams,
        admins=settings().admins,
        default=settings().team_visibility,
    )
