"""The timeline's route and the models of its body."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BaseModel, ConfigDict, Field

from timelogs import timeline
from timelogs.routes.app import app, current_request, given
from timer_core.api.models import Time, TimeIn
from timer_core.api.resolver import as_response
from timer_core.api.responses import responses
from timer_core.domain.timeline import Rule

_RARE = ConfigDict(defer_build=True)


class SpanShown(BaseModel):
    """An interval of time."""

    model_config = _RARE

    since: Annotated[Time, Field(alias="from")]
    until: Time


class SliceShown(SpanShown):
    """An interval that counted for a timer."""

    timer: Annotated[str, Field(examples=["583231-01JD3K5W9GZ8Q4T1M6V7X0Y2BC"])]
    share: Annotated[float, Field(gt=0, le=1, description="The part that counted; less than 1 under shared.")]
    working_duration: Annotated[float, Field(ge=0, description="The working time in seconds.")]
    rule: Annotated[Rule, Field(description="Why it counted.")]
    overtime: Annotated[bool, Field(description="Whether it lies outside of working hours.")]


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
    app.refuse_unknown_parameters(get_timeline)
    parameters = given(since=since, until=until, time_zone=time_zone)
    return as_response(timeline.get_timeline(current_request(), parameters))
