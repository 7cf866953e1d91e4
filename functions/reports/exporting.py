"""Exports: files of reports that are made in the background (`reports.export`)."""

import gzip
import json
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Self
from zoneinfo import ZoneInfo

from aws_lambda_powertools.event_handler import Response

from reports.answers import Asked
from reports.files import FileFormat, file_response
from reports.representation import ReportedPerson
from reports.shared import table, team
from timer_core.api.auth import Caller
from timer_core.api.negotiation import weights
from timer_core.api.times import format_ms
from timer_core.clients import client
from timer_core.domain.errors import ErrorCode, NotFound
from timer_core.domain.ids import new_ulid
from timer_core.domain.reports import Grouping
from timer_core.settings import settings
from timer_core.store.report_exports import ExportState, ReportExport, ReportExports

PATH = "/api/reports/export/"
FILE_PATH = f"{PATH}file/"

exports = ReportExports(table)


@cache
def _lambda() -> Any:
    return client("lambda")


@dataclass(frozen=True, slots=True)
class Order:
    """What an export contains.

    Attributes
    ----------
    form, locale
        The format of the file, and the locale of its readers.
    """

    asked: Asked
    form: FileFormat
    locale: str

    def to_json(self) -> str:
        """Return the order as it is stored."""
        asked = self.asked
        return json.dumps(
            {
                "from": asked.first.isoformat(),
                "to": asked.last.isoformat(),
                "time_zone": asked.time_zone.key,
                "group_by": asked.group_by,
                "filters": {grouping: sorted(values) for grouping, values in asked.filters.items()},
                "people": asked.people,
                "format": self.form,
                "locale": self.locale,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a stored order."""
        found = json.loads(text)
        asked = Asked(
            date.fromisoformat(found["from"]),
            date.fromisoformat(found["to"]),
            ZoneInfo(found["time_zone"]),
            [Grouping(name) for name in found["group_by"]],
            {Grouping(name): frozenset(values) for name, values in found["filters"].items()},
            [ReportedPerson(*person) for person in found["people"]],
        )
        return cls(asked, FileFormat(found["format"]), found["locale"])


def begin(user_id: int, order: Order, *, now_ms: int) -> ReportExport:
    """Store a person's export, and let it be made in the background.

    Raises
    ------
    ExportRunning
        If the person's last export is not finished.
    """
    ulid = new_ulid(now_ms)
    export = exports.add(user_id, ulid, order.to_json(), len(order.asked.people), now_ms=now_ms)
    event = json.dumps({"user_id": user_id, "ulid": ulid})
    try:
        _lambda().invoke(FunctionName=settings().export_function, InvocationType="Event", Payload=event)
    except Exception:
        exports.fail(user_id, ulid, ErrorCode.INTERNAL_ERROR)
        raise
    return export


def shown(export: ReportExport) -> dict[str, Any]:
    """Return an export as the API shows it."""
    order = Order.from_json(export.asked)
    return {
        "state": export.state,
        "from": order.asked.first.isoformat(),
        "to": order.asked.last.isoformat(),
        "group_by": order.asked.group_by,
        "format": order.form,
        "people": export.people,
        "people_done": export.done,
        "asked": format_ms(export.asked_ms),
        "expires": format_ms(export.expires_s * 1000),
        "failure": export.failure,
        "file": FILE_PATH if export.state is ExportState.DONE else None,
        "complete": export.complete,
    }


def file_of(caller: Caller, accept_encoding: str, *, now_ms: int) -> Response[Any]:
    """Return the response that contains the file of the caller's export.

    The file is compressed, unless the request has an ``Accept-Encoding`` without gzip (RFC 9110, section
    12.5.3).

    Raises
    ------
    NotFound
        If there is no export, if it is not done, or if it contains the time of somebody whose time the caller
        does not see any more.
    """
    export = exports.get(caller.user_id, now_ms=now_ms)
    if export.state is not ExportState.DONE:
        raise NotFound("The file has not been made.")
    order = Order.from_json(export.asked)
    people = {person.id for person in order.asked.people}
    if team.visible_of(caller, people) != people:
        raise NotFound("You no longer see the time of everybody in this file.")
    content = exports.content(caller.user_id, export)
    accepted = weights(accept_encoding)
    is_accepted = not accepted or accepted.get("gzip", accepted.get("*", 0)) > 0
    return file_response(
        order.asked,
        order.form,
        content if is_accepted else gzip.decompress(content),
        is_compressed=is_accepted,
    )
