"""Reports as files: their formats, their content, and the responses that contain them."""

import base64
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response

from reports.answers import Asked, Found
from reports.csv_file import dialect_of, to_csv
from reports.tables import columns_of

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class FileFormat(StrEnum):
    """The format of a file."""

    CSV = "csv"
    XLSX = "xlsx"


_TYPES = {FileFormat.CSV: "text/csv; charset=utf-8", FileFormat.XLSX: XLSX}


def to_file(asked: Asked, found: Found, form: FileFormat, locale: str) -> bytes:
    """Return the content of a file, for readers in a locale such as ``de-DE``."""
    columns = columns_of(found.report, asked.by_id)
    if form is FileFormat.CSV:
        return to_csv(columns, dialect_of(locale)).encode()
    # Import on first use, because only this format needs the package.
    from reports.xlsx_file import to_xlsx

    return to_xlsx(columns, locale=locale, overlapping=found.report.overlapping)


def file_response(
    asked: Asked, form: FileFormat, content: bytes, *, is_compressed: bool = False
) -> Response[Any]:
    """Return the response that contains a file, which may be compressed with gzip."""
    name = f"report-{asked.first.isoformat()}-{asked.last.isoformat()}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if is_compressed:
        headers["Content-Encoding"] = "gzip"
    is_text = form is FileFormat.CSV and not is_compressed
    body = content.decode() if is_text else base64.b64encode(content).decode()
    response = Response(HTTPStatus.OK.value, _TYPES[form], body, headers)
    response.base64_encoded = not is_text
    return response
