"""The direct route: the caller's schedule (see `timer_core.api.direct`)."""

from schedule.own_schedule import get_schedule
from timer_core.api.direct import DirectRoutes, header
from timer_core.api.replies import Reply
from timer_core.api.requests import Request

direct = DirectRoutes()


@direct.route("GET", "/api/schedule/")
def _get_schedule(request: Request) -> Reply:
    return get_schedule(request, header(request, "if-none-match"))
