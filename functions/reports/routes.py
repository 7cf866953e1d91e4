"""The route of reports, and the parameters that it reads.

Import this module on first use, because it imports pydantic (see `timer_core.api.direct`).
"""

from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import parse_qs

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from reports import exporting
from reports.answers import OF_EXPORT, OF_REQUEST, Asked, check_size, find, to_body
from reports.csv_file import preferred_locale
from reports.exporting import Order
from reports.files import XLSX, FileFormat, file_response, to_file
from reports.models import ExportShown, ReportShown
from reports.representation import ReportedPerson
from reports.shared import guard, logger, team
from timer_core.api.models import DateIn
from timer_core.api.replies import Reply
from timer_core.api.requests import Request
from timer_core.api.resolver import Resolver, as_response
from timer_core.api.responses import responses
from timer_core.domain.errors import ErrorCode, InvalidInput
from timer_core.domain.reports import OF_ISSUE, Filters, Grouping
from timer_core.domain.schedule import DAY, local_date
from timer_core.domain.totals import time_zone as find_zone
from timer_core.services.team import VisiblePerson

app = Resolver(logger)

_MOST_DAYS = 366
_MOST_GROUPINGS = 3
_MOST_VALUES = 100
_LONGEST_VALUE = 256
# A report of more days of people than this counts as a write, as a period of more than a week does elsewhere.
_CHEAP_PERSON_DAYS = 7
# The groupings by whose values time can be selected, in the order of the routes' parameters.
_FILTERS = (
    Grouping.PERSON,
    Grouping.REPOSITORY,
    Grouping.ISSUE,
    Grouping.LABEL,
    Grouping.MILESTONE,
    Grouping.TYPE,
    Grouping.PROJECT,
)


class Format(StrEnum):
    """The format of a report."""

    JSON = "json"
    CSV = FileFormat.CSV.value
    XLSX = FileFormat.XLSX.value


_FILES: dict[str, Any] = {
    "text/csv": {"schema": {"type": "string"}},
    XLSX: {"schema": {"type": "string", "format": "binary"}},
}
_RESPONSES = responses(200, 400, 401, 403, 413)
_RESPONSES[200]["content"] = {"application/json": {"model": ReportShown}, **_FILES}
_RESPONSES[413]["description"] = "The report reads too many days of people, or has too many rows"
_EXPORT_RESPONSES = responses(202, 400, 401, 403, 409, 413)
_EXPORT_RESPONSES[202] = {
    "description": "The file is being made",
    "content": {"application/json": {"model": ExportShown}},
}
_EXPORT_RESPONSES[409]["description"] = "Your last export is not finished"
_EXPORT_RESPONSES[413]["description"] = _RESPONSES[413]["description"]
_FILE_RESPONSES = responses(200, 401, 403, 404)
_FILE_RESPONSES[200]["content"] = _FILES

_From = Annotated[
    DateIn | None, Query(alias="from", description="The first date; by default the first of its month")
]
_To = Annotated[DateIn | None, Query(description="The last date; by default today")]
_TimeZone = Annotated[
    str, Query(description="The time zone of the dates: an IANA name such as Europe/Berlin", max_length=64)
]
_GroupBy = Annotated[
    str, Query(description="Up to three groupings, separated by commas: " + ", ".join(Grouping))
]
_People = Annotated[
    list[str] | None, Query(description="The login of a person whose time you can see; repeatable")
]
_Issues = Annotated[
    list[str] | None, Query(description="owner/name#number; repeatable; empty: time without an issue")
]
_Types = Annotated[list[str] | None, Query(alias="type", description="As for label")]
_Values = Annotated[
    list[str] | None, Query(description="Repeatable; case does not matter; empty: time without one")
]
_Locale = Annotated[
    str | None,
    Query(
        description="For files: a language tag such as de-DE; by default that of Accept-Language",
        max_length=35,
    ),
]


@app.get(
    "/api/reports/",
    summary="Group the time of people",
    operation_id="report",
    responses=_RESPONSES,
    tags=["reports"],
)
def get_report(
    from_: _From = None,
    to: _To = None,
    time_zone: _TimeZone = "UTC",
    group_by: _GroupBy = "person",
    person: _People = None,
    repository: _Values = None,
    issue: _Issues = None,
    label: _Values = None,
    milestone: _Values = None,
    type_: _Types = None,
    project: _Values = None,
    format_: Annotated[Format, Query(alias="format", description="json, csv or xlsx")] = Format.JSON,
    locale: _Locale = None,
) -> Response[ReportShown | str]:
    """Return the working time of the people whose time you can see, and everything else that belongs to it.

    The figures are sums of the same time as the totals and timesheets of each person. Labels, milestone,
    type, projects, sub-issues and estimates are those that the issues have now. Time on an issue with several
    labels or projects is in the row of each; then `overlapping` is true, and the rows add up to more than the
    totals. Time on a pull request counts for the issue that it closes.

    A period has at most 366 days, and a report at most 20,000 days of people and 10,000 rows (413); a larger
    one can be exported (`export_report`). Requests for more than seven days of people count toward the write
    limit.
    """
    app.refuse_unknown_parameters(get_report)
    request = app.present_request()
    given = (person, repository, issue, label, milestone, type_, project)
    asked = _asked(request, from_, to, time_zone, group_by, given)
    if asked.person_days > _CHEAP_PERSON_DAYS:
        guard.count_write(request.caller, now_ms=request.now_ms)
    check_size(asked, OF_REQUEST)
    found = find(asked, OF_REQUEST, now_ms=request.now_ms)
    if format_ is Format.JSON:
        return as_response(Reply(HTTPStatus.OK, to_body(asked, found)))
    form = FileFormat(format_.value)
    return file_response(asked, form, to_file(asked, found, form, _locale(request, locale)))


@app.post(
    exporting.PATH,
    summary="Export a large report",
    operation_id="export_report",
    responses=_EXPORT_RESPONSES,
    tags=["reports"],
)
def export_report(
    from_: _From = None,
    to: _To = None,
    time_zone: _TimeZone = "UTC",
    group_by: _GroupBy = "person",
    person: _People = None,
    repository: _Values = None,
    issue: _Issues = None,
    label: _Values = None,
    milestone: _Values = None,
    type_: _Types = None,
    project: _Values = None,
    format_: Annotated[FileFormat, Query(alias="format", description="csv or xlsx")] = FileFormat.CSV,
    locale: _Locale = None,
) -> Response[ExportShown]:
    """Make the file of a report in the background, also of one that is too large for a request.

    The parameters are those of `report`. A report has at most 183,000 days of people, which is a year of 500
    people, and 100,000 rows. It contains the time until the request. You have one export at a time (409), and
    a new one replaces the last.
    """
    app.refuse_unknown_parameters(export_report)
    request = app.present_request()
    given = (person, repository, issue, label, milestone, type_, project)
    asked = _asked(request, from_, to, time_zone, group_by, given)
    check_size(asked, OF_EXPORT)
    order = Order(asked, format_, _locale(request, locale))
    export = exporting.begin(request.caller.user_id, order, now_ms=request.now_ms)
    return as_response(Reply(HTTPStatus.ACCEPTED, exporting.shown(export), {"Location": exporting.PATH}))


@app.get(
    exporting.PATH,
    summary="Get the state of your export",
    operation_id="report_export",
    responses=responses(200, 401, 403, 404),
    tags=["reports"],
)
def get_export() -> Response[ExportShown]:
    """Return how far your export is, and where its file is; 404 if there is none, and after a day."""
    request = app.present_request()
    export = exporting.exports.get(request.caller.user_id, now_ms=request.now_ms)
    return as_response(Reply(HTTPStatus.OK, exporting.shown(export)))


@app.get(
    exporting.FILE_PATH,
    summary="Download the file of your export",
    operation_id="report_export_file",
    responses=_FILE_RESPONSES,
    tags=["reports"],
)
def get_export_file() -> Response[str]:
    """Return the file, compressed with gzip unless `Accept-Encoding` excludes it; 404 unless it is done.

    It is also 404 if it contains the time of somebody whose time you do not see any more.
    """
    request = app.present_request()
    accepted = request.event["headers"].get("accept-encoding", "")
    return exporting.file_of(request.caller, accepted, now_ms=request.now_ms)


def _values(event: Mapping[str, Any], given: Sequence[Grouping]) -> dict[Grouping, list[str]]:
    """Return the values of the filters.

    API Gateway joins repeated parameters with commas, which labels may contain, so they are read from the
    query string.

    Raises
    ------
    InvalidInput
        If there are too many values, or one is too long.
    """
    sent = parse_qs(event.get("rawQueryString", ""), keep_blank_values=True, max_num_fields=2000)
    found = {}
    for grouping in given:
        values = sent[grouping.value]
        if len(values) > _MOST_VALUES:
            message = f"Must have at most {_MOST_VALUES} values."
            raise InvalidInput(grouping.value, message, ErrorCode.TOO_MANY_VALUES)
        if any(len(value) > _LONGEST_VALUE for value in values):
            message = f"Must have at most {_LONGEST_VALUE} characters."
            raise InvalidInput(grouping.value, message, ErrorCode.TOO_LONG)
        found[grouping] = values
    return found


def _asked(
    request: Request,
    first: date | None,
    last: date | None,
    time_zone: str,
    group_by: str,
    given: Sequence[list[str] | None],
) -> Asked:
    """Return what a request asks for.

    Parameters
    ----------
    given
        The values of `_FILTERS`; None for a filter that the request does not have.

    Raises
    ------
    InvalidInput
        If a parameter is not valid.
    """
    filters = [grouping for grouping, value in zip(_FILTERS, given, strict=True) if value is not None]
    values = _values(request.event, filters)
    zone = find_zone(time_zone)
    last = last or local_date(zone.key, request.now_ms)
    first = first or last.replace(day=1)
    _check_dates(first, last)
    selected = _selected(team.visible_to(request.caller), values.get(Grouping.PERSON))
    people = [ReportedPerson(person.id, person.login, person.name) for person in selected]
    return Asked(first, last, zone, _groupings(group_by), _filters(values), people)


def _locale(request: Request, chosen: str | None) -> str:
    return chosen or preferred_locale(request.event["headers"].get("accept-language", ""))


def _filters(values: Mapping[Grouping, Sequence[str]]) -> Filters:
    return {
        grouping: frozenset(value.strip().lower() for value in wanted)
        for grouping, wanted in values.items()
        if grouping in OF_ISSUE
    }


def _selected(visible: Sequence[VisiblePerson], logins: Sequence[str] | None) -> list[VisiblePerson]:
    """Return the people with some logins.

    Raises
    ------
    InvalidInput
        If the caller does not see a person with a login. The error is the same whether there is one.
    """
    if logins is None:
        return list(visible)
    wanted = {login.strip().lower() for login in logins}
    found = [person for person in visible if person.login.lower() in wanted]
    if len({person.login.lower() for person in found}) < len(wanted):
        message = "Is not the login of a person whose time you can see."
        raise InvalidInput("person", message, ErrorCode.UNKNOWN_PERSON)
    return found


def _groupings(text: str) -> list[Grouping]:
    names = list(dict.fromkeys(text.split(",")))
    if len(names) > _MOST_GROUPINGS:
        message = f"Must name at most {_MOST_GROUPINGS} groupings."
        raise InvalidInput("group_by", message, ErrorCode.TOO_MANY_VALUES)
    known = {grouping.value for grouping in Grouping}
    if not known.issuperset(names):
        message = f"Must be of {', '.join(Grouping)}, separated by commas."
        raise InvalidInput("group_by", message, ErrorCode.INVALID_VALUE)
    return [Grouping(name) for name in names]


def _check_dates(first: date, last: date) -> None:
    if first > last:
        raise InvalidInput("from", "Must not be after to.", ErrorCode.END_BEFORE_START)
    if last - first >= _MOST_DAYS * DAY:
        raise InvalidInput("from", "Must be at most 365 days before to.", ErrorCode.OUT_OF_RANGE)
