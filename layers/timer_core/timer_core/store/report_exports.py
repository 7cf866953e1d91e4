"""Exports of reports: what was asked for, how far it is, and the file.

A person has one export at a time. It expires after a day, and a new one replaces it.
"""

from dataclasses import dataclass
from enum import StrEnum

from pynamodb.attributes import BinaryAttribute, BooleanAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.models import Model

from timer_core.domain.errors import ErrorCode, ExportRunning, NotFound
from timer_core.store.items import expiry, raw
from timer_core.store.keys import REPORT_EXPORT_SK, report_file_sk, report_files, user_pk
from timer_core.store.table import ConditionFailed, RawItem, Table, Write

# The number of days for which an export is stored.
KEPT_DAYS = 1
# The time after which an export that is neither done nor failed has failed: the function that makes it is
# stopped after 15 minutes (template.yaml), and a message waits some seconds in the queue.
LONGEST_MS = 20 * 60_000
# An item of DynamoDB has at most 400 KB, its keys included (AWS, "Quotas in Amazon DynamoDB").
_PART_BYTES = 390_000


class ReportExportItem(Model):
    """``user#<id>`` / ``report-export``: the report that a person has asked for last, as a file.

    ``asked`` is a JSON object with what the report is about. ``done`` is the number of people whose time has
    been read, of ``people``. ``failure`` is the code of the reason for which there is no file. ``parts`` is
    the number of the file's `ReportFileItem`. The item expires by TTL.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    ulid = UnicodeAttribute()
    state = UnicodeAttribute()
    asked = UnicodeAttribute()
    people = NumberAttribute()
    done = NumberAttribute(default=0)
    asked_ms = NumberAttribute()
    failure = UnicodeAttribute(null=True)
    complete = BooleanAttribute(null=True)
    parts = NumberAttribute(null=True)
    expires_at = NumberAttribute()


class ReportFileItem(Model):
    """``user#<id>`` / ``report-file#<ULID>#<number>``: a part of a file, compressed as a whole with gzip.

    The ULID is that of the export. The item expires by TTL.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    part = BinaryAttribute(legacy_encoding=False)
    expires_at = NumberAttribute()


class ExportState(StrEnum):
    """How far an export is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


_UNFINISHED = (ExportState.WAITING, ExportState.RUNNING)


@dataclass(frozen=True, slots=True)
class ReportExport:
    """An export of a report.

    Attributes
    ----------
    asked
        JSON of what the report is about.
    people
        The number of people in the report.
    done
        The number of people whose time has been read.
    failure
        Why there is no file; None unless the export has failed.
    complete
        Whether all timers of the period are in the file; None unless the export is done.
    """

    ulid: str
    state: ExportState
    asked: str
    people: int
    done: int
    asked_ms: int
    expires_s: int
    failure: ErrorCode | None
    complete: bool | None
    parts: int


class ReportExports:
    """The exports in the table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, user_id: int, ulid: str, asked: str, people: int, *, now_ms: int) -> ReportExport:
        """Store a new export, and replace the person's last one.

        Raises
        ------
        ExportRunning
            If the last one is not finished.
        """
        item = ReportExportItem(
            pk=user_pk(user_id),
            sk=REPORT_EXPORT_SK,
            ulid=ulid,
            state=ExportState.WAITING,
            asked=asked,
            people=people,
            asked_ms=now_ms,
            expires_at=expiry(now_ms, KEPT_DAYS),
        )
        is_free = (
            ReportExportItem.pk.does_not_exist()
            | ~ReportExportItem.state.is_in(*_UNFINISHED)
            | (ReportExportItem.asked_ms < now_ms - LONGEST_MS)
        )
        try:
            self._table.write(Write("Put", item.pk, item.sk, is_free, item=raw(item)))
        except ConditionFailed:
            raise ExportRunning("Your last export is not finished yet.") from None
        return _to_export(raw(item), now_ms)

    def get(self, user_id: int, *, now_ms: int) -> ReportExport:
        """Return a person's export.

        Raises
        ------
        NotFound
            If there is none, or it has expired.
        """
        item = self._table.get(user_pk(user_id), REPORT_EXPORT_SK)
        found = None if item is None else _to_export(item, now_ms)
        if found is None or found.expires_s * 1000 <= now_ms:
            raise NotFound("There is no export of a report.")
        return found

    def take(self, user_id: int, ulid: str, *, now_ms: int) -> ReportExport | None:
        """Return an export that waits, which is running from now on; None if it does not wait any more."""
        try:
            item = self._change(
                user_id,
                ReportExportItem.state.set(ExportState.RUNNING),
                condition=(ReportExportItem.ulid == ulid) & (ReportExportItem.state == ExportState.WAITING),
            )
        except ConditionFailed:
            return None
        return _to_export(item, now_ms)

    def note(self, user_id: int, ulid: str, done: int) -> None:
        """Store the number of people whose time has been read."""
        self._change(user_id, ReportExportItem.done.set(done), condition=ReportExportItem.ulid == ulid)

    def finish(self, user_id: int, ulid: str, content: bytes, *, complete: bool, now_ms: int) -> None:
        """Store the file of an export.

        Parameters
        ----------
        content
            The file, compressed with gzip.
        complete
            Whether all timers of the period are in the file.
        """
        expires_s = expiry(now_ms, KEPT_DAYS)
        parts = [content[first : first + _PART_BYTES] for first in range(0, len(content), _PART_BYTES)]
        for number, part in enumerate(parts):
            item = ReportFileItem(
                pk=user_pk(user_id), sk=report_file_sk(ulid, number), part=part, expires_at=expires_s
            )
            self._table.write(Write("Put", item.pk, item.sk, item=raw(item)))
        self._change(
            user_id,
            ReportExportItem.state.set(ExportState.DONE),
            ReportExportItem.complete.set(complete),
            ReportExportItem.parts.set(len(parts)),
            condition=ReportExportItem.ulid == ulid,
        )

    def fail(self, user_id: int, ulid: str, failure: ErrorCode) -> None:
        """Store the reason for which there is no file."""
        self._change(
            user_id,
            ReportExportItem.state.set(ExportState.FAILED),
            ReportExportItem.failure.set(failure),
            condition=ReportExportItem.ulid == ulid,
        )

    def content(self, user_id: int, export: ReportExport) -> bytes:
        """Return the file of an export that is done, compressed with gzip.

        Raises
        ------
        NotFound
            If a part of the file has been deleted.
        """
        in_file = ReportFileItem.sk.startswith(report_files(export.ulid))
        parts = [
            ReportFileItem.from_raw_data(item).part
            for item in self._table.query_all(user_pk(user_id), in_file)
        ]
        if len(parts) != export.parts:
            raise NotFound("The file has been deleted.")
        return b"".join(parts)

    def _change(self, user_id: int, *actions: Action, condition: Condition) -> RawItem:
        return self._table.write(
            Write("Update", user_pk(user_id), REPORT_EXPORT_SK, condition, list(actions))
        )


def _to_export(item: RawItem, now_ms: int) -> ReportExport:
    row = ReportExportItem.from_raw_data(item)
    state = ExportState(row.state)
    failure = None if row.failure is None else ErrorCode(row.failure)
    asked_ms = int(row.asked_ms)
    if state in _UNFINISHED and asked_ms < now_ms - LONGEST_MS:
        # The function was stopped, because it took too long or needed too much memory.
        state, failure = ExportState.FAILED, ErrorCode.INTERNAL_ERROR
    return ReportExport(
        row.ulid,
        state,
        row.asked,
        int(row.people),
        int(row.done),
        asked_ms,
        int(row.expires_at),
        failure,
        row.complete,
        int(row.parts or 0),
    )
