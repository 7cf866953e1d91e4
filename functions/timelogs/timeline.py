"""The timeline: which time counted, and for which timer. Its route and its body."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BaseModel, ConfigDict, Field

from timelogs.periods import elapsed_part, limit_long, period_between
from timelogs.shared import app, calendars, current_caller, current_ms, response, timesheets
from timer_core.api import requests
from timer_core.api.models import Time, TimeIn, to_ms, to_time
from timer_core.api.responses import responses
from timer_core.domain.errors import ErrorCode, InvalidInput
from timer_core.domain.ids import timer_id
from timer_core.domain.schedule import DAY, DAY_MS, Span, instant, local_date
from timer_core.domain.timeline import Rule, Slice
from timer_core.domain.timers import Period, without
from timer_core.domain.totals import time_zone as find_zone
from timer_core.store.timesheets import Worked

_LONGEST_TIMELINE_MS = 366 * DAY_MS
# The beginning of the year 2200, in which calendars end.
_CALENDAR_END_MS = 7_258_118_400_000

_RARE = ConfigDict(defer_build=True, serialize_by_alias=True)


class SpanShown(BaseModel):
    """An interval of time."""

    model_config = _RARE

    since: Annotated[Time, Field(serialization_alias="from")]
    until: Time

    @classmethod
    def of(cls, span: Span) -> "SpanShown":
        """Return the representation of a span."""
        return cls(since=to_time(span.since_ms), until=to_time(span.until_ms))


class SliceShown(SpanShown):
    """An interval that counted for a timer."""

    timer: Annotated[str, Field(examples=["583231-01JD3K5W9GZ8Q4T1M6V7X0Y2BC"])]
    share: Annotated[float, Field(gt=0, le=1, description="The part that counted; less than 1 under shared.")]
    working_duration: Annotated[float, Field(ge=0, description="The working time in seconds.")]
    rule: Annotated[Rule, Field(description="Why it counted.")]
    overtime: Annotated[bool, Field(description="Whether it lies outside of working hours.")]

    @classmethod
    def of_slice(cls, piece: Slice, user_id: int) -> "SliceShown":
        """Return the representation of a slice."""
        return cls(
            since=to_time(piece.since_ms),
            until=to_time(piece.until_ms),
            timer=timer_id(user_id, piece.timer),
            share=1 / piece.of,
            working_duration=piece.working_ms / 1000,
            rule=piece.rule,
            overtime=piece.overtime,
        )


class TimelineShown(BaseModel):
    """A person's working time in a period, up to now, in order."""

    model_config = _RARE

    since: Time
    until: Time
    working_duration: Annotated[float, Field(ge=0, description="The sum of the slices, in seconds.")]
    overtime_duration: Annotated[float, Field(ge=0, description="The part outside of working hours.")]
    slices: list[SliceShown]
    gaps: Annotated[
        list[SpanShown],
        Field(description="Elapsed working hours in which nothing counted; none where all time counts."),
    ]
    working_hours: Annotated[
        list[SpanShown],
        Field(description="The working hours, also those to come; none where all time counts."),
    ]

    @classmethod
    def of(cls, worked: Worked, period: Period, user_id: int, now_ms: int) -> "TimelineShown":
        """Return the representation of a person's working time in a period."""
        working = [*worked.calendar.schedule.planned(*period)]
        elapsed = [
            Span(span.since_ms, min(span.until_ms, now_ms)) for span in working if span.since_ms < now_ms
        ]
        counted = [Span(piece.since_ms, piece.until_ms) for piece in worked.slices]
        return cls(
            since=to_time(period.since_ms),
            until=to_time(period.until_ms),
            working_duration=sum(piece.working_ms for piece in worked.slices) / 1000,
            overtime_duration=sum(piece.working_ms for piece in worked.slices if piece.overtime) / 1000,
            slices=[SliceShown.of_slice(piece, user_id) for piece in worked.slices],
            gaps=[SpanShown.of(span) for span in without(elapsed, counted)],
            working_hours=[SpanShown.of(span) for span in working],
        )


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
    time_zone: Annotated[
        str | None,
        Query(
            description="The time zone of the day, an IANA name; by default that of your working hours",
            max_length=64,
        ),
    ] = None,
) -> Response[TimelineShown]:
    """Return which time counted, and for which timer.

    The period has at most 366 days, and ends before 2200. Requests for periods longer than a week count
    toward the write limit.
    """
    requests.refuse_unknown_parameters(app.current_event, get_timeline)
    now, user_id = current_ms(), current_caller().user_id
    for field, time in (("since", since), ("until", until)):
        if time is not None and to_ms(time) > _CALENDAR_END_MS:
            raise InvalidInput(field, "Must not be after 2199.", ErrorCode.OUT_OF_RANGE)
    zone = None if time_zone is None else find_zone(time_zone).key
    if since is not None and until is not None:
        since_ms, until_ms = to_ms(since), to_ms(until)
    else:
        known_ms = to_ms(since) if since else now if until is None else to_ms(until) - 1
        day_ms, following_ms = _day_around(known_ms, user_id, zone)
        since_ms = day_ms if since is None else to_ms(since)
        until_ms = following_ms if until is None else to_ms(until)
    period = period_between(since_ms, until_ms)
    if until_ms - since_ms > _LONGEST_TIMELINE_MS:
        raise InvalidInput("since", "Must be at most 366 days before until.", ErrorCode.OUT_OF_RANGE)
    limit_long(elapsed_part(period, now), now)
    shown = TimelineShown.of(timesheets.worked(user_id, period, now_ms=now), period, user_id, now)
    return response(HTTPStatus.OK, shown)


def _day_around(at_ms: int, user_id: int, zone: str | None) -> tuple[int, int]:
    """Return the beginning and the end of the day of an instant, by default in the working hours' zone."""
    if zone is not None:
        day = local_date(zone, at_ms)
        return instant(zone, day, 0), instant(zone, day + DAY, 0)
    schedule = calendars.of(user_id).schedule
    date = schedule.day_of(at_ms)
    return schedule.starts_at(date), schedule.starts_at(date + DAY)
