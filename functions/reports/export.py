"""The function `report-export`: makes the files of reports in the background."""

import gzip
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from reports import shared
from reports.answers import OF_EXPORT, find
from reports.exporting import Order, exports
from reports.files import to_file
from timer_core import startup
from timer_core.clock import now_ms
from timer_core.domain.errors import ErrorCode, ReportTooLarge
from timer_core.store.report_exports import ReportExport

# Lambda's responses have at most 6 MB (AWS, "Lambda quotas"), and base64 makes four bytes of three.
_MOST_BYTES = 4_400_000


@startup.completes
@shared.logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> None:  # noqa: ARG001 - Lambda passes it
    """Make the file of an export. It is made once, also if Lambda invokes the function again."""
    user_id, ulid = event["user_id"], event["ulid"]
    export = exports.take(user_id, ulid, now_ms=now_ms())
    if export is None:
        shared.logger.info("The export does not wait any more", extra={"user_id": user_id})
        return
    try:
        _make(user_id, export)
    except ReportTooLarge as error:
        shared.logger.info("An export is too large", extra={"reason": str(error)})
        exports.fail(user_id, ulid, error.code)
    except Exception:
        shared.logger.exception("An export has failed")
        exports.fail(user_id, ulid, ErrorCode.INTERNAL_ERROR)


def _make(user_id: int, export: ReportExport) -> None:
    """Make the file, with the time until the person has asked for it.

    Raises
    ------
    ReportTooLarge
        If the report has too many rows, or the file does not fit into a response.
    """
    order = Order.from_json(export.asked)

    def note(done: int) -> None:
        exports.note(user_id, export.ulid, done)

    found = find(order.asked, OF_EXPORT, now_ms=export.asked_ms, note=note)
    content = gzip.compress(to_file(order.asked, found, order.form, order.locale))
    if len(content) > _MOST_BYTES:
        raise ReportTooLarge(f"The file has {len(content):,} bytes, of at most {_MOST_BYTES:,}.")
    exports.finish(user_id, export.ulid, content, complete=found.complete, now_ms=now_ms())
