"""The route of reports, and the parameters that it reads.

Import this module on first use, because it imports pydantic (see `timer_core.api.direct`).
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import parse_qs

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from reports.answers import Asked, find, to_body, to_csv_file, to_xlsx_file
from reports.csv_file import preferred_locale
from reports.models import ReportShown
from reports.shared import guard, logger, team
from timer_core.api.models import DateIn
from timer_core.api.resolver import Resolver
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


class Format(StrEnum):
    """The format of a report."""

    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"


_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_RESPONSES = responses(200, 400, 401, 403, 413)
_RESPONSES[200]["content"] = {
    "application/json": {"model": ReportShown},
    "text/csv": {"schema": {"type": "string"}},
    _XLSX: {"schema": {"type": "string", "format": "binary"}},
}
_RESPONSES[413]["description"] = "The report reads too many days of people, or has too many rows"
_Values = Annotated[
    list[str] | None, Query(description="Repeatable; case does not matter; empty: time without one")
]


@app.get(
    "/api/reports/",
    summary="Group the time of people",
    operation_id="report",
    responses=_RESPONSES,
    tags=["reports"],
)
def get_report(
    from_: Annotated[
        DateIn | None, Query(alias="from", description="The first date; by default the first of its month")
    ] = None,
    to: Annotated[DateIn | None, Query(description="The last date; by default today")] = None,
    time_zone: Annotated[
        str,
        Query(description="The time zone of the dates: an IANA name such as Europe/Berlin", max_length=64),
    ] = "UTC",
    group_by: Annotated[
        str, Query(description="Up to three groupings, separated by commas: " + ", ".join(Grouping))
    ] = "person",
    person: Annotated[
        list[str] | None, Query(description="The login of a person whose time you can see; repeatable")
    ] = None,
    repository: _Values = None,
    issue: Annotated[
        list[str] | None, Query(description="owner/name#number; repeatable; empty: time without an issue")
    ] = None,
    label: _Values = None,
    milestone: _Values = None,
    type_: Annotated[list[str] | None, Query(alias="type", description="As for label")] = None,
    project: _Values = None,
    format_: Annotated[Format, Query(alias="format", description="json, csv or xlsx")] = Format.JSON,
    locale: Annotated[
        str | None,
        Query(
            description="For files: a language tag such as de-DE; by default that of Accept-Language",
            max_length=35,
        ),
    ] = None,
) -> Response[ReportShown | str]:
    """Return the working time of the people whose time you can see, and everything else that belongs to it.

    The figures are sums of the same time as the totals and timesheets of each person. Labels, milestone,
    type, projects, sub-issues and estimates are those that the issues have now. Time on an issue with several
    labels or projects is in the row of each; then `overlapping` is true, and the rows add up to more than the
    totals. Time on a pull request counts for the issue that it closes.

    A period has at most 366 days, and a report at most 20,000 days of people and 10,000 rows (413). Requests
    for more than seven days of people count toward the write limit.
    """
    app.refuse_unknown_parameters(get_report)
    request = app.present_request()
    given = {
        Grouping.PERSON: person,
        Grouping.REPOSITORY: repository,
        Grouping.ISSUE: issue,
        Grouping.LABEL: label,
        Grouping.MILESTONE: milestone,
        Grouping.TYPE: type_,
        Grouping.PROJECT: project,
    }
    values = _values(request.event, [grouping for grouping, value in given.items() if value is not None])
    zone = find_zone(time_zone)
    last = to or local_date(zone.key, request.now_ms)
    first = from_ or last.replace(day=1)
    _check_dates(first, last)
    people = _selected(team.visible_to(request.caller), values.get(Grouping.PERSON))
    asked = Asked(first, last, zone, _groupings(group_by), _filters(values), people)
    if asked.days * len(people) > _CHEAP_PERSON_DAYS:
        guard.count_write(request.caller, now_ms=request.now_ms)
    found = find(asked, now_ms=request.now_ms)
    chosen = locale or preferred_locale(request.event["headers"].get("accept-language", ""))
    match format_:
        case Format.CSV:
            return _file(to_csv_file(asked, found, chosen), "text/csv; charset=utf-8", asked, "csv")
        case Format.XLSX:
            content = base64.b64encode(to_xlsx_file(asked, found, chosen)).decode()
            response = _file(content, _XLSX, asked, "xlsx")
            response.base64_encoded = True
            return response
        case Format.JSON:
            body: Any = to_body(asked, found)
            return Response(HTTPStatus.OK.value, "application/json", body)


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


def _file(content: str, content_type: str, asked: Asked, ending: str) -> Response[Any]:
    name = f"report-{asked.first.isoformat()}-{asked.last.isoformat()}.{ending}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(HTTPStatus.OK.value, content_type, content, headers)
