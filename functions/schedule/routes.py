"""All routes of the function, with their descriptions.

Import this module on first use, because it imports pydantic (see `timer_core.api.direct`).
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from http import HTTPStatus
from itertools import islice
from typing import Annotated, Any, TypeVar

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Query
from pydantic import BaseModel

from schedule import models, own_schedule
from schedule.shared import calendars, logger, table
from timer_core.api.resolver import ReasonParameter, Resolver, as_response
from timer_core.api.responses import responses
from timer_core.api.times import parse_date
from timer_core.domain.audit import ORGANIZATION
from timer_core.domain.errors import ErrorCode, InvalidInput, NotFound
from timer_core.domain.own_calendar import OwnCalendar, changed_from_ms, confirmed_conflicts, differing_days
from timer_core.domain.schedule import DAY_MS, DayException, ScheduleVersion, local_date
from timer_core.domain.timers import Period
from timer_core.store.audit import AuditLog
from timer_core.store.calendars import with_choice

app = Resolver(logger)

_Body = TypeVar("_Body", bound=BaseModel)
_Tags = Annotated[
    str | None,
    Header(alias="if-none-match", description="The ETag of an earlier response: 304 if nothing has changed"),
]
_Match = Annotated[
    str | None,
    Header(alias="if-match", description="The ETag of the schedule as it was read: 412 if it has changed"),
]
# The longest time that a preview compares.
_PREVIEW_MS = 366 * DAY_MS
_MOST_CONFLICTS = 366
# The number of changes of the lock that are shown.
_LOCK_CHANGES = 20
_Change = Callable[[OwnCalendar], OwnCalendar]


@app.get(
    "/api/schedule/",
    summary="Get your working hours, exceptions and settings",
    operation_id="schedule",
    responses=responses(200, 304, 401, 403),
    tags=["schedule"],
)
def get_schedule(if_none_match: _Tags = None) -> Response[models.Schedule]:
    """Return the caller's working hours, and those of the organization where they hold."""
    return as_response(own_schedule.get_schedule(app.present_request(), if_none_match))


@app.put(
    "/api/schedule/",
    summary="Change your working hours, exceptions and settings",
    operation_id="put_schedule",
    responses=responses(200, 400, 401, 403, 409, 412, 413, 415),
    tags=["schedule"],
)
def put_schedule(
    request: Annotated[models.ScheduleRequest, Body()],
    preview: Annotated[
        bool, Query(description="Only compare the working time of the past with and without the change")
    ] = False,
    if_match: _Match = None,
) -> Response[models.Schedule | models.SchedulePreview]:
    """Change what the body contains.

    `week` and `time_zone` hold from the first instant of `valid_from` in this time zone until the next
    version; a version with the same date is replaced. The time before `valid_from` does not change. A change
    that would alter the working hours or the borders of a confirmed day is refused (409).

    With `preview=true`, nothing changes. The response has the dates whose working time the change would
    alter, in at most 366 days from its first instant on, and the confirmed dates for which the change would
    be refused.
    """
    app.refuse_unknown_parameters(put_schedule)
    change = _requested(request, app.present_request().now_ms)
    return _previewed(change) if preview else _applied(change, if_match)


@app.delete(
    "/api/schedule/<valid_from>/",
    summary="Delete a version of your working hours",
    operation_id="delete_schedule_version",
    responses=responses(200, 400, 401, 403, 404, 409, 412),
    tags=["schedule"],
)
def delete_version(
    valid_from: str,
    preview: Annotated[
        bool, Query(description="Only compare the working time of the past with and without the version")
    ] = False,
    if_match: _Match = None,
) -> Response[models.Schedule | models.SchedulePreview]:
    """Delete the version of a date. The version before it, or the organization's hours, hold instead.

    With `preview=true`, nothing changes; see the request that changes working hours.
    """
    app.refuse_unknown_parameters(delete_version)
    day = parse_date(valid_from, "valid_from")

    def change(own: OwnCalendar) -> OwnCalendar:
        if all(version.valid_from != day for version in own.versions):
            raise NotFound("There is no version of your working hours with this date.")
        return own.without_version(day)

    return _previewed(change) if preview else _applied(change, if_match)


@app.put(
    "/api/schedule/exceptions/<date>/",
    summary="Set other working hours on one date",
    operation_id="put_exception",
    responses=responses(200, 400, 401, 403, 404, 409, 412, 413, 415),
    tags=["schedule"],
)
def put_exception(
    date: str, request: Annotated[models.ExceptionHours, Body()], if_match: _Match = None
) -> Response[models.Schedule]:
    """Replace the hours of a date. Without intervals, the date is a day off."""
    day = parse_date(date)
    exception = request.parse("intervals")
    return _applied(lambda own: own.with_exceptions({day: exception}), if_match)


@app.delete(
    "/api/schedule/exceptions/<date>/",
    summary="Delete the exception of a date",
    operation_id="delete_exception",
    responses=responses(200, 400, 401, 403, 404, 409, 412),
    tags=["schedule"],
)
def delete_exception(date: str, if_match: _Match = None) -> Response[models.Schedule]:
    """Delete an exception, so that the working hours of the weekday hold again."""
    day = parse_date(date)

    def change(own: OwnCalendar) -> OwnCalendar:
        if day not in own.exceptions:
            raise NotFound("There is no exception on this date.")
        return own.with_exceptions({day: None})

    return _applied(change, if_match)


@app.get(
    "/api/schedule/holidays/",
    summary="List the public holidays of a country",
    operation_id="list_holidays",
    responses=responses(200, 400, 401, 403),
    tags=["schedule"],
)
def list_holidays(
    country: Annotated[
        # Some letters of other alphabets have several capitals, such as SS for the German sharp s.
        str, Query(description="ISO 3166-1 alpha-2 code, such as DE", pattern="^[A-Za-z]{2}$")
    ],
    year: Annotated[int, Query(ge=2000, le=2100)],
    subdivision: Annotated[
        str | None, Query(description="ISO 3166-2 code without the country, such as BE", max_length=20)
    ] = None,
    language: Annotated[
        str | None,
        Query(description="The preferred language of the names, such as de", pattern="^[a-z]{2}$"),
    ] = None,
) -> Response[models.HolidayList]:
    """Return dates and names to choose exceptions from. Nothing is stored."""
    app.refuse_unknown_parameters(list_holidays)
    # Import on first use, because few requests need the package.
    from schedule.holiday_calendar import public_holidays

    found = public_holidays(country.upper(), subdivision, year, language)
    return _response(
        models.HolidayList(holidays=[models.HolidayShown(date=day, name=name) for day, name in found])
    )


@app.get(
    "/api/schedule/holidays/countries/",
    summary="List the countries whose public holidays are known",
    operation_id="list_countries",
    responses=responses(200, 401, 403),
    tags=["schedule"],
)
def list_countries() -> Response[models.CountryList]:
    """Return the codes of the countries, and the codes and names of their subdivisions."""
    from schedule.holiday_calendar import countries

    return _response(
        models.CountryList(
            countries=[
                models.Country(
                    country=country,
                    subdivisions=[models.Subdivision(code=code, name=name) for code, name in parts.items()],
                )
                for country, parts in countries().items()
            ]
        )
    )


@app.get(
    "/api/admin/settings/",
    summary="For admins: get the organization's settings",
    operation_id="settings",
    responses=responses(200, 401, 403),
    tags=["operation"],
)
def get_settings() -> Response[models.OrganizationSettings]:
    """Return the present settings and all earlier ones."""
    app.present_request().caller.require_admin()
    return _response(
        models.OrganizationSettings.of(calendars.organization(not_before_ms=app.present_request().now_ms))
    )


@app.put(
    "/api/admin/settings/",
    summary="For admins: change the organization's settings",
    operation_id="put_settings",
    responses=responses(200, 400, 401, 403, 413, 415),
    tags=["operation"],
)
def put_settings(
    request: Annotated[models.SettingsRequest, Body()],
) -> Response[models.OrganizationSettings]:
    """Change the settings in the body, from now on. The past keeps the settings that held then."""
    app.present_request().caller.require_admin()
    changes = request.changes()
    policies = calendars.put_policy(
        lambda policy: replace(policy, **changes), now_ms=app.present_request().now_ms
    )
    return _response(models.OrganizationSettings.of(policies))


@app.get(
    "/api/admin/lock/",
    summary="For admins: get the lock",
    operation_id="lock",
    responses=responses(200, 401, 403),
    tags=["operation"],
)
def get_lock() -> Response[models.LockShown]:
    """Return up to which date all days are locked, and the last changes of the lock."""
    app.present_request().caller.require_admin()
    calendars.forget_organization()
    return _lock(calendars.locked_until())


@app.post(
    "/api/admin/lock/",
    summary="For admins: lock all days up to a date",
    operation_id="put_lock",
    responses=responses(200, 400, 401, 403, 413, 415),
    tags=["operation"],
)
def put_lock(request: Annotated[models.LockRequest, Body()]) -> Response[models.LockShown]:
    """Lock the days of everybody up to a date that is over in all time zones, or open the days after it.

    Changes by hand of locked days are refused (409) from now on. Their time is frozen by the next hourly
    sweep; until then, events may still change it.
    """
    return _locked(request.until, request.reason)


@app.delete(
    "/api/admin/lock/",
    summary="For admins: open all locked days",
    operation_id="delete_lock",
    responses=responses(200, 400, 401, 403),
    tags=["operation"],
)
def delete_lock(reason: ReasonParameter = "") -> Response[models.LockShown]:
    """Open all days that are locked. The next hourly sweep derives their time again."""
    app.refuse_unknown_parameters(delete_lock)
    return _locked(None, reason)


def _locked(until: date | None, reason: str) -> Response[models.LockShown]:
    request = app.present_request()
    request.caller.require_admin()
    return _lock(calendars.lock(until, by=request.caller.user_id, reason=reason, now_ms=request.now_ms))


def _lock(until: date | None) -> Response[models.LockShown]:
    page = AuditLog(table).page(ORGANIZATION, page_size=_LOCK_CHANGES)
    return _response(models.LockShown.of(until, page.entries))


def _applied(change: _Change, if_match: str | None) -> Response[Any]:
    return as_response(own_schedule.change_schedule(app.present_request(), change, if_match))


def _previewed(change: _Change) -> Response[Any]:
    """Return the working time that a change of the caller's calendar would alter."""
    request = app.present_request()
    now, user_id = request.now_ms, request.caller.user_id
    before = calendars.own(user_id)
    after = change(before)
    policies = calendars.organization()
    conflicts = list(
        islice(confirmed_conflicts(before, after, policies, calendars.locked_until()), _MOST_CONFLICTS)
    )
    changed_ms = changed_from_ms(before, after)
    if changed_ms is None or changed_ms >= now:
        return _response(models.SchedulePreview.of([], conflicts, complete=True))
    period = Period(changed_ms, min(now, changed_ms + _PREVIEW_MS))
    # Import on first use, because few requests need the timers.
    from timer_core.store.queries import TimerQueries
    from timer_core.store.timesheets import Timesheets

    timesheets = Timesheets(table, TimerQueries(table), calendars)
    days = differing_days(
        timesheets.worked(user_id, period, now_ms=now).slices,
        timesheets.under(user_id, after, period, now_ms=now),
        after.calendar(policies).schedule,
    )
    return _response(models.SchedulePreview.of(days, conflicts, complete=period.until_ms == now))


def _requested(request: models.ScheduleRequest, now: int) -> _Change:
    """Return the requested change of a calendar.

    Raises
    ------
    InvalidInput
        If the request is not valid.
    """
    fields = request.model_fields_set
    version = None
    if "week" in fields or request.time_zone is not None:
        if request.time_zone is None or "week" not in fields:
            missing = "week" if request.time_zone is not None else "time_zone"
            raise InvalidInput(missing, "week and time_zone are changed together.", ErrorCode.REQUIRED)
        week = models.week_in(request.time_zone, request.week)
        version = ScheduleVersion(request.valid_from or local_date(week.zone, now), week)
    elif request.valid_from is not None:
        raise InvalidInput("week", "valid_from needs week and time_zone.", ErrorCode.REQUIRED)
    exceptions: dict[Any, DayException | None] = {}
    for one in request.exceptions or ():
        field = f"exceptions.{one.date.isoformat()}"
        if one.date in exceptions:
            raise InvalidInput(field, "Occurs twice.", ErrorCode.CONTRADICTION)
        exceptions[one.date] = one.parse(field)

    def change(own: OwnCalendar) -> OwnCalendar:
        if version is not None:
            own = own.with_version(version)
        if request.exceptions is not None:
            today = own.calendar(calendars.organization()).schedule.day_of(now)
            upcoming = {day: None for day in own.exceptions if day >= today}
            own = own.with_exceptions({**upcoming, **exceptions})
        if "assignment_starts" in fields:
            own = with_choice(own, request.assignment_starts, now_ms=now)
        return own

    return change


def _response(body: _Body) -> Response[_Body]:
    return Response(HTTPStatus.OK.value, "application/json", body)
