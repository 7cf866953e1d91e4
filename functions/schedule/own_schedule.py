"""The caller's schedule: its representation, its ETag, and what changes it.

The representation consists of plain dictionaries, whose members `schedule.models` describes.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from schedule.shared import calendars
from timer_core.api.conditional import entity_tag, refuse_unmodified, require_match, with_part
from timer_core.api.replies import Reply
from timer_core.api.requests import Request
from timer_core.domain.calendar import HOUR_MS, Policy
from timer_core.domain.own_calendar import OwnCalendar
from timer_core.domain.schedule import Week
from timer_core.domain.weeks import format_intervals, format_week


def get_schedule(request: Request, if_none_match: str | None) -> Reply:
    """Return the caller's working hours, and those of the organization where they hold."""
    reply = _reply(request, calendars.own(request.caller.user_id))
    refuse_unmodified(reply.headers["ETag"], if_none_match)
    return reply


def change_schedule(
    request: Request, change: Callable[[OwnCalendar], OwnCalendar], if_match: str | None
) -> Reply:
    """Change the caller's calendar if it has the tag in ``If-Match``, and return it."""
    user_id = request.caller.user_id

    def checked(own: OwnCalendar) -> OwnCalendar:
        require_match(_own_tag(own, user_id), if_match)
        return change(own)

    return _reply(request, calendars.change(user_id, checked, now_ms=request.now_ms))


def _reply(request: Request, own: OwnCalendar) -> Reply:
    shown, user_id = _schedule(own, calendars.organization(), request.now_ms), request.caller.user_id
    # The tag of the whole body also depends on the present and on the organization.
    tag = with_part(entity_tag(shown, user_id), _own_tag(own, user_id))
    return Reply(HTTPStatus.OK, shown, {"ETag": tag})


def _own_tag(own: OwnCalendar, user_id: int) -> str:
    """Return the tag of what a request can change: the caller's own part."""
    return entity_tag(_own_part(own), user_id)


def _own_part(own: OwnCalendar) -> dict[str, Any]:
    return {
        "versions": [
            {**_hours(version.week), "valid_from": version.valid_from.isoformat()} for version in own.versions
        ],
        "exceptions": [
            {
                "date": day.isoformat(),
                "intervals": format_intervals(exception.intervals),
                "reason": exception.reason,
            }
            for day, exception in own.exceptions.items()
        ],
        "assignment_starts": own.assignment_choice,
        "chosen": own.chosen,
    }


def _schedule(own: OwnCalendar, policies: tuple[Policy, ...], now_ms: int) -> dict[str, Any]:
    """Return the representation of a calendar at a time (see `models.Schedule`)."""
    calendar, part = own.calendar(policies), _own_part(own)
    era, policy = calendar.schedule.era_at(now_ms), calendar.policy_at(now_ms)
    current = next(
        (
            version.valid_from.isoformat()
            for version in reversed(own.versions)
            if era.is_own and version.from_ms <= now_ms
        ),
        None,
    )
    return {
        "source": "own" if era.is_own else "default",
        "chosen": part["chosen"],
        "current": {**_hours(era.week), "valid_from": current},
        "versions": part["versions"],
        "exceptions": part["exceptions"],
        "default": _hours(policy.working_hours),
        "assignment_starts": part["assignment_starts"],
        "organization": {
            "concurrent_timers": policy.concurrent_timers,
            "overtime_hours": policy.overtime_ms / HOUR_MS,
            "assignment_starts": policy.assignment_starts,
            "stale_after_hours": policy.stale_after_ms / HOUR_MS,
        },
        "version": own.version,
    }


def _hours(week: Week) -> dict[str, Any]:
    return {"time_zone": week.zone, "week": format_week(week)}
