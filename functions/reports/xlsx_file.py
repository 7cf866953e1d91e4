"""The file of a report as a workbook of Excel (Office Open XML)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from typing import TYPE_CHECKING

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_range

from reports import german
from reports.representation import NOTE
from reports.tables import Cell, Column, Kind

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet

_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000
_WIDTHS = {Kind.TEXT: 28, Kind.DATE: 12, Kind.NUMBER: 10, Kind.DURATION: 14}
# Texts are never formulas or links, whatever they begin with.
_OPTIONS = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}


@dataclass(frozen=True, slots=True)
class _Texts:
    sheet: str
    total: str
    overlapping: str
    note: str
    headings: Mapping[str, str]
    hours: str


_ENGLISH = _Texts(
    sheet="Report",
    total="Total",
    overlapping="Some time is in several rows, so the rows add up to more than the total.",
    note=NOTE,
    headings={
        "person": "Person",
        "person_name": "Name",
        "repository": "Repository",
        "issue": "Issue",
        "issue_title": "Title",
        "issue_url": "Address",
        "label": "Label",
        "milestone": "Milestone",
        "type": "Type",
        "project": "Project",
        "day": "Day",
        "week": "Week of",
        "month": "Month",
        "working": "Working time",
        "working_with_sub_issues": "With sub-issues",
        "active": "Active time",
        "confirmed": "Confirmed",
        "entries": "Entries",
        "estimate": "Estimate",
        "left": "Left",
    },
    hours="{} (h)",
)
_GERMAN = _Texts(german.SHEET, german.TOTAL, german.OVERLAPPING, german.NOTE, german.HEADINGS, german.HOURS)


def to_xlsx(columns: list[Column], *, locale: str, overlapping: bool) -> bytes:
    """Return the file, with a row for each row of the report, and the totals below.

    A duration has two columns, both numbers: a time of the format ``[h]:mm``, and decimal hours. Excel shows
    them in the separators of its own language. Totals are formulas where the rows add up to them.
    """
    texts = _GERMAN if locale.lower().startswith("de") else _ENGLISH
    file = BytesIO()
    with Workbook(file, _OPTIONS) as book:
        sheet = _Sheet(book, texts)
        for column in columns:
            sheet.add(column)
        sheet.finish(overlapping=overlapping)
    return file.getvalue()


class _Sheet:
    """The sheet of a report, whose columns are written one after the other."""

    def __init__(self, book: Workbook, texts: _Texts) -> None:
        self._texts = texts
        self._sheet: Worksheet = book.add_worksheet(texts.sheet)
        self._next = 0
        self._rows = 0
        self._heading = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self._formats = {
            name: (
                book.add_format({"num_format": number}),
                book.add_format({"num_format": number, "bold": True, "top": 1}),
            )
            for name, number in {
                "text": "@",
                "date": "yyyy-mm-dd",
                "number": "0",
                "time": "[h]:mm",
                "hours": "0.00",
            }.items()
        }

    def add(self, column: Column) -> None:
        """Write a column; a duration as two."""
        self._rows = len(column.values)
        heading = self._texts.headings[column.name]
        if column.kind is Kind.DURATION:
            self._write(column, heading, "time", _DAY_MS)
            self._write(column, self._texts.hours.format(heading), "hours", _HOUR_MS)
        else:
            name = {Kind.TEXT: "text", Kind.DATE: "date", Kind.NUMBER: "number"}[column.kind]
            self._write(column, heading, name, 1)

    def finish(self, *, overlapping: bool) -> None:
        """Add what is below the rows, and keep the headings in view."""
        if self._rows:
            self._sheet.autofilter(0, 0, self._rows, self._next - 1)
        self._sheet.freeze_panes(1, 0)
        self._sheet.write_string(self._rows + 3, 0, self._texts.note)
        if overlapping:
            self._sheet.write_string(self._rows + 4, 0, self._texts.overlapping)

    def _write(self, column: Column, heading: str, name: str, unit: int) -> None:
        number, (plain, bold) = self._next, self._formats[name]
        self._sheet.set_column(number, number, _WIDTHS[column.kind])
        self._sheet.write_string(0, number, heading, self._heading)
        for row, value in enumerate(column.values, start=1):
            self._write_cell(row, number, value, plain, unit)
        if number == 0 and column.total is None:
            self._sheet.write_string(self._total_row, 0, self._texts.total, bold)
        elif column.total is not None and column.adds_up and self._rows:
            formula = f"=SUM({xl_range(1, number, self._rows, number)})"
            # Programs that do not compute formulas show the value.
            self._sheet.write_formula(self._total_row, number, formula, bold, column.total / unit)
        else:
            self._write_cell(self._total_row, number, column.total, bold, unit)
        self._next += 1

    @property
    def _total_row(self) -> int:
        return self._rows + 1

    def _write_cell(self, row: int, number: int, value: Cell, form: Format, unit: int) -> None:
        if value is None:
            self._sheet.write_blank(row, number, None, form)
        elif isinstance(value, str):
            self._sheet.write_string(row, number, value, form)
        elif isinstance(value, date):
            self._sheet.write_datetime(row, number, value, form)
        else:
            self._sheet.write_number(row, number, value / unit, form)
