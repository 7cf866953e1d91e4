"""Write the total time of the queued issues to GitHub, and retry what fails."""

import time
from functools import cache
from typing import Any

from aws_lambda_powertools import Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext

from timer_core import startup
from timer_core.clients import client
from timer_core.clock import now_ms
from timer_core.github.api.client import GitHub
from timer_core.github.api.credentials import CredentialParameter
from timer_core.observability import make_logger
from timer_core.services.message_retries import retry_after, wait_s
from timer_core.services.team import Team
from timer_core.services.write_back import Result, WriteBack
from timer_core.services.write_back_queue import WriteBackMessage, WriteBackQueue
from timer_core.settings import settings
from timer_core.store.table import Table

# The longest time of one message: five requests to GitHub, which end after seven seconds each.
_RESERVE_MS = 35_000
# GitHub asks for at least a second between requests that change something ("Best practices for using the REST
# API").
_PACE_S = 1.0

logger = make_logger("write-back")
tracer = Tracer(service="write-back", patch_modules=["botocore"])


@cache
def _sqs() -> Any:
    return client("sqs")


class _Pace:
    """Waits between requests."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def __call__(self) -> None:
        time.sleep(max(0.0, self._next_s - time.monotonic()))
        self._next_s = time.monotonic() + _PACE_S


table = Table(settings().table_name)
write_back = WriteBack(
    table,
    GitHub(CredentialParameter(settings().github_credential), api_url=settings().github_api_url),
    # Names are shown to everyone or not at all, so leads make no difference.
    Team(table, lead_teams=(), admins=(), default=settings().team_visibility),
    WriteBackQueue(_sqs, settings().write_back_queue_url),
    logger,
    time_field=settings().triggers.time_field,
    has_comment=settings().closing_comment,
    pace=_Pace(),
)


@startup.completes
@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Process a batch; return the ids of the messages that SQS delivers again.

    The messages after a failed one are still processed, because each reads the present figures.
    """
    failed = [record["messageId"] for record in event["Records"] if not _process(record, context)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _process(record: dict[str, Any], context: LambdaContext) -> bool:
    """Process a message, and return whether it is done."""
    if context.get_remaining_time_in_millis() < _RESERVE_MS:
        # Leave this message to the next batch.
        _retry_after(record, 0)
        return False
    try:
        message = WriteBackMessage.from_json(record["body"])
        result = write_back.handle(message, now_ms=now_ms())
    except Exception as error:
        logger.exception(
            "The time of an issue could not be written", extra={"message_id": record["messageId"]}
        )
        receives = int(record["attributes"]["ApproximateReceiveCount"])
        _retry_after(record, wait_s(error, receives=receives))
        return False
    _log(message, result)
    return True


def _log(message: WriteBackMessage, result: Result) -> None:
    fields = {"issue": message.issue.key, "outcome": result.outcome}
    if result.outcome == "refused":
        logger.warning("GitHub refused the time of an issue", extra=fields | {"reason": result.reason})
    else:
        logger.info("Issue handled", extra=fields)


def _retry_after(record: dict[str, Any], delay_s: int) -> None:
    retry_after(_sqs(), settings().write_back_queue_url, record["receiptHandle"], delay_s, logger)
