"""The bodies of the routes of reports."""

from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from reports.files import FileFormat
from timer_core.api.models import IssueShown, Seconds, Time
from timer_core.domain.errors import ErrorCode
from timer_core.domain.reports import Grouping
from timer_core.store.report_exports import ExportState

_RARE = ConfigDict(defer_build=True)


class PersonOfReport(BaseModel):
    """A person whose time you can see."""

    model_config = _RARE

    id: Annotated[int, Field(description="The numeric id of the GitHub account.")]
    login: str
    name: str


_Estimate = Annotated[
    Seconds | None, Field(description="The estimates of the issues; null if none of them has one.")
]
_Left = Annotated[
    float | None,
    Field(
        description="The estimates minus all working time of these issues in the report, also in other rows;"
        " less than zero if more was worked."
    ),
]


class ReportTotals(BaseModel):
    """The sums of the report, in which all time counts once."""

    model_config = _RARE

    working_duration: Seconds
    active_duration: Seconds
    confirmed_duration: Annotated[
        Seconds, Field(description="The part of the working time on confirmed days.")
    ]
    entries: Annotated[int, Field(description="The number of timers with time in the report.")]
    estimate: _Estimate
    left: _Left


class ReportRow(BaseModel):
    """A row of the report: the members that `group_by` names, and the figures.

    A member is null for time that does not have the property, such as time on issues without labels.
    """

    model_config = _RARE

    person: PersonOfReport | None = None
    repository: Annotated[str | None, Field(examples=["octocat/hello-world"])] = None
    issue: IssueShown | None = None
    label: str | None = None
    milestone: str | None = None
    type: str | None = None
    project: str | None = None
    day: date | None = None
    week: Annotated[date | None, Field(description="The Monday of the week (ISO 8601).")] = None
    month: Annotated[date | None, Field(description="The first day of the month.")] = None
    working_duration: Seconds
    active_duration: Seconds
    confirmed_duration: Annotated[
        Seconds, Field(description="The part of the working time on confirmed days.")
    ]
    entries: Annotated[int, Field(description="The number of timers with time in the row.")]
    estimate: _Estimate
    left: _Left
    working_duration_with_sub_issues: Annotated[
        Seconds,
        Field(
            description="The working time of the issue and of all issues below it, for the same person and"
            " period. Only in reports grouped by issue. The totals do not add it."
        ),
    ] = 0

    @model_serializer(mode="wrap")
    def _only_sent(self, serialize: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]  # noqa: ANN202
        """Omit the members by which the report is not grouped. A return type would replace the schema."""
        members: dict[str, Any] = serialize(self)
        return {name: value for name, value in members.items() if name in self.model_fields_set}


class ReportShown(BaseModel):
    """The time of people, grouped."""

    model_config = _RARE

    since: Annotated[date, Field(alias="from")]
    until: Annotated[date, Field(alias="to")]
    time_zone: Annotated[str, Field(examples=["Europe/Berlin"])]
    group_by: list[Grouping]
    rows: Annotated[
        list[ReportRow],
        Field(description="Periods are in chronological order; all else begins with the longest time."),
    ]
    totals: ReportTotals
    overlapping: Annotated[
        bool,
        Field(
            description="Whether some time is in several rows, such as time on an issue with two labels. Then"
            " the rows add up to more than the totals."
        ),
    ]
    complete: Annotated[
        bool, Field(description="False if a person has more than 5,000 timers in the period.")
    ]
    people: Annotated[
        list[PersonOfReport], Field(description="The people whose time was read, also those without time.")
    ]
    note: str


class ExportShown(BaseModel):
    """Your export of a report."""

    model_config = _RARE

    state: Annotated[
        ExportState, Field(description="How far it is. After 20 minutes, it is done or has failed.")
    ]
    since: Annotated[date, Field(alias="from")]
    until: Annotated[date, Field(alias="to")]
    group_by: list[Grouping]
    format: FileFormat
    people: Annotated[int, Field(description="The number of people in the report.")]
    people_done: Annotated[int, Field(description="The number of people whose time has been read.")]
    asked: Annotated[Time, Field(description="When you asked for it. It contains the time until then.")]
    expires: Annotated[Time, Field(description="When it is deleted.")]
    failure: Annotated[ErrorCode | None, Field(description="Why it has failed, as the code of a problem.")]
    file: Annotated[str | None, Field(description="The path of the file; null unless it is done.")]
    complete: Annotated[
        bool | None,
        Field(description="As in a report: false if a person has more than 5,000 timers. Null unless done."),
    ]
